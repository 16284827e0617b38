# SPDX-License-Identifier: Apache-2.0
"""What a run leaves behind: plain frozen values that are the JSON of `runs/<id>/record.json`.

Times are nanoseconds, sizes bytes, temperatures degrees Celsius, frequencies kHz, unless a field says otherwise. Every
raw sample is kept. A reader keeps fields that it does not know as they are, so a field may be added within a version,
and an older bitrig that goes on with a run loses nothing of it; the version rises when a field changes its meaning or
goes away, and `store` then learns to lift older records.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from harness.bench.value import Value

# Version history
#   1  first version
SCHEMA = 1


class Problem(Value):
    """An error that ended a part of the run and not the run."""

    what: str
    why: str = ""
    remedy: str = ""
    exit_code: int = 1


class Caveat(Value):
    """Something a reader must know before trusting a number.

    Attributes:
        weight: "stop" spoils the numbers, "warn" may have moved them, "note" explains them.
        subject: the device, and the model where it is about one.
    """

    code: str
    weight: Literal["stop", "warn", "note"]
    subject: str
    evidence: str
    advice: str


class Layer(Value):
    """A layer with weights, which are those that could be binary, as it was decided on the host.

    Attributes:
        kind: binary, binary01, kbit, ternary, int8 or float.
        bits: of an activation.
        param_bytes, param_bytes_float: its weights as they are stored, and in float32.
        saves_bytes: what its weights would save as bits.
        saves_ns: about what it would save in time on the device that was asked about; None where none was.
    """

    name: str
    op: str
    layer: str = ""
    kind: str = "float"
    bits: int = 32
    reason: str = ""
    reason_text: str = ""
    remedy: str = ""
    macs: int = 0
    param_bytes: int = 0
    param_bytes_float: int = 0
    input_shape: tuple[int, ...] = ()
    output_shape: tuple[int, ...] = ()
    kernel_shape: tuple[int, ...] = ()
    activation: str = ""
    weight: str = ""
    saves_bytes: int = 0
    saves_ns: float | None = None


class Node(Value):
    """A node of the graph that runs; `inputs` are the nodes that it reads, "" standing for the model's input."""

    name: str
    op: str
    inputs: tuple[str, ...] = ()


class Peak(Value):
    """What a board can do at most: "popcount" and "fma" per instruction set, "bandwidth"; `value` in `unit`."""

    name: str
    isa: str | None = None
    value: float
    unit: str = ""


class Variant(Value):
    """How a model runs, where that is not as usual.

    Attributes:
        revision: a git revision whose runtime runs it; "" for the working tree.
        threads: None for what devices.yaml says; isa_mask, kernels: as `bnn` takes them.
        twin: the float version of the same net: what binarising buys is the ratio to it.
        handicap: percent by which the runner slows each inference: a planted slowdown, to test verdicts with.
    """

    revision: str = ""
    threads: int | None = None
    isa_mask: str | None = None
    kernels: tuple[str, ...] = ()
    twin: bool = False
    handicap: float = 0.0


class Model(Value):
    """A model file, how it runs, and what became of it.

    Attributes:
        name: unique in the run.
        baseline: the name of the model that this one is compared with; "" for one that is a baseline itself.
        layers: those with weights, in order; graph: everything that runs.
        source: path as it was given.
        bnn_bytes: size of the `.bnn` file that ran.
        weight_bytes, weight_bytes_float: parameters as they are stored, and in float32.
        inputs: the shapes of its inputs.
        input_seed: seed of the random input that the golden output belongs to.
    """

    name: str
    baseline: str = ""
    variant: Variant = Variant()
    source: str
    source_format: str
    source_bytes: int
    source_sha256: str
    bnn_bytes: int
    bnn_sha256: str
    weight_bytes: int
    weight_bytes_float: int
    layers: tuple[Layer, ...]
    graph: tuple[Node, ...] = ()
    inputs: tuple[tuple[int, ...], ...] = ()
    notes: tuple[str, ...] = ()
    input_seed: int = 0
    atol: float = 0.0
    rtol: float = 0.0

    @property
    def binary(self) -> tuple[Layer, ...]:
        """The layers that run on the bit kernels."""
        return tuple(layer for layer in self.layers if layer.kind in BIT_KINDS)


BIT_KINDS = ("binary", "binary01", "kbit", "ternary")


class Build(Value):
    """A runtime; `asked` is the git revision that was asked for, "" for the working tree."""

    target: str
    asked: str = ""
    toolchain: str
    compiler: str
    compiler_version: str
    flags: tuple[str, ...] = ()
    revision: str = ""
    dirty: bool = False
    binary_sha256: str
    binary_bytes: int


class Agreement(Value):
    """How an output compares with its golden output.

    Attributes:
        wrong: elements beyond |y - golden| <= atol + rtol * |golden|.
        at: flat index of the worst element, `got` and `expected` its two values.
    """

    ok: bool
    wrong: int
    elements: int
    max_abs: float
    max_rel: float
    at: int = 0
    got: float = 0.0
    expected: float = 0.0


class Conditions(Value):
    """The board beside a process; a value that the board does not tell is None.

    Attributes:
        load: processes that ran or waited, over the last minute.
        pressure: share of the last ten seconds, in percent, in which some process waited for a processor.
    """

    temperature: float | None = None
    frequency: int | None = None
    load: float | None = None
    pressure: float | None = None
    throttled: str | None = None


