# SPDX-License-Identifier: Apache-2.0
"""Small `.onnx` files for tests, and what ONNX's own reference makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from harness.model import importers, reference

_RANDOM = np.random.default_rng(3)


def floats(*shape: int) -> Any:
    return _RANDOM.standard_normal(shape).astype(np.float32)


def network(
    nodes: list[onnx.NodeProto],
    shape: tuple[Any, ...],
    opset: int = 18,
    domains: tuple[str, ...] = (),
    **constants: Any,
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return helper.make_model(graph, opset_imports=opsets)


def op(kind: str, *inputs: str, to: str = "y", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, list(inputs) or ["x"], to.split(","), **attributes)


def run_ours(model: onnx.ModelProto, path: Path, x: Any) -> Any:
    file = path / "model.onnx"
    file.write_bytes(model.SerializeToString())
    return reference.run(importers.load(file), [x])[0]


def run_theirs(model: onnx.ModelProto, x: Any) -> Any:
    outputs: Any = ReferenceEvaluator(model).run(None, {"x": x})
    return outputs[0]


IMAGE = (1, 6, 7, 5)
W = floats(4, 6, 3, 3)
