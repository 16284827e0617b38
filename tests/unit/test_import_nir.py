# SPDX-License-Identifier: Apache-2.0
"""NIR files: those that frameworks wrote give their spikes, nodes compute their equations, bad files are refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from harness.bench import corpus, once
from harness.errors import ModelError, UnsupportedModel, UsageError
from harness.model import importers, pipeline, reference, simulation
from harness.model.graph import Array
from harness.model.pipeline import Prepared
from tests.unit import nir_writer as nir

DATA = Path(__file__).parent.parent / "data" / "nir"
ITEMS = corpus.read(DATA)


def prepared(item: corpus.Item) -> tuple[Prepared, list[Array]]:
    ready = pipeline.prepare(item.path, sim=item.sim or "")
    return ready, once.fit(ready.graph, item.samples[0].inputs(ready.graph.inputs))[0]


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.name)
def test_the_spikes_of_the_framework(item: corpus.Item) -> None:
    ready, inputs = prepared(item)
    (golden,) = item.samples[0].outputs()
    np.testing.assert_array_equal(ready.golden(inputs)[0], golden)
    np.testing.assert_array_equal(reference.run(ready.binary, inputs)[0], golden)
    ready.prove(inputs)


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("snntorch_conv_layer_sub", "binary01 float binary01"),
        ("snntorch_conv_channel_zero", "binary01 binary01 float"),
        ("snntorch_float_control", "float ternary float"),
        ("spikingjelly_if_layer", "binary01 float binary01"),
        ("spikingjelly_lif_mixed", "float binary01 binary01"),
        ("sinabs_iaf_sumpool", "binary01 float binary01"),
    ],
)
def test_which_layers_run_on_bits(name: str, kinds: str) -> None:
    ready, _ = prepared(next(item for item in ITEMS if item.name == name))
    assert [layer.kind for layer in ready.layers] == kinds.split()


def test_neurons_between_binary_layers_write_bits() -> None:
    ready, _ = prepared(next(item for item in ITEMS if item.name == "snntorch_conv_channel_zero"))
    written = [ready.binary.tensors[node.output].dtype for node in ready.binary.nodes if node.op == "lif"]
    assert written == ["bits", "f32", "f32"]


def test_who_wrote_a_file_is_guessed_and_told() -> None:
    for item in ITEMS:
        notes = " ".join(importers.load(item.path).notes)
        assert f"--sim {item.name.split('_')[0]} is assumed" in notes
        assert not importers.load(item.path, sim="snntorch").notes


def steps(path: Path, x: Array, sim: str) -> Array:
    """The output of every step; a network without neurons has no time, and takes them one by one."""
    graph = importers.load(path, sim=f"{sim},input=real")
    parts = [x] if graph.spiking else np.split(x, len(x))
    return np.concatenate([reference.run(graph, [part.astype(np.float32)])[0] for part in parts])


def currents(count: int = 40, neurons: int = 5) -> Array:
    return np.random.default_rng(3).uniform(-0.5, 1.0, (count, neurons)).astype(np.float32)


def test_snntorch(tmp_path: Path) -> None:
    path = nir.chain(tmp_path / "m.nir", [5], nir.lif(tau=1e-3, r=10.0))
    for reset in ("subtract", "zero"):
        u, expected = np.zeros(5), []
        for current in currents():
            fired = u > 1
            u = 0.9 * u + current - fired if reset == "subtract" else 0.9 * (1 - fired) * u + current
            expected.append(u > 1)
        np.testing.assert_array_equal(steps(path, currents(), f"snntorch,reset={reset}"), expected)


def test_spikingjelly(tmp_path: Path) -> None:
    path = nir.chain(tmp_path / "m.nir", [5], nir.lif(tau=np.float64(2e-4), r=1.0, threshold=0.4, v_reset=-0.2))
    v, expected = np.zeros(5), []
    for current in currents():
        h = v + (-0.0 - v + current) / 2
        expected.append(h >= 0.4)
        v = np.where(expected[-1], -0.2, h)
    np.testing.assert_array_equal(steps(path, currents(), "spikingjelly"), expected)


def test_sinabs_counts(tmp_path: Path) -> None:
    path = nir.chain(tmp_path / "m.nir", [5], nir.spiking(threshold=0.3))
    v, expected = np.zeros(5), []
    for current in currents():
        v = v + current
        expected.append(np.where(v > 0, np.floor(v / np.float32(0.3)), 0))
        v = v - expected[-1] * np.float32(0.3)
    assert np.max(expected) > 1
    np.testing.assert_array_equal(steps(path, currents(), "sinabs,spike=multi"), expected)


def test_a_current_based_neuron(tmp_path: Path) -> None:
    fields = {"type": "CubaLIF", "tau_syn": 2e-4, "tau_mem": 5e-4, "r": 2.0, "v_leak": 0.1, "w_in": 1.5}
    path = nir.chain(tmp_path / "m.nir", [5], {**fields, "v_threshold": 0.7, "v_reset": 0.0})
    i, v, expected = np.zeros(5), np.zeros(5), []
    for current in currents():
        i = i + 0.5 * (1.5 * current - i)
        h = v + 0.2 * (0.1 - v + 2 * i)
        expected.append(h >= 0.7)
        v = np.where(expected[-1], 0, h)
    assert np.any(expected)
    np.testing.assert_array_equal(steps(path, currents(), "spikingjelly"), expected)


def test_a_layer_that_does_not_spike_gives_its_membrane(tmp_path: Path) -> None:
    path = nir.chain(tmp_path / "m.nir", [5], {"type": "LI", "tau": 4e-4, "r": 1.0, "v_leak": 0.0})
    v, expected = np.zeros(5), []
    for current in currents():
        v = v + 0.25 * (current - v)
        expected.append(v)
    np.testing.assert_allclose(steps(path, currents(), "snntorch"), expected, rtol=1e-5)


@pytest.mark.parametrize("shape", [(3,), (3, 4, 2)])
def test_a_constant_of_each_neuron_stands_at_its_neuron(tmp_path: Path, shape: tuple[int, ...]) -> None:
    limits = np.random.default_rng(1).uniform(0.1, 1, (3, 4, 2)).astype(np.float32)
    threshold = limits if len(shape) == 3 else limits[:, 0, 0]
    path = nir.chain(tmp_path / "m.nir", [3, 4, 2], nir.spiking(threshold=threshold))
    x = np.full((1, 3, 4, 2), 0.5, np.float32)
    expected = np.broadcast_to(limits if len(shape) == 3 else threshold[:, None, None], x.shape[1:]) <= 0.5
    np.testing.assert_array_equal(steps(path, x, "sinabs")[0], expected)


def test_flattened_features_keep_the_order_of_the_file(tmp_path: Path) -> None:
    flatten = {"type": "Flatten", "start_dim": 0, "end_dim": -1, "input_type": [3, 4, 2]}
    weight = np.random.default_rng(2).standard_normal((5, 24)).astype(np.float32)
    x = np.random.default_rng(4).standard_normal((2, 3, 4, 2)).astype(np.float32)
    dense = nir.chain(tmp_path / "a.nir", [3, 4, 2], flatten, {"type": "Linear", "weight": weight})
    np.testing.assert_allclose(steps(dense, x, "sinabs"), x.reshape(2, 24) @ weight.T, rtol=1e-4, atol=1e-5)
    scale = np.arange(24, dtype=np.float32)
    plain = nir.chain(tmp_path / "b.nir", [3, 4, 2], flatten, {"type": "Scale", "scale": scale})
    np.testing.assert_array_equal(steps(plain, x, "sinabs"), x.reshape(2, 24) * scale)


def test_two_edges_into_a_node_are_added(tmp_path: Path) -> None:
    nodes: dict[str, nir.Fields] = {
        "input": {"type": "Input", "shape": [4]},
        "a": {"type": "Scale", "scale": np.full(4, 2.0)},
        "b": {"type": "Scale", "scale": np.full(4, 3.0)},
        "output": {"type": "Output", "shape": [4]},
    }
    edges = [("input", "a"), ("input", "b"), ("a", "output"), ("b", "output")]
    path = nir.write(tmp_path / "m.nir", nodes, edges)
    np.testing.assert_array_equal(steps(path, np.ones((1, 4)), "sinabs"), np.full((1, 4), 5.0))


def test_an_output_that_is_read_hands_on_what_it_gets(tmp_path: Path) -> None:
    nodes: dict[str, nir.Fields] = {
        "input": {"type": "Input", "shape": [4]},
        "a": {"type": "Scale", "scale": np.full(4, 2.0)},
        "first": {"type": "Output", "shape": [4]},
        "b": {"type": "Scale", "scale": np.full(4, 3.0)},
        "second": {"type": "Output", "shape": [4]},
    }
    path = nir.write(tmp_path / "m.nir", nodes, list(pairwise(nodes)))
    ready = pipeline.prepare(path, sim="sinabs")
    first, second = ready.golden([np.ones((1, 4), np.float32)])
    np.testing.assert_array_equal([first, second], [np.full((1, 4), 2.0), np.full((1, 4), 6.0)])


@pytest.mark.parametrize("padding", ["same", "valid", [1, 1]])
def test_grouped_and_padded_convolutions(tmp_path: Path, padding: Any) -> None:
    path = nir.chain(tmp_path / "m.nir", [4, 6, 6], nir.conv(nir.signs(8, 2, 3, 3), padding=padding, groups=2))
    size = 4 if padding == "valid" else 6
    assert steps(path, np.ones((1, 4, 6, 6)), "sinabs").shape == (1, 8, size, size)


@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "groups", "sides"),
    [(1, 0, 1, 1, (0, 0)), (2, 3, 1, 2, (3, 3)), (1, "same", 3, 1, (4, 5)), (3, "valid", 2, 4, (0, 0))],
)
def test_convolutions_along_a_line(
    tmp_path: Path, stride: int, padding: Any, dilation: int, groups: int, sides: tuple[int, int]
) -> None:
    size = 3 if dilation == 2 else 4
    draw = np.random.default_rng(5)
    weight, bias = draw.standard_normal((8, 4 // groups, size)).astype(np.float32), draw.standard_normal(8)
    fields = {"type": "Conv1d", "weight": weight, "bias": bias, "input_shape": 19, "stride": stride}
    layer = {**fields, "padding": padding, "dilation": dilation, "groups": groups}
    x = draw.standard_normal((3, 4, 19)).astype(np.float32)
    padded = np.pad(x, ((0, 0), (0, 0), sides))
    reach = dilation * (size - 1)
    windows = np.stack(
        [padded[..., at : at + reach + 1 : dilation] for at in range(0, padded.shape[-1] - reach, stride)]
    )
    windows = windows.transpose(1, 0, 2, 3).reshape(3, -1, groups, 4 // groups, size)
    expected = np.einsum("tlgik,goik->tgol", windows, weight.reshape(groups, -1, 4 // groups, size))
    expected = expected.reshape(3, 8, -1) + bias[:, np.newaxis]
    path = nir.chain(tmp_path / "m.nir", [4, 19], layer)
    np.testing.assert_allclose(steps(path, x, "sinabs"), expected, rtol=1e-4, atol=1e-5)


def test_neurons_along_a_line_and_what_reads_them_flat(tmp_path: Path) -> None:
    limits = np.random.default_rng(1).uniform(0.1, 1, (3, 7)).astype(np.float32)
    weight = np.random.default_rng(2).standard_normal((5, 21)).astype(np.float32)
    x = np.random.default_rng(3).uniform(0, 1, (1, 3, 7)).astype(np.float32)
    neurons = nir.spiking(threshold=limits)
    path = nir.chain(tmp_path / "a.nir", [3, 7], neurons)
    fired = steps(path, x, "sinabs")
    np.testing.assert_array_equal(fired[0], x[0] >= limits)
    flat = nir.chain(tmp_path / "b.nir", [3, 7], neurons, {"type": "Flatten", "start_dim": 0, "end_dim": -1})
    np.testing.assert_array_equal(steps(flat, x, "sinabs"), fired.reshape(1, 21))
    dense = nir.chain(tmp_path / "c.nir", [3, 7], neurons, {"type": "Flatten", "end_dim": 1, "start_dim": 0},
                      {"type": "Linear", "weight": weight})  # fmt: skip
    np.testing.assert_allclose(steps(dense, x, "sinabs"), fired.reshape(1, 21) @ weight.T, rtol=1e-4)


def test_membranes_that_are_whole_numbers_meet_their_threshold_exactly(tmp_path: Path) -> None:
    """Ten spikes of 0.1 make 1, whatever float32 makes of their sum."""
    weight = np.full((1, 1, 1, 1), 0.1, np.float32)
    for reset in ("zero", "subtract"):
        path = nir.chain(tmp_path / "m.nir", [1, 1, 1], nir.conv(weight), nir.spiking())
        ready = pipeline.prepare(path, sim=f"sinabs,reset={reset}")
        (neurons,) = (node for node in ready.binary.nodes if node.op == "lif")
        assert ready.binary.tensors[str(neurons.inputs[1])].data == 10
        spikes = reference.run(ready.binary, [np.ones((40, 1, 1, 1), np.float32)])[0].ravel()
        assert list(np.flatnonzero(spikes)) == [9, 19, 29, 39]


def test_real_numbers_are_no_spikes() -> None:
    graph = importers.load(ITEMS[0].path)
    with pytest.raises(UsageError, match="takes spikes"):
        once.fit(graph, [np.full((3, 2, 12, 12), 0.5, np.float32)])


def test_a_simulation_of_a_network_without_spikes() -> None:
    with pytest.raises(UsageError, match="no spiking network"):
        importers.load(Path("models/seed_float.h5").resolve(), sim="snntorch")


@pytest.mark.parametrize("words", ["torch", "reset=hard", "dt=0", "dt=x", "tau=3", "reset_delay=1", "spike_when=<"])
def test_words_that_mean_nothing(words: str) -> None:
    with pytest.raises(UsageError):
        simulation.parse(words)


def test_single_values_change_a_preset() -> None:
    found = simulation.parse("snntorch,reset=zero,dt=2e-4,spike_when=>=")
    assert (found.reset, found.dt, found.spike_when, found.reset_delay) == ("zero", 2e-4, ">=", True)


def _delete(file: Any, path: str) -> None:
    del file[path]


def _put(file: Any, path: str, value: Any) -> None:
    del file[path]
    file[path] = value


def _virtual(file: Any) -> None:
    del file["node/nodes/0/weight"]
    file["node/nodes/0/weight"] = h5py.ExternalLink("/etc/hostname", "/x")


BROKEN: dict[str, tuple[Callable[[Any], None], str]] = {
    "no weight": (lambda f: _delete(f, "node/nodes/0/weight"), "are missing"),
    "no output": (lambda f: _delete(f, "node/nodes/output"), "does not exist"),
    "no edges": (lambda f: _delete(f, "node/edges"), "no graph"),
    "no type": (lambda f: _delete(f, "node/nodes/1/type"), "missing|knows no|not know"),
    "a link in circles": (
        lambda f: _put(f, "node/nodes/0/weight", h5py.SoftLink("/node/nodes/0/weight")), "not followed",
    ),
    "a link to another file": (_virtual, "not followed"),
    "weights of text": (lambda f: _put(f, "node/nodes/0/weight", np.zeros((2, 2, 3, 3), "S3")), "not floats"),
    "weights that are not finite": (lambda f: _put(f, "node/nodes/0/weight", np.full((2, 2, 3, 3), np.inf)), "NaN"),
    "tau of zero": (lambda f: _put(f, "node/nodes/1/tau", np.float32(0)), "tau"),
    "tau of another shape": (lambda f: _put(f, "node/nodes/1/tau", np.ones(7, np.float32)), "tau"),
    "a stride of zero": (lambda f: _put(f, "node/nodes/0/stride", [0, 0]), "not possible"),
    "a huge stride": (lambda f: _put(f, "node/nodes/0/stride", [1 << 40, 1]), "not possible"),
    "a negative padding": (lambda f: _put(f, "node/nodes/0/padding", [-5, -5]), "not possible"),
    "no groups": (lambda f: _put(f, "node/nodes/0/groups", 0), "groups"),
    "an input without a shape": (lambda f: _delete(f, "node/nodes/input/shape"), "shape"),
    "a huge input": (lambda f: _put(f, "node/nodes/input/shape", [2, 1 << 20, 1 << 20]), "elements"),
    "an empty input": (lambda f: _put(f, "node/nodes/input/shape", [2, 0, 8]), "holds nothing"),
    "edges of numbers": (lambda f: _put(f, "node/edges", np.zeros((4, 2))), "no graph"),
    "an edge into the input": (
        lambda f: _put(f, "node/edges", [["input", "0"], ["0", "1"], ["1", "output"], ["1", "input"]]), "leads to it",
    ),
    "an unknown padding": (lambda f: _put(f, "node/nodes/0/padding", "mirror"), "padding"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused(tmp_path: Path, name: str) -> None:
    path = nir.chain(tmp_path / "m.nir", [2, 8, 8], nir.conv(nir.signs(2, 2, 3, 3), padding=[1, 1]), nir.lif())
    change, message = BROKEN[name]
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(ModelError, match=message):
        importers.load(path)


@pytest.mark.parametrize("size", [0, 7, 100, 4000])
def test_a_cut_file_is_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "m.nir"
    shutil.copy(ITEMS[0].path, path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ModelError):
        importers.load(path)


def test_nodes_that_nobody_knows_are_all_named(tmp_path: Path) -> None:
    path = nir.chain(tmp_path / "m.nir", [4], {"type": "Slice", "axis": 1}, {"type": "Conv3d"})
    with pytest.raises(UnsupportedModel) as caught:
        importers.load(path)
    assert caught.value.operations == ("Conv3d", "Slice")
