# SPDX-License-Identifier: Apache-2.0
"""The commands as a person types them: exit codes, one clear message for a mistake, and JSON that is only JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.bench import golden, store
from harness.model import pipeline
from harness.report import export, page
from tests.unit.records import story

ROOT = Path(__file__).resolve().parents[2]
DOREFA = ROOT / "models" / "seed_dorefa.h5"


class Inv:
    """Runs `inv` in a folder of its own, with its own place for runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "invoke", "--search-root", str(ROOT), *map(str, words)]
        environment = os.environ | {"BITRIG_RUNS": str(self.folder / "runs"), "NO_COLOR": "1"}
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=900)

    def json(self, *words: str | Path) -> Any:
        done = self(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def inv(tmp_path: Path) -> Inv:
    return Inv(tmp_path)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["explain"], 2, "needs a model"),
        (["explain", "--model", "gone.h5"], 2, "no model file 'gone.h5'"),
        (["bench", "--model", "gone.h5"], 2, "no model file 'gone.h5'"),
        (["bench", "--device", "locla"], 2, "local"),
        (["bench", "--rounds", "many"], 2, "--rounds takes a number"),
        (["bench", "--rounds", "9-7"], 2, "--rounds takes a range"),
        (["build", "--target", "vax"], 2, "vax"),
        (["report", "--run", "nothing"], 2, "no run 'nothing'"),
        (["verify", "--corpus", "nowhere"], 2, "manifest.json"),
        (["run", "--model", str(DOREFA)], 2, "takes 1 inputs, 0 were given"),
        (["run", "--model", str(DOREFA), "--input", "gone.npy"], 2, "no file 'gone.npy'"),
    ],
)
def test_a_mistake_gets_one_clear_message(inv: Inv, words: list[str], code: int, said: str) -> None:
    done = inv(*words)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert list(inv.folder.iterdir()) == []


def test_a_model_is_converted_and_told_of_a_device(inv: Inv) -> None:
    done = inv("convert", "--model", DOREFA, "--output", "net.bnn")
    assert done.returncode == 0, done.stderr
    beside = json.loads((inv.folder / "net.bnn.json").read_text("utf-8"))
    told = inv.json("explain", "--model", DOREFA, "--prove")
    assert beside.pop("bnn")["bytes"] == (inv.folder / "net.bnn").stat().st_size
    assert beside == told
    assert "not known" in inv("explain", "--model", "net.bnn", "--device", "local").stdout
    refused = inv("explain", "--model", DOREFA, "--device", "qemu-aarch64")
    assert refused.returncode == 2
    assert "emulated" in refused.stderr


@pytest.mark.parametrize("kept", [0, 100, 50_000])
def test_a_damaged_model_is_refused(inv: Inv, kept: int) -> None:
    broken = inv.folder / "broken.h5"
    broken.write_bytes(DOREFA.read_bytes()[:kept])
    done = inv("bench", "--model", DOREFA, "--model", broken)
    assert done.returncode == 2
    assert "broken.h5" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(inv.folder.iterdir()) == [broken]


def test_explain_names_the_binary_layers(inv: Inv) -> None:
    found = inv.json("explain", "--model", DOREFA)
    assert [layer["kind"] for layer in found["layers"]] == ["float", "binary01", "binary01", "float"]
    assert found["totals"]["binary_layers"] == 2
    keys = {"name", "op", "kind", "bits", "reason", "remedy", "macs", "param_bytes", "param_bytes_float"}
    assert all(keys <= layer.keys() for layer in found["layers"])
    assert "2 of 4 layers binary" in inv("explain", "--model", DOREFA).stdout


