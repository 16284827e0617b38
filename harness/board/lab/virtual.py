# SPDX-License-Identifier: Apache-2.0
"""Stand-in boards that are whole emulated computers, with a kernel, clock frequencies and an SSH server of their own.

Time in them is counted in instructions, so that what runs takes the same time whenever it runs, and however busy this
machine is. That makes figures repeat; it does not make them those of a board.
"""

from __future__ import annotations

import os
import signal
import struct
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from harness.board.lab import image, server
from harness.cross import debian
from harness.cross.progress import Progress
from harness.errors import DeviceUnfit

BOOT = 60  # seconds
MHZ = 1_000_000


@dataclass(frozen=True)
class Machine:
    """A computer to emulate.

    Attributes:
        architecture: as Debian calls it.
        kernel: Debian's package of it.
        qemu: the emulator.
        cpus: CPU model, as qemu calls it, and number of CPUs.
        model: what the device tree says it is.
        clusters: for each kind of CPU its numbers, its frequencies in MHz, and how fast it is among them.
    """

    architecture: str
    kernel: str
    qemu: str
    cpus: tuple[str, int]
    model: str
    clusters: tuple[tuple[tuple[int, ...], tuple[int, ...], int], ...]


MACHINES = {
    "virt-pi4": Machine(
        "arm64",
        "linux-image-arm64",
        "qemu-system-aarch64",
        ("cortex-a72", 1),
        "Raspberry Pi 4 Model B Rev 1.4 (emulated)",
        (((0,), (600, 1000, 1500, 1800), 1024),),
    ),
    "virt-pi2": Machine(
        "armhf",
        "linux-image-armmp-lpae",
        "qemu-system-arm",
        ("cortex-a7", 1),
        "Raspberry Pi 2 Model B Rev 1.1 (emulated)",
        (((0,), (600, 900), 1024),),
    ),
    "virt-biglittle": Machine(
        "arm64",
        "linux-image-arm64",
        "qemu-system-aarch64",
        ("cortex-a72", 4),
        "Board with big and little CPUs (emulated)",
        (((0, 1), (600, 1000), 377), ((2, 3), (600, 1200, 1800), 1024)),
    ),
}


def up(machine: Machine, folder: Path, port: int, tell: Progress) -> None:
    """Start it. Raises UsageError when a package cannot be fetched, DeviceUnfit when it does not start."""
    with ThreadPoolExecutor() as pool:  # three downloads that do not wait for each other
        qemu_later = pool.submit(debian.tool, machine.qemu, tell)
        compiler_later = pool.submit(debian.tool, "dtc", tell)
        system = image.build(machine.architecture, machine.kernel, tell)
        qemu, compiler = qemu_later.result(), compiler_later.result()
    name = folder.name
    (folder / "initramfs").write_bytes(system.initramfs.read_bytes() + image.cpio(_own_files(folder, name, port)))
    command = [
        *(str(qemu), "-L", str(qemu.parent.parent / "share/qemu")),
        *("-cpu", machine.cpus[0], "-smp", f"{machine.cpus[1]}", "-m", "512"),
        *("-accel", "tcg,thread=single", "-icount", "shift=0"),
        *("-nodefaults", "-display", "none", "-serial", f"file:{folder}/console.log"),
        *("-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22"),
        *("-device", "virtio-net-device,netdev=net"),
        *("-kernel", str(system.kernel), "-initrd", f"{folder}/initramfs"),
        *("-append", "console=ttyAMA0 quiet panic=-1"),
    ]
    environment = os.environ | debian.environment(qemu)
    _device_tree(machine, folder, command, environment, compiler)
    tell(f"starting an emulated {machine.cpus[0]}")
    _start([*command, "-machine", "virt", "-dtb", f"{folder}/tree.dtb"], environment, folder, port)


def down(folder: Path) -> None:
    """Switch it off; nothing happens when it is."""
    with suppress(FileNotFoundError, ValueError, ProcessLookupError):
        pid = int((folder / "pid").read_text("utf-8"))
        if str(folder) in Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace"):
            os.kill(pid, signal.SIGKILL)
        (folder / "pid").unlink()


