# SPDX-License-Identifier: Apache-2.0
"""Which layer feeds which: Sequential and functional configs of every dialect as one kind of value.

A `Model` lists calls of layers in an order in which they can run. What a call receives is `args` and `kwargs` as the
model's author wrote them, with a `Ref` wherever a tensor goes.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Any

from harness.errors import ModelError
from harness.model.importers.keras.config import Fields, Named, name, named, show
from harness.model.importers.keras.references import Ref, arguments, ends, refs

MAX_LAYERS = 20_000
MAX_DEPTH = 32


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer object; a shared one is called several times.

    Attributes:
        name: unique in its model.
        path: the names of the models around it and its own; the outermost model is left out.
        kind: its class.
        operator: it is a tensor operation (Keras 3's `x + y`), not a layer, whatever its class name.
        model: what is inside, if it is a model itself.
    """

    name: str
    path: tuple[str, ...]
    kind: Named
    operator: bool
    model: Model | None

    @property
    def scope(self) -> str:
        return "/".join(self.path)

    @property
    def where(self) -> str:
        return f"Layer {self.scope!r} ({self.kind.key[:80]})"

    @property
    def fields(self) -> Fields:
        return self.kind.fields


@dataclass(frozen=True, eq=False)
class Call:
    """A layer applied to tensors."""

    layer: Layer
    node: int
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Model:
    """A network of layers.

    Attributes:
        layers: in the order of the file, which weights stored by position follow.
        calls: in an order in which they can run; the inputs are no calls.
        input_shapes: batch first, one for each of `inputs`; None where only the enclosing model knows.
        functional: it is not Sequential.
    """

    name: str
    layers: tuple[Layer, ...]
    calls: tuple[Call, ...]
    inputs: tuple[Ref, ...]
    input_shapes: tuple[tuple[int, ...] | None, ...]
    outputs: tuple[Ref, ...]
    functional: bool


def model(value: Any, keras3: bool, path: tuple[str, ...] = ()) -> Model:
    """The network that a model's config object describes.

    Raises:
        ModelError: names that occur twice, references to nothing, cycles, and everything that is not of the form that
            some version of Keras writes.
    """
    where = f"The model {'/'.join(path)!r}" if path else "The model"
    if len(path) > MAX_DEPTH:
        raise ModelError(f"{where} is nested more than {MAX_DEPTH} models deep.")
    config = value.get("config")
    if isinstance(config, list):  # Keras 1 and early 2: a Sequential model was the list of its layers
        config = {"layers": config}
    if not isinstance(config, dict) or not isinstance(config.get("layers"), list):
        raise ModelError(
            f"{where} has no layers: its class is {show(value.get('class_name'))}.",
            "Subclassed models keep their architecture in Python code, not in the file.",
            "Rebuild it as a Sequential or functional model and save that.",
        )
    items = config["layers"]
    if not 0 < len(items) <= MAX_LAYERS:
        raise ModelError(f"{where} has {len(items):,} layers; 1 to {MAX_LAYERS:,} are accepted.")
    layers = [_layer(item, keras3, path) for item in items]
    seen: set[str] = set()
    for layer in layers:
        if layer.name in seen:
            raise ModelError(
                f"{where} has two layers named {layer.name!r}.",
                "Layer names tell weights apart, so they must be unique; the file was edited or is damaged.",
            )
        seen.add(layer.name)
    own = name(config.get("name") or value.get("name") or "model", where)
    if "input_layers" in config and "output_layers" in config:
        return _functional(own, where, config, items, layers, keras3)
    return _sequential(own, config, layers)


def is_model(value: dict[str, Any]) -> bool:
    """Whether a layer object is a model: its class may have any name, but only models have layers with nodes."""
    config = value.get("config")
    if isinstance(config, dict) and isinstance(config.get("layers"), list):
        return "input_layers" in config or value.get("class_name") == "Sequential"
    return False


def _layer(item: Any, keras3: bool, path: tuple[str, ...]) -> Layer:
    where = "A layer of " + (f"the model {'/'.join(path)!r}" if path else "the model")
    if not isinstance(item, dict) or not isinstance(item.get("config"), dict):
        raise ModelError(f"{where} is {show(item)}, not a class name with a config.")
    kind = named({key: item.get(key) for key in ("class_name", "config", "module", "registered_name")}, where)
    assert kind is not None
    own = name(item.get("name") or item["config"].get("name"), f"{where}, a {kind.key[:80]!r},")
    inner = (*path, own)
    fields = Fields(f"Layer {'/'.join(inner)!r} ({kind.key[:80]})", kind.fields.values)
    kind = Named(kind.key, kind.aliases, fields)
    return Layer(own, inner, kind, _is_operator(item, keras3), model(item, keras3, inner) if is_model(item) else None)


def _is_operator(item: dict[str, Any], keras3: bool) -> bool:
    """Whether an object is an operation of Keras 3, which may have the class name of a layer (Add, Reshape, Softmax).

    A `.keras` file tells by the module; an `.h5` file only in that every layer but an input says if it is trainable.
    """
    module = item.get("module")
    if isinstance(module, str):
        return ".ops" in module
    return keras3 and item.get("class_name") != "InputLayer" and "trainable" not in item["config"]


