# SPDX-License-Identifier: Apache-2.0
"""Made-up runs for tests: the story of three small nets, with every outcome a board can have."""

from __future__ import annotations

import hashlib
import math
import random

from harness.bench.record import (
    Agreement,
    Build,
    Case,
    Caveat,
    Conditions,
    Device,
    Layer,
    LayerTime,
    Model,
    Node,
    Peak,
    Problem,
    Process,
    Profile,
    Run,
    Settings,
)

# Input, output, kernel, MACs.
SHAPES = {
    "conv_1": ((1, 32, 32, 3), (1, 30, 30, 32), (32, 3, 3, 3), 777_600),
    "conv_2": ((1, 15, 15, 32), (1, 13, 13, 64), (64, 3, 3, 32), 3_115_008),
    "conv_3": ((1, 6, 6, 64), (1, 4, 4, 64), (64, 3, 3, 64), 589_824),
    "dense": ((1, 64), (1, 10), (10, 64), 640),
}


GRAPH = (
    Node(name="conv_1", op="conv2d", inputs=("",)),
    Node(name="pool_1", op="max_pool2d", inputs=("conv_1",)),
    Node(name="conv_2", op="bconv2d", inputs=("pool_1",)),
    Node(name="conv_3", op="bconv2d", inputs=("conv_2",)),
    Node(name="add", op="arith", inputs=("conv_3", "pool_1")),
    Node(name="dense", op="dense", inputs=("add",)),
)
PEAKS = (
    Peak(name="popcount", isa="neon", value=120.0, unit="GMAC/s"),
    Peak(name="fma", isa="neon", value=24.0, unit="GFLOP/s"),
    Peak(name="bandwidth", value=6.0, unit="GB/s"),
)


def model(name: str, kind: str = "float", first_remedy: str = "") -> Model:
    """A net of four weighty layers whose two middle ones are of `kind`."""
    small = kind != "float"
    layers = []
    for layer, (before, after, kernel, macs) in SHAPES.items():
        middle = layer in ("conv_2", "conv_3") and kind != "float"
        weights = {"conv_1": 864, "conv_2": 18_432, "conv_3": 36_864, "dense": 640}[layer]
        layers.append(
            Layer(
                name=layer,
                op="bconv2d" if middle else "dense" if layer == "dense" else "conv2d",
                layer="QuantConv2D" if layer.startswith("conv") else "QuantDense",
                kind=kind if middle else "float",
                bits=1 if middle else 32,
                reason="" if middle else "REAL_INPUT" if layer == "conv_1" else "FLOAT_WEIGHTS",
                reason_text=""
                if middle
                else "its input is the image, which has more than two levels"
                if layer == "conv_1"
                else "its weights are float: the layer has no kernel quantiser",
                remedy="" if middle else first_remedy or "leave it: a first layer in float is the usual choice",
                macs=macs,
                param_bytes=weights // 8 if middle else weights * 4,
                param_bytes_float=weights * 4,
                input_shape=before,
                output_shape=after,
                kernel_shape=kernel,
                activation="{0,1}" if kind == "binary01" else "±1",
                weight="±1" if middle else "float",
                saves_bytes=0 if middle else weights * 4 - weights // 8,
            )
        )
    return Model(
        name=name,
        baseline="seed_float" if small else "",
        source=f"models/{name}.h5",
        source_format="h5",
        source_bytes=168_904,
        source_sha256="5d" * 32,
        bnn_bytes=19_816 if small else 125_376,
        bnn_sha256=hashlib.sha256(name.encode()).hexdigest(),
        weight_bytes=16_808 if small else 123_944,
        weight_bytes_float=123_944,
        layers=tuple(layers),
        graph=GRAPH,
        atol=1e-5,
        rtol=1e-5,
    )


def processes(rng: random.Random, centre: float, rounds: int = 9) -> tuple[Process, ...]:
    """Rounds of a board that warms up slowly: medians drift by 2 %, samples scatter by 0.5 %."""
    result = []
    for index in range(rounds):
        level = centre * (1 + 0.02 * index / rounds + rng.gauss(0, 0.004))
        samples = tuple(round(level * math.exp(rng.gauss(0, 0.005)), 1) for _ in range(30))
        result.append(
            Process(
                round=index,
                position=rng.randrange(3),
                seconds=2.5 * index + rng.random(),
                first=int(level * 3.1),
                batch=4,
                samples=samples,
                warmup_iterations=220,
                warmup_seconds=0.31,
                canary=(2_500_000, 2_503_000),
                rusage={"max_rss_bytes": 3_400_000, "involuntary_switches": 2, "major_faults": 0},
                before=Conditions(temperature=48 + index / 3, frequency=1_500_000, load=0.3),
            )
        )
    return tuple(result)


