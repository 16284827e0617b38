# SPDX-License-Identifier: Apache-2.0
"""The tables of the C headers, and that nothing which must exist for a row is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import abi
from harness.model import format_page, reasons, reference, shapes, transfer
from harness.model.reasons import REASONS

KERNELS = Path(abi.HEADERS).parent.parent


@pytest.mark.parametrize("op", abi.ops())
def test_an_op_is_whole(op: str) -> None:
    assert abi.fields(f"{op}_params") is not None
    assert (KERNELS / "ops" / f"{op}.c").is_file()
    assert op in reference.FUNCTIONS
    assert op in shapes._RULES
    assert op in transfer.RULES


def test_no_op_without_a_row() -> None:
    rows = set(abi.ops())
    assert set(reference.FUNCTIONS) == set(shapes._RULES) == set(transfer.RULES) == rows


def test_codes_are_unique() -> None:
    codes = [op.code for op in abi.ops().values()]
    assert len(set(codes)) == len(codes)


def test_statuses_are_read_with_their_sentences() -> None:
    assert abi.statuses()[0] == "ok"
    assert all(sentence and '"' not in sentence for sentence in abi.statuses().values())


def test_constants_come_from_defines_and_from_enums() -> None:
    assert abi.constant("BNN_NONE") == 0xFFFFFFFF
    assert abi.constant("BNN_BITS") == 4
    with pytest.raises(KeyError):
        abi.constant("BNN_NO_SUCH_THING")


def test_every_reason_fills_in() -> None:
    words = dict.fromkeys(
        ("activation", "source", "weight", "between", "quantiser", "planes", "channels", "why", "worth", "device"), "x"
    )
    for code, reason in REASONS.items():
        assert reason.code == code
        assert "{" not in reason.sentence.format(**words)
        assert "{" not in reason.remedy.format(**words)


@pytest.mark.parametrize(("name", "text"), [("model-format", format_page.render()), ("reasons", reasons.page())])
def test_a_page_made_from_a_table_is_fresh(name: str, text: str) -> None:
    page = (KERNELS.parent / "docs" / f"{name}.md").read_text("utf-8")
    assert page == text, "make it anew: ./inv docs"
