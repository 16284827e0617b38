# SPDX-License-Identifier: Apache-2.0
"""docs/model-format.md, from the headers that are the format."""

from __future__ import annotations

import re

from harness import abi

_SIZES = ("header", "tensor", "node", "window")


def _bytes(struct: str) -> int:
    return int(abi.ffi().sizeof(f"struct bnn_{struct}"))


def render() -> str:
    """The page, as Markdown."""
    header = (abi.HEADERS / "format.h").read_text("utf-8")
    opening = re.search(r"\n/\* (.*?)\*/\n#ifndef", header, re.DOTALL)
    body = re.search(r"#include <stdint.h>\n(.*?)\n#endif", header, re.DOTALL)
    assert opening is not None
    assert body is not None
    about = re.sub(r"^ \* ?", "", opening[1], flags=re.MULTILINE).strip()
    rows = [
        f"| {op.code} | `{op.name}` | {op.min_inputs} to {op.max_inputs} | {_bytes(f'{op.name}_params')} |"
        for op in abi.ops().values()
    ]
    sizes = ", ".join(f"`{name}` {_bytes(name)}" for name in _SIZES)
    statuses = [f"| {value} | {sentence} |" for value, sentence in abi.statuses().items()]
    return "\n".join(
        [
            "# The .bnn file",
            "",
            "Made by `./inv docs` from `kernels/include/bnn`; a test fails when it is stale.",
            "",
            "```text",
            about,
            "```",
            "",
            f"Sizes of the structs in bytes: {sizes}.",
            "",
            "`./inv convert --model FILE --output NAME.bnn` writes it, after every pass was proved, and beside it",
            "`NAME.bnn.json`: the document of `explain --json --prove` (layers with kind, [reason](reasons.md), remedy",
            "and what a change would save; totals; notes; the proof) with the size and SHA-256 of the `.bnn` file",
            "that it belongs to. No reader of the `.bnn` needs it.",
            "",
            "## Operations",
            "",
            "| code | name | inputs | bytes of parameters |",
            "|---|---|---|---|",
            *rows,
            "",
            "## What a reader answers",
            "",
            "`bnn info --model FILE` gives the model, or one of these. Any bytes give one or the other.",
            "",
            "| status | meaning |",
            "|---|---|",
            *statuses,
            "",
            "## Structs",
            "",
            "```c",
            body[1].strip(),
            "```",
            "",
        ]
    )
