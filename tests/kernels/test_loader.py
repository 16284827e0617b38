# SPDX-License-Identifier: Apache-2.0
"""Whatever the bytes are, the loader answers with a valid model or a clear error, and never crashes."""

from __future__ import annotations

import random
import zlib
from typing import Any

import numpy as np
import pytest

from harness import abi
from harness.model import bits, container
from harness.model.graph import Builder
from tests.kernels.runtime import Answer, Runtime

HEADER: int = abi.ffi().sizeof("struct bnn_header")
CHECKSUM = 12


def small_model() -> bytes:
    """A net with a constant of each kind, an absent input, a state, and every section."""
    rng = np.random.default_rng(1)
    window = {"kernel_h": 3, "kernel_w": 3, "stride_h": 1, "stride_w": 1, "dilation_h": 1, "dilation_w": 1}
    b = Builder("small")
    x = b.input("image", (1, 5, 5, 40))
    x = b.node("quantize", "quantize", (x, b.constant("zero", np.zeros(1, np.float32))), dtype="bits", code=0)
    filters = b.constant(
        "filters", bits.pack(rng.integers(0, 2, (1, 8, 3, 3, 40)).astype(np.uint8)), "bits", (8, 3, 3, 40)
    )
    threshold = b.constant("threshold", np.zeros(8, np.int32), "i32")
    codes = {"x_code": 0, "w_code": 0, "y_code": 0, "border": 0, "lo": -np.inf, "hi": np.inf}
    x = b.node("bconv2d", "conv", (x, filters, None, None, threshold), dtype="bits", window=window, groups=1, **codes)  # type: ignore[arg-type]
    x = b.node("dequantize", "values", (x,), zero=1.0, one=-1.0)
    x = b.node("mean", "pool", (x,), axes=0b0110)
    weight = b.constant("weight", rng.standard_normal((3, 8)).astype(np.float32))
    x = b.node("dense", "scores", (x, weight), lo=-np.inf, hi=np.inf)
    before = b.state("before", (1, 3))
    x = b.node("arith", "sum", (x, before), kind=abi.constant("BNN_ADD"), lo=-np.inf, hi=np.inf)
    b.loop(before, x)
    decay = b.constant("decay", np.full(3, 0.9))
    b.output(b.node("lif", "neurons", (x, b.constant("one", np.ones(1)), decay), emit=0, reset=0, strict=0, spike=0))
    return container.encode(b.graph())


MODEL = small_model()


def signed(model: bytes | bytearray) -> bytes:
    """The model with the checksum that belongs to its bytes."""
    image = bytearray(model)
    image[CHECKSUM : CHECKSUM + 4] = bytes(4)
    image[CHECKSUM : CHECKSUM + 4] = zlib.crc32(image).to_bytes(4, "little")
    return bytes(image)


def record(kind: str, at: int) -> Any:
    """The struct of the model at byte `at`, as a copy that can be changed."""
    value = abi.struct(kind)
    abi.ffi().buffer(value)[:] = MODEL[at : at + abi.ffi().sizeof(f"struct bnn_{kind}")]
    return value


def with_record(value: Any, at: int) -> bytes:
    packed = abi.pack(value)
    return signed(MODEL[:at] + packed + MODEL[at + len(packed) :])


def refused(answer: Answer, status: str | None = None) -> dict[str, Any]:
    """The error line; checks that it is the one and names a status and a message."""
    error = answer.line("error")
    assert answer.code == error["code"] > 0
    assert error["message"]
    if status is not None:
        assert error["status"] == status, error
    return error


def looped(*pairs: tuple[str, str]) -> bytes:
    """Four vectors and a node, with these states."""
    b = Builder("loops")
    x, narrow = b.input("x", (1, 4)), b.input("narrow", (1, 2))
    states = {name: b.state(name, (1, 4)) for name, _ in pairs}
    same = b.node("reshape", "same", (next(iter(states.values())),), (1, 4))
    b.output(b.node("arith", "sum", (x, same), kind=abi.constant("BNN_ADD"), lo=-np.inf, hi=np.inf))
    tensors = {"x": x, "narrow": narrow, "same": same, "sum": b.outputs[0], **states}
    for name, left in pairs:
        b.loop(states[name], tensors[left])
    return container.encode(b.graph())


def test_states_that_fit_load(runtime: Runtime) -> None:
    assert runtime.info(looped(("a", "sum"), ("b", "x"))).code == 0


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([("a", "narrow")], "cannot take over 'narrow'"),
        ([("a", "sum"), ("b", "a")], "left as another one was"),
        ([("a", "same")], "left as another one was"),
    ],
)
def test_states_that_do_not_fit(runtime: Runtime, pairs: list[tuple[str, str]], message: str) -> None:
    path = runtime.folder / "loops.bnn"
    path.write_bytes(looped(*pairs))
    np.zeros(4, np.float32).tofile(runtime.folder / "x.bin")
    np.zeros(2, np.float32).tofile(runtime.folder / "n.bin")
    answer = runtime.call(
        "run", "--model", path, "--input", runtime.folder / "x.bin", "--input", runtime.folder / "n.bin",
        "--output", runtime.folder / "y.bin",
    )  # fmt: skip
    assert message in refused(answer, "MALFORMED")["message"]


