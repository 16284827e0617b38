# SPDX-License-Identifier: Apache-2.0
"""Who takes part in a run: models side by side, two variants of each, or each against itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.bench.record import Run, Variant
from harness.errors import UsageError

AS_USUAL = Variant()


@dataclass(frozen=True)
class Entrant:
    """A model that takes part; see record.Model for the fields."""

    name: str
    path: Path
    baseline: str = ""
    variant: Variant = AS_USUAL


@dataclass(frozen=True)
class Asked:
    """One side of a comparison: a variant; and a model or device of its own where the sides have different ones."""

    variant: Variant
    model: Path | None
    label: str
    device: str = ""


# What "--baseline KEY=VALUE" can ask for: the field of Variant, and how its value is read. Keys that repeat add up.
_KEYS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "rev": ("revision", str),
    "threads": ("threads", int),
    "isa-mask": ("isa_mask", str),
    "kernel": ("kernels", lambda text: (text,)),
    "handicap": ("handicap", float),
}


def names(paths: Sequence[Path]) -> list[str]:
    """Names for models: their files' stems, with the suffix where two would be the same, numbered where that is too."""
    stems = Counter(path.stem for path in paths)
    drafts = [path.stem if stems[path.stem] == 1 else path.name for path in paths]
    seen: Counter[str] = Counter()
    result = []
    for draft in drafts:
        seen[draft] += 1
        result.append(draft if seen[draft] == 1 else f"{draft} ({seen[draft]})")
    return result


def side_by_side(paths: Sequence[Path], variant: Variant, twin: bool = False) -> tuple[Entrant, ...]:
    """Models side by side: the first is the baseline of all others; or, with twins, each model's own float version."""
    called = names(paths)
    if twin:
        floats = variant.model_copy(update={"twin": True})
        pairs = ((f"{name} (float twin)", name, path) for name, path in zip(called, paths, strict=True))
        return tuple(
            entrant
            for old, new, path in pairs
            for entrant in (Entrant(old, path, "", floats), Entrant(new, path, old, variant))
        )
    return tuple(
        Entrant(n, p, "" if n == called[0] else called[0], variant) for n, p in zip(called, paths, strict=True)
    )


def sweep(paths: Sequence[Path], variant: Variant, threads: Sequence[int]) -> tuple[Entrant, ...]:
    """Each model on several numbers of threads, the first of which is the baseline of the others."""
    found = []
    for name, path in zip(names(paths), paths, strict=True):
        called = [f"{name} [threads={count}]" for count in threads]
        for own, count in zip(called, threads, strict=True):
            on = variant.model_copy(update={"threads": count})
            found.append(Entrant(own, path, "" if own == called[0] else called[0], on))
    return tuple(found)


def twins(paths: Sequence[Path]) -> tuple[Entrant, ...]:
    """Each model against itself."""
    return tuple(
        entrant
        for name, path in zip(names(paths), paths, strict=True)
        for entrant in (Entrant(f"{name} A", path), Entrant(f"{name} B", path, f"{name} A"))
    )


def pairs(paths: Sequence[Path], baseline: Asked, candidate: Asked) -> tuple[Entrant, ...]:
    """Two variants of each model.

    Raises:
        UsageError: the two are the same.
    """
    if (baseline.variant, baseline.model) == (candidate.variant, candidate.model):
        raise UsageError("Baseline and candidate are the same.", "", "To measure the noise of a board: ./inv bench.aa")
    found = []
    olds, news = ([side.model] if side.model else list(paths) for side in (baseline, candidate))
    for old, new in zip(olds, news, strict=len(olds) == len(news)):
        before, after = f"{old.stem} [{baseline.label}]", f"{new.stem} [{candidate.label}]"
        found += [Entrant(before, old, "", baseline.variant), Entrant(after, new, before, candidate.variant)]
    return tuple(found)


def boards(baseline: Asked, candidate: Asked) -> tuple[str, str]:
    """The names of two boards that are compared with each other.

    Raises:
        UsageError: it is not two boards alone that are asked for: then nobody could tell what made the difference.
    """
    plain = all(side.variant == AS_USUAL and side.model is None for side in (baseline, candidate))
    if not (plain and baseline.device and candidate.device and baseline.device != candidate.device):
        raise UsageError(
            "Boards are compared with each other, and with nothing else changed.",
            "Both sides need a device, and no other key.",
            "For example: ./inv compare --baseline device=pi4 --candidate device=pi5 --model net.h5",
        )
    return baseline.device, candidate.device


def asked(words: Sequence[str], option: str) -> Asked:
    """What the words of --baseline or --candidate ask for: key=value pairs, or a git revision; nothing is the tree.

    Raises:
        UsageError: an unknown key, or a value that cannot be.
    """
    fields: dict[str, Any] = {}
    model, device = None, ""
    for word in words:
        key, mark, value = word.partition("=")
        if not mark:
            key, value = "rev", word
        if key == "model":
            model = Path(value)
            continue
        if key == "device":
            device = value
            continue
        if key not in _KEYS:
            known = ", ".join([*_KEYS, "model", "device"])
            raise UsageError(
                f"{option} does not know {key!r}.", "", f"It takes a run, a revision, or: {known}, as key=value"
            )
        field, read = _KEYS[key]
        try:
            fields[field] = fields[field] + read(value) if field == "kernels" and field in fields else read(value)
        except ValueError:
            raise UsageError(f"{option}: {key} takes a number, not {value!r}.") from None
    label = ", ".join(word.removeprefix("rev=") for word in words if not word.startswith("model=")) or "working tree"
    return Asked(Variant(**fields), model, label, device)


def again(run: Run) -> tuple[Entrant, ...]:
    """Those who took part in a run, to go on with it."""
    return tuple(Entrant(model.name, Path(model.source), model.baseline, model.variant) for model in run.models)
