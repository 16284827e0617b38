# SPDX-License-Identifier: Apache-2.0
"""The place where a layer is written into the graph: its inputs, its config, its weights and the builder."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import abi
from harness.errors import ModelError, UnsupportedModel
from harness.model.graph import Builder
from harness.model.importers.keras.config import Fields
from harness.model.importers.keras.objects import Objects
from harness.model.importers.keras.topology import Layer
from harness.model.importers.keras.weights import Shape, Weights

Array = NDArray[Any]
UNBOUNDED: dict[str, Any] = {"lo": -math.inf, "hi": math.inf}


@dataclass(frozen=True)
class Import:
    """What all sites of one import share."""

    build: Builder
    weights: Weights
    objects: Objects
    keras3: bool
    constants: dict[tuple[object, ...], dict[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Site:
    """A layer, or a part of one such as its activation, applied to tensors.

    Attributes:
        name: of the node that computes the result.
        inputs: names of the tensors that it reads.
    """

    imported: Import
    layer: Layer
    name: str
    fields: Fields
    inputs: tuple[str, ...]

    @property
    def build(self) -> Builder:
        return self.imported.build

    @property
    def x(self) -> str:
        if len(self.inputs) != 1:
            raise ModelError(f"{self.fields.where} gets {len(self.inputs)} tensors; it takes one.")
        return self.inputs[0]

    @property
    def shape(self) -> Shape:
        """The shape of the only input."""
        return self.build.shape(self.x)

    def image(self, rank: int = 4) -> Shape:
        """The shape of the only input, which has `rank` axes, channels last."""
        if len(self.shape) != rank:
            raise ModelError(f"{self.fields.where} wants an input of {rank} axes, not of shape {list(self.shape)}.")
        self.channels_last()
        return self.shape

    def channels_last(self) -> None:
        if self.fields.raw("data_format", "channels_last") not in ("channels_last", None):
            raise ModelError(
                f"{self.fields.where} keeps its channels first.",
                "bitrig, like every runtime for small boards, works on NHWC images.",
                "Train or convert the model with data_format='channels_last' and save it again.",
            )

    def at(self, part: str, *inputs: str, fields: Fields | None = None) -> Site:
        """A part of this layer, with a name below the layer's."""
        return replace(self, name=f"{self.name}/{part}", fields=fields or self.fields, inputs=inputs)

    def feed(self, *inputs: str) -> Site:
        """This site with other inputs."""
        return replace(self, inputs=inputs)

    def node(
        self,
        op: str,
        inputs: tuple[str | None, ...],
        part: str = "",
        shape: Shape | None = None,
        **params: Any,
    ) -> str:
        """Adds a node, named like the layer or below it."""
        name = f"{self.name}/{part}" if part else self.name
        return self.build.node(op, name, inputs, shape, layer=self.layer.kind.key, **params)

    def arith(self, kind: str, a: str, b: str, part: str = "") -> str:
        return self.node("arith", (a, b), part, kind=abi.constant(f"BNN_{kind}"), **UNBOUNDED)

    def unary(self, kind: str, x: str, part: str = "") -> str:
        return self.node("unary", (x,), part, kind=abi.constant(f"BNN_{kind}"))

    def clamp(self, x: str, lo: float, hi: float, part: str = "") -> str:
        return self.node("clamp", (x,), part, lo=lo, hi=hi)

    def affine(self, x: str, scale: float, offset: float, part: str = "", **bounds: Any) -> str:
        """x * scale + offset with the same numbers for every channel."""
        channels = self.build.shape(x)[-1]
        s = self.constant(f"{part or 'affine'}/scale", np.full(channels, scale))
        o = self.constant(f"{part or 'affine'}/offset", np.full(channels, offset)) if offset else None
        return self.node("affine", (x, s, o) if o else (x, s), part, **(bounds or UNBOUNDED))

    def reshape(self, x: str, shape: Shape, part: str = "") -> str:
        return x if self.build.shape(x) == shape else self.node("reshape", (x,), part, shape)

    def scalar(self, value: float, part: str) -> str:
        return self.constant(part, np.array([value]))

    def constant(self, part: str, data: Array) -> str:
        """A tensor of these numbers; a layer that is called again may need others, by the shape of its input."""
        return self.constants(lambda: {part: data}, (part, data.shape, data.tobytes()))[part]

    def constants(self, make: Callable[[], Mapping[str, Array | None]], group: object = "") -> dict[str, str]:
        """The tensors of the arrays that `make` returns. A layer that is called again gets the same tensors."""
        key = (self.layer.scope, self.name, group)
        known = self.imported.constants
        if key not in known:
            known[key] = {
                part: self.build.constant(f"{self.name}/{part}", data.astype(np.float32))
                for part, data in make().items()
                if data is not None
            }
        return known[key]

    def variables(self, wanted: Mapping[str, Shape]) -> dict[str, NDArray[np.float32]]:
        return self.imported.weights.read(self.layer, wanted)

    def unsupported(self, what: str, remedy: str = "") -> UnsupportedModel:
        return UnsupportedModel(
            f"{self.fields.where}: {what} is not supported.",
            "",
            remedy or "Replace the layer by one that is, or leave it out before saving the model.",
            (self.layer.kind.key,),
        )
