# SPDX-License-Identifier: Apache-2.0
"""Small networks for tests, built by hand, with every way of writing a quantiser that real exporters use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from harness import abi
from harness.model import shapes
from harness.model.graph import Builder, Graph, Node

INF = float("inf")


def window(
    kernel: int, stride: int = 1, dilation: int = 1, size: tuple[int, int] = (0, 0), same: bool = False
) -> dict[str, int]:
    """A square window; `size` is that of the image where it is padded to the same size."""
    pads = {"pad_top": 0, "pad_bottom": 0, "pad_left": 0, "pad_right": 0}
    if same:
        pads["pad_top"], pads["pad_bottom"] = shapes.same_padding(size[0], kernel, stride, dilation)
        pads["pad_left"], pads["pad_right"] = shapes.same_padding(size[1], kernel, stride, dilation)
    both = {"kernel": kernel, "stride": stride, "dilation": dilation}
    return {**{f"{name}_{axis}": value for name, value in both.items() for axis in "hw"}, **pads}


class Net:
    """A builder with a random generator, which puts whole layers down."""

    def __init__(self, shape: tuple[int, ...], seed: int = 0) -> None:
        self.draw = np.random.default_rng(seed)
        self.builder = Builder("net")
        self.x = self.builder.input("x", shape)

    def op(self, op: str, name: str, *inputs: str, **params: Any) -> Net:
        self.x = self.builder.node(op, name, (self.x, *inputs), **params)
        return self

    def const(self, name: str, *values: float) -> str:
        return self.builder.constant(name, np.asarray(values, np.float32))

    def conv(
        self,
        name: str,
        filters: int,
        kernel: int = 3,
        stride: int = 1,
        same: bool = True,
        pad_value: float = 0.0,
        weights: Callable[[np.ndarray], np.ndarray] = np.sign,
        groups: int = 1,
        dilation: int = 1,
        bias: bool = False,
        lo: float = -INF,
        hi: float = INF,
    ) -> Net:
        _, height, width, channels = self.builder.shape(self.x)
        latent = self.draw.standard_normal((filters, kernel, kernel, channels // groups)).astype(np.float32)
        inputs = [self.builder.constant(f"{name}/kernel", weights(latent))]
        if bias:
            inputs.append(self.builder.constant(f"{name}/bias", self.draw.standard_normal(filters)))
        place = window(kernel, stride, dilation, (height, width), same)
        return self.op("conv2d", name, *inputs, window=place, groups=groups, pad_value=pad_value, lo=lo, hi=hi)

    def dense(self, name: str, units: int, weights: Callable[[np.ndarray], np.ndarray] = np.sign) -> Net:
        latent = self.draw.standard_normal((units, self.builder.shape(self.x)[-1])).astype(np.float32)
        return self.op("dense", name, self.builder.constant(f"{name}/kernel", weights(latent)), lo=-INF, hi=INF)

    def norm(self, name: str, negative: bool = True) -> Net:
        channels = self.builder.shape(self.x)[-1]
        scale = self.draw.uniform(0.02, 0.3, channels) * (self.draw.choice([-1, 1], channels) if negative else 1)
        offset = self.draw.standard_normal(channels) * 0.5
        return self.op(
            "affine",
            name,
            self.builder.constant(f"{name}/scale", scale),
            self.builder.constant(f"{name}/offset", offset),
        )

    def quantiser(self, kind: str, name: str) -> Net:
        QUANTISERS[kind](self, name)
        return self

    def graph(self) -> Graph:
        self.builder.output(self.x)
        return self.builder.graph()


Weights = Callable[[np.ndarray], np.ndarray]


def ternary(latent: np.ndarray) -> np.ndarray:
    """{-s, 0, s} with s = 0.3 for every filter."""
    return np.asarray(np.sign(latent) * (np.abs(latent) > 0.5) * np.float32(0.3))


def four_levels(latent: np.ndarray) -> np.ndarray:
    """±0.5 and ±1.5"""
    return np.asarray(np.floor(np.clip(latent, -1.99, 1.99)) + np.float32(0.5))


def zero_one(latent: np.ndarray) -> np.ndarray:
    """{0, 1}"""
    return (latent > 0).astype(np.float32)


def real(latent: np.ndarray) -> np.ndarray:
    return latent


def per_filter(latent: np.ndarray) -> np.ndarray:
    """sign(w) * mean|w| for each filter, as XNOR-Net has it."""
    axes = tuple(range(1, latent.ndim))
    return np.asarray(np.sign(latent) * np.abs(latent).mean(axis=axes, keepdims=True))


def kind(name: str) -> int:
    return abi.constant(f"BNN_{name}")


def _ste_sign(net: Net, name: str) -> None:
    net.op("step", name, threshold=0.0, low=-1.0, high=1.0)


def _heaviside(net: Net, name: str) -> None:
    net.op("step", name, threshold=float(np.finfo(np.float32).tiny), low=0.0, high=1.0)


def _dorefa(levels: int) -> Callable[[Net, str], None]:
    def put(net: Net, name: str) -> None:
        net.op("clamp", f"{name}/clip", lo=0.0, hi=1.0)
        net.op("affine", f"{name}/scale", net.const(f"{name}/n", levels))
        net.op("unary", f"{name}/round", kind=kind("ROUND"))
        net.op("affine", name, net.const(f"{name}/1/n", 1 / levels))

    return put


def _minimum_relu_round(net: Net, name: str) -> None:
    net.op("arith", f"{name}/min", net.const(f"{name}/one", 1.0), kind=kind("MIN"))
    net.op("clamp", f"{name}/relu", lo=0.0, hi=INF)
    net.op("unary", name, kind=kind("ROUND"))


def _where(net: Net, name: str) -> None:
    x = net.x
    shape = net.builder.shape(x)
    ones = net.builder.constant(f"{name}/ones", np.ones(shape))
    zeros = net.builder.constant(f"{name}/zeros", np.zeros(shape))
    condition = net.builder.node("arith", f"{name}/le", (x, net.const(f"{name}/half", 0.5)), kind=kind("LESS_EQUAL"))
    net.x = net.builder.node("select", name, (condition, zeros, ones))


def _scaled_sign(net: Net, name: str) -> None:
    _ste_sign(net, f"{name}/sign")
    net.op("affine", name, net.const(f"{name}/half", 0.5), net.const(f"{name}/shift", 0.5))


def _greater_cast(net: Net, name: str) -> None:
    net.op("arith", f"{name}/gt", net.const(f"{name}/zero", 0.1), kind=kind("GREATER"))
    net.op("arith", f"{name}/mul", net.const(f"{name}/two", 2.0), kind=kind("MUL"))
    net.op("arith", name, net.const(f"{name}/one", 1.0), kind=kind("SUB"))


def _above_zero(net: Net, name: str) -> None:
    """Between 0, which is not above, and the next number that is lies a denormal one, which counts as 0."""
    net.op("arith", name, net.const(f"{name}/zero", 0.0), kind=kind("GREATER"))


def _ternary(net: Net, name: str) -> None:
    x = net.x
    signs = []
    for at, shift in enumerate((0.05, -0.05)):
        shifted = net.builder.node("arith", f"{name}/add{at}", (x, net.const(f"{name}/t{at}", shift)), kind=kind("ADD"))
        signs.append(net.builder.node("unary", f"{name}/sign{at}", (shifted,), kind=kind("SIGN")))
    total = net.builder.node("arith", f"{name}/sum", tuple(signs), kind=kind("ADD"))
    net.x = net.builder.node("unary", name, (total,), kind=kind("SIGN"))


def _sum_of_signs(net: Net, name: str) -> None:
    x = net.x
    one = net.builder.node("step", f"{name}/one", (x,), threshold=0.1, low=-1.0, high=1.0)
    two = net.builder.node("step", f"{name}/two", (x,), threshold=-0.4, low=-1.0, high=1.0)
    net.x = net.builder.node("arith", name, (one, two), kind=kind("ADD"))


def _patched_sign(net: Net, name: str) -> None:
    """s = sign(x); s[s == 0] = 1"""
    net.op("unary", f"{name}/sign", kind=kind("SIGN"))
    zero, one = net.const(f"{name}/zero", 0.0), net.const(f"{name}/one", 1.0)
    missing = net.builder.node("arith", f"{name}/equal", (net.x, zero), kind=kind("EQUAL"))
    net.x = net.builder.node("select", name, (missing, one, net.x))


def _masks(net: Net, name: str) -> None:
    """y = x.clone(); y[x > 0.25] = 1; y[x <= 0.25] = 0"""
    x, limit = net.x, net.const(f"{name}/limit", 0.25)
    for part, test, value in (("above", "GREATER", 1.0), ("below", "LESS_EQUAL", 0.0)):
        mask = net.builder.node("arith", f"{name}/{part}", (x, limit), kind=kind(test))
        net.x = net.builder.node("select", f"{name}/{part}/put", (mask, net.const(f"{name}/{part}/to", value), net.x))


def _signed(net: Net, name: str) -> None:
    """Two bits of two's complement: -2 to 1, with the 0 of a padding amid them."""
    net.op("clamp", f"{name}/clip", lo=-2.0, hi=1.0)
    net.op("unary", name, kind=kind("ROUND"))


