# SPDX-License-Identifier: Apache-2.0
"""TFLite's operators one by one, against what NumPy says they compute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import special

from harness.errors import ModelError
from harness.model import reference
from tests.unit.tflite_writer import Operator, Tensor, constant, load, write

X = np.random.default_rng(1).standard_normal((1, 4, 6, 8)).astype(np.float32)
ROWS = np.random.default_rng(2).standard_normal((3, 8)).astype(np.float32)
W = np.random.default_rng(3).standard_normal((5, 8)).astype(np.float32)

EDGES = ((0, 0), (1, 1), (0, 3), (0, 0))


@dataclass(frozen=True)
class Case:
    """One operator that reads `x` (and constants `c0`, `c1`...) and what it should give."""

    kind: str
    expected: Callable[[Any], Any]
    x: Any = field(default_factory=lambda: X)
    constants: tuple[Any, ...] = ()
    inputs: tuple[str, ...] = ()
    table: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    name: str = ""


def _softmax(x: Any) -> Any:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def _blocks(x: Any) -> Any:
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 2, 4, 5).reshape(n, h // 2, w // 2, 4 * c)


def _between(x: Any, rows: Any, columns: Any) -> Any:
    """Linear interpolation between the pixels of an image; beyond its edges lies what is at them."""
    for axis, places in ((1, rows), (2, columns)):
        lines = np.moveaxis(x, axis, 0)
        grid = np.arange(len(lines))
        flat = lines.reshape(len(lines), -1).T
        x = np.stack([np.interp(places, grid, line) for line in flat], axis=1).reshape(len(places), *lines.shape[1:])
        x = np.moveaxis(x, 0, axis)
    return x


CASES = [
    Case(
        "SUB",
        lambda x: np.clip(x - 0.5, 0, None),
        constants=(0.5,),
        table="SubOptions",
        options={"FusedActivationFunction": 1},
    ),
    Case("DIV", lambda x: x / 3, constants=(3.0,), table="DivOptions"),
    Case("MAXIMUM", lambda x: np.maximum(x, 0.25), constants=(0.25,)),
    Case("SQUARED_DIFFERENCE", lambda x: (x - 2) ** 2, constants=(2.0,)),
    Case("RELU6", lambda x: np.clip(x, 0, 6)),
    Case("RELU_0_TO_1", lambda x: np.clip(x, 0, 1)),
    Case("HARD_SWISH", lambda x: x * np.clip(x + 3, 0, 6) / 6),
    Case("LEAKY_RELU", lambda x: np.where(x < 0, 0.25 * x, x), table="LeakyReluOptions", options={"Alpha": 0.25}),
    Case("GELU", lambda x: x * (1 + special.erf(x / np.sqrt(2))) / 2, table="GeluOptions"),
    Case(
        "GELU",
        lambda x: x / (1 + np.exp(-2 * np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
        table="GeluOptions",
        options={"Approximate": True},
        name="approximate",
    ),
    Case(
        "RESIZE_NEAREST_NEIGHBOR",
        lambda x: x.repeat(2, axis=1).repeat(3, axis=2),
        constants=([8, 18],),
        table="ResizeNearestNeighborOptions",
        options={"HalfPixelCenters": True},
    ),
    Case("LOG_SOFTMAX", lambda x: np.log(_softmax(x)), x=ROWS),
    Case("SOFTMAX", lambda x: _softmax(2 * x), x=ROWS, table="SoftmaxOptions", options={"Beta": 2.0}),
    Case("ELU", lambda x: np.where(x < 0, np.expm1(x), x)),
    Case("RSQRT", lambda x: 1 / np.sqrt(x), x=np.abs(X) + 1),
    Case("FULLY_CONNECTED", lambda x: x @ W.T, x=ROWS, constants=(W,), table="FullyConnectedOptions"),
    Case(
        "FULLY_CONNECTED",
        lambda x: x @ W.T,
        constants=(W,),
        table="FullyConnectedOptions",
        options={"KeepNumDims": True},
        name="of_the_last_axis",
    ),
    Case(
        "FULLY_CONNECTED",
        lambda x: x.reshape(24, 8) @ W.T,
        constants=(W,),
        table="FullyConnectedOptions",
        name="flattens",
    ),
    Case("MEAN", lambda x: x.mean(axis=(1, 3)), constants=([1, -1],), table="ReducerOptions"),
    Case(
        "SUM",
        lambda x: x.sum(axis=2, keepdims=True),
        constants=([2],),
        table="ReducerOptions",
        options={"KeepDims": True},
    ),
    Case("REDUCE_MAX", lambda x: x.max(axis=(1, 2)), constants=([1, 2],), table="ReducerOptions"),
    Case(
        "REDUCE_MAX",
        lambda x: x.max(axis=(1, 3), keepdims=True),
        constants=([3, 1],),
        table="ReducerOptions",
        options={"KeepDims": True},
        name="of_axes_apart",
    ),
    Case("REDUCE_MIN", lambda x: x.min(axis=-1), constants=([-1],), table="ReducerOptions"),
    Case("L2_NORMALIZATION", lambda x: x / np.sqrt((x**2).sum(axis=-1, keepdims=True)), table="L2NormOptions"),
    Case("L2_NORMALIZATION", lambda x: x / 1e-6, x=X * 1e-9, table="L2NormOptions", name="of_next_to_nothing"),
    Case("POW", lambda x: x**3, constants=(3.0,)),
    Case("POW", lambda x: x**-1.5, x=np.abs(X) + 1, constants=(-1.5,), name="of_a_root"),
    Case(
        "GATHER",
        lambda x: x[..., [7, 1, 1, 2, 0]],
        constants=([7, 1, 1, 2, 0],),
        table="GatherOptions",
        options={"Axis": -1},
    ),
    Case("GATHER", lambda x: x[:, :, 5], constants=(5,), table="GatherOptions", options={"Axis": 2}, name="one"),
    Case(
        "GATHER",
        lambda x: x[:, [[0, 3], [3, 2]]],
        constants=([[0, 3], [3, 2]],),
        table="GatherOptions",
        options={"Axis": 1},
        name="a_table",
    ),
    Case(
        "GATHER",
        lambda x: x[:, np.arange(900)[::-1] // 5 % 4],
        constants=(np.arange(900)[::-1] // 5 % 4,),
        table="GatherOptions",
        options={"Axis": 1},
        name="more_than_a_concat_takes",
    ),
    Case("REVERSE_V2", lambda x: x[:, ::-1, :, ::-1], constants=([1, 3],)),
    Case("TILE", lambda x: np.tile(x, (1, 2, 1, 3)), constants=([1, 2, 1, 3],)),
    Case("BROADCAST_TO", lambda x: np.broadcast_to(x, (2, 3, 8)), x=ROWS, constants=([2, 3, 8],)),
    *(
        Case(
            "MIRROR_PAD",
            partial(np.pad, pad_width=((0, 0), (3, 1), (0, 2), (0, 0)), mode=mode),
            constants=([[0, 0], [3, 1], [0, 2], [0, 0]],),
            table="MirrorPadOptions",
            options={"Mode": at},
            name=mode,
        )
        for at, mode in enumerate(("reflect", "symmetric"))
    ),
    Case(
        "RESIZE_NEAREST_NEIGHBOR",
        lambda x: x[:, [0, 0, 1, 2, 3]][:, :, [0, 1, 3, 4]],
        constants=([5, 4],),
        table="ResizeNearestNeighborOptions",
        name="between_sizes",
    ),
    Case(
        "RESIZE_NEAREST_NEIGHBOR",
        lambda x: x[:, [0, 1, 2, 2, 3]][:, :, [0, 2, 3, 5]],
        constants=([5, 4],),
        table="ResizeNearestNeighborOptions",
        options={"AlignCorners": True},
        name="aligned",
    ),
    *(
        Case(
            "RESIZE_BILINEAR",
            partial(_between, rows=rows, columns=columns),
            constants=([len(rows), len(columns)],),
            table="ResizeBilinearOptions",
            options=options,
            name=name,
        )
        for name, rows, columns, options in (
            ("plain", np.arange(8) / 2, np.arange(4) * 1.5, {}),
            ("centred", (np.arange(12) + 0.5) / 3 - 0.5, np.arange(3) * 2 + 0.5, {"HalfPixelCenters": True}),
            ("aligned", np.arange(7) / 2, np.arange(2) * 5.0, {"AlignCorners": True}),
        )
    ),
    Case(
        "SPACE_TO_BATCH_ND",
        lambda x: np.concatenate([np.pad(x, EDGES)[:, row::2, column::3] for row in range(2) for column in range(3)]),
        constants=([2, 3], [[1, 1], [0, 3]]),
    ),
    Case(
        "SPACE_TO_BATCH_ND",
        lambda x: np.stack([x[0, ::2], x[0, 1::2]]),
        x=X[0, :1],
        constants=([2], [[0, 0]]),
        name="1d",
    ),
    Case(
        "BATCH_TO_SPACE_ND",
        lambda x: np.stack([x[:3], x[3:]], axis=2).reshape(3, 16)[:, 1:14],
        x=np.random.default_rng(5).standard_normal((6, 8)).astype(np.float32),
        constants=([2], [[1, 2]]),
    ),
    Case("ADD_N", lambda x: 3 * x, inputs=("x", "x", "x")),
    Case("PAD", lambda x: np.pad(x, ((0, 0), (1, 2), (0, 3), (0, 0))), constants=([[0, 0], [1, 2], [0, 3], [0, 0]],)),
    Case(
        "PADV2",
        lambda x: np.pad(x, ((0, 0), (1, 0), (0, 0), (0, 0)), constant_values=-1),
        constants=([[0, 0], [1, 0], [0, 0], [0, 0]], -1.0),
    ),
    Case("SQUEEZE", lambda x: x[0], table="SqueezeOptions"),
    Case("EXPAND_DIMS", lambda x: x[:, None], x=ROWS, constants=([1],)),
    Case("TRANSPOSE", lambda x: x.transpose(0, 3, 1, 2), constants=([0, 3, 1, 2],)),
    Case("PACK", lambda x: np.stack([x, x], 1), x=ROWS, inputs=("x", "x"), table="PackOptions", options={"Axis": 1}),
    Case(
        "CONCATENATION",
        lambda x: np.clip(np.concatenate([x, x], -1), -1, 1),
        inputs=("x", "x"),
        table="ConcatenationOptions",
        options={"Axis": -1, "FusedActivationFunction": 2},
    ),
    Case("SLICE", lambda x: x[:, 1:3, :, 2:], constants=([0, 1, 0, 2], [-1, 2, 6, -1])),
    Case(
        "STRIDED_SLICE",
        lambda x: x[:, 1, ::2, -3:-1],
        constants=([0, 1, 0, -3], [0, 2, 6, -1], [1, 1, 2, 1]),
        table="StridedSliceOptions",
        options={"BeginMask": 1, "EndMask": 1, "ShrinkAxisMask": 2},
    ),
    Case(
        "STRIDED_SLICE",
        lambda x: x[:, 3:0:-2, None, ..., ::-1],
        constants=([0, 3, 0, 0, 0], [0, 0, 0, 0, 0], [1, -2, 1, 1, -1]),
        table="StridedSliceOptions",
        options={"BeginMask": 17, "EndMask": 17, "NewAxisMask": 4, "EllipsisMask": 8},
        name="backwards",
    ),
    Case("SPACE_TO_DEPTH", _blocks, table="SpaceToDepthOptions", options={"BlockSize": 2}),
    Case(
        "DEPTH_TO_SPACE",
        lambda x: x,
        x=_blocks(X),
        table="DepthToSpaceOptions",
        options={"BlockSize": 2},
        name="inverse",
    ),
]


def _single(case: Case) -> bytes:
    expected = case.expected(case.x)
    if case.kind == "DEPTH_TO_SPACE":
        expected = X
    tensors = {"x": Tensor(case.x.shape), "y": Tensor(expected.shape)}
    tensors |= {f"c{at}": constant(value) for at, value in enumerate(case.constants)}
    inputs = case.inputs or ("x", *(name for name in tensors if name.startswith("c")))
    return write(tensors, [Operator(case.kind, inputs, ["y"], case.table, case.options)], ["x"], ["y"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}{case.name and '_' + case.name}")
def test_operator(case: Case, tmp_path: Path) -> None:
    (output,) = reference.run(load(tmp_path, _single(case)), [case.x])
    expected = X if case.kind == "DEPTH_TO_SPACE" else case.expected(case.x)
    np.testing.assert_allclose(output, expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "constants", "table", "options", "message"),
    [
        ("GATHER", ([8],), "GatherOptions", {"Axis": 3}, "does not have"),
        ("GATHER", ([-1],), "GatherOptions", {"Axis": 3}, "does not have"),
        ("TILE", ([1, 0, 1, 1],), "", {}, "repeats"),
        ("TILE", ([1, 1, 1, 1 << 20],), "", {}, "times|elements"),
        ("MIRROR_PAD", ([[0, 0], [4, 0], [0, 0], [0, 0]],), "MirrorPadOptions", {}, "cannot pad"),
        ("RESIZE_BILINEAR", ([0, 4],), "ResizeBilinearOptions", {}, "makes an image"),
        ("RESIZE_BILINEAR", ([1 << 20, 4],), "ResizeBilinearOptions", {}, "to"),
        ("POW", (0.3,), "", {}, "by"),
    ],
)
def test_what_cannot_be_taken_is_refused(
    tmp_path: Path, kind: str, constants: Any, table: str, options: dict[str, Any], message: str
) -> None:
    tensors = {"x": Tensor(X.shape), "y": Tensor(X.shape)}
    tensors |= {f"c{at}": constant(value) for at, value in enumerate(constants)}
    operator = Operator(kind, ["x", *(name for name in tensors if name.startswith("c"))], ["y"], table, options)
    with pytest.raises(ModelError, match=message):
        load(tmp_path, write(tensors, [operator], ["x"], ["y"]))
