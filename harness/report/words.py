# SPDX-License-Identifier: Apache-2.0
"""The words and units of a result: the page and the terminal say the same thing because both ask here."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from harness.bench.record import Case, Device, Layer, Model, Run
from harness.bench.stats import Interval, Verdict

KINDS = {
    "binary": "binary ±1",
    "binary01": "binary {0,1}",
    "kbit": "k-bit",
    "ternary": "ternary",
    "int8": "int8",
    "float": "float",
}

ROLES = {"convert": "to or from bits", "rest": "other"}
"""What nodes without weights are."""

ICONS: dict[Verdict, str] = {"faster": "▲", "slower": "▼", "same": "=", "slight": "≈", "unclear": "?"}

JUDGED: dict[Verdict, str] = {
    "faster": "faster",
    "slower": "slower",
    "same": "as fast",
    "slight": "nearly as fast",
    "unclear": "unclear",
}

CHANGES: dict[Verdict, str] = {
    "faster": "improved",
    "slower": "regression",
    "same": "equivalent",
    "slight": "small change",
    "unclear": "inconclusive",
}


def time_scale(ns: float) -> tuple[float, str]:
    """The unit that suits a time: (its nanoseconds, its name)."""
    for unit, size in (("ns", 1.0), ("µs", 1e3), ("ms", 1e6)):
        if ns < 999.5 * size:
            return size, unit
    return 1e9, "s"


def duration(ns: float) -> str:
    """A time to three digits: "812 ns", "45.3 µs", "1.24 ms", "3.10 s"."""
    size, unit = time_scale(ns)
    return f"{digits(ns / size)} {unit}"


def duration_range(low: float | None, high: float | None) -> str:
    """The bounds of a time in the unit of the larger: "1.21-1.27 ms"; "" without bounds."""
    if low is None or high is None:
        return ""
    size, unit = time_scale(high)
    number = digits(high / size)
    places = len(number.partition(".")[2])
    return f"{low / size:.{places}f}–{number} {unit}"


def size(count: float) -> str:
    """Bytes in decimal units: "912 B", "19.8 kB", "4.20 MB"."""
    for unit, scale in (("B", 1.0), ("kB", 1e3), ("MB", 1e6), ("GB", 1e9)):
        if count < 999.5 * scale or unit == "GB":
            return f"{count:.0f} B" if unit == "B" else f"{digits(count / scale)} {unit}"
    raise AssertionError("gigabytes take any size")


def count(number: float) -> str:
    """A large count: "847", "12.6 k", "3.41 M", "1.20 G"."""
    for unit, scale in (("", 1.0), (" k", 1e3), (" M", 1e6), (" G", 1e9)):
        if number < 999.5 * scale or unit == " G":
            return f"{number:.0f}" if not unit else f"{digits(number / scale)}{unit}"
    raise AssertionError("billions take any size")


def gain(layer: Layer) -> str:
    """What a layer would save as bits, behind the advice: " As bits: 35.7 kB and about 1.2 ms less."; "" if nothing."""
    saved = [size(layer.saves_bytes)] if layer.saves_bytes else []
    saved += [f"about {duration(layer.saves_ns)}"] if layer.saves_ns else []
    return f" As bits: {' and '.join(saved)} less." if saved else ""


def rate(macs: int, ns: float) -> str:
    """Multiply-accumulates a second: "5.34 GMAC/s"; a MAC a nanosecond is a GMAC/s."""
    return f"{count(1e9 * macs / ns)}MAC/s" if macs and ns else ""


def digits(number: float) -> str:
    """A number below 1000 with three significant digits, without an exponent."""
    return f"{number:.{2 if number < 9.995 else 1 if number < 99.95 else 0}f}"


def times(factor: float, places: int | None = None) -> str:
    """A factor: "1.24x", "2.9x", "31x"."""
    return f"{factor:.{_places(factor) if places is None else places}f}x"


def times_range(interval: Interval) -> tuple[str, str]:
    """A factor and its bounds: ("2.9x", "2.8–3.0"), with as many digits as it takes to tell the bounds apart."""
    places = _places(interval.estimate)
    if interval.low is None or interval.high is None:
        return times(interval.estimate), ""
    while places < 4 and f"{interval.low:.{places}f}" == f"{interval.high:.{places}f}":
        places += 1
    return times(interval.estimate, places), f"{interval.low:.{places}f}–{interval.high:.{places}f}"


def _places(factor: float) -> int:
    return 2 if factor < 1.995 else 1 if factor < 19.95 else 0


def speed(ratio: Interval, verdict: Verdict, baseline: str) -> str:
    """How a time compares, as a clause: "2.9x faster than float (2.8–3.0)".

    Args:
        ratio: time of the model / time of the baseline.
    """
    faster = ratio.estimate < 1 or verdict == "same"
    factor, bounds = times_range(ratio.inverse() if faster else ratio)
    bounds = f" ({bounds})" if bounds else ""
    word = "faster" if faster else "slower"
    if verdict == "same":
        return f"as fast as {baseline}{bounds}"
    if verdict == "unclear":
        return f"speed against {baseline} unclear, {factor} {word}{bounds}"
    slightly = "slightly " if verdict == "slight" else ""
    return f"{factor} {slightly}{word} than {baseline}{bounds}"


def smaller(model: Model, baseline: Model) -> str:
    """How a model's file compares: "6.4x smaller", "1.2x larger", "the same size"."""
    factor = baseline.bnn_bytes / model.bnn_bytes
    if 0.98 < factor < 1.02:
        return "the same size"
    return f"{times(factor)} smaller" if factor > 1 else f"{times(1 / factor)} larger"


