# SPDX-License-Identifier: Apache-2.0
"""From the layers of a Keras model to the nodes of a graph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from harness.errors import ModelError, UnsupportedModel
from harness.model.importers.keras import activations, operators, quantizers
from harness.model.importers.keras.arguments import Tensor
from harness.model.importers.keras.config import Named, named
from harness.model.importers.keras.layers import LAYERS, ONLY_IN_TRAINING
from harness.model.importers.keras.objects import Objects
from harness.model.importers.keras.references import Ref
from harness.model.importers.keras.site import Import, Site
from harness.model.importers.keras.topology import Call, Layer, Model

_OPERATOR_LAYERS = ("TFOpLambda", "SlicingOpLambda")
_QUANTIZER_FIELDS = ("input_quantizer", "kernel_quantizer", "depthwise_quantizer", "pointwise_quantizer")
_STATISTICAL = ("BatchNormalization", "SyncBatchNormalization")
_HALF = ("float16", "bfloat16", "float64")
_MAX_CALLS = 20_000
_MAX_LISTED = 8


def check(model: Model, objects: Objects) -> None:
    """Raises one UnsupportedModel that names everything in the model that cannot be imported."""
    places: dict[str, list[str]] = {}
    for operation, place in _missing(model, objects):
        places.setdefault(operation, []).append(place)
    if not places:
        return
    listed = []
    for operation, where in list(places.items())[:_MAX_LISTED]:
        more = f" and {len(where) - 1} more" if len(where) > 1 else ""
        listed.append(f"{operation[:80]} ({where[0][:160]}{more})")
    if len(places) > _MAX_LISTED:
        listed.append("...")
    first = next(iter(places))[:80]
    why = "bitrig knows Keras' and Larq's own layers and quantisers by name; it guesses nothing and executes nothing."
    remedy = (
        "Replace them by layers of Keras or Larq; or, for a class or function of your own, say in a file what it is "
        f"and give that with --objects FILE: objects: {{'{first}': {{values: [-1, 1], threshold: 0}}}}."
    )
    if "Lambda" in places:
        why = "A Lambda layer is Python byte code inside the file, which bitrig neither decodes nor runs."
        remedy = (
            "Replace each Lambda by a layer (Rescaling, Activation, ...) and save the model again. Where one does what "
            "a layer does, say so with --objects FILE: objects: {NAME OF THE LAMBDA: {layer: Identity}}."
        )
    raise UnsupportedModel(
        f"The model has parts that cannot be imported: {'; '.join(listed)}.", why, remedy, tuple(places)
    )


def _missing(model: Model, objects: Objects) -> Iterator[tuple[str, str]]:
    """(operation, where) of every class and function that no table knows."""
    for layer in model.layers:
        label = f"layer {layer.scope!r}"
        if layer.model is not None:
            yield from _missing(layer.model, objects)
        elif layer.operator or layer.kind.key in _OPERATOR_LAYERS:
            if not operators.known(layer):
                yield operators.function(layer), label
        elif layer.kind.key != "InputLayer" and not _writable(layer, objects):
            yield layer.kind.key, label
        else:
            yield from _missing_functions(layer, objects, label)


def _missing_functions(layer: Layer, objects: Objects, label: str) -> Iterator[tuple[str, str]]:
    function = named(layer.fields.raw("activation"), layer.where)
    if function is not None and not activations.known(function, objects):
        yield function.key, f"activation of {label}"
    for field in _QUANTIZER_FIELDS:
        function = named(layer.fields.raw(field), layer.where)
        if function is not None and quantizers.find(function, objects) is None:
            yield function.key, f"{field} of {label}"


def _writable(layer: Layer, objects: Objects) -> bool:
    return _meant(layer, objects).key in LAYERS or quantizers.find(layer.kind, objects) is not None


def _meant(layer: Layer, objects: Objects) -> Named:
    """What a layer is: its class, or for a class that no table knows what the user says, of this layer or of all."""
    kind = layer.kind
    if kind.key in LAYERS:
        return kind
    return objects.layer(Named(layer.name, (kind.key, *kind.aliases), kind.fields)) or kind


def write(model: Model, imported: Import) -> None:
    """Writes the outermost model with its inputs and outputs."""
    shapes = model.input_shapes
    if any(shape is None for shape in shapes):
        raise ModelError(
            f"The model {model.name!r} does not say how large its input is.",
            "It was saved before it was built, or without an input layer.",
            "Give the first layer an input_shape (or begin with an Input layer) and save the model again.",
        )
    build = imported.build
    tensors = []
    for ref, shape in zip(model.inputs, shapes, strict=True):
        assert shape is not None
        tensors.append(build.input(ref.layer or "input", shape))
    for layer in model.layers:
        if layer.kind.key == "InputLayer":
            _full_precision(layer)
    for output in _Walk(imported).run(model, tensors):
        build.output(output)


class _Walk:
    """Runs through a model and the models inside it."""

    def __init__(self, imported: Import) -> None:
        self._imported = imported
        self._calls = 0

    def run(self, model: Model, inputs: list[str]) -> list[str]:
        """The output tensors of a model that is applied to `inputs`."""
        if len(inputs) != len(model.inputs):
            raise ModelError(f"The model {model.name!r} gets {len(inputs)} tensors; it takes {len(model.inputs)}.")
        values: dict[tuple[str, int], list[str]] = {
            (ref.layer, ref.node): [tensor] for ref, tensor in zip(model.inputs, inputs, strict=True)
        }
        for call in model.calls:
            self._calls += 1
            if self._calls > _MAX_CALLS:
                raise ModelError(f"The model runs its layers more than {_MAX_CALLS:,} times.")
            values[call.layer.name, call.node] = self._call(call, values)
        return [_value(ref, values) for ref in model.outputs]

    def _call(self, call: Call, values: dict[tuple[str, int], list[str]]) -> list[str]:
        layer = call.layer
        _full_precision(layer)
        args = _filled(call.args, values)
        kwargs = _filled(call.kwargs, values)
        tensors = list(_tensors([args, kwargs]))
        if not tensors:
            raise ModelError(f"{layer.where} is not connected to anything.")
        site = Site(self._imported, layer, layer.scope, layer.fields, tuple(tensors))
        outputs: str | list[str]
        if layer.operator or layer.kind.key in _OPERATOR_LAYERS:
            outputs = operators.emit(site, args, kwargs)
            return [outputs] if isinstance(outputs, str) else outputs
        _plain(layer, args, kwargs)
        note = f"{layer.kind.key} {layer.scope!r} acts in training only and is left out."
        if layer.kind.key in ONLY_IN_TRAINING and note not in self._imported.build.notes:
            self._imported.build.notes.append(note)
        if layer.model is not None:
            return self.run(layer.model, tensors)
        meant = _meant(layer, self._imported.objects)
        if meant.key in LAYERS:
            outputs = LAYERS[meant.key](replace(site, fields=meant.fields))
        else:
            outputs = activations.apply(Named(layer.kind.key, layer.kind.aliases, layer.fields), site)
        return [outputs] if isinstance(outputs, str) else outputs


def _plain(layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Raises where a layer is called with more than tensors, or as in training."""
    if len(args) != 1 or any(not isinstance(item, Tensor) for item in _leaves(args)) or list(_tensors(kwargs)):
        raise ModelError(f"{layer.where} is called with other arguments than its input tensors.")
    trains = layer.model is not None or layer.kind.key in (*ONLY_IN_TRAINING, *_STATISTICAL)
    if trains and kwargs.get("training"):
        raise ModelError(
            f"{layer.where} is called with training=True.",
            "What it computes then is random, or depends on the other images of the batch.",
            "Build the model without training=True, load the weights, and save it again.",
        )


