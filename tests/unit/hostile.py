# SPDX-License-Identifier: Apache-2.0
"""Damaged files, and what an importer may do with them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from harness.errors import ModelError
from harness.model import importers

PATIENCE = 2  # seconds


def refusals(path: Path, contents: Iterable[bytes]) -> int:
    """How many are refused in one line; others are read. Any other error and any long wait fail the test."""
    refused = 0
    for content in contents:
        path.write_bytes(content)
        begin = time.monotonic()
        try:
            importers.load(path)
        except ModelError as error:
            refused += "\n" not in str(error)
        assert time.monotonic() - begin < PATIENCE
    return refused
