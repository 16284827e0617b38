# SPDX-License-Identifier: Apache-2.0
"""Why a layer runs as it does, and what its author can change: the one table behind terminal, report and docs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reason:
    """One row.

    Attributes:
        code: stable, for scripts.
        sentence: why. What stands in braces is filled in: the values that arrive (activation) and the node that they
            come from (source), how the weights are spread (weight), the node that stands in the way (between), ..
        remedy: what to do; empty where there is nothing to do.
    """

    code: str
    sentence: str
    remedy: str = ""


_TABLE = (
    Reason("binary", "its input is {activation} (from {source}) and its weights are {weight}: one XNOR and popcount"),
    Reason(
        "binary01",
        "its input is {activation} (from {source}) and its weights are {weight}: the XNOR kernel runs it, and what the "
        "shift from ±1 costs is folded into multiplier and bias",
    ),
    Reason(
        "kbit",
        "its input is {activation} (from {source}) and its weights are {weight}: evenly spaced on both sides, so the "
        "bit kernel runs once for each of {planes} pairs of bit planes",
    ),
    Reason(
        "ternary",
        "its input is {activation} (from {source}) and its weights are {weight}: three values are the mean of two "
        "signs, so the bit kernel runs once for each of {planes} pairs of bit planes",
    ),
    Reason(
        "ternary-sign",
        "its input is {activation}, for {quantiser} meets 0 more than by chance and makes 0 of it, and its weights are "
        "{weight}: the bit kernel runs once for each of {planes} pairs of bit planes",
        "Put a sign without a 0, as where(x >= 0, 1, -1), in the place of {quantiser}: two values take half the work.",
    ),
    Reason("int8", "its weights and its input are int8 in the file: integer kernels run it as it is"),
    Reason("packed", "the file already holds it in bits"),
    Reason("twin", "it belongs to the float twin, which runs every layer in float on purpose"),
    Reason(
        "float-layer",
        "neither its input ({activation}) nor its weights ({weight}) keep to a few values",
        "Quantise both, if accuracy allows: in Larq with QuantConv2D or QuantDense.",
    ),
    Reason(
        "first-layer",
        "it reads the model's input, which is {activation}; its weights are {weight}",
        "First layers usually stay float, since quantising the picture costs accuracy.",
    ),
    Reason(
        "activation-real",
        "its weights are {weight}, but its input is {activation} (from {source}): nothing quantises it to few values",
        "Quantise its input to two: ste_sign or DoReFa(k_bit=1) in Larq, where(x >= 0, 1, -1) in PyTorch.",
    ),
    Reason(
        "op-between",
        "its weights are {weight} and {quantiser} makes two values, but {between} stands between and makes them "
        "{activation}",
        "Move {between} before the quantiser, or quantise again after it.",
    ),
    Reason(
        "activation-levels",
        "its weights are {weight}, but its input takes the values {activation} (from {source}): too many, or not "
        "evenly spaced",
        "Use a quantiser with two values, or with 2^k even levels up to k = 4: ste_sign or DoReFa in Larq.",
    ),
    Reason(
        "activation-constant",
        "its input is always {activation} (from {source}): the quantiser before it never changes its mind",
        "Check the quantiser: it carries no information. Some exporters write one that the trained model did not have.",
    ),
    Reason(
        "weight-real",
        "its input is {activation} (from {source}), but its weights ({weight}) do not keep to a few values",
        'Quantise them to two and train again: kernel_quantizer="ste_sign" in Larq, sign(w) * mean(|w|) in PyTorch.',
    ),
    Reason(
        "weight-computed",
        "its weights are computed while the model runs",
        "Export the model with constant weights.",
    ),
    Reason(
        "padding",
        "its input is {activation} and its weights are {weight}, but the padding adds a value that is neither",
        "Pad with one of the two values, or use padding='valid'.",
    ),
    Reason(
        "groups",
        "its input is {activation} and its weights are {weight}, but each filter reads only {channels} channel(s), too "
        "few to fill a word of bits",
        "A dense convolution, or wider groups with an even number of channels, would run on the bit kernels.",
    ),
    Reason(
        "transposed",
        "its input is {activation} and its weights are {weight}, but the transposed convolution does not split "
        "into plain ones",
        "Use a kernel that is a multiple of the stride and no dilation, or upsample first and convolve then.",
    ),
    Reason(
        "too-small",
        "{why}; as bits it would save less than {worth} of the model's time on {device}, by what was measured there",
    ),
)

REASONS = {reason.code: reason for reason in _TABLE}


def page() -> str:
    """docs/reasons.md"""
    rows = [f"| `{each.code}` | {each.sentence} | {each.remedy or '–'} |" for each in _TABLE]
    return "\n".join(
        [
            "# Reasons",
            "",
            "Why a layer runs as it does, and what to change: the table behind `explain`, the report and the JSON",
            "beside a `.bnn` file, where `reason` is the code. What stands in braces is filled in. With each comes",
            "what the change would save: bytes and, where a device is named (`explain --device`) or was measured,",
            "time. Made from `harness/model/reasons.py` by `./inv docs`.",
            "",
            "| code | why | what to change |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )
