# SPDX-License-Identifier: Apache-2.0
"""NIR networks that feed back into themselves, and graphs within graphs."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import abi
from harness.errors import ModelError
from harness.model import container, importers, pipeline, reference
from harness.model.graph import Array
from tests.unit import nir_writer as nir

T = 30
DRAW = np.random.default_rng(11)
SPIKES = (DRAW.random((T, 6)) < 0.4).astype(np.float32)
CURRENTS = DRAW.uniform(-0.5, 1.0, (T, 6)).astype(np.float32)
WEIGHT = DRAW.uniform(-0.6, 0.8, (6, 6)).astype(np.float32)
BIAS = DRAW.uniform(-0.2, 0.3, 6).astype(np.float32)


def affine(weight: Array = WEIGHT, bias: Array = BIAS) -> nir.Fields:
    return {"type": "Affine", "weight": weight, "bias": bias}


def ports(size: int = 6) -> dict[str, nir.Fields]:
    return {"input": {"type": "Input", "shape": [size]}, "output": {"type": "Output", "shape": [size]}}


LOOP = [("input", "lif"), ("lif", "rec"), ("rec", "lif"), ("lif", "output")]


def loop(path: Path, back: nir.Fields, neurons: nir.Fields) -> Path:
    return nir.write(path, {**ports(), "lif": neurons, "rec": back}, LOOP)


def run(path: Path, x: Array, sim: str) -> Array:
    found: Array = reference.run(importers.load(path, sim=sim), [x])[0]
    return found


def test_a_spike_comes_back_in_the_next_step(tmp_path: Path) -> None:
    """As snnTorch's RLeaky has it: the bias of what feeds back is there in the first step already."""
    path = loop(tmp_path / "m.nir", affine(), nir.lif(tau=1e-3, r=10.0))
    u, spikes, expected = np.zeros(6), np.zeros(6), []
    for current in CURRENTS:
        u = 0.9 * u + current + WEIGHT @ spikes + BIAS - (u > 1)
        spikes = (u > 1).astype(float)
        expected.append(spikes)
    assert 0.05 < np.mean(expected) < 0.95
    np.testing.assert_array_equal(run(path, CURRENTS, "snntorch,input=real"), expected)


def test_a_current_based_neuron_that_feeds_back(tmp_path: Path) -> None:
    """As snnTorch's RSynaptic has it."""
    cuba = {"type": "CubaLIF", "tau_syn": 5e-4, "tau_mem": 1e-3, "r": 10.0, "w_in": 5.0, "v_leak": 0.0,
            "v_threshold": 1.0, "v_reset": 0.0}  # fmt: skip
    path = loop(tmp_path / "m.nir", affine(), cuba)
    i, u, spikes, expected = np.zeros(6), np.zeros(6), np.zeros(6), []
    for current in CURRENTS:
        i = 0.8 * i + current + WEIGHT @ spikes + BIAS
        u = 0.9 * u + i - (u > 1)
        spikes = (u > 1).astype(float)
        expected.append(spikes)
    assert 0.05 < np.mean(expected) < 0.95
    np.testing.assert_array_equal(run(path, CURRENTS, "snntorch,input=real"), expected)


def test_two_layers_that_feed_back_to_the_first(tmp_path: Path) -> None:
    """Only the edge back is late: the second layer sees what the first does in the same step."""
    nodes = {**ports(), "a": nir.spiking(), "b": nir.spiking(), "f": affine(WEIGHT.T), "g": affine()}
    edges = [("input", "a"), ("a", "f"), ("f", "b"), ("b", "g"), ("g", "a"), ("b", "output")]
    path = nir.write(tmp_path / "m.nir", nodes, edges)
    v, w, second, expected = np.zeros(6), np.zeros(6), np.zeros(6), []
    for current in CURRENTS:
        v = v + current + WEIGHT @ second + BIAS
        first = (v >= 1).astype(float)
        v = v - first
        w = w + WEIGHT.T @ first + BIAS
        second = (w >= 1).astype(float)
        w = w - second
        expected.append(second)
    assert 0.05 < np.mean(expected) < 0.95
    np.testing.assert_array_equal(run(path, CURRENTS, "sinabs,input=real"), expected)


def test_what_feeds_back_and_is_read_forward_too(tmp_path: Path) -> None:
    """The output reads this step's product, the neurons that of the step before."""
    nodes = {**ports(), "lif": nir.spiking(), "rec": affine()}
    path = nir.write(tmp_path / "m.nir", nodes, [*LOOP[:3], ("rec", "output")])
    v, spikes, expected = np.zeros(6), np.zeros(6), []
    for current in CURRENTS:
        v = v + current + WEIGHT @ spikes + BIAS
        spikes = (v >= 1).astype(float)
        v = v - spikes
        expected.append(WEIGHT @ spikes + BIAS)
    np.testing.assert_allclose(run(path, CURRENTS, "sinabs,input=real"), expected, atol=1e-5)


