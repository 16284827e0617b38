# SPDX-License-Identifier: Apache-2.0
"""Neurons: NIR's differential equations as steps of length dt (explicit Euler, which is what the frameworks do).

IF        dv/dt = r * x                          v + dt*r * x
LIF, LI   tau * dv/dt = v_leak - v + r * x       (1 - dt/tau) * v + dt/tau*r * x + dt/tau*v_leak
CubaLIF   tau_syn * di/dt = w_in * x - i         an LI whose membrane is the current of a LIF
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from harness import abi
from harness.model.graph import Array
from harness.model.importers.nir.layers import Site, Value

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


FUNCTIONS: Mapping[str, Callable[[Site], Value]] = {
    "IF": _if,
    "LIF": _lif_node,
    "I": _i,
    "LI": _li,
    "CubaLIF": _cuba_lif,
    "CubaLI": _cuba_li,
}
SPIKING = frozenset({"IF", "LIF", "CubaLIF"})
