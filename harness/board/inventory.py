# SPDX-License-Identifier: Apache-2.0
"""The inventory of targets and devices: devices.yaml, over it devices.local.yaml, checked field by field."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from harness.board import marked, transports
from harness.board.marked import Marks
from harness.errors import ConfigError, UsageError

SHARED = "devices.yaml"
OWN = "devices.local.yaml"

ALWAYS = {"devices": {"local": {"target": "host", "transport": "local"}}}

CPUS = r"^(big|little|\d+(-\d+)?(,\d+(-\d+)?)*)$"
ADDRESS = r"^[^\s:]+:\d+$"
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
SECRETS = re.compile(r"pass(word|phrase|wd)?$|secret|token|private_?key|identity", re.IGNORECASE)

# A path on a board goes through a POSIX shell there and through `~` expansion here; both stay simple for these.
WORKDIR = r"^(~/|/)[A-Za-z0-9._/+@-]*$"

SHAPES = {
    CPUS: "CPUs are a list such as 0-3 or 4,5, or big, or little",
    ADDRESS: "an address looks like lab.local:20408",
    NAME: "a name is made of letters, digits, '.', '_' and '-'",
    WORKDIR: "a folder on the board starts with / or ~/ and has no spaces",
}


def _words(value: Any) -> Any:
    return shlex.split(value) if isinstance(value, str) else value


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Timeouts(_Frozen):
    connect: float = Field(default=10, gt=0)
    """Seconds until a board that does not answer counts as unreachable."""
    queue: float = Field(default=600, ge=0)
    """Seconds to wait for a board that is in use; never counted as run time."""
    run: float = Field(default=300, gt=0)
    """Seconds until a job on the board is ended."""


class Target(_Frozen):
    toolchain: Literal["zig", "gcc"] = "zig"
    """The compiler that is used when none is asked for."""


class Labgrid(_Frozen):
    coordinator: str = Field(pattern=ADDRESS)
    """host:port of the coordinator of the lab."""
    tags: dict[str, Annotated[str, BeforeValidator(_text)]] = Field(min_length=1)
    """Tags that the place must have; `name` is its own name."""


class Settings(_Frozen):
    """What `defaults` may set for every device."""

    transport: Annotated[str, Field(examples=list(transports.OWN))] = "ssh"
    """How the board is reached: ssh, openssh (the system's own), adb (Android), local, or what a package adds."""
    host: str | None = None
    """Address, or alias of ~/.ssh/config; the device's name when absent."""
    user: str | None = None
    """Login name; what ~/.ssh/config says when absent."""
    port: int | None = Field(default=None, ge=1, le=65535)
    """SSH port; what ~/.ssh/config says when absent."""
    ssh_config: str | None = None
    """An ssh configuration file to use in place of ~/.ssh/config."""
    lab: str | None = None
    """The stand-in board behind this device; `inv lab.up` starts it and knows its address and keys."""
    labgrid: Labgrid | None = None
    """A shared lab that lends the board and knows its address."""
    runner: Annotated[tuple[str, ...], BeforeValidator(_words, json_schema_input_type=str | tuple[str, ...])] = ()
    """Words put before every program on the board, such as an emulator."""
    cpus: Annotated[
        Annotated[str, Field(pattern=CPUS)] | None, BeforeValidator(_text, json_schema_input_type=str | int | None)
    ] = None
    """CPUs that jobs may use, such as 0-3 or 4,5, or the cluster of the big or little ones; all when absent."""
    threads: int = Field(default=1, ge=1, le=256)
    """Threads of a job."""
    workdir: str = Field(default="~/.cache/bitrig", pattern=WORKDIR)
    """Folder on the board; everything bitrig leaves there is inside it."""
    conditions: Literal["steady", "as-shipped"] = "steady"
    """steady sets governor and memory layouts for a session and puts them back; as-shipped changes nothing."""
    frequency_mhz: int | None = Field(default=None, ge=1)
    """Frequency to pin the CPUs to for a session, where the board has it and allows it."""
    store_mb: int = Field(default=1024, ge=1)
    """Megabytes of models and binaries that are kept on the board; the least recently used ones go first."""
    tags: tuple[Annotated[str, Field(pattern=NAME)], ...] = ()
    """Words by which several devices are chosen at once."""
    emulated: bool = False
    """Times prove nothing here: they are marked, and never compared."""
    timeouts: Timeouts = Timeouts()
    """How long to wait, in seconds."""


class Entry(Settings):
    """One device of devices.yaml."""

    target: str
    """What code is compiled for: a name below `targets`."""


class Device(Entry):
    """A device with its name and all defaults filled in."""

    name: str

    @property
    def address(self) -> str:
        """The host to connect to: `host`, else the name, which ~/.ssh/config may know."""
        return self.host or self.name


class File(_Frozen):
    """devices.yaml as a whole; its JSON Schema is shipped beside this module."""

    defaults: Settings = Settings()
    """Settings of every device that does not say otherwise."""
    targets: dict[Annotated[str, Field(pattern=NAME)], Target]
    """What code can be compiled for; each has a toolchain file in toolchains/."""
    devices: dict[Annotated[str, Field(pattern=NAME)], Entry]
    """The boards."""


class Inventory(_Frozen):
    targets: Mapping[str, Target]
    devices: Mapping[str, Device]

    def select(self, patterns: Sequence[str]) -> tuple[Device, ...]:
        """The devices that match any of names, tags or globs, each once, in the order asked for.

        Raises:
            ConfigError: a pattern matches nothing; the nearest names are in the message.
        """
        chosen: dict[str, Device] = {}
        for pattern in patterns:
            found = [d for d in self.devices.values() if pattern in d.tags or fnmatchcase(d.name, pattern)]
            if not found:
                raise self._unknown(pattern)
            chosen |= {device.name: device for device in found}
        return tuple(chosen.values())

    def select_one(self, pattern: str) -> Device:
        """The device of that name, or the only one that matches.

        Raises:
            UsageError: several match.
            ConfigError: none does.
        """
        found = self.select([pattern])
        if len(found) > 1:
            names = ", ".join(device.name for device in found)
            raise UsageError(
                f'"{pattern}" is {len(found)} devices: {names}.', "This works on one.", "Name one of them."
            )
        return found[0]

    def _unknown(self, pattern: str) -> ConfigError:
        tags = {tag for device in self.devices.values() for tag in device.tags}
        remedy = _did_you_mean(pattern, {*self.devices, *tags})
        return ConfigError(
            f'No device is called "{pattern}".',
            f"Devices are {', '.join(self.devices)}.",
            remedy or f"Add an entry to {OWN} (or {SHARED}), or see `inv device.list`.",
        )


def load(root: Path) -> Inventory:
    """Read `root/devices.yaml` and, over it, `root/devices.local.yaml`.

    The device `local`, this machine, is always there, and may be given other settings.

    Raises:
        ConfigError: every wrong field with its file and line.
    """
    content, marks = marked.merge(ALWAYS, {}), Marks()
    for path in (root / SHARED, root / OWN):
        if path.name == SHARED or path.exists():
            layer, where = marked.read(path)
            content = marked.merge(content, layer)
            marks |= where
    try:
        file = File.model_validate(content)
    except ValidationError as error:
        raise _explained(error, marks) from None
    defaults = content.get("defaults") or {}
    devices = {
        name: Device.model_validate({**marked.merge(defaults, content["devices"][name]), "name": name})
        for name in file.devices
    }
    for device in devices.values():
        for field, names in (("target", file.targets), ("transport", transports.known())):
            value = getattr(device, field)
            if value not in names:
                raise ConfigError(
                    f'{marks.at("devices", device.name, field)}: there is no {field} "{value}".',
                    f"There are {', '.join(names)}.",
                    _did_you_mean(value, names),
                )
    return Inventory(targets=file.targets, devices=devices)


def schema() -> dict[str, Any]:
    """The JSON Schema of devices.yaml, by which an editor completes and checks it."""
    return File.model_json_schema() | {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": SHARED}


def _did_you_mean(word: str, known: Sequence[str] | set[str] | Mapping[str, Any]) -> str:
    near = get_close_matches(word, list(known), n=3, cutoff=0.6)
    return f"Did you mean {' or '.join(near)}?" if near else ""


def _explained(error: ValidationError, marks: Marks) -> ConfigError:
    lines = [_line(dict(problem), marks) for problem in error.errors()]
    return ConfigError("\n".join(sorted(lines, key=_place)), "", f"Every field is described in {SHARED} itself.")


def _place(line: str) -> tuple[str, int]:
    file, number = line.split(":")[:2]
    return file, int(number) if number.isdigit() else 0


def _line(problem: dict[str, Any], marks: Marks) -> str:
    # A wrong key of a mapping is reported below its own name, as ("devices", "p i", "[key]").
    path = tuple(part for part in problem["loc"] if part != "[key]")
    field = ".".join(map(str, path))
    where = marks.at(*path)
    word = str(path[-1]) if path else ""
    match problem["type"]:
        case "extra_forbidden" if SECRETS.search(word):
            return f"{where}: {field}: secrets have no place in this file; keys and agents belong to ~/.ssh/config."
        case "extra_forbidden":
            known = [name for name in _model_at(path[:-1]).model_fields if name != "name"]
            hint = _did_you_mean(word, known) or f"Known fields are {', '.join(known)}."
            return f'{where}: {field}: unknown field "{word}". {hint}'
        case "missing":
            return f"{where}: {field}: this field is required."
        case "literal_error":
            hint = _did_you_mean(str(problem["input"]), re.findall(r"'([^']+)'", problem["ctx"]["expected"]))
            return f"{where}: {field}: {problem['input']!r} is not {problem['ctx']['expected']}. {hint}".rstrip()
        case "string_pattern_mismatch":
            return f"{where}: {field}: {problem['input']!r}: {SHAPES[problem['ctx']['pattern']]}."
        case _:
            return f"{where}: {field}: {problem['input']!r}: {problem['msg'].lower()}."


def _model_at(path: tuple[Any, ...]) -> type[BaseModel]:
    """The model that a place in the file is checked by."""
    inner: dict[Any, type[BaseModel]] = {"timeouts": Timeouts, "labgrid": Labgrid}
    if path and path[-1] in inner:
        return inner[path[-1]]
    if not path:
        return File
    models: dict[str, type[BaseModel]] = {"defaults": Settings, "targets": Target}
    return models.get(path[0], Entry)
