# SPDX-License-Identifier: Apache-2.0
"""Spiking neurons."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness import abi
from harness.model.graph import Builder, Dtype
from tests.kernels.cases.parts import CASES, Case


def lif(emit: str, reset: str, *shape: int, constants: str = "tdgori", bits: bool = False, **params: int) -> Case:
    """Neurons with these constants (threshold, decay, gain, offset, reset, initial): single, by channel, by neuron."""

    def build(b: Builder, rng: np.random.Generator) -> None:
        sizes = [(1,), shape[-1:], shape[1:]]
        operands: list[str | None] = [b.input("x", shape)]
        for at, letter in enumerate("tdgori"):
            data = rng.uniform(0.2, 1.0, sizes[at % 3])
            operands.append(b.constant(letter, data) if letter in constants else None)
        switches: dict[str, Any] = {
            "emit": abi.constant(f"BNN_EMIT_{emit}"),
            "reset": abi.constant(f"BNN_RESET_{reset}"),
        }
        dtype: Dtype = "bits" if bits else "f32"
        b.output(b.node("lif", "lif", tuple(operands), dtype=dtype, **{"strict": 0, "spike": 0} | switches | params))

    return build


CASES["lif, subtract"] = lif("SPIKE", "SUBTRACT", 1, 3, 4, 21)
CASES["lif, subtract later"] = lif("SPIKE", "SUBTRACT_LATER", 1, 3, 4, 21, strict=1)
CASES["lif, to a value, a batch"] = lif("SPIKE", "VALUE", 2, 3, 4, 40)
CASES["lif of few constants"] = lif("SPIKE", "SUBTRACT", 1, 100, constants="t")
CASES["lif that counts"] = lif("COUNT", "SUBTRACT", 1, 3, 33, constants="tdr")
CASES["lif that counts, later"] = lif("COUNT", "SUBTRACT_LATER", 1, 3, 33)
CASES["li"] = lif("MEMBRANE", "SUBTRACT", 1, 3, 33, constants="dgoi")
CASES["lif to bits"] = lif("SPIKE", "VALUE", 1, 3, 4, 70, bits=True, strict=1)
CASES["lif to bits, inverted"] = lif("SPIKE", "SUBTRACT_LATER", 2, 3, 32, bits=True, spike=1)
CASES["lif to many bits"] = lif("SPIKE", "VALUE", 1, 3, 595, bits=True)
CASES["lif to few bits"] = lif("SPIKE", "SUBTRACT", 1, 5, bits=True, spike=1)
