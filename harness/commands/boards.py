# SPDX-License-Identifier: Apache-2.0
"""Commands about boards: device.list, .discover, .trust, .doctor, .lock, .unlock, .clean; lab.up, .down, .status."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

from invoke.context import Context
from invoke.exceptions import Exit
from rich.table import Table
from rich.text import Text

from harness.board import deploy, discover, doctor, inventory, lab, lock, transport, trust
from harness.commands.console import command, out, say_json
from harness.cross.toolchain import ROOT
from harness.errors import DeviceUnfit, UsageError
from harness.options import many, number, one


@command()
def device_list(c: Context, json: bool = False) -> None:
    """The devices of devices.yaml."""
    known = inventory.load(ROOT)
    if json:
        say_json([device.model_dump() for device in known.devices.values()])
    else:
        table = Table("device", "target", "address", "tags", box=None, pad_edge=False, header_style="dim")
        for device in known.devices.values():
            address = "" if device.transport == "local" else f"stand-in {device.lab}" if device.lab else device.address
            table.add_row(device.name, device.target, address, ", ".join(device.tags))
        out.print(table)


@command("device")
def device_trust(c: Context, device: list[str], yes: bool = False) -> None:
    """Show the host key of a device and, when you say so, trust it from now on."""
    where = inventory.load(ROOT).select_one(one(device, "--device"))
    key = trust.fetch(where)
    out.print(f"{where.name} ({key.name}) shows the {key.kind} key {key.fingerprint}")
    if key.known:
        out.print("It is trusted already.")
        return
    if not yes and not sys.stdin.isatty():
        raise UsageError(
            "Nothing was trusted: nobody is here to say yes.", "", "Compare the fingerprint, then add --yes."
        )
    answer = "y" if yes else input("Compare it with what the board says (ssh-keygen -lf on it). Trust it? [y/N] ")
    if answer.strip().lower() != "y":
        raise UsageError("Nothing was trusted.")
    trust.accept(key)
    out.print("Trusted.")


@command("device")
def device_doctor(c: Context, device: list[str], json: bool = False) -> None:
    """What stands in the way of a job or of sound times on devices, and what to do about it."""
    known = inventory.load(ROOT)
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(doctor.examine, known.select(many(device) or ["local"])))
    if json:
        say_json([asdict(each) for each in found])
    else:
        for each in found:
            out.print(Text(f"{each.device}: {'fit' if each.fit else 'unfit'}", "bold" if each.fit else "bold red"))
            for finding in each.findings:
                out.print(Text(f"  {finding.level}: {finding.what} {finding.advice}"))
    if not all(each.fit for each in found):
        raise Exit(code=DeviceUnfit.exit_code)


@command()
def device_discover(c: Context, json: bool = False) -> None:
    """Boards that are not in devices.yaml yet: hosts of ~/.ssh/config, neighbours on the network, adb."""
    found = discover.search(inventory.load(ROOT))
    if json:
        say_json([asdict(each) for each in found])
        return
    for each in found:
        out.print(Text(f"{each.host}: {each.what} ({each.transport}; {each.source})"))
    if not found:
        out.print("None that answers. Give a board's address as `host` in devices.local.yaml.")


@command("device")
def device_lock(c: Context, device: list[str], purpose: str = "work by hand", hours: str = "2") -> None:
    """Keep a device for work by hand, for some hours or until it is unlocked."""
    where = inventory.load(ROOT).select_one(one(device, "--device"))
    with transport.connect(where, out.print) as link:
        lock.take(link, purpose, round(number(hours, "--hours", float) * 3600))
    out.print(Text(f"{where.name}: yours for {hours} h; let it go by: inv device.unlock --device {where.name}"))


@command("device")
def device_clean(c: Context, device: list[str]) -> None:
    """Remove the models and binaries that were sent to devices."""
    for where in inventory.load(ROOT).select(many(device) or ["local"]):
        with transport.connect(where, out.print) as link, lock.hold(link, "cleaning up", out.print):
            out.print(f"{where.name}: {deploy.clean(link) / 1e6:.1f} MB freed")


@command("device")
def device_unlock(c: Context, device: list[str]) -> None:
    """End the job that holds a device, whoever started it."""
    where = inventory.load(ROOT).select_one(one(device, "--device"))
    with transport.connect(where, out.print) as link:
        holder = lock.holder(link)
        lock.free(link)
    out.print(Text(f"{where.name}: {'freed from ' + holder if holder else 'was free'}"))


@command("name")
def lab_up(c: Context, name: list[str]) -> None:
    """Start stand-in boards on this machine, whose jobs run under an emulator; the usual one where none is named."""
    for line in lab.up(many(name)):
        out.print(line, markup=False)


@command("name")
def lab_down(c: Context, name: list[str]) -> None:
    """Stop stand-in boards; all where none is named."""
    for line in lab.down(many(name)):
        out.print(line, markup=False)


@command()
def lab_status(c: Context, json: bool = False) -> None:
    """Which stand-in boards are up."""
    found = lab.status()
    if json:
        say_json([asdict(standing) for standing in found])
    for standing in () if json else found:
        out.print(f"{standing.name}: {'up, ' + standing.address if standing.up else 'down'}")