def _input_shape(layer: Layer) -> tuple[int, ...] | None:
    for key in ("batch_shape", "batch_input_shape"):
        if layer.fields.raw(key) is not None:
            return layer.fields.shape(key)
    return None


def _sequential(own: str, config: dict[str, Any], layers: list[Layer]) -> Model:
    shape = _input_shape(layers[0])
    if shape is None and layers[0].model is not None:
        shape = layers[0].model.input_shapes[0] if layers[0].model.input_shapes else None
    if shape is None and config.get("build_input_shape") is not None:
        shape = Fields(f"The model {own!r}", config).shape("build_input_shape")
    before = Ref(layers[0].name, 0, 0)
    rest = layers[1:]
    if layers[0].kind.key != "InputLayer":
        before, rest = Ref("", 0, 0), layers
    start, calls = before, []
    for layer in rest:
        calls.append(Call(layer, 0, (before,), {}))
        before = Ref(layer.name, 0, 0)
    return Model(own, tuple(layers), tuple(calls), (start,), (shape,), (before,), False)


def _functional(
    own: str, where: str, config: dict[str, Any], items: list[Any], layers: list[Layer], keras3: bool
) -> Model:
    calls: list[Call] = []
    known: set[tuple[str, int]] = set()
    for item, layer in zip(items, layers, strict=True):
        nodes = item.get("inbound_nodes")
        if not isinstance(nodes, list):
            raise ModelError(f"{layer.where} does not say what it is connected to.")
        if layer.kind.key == "InputLayer":
            known.add((layer.name, 0))
            continue
        for index, node in enumerate(nodes):
            number = index + _first_node(layer, keras3)
            args, kwargs = arguments(node, layer.where)
            calls.append(Call(layer, number, args, kwargs))
            known.add((layer.name, number))
    if len(calls) > MAX_LAYERS:
        raise ModelError(f"{where} has {len(calls):,} calls of layers; at most {MAX_LAYERS:,} are accepted.")
    named_layers = {layer.name: layer for layer in layers}
    inputs, outputs = ends(config["input_layers"], where), ends(config["output_layers"], where)
    if keras3:
        outputs = tuple(_from_zero(ref, named_layers.get(ref.layer)) for ref in outputs)
    shapes = []
    for ref in inputs:
        source = named_layers.get(ref.layer)
        if source is None or source.kind.key != "InputLayer":
            raise ModelError(f"{where} calls {ref.layer[:80]!r} an input, but there is no such input layer.")
        shapes.append(_input_shape(source))
    fed = {(ref.layer, ref.node) for ref in inputs}
    known -= {(layer.name, 0) for layer in layers if layer.kind.key == "InputLayer"} - fed
    for ref in outputs:
        _exists(ref, known, f"{where} has an output")
    for call in calls:
        for ref in refs([call.args, call.kwargs]):
            _exists(ref, known, f"{call.layer.where} is connected")
    return Model(own, tuple(layers), _ordered(calls, fed), inputs, tuple(shapes), outputs, True)


def _exists(ref: Ref, known: set[tuple[str, int]], sentence: str) -> None:
    if (ref.layer, ref.node) not in known:
        raise ModelError(
            f"{sentence} to call {ref.node} of the layer {ref.layer[:80]!r}, which does not exist.",
            "The file was edited or is damaged.",
            "Save the model again with model.save(...).",
        )


def _first_node(layer: Layer, keras3: bool) -> int:
    """The number of a layer's first call. In Keras 2 a model that knows its input has been called once already, by its
    own construction; that call is counted but not saved."""
    return int(layer.model is not None and not keras3 and any(layer.model.input_shapes))


def _from_zero(ref: Ref, layer: Layer | None) -> Ref:
    """An output of a model in Keras 3, which counts the calls of a functional model from 1 there, and there only."""
    functional = layer is not None and layer.model is not None and layer.model.functional
    return Ref(ref.layer, ref.node - 1, ref.tensor) if functional else ref


def _ordered(calls: list[Call], fed: set[tuple[str, int]]) -> tuple[Call, ...]:
    """The calls in the order of the file as far as data flow permits (Kahn's algorithm with a heap)."""
    position = {(call.layer.name, call.node): index for index, call in enumerate(calls)}
    waiting: list[int] = []
    readers: dict[int, list[int]] = {}
    for index, call in enumerate(calls):
        sources = {(ref.layer, ref.node) for ref in refs([call.args, call.kwargs])} - fed
        waiting.append(len(sources))
        for source in sources:
            readers.setdefault(position[source], []).append(index)
    ready = [index for index, count in enumerate(waiting) if count == 0]
    order: list[Call] = []
    while ready:
        index = heapq.heappop(ready)
        order.append(calls[index])
        for reader in readers.get(index, ()):
            waiting[reader] -= 1
            if waiting[reader] == 0:
                heapq.heappush(ready, reader)
    if len(order) < len(calls):
        stuck = next(calls[index] for index, count in enumerate(waiting) if count)
        raise ModelError(f"{stuck.layer.where} feeds itself through a cycle of layers.", "The file was edited.")
    return tuple(order)
