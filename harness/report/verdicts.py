# SPDX-License-Identifier: Apache-2.0
"""What a run says: every model on every device, judged against its baseline.

An emulated board is never judged, a wrong output never timed: both rules live here, for page and terminal alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.bench import layer_changes, merge
from harness.bench.compare import Result, SizeChange, pairs_needed, results, sizes
from harness.bench.layer_changes import LayerChange
from harness.bench.record import Device, Run
from harness.bench.stats import Verdict
from harness.errors import Inconclusive, RegressionProven, WrongOutput
from harness.report import words

Tone = Literal["good", "plain", "open", "bad"]

LAYERS_SAID = 4

TONES: dict[Verdict, Tone] = {"faster": "good", "same": "plain", "slight": "plain", "unclear": "open", "slower": "bad"}


@dataclass(frozen=True)
class Sentence:
    """A verdict in words: `subject`: `claim`, `rest`. The claim is what the eye should catch."""

    tone: Tone
    icon: str
    subject: str
    claim: str
    rest: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.claim}{', ' + self.rest if self.rest else ''}"


def sentences(run: Run) -> tuple[Sentence, ...]:
    """The verdicts of the run, as many as there are things to say; what is wrong is never left out.

    A comparison begins with what fails it; a bench with what it found, and ends with what went wrong.
    """
    said: list[Sentence] = []
    found = results(run)
    for device in run.devices:
        own = [result for result in found if result.device is device]
        if device.problem and not any(result.case for result in own):
            said.append(Sentence("bad", "✕", words.place(device), "no result", device.problem.what))
            continue
        if device.emulated:
            said += _emulated(device, own)
        for result in own:
            failed = result.wrong or result.problem is not None
            judged = not device.emulated and (result.model.baseline or len(run.models) == 1)
            if failed or judged:
                said.append(_sentence(run, result))
    if run.kind == "compare":
        said += [size(change) for change in sizes(run)]
        said += _layers(layer_changes.find(run))
    order: tuple[Tone, ...] = (
        ("bad", "open", "good", "plain") if run.kind == "compare" else ("good", "plain", "open", "bad")
    )
    return tuple(sorted(said, key=lambda sentence: order.index(sentence.tone)))


def _emulated(device: Device, own: list[Result]) -> list[Sentence]:
    """One sentence for all that went well on an emulated board: there is no more to say about it."""
    correct = [words.short(result.model.name) for result in own if result.case is not None and result.case.correct]
    if not correct:
        return []
    subject = f"{', '.join(correct) if len(correct) < 4 else f'{len(correct)} models'} on {words.place(device)}"
    return [Sentence("plain", "○", subject, "outputs correct", "emulated: its times prove nothing")]


def _sentence(run: Run, result: Result) -> Sentence:
    baseline = run.baseline(result.model)
    subject = f"{words.short(result.model.name)} on {words.place(result.device)}"
    smaller = words.smaller(result.model, baseline) if baseline else ""
    if result.wrong:
        differ = words.outputs(result.case).removeprefix("WRONG: ")
        return Sentence("bad", "✕", subject, "wrong output", f"{differ}, so it was not timed")
    if result.case is None or not result.case.correct:
        return Sentence("bad", "✕", subject, "no result", result.problem.what if result.problem else "it was not run")
    if result.ratio is None or result.verdict is None or baseline is None:
        time = words.duration(result.time.estimate) if result.time else "not timed"
        lost = result.problem.what if result.problem else ""
        binary = "" if baseline else words.binary_claim(result.model)
        rest = _listed("outputs correct", smaller, binary, lost)
        return Sentence("bad" if lost else "plain", "✓", subject, time, rest)
    claim = words.speed(
        result.ratio, result.verdict, "before" if merge.earlier(baseline) else words.short(baseline.name)
    )
    if run.kind == "compare":
        claim = f"{words.CHANGES[result.verdict]}, {claim}"
    needed = pairs_needed(result)
    more = f"about {needed} pairs would decide" if needed and run.paired else ""
    loose = "" if run.paired else "unpaired"
    rest = _listed("outputs correct", "" if run.kind == "compare" else smaller, more, loose)
    return Sentence(TONES[result.verdict], words.ICONS[result.verdict], subject, claim, rest)


def size(change: SizeChange) -> Sentence:
    """A size that changed, in words."""
    what = {"file": "model file", "memory": "working memory"}.get(change.what, change.what)
    subject = f"{what} of {words.short(change.model)}" + (f" on {change.device}" if change.device else "")
    if change.what == "instructions":
        larger, smaller = "more", "fewer"
        most = f"most in {words.short(change.most)}" if change.most else ""
        rest = _listed(f"{change.before:,} before", f"{change.after:,} now", most)
    else:
        larger, smaller = "larger", "smaller"
        rest = f"{words.size(change.before)} before, {words.size(change.after)} now"
    if change.grown:
        return Sentence("bad", "▼", subject, f"regression, {larger}", rest)
    return Sentence("plain", "=", subject, smaller if change.after < change.before else f"hardly {larger}", rest)


def _layers(changes: Sequence[LayerChange]) -> Iterator[Sentence]:
    """The layers that changed most, one sentence for a model on a device."""
    for model, device in dict.fromkeys((change.model, change.device) for change in changes):
        own = [change for change in changes if (change.model, change.device) == (model, device)]
        own.sort(key=lambda change: -abs(math.log(change.ratio.estimate)))
        said = [f"{words.short(c.layer)} {_times(c.ratio.estimate)}" for c in own[:LAYERS_SAID]]
        more = f"and {len(own) - LAYERS_SAID} more" if len(own) > LAYERS_SAID else ""
        subject = f"layers of {words.short(model)} on {device}"
        yield Sentence("plain", "=", subject, f"{len(own)} changed", _listed(*said, more))


def _times(ratio: float) -> str:
    return f"{words.times(ratio)} slower" if ratio > 1 else f"{words.times(1 / ratio)} faster"


def _listed(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def tally(run: Run) -> str:
    """How the cases ended, in one line: "6 cases: 4 correct, 1 wrong, 1 without result; 1 inconclusive"."""
    found = results(run)
    correct = sum(result.case is not None and result.case.correct for result in found)
    wrong = sum(result.wrong for result in found)
    parts = [f"{correct} correct"]
    if wrong:
        parts.append(f"{wrong} wrong")
    if missing := len(found) - correct - wrong:
        parts.append(f"{missing} without a result")
    unclear = sum(result.verdict == "unclear" for result in found)
    cases = f"{len(found)} case{'s' if len(found) != 1 else ''}"
    return f"{cases}: {', '.join(parts)}" + (f"; {unclear} inconclusive" if unclear else "")


def exit_code(run: Run, strict: bool = False) -> int:
    """What the command that made this run ends with: a wrong output comes before a regression, that before a device
    without a result, that before an inconclusive comparison, which counts under `strict`.

    Only a comparison is a gate, and only of what was measured side by side.
    """
    found = results(run)
    if any(result.wrong for result in found):
        return WrongOutput.exit_code
    gate = run.kind == "compare"
    slower = run.paired and any(result.verdict == "slower" for result in found)
    if gate and (slower or any(change.grown for change in sizes(run))):
        return RegressionProven.exit_code
    if lost := max((result.problem.exit_code for result in found if result.problem), default=0):
        return lost
    undecided = not run.paired or any(result.verdict == "unclear" for result in found)
    return Inconclusive.exit_code if gate and strict and undecided else 0
