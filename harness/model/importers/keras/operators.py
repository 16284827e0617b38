# SPDX-License-Identifier: Apache-2.0
"""Operators as layers: what `x + y`, `tf.concat(...)` or `x[..., :3]` between layers becomes in a saved model.

Keras 2 writes TFOpLambda with the function's name, Keras 3 an operation of its own; both are looked up in one table.
Names are only ever looked up here: nothing of TensorFlow is imported or called.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from harness.model.importers import extremes
from harness.model.importers.keras import activations, indexing, resizing
from harness.model.importers.keras.arguments import Arguments
from harness.model.importers.keras.config import show
from harness.model.importers.keras.normalization import of_unit_length
from harness.model.importers.keras.site import Site
from harness.model.importers.keras.topology import Layer

Outputs = str | list[str]
Write = Callable[[Site, Arguments], Outputs]


def _arith(kind: str) -> Write:
    return lambda site, args: site.arith(kind, args.operand("x"), args.operand("y"))


def _elementwise(emit: activations.Emit) -> Write:
    return lambda _, args: emit(args.only())


def _clip(_: Site, args: Arguments) -> Outputs:
    here = args.only()
    return here.clamp(here.x, args.number("low"), args.number("high"))


def _cast(site: Site, args: Arguments) -> Outputs:
    """Comparisons give 1.0 and 0.0 already."""
    if args.raw("dtype") != "float32":
        raise site.unsupported(f"a cast to {show(args.raw('dtype'))}")
    return args.only().x


def _power(site: Site, args: Arguments) -> Outputs:
    if args.raw("y") not in (2, 0.5):
        raise site.unsupported(f"the power {show(args.raw('y'))}")
    here = args.only()
    return here.unary("SQUARE" if args.raw("y") == 2 else "SQRT", here.x)


def _gelu(_: Site, args: Arguments) -> Outputs:
    return activations.gelu_by_tanh(args.only()) if args.raw("approximate") else activations.gelu(args.only())


def _leaky_relu(_: Site, args: Arguments) -> Outputs:
    return activations.leaky(args.only(), args.number("alpha", 0.2))


def _softmax(_: Site, args: Arguments) -> Outputs:
    return activations.softmax(replace(args.only(), fields=args.fields(axis=args.raw("axis", -1))))


def _mean(_: Site, args: Arguments, part: str = "") -> str:
    here = args.only()
    axes = args.axes("axis", len(here.shape))
    keep = args.raw("keepdims") is True
    shape = tuple(1 if axis in axes else size for axis, size in enumerate(here.shape) if keep or axis not in axes)
    return here.node("mean", (here.x,), part, shape or (1,), axes=sum(1 << axis for axis in axes))


def _sum(site: Site, args: Arguments) -> Outputs:
    here = args.only()
    count = math.prod(here.shape[axis] for axis in args.axes("axis", len(here.shape)))
    return site.affine(_mean(site, args, "mean"), float(count), 0.0)


def _extreme(least: bool, _: Site, args: Arguments) -> Outputs:
    here = args.only()
    axes = args.axes("axis", len(here.shape))
    keep = args.raw("keepdims") is True
    shape = tuple(1 if axis in axes else size for axis, size in enumerate(here.shape) if keep or axis not in axes)
    return extremes.extreme(here.node, here.x, here.shape, axes, shape or (1,), least)


def _unit(_: Site, args: Arguments) -> Outputs:
    here = args.only()
    return of_unit_length(here, args.axes("axis", len(here.shape)))


def _difference(site: Site, args: Arguments) -> Outputs:
    difference = site.arith("SUB", args.operand("x"), args.operand("y"), "difference")
    return site.unary("SQUARE", difference)


def _alike(value: float) -> Write:
    """A tensor of one number; where it meets others, one element of it is as good as all."""
    return lambda site, args: site.scalar(value, "value")


def _add_all(site: Site, args: Arguments) -> Outputs:
    total, *others = args.tensors()
    for index, x in enumerate(others, start=1):
        total = site.arith("ADD", total, x, "" if index == len(others) else f"part_{index}")
    return total


def _where(site: Site, args: Arguments) -> Outputs:
    return site.node("select", (args.operand("condition"), args.operand("x"), args.operand("y")))


_X = (
    "x",
    "features",
    "input",
    "tensor",
    "a",
    "t",
    "logits",
    "values",
    "value",
    "input_tensor",
    "inputs",
    "xs",
    "images",
)
_ONE, _BOTH = (_X,), (("x", "x1"), ("y", "x2"))
_AXIS = (_X, ("axis",))
_REDUCE = (_X, ("axis",), ("keepdims",))
_RESIZE = (
    *(_X, ("size",), ("mode", "method", "interpolation"), ("antialias",)),
    *(("crop_to_aspect_ratio",), ("pad_to_aspect_ratio", "preserve_aspect_ratio")),
)
_SIZE = (_X, ("block", "block_size"))

_ARITH = {
    "ADD": "add",
    "SUB": "subtract sub",
    "MUL": "multiply mul",
    "DIV": "truediv true_divide divide div",
    "MIN": "minimum",
    "MAX": "maximum",
    "LESS": "less",
    "LESS_EQUAL": "less_equal",
    "GREATER": "greater",
    "GREATER_EQUAL": "greater_equal",
    "EQUAL": "equal",
    "NOT_EQUAL": "not_equal",
}
_UNARY = {
    "ABS": "abs absolute",
    "NEG": "negative neg",
    "SIGN": "sign",
    "ROUND": "round",
    "FLOOR": "floor",
    "CEIL": "ceil",
    "SQRT": "sqrt",
    "RSQRT": "rsqrt",
    "EXP": "exp",
    "LOG": "log",
    "SQUARE": "square",
    "ERF": "erf",
}
_FUNCTIONS = "relu relu6 sigmoid hard_sigmoid tanh softplus softsign elu selu silu swish hard_silu"

_TABLE: dict[str, tuple[tuple[tuple[str, ...], ...], Write]] = {
    **{name: (_BOTH, _arith(kind)) for kind, names in _ARITH.items() for name in names.split()},
    **{name: (_ONE, _elementwise(activations.unary(kind))) for kind, names in _UNARY.items() for name in names.split()},
    **{name: (_ONE, _elementwise(activations.FUNCTIONS[name])) for name in _FUNCTIONS.split()},
    "identity": (_ONE, _elementwise(activations.identity)),
    "stop_gradient": (_ONE, _elementwise(activations.identity)),
    "cast": ((_X, ("dtype",)), _cast),
    "pow": (_BOTH, _power),
    "power": (_BOTH, _power),
    "gelu": ((_X, ("approximate",)), _gelu),
    "leaky_relu": ((_X, ("alpha", "negative_slope")), _leaky_relu),
    "softmax": (_AXIS, _softmax),
    "clip_by_value": ((_X, ("low", "clip_value_min"), ("high", "clip_value_max")), _clip),
    "clip": ((_X, ("low", "x_min"), ("high", "x_max")), _clip),
    "reduce_mean": (_REDUCE, _mean),
    "mean": (_REDUCE, _mean),
    "reduce_sum": (_REDUCE, _sum),
    "sum": (_REDUCE, _sum),
    **{name: (_REDUCE, partial(_extreme, False)) for name in ("reduce_max", "amax", "max")},
    **{name: (_REDUCE, partial(_extreme, True)) for name in ("reduce_min", "amin", "min")},
    "l2_normalize": (_AXIS, _unit),
    "squared_difference": (_BOTH, _difference),
    "ones_like": (_ONE, _alike(1.0)),
    "zeros_like": (_ONE, _alike(0.0)),
    "image.resize": (_RESIZE, resizing.image_resize),
    "resize": (_RESIZE, resizing.image_resize),
    "add_n": (_ONE, _add_all),
    "where": ((("condition",), ("x", "x1"), ("y", "x2")), _where),
    "concat": (_AXIS, indexing.concat),
    "concatenate": (_AXIS, indexing.concat),
    "stack": (_AXIS, indexing.stack),
    "reshape": ((_X, ("shape", "newshape")), indexing.reshape),
    "transpose": ((_X, ("perm", "axes")), indexing.transpose),
    "pad": ((_X, ("paddings", "pad_width"), ("mode",), ("value", "constant_values")), indexing.pad),
    "expand_dims": (_AXIS, indexing.expand_dims),
    "squeeze": (_AXIS, indexing.squeeze),
    "split": ((_X, ("parts", "num_or_size_splits"), ("axis",), ("indices", "indices_or_sections")), indexing.split),
    "getitem": ((_X, ("slice_spec", "key")), indexing.get_item),
    "get_item": ((_X, ("slice_spec", "key")), indexing.get_item),
    "space_to_depth": (_SIZE, indexing.space_to_depth),
    "depth_to_space": (_SIZE, indexing.depth_to_space),
}
"""By function name: its arguments in order, each under every name that some version gives it, and who writes it."""

_MODULES = ("", "__operators__", "math", "nn", "linalg", "compat.v1", "compat.v1.math", "compat.v1.nn", "keras.backend")


def function(layer: Layer) -> str:
    """What an operator computes, as the file names it ("math.subtract", "Add")."""
    return layer.kind.key if layer.operator else str(layer.fields.raw("function", layer.kind.key))[:200]


def known(layer: Layer) -> bool:
    return _key(layer) in _TABLE


def _key(layer: Layer) -> str:
    name = function(layer)
    if layer.operator:
        return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()
    module, _, last = name.rpartition(".")
    return last if module in _MODULES else name


def emit(site: Site, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Outputs:
    """Writes an operator into the graph.

    Args:
        args, kwargs: as in the file, tensors as `Tensor`.
    """
    names, write = _TABLE[_key(site.layer)]
    config = {key: value for key, value in site.fields.values.items() if site.layer.operator and key != "name"}
    given = {**config, **kwargs, **{names[i][0]: arg for i, arg in enumerate(args[: len(names)])}}
    bound = {}
    for aliases in names:
        present = [given[alias] for alias in aliases if given.get(alias) is not None]
        if present:
            bound[aliases[0]] = present[0]
    return write(site, Arguments(site, bound))
