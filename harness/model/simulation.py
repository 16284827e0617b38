# SPDX-License-Identifier: Apache-2.0
"""How a spiking network is simulated, as far as its file does not say.

A NIR file holds the constants of the neurons' differential equations. It does not hold the time step, nor what a spike
does to the membrane and when, nor whether a membrane that equals the threshold spikes. Frameworks differ in all of it:

    snnTorch (Leaky)     U = beta * U' + I - R * threshold, R: U' > threshold; a spike where U > threshold
                         with reset="zero": U = beta * (1 - R) * U' + I
    SpikingJelly         H = V + (v_reset - V + X) / tau; a spike where H >= threshold; V = v_reset after it, else H
    Sinabs (IAF)         V = V + X; a spike where V >= threshold (or floor(V / threshold) of them); V falls by threshold
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from harness.errors import UsageError

Reset = Literal["subtract", "zero", "value"]


@dataclass(frozen=True)
class Simulation:
    """The rules of a simulation.

    Attributes:
        dt: the length of a time step, in the unit of the file's tau and r.
        reset: a spike takes the threshold off the membrane, or sets it to zero, or to the v_reset of the file.
        reset_delay: the reset comes in the next step, after the decay.
        spike_when: how a membrane must compare with its threshold.
        v_init: every membrane before the first step.
        spike: one spike a step at most, or as many as the threshold goes into the membrane.
        input: what the network reads: spikes (0 or 1), or real numbers (an analog current).
    """

    dt: float = 1e-4
    reset: Reset = "value"
    reset_delay: bool = False
    spike_when: Literal[">", ">="] = ">="
    v_init: float = 0.0
    spike: Literal["single", "multi"] = "single"
    input: Literal["spikes", "real"] = "spikes"


PRESETS: Mapping[str, Simulation] = {
    "snntorch": Simulation(reset="subtract", reset_delay=True, spike_when=">"),
    "spikingjelly": Simulation(),
    "sinabs": Simulation(dt=1.0, reset="subtract"),
}

_CHOICES: Mapping[str, tuple[str, ...]] = {
    "reset": ("subtract", "zero", "value"),
    "spike_when": (">", ">="),
    "spike": ("single", "multi"),
    "input": ("spikes", "real"),
}
_TRUTH = {"true": True, "false": False}
_SAY = "For example: --sim snntorch or --sim sinabs,spike=multi or --sim dt=1e-4,reset=zero"


def parse(text: str, start: Simulation | None = None) -> Simulation:
    """The simulation that a command line names: a preset, single values, or a preset and values that differ from it.

    Args:
        start: what single values without a preset change.

    Raises:
        UsageError: an unknown preset, name or value.
    """
    found = start or Simulation()
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = part.partition("=")
        if name == "spike_when" or equals:
            found = of({name: value}, found)
        elif name in PRESETS:
            found = PRESETS[name]
        else:
            raise UsageError(f"There is no simulation {name!r}.", f"There are: {', '.join(PRESETS)}.", _SAY)
    return found


def of(settings: Mapping[str, Any], start: Simulation | None = None) -> Simulation:
    """The simulation that a mapping describes, as the `sim` of a manifest does.

    Raises:
        UsageError: an unknown name or value.
    """
    found = start or Simulation()
    known = {field.name for field in fields(Simulation)}
    for name, value in settings.items():
        if name not in known:
            raise UsageError(f"A simulation has no {name!r}.", f"It has: {', '.join(sorted(known))}.", _SAY)
        found = replace(found, **{name: _value(name, value)})
    return found


def _value(name: str, value: Any) -> Any:
    try:
        if name in _CHOICES and value in _CHOICES[name]:
            return value
        if name == "reset_delay":
            return value if isinstance(value, bool) else _TRUTH[str(value)]
        if name in ("dt", "v_init") and abs(number := float(value)) < 1e30 and (name != "dt" or number > 0):
            return number
    except (ValueError, KeyError, TypeError):
        pass
    wanted = " or ".join(_CHOICES.get(name, ("true", "false") if name == "reset_delay" else ("a number",)))
    raise UsageError(f"{name} of a simulation is {wanted}, not {value!r}.", "", _SAY)