@pytest.mark.parametrize("count", [3, 1 << 31, (1 << 32) - 1])
def test_more_states_than_ports(runtime: Runtime, count: int) -> None:
    header = record("header", 0)
    header.state_count = count
    assert "state_count" in refused(runtime.info(with_record(header, 0)), "MALFORMED")["message"]


def test_the_model_itself_loads(runtime: Runtime) -> None:
    answer = runtime.info(MODEL)
    assert answer.code == 0
    model = answer.line("model")
    assert model["inputs"] == [{"name": "image", "dtype": "f32", "shape": [1, 5, 5, 40]}]
    assert " ".join(layer["op"] for layer in model["layers"]) == "quantize bconv2d dequantize mean dense arith lif"


def test_truncated_anywhere(runtime: Runtime) -> None:
    for length in range(0, len(MODEL), 16):
        status = "NOT_BNN" if length == 0 else "TRUNCATED"
        refused(runtime.info(MODEL[:length]), status)


def test_a_flipped_byte_breaks_the_checksum(runtime: Runtime) -> None:
    for at in range(HEADER, len(MODEL), 97):
        refused(runtime.info(MODEL[:at] + bytes([MODEL[at] ^ 1]) + MODEL[at + 1 :]), "CHECKSUM")


def test_flipped_bytes_under_a_right_checksum(runtime: Runtime) -> None:
    """Every byte of the tables once, with a random value: an error or a model, never a signal."""
    rng = random.Random(1)
    metadata = record("header", 0).data_offset
    for at in range(16, metadata, 3):
        image = bytearray(MODEL)
        image[at] ^= rng.randrange(1, 256)
        answer = runtime.info(signed(image))
        if answer.code:
            refused(answer)


EXTREMES = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


@pytest.mark.parametrize("section", ["tensor", "node"])
def test_extreme_fields(runtime: Runtime, section: str) -> None:
    header = record("header", 0)
    start, count = getattr(header, f"{section}s_offset"), getattr(header, f"{section}_count")
    size = abi.ffi().sizeof(f"struct bnn_{section}")
    for at in range(start, start + count * size, 4):
        for value in EXTREMES:
            answer = runtime.info(signed(MODEL[:at] + value.to_bytes(4, "little") + MODEL[at + 4 :]))
            if answer.code:
                refused(answer)


def change_header(**fields: int) -> bytes:
    value = record("header", 0)
    for name, field in fields.items():
        setattr(value, name, field)
    return with_record(value, 0)


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("version", 99, "VERSION"),
        ("file_bytes", len(MODEL) + 1, "TRUNCATED"),
        ("file_bytes", len(MODEL) - 64, "MALFORMED"),
        ("tensor_count", 0xFFFFFFFF, "LIMIT"),
        ("node_count", 0xFFFFFFFF, "LIMIT"),
        ("index_count", 0xFFFFFFFF, "LIMIT"),
        ("input_count", 0xFFFFFFFF, "LIMIT"),
        ("output_count", 0, "MALFORMED"),
        ("tensors_offset", 63, "MALFORMED"),
        ("nodes_offset", 0xFFFFFFFFFFFFFFC0, "MALFORMED"),
        ("params_bytes", 0xFFFFFFFF, "MALFORMED"),
        ("strings_bytes", 1, "MALFORMED"),
        ("data_bytes", 0xFFFFFFFFFFFFFFFF, "MALFORMED"),
        ("data_offset", len(MODEL) + 64, "MALFORMED"),
    ],
)
def test_header_fields(runtime: Runtime, field: str, value: int, status: str) -> None:
    error = refused(runtime.info(change_header(**{field: value})), status)
    assert field in error["message"] or field.split("_")[0] in error["message"]


def tensor_at(index: int) -> int:
    return int(record("header", 0).tensors_offset) + index * int(abi.ffi().sizeof("struct bnn_tensor"))


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("dtype", 9, "MALFORMED"),
        ("dtype", 0, "MALFORMED"),
        ("rank", 7, "MALFORMED"),
        ("planes", 0, "MALFORMED"),
        ("planes", 200, "MALFORMED"),
        ("constant", 2, "MALFORMED"),
        ("name", 0xFFFFFFFF, "MALFORMED"),
        ("shape", [0, 1, 1, 1, 1, 1], "MALFORMED"),
        ("shape", [1, 1, 1, 1, 1, 2], "MALFORMED"),
        ("shape", [0xFFFFFFFF] * 6, "MALFORMED"),
        ("shape", [65536, 65536, 65536, 65536, 1, 1], "LIMIT"),
        ("data_offset", 64, "MALFORMED"),
    ],
)
def test_tensor_fields(runtime: Runtime, field: str, value: Any, status: str) -> None:
    tensor = record("tensor", tensor_at(0))
    setattr(tensor, field, value)
    assert field in refused(runtime.info(with_record(tensor, tensor_at(0))), status)["message"]


