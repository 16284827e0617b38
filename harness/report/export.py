# SPDX-License-Identifier: Apache-2.0
"""A run in other shapes: for a spreadsheet, a review, a CI page, a trace viewer. Each is a function in FORMATS."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from xml.etree import ElementTree

from harness.bench.compare import Result, results, sizes
from harness.bench.record import Run
from harness.report import verdicts, words
from harness.report.layers import changes


def as_json(run: Run) -> str:
    """The record itself."""
    return run.model_dump_json(by_alias=True, indent=1) + "\n"


def as_markdown(run: Run) -> str:
    """The verdicts, the table, and what to change, for a review or an issue."""
    lines = [f"- {sentence.icon} {_escaped(str(sentence))}" for sentence in verdicts.sentences(run)]
    lines += ["", "| model | device | outputs | binary layers | file | weights | time | speed |"]
    lines += ["|---|---|---|---|--:|--:|--:|--:|"]
    for result in results(run):
        time, speed = "–", "–"
        if result.time:
            bounds = words.duration_range(result.time.low, result.time.high)
            time = words.duration(result.time.estimate) + (f" ({bounds})" if bounds else "")
        if result.ratio:
            factor, bounds = words.times_range(result.ratio.inverse())
            speed = factor + (f" ({bounds})" if bounds else "")
        cells = (
            words.short(result.model.name),
            words.short(result.device.name) + (" (emulated)" if result.device.emulated else ""),
            words.outputs(result.case),
            words.binary_share(result.model),
            words.size(result.model.bnn_bytes),
            words.size(result.model.weight_bytes),
            time,
            speed,
        )
        lines.append(f"| {' | '.join(map(_escaped, cells))} |")
    lines += [""] + [f"- {_escaped(f'{c.subject}: {c.evidence} {c.advice}')}" for c in run.caveats]
    lines += ["", *_to_change(run)]
    return "\n".join(lines).rstrip() + "\n"


def _to_change(run: Run) -> Iterator[str]:
    """The layers that do not run on bits, as a table."""
    found = changes(run)
    if found is None or not found.changes:
        return
    times = [f"time on {words.place(device)}" for device in found.devices]
    yield f"| {' | '.join(map(_escaped, ('not binary', 'why', 'what to change', 'would save', *times)))} |"
    yield f"|---|---|---|--:|{'--:|' * len(times)}"
    for change in found.changes:
        saved = [change.saves_ns.get(device.name) for device in found.devices]
        cells = (
            f"{words.short(change.layer.name)} ({', '.join(words.short(model.name, 30) for model in change.models)})",
            change.layer.reason_text,
            change.layer.remedy,
            words.size(change.saves_bytes) if change.saves_bytes else "–",
            *(f"about {words.duration(ns)}" if ns else "–" for ns in saved),
        )
        yield f"| {' | '.join(map(_escaped, cells))} |"


# A column of the CSV file: its name, and its value in base units.
COLUMNS: dict[str, Callable[[Run, Result], object]] = {
    "run": lambda run, _: run.id,
    "created": lambda run, _: run.created,
    "revision": lambda run, _: run.revision,
    "device": lambda _, r: r.device.name,
    "target": lambda _, r: r.device.target,
    "emulated": lambda _, r: r.device.emulated,
    "model": lambda _, r: r.model.name,
    "baseline": lambda _, r: r.model.baseline,
    "correct": lambda _, r: r.case.agreement.ok if r.case and r.case.agreement else "",
    "binary_layers": lambda _, r: len(r.model.binary),
    "layers": lambda _, r: len(r.model.layers),
    "file_bytes": lambda _, r: r.model.bnn_bytes,
    "weight_bytes": lambda _, r: r.model.weight_bytes,
    "arena_bytes": lambda _, r: r.case.arena_bytes if r.case else "",
    "instructions": lambda _, r: r.case.counts.inference if r.case and r.case.counts else "",
    "processes": lambda _, r: len(r.case.processes) if r.case else 0,
    "discarded": lambda _, r: len(r.case.discarded) if r.case else 0,
    "median_ns": lambda _, r: r.time.estimate if r.time else "",
    "median_low_ns": lambda _, r: r.time.low if r.time else "",
    "median_high_ns": lambda _, r: r.time.high if r.time else "",
    "ratio": lambda _, r: r.ratio.estimate if r.ratio else "",
    "ratio_low": lambda _, r: r.ratio.low if r.ratio else "",
    "ratio_high": lambda _, r: r.ratio.high if r.ratio else "",
    "verdict": lambda _, r: r.verdict or "",
}


def as_csv(run: Run) -> str:
    """One line a model and device, every number in its base unit."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(COLUMNS)
    for result in results(run):
        table.writerow([_inert(value(run, result)) for value in COLUMNS.values()])
    return out.getvalue()


