# SPDX-License-Identifier: Apache-2.0
"""What is told of a model: by `explain`, and in the JSON that lies beside a `.bnn` file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.bench import roofs, store, subject
from harness.bench.record import Model, Peak
from harness.errors import UsageError
from harness.model.pipeline import Prepared


@dataclass(frozen=True)
class Explanation:
    """A model for a reader, and the same as a JSON document."""

    model: Model
    document: dict[str, Any]


def explain(
    prepared: Prepared, name: str, device: str = "", peaks: Sequence[Peak] = (), prove: bool = False
) -> Explanation:
    """
    Args:
        device: whose time is at stake; "" for no particular one.
        peaks: what it can do at most; none where nobody measured it.
        prove: run the reference before and after every pass, too.

    Raises:
        WrongOutput: a pass changed the result.
    """
    model, notes = subject.model(prepared, name), []
    document = prepared.explain()
    limit = roofs.roof(peaks)
    if device and limit.known:
        model = roofs.judged(model, device, limit)
    elif device:
        notes.append(
            f"What {device} can do at most is not known, so that no time is estimated. "
            f"A bench on the board itself measures it: ./inv bench --device {device}"
        )
    if device:
        document["device"] = {"name": device, "peaks": [peak.model_dump() for peak in peaks]}
    if prove:
        found = prepared.prove()
        document["proof"] = asdict(found)
        notes.append(f"Every pass was proved: {found.sentence or 'no sign lies within rounding of its threshold.'}")
    model = model.model_copy(update={"notes": (*model.notes, *notes)})
    document["layers"] = [layer.model_dump(mode="json") for layer in model.layers]
    document["notes"] = [*document["notes"], *notes]
    return Explanation(model, document)


def write(prepared: Prepared, output: Path) -> tuple[Path, Path]:
    """Writes the `.bnn` file of a model, proved, and beside it `<name>.bnn.json`: what was decided, and why.

    Raises:
        UsageError: the name is of another kind of file, or the folder is not there.
        WrongOutput: a pass changed the result; then nothing is written.
    """
    if output.suffix != ".bnn":
        raise UsageError(f"{output.name!r} is no name of a .bnn file.", "", "For example: --output mynet.bnn")
    if not output.parent.is_dir():
        raise UsageError(f"There is no folder {str(output.parent)!r}.")
    document = explain(prepared, prepared.name, prove=True).document
    document["bnn"] = {"bytes": len(prepared.bnn), "sha256": hashlib.sha256(prepared.bnn).hexdigest()}
    beside = output.with_name(f"{output.name}.json")
    output.write_bytes(prepared.bnn)
    store.write(beside, json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    return output, beside