def place(device: Device | str) -> str:
    """A device, or its name, as a sentence has it."""
    name = device if isinstance(device, str) else device.name
    return "this machine" if name == "local" else short(name)


def short(name: str, most: int = 60) -> str:
    """A name that may be of any length, its middle left out where it is longer than `most`.

    One with letters that run from right to left is isolated (UAX #9), or it would turn the numbers beside it around.
    """
    text = name if len(name) <= most else f"{name[: most - 16]}…{name[-15:]}"
    backwards = any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in text)
    return f"\u2068{text}\u2069" if backwards else text


def outputs(case: Case | None) -> str:
    """What the golden comparison said, in words."""
    if case is None or (case.agreement is None and case.problem is None):
        return "not run"
    if case.agreement is None:
        return "failed"
    if case.agreement.ok:
        return "correct"
    return f"WRONG: {case.agreement.wrong} of {case.agreement.elements} values differ"


def shape(sizes: tuple[int, ...]) -> str:
    """A shape without its batch of one: "32×32×64"."""
    inner = sizes[1:] if len(sizes) > 1 and sizes[0] == 1 else sizes
    return "×".join(str(length) for length in inner)


def kind(layer: Layer) -> str:
    """What a layer runs as: "binary ±1", "2-bit", "int8"."""
    if layer.kind == "kbit":
        return f"{layer.bits}-bit" if layer.bits > 1 else "k-bit weights"
    return KINDS.get(layer.kind, layer.kind)


def role(op: str) -> str:
    """What a node without weights is, a key of ROLES."""
    return "convert" if op in ("quantize", "dequantize") else "rest"


def binary_share(model: Model) -> str:
    """How many layers run on the bit kernels: "2 of 4"."""
    return f"{len(model.binary)} of {len(model.layers)}"


def binary_claim(model: Model) -> str:
    """The same in words, which call binary what takes one bit: "2 of 4 layers binary", "2 of 4 layers on bits"."""
    one = all(layer.kind in ("binary", "binary01") for layer in model.binary)
    return f"{binary_share(model)} layers {'binary' if one else 'on bits'}"


def title(run: Run) -> str:
    return " · ".join(short(model.name, 30) for model in run.models) or run.id


def facts(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The facts of a board as a person writes them: (name, text); what is empty is left out."""
    for name, value in found.items():
        if isinstance(value, Mapping):
            yield from ((f"{name} {inner}", text) for inner, text in facts(value))
        elif text := _fact(name, value):
            yield name.removesuffix("_bytes").replace("_", " "), text


def _fact(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith("_bytes"):
        return size(value)
    if isinstance(value, list | tuple):
        return ", ".join(f"{part} ×{many}" if many > 1 else str(part) for part, many in Counter(value).items())
    return str(value)
