# SPDX-License-Identifier: Apache-2.0
"""What a board says about itself beside a process, and what follows from it."""

from __future__ import annotations

from harness.bench import caveats, conditions
from harness.bench.record import Case, Conditions, Device, Process, Run, Variant
from harness.bench.variants import AS_USUAL
from tests.unit.records import model

UNKNOWN = Conditions()


def device(**changes: object) -> Device:
    return Device(name="pi4", target="aarch64", transport="ssh").model_copy(update=changes)


def process(before: Conditions = UNKNOWN, **changes: object) -> Process:
    made = Process(round=0, position=0, seconds=0, first=1, batch=1, samples=(1.0,), before=before)
    return made.model_copy(update=changes)


def run_of(board: Device, variant: Variant = AS_USUAL) -> Run:
    net = model("m").model_copy(update={"variant": variant})
    return Run(id="20261123-000000-0000", created="", version="", models=(net,), devices=(board,))


def codes(board: Device, variant: Variant = AS_USUAL) -> list[str]:
    return [caveat.code for caveat in caveats.find(run_of(board, variant))]


def test_the_hottest_zone_and_the_fastest_core_count() -> None:
    lines = ["temperature 41000", "temperature 48312", "frequency 600000", "frequency 1500000", "load 0.42"]
    text = "\n".join([*lines, "throttled throttled=0x50005"])
    found = conditions.parse(text)
    assert found == Conditions(temperature=48.312, frequency=1500000, load=0.42, throttled="0x50005")


def test_a_board_that_tells_nothing_has_no_conditions() -> None:
    assert conditions.parse("") == Conditions()
    assert conditions.parse("temperature\nfrequency n/a\nload \n") == Conditions()


def test_under_voltage_is_not_heat() -> None:
    """0x50005 is under-voltage and throttling now and since boot; 0x50000 is the past alone."""
    weak = process(Conditions(throttled="0x50005"))
    hot = process(Conditions(throttled="0x4"))
    past = process(Conditions(throttled="0x50000"))
    assert codes(device(cases=(Case(model="m", processes=(weak,)),))) == ["UNDER_VOLTAGE", "THROTTLED"]
    assert codes(device(cases=(Case(model="m", processes=(hot,)),))) == ["THROTTLED"]
    assert codes(device(cases=(Case(model="m", processes=(past,)),))) == []


def test_what_spoils_numbers_is_said_and_emulated_boards_are_not_judged() -> None:
    wild = process(steady=False, canary=(1000, 1100))
    case = Case(model="m", processes=(wild,), kernels={"conv": "bconv2d_8x1_scalar"})
    board = device(cases=(case,), host={"isa": ["scalar", "neon"], "pointer_bits": 64})
    assert codes(board) == ["REFERENCE_KERNEL", "RESTLESS", "NO_STEADY_STATE"]
    assert codes(board.model_copy(update={"emulated": True})) == ["EMULATED"]
    assert "REFERENCE_KERNEL" not in codes(board, Variant(isa_mask="scalar")), "who asks for it need not be told"


def test_a_clock_that_moves_is_a_note() -> None:
    clocks = [process(Conditions(frequency=clock)) for clock in (600_000, 1_500_000, 1_500_000)]
    assert codes(device(cases=(Case(model="m", processes=tuple(clocks)),))) == ["FREQUENCY"]


def test_a_crowd_and_a_board_that_sees_differences_in_nothing_are_told() -> None:
    waited = process(Conditions(pressure=35.0), rusage={"involuntary_switches": 12})
    (crowded,) = caveats.find(run_of(device(cases=(Case(model="m", processes=(waited,)),))))
    assert (crowded.code, crowded.weight) == ("BUSY", "warn")
    assert "35 %" in crowded.evidence
    assert "12 times" in crowded.evidence
    assert codes(device(noise_floor=0.05)) == ["NOISY"]
    assert codes(device(noise_floor=0.01)) == []


def test_pressure_is_of_the_last_ten_seconds() -> None:
    assert conditions.parse("pressure 12.50\nload 3.1").pressure == 12.5
