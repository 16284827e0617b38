# SPDX-License-Identifier: Apache-2.0
"""Manifests of corpora, and arrays that fit a model or are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.bench import corpus, once
from harness.errors import UsageError
from harness.model.graph import Builder, Graph


def manifest(folder: Path, **model: Any) -> Path:
    tolerance = {"atol": 1e-6, "rtol": 1e-5}
    entry = {"name": "net", "input": "x.npy", "golden": "y.npy", "tolerance": tolerance} | model
    (folder / "manifest.json").write_text(json.dumps({"models": [entry]}), "utf-8")
    return folder


def test_one_file_or_one_a_format(tmp_path: Path) -> None:
    (item,) = corpus.read(manifest(tmp_path, file="net.tflite"))
    assert (item.name, item.format, item.path) == ("net", "tflite", tmp_path / "net.tflite")
    folder = manifest(tmp_path, files={"h5": "net.h5", "keras": "net.keras"})
    assert [item.format for item in corpus.read(folder)] == ["h5", "keras"]
    assert [item.format for item in corpus.read(folder, ("keras",))] == ["keras"]
    with pytest.raises(UsageError, match=r"no model of the format onnx.*h5, keras"):
        corpus.read(folder, ("onnx",))


def test_of_several_samples_of_a_zoo_net_one_may_meet_a_tie(tmp_path: Path) -> None:
    more = [{"input": "x1.npy", "golden": "y1.npy"}, {"input": "x2.npy", "golden": "y2.npy"}]
    (zoo,) = corpus.read(manifest(tmp_path, file="n.h5", kind="zoo", more_inputs=more))
    (seed,) = corpus.read(manifest(tmp_path, file="n.h5", kind="seed", more_inputs=more))
    assert (len(zoo.samples), zoo.required, seed.required) == (3, 2, 3)


@pytest.mark.parametrize("text", ["", "{}", '{"models": [{}]}', "[1]"])
def test_a_damaged_manifest_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text, "utf-8")
    with pytest.raises(UsageError):
        corpus.read(tmp_path)


def test_npz_arrays_follow_the_names_of_the_inputs(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", b=np.ones(2), a=np.zeros(3))
    assert [len(array) for array in corpus.arrays(tmp_path / "x.npz", ("a", "b"))] == [3, 2]
    assert [len(array) for array in corpus.arrays(tmp_path / "x.npz")] == [2, 3]


def test_pickled_arrays_are_never_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(UsageError, match="no arrays that can be read"):
        corpus.arrays(tmp_path / "x.npy")


def graph() -> Graph:
    builder = Builder("net")
    image = builder.input("image", (1, 4, 4, 3))
    extra = builder.input("extra", (1, 4, 4, 3))
    builder.output(builder.node("arith", "sum", (image, extra), kind=1, lo=-np.inf, hi=np.inf))
    return builder.graph()


def test_a_larger_leading_dimension_means_more_runs() -> None:
    x = np.ones((5, 4, 4, 3))
    fitted, runs = once.fit(graph(), [x, x])
    assert runs == 5
    assert fitted[0].dtype == np.float32
    assert once.fit(graph(), [x[0], x[0]])[1] == 1, "an image without its batch axis"


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ([np.ones((1, 4, 4, 3))], "takes 2 inputs, 1 were given"),
        ([np.ones((1, 4, 4, 3)), np.ones((1, 4, 3, 4))], "has the shape"),
        ([np.ones((2, 4, 4, 3)), np.ones((3, 4, 4, 3))], "different numbers of samples"),
        ([np.ones((1, 4, 4, 3), complex), np.ones((1, 4, 4, 3))], "is float32, the array complex128"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_in_words(arrays: list[Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        once.fit(graph(), arrays)