def as_junit(run: Run) -> str:
    """A test suite a device and a test case a model: what a CI server shows of itself."""
    root = ElementTree.Element("testsuites", name=f"bitrig {run.id}")
    grown = [change for change in sizes(run) if change.grown] if run.kind == "compare" else []
    for device in run.devices:
        own = [result for result in results(run) if result.device.name == device.name]
        suite = ElementTree.SubElement(root, "testsuite", name=device.name, tests=str(len(own)), timestamp=run.created)
        failures = errors = 0
        for result in own:
            case = ElementTree.SubElement(suite, "testcase", classname=device.name, name=result.model.name)
            if result.time and not device.emulated:
                case.set("time", f"{result.time.estimate / 1e9:.9f}")
            if result.wrong:
                failures += 1
                ElementTree.SubElement(case, "failure", type="wrong output", message=words.outputs(result.case))
            elif result.problem or result.case is None:
                errors += 1
                what = result.problem.what if result.problem else "it was not run"
                ElementTree.SubElement(case, "error", type="no result", message=what)
            else:
                said = [
                    str(verdicts.size(c))
                    for c in grown
                    if c.model == result.model.name and c.device in ("", device.name)
                ]
                if run.kind == "compare" and run.paired and result.verdict == "slower" and result.ratio:
                    said.insert(0, words.speed(result.ratio, result.verdict, result.model.baseline))
                failures += bool(said)
                if said:
                    ElementTree.SubElement(case, "failure", type="regression", message="; ".join(said))
        suite.set("failures", str(failures))
        suite.set("errors", str(errors))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def as_github(run: Run) -> str:
    """Workflow commands of GitHub Actions: what is wrong as errors, what is open or doubtful as warnings."""
    levels = {"bad": "error", "open": "warning", "plain": "notice", "good": "notice"}
    lines = [f"::{levels[said.tone]} title=bitrig::{_command(str(said))}" for said in verdicts.sentences(run)]
    lines += [f"::warning title=bitrig::{_command(f'{c.subject}: {c.evidence} {c.advice}')}" for c in run.caveats]
    return "\n".join(lines) + "\n"


def as_trace(run: Run) -> str:
    """The layers of the profiled pass on a time line, for chrome://tracing or Perfetto; a process a device."""
    events: list[dict[str, object]] = []
    for pid, device in enumerate(run.devices, 1):
        name = device.name + (" (emulated)" if device.emulated else "")
        events.append({"ph": "M", "name": "process_name", "pid": pid, "args": {"name": name}})
        for tid, case in enumerate((case for case in device.cases if case.profile), 1):
            events.append({"ph": "M", "name": "thread_name", "pid": pid, "tid": tid, "args": {"name": case.model}})
            start = 0.0
            for layer in case.profile.layers if case.profile else ():
                span = {"ph": "X", "name": layer.name, "cat": layer.op, "pid": pid, "tid": tid}
                events.append(span | {"ts": start / 1e3, "dur": layer.ns / 1e3, "args": {"kernel": layer.kernel}})
                start += layer.ns
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ns"}, indent=1, ensure_ascii=False) + "\n"


FORMATS: dict[str, Callable[[Run], str]] = {
    "json": as_json,
    "md": as_markdown,
    "csv": as_csv,
    "junit": as_junit,
    "github": as_github,
    "trace": as_trace,
}


def _escaped(text: str) -> str:
    """Text that Markdown shows as it stands, in a table too."""
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>|#" else sign for sign in text.replace("\n", " "))


def _command(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _inert(value: object) -> object:
    """A spreadsheet takes a text that begins like a formula for one."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t") else value