def node_at(index: int) -> int:
    return int(record("header", 0).nodes_offset) + index * int(abi.ffi().sizeof("struct bnn_node"))


@pytest.mark.parametrize(
    ("field", "value", "status", "named"),
    [
        ("op", 9999, "UNSUPPORTED", "op"),
        ("name", 0xFFFFFFFF, "MALFORMED", "name"),
        ("inputs", 0xFFFFFFFF, "MALFORMED", "inputs"),
        ("input_count", 0, "MALFORMED", "input_count"),
        ("input_count", 64, "MALFORMED", "input_count"),
        ("output", 0xFFFFFFFF, "MALFORMED", "output"),
        ("output", 0, "MALFORMED", "output"),
        ("params_bytes", 1, "MALFORMED", "params_bytes"),
        ("params_offset", 4, "MALFORMED", "params_offset"),
        ("params_offset", 0xFFFFFFF8, "MALFORMED", "params_offset"),
    ],
)
def test_node_fields(runtime: Runtime, field: str, value: int, status: str, named: str) -> None:
    node = record("node", node_at(1))
    setattr(node, field, value)
    assert named in refused(runtime.info(with_record(node, node_at(1))), status)["message"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("stride_h", 0), ("dilation_w", 0), ("kernel_h", 0), ("kernel_h", 4), ("stride_w", 0xFFFFFFFF),
        ("pad_top", 0xFFFFFFFF), ("pad_left", 65536), ("dilation_h", 4096),
    ],
)  # fmt: skip
def test_impossible_windows(runtime: Runtime, field: str, value: int) -> None:
    at = int(record("header", 0).params_offset) + int(record("node", node_at(1)).params_offset)
    params = record("bconv2d_params", at)
    setattr(params.window, field, value)
    assert "conv" in refused(runtime.info(with_record(params, at)), "MALFORMED")["message"]


@pytest.mark.parametrize(("field", "value"), [("emit", 3), ("emit", 2), ("reset", 3), ("strict", 2), ("spike", 2)])
def test_impossible_neurons(runtime: Runtime, field: str, value: int) -> None:
    at = int(record("header", 0).params_offset) + int(record("node", node_at(6)).params_offset)
    params = record("lif_params", at)
    setattr(params, field, value)
    assert "neurons" in refused(runtime.info(with_record(params, at)), "MALFORMED")["message"]


def test_nodes_out_of_order(runtime: Runtime) -> None:
    first, second = record("node", node_at(0)), record("node", node_at(1))
    image = with_record(second, node_at(0))
    packed = abi.pack(first)
    image = signed(image[: node_at(1)] + packed + image[node_at(1) + len(packed) :])
    assert "not computed before" in refused(runtime.info(image), "MALFORMED")["message"]


def test_bits_behind_the_last_channel(runtime: Runtime) -> None:
    tensors = [record("tensor", tensor_at(index)) for index in range(record("header", 0).tensor_count)]
    (filters,) = (tensor for tensor in tensors if tensor.constant and tensor.dtype == abi.constant("BNN_BITS"))
    image = bytearray(MODEL)
    image[filters.data_offset + 7] |= 0x80  # the first pixel has 40 channels: bit 63 is none of them
    assert "behind the last channel" in refused(runtime.info(signed(image)), "MALFORMED")["message"]


def test_names_that_are_not_text(runtime: Runtime) -> None:
    at = int(record("header", 0).strings_offset)
    image = bytearray(MODEL)
    image[at : at + 2] = b"\xff\xfe"
    assert "UTF-8" in refused(runtime.info(signed(image)), "MALFORMED")["message"]


def test_other_files(runtime: Runtime) -> None:
    refused(runtime.info(b"PK\x03\x04" + bytes(1000)), "NOT_BNN")
    text_mode = MODEL.replace(b"\r\n", b"\n")
    assert "text mode" in refused(runtime.info(text_mode), "NOT_BNN")["message"]
    refused(runtime.call("info", "--model", runtime.folder / "absent.bnn"), "IO")
    refused(runtime.call("info", "--model", runtime.folder), "IO")


def test_a_large_model_loads_quickly(runtime: Runtime) -> None:
    """20 MB in 50 ms on an idle machine; the bound leaves room for a busy one."""
    b = Builder("large")
    weight = b.constant("w", np.ones((1024, 5120), np.float32))
    b.output(b.node("dense", "dense", (b.input("x", (1, 5120)), weight), lo=-np.inf, hi=np.inf))
    path = runtime.folder / "large.bnn"
    path.write_bytes(container.encode(b.graph()))
    assert runtime.call("info", "--model", path).line("model")["load_ns"] < 200e6
