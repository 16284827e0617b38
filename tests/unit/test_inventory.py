# SPDX-License-Identifier: Apache-2.0
"""devices.yaml: what is accepted, and that every mistake is pointed at."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.board import inventory
from harness.board.inventory import Inventory
from harness.errors import ConfigError, UsageError

ROOT = Path(__file__).resolve().parents[2]
TARGETS = "targets: {host: {}, aarch64: {}}\n"


def load(folder: Path, shared: str, own: str | None = None) -> Inventory:
    (folder / "devices.yaml").write_text(shared, "utf-8")
    if own is not None:
        (folder / "devices.local.yaml").write_text(own, "utf-8")
    return inventory.load(folder)


def test_the_projects_own_file() -> None:
    known = inventory.load(ROOT)
    assert {"local", "pi4", "pizero", "qemu-aarch64", "qemu-armv7"} <= set(known.devices)
    assert known.devices["qemu-aarch64"].runner[0] == "qemu-aarch64-static"
    assert all(device.emulated for device in known.select(["stand-in"]))


def test_every_field_of_the_projects_own_file_is_described() -> None:
    text = (ROOT / "devices.yaml").read_text("utf-8")
    fields = set(inventory.Device.model_fields) - {"name", "ssh_config"}
    assert all(f"{field}:" in text for field in fields)


def test_the_shipped_schema_is_that_of_the_models() -> None:
    shipped = json.loads((ROOT / "harness/board/devices.schema.json").read_text("utf-8"))
    assert shipped == inventory.schema(), (
        "stale; write it anew: python -c 'import json, harness.board.inventory as i; "
        "print(json.dumps(i.schema(), indent=2))' > harness/board/devices.schema.json"
    )


def test_defaults_are_filled_in_and_overridden(tmp_path: Path) -> None:
    shared = "defaults: {threads: 2, timeouts: {run: 7}}\n" + TARGETS + "devices:\n  a: {target: aarch64, threads: 3}\n"
    known = load(tmp_path, shared, "devices: {a: {host: b.lan, timeouts: {queue: 1}}, local: {cpus: 1}}")
    device = known.devices["a"]
    assert (device.threads, device.address, device.timeouts.run, device.timeouts.queue) == (3, "b.lan", 7, 1)
    assert (known.devices["local"].cpus, known.devices["local"].threads) == ("1", 2)
    assert known.devices["local"].transport == "local"


def test_devices_are_chosen_by_name_tag_and_glob(tmp_path: Path) -> None:
    entries = "devices: {pi1: {target: host, tags: [x]}, pi2: {target: host}, b: {target: host, tags: [x]}}"
    known = load(tmp_path, TARGETS + entries)
    assert [device.name for device in known.select(["x", "pi*", "b"])] == ["pi1", "b", "pi2"]
    with pytest.raises(ConfigError, match=r'"pi3".*Did you mean pi[12]'):
        known.select(["pi3"])
    assert known.select_one("b").name == "b"
    with pytest.raises(UsageError, match=r'"pi\*" is 2 devices: pi1, pi2'):
        known.select_one("pi*")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{target: host, prot: 3}", r'devices.yaml:2: devices.pi.prot: unknown field "prot". Did you mean port\?'),
        ("{target: host, password: x}", "secrets have no place"),
        ("{target: hots}", r'devices.yaml:2: there is no target "hots".*Did you mean host\?'),
        ("{target: host, transport: shh}", r'there is no transport "shh".*Did you mean ssh'),
        ("{target: host, port: 99999}", "devices.pi.port: 99999: .*less than or equal to 65535"),
        ("{target: host, cpus: all}", "CPUs are a list such as 0-3 or 4,5, or big, or little"),
        ("{target: host, workdir: here}", "starts with / or ~/"),
        ("{target: host, timeouts: {conect: 1}}", "devices.pi.timeouts.conect.*Did you mean connect"),
        ("{target: host, tags: [a b]}", r"devices.pi.tags.0: 'a b': a name is made of"),
        ("{target: host, target: host}", r"devices.yaml:2: devices.pi.target is given twice"),
        ("{port: 3}", "devices.pi.target: this field is required"),
        ("{target: host", "this is not YAML"),
    ],
)
def test_a_mistake_is_pointed_at(tmp_path: Path, entry: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, TARGETS + f"devices: {{pi: {entry}}}\n")


def test_a_secret_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, TARGETS + "devices: {pi: {target: host, password: hunter2}}\n")
    assert "hunter2" not in str(caught.value)


def test_a_mistake_in_the_local_file_is_pointed_at_there(tmp_path: Path) -> None:
    shared = TARGETS + "devices:\n  pi:\n    target: host\n"
    with pytest.raises(ConfigError, match=r"^devices.local.yaml:3: devices.pi.thread: .*threads"):
        load(tmp_path, shared, "devices:\n  pi:\n    thread: 4\n")


def test_all_mistakes_are_told_in_the_order_of_the_file(tmp_path: Path) -> None:
    shared = TARGETS + "devices:\n  pi:\n    prot: 1\n    target: host\n    hots: b\n"
    with pytest.raises(ConfigError, match=r"(?s)yaml:4: .*prot.*yaml:6: .*hots"):
        load(tmp_path, shared)


@pytest.mark.parametrize("content", ["", "[]", "device: {}", "\xff", "devices: {a: }"])
def test_what_is_no_inventory_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "devices.yaml").write_bytes(content.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"devices\.yaml"):
        inventory.load(tmp_path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"devices\.yaml cannot be read"):
        inventory.load(tmp_path)