def _full_precision(layer: Layer) -> None:
    """Raises where a layer does not compute in float32."""
    dtype = layer.fields.raw("dtype")
    while isinstance(dtype, dict):
        config = dtype.get("config")
        dtype = config.get("name") if isinstance(config, dict) else None
    if isinstance(dtype, str) and any(half in dtype for half in _HALF):
        raise ModelError(
            f"{layer.where} computes in {dtype[:40]}.",
            "bitrig compares outputs in float32, and Larq's quantised layers need it.",
            "Build the model with the dtype policy 'float32', load the weights, and save it again.",
        )


def _value(ref: Ref, values: dict[tuple[str, int], list[str]]) -> str:
    tensors = values[ref.layer, ref.node]
    if ref.tensor >= len(tensors):
        raise ModelError(f"There is no output {ref.tensor} of the layer {ref.layer[:80]!r}; it has {len(tensors)}.")
    return tensors[ref.tensor]


def _filled(value: Any, values: dict[tuple[str, int], list[str]]) -> Any:
    """An argument with the tensors that its references stand for."""
    if isinstance(value, Ref):
        return Tensor(_value(value, values))
    if isinstance(value, tuple):
        return tuple(_filled(item, values) for item in value)
    if isinstance(value, list):
        return [_filled(item, values) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, values) for key, item in value.items()}
    return value


def _tensors(value: Any) -> Iterator[str]:
    return (str(leaf) for leaf in _leaves(value) if isinstance(leaf, Tensor))


def _leaves(value: Any) -> Iterator[Any]:
    """What lies in nested arguments; a dict is sorted by its keys, as Keras has it."""
    if isinstance(value, dict):
        value = [value[key] for key in sorted(value)]
    if isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item)
    else:
        yield value
