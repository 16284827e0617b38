# SPDX-License-Identifier: Apache-2.0
"""Runs in the peers' environment, and imports nothing of bitrig: times another engine, or quantises a net for it.

python peer.py ENGINE MODEL INPUT GOLDEN: compares the output, then prints JSON lines as `bnn bench` does. INPUT and
    GOLDEN are raw float32. ENGINE: lce, lce-indirect, onnxruntime.
python peer.py quantise MODEL INPUT QUANTISED: the static int8 version of an ONNX file, calibrated with INPUT.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

WARM_UP, LEAST_TIME, LEAST_SAMPLES = 0.3, 0.5, 7
"""Seconds; as in kernels/tools/bench.c."""


def lce(model: str, data: Any, indirect: bool) -> Callable[[], Any]:
    """An inference by the Larq Compute Engine on one thread, by its direct or its indirect kernels."""
    # Its package imports TensorFlow for the converter; the interpreter itself is this module alone.
    path = importlib.metadata.distribution("larq-compute-engine").locate_file(
        "larq_compute_engine/tflite/python/interpreter_wrapper_lite.so"
    )
    spec = importlib.util.spec_from_file_location("interpreter_wrapper_lite", str(path))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    interpreter = module.LiteInterpreter(Path(model).read_bytes(), 1, False, indirect, False)
    x = data.reshape(interpreter.input_shapes[0])
    return lambda: interpreter.predict([x])[0]


def onnxruntime(model: str, data: Any) -> Callable[[], Any]:
    """An inference by onnxruntime on one thread."""
    import onnxruntime as engine

    options = engine.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = engine.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    port = session.get_inputs()[0]
    given = {port.name: data.reshape(port.shape)}
    return lambda: session.run(None, given)[0]


ENGINES: dict[str, Callable[[str, Any], Callable[[], Any]]] = {
    "lce": lambda model, data: lce(model, data, False),
    "lce-indirect": lambda model, data: lce(model, data, True),
    "onnxruntime": onnxruntime,
}


def timed(infer: Callable[[], Any]) -> list[int]:
    """Nanoseconds of single inferences, once the engine is warm."""
    start = time.perf_counter()
    while time.perf_counter() < start + WARM_UP:
        infer()
    samples: list[int] = []
    while len(samples) < LEAST_SAMPLES or sum(samples) < LEAST_TIME * 1e9:
        before = time.perf_counter_ns()
        infer()
        samples.append(time.perf_counter_ns() - before)
    return samples


def bench(engine: str, model: str, given: str, golden: str) -> None:
    """Prints how far the output lies from the golden one, and the samples, as `bnn bench` does; files hold float32."""
    infer = ENGINES[engine](model, np.fromfile(given, np.float32))
    output, expected = np.asarray(infer(), np.float32).ravel(), np.fromfile(golden, np.float32)
    print(json.dumps({"type": "golden", "max_abs": float(np.abs(output - expected).max())}))
    print(json.dumps({"type": "samples", "ns": timed(infer)}))


def quantise(model: str, given: str, quantised: str) -> None:
    """Writes a model as int8, calibrated with inputs that lie in `given` one after the other, in float32."""
    import onnxruntime as engine
    from onnxruntime import quantization

    port = engine.InferenceSession(model, providers=["CPUExecutionProvider"]).get_inputs()[0]
    samples = np.fromfile(given, np.float32).reshape(-1, *port.shape)

    class Samples(quantization.CalibrationDataReader):  # type: ignore[misc]
        left = iter([{port.name: sample} for sample in samples])

        def get_next(self) -> dict[str, Any] | None:
            return next(self.left, None)

    # Unsigned activations with signed weights, a scale for each channel: what its kernels for x86 are fastest with.
    quantization.quantize_static(
        model,
        quantised,
        Samples(),
        per_channel=True,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
    )


if __name__ == "__main__":
    if sys.argv[1] == "quantise":
        quantise(*sys.argv[2:])
    else:
        bench(*sys.argv[1:])
