# SPDX-License-Identifier: Apache-2.0
"""What to do about operators that bitrig does not run."""

from __future__ import annotations

from collections.abc import Iterable

from harness.errors import LEAVE_OUT

_FIXED_SCALES = "Quantise with fixed scales, as quantize_static of onnxruntime does."
_NO_FEEDBACK = "Replace what is recurrent by convolutions over time, or keep it in the application."
_NO_BRANCHES = "Export the model by tracing, so that what it decides is fixed."
_SCORES = "End the exported model with its scores, and choose among them in the application."
_FLOAT32 = "Export the model in float32."

_REMEDIES = {
    **dict.fromkeys(("DynamicQuantizeLinear", "ConvInteger", "MatMulInteger"), _FIXED_SCALES),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), _NO_FEEDBACK),
    **dict.fromkeys(("If", "Loop", "Scan"), _NO_BRANCHES),
    **dict.fromkeys(("TopK", "NonMaxSuppression", "NonZero", "Multinomial"), _SCORES),
    "Cast": _FLOAT32,
    "MatMul": "Products of two computed values, as attention has them, have no kernel: keep them out of the model.",
    "Resize": "Enlarge by a whole factor, with align_corners=False, to the nearest pixel or linearly.",
}


def of(kinds: Iterable[str]) -> str:
    """What helps against all of these operators."""
    found = dict.fromkeys(_REMEDIES.get(kind, LEAVE_OUT) for kind in sorted(kinds))
    return " ".join(found)
