# SPDX-License-Identifier: Apache-2.0
"""What remembers: delays, and neurons, which are NIR's differential equations as steps of length dt.

The steps are those of explicit Euler, as the frameworks have them.

IF        dv/dt = r * x                          v + dt*r * x
LIF, LI   tau * dv/dt = v_leak - v + r * x       (1 - dt/tau) * v + dt/tau*r * x + dt/tau*v_leak
CubaLIF   tau_syn * di/dt = w_in * x - i         an LI whose membrane is the current of a LIF
Delay     y(t) = x(t - delay)                    the value of round(delay/dt) steps before, zero in the first
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from harness import abi
from harness.model.graph import Array, Builder
from harness.model.importers.nir.layers import Site, Value

_LONGEST, _MOST_LAGS = 4096, 256
_IDLE: Mapping[str, float] = {"decay": 1.0, "gain": 1.0, "offset": 0.0, "reset": 0.0, "initial": 0.0}
_RESETS = {"subtract": "BNN_RESET_SUBTRACT", "zero": "BNN_RESET_VALUE", "value": "BNN_RESET_VALUE"}


def _integrator(site: Site) -> dict[str, Array]:
    return {"gain": site.simulation.dt * site.spread("r")}


def _leaky(site: Site, tau: str = "tau", gain: str = "r", leak: str = "v_leak") -> dict[str, Array]:
    time = site.spread(tau)
    if np.any(time <= 0):
        raise site.entry.broken(f"its {tau} is not above zero, so that its membrane has no next value")
    share = site.simulation.dt / time
    return {"decay": 1.0 - share, "gain": share * site.spread(gain, 1.0), "offset": share * site.spread(leak, 0.0)}


def _membrane(site: Site, x: str, constants: Mapping[str, Array], name: str = "") -> str:
    return _lif(site, x, None, {"initial": np.full(1, site.simulation.v_init), **constants}, name, emit="MEMBRANE")


def _spiking(site: Site, x: str, constants: Mapping[str, Array]) -> str:
    rules = site.simulation
    threshold = site.spread("v_threshold")
    if np.any(threshold <= 0) and rules.spike == "multi":
        raise site.entry.broken("a threshold that is not above zero goes into a membrane any number of times")
    later = rules.reset == "subtract" and rules.reset_delay  # the other resets leave nothing that could decay
    kind = "BNN_RESET_SUBTRACT_LATER" if later else _RESETS[rules.reset]
    extra = {"initial": np.full(1, rules.v_init)}
    extra |= {"reset": site.spread("v_reset", 0.0)} if rules.reset == "value" else {}
    emit = "COUNT" if rules.spike == "multi" else "SPIKE"
    return _lif(
        site,
        x,
        threshold,
        {**constants, **extra},
        emit=emit,
        reset=abi.constant(kind),
        strict=int(rules.spike_when == ">"),
        spike=0,
    )


def _lif(
    site: Site,
    x: str,
    threshold: Array | None,
    constants: Mapping[str, Array],
    name: str = "",
    emit: str = "SPIKE",
    **params: Any,
) -> str:
    """A lif with those of its constants that do something."""
    operands: list[str | None] = [x, None if threshold is None else site.constant("threshold", threshold)]
    for field, idle in _IDLE.items():
        data = constants.get(field)
        single = None if data is None else data.astype(np.float32)
        if single is None or np.all(single == np.float32(idle)):
            operands.append(None)
        else:
            operands.append(site.constant(f"{name}/{field}" if name else field, single))
    while operands[-1] is None:
        operands.pop()
    params = {"reset": 0, "strict": 0, "spike": 0, **params}
    return site.node("lif", tuple(operands), name, emit=abi.constant(f"BNN_EMIT_{emit}"), **params)


def _if(site: Site) -> Value:
    return site.x.of(_spiking(site, site.x.tensor, _integrator(site)))


def _lif_node(site: Site) -> Value:
    return site.x.of(_spiking(site, site.x.tensor, _leaky(site)))


def _i(site: Site) -> Value:
    return site.x.of(_membrane(site, site.x.tensor, _integrator(site)))


def _li(site: Site) -> Value:
    return site.x.of(_membrane(site, site.x.tensor, _leaky(site)))


def _synapse(site: Site) -> str:
    return _membrane(site, site.x.tensor, _leaky(site, "tau_syn", "w_in", ""), "synapse")


def _cuba_lif(site: Site) -> Value:
    return site.x.of(_spiking(site, _synapse(site), _leaky(site, "tau_mem")))


def _cuba_li(site: Site) -> Value:
    return site.x.of(_membrane(site, _synapse(site), _leaky(site, "tau_mem")))


def _delay(site: Site) -> Value:
    """The last values stand in a line, the oldest first; each lag has its place in it."""
    build, x = site.build, site.x.tensor
    lags = np.rint(site.spread("delay") / site.simulation.dt)
    if not (lags.min() >= 0 and lags.max() <= _LONGEST) or np.unique(lags).size > _MOST_LAGS:
        raise site.entry.broken(f"its delays are not {_MOST_LAGS} lags of 0 to {_LONGEST} steps at most")
    longest, shape = int(lags.max()), build.shape(x)
    if longest == 0:
        return site.x
    state = build.state(f"{site.entry.name}/before", (longest, *shape[1:]))
    if _spikes(build, x):
        build.levels[state] = (0.0, 1.0)
    line, step = site.node("concat", (state, x), "line", axis=0), [1] * len(shape)
    y = ""
    for lag in np.unique(lags):
        begin = [longest - int(lag), *[0] * (len(shape) - 1)]
        row = site.node("slice", (line,), f"lag{lag:g}", shape, begin=begin, step=step)
        y = site.node("select", (site.constant("where", lags == lag), row, y)) if y else row
    begin = [1, *[0] * (len(shape) - 1)]
    build.loop(state, site.node("slice", (line,), "after", (longest, *shape[1:]), begin=begin, step=step))
    return site.x.of(y)


def _spikes(build: Builder, tensor: str) -> bool:
    """Whether a tensor is what neurons or a promised input gave, moved at most."""
    made = {node.output: node for node in build.nodes}
    while tensor in made and made[tensor].op in ("reshape", "transpose"):
        tensor = str(made[tensor].inputs[0])
    node = made.get(tensor)
    if node is None:
        return tensor in build.levels
    return node.op == "lif" and node.params["emit"] == abi.constant("BNN_EMIT_SPIKE")


FUNCTIONS: Mapping[str, Callable[[Site], Value]] = {
    "IF": _if,
    "LIF": _lif_node,
    "I": _i,
    "LI": _li,
    "CubaLIF": _cuba_lif,
    "CubaLI": _cuba_li,
    "Delay": _delay,
}
SPIKING = frozenset({"IF", "LIF", "CubaLIF"})
