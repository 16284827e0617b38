# SPDX-License-Identifier: Apache-2.0
"""What a run says: every model on every device, judged against its baseline.

An emulated board is never judged, a wrong output never timed: both rules live here, for page and terminal alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Literal

from harness.bench import stats
from harness.bench.record import Case, Device, Model, Problem, Run
from harness.bench.stats import Interval, Verdict
from harness.errors import WrongOutput
from harness.report import words

Tone = Literal["good", "plain", "open", "bad"]

TONES: dict[Verdict, Tone] = {"faster": "good", "same": "plain", "slight": "plain", "unclear": "open", "slower": "bad"}


@dataclass(frozen=True)
class Result:
    """One model on one device.

    Attributes:
        time: median time of an inference, ns; None where nothing was timed.
        ratio: its time / the baseline's, paired by round; None for the baseline and where it is not judged.
        problem: why a part is missing, of the case or of its device.
    """

    model: Model
    device: Device
    case: Case | None
    time: Interval | None
    ratio: Interval | None
    verdict: Verdict | None
    problem: Problem | None

    @property
    def outputs(self) -> str:
        return words.outputs(self.case)

    @property
    def wrong(self) -> bool:
        return self.case is not None and self.case.agreement is not None and not self.case.agreement.ok


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


def medians(case: Case | None) -> dict[int, float]:
    """The median time of an inference of each process, by round."""
    return {process.round: median(process.samples) for process in case.processes} if case else {}


def compare(case: Case | None, baseline: Case | None) -> Interval | None:
    """The ratio of two cases of one device over the rounds that they share; None where they share none."""
    return stats.paired_ratio(medians(case), medians(baseline))


def results(run: Run) -> tuple[Result, ...]:
    """All results, by device and within it by model."""
    return tuple(_result(run, device, model) for device in run.devices for model in run.models)


def _result(run: Run, device: Device, model: Model) -> Result:
    case, baseline = device.case(model.name), run.baseline(model)
    times = list(medians(case).values())
    ratio = compare(case, device.case(baseline.name)) if baseline and not device.emulated else None
    return Result(
        model=model,
        device=device,
        case=case,
        time=stats.median(times) if times else None,
        ratio=ratio,
        verdict=stats.verdict(ratio, run.settings.delta) if ratio else None,
        problem=(case.problem if case else None) or device.problem,
    )


def sentences(run: Run) -> tuple[Sentence, ...]:
    """The verdicts of the run, as many as there are things to say; what is wrong comes last and is never left out."""
    said: list[Sentence] = []
    for device in run.devices:
        own = [result for result in results(run) if result.device is device]
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
    order: dict[Tone, int] = {"good": 0, "plain": 1, "open": 2, "bad": 3}
    return tuple(sorted(said, key=lambda sentence: order[sentence.tone]))


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
    size = words.smaller(result.model, baseline) if baseline else ""
    if result.wrong:
        return Sentence(
            "bad", "✕", subject, "wrong output", f"{result.outputs.removeprefix('WRONG: ')}, so it was not timed"
        )
    if result.case is None or not result.case.correct:
        return Sentence("bad", "✕", subject, "no result", result.problem.what if result.problem else "it was not run")
    if result.ratio is None or result.verdict is None or baseline is None:
        time = words.duration(result.time.estimate) if result.time else "not timed"
        lost = result.problem.what if result.problem else ""
        return Sentence(
            "bad" if lost else "plain", "✓", subject, time, ", ".join(filter(None, ["outputs correct", size, lost]))
        )
    claim = words.speed(result.ratio, result.verdict, words.short(baseline.name))
    rest = ", ".join(filter(None, ["outputs correct", size]))
    return Sentence(TONES[result.verdict], words.ICONS[result.verdict], subject, claim, rest)


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


def exit_code(run: Run) -> int:
    """What a command that made this run ends with: a wrong output before a device without a result."""
    found = results(run)
    if any(result.wrong for result in found):
        return WrongOutput.exit_code
    return max((result.problem.exit_code for result in found if result.problem), default=0)