def test_a_circle_without_neurons_takes_a_step(tmp_path: Path) -> None:
    nodes = {**ports(), "a": {"type": "Scale", "scale": np.full(6, 0.5)}, "b": {"type": "Scale", "scale": np.ones(6)}}
    edges = [("input", "a"), ("a", "b"), ("b", "a"), ("b", "output")]
    path = nir.write(tmp_path / "m.nir", nodes, edges)
    y, expected = np.zeros(6), []
    for current in CURRENTS:
        y = 0.5 * (current + y)
        expected.append(y)
    np.testing.assert_allclose(run(path, CURRENTS, "sinabs,input=real"), expected, rtol=1e-5)


def test_images_and_several_loops(tmp_path: Path) -> None:
    """A convolution around its own neurons, which have a threshold each, and a loop of signs behind it."""
    weight = nir.signs(3, 3, 3, 3)
    limits = DRAW.uniform(0.4, 1.2, (3, 4, 5)).astype(np.float32)
    nodes: dict[str, nir.Fields] = {
        "input": {"type": "Input", "shape": [3, 4, 5]},
        "a": nir.spiking(threshold=limits),
        "conv": nir.conv(weight, padding=[1, 1]),
        "flat": {"type": "Flatten", "start_dim": 0, "end_dim": -1},
        "fc": {"type": "Linear", "weight": nir.signs(7, 60, seed=1)},
        "b": nir.spiking(threshold=0.5),
        "rec": {"type": "Linear", "weight": nir.signs(7, 7, seed=2)},
        "output": {"type": "Output", "shape": [7]},
    }
    edges = [("input", "a"), ("a", "conv"), ("conv", "a"), ("a", "flat"), ("flat", "fc"), ("fc", "b"), ("b", "rec"),
             ("rec", "b"), ("b", "output")]  # fmt: skip
    path = nir.write(tmp_path / "m.nir", nodes, edges)
    ready = pipeline.prepare(path, sim="sinabs")
    assert [layer.kind for layer in ready.layers] == ["binary01"] * 3
    x = (DRAW.random((T, 3, 4, 5)) < 0.3).astype(np.float32)
    v, w = np.zeros((3, 4, 5)), np.zeros(7)
    first, second, expected = np.zeros((3, 4, 5)), np.zeros(7), []
    for current in x:
        padded = np.pad(first, ((0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
        v = v + current + np.einsum("chwij,ocij->ohw", windows, weight)
        first = (v >= limits).astype(float)
        v = v - first * limits
        w = w + nodes["fc"]["weight"] @ first.ravel() + nodes["rec"]["weight"] @ second
        second = (w >= 0.5).astype(float)
        w = w - second * 0.5
        expected.append(second)
    assert 0.05 < np.mean(expected) < 0.95
    golden = ready.golden([x])[0]
    agree = np.mean(golden == np.asarray(expected))
    assert agree == 1.0
    np.testing.assert_array_equal(reference.run(ready.binary, [x])[0], golden)
    ready.prove([x])


def test_a_loop_is_kept_in_the_file(tmp_path: Path) -> None:
    ready = pipeline.prepare(loop(tmp_path / "m.nir", affine(nir.signs(6, 6)), nir.lif()), sim="snntorch")
    (tmp_path / "m.bnn").write_bytes(ready.bnn)
    again = importers.load(tmp_path / "m.bnn")
    assert (again.arguments, len(again.loops)) == (("input",), 1)
    assert container.encode(again) == ready.bnn
    np.testing.assert_array_equal(reference.run(again, [SPIKES])[0], ready.golden([SPIKES])[0])


@pytest.mark.parametrize("count", [2, 3, (1 << 32) - 1])
def test_a_file_with_more_states_than_it_has(tmp_path: Path, count: int) -> None:
    ready = pipeline.prepare(loop(tmp_path / "m.nir", affine(), nir.lif()), sim="snntorch")
    image = bytearray(ready.bnn)
    header = abi.struct("header")
    abi.ffi().buffer(header)[:] = image[: abi.ffi().sizeof("struct bnn_header")]
    header.state_count, header.checksum = count, 0
    image[: abi.ffi().sizeof("struct bnn_header")] = abi.pack(header)
    image[container.CHECKSUM_AT : container.CHECKSUM_AT + 4] = zlib.crc32(image).to_bytes(4, "little")
    (tmp_path / "m.bnn").write_bytes(image)
    with pytest.raises(ModelError, match="state"):
        importers.load(tmp_path / "m.bnn")


@pytest.mark.parametrize("shape", [(6,), (3, 2), (3, 2, 2)])
def test_delays(tmp_path: Path, shape: tuple[int, ...]) -> None:
    """Of each element, of each channel, or one for all; none is one of them."""
    x = DRAW.standard_normal((T, *shape)).astype(np.float32)
    for delay in (DRAW.integers(0, 5, shape) * 1e-4, np.full(1, 3e-4), np.zeros(shape), np.arange(shape[0]) * 2e-4):
        path = nir.chain(tmp_path / "m.nir", shape, {"type": "Delay", "delay": delay})
        lags = np.rint(np.asarray(delay).reshape(*delay.shape, *[1] * (len(shape) - delay.ndim)) / 1e-4)
        past = np.stack(
            [np.roll(x, lag, axis=0) * (np.arange(T) >= lag).reshape(-1, *[1] * len(shape)) for lag in range(12)]
        )
        lags = np.broadcast_to(lags, shape).astype(int)
        expected = np.take_along_axis(past, lags[np.newaxis, np.newaxis], axis=0)[0]
        graph = importers.load(path, sim="snntorch,input=real")
        parts = [x] if graph.spiking else np.split(x, T)
        np.testing.assert_array_equal(np.concatenate([reference.run(graph, [part])[0] for part in parts]), expected)


def test_delayed_spikes_are_spikes(tmp_path: Path) -> None:
    delay = {"type": "Delay", "delay": np.arange(6) % 3 * 1e-4}
    linear = {"type": "Linear", "weight": nir.signs(6, 6)}
    path = nir.chain(tmp_path / "m.nir", [6], nir.lif(), delay, linear, nir.lif())
    ready = pipeline.prepare(path, sim="snntorch")
    assert [layer.kind for layer in ready.layers] == ["binary01"]
    ready.prove([SPIKES])


def test_a_delay_in_a_circle_adds_to_its_step(tmp_path: Path) -> None:
    nodes = {**ports(), "lif": nir.spiking(), "late": {"type": "Delay", "delay": np.full(6, 2.0)}, "rec": affine()}
    edges = [("input", "lif"), ("lif", "late"), ("late", "rec"), ("rec", "lif"), ("lif", "output")]
    path = nir.write(tmp_path / "m.nir", nodes, edges)
    v, past, expected = np.zeros(6), [np.zeros(6)] * 3, []
    for current in CURRENTS:
        v = v + current + WEIGHT @ past[-3] + BIAS
        past.append((v >= 1).astype(float))
        v = v - past[-1]
        expected.append(past[-1])
    np.testing.assert_array_equal(run(path, CURRENTS, "sinabs,input=real"), expected)


@pytest.mark.parametrize("delay", [-1e-4, 1e9, np.nan])
def test_impossible_delays(tmp_path: Path, delay: float) -> None:
    path = nir.chain(tmp_path / "m.nir", [6], {"type": "Delay", "delay": np.full(6, delay)})
    with pytest.raises(ModelError):
        importers.load(path, sim="snntorch")


def nested(nodes: Mapping[str, nir.Fields], edges: list[tuple[str, str]]) -> nir.Fields:
    return {"type": "NIRGraph", "nodes": nodes, "edges": edges}


def test_a_layer_that_is_a_graph(tmp_path: Path) -> None:
    """snnTorch writes a recurrent layer so."""
    inner = nested({**ports(), "lif": nir.lif(), "rec": affine()}, LOOP)
    plain = loop(tmp_path / "a.nir", affine(), nir.lif())
    nodes = {**ports(), "0": {"type": "Linear", "weight": np.eye(6)}, "1": inner}
    path = nir.write(tmp_path / "b.nir", nodes, [("input", "0"), ("0", "1"), ("1", "output")])
    np.testing.assert_array_equal(run(path, SPIKES, "snntorch"), run(plain, SPIKES, "snntorch"))
    assert {node.name for node in importers.load(path).nodes} >= {"1.lif", "1.rec"}


def test_graphs_in_graphs_in_graphs(tmp_path: Path) -> None:
    scale: nir.Fields = {"type": "Scale", "scale": np.full(6, 3.0)}
    for _ in range(3):
        scale = nested({**ports(), "x": scale}, [("input", "x"), ("x", "output")])
    path = nir.write(tmp_path / "m.nir", {**ports(), "g": scale}, [("input", "g"), ("g", "output")])
    x = CURRENTS[:1]
    np.testing.assert_array_equal(run(path, x, "sinabs,input=real"), 3 * x)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"second": {"type": "Input", "shape": [6]}}, "2 nodes Input"),
        ({"output": {"type": "Scale", "scale": np.ones(6)}}, "0 nodes Output"),
    ],
)
def test_a_graph_whose_ports_cannot_be_told(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    inner = nested({**ports(), "x": {"type": "Scale", "scale": np.ones(6)}, **change}, [("input", "x")])
    path = nir.write(tmp_path / "m.nir", {**ports(), "g": inner}, [("input", "g"), ("g", "output")])
    with pytest.raises(ModelError, match=message):
        importers.load(path)