QUANTISERS: dict[str, Callable[[Net, str], None]] = {
    "ste_sign": _ste_sign,
    "heaviside": _heaviside,
    "dorefa1": _dorefa(1),
    "minimum_relu_round": _minimum_relu_round,
    "where": _where,
    "scaled_sign": _scaled_sign,
    "greater_cast": _greater_cast,
    "above_zero": _above_zero,
    "dorefa2": _dorefa(3),
    "dorefa3": _dorefa(7),
    "ternary": _ternary,
    "sum_of_signs": _sum_of_signs,
    "signed": _signed,
    "patched_sign": _patched_sign,
    "masks": _masks,
}
TWO_VALUED = (
    "ste_sign",
    "heaviside",
    "dorefa1",
    "minimum_relu_round",
    "where",
    "scaled_sign",
    "greater_cast",
    "above_zero",
    "patched_sign",
    "masks",
)


def quick(blocks: tuple[tuple[int, int], ...]) -> Graph:
    """A net after QuickNet: a float stem, then residual binary layers in blocks of (filters, layers)."""
    net = Net((1, 64, 64, 3)).conv("stem", blocks[0][0], stride=2, weights=real, bias=True)
    for filters, layers in blocks:
        if net.builder.shape(net.x)[-1] != filters:
            _, height, width, _ = net.builder.shape(net.x)
            net.op("max_pool2d", f"pool{filters}", window=window(2, 2, size=(height, width)))
            net.conv(f"widen{filters}", filters, kernel=1, weights=real, bias=True)
        for layer in range(layers):
            before = net.x
            net.quantiser("ste_sign", f"sign{filters}.{layer}").conv(f"conv{filters}.{layer}", filters)
            net.norm(f"norm{filters}.{layer}").op(
                "arith", f"add{filters}.{layer}", before, kind=abi.constant("BNN_ADD"), lo=-INF, hi=INF
            )
    net.op("mean", "mean", axes=0b110, shape=(1, net.builder.shape(net.x)[-1]))
    return net.dense("top", 100, weights=real).graph()


def as_neurons(graph: Graph) -> Graph:
    """The graph with an IF neuron, threshold 0.5, in the place of each round(clip(x, 0, 1)).

    round() takes 0.5 to 0, so a spike needs more than that.
    """
    made = {node.output: node for node in graph.nodes}
    half = replace(graph.tensors[graph.inputs[0]], name="half", shape=(1,), data=np.full(1, 0.5, np.float32))
    nodes: list[Node] = []
    for node in graph.nodes:
        rounds = node.op == "unary" and node.params["kind"] == abi.constant("BNN_ROUND")
        if rounds:
            clip = made[str(node.inputs[0])]
            while clip.op != "clamp":
                clip = made[str(clip.inputs[0])]
            params = {"emit": 0, "reset": abi.constant("BNN_RESET_VALUE"), "strict": 1, "spike": 0}
            node = replace(node, op="lif", inputs=(clip.inputs[0], "half"), params=params)
        nodes.append(node)
    return replace(graph, nodes=tuple(nodes), tensors={**graph.tensors, "half": half})