def case(rng: random.Random, net: Model, ns: float, rounds: int = 9) -> Case:
    kernels = {layer.name: "bconv2d_8x4_neon" if layer.op == "bconv2d" else "sgemm_8x8_neon" for layer in net.layers}
    ops = {layer.name: layer.op for layer in net.layers} | {"pool_1": "max_pool2d"}
    share = {"conv_1": 0.31, "conv_2": 0.47, "conv_3": 0.17, "dense": 0.01, "pool_1": 0.04}
    return Case(
        model=net.name,
        agreement=Agreement(ok=True, wrong=0, elements=10, max_abs=2e-7, max_rel=1e-6),
        processes=processes(rng, ns, rounds),
        profile=Profile(
            layers=tuple(
                LayerTime(name=name, op=ops[name], kernel=kernels.get(name, ""), ns=ns * part)
                for name, part in share.items()
            ),
            overhead=ns * 0.01,
        ),
        kernels=kernels,
        arena_bytes=262_144,
    )


def device(rng: random.Random, name: str, target: str, nets: tuple[Model, ...], speeds: tuple[float, ...]) -> Device:
    return Device(
        name=name,
        target=target,
        transport="local" if name == "local" else "ssh",
        facts={
            "cpu": "Cortex-A72",
            "cores": 4,
            "kernel": "6.6.31",
            "governor": "ondemand",
            "memory_bytes": 4_000_000_000,
        },
        host={"arch": target, "pointer_bits": 64, "isa": ["neon", "neon_dotprod"], "cpus": 4, "emulator": None},
        bytes_sent=480_000,
        cases=tuple(case(rng, net, speed) for net, speed in zip(nets, speeds, strict=True)),
        peaks=PEAKS,
        stopped="the intervals are narrow enough",
    )


def story(seed: int = 7) -> Run:
    """Three nets on a board; on a second one a wrong answer; a third is emulated; a fourth cannot be reached."""
    rng = random.Random(seed)
    nets = (model("seed_float"), model("seed_ste_sign", "binary"), model("seed_dorefa", "binary01"))
    good = device(rng, "local", "host", nets, (1_240_000, 455_000, 428_000))
    wrong = device(rng, "pi4", "aarch64", nets, (3_900_000, 1_310_000, 1_290_000))
    bad = Agreement(ok=False, wrong=64, elements=64, max_abs=3.5, max_rel=12.0, at=3, got=1.0, expected=-2.5)
    crash = Problem(
        what="bnn was killed by SIGILL.", why="The binary holds instructions that this CPU has not.", exit_code=6
    )
    cases = (wrong.cases[0], Case(model="seed_ste_sign", agreement=bad), Case(model="seed_dorefa", problem=crash))
    wrong = wrong.model_copy(update={"cases": cases})
    emulated = device(rng, "qemu-aarch64", "aarch64", nets, (9e6, 8e6, 8.1e6)).model_copy(
        update={"emulated": True, "bytes_sent": 0, "bytes_kept": 480_000}
    )
    gone = Device(
        name="zero",
        target="armv6",
        transport="ssh",
        problem=Problem(
            what="zero.local does not answer on port 22.",
            why="The board is off or not in this network.",
            remedy="Try: ping",
            exit_code=6,
        ),
    )
    build = Build(
        target="host",
        toolchain="zig",
        compiler="clang",
        compiler_version="20.1.2",
        flags=("-O3", "-static"),
        revision="0123456789abcdef",
        binary_sha256="cd" * 32,
        binary_bytes=402_112,
    )
    return Run(
        id="20261123-041500-abcd",
        created="2026-11-23T04:15:00+00:00",
        finished="2026-11-23T04:15:41+00:00",
        version="0.1.0",
        command=("inv", "bench"),
        seed=seed,
        settings=Settings(),
        models=nets,
        builds=(build, build.model_copy(update={"target": "aarch64"})),
        devices=(good, wrong, emulated, gone),
        caveats=(
            Caveat(
                code="THROTTLED",
                weight="warn",
                subject="pi4",
                evidence="the firmware reports throttled=0x50005",
                advice="Use a stronger power supply: bit 0 is under-voltage, not heat.",
            ),
        ),
    )


def deep(blocks: int = 50) -> Run:
    """A residual net of three nodes a block on one board, of which nothing was timed."""
    net = model("deep", "binary")
    nodes: list[Node] = []
    for at in range(blocks):
        before = nodes[-1].name if nodes else ""
        nodes += [
            Node(name=f"pack_{at}", op="quantize", inputs=(before,)),
            Node(name=f"conv_{at}", op="bconv2d", inputs=(f"pack_{at}",)),
            Node(name=f"add_{at}", op="arith", inputs=(f"conv_{at}", before)),
        ]
    layers = tuple(net.layers[1].model_copy(update={"name": f"conv_{at}"}) for at in range(blocks))
    net = net.model_copy(update={"baseline": "", "layers": layers, "graph": tuple(nodes)})
    return story().model_copy(update={"models": (net,), "devices": (), "caveats": ()})