def test_run_compares_writes_and_goes_sample_by_sample(inv: Inv) -> None:
    prepared = pipeline.prepare(DOREFA)
    settled = [golden.settle(prepared).inputs[0], *(prepared.random_inputs(seed)[0] for seed in (1, 2))]
    outputs = np.concatenate([prepared.golden([x])[0] for x in settled])
    np.save(inv.folder / "x.npy", np.concatenate(settled))
    np.save(inv.folder / "y.npy", outputs)
    words: list[str | Path] = ["run", "--model", DOREFA, "--input", "x.npy", "--golden", "y.npy", "--atol", "1e-3"]
    done = inv(*words, "--output", "got.npy")
    assert done.returncode == 0, done.stderr
    assert np.load(inv.folder / "got.npy").shape == (3, 10)
    assert inv.json(*words)["golden"]["ok"] is True
    outputs[1, 4] += 1
    np.save(inv.folder / "y.npy", outputs)
    wrong = inv(*words)
    assert wrong.returncode == 4
    assert "1 of 30 values differ, most at 14" in wrong.stdout


def test_a_bench_of_no_device_emulates_boards_while_it_lasts(inv: Inv, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(inv.folder / "state"))
    run = inv.json("bench", "--model", DOREFA, "--rounds", "1")
    assert {device["name"]: device["emulated"] for device in run["devices"]} == {
        "local": False,
        "qemu-aarch64": True,
        "qemu-armv7": True,
    }
    assert not any(each["up"] for each in inv.json("lab.status"))


def test_bench_leaves_a_record_and_a_report(inv: Inv) -> None:
    nets = ",".join(str(ROOT / "models" / f"seed_{name}.h5") for name in ("float", "ste_sign", "dorefa"))
    done = inv("bench", "--model", nets, "--rounds", "2", "--seed", "1", "--device", "local")
    assert done.returncode == 0, done.stderr
    path = store.find(inv.folder / "runs", "last")
    run = store.load(path)
    assert [len(model.binary) for model in run.models] == [0, 2, 2]
    assert [model.bnn_bytes < 25_000 for model in run.models] == [False, True, True]
    assert all(case.correct and len(case.processes) >= 2 for case in run.devices[0].cases)
    assert all(case.profile and case.profile.layers for case in run.devices[0].cases)
    assert run.seed == 1
    assert "seed_dorefa on this machine: " in done.stdout
    assert str(Path("runs") / run.id / "report.html") in done.stdout
    written = path.parent / "report.html"
    before = written.read_bytes()
    assert inv("report", "--run", run.id).returncode == 0
    assert written.read_bytes() == before


def test_a_dry_run_says_what_it_would_do_and_does_nothing(inv: Inv) -> None:
    (found,) = inv.json("bench", "--dry-run", "--model", DOREFA, "--device", "pi4", "--rounds", "7-9")
    assert found["device"] == "pi4", "no board of that name is there, and none is needed"
    assert found["rounds"] == [7, 9]
    assert found["processes"] == [7, 9]
    assert 100_000 < found["bytes_at_most"] < 2_000_000
    (command,) = found["commands"]
    assert command.startswith("~/.cache/bitrig/cas/")
    assert " bench --model ~/.cache/bitrig/cas/" in command
    assert list(inv.folder.iterdir()) == []


@pytest.mark.parametrize("form", ["json", "md", "csv", "junit", "github", "trace"])
def test_a_stored_run_comes_in_every_format(inv: Inv, form: str) -> None:
    store.save(inv.folder / "runs", story())
    done = inv("report", "--format", form)
    assert done.returncode == 0, done.stderr
    assert done.stdout == export.FORMATS[form](story())
    assert inv("report", "--format", form, "--output", "out").returncode == 0
    assert (inv.folder / "out").read_text("utf-8") == done.stdout


def test_the_page_of_a_stored_run_goes_where_it_is_asked_to(inv: Inv) -> None:
    store.save(inv.folder / "runs", story())
    done = inv("report", "--output", "page.html")
    assert done.returncode == 0, done.stderr
    assert "Report: page.html" in done.stdout
    assert (inv.folder / "page.html").read_text("utf-8") == page.render(story())
    assert inv("report", "--format", "md", "--open").returncode == 2


def test_history_lists_every_run(inv: Inv) -> None:
    store.save(inv.folder / "runs", story())
    lines = inv.json("history", "--device", "local")
    assert [line["model"] for line in lines] == ["seed_float", "seed_ste_sign", "seed_dorefa"]
    assert "1.25 ms" in inv("history").stdout
