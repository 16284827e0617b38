# SPDX-License-Identifier: Apache-2.0
"""Operators as layers: what `x + y`, `tf.concat(...)` or `x[..., :3]` between layers becomes in a saved model.

Keras 2 writes TFOpLambda with the function's name, Keras 3 an operation of its own; both are looked up in one table.
Names are only ever looked up here: nothing of TensorFlow is imported or called.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from harness.errors import ModelError
from harness.model.importers.keras import activations, shaping
from harness.model.importers.keras.config import MAX_FLOAT, Fields, show
from harness.model.importers.keras.site import Site
from harness.model.importers.keras.topology import Layer

Outputs = str | list[str]
Arguments = Mapping[str, Any]
"""Each argument by name; a tensor of the graph is a `Tensor`."""


class Tensor(str):
    """The name of a tensor, told apart from a string of the config."""


def _number(site: Site, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MAX_FLOAT:
        raise ModelError(f"{site.fields.where}: {show(value)} is not a finite number.")
    return float(value)


def _tensor(site: Site, value: Any, part: str) -> str:
    return str(value) if isinstance(value, Tensor) else site.scalar(_number(site, value), part)


def _x(site: Site, args: Arguments) -> Site:
    value = args.get("x")
    if not isinstance(value, Tensor):
        raise ModelError(f"{site.fields.where} is not applied to a tensor but to {show(value)}.")
    return site.feed(str(value))


def _list(site: Site, value: Any) -> list[str]:
    items = value if isinstance(value, list | tuple) else [value]
    if not items or not all(isinstance(item, Tensor) for item in items):
        raise ModelError(f"{site.fields.where} is not applied to tensors but to {show(value)}.")
    return [str(item) for item in items]


def _axes(site: Site, value: Any, rank: int) -> list[int]:
    items = list(range(rank)) if value is None else value if isinstance(value, list | tuple) else [value]
    if not all(isinstance(axis, int) and -rank <= axis < rank for axis in items):
        raise ModelError(f"{site.fields.where}: {show(value)} are no axes of a tensor of {rank}.")
    return sorted({axis % rank for axis in items})


def _arith(kind: str) -> Callable[[Site, Arguments], Outputs]:
    def emit(site: Site, args: Arguments) -> Outputs:
        return site.arith(kind, _tensor(site, args.get("x"), "left"), _tensor(site, args.get("y"), "right"))

    return emit


def _elementwise(emit: activations.Emit) -> Callable[[Site, Arguments], Outputs]:
    return lambda site, args: emit(_x(site, args))


def _clip(site: Site, args: Arguments) -> Outputs:
    return site.clamp(_x(site, args).x, _number(site, args.get("low")), _number(site, args.get("high")))


def _concat(site: Site, args: Arguments) -> Outputs:
    fields = Fields(site.fields.where, {"axis": args.get("axis", -1)})
    return shaping.concatenate(Site(site.imported, site.layer, site.name, fields, tuple(_list(site, args.get("x")))))


def _reshape(site: Site, args: Arguments) -> Outputs:
    shape = args.get("shape")
    if not isinstance(shape, list | tuple):
        raise ModelError(f"{site.fields.where}: {show(shape)} is no fixed shape.")
    here = _x(site, args)
    return here.reshape(here.x, shaping.resolved(here, list(shape), "shape"))


def _transpose(site: Site, args: Arguments) -> Outputs:
    here = _x(site, args)
    order = args.get("perm")
    axes = list(range(len(here.shape)))[::-1] if order is None else order
    if not isinstance(axes, list | tuple) or not all(isinstance(axis, int) for axis in axes):
        raise ModelError(f"{site.fields.where}: {show(order)} is no order of axes.")
    return shaping.transpose(here, tuple(axes))


def _mean(site: Site, args: Arguments) -> Outputs:
    here = _x(site, args)
    axes = _axes(site, args.get("axis"), len(here.shape))
    keep = args.get("keepdims") is True
    shape = tuple(1 if axis in axes else size for axis, size in enumerate(here.shape) if keep or axis not in axes)
    return here.node("mean", (here.x,), shape=shape or (1,), axes=sum(1 << axis for axis in axes))


def _pad(site: Site, args: Arguments) -> Outputs:
    here = _x(site, args)
    if str(args.get("mode") or "constant").lower() != "constant":
        raise site.unsupported(f"padding of the mode {show(args.get('mode'))}")
    pairs = Fields(site.fields.where, {"paddings": args.get("paddings")}).pairs("paddings", len(here.shape))
    return shaping.pad(here, pairs, _number(site, args.get("value") or 0))


def _expand_dims(site: Site, args: Arguments) -> Outputs:
    here = _x(site, args)
    (axis,) = _axes(site, args.get("axis"), len(here.shape) + 1) or [0]
    return here.reshape(here.x, (*here.shape[:axis], 1, *here.shape[axis:]))


def _squeeze(site: Site, args: Arguments) -> Outputs:
    here = _x(site, args)
    given = args.get("axis")
    axes = [i for i, size in enumerate(here.shape) if size == 1] if given in (None, []) else None
    axes = _axes(site, given, len(here.shape)) if axes is None else axes
    return here.reshape(here.x, tuple(size for axis, size in enumerate(here.shape) if axis not in axes))


def _split(site: Site, args: Arguments) -> Outputs:
    here = _x(site, args)
    (axis,) = _axes(site, args.get("axis", 0), len(here.shape))[:1]
    size, parts = here.shape[axis], args.get("parts")
    if isinstance(parts, int) and not isinstance(parts, bool) and 0 < parts <= 64 and size % parts == 0:
        sizes = [size // parts] * parts
    elif isinstance(parts, list) and 0 < len(parts) <= 64 and all(isinstance(p, int) and p > 0 for p in parts):
        sizes = parts
    else:
        raise ModelError(f"{site.fields.where}: {size} cannot be split into {show(parts)}.")
    if sum(sizes) != size:
        raise ModelError(f"{site.fields.where}: {size} cannot be split into {show(parts)}.")
    outputs, begin = [], 0
    for index, count in enumerate(sizes):
        start = tuple(begin if i == axis else 0 for i in range(len(here.shape)))
        shape = (*here.shape[:axis], count, *here.shape[axis + 1 :])
        outputs.append(shaping.cut(here, start, shape, part=f"part_{index}"))
        begin += count
    return outputs


def _get_item(site: Site, args: Arguments) -> Outputs:
    """x[...]: slices with a positive step, whole numbers (which drop their axis) and an ellipsis."""
    here = _x(site, args)
    spec = args.get("slice_spec")
    items = list(spec) if isinstance(spec, list | tuple) else [spec]
    gaps = [index for index, item in enumerate(items) if _is_ellipsis(item)]
    if len(gaps) > 1 or len(items) - len(gaps) > len(here.shape):
        raise ModelError(f"{site.fields.where}: {show(spec)} does not index a tensor of {list(here.shape)}.")
    gap = gaps[0] if gaps else len(items)
    filling: list[Any] = [{}] * (len(here.shape) - (len(items) - len(gaps)))
    items = [*items[:gap], *filling, *items[gap + len(gaps) :]]
    begin, sizes, steps, kept = [], [], [], []
    for size, item in zip(here.shape, items, strict=True):
        if isinstance(item, dict):
            part = item.get("config", item) if item.get("class_name") == "__slice__" else item
            bounds = [part.get(key) for key in ("start", "stop", "step")]
        elif isinstance(item, int) and not isinstance(item, bool):
            bounds = [item, item + 1 or None, 1]
        else:
            raise site.unsupported(f"the index {show(item)}")
        if not all(bound is None or (isinstance(bound, int) and not isinstance(bound, bool)) for bound in bounds):
            raise site.unsupported(f"the index {show(item)}")
        if bounds[2] is not None and bounds[2] < 1:
            raise site.unsupported("a slice that runs backwards")
        taken = range(*slice(*bounds).indices(size))
        if not taken:
            raise ModelError(f"{site.fields.where}: {show(item)} takes nothing from {size}.")
        begin.append(taken.start)
        sizes.append(len(taken))
        steps.append(taken.step)
        if isinstance(item, dict):
            kept.append(len(taken))
    whole = shaping.cut(here, tuple(begin), tuple(sizes), tuple(steps))
    return here.reshape(whole, tuple(kept) or (1,), "drop")


def _is_ellipsis(item: Any) -> bool:
    return item == "..." or (isinstance(item, dict) and item.get("class_name") in ("__ellipsis__", "Ellipsis"))


def _where(site: Site, args: Arguments) -> Outputs:
    operands = tuple(_tensor(site, args.get(key), key) for key in ("condition", "x", "y"))
    return site.node("select", operands)


def _leaky_relu(site: Site, args: Arguments) -> Outputs:
    return activations.leaky(_x(site, args), _number(site, args.get("alpha", 0.2)))


def _softmax(site: Site, args: Arguments) -> Outputs:
    axis = -1 if args.get("axis") is None else args["axis"]
    return activations.softmax(
        Site(site.imported, site.layer, site.name, Fields(site.fields.where, {"axis": axis}), _x(site, args).inputs)
    )


def _unary(kind: str) -> Callable[[Site, Arguments], Outputs]:
    return _elementwise(activations.unary(kind))


_BOTH = (("x", "x1"), ("y", "x2"))
_ONE = (("x", "x", "features", "input", "tensor", "a"),)

_TABLE: dict[str, tuple[tuple[tuple[str, ...], ...], Callable[[Site, Arguments], Outputs]]] = {
    **{
        name: (_BOTH, _arith(kind))
        for names, kind in (
            ("add", "ADD"),
            ("subtract sub", "SUB"),
            ("multiply mul", "MUL"),
            ("truediv true_divide divide div", "DIV"),
            ("minimum", "MIN"),
            ("maximum", "MAX"),
            ("less", "LESS"),
            ("less_equal", "LESS_EQUAL"),
            ("greater", "GREATER"),
            ("greater_equal", "GREATER_EQUAL"),
            ("equal", "EQUAL"),
            ("not_equal", "NOT_EQUAL"),
        )
        for name in names.split()
    },
    **{
        name: (_ONE, _unary(kind))
        for names, kind in (
            ("abs absolute", "ABS"),
            ("negative neg", "NEG"),
            ("sign", "SIGN"),
            ("round", "ROUND"),
            ("floor", "FLOOR"),
            ("ceil", "CEIL"),
            ("sqrt", "SQRT"),
            ("rsqrt", "RSQRT"),
            ("exp", "EXP"),
            ("log", "LOG"),
            ("square", "SQUARE"),
            ("erf", "ERF"),
        )
        for name in names.split()
    },
    **{
        name: (_ONE, _elementwise(activations.FUNCTIONS[name]))
        for names in ("relu relu6 sigmoid hard_sigmoid tanh softplus softsign elu selu silu swish hard_silu",)
        for name in names.split()
    },
    "identity": (_ONE, _elementwise(activations.identity)),
    "stop_gradient": (_ONE, _elementwise(activations.identity)),
    "leaky_relu": ((*_ONE, ("alpha", "negative_slope")), _leaky_relu),
    "softmax": ((("x", "logits"), ("axis",)), _softmax),
    "clip_by_value": ((("x", "t"), ("low", "clip_value_min"), ("high", "clip_value_max")), _clip),
    "clip": ((("x",), ("low", "x_min"), ("high", "x_max")), _clip),
    "concat": ((("x", "values"), ("axis",)), _concat),
    "concatenate": ((("x", "xs"), ("axis",)), _concat),
    "reshape": ((("x", "tensor"), ("shape", "newshape")), _reshape),
    "transpose": ((("x", "a"), ("perm", "axes")), _transpose),
    "reduce_mean": ((("x", "input_tensor"), ("axis",), ("keepdims",)), _mean),
    "mean": ((("x",), ("axis",), ("keepdims",)), _mean),
    "pad": ((("x", "tensor"), ("paddings", "pad_width"), ("mode",), ("value", "constant_values")), _pad),
    "expand_dims": ((("x", "input"), ("axis",)), _expand_dims),
    "squeeze": ((("x", "input"), ("axis",)), _squeeze),
    "split": ((("x", "value"), ("parts", "num_or_size_splits", "indices_or_sections"), ("axis",)), _split),
    "where": ((("condition",), ("x", "x1"), ("y", "x2")), _where),
    "getitem": ((("x", "tensor"), ("slice_spec", "key")), _get_item),
    "get_item": ((("x",), ("slice_spec", "key")), _get_item),
}
"""By function name: the arguments in order, each under every name that some version gives it, and who writes it."""

_MODULES = ("", "__operators__", "math", "nn", "linalg", "compat.v1", "compat.v1.math", "compat.v1.nn", "keras.backend")


def function(layer: Layer) -> str:
    """What an operator computes, as the file names it ("math.subtract", "Add")."""
    if layer.operator:
        return layer.kind.key
    return str(layer.fields.raw("function", ""))[:200]


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
    config = {key: value for key, value in site.fields.values.items() if key not in ("name", "dtype", "trainable")}
    given = {**config, **kwargs, **{names[i][0]: arg for i, arg in enumerate(args[: len(names)])}}
    bound = {}
    for aliases in names:
        for alias in aliases:
            if given.get(alias) is not None:
                bound[aliases[0]] = given[alias]
                break
    return write(site, bound)