class Process(Value):
    """One process of `bnn bench`: the unit of every statistic.

    Attributes:
        round: block of processes, one a model, that belong together; pairs are formed within a round.
        position: place in the round's random order.
        seconds: since the first process on this device.
        first: the first inference.
        batch: inferences in one sample; `samples` are per inference.
        canary: time of a fixed chain of dependent operations, before and after.
    """

    round: int
    position: int
    seconds: float
    first: int
    batch: int
    samples: tuple[float, ...]
    warmup_iterations: int = 0
    warmup_seconds: float = 0.0
    steady: bool = True
    canary: tuple[int, int] | None = None
    rusage: dict[str, int] = Field(default_factory=dict)
    before: Conditions = Conditions()


class LayerTime(Value):
    """A layer in the profile; `rounds` are its times in each process where several were profiled, `ns` their median."""

    name: str
    op: str
    kernel: str
    ns: float
    rounds: tuple[float, ...] = ()


class Profile(Value):
    """A pass of its own, after the samples: its times are not the samples' times.

    Attributes:
        overhead: what the profiler itself adds to an inference.
    """

    layers: tuple[LayerTime, ...]
    overhead: float = 0.0


class LayerCount(Value):
    """Instructions that one layer takes of an inference's."""

    name: str
    op: str
    kernel: str
    count: int


class Counts(Value):
    """Instructions of an inference, in one thread: exact on an emulated CPU that counts, and never a time."""

    inference: int
    layers: tuple[LayerCount, ...] = ()


class Case(Value):
    """One model on one device.

    Attributes:
        agreement: None until the outputs were compared.
        problem: why there is no (further) result.
        pilot: the process that said how many samples the others take; it is not counted.
        discarded: processes of rounds that the canary or the gate spoiled, kept and not counted.
    """

    model: str
    agreement: Agreement | None = None
    problem: Problem | None = None
    pilot: Process | None = None
    processes: tuple[Process, ...] = ()
    discarded: tuple[Process, ...] = ()
    profile: Profile | None = None
    counts: Counts | None = None
    kernels: dict[str, str] = Field(default_factory=dict)
    arena_bytes: int = 0

    @property
    def correct(self) -> bool:
        return self.agreement is not None and self.agreement.ok


class Device(Value):
    """One board of the run.

    Attributes:
        emulated: its times prove nothing and are judged by nobody.
        facts: what the probe found; host: what the binary itself found.
        bytes_sent, bytes_kept: uploaded, and already there.
        noise_floor: by how much A differs from A on this board, as `bench.aa` found it; None where it was not run.
        problem: why the board gave no (further) results.
    """

    name: str
    target: str
    transport: str
    emulated: bool = False
    facts: dict[str, Any] = Field(default_factory=dict)
    host: dict[str, Any] = Field(default_factory=dict)
    bytes_sent: int = 0
    bytes_kept: int = 0
    noise_floor: float | None = None
    problem: Problem | None = None
    cases: tuple[Case, ...] = ()
    peaks: tuple[Peak, ...] = ()
    stopped: str = ""

    def case(self, model: str) -> Case | None:
        return next((case for case in self.cases if case.model == model), None)


class Settings(Value):
    """How the run was asked to measure.

    Attributes:
        rounds: least and most rounds; precision: half-width of a 95 % interval that is enough, as a fraction.
        budget: seconds a device may measure once it has the least rounds.
        samples, min_time, max_time: of the pilot: how many at least, and for how many seconds. Later processes take as
            many samples as its scatter asks for.
        delta: a ratio nearer to 1 than this is no difference in practice.
        cold: the caches are emptied before each sample, which is then of one inference.
        layer_rounds: profiled processes of each model; with several, layers are compared one by one.
    """

    rounds: tuple[int, int] = (7, 30)
    precision: float = 0.01
    budget: float = 30.0
    delta: float = 0.03
    samples: int = 30
    min_time: float = 0.2
    max_time: float = 10.0
    cold: bool = False
    layer_rounds: int = 1


class Run(Value):
    """One run: of models side by side, of a candidate against its baseline, or of A against A."""

    schema_version: int = Field(default=SCHEMA, alias="schema")
    id: str
    kind: Literal["bench", "compare", "aa"] = "bench"
    paired: bool = True
    created: str
    finished: str | None = None
    version: str
    command: tuple[str, ...] = ()
    seed: int = 0
    settings: Settings = Settings()
    objects: str = ""
    sim: str = ""
    models: tuple[Model, ...] = ()
    builds: tuple[Build, ...] = ()
    devices: tuple[Device, ...] = ()
    caveats: tuple[Caveat, ...] = ()

    @property
    def revision(self) -> str:
        """The commit that the runtime was built from; "" outside of git."""
        return next((build.revision for build in self.builds), "")

    @property
    def dirty(self) -> bool:
        return any(build.dirty for build in self.builds)

    def model(self, name: str) -> Model:
        return next(model for model in self.models if model.name == name)

    def baseline(self, model: Model) -> Model | None:
        """What a model is compared with."""
        return self.model(model.baseline) if model.baseline else None

    def build(self, target: str, asked: str = "") -> Build | None:
        return next((build for build in self.builds if (build.target, build.asked) == (target, asked)), None)