def _own_files(folder: Path, name: str, port: int) -> dict[str, image.Entry]:
    """What the image of one board has beside the files of all; the keys are made, and the host key trusted, here."""
    host, login = Ed25519PrivateKey.generate(), server.new_key(folder / "login_key")
    server.introduce(folder, port, "root", server.public_line(host.public_key()))
    # Dropbear's own format: the name of the kind, then the private and the public half, each behind its length.
    private = host.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    halves = private + host.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    kind = b"ssh-ed25519"
    packed = struct.pack(">I", len(kind)) + kind + struct.pack(">I", len(halves)) + halves
    return {
        "etc/dropbear/host_key": image.file(packed, 0o600),
        "etc/dropbear/authorized_keys": image.file(server.public_line(login.public_key()), 0o600),
        "etc/hostname": image.file(f"{name}\n"),
    }


def _device_tree(machine: Machine, folder: Path, command: list[str], environment: dict[str, str], dtc: Path) -> None:
    """The tree of qemu's board with an overlay: a model name, and CPUs with frequencies and different speeds."""
    tools = environment | debian.environment(dtc)
    base, overlay = folder / "base.dtb", folder / "overlay.dtbo"
    (folder / "overlay.dts").write_text(overlay_source(machine), "utf-8")
    merge = dtc.with_name("fdtoverlay")
    for step, env in (
        ([*command, "-machine", f"virt,dumpdtb={base}"], environment),
        ([dtc, "-q", "-@", "-I", "dts", "-O", "dtb", "-o", overlay, folder / "overlay.dts"], tools),
        ([merge, "-i", base, "-o", folder / "tree.dtb", overlay], tools),
    ):
        done = subprocess.run([str(word) for word in step], env=env, capture_output=True, text=True)
        if done.returncode != 0:
            raise DeviceUnfit(f"The device tree of {folder.name} cannot be made: {done.stderr.strip()}.")


def overlay_source(machine: Machine) -> str:
    """An overlay for the device tree. Clocks are fixed ones: a frequency is a name here, and changes no speed."""
    parts = [f'/ {{ model = "{machine.model}"; }};']
    for number, (cpus, megahertz, capacity) in enumerate(machine.clusters):
        points = " ".join(f"opp-{mhz} {{ opp-hz = /bits/ 64 <{mhz * MHZ}>; }};" for mhz in megahertz)
        clock = f'compatible = "fixed-clock"; #clock-cells = <0>; clock-frequency = <{megahertz[-1] * MHZ}>;'
        parts.append(
            f"/ {{ clock{number}: clock-{number} {{ {clock} }}; "
            f'points{number}: points-{number} {{ compatible = "operating-points-v2"; opp-shared; {points} }}; }};'
        )
        speed = f"clocks = <&clock{number}>; operating-points-v2 = <&points{number}>; "
        speed += f"capacity-dmips-mhz = <{capacity}>;"
        parts += [f"/cpus/cpu@{cpu} {{ {speed} }};" for cpu in cpus]
    fragments = []
    for number, part in enumerate(parts):
        path, _, body = part.partition(" ")
        fragments.append(f'fragment@{number} {{ target-path = "{path}"; __overlay__ {body} }};')
    return "/dts-v1/;\n/plugin/;\n/ {\n" + "\n".join(fragments) + "\n};\n"


def _start(command: list[str], environment: dict[str, str], folder: Path, port: int) -> None:
    emulator = server.launch(command, folder / "qemu.log", environment)
    (folder / "pid").write_text(f"{emulator.pid}\n", "utf-8")
    if server.wait(emulator, port, BOOT):
        return
    said = (folder / "qemu.log").read_text("utf-8", "replace").splitlines()
    raise DeviceUnfit(
        f"{folder.name} does not start: {said[-1] if said else f'no SSH server after {BOOT} s'}.",
        "This machine is too busy, or the image does not fit this version of qemu.",
        f"Its console is in {folder / 'console.log'}.",
    )
