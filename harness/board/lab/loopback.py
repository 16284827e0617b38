# SPDX-License-Identifier: Apache-2.0
"""A stand-in board that is an OpenSSH server on this machine, for jobs under qemu's user-mode emulation.

It runs as whoever starts it, on loopback alone, with keys made on the spot. Its home is a folder of its own, so that a
job finds nothing of the user's there.
"""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import signal
from contextlib import suppress
from pathlib import Path

from harness.board.lab import server
from harness.cross import debian
from harness.cross.progress import Progress
from harness.errors import DeviceUnfit

EMULATORS = ("qemu-aarch64-static", "qemu-arm-static")
BOOT = 10  # seconds

SSHD_CONFIG = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
PidFile {folder}/pid
AuthorizedKeysFile {folder}/login_key.pub
AuthenticationMethods publickey
PermitRootLogin yes
UsePAM no
StrictModes no
UseDNS no
MaxStartups 100
MaxSessions 50
Subsystem sftp internal-sftp
SetEnv HOME={folder}/home PATH={folder}/bin:{path}
"""

# sshd insists, as root, on a user `sshd` and on /run/sshd. Both are given to it alone, in a mount namespace of its own.
AS_ROOT = """\
mount -t tmpfs -o mode=755 tmpfs /run && mkdir -m 755 /run/sshd
grep -q ^sshd: /etc/passwd || mount --bind {passwd} /etc/passwd
exec "$@\""""


def up(folder: Path, port: int, tell: Progress) -> None:
    """Start it. Raises UsageError when a package cannot be fetched, DeviceUnfit when the server does not start."""
    sshd = debian.tool("sshd", tell)
    emulators = [debian.tool(name, tell) for name in EMULATORS]
    for kind in ("home", "bin"):
        (folder / kind).mkdir(exist_ok=True)
    for emulator in emulators:
        link = folder / "bin" / emulator.name
        link.unlink(missing_ok=True)
        link.symlink_to(emulator)
    for key in ("host_key", "login_key"):
        if not (folder / key).exists():
            server.new_key(folder / key)
    server.introduce(folder, port, getpass.getuser(), (folder / "host_key.pub").read_text("utf-8"))
    config = SSHD_CONFIG.format(folder=folder, port=port, path=os.defpath)
    (folder / "sshd_config").write_text(config, "utf-8")
    _start(folder, sshd, port)


def down(folder: Path) -> None:
    """Stop the server and its sessions; nothing happens when it does not run."""
    with suppress(FileNotFoundError, ValueError):
        pid = int((folder / "pid").read_text("utf-8"))
        if str(folder) in Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace"):
            for child in _children(pid):
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGTERM)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            (folder / "pid").unlink(missing_ok=True)


def _start(folder: Path, sshd: Path, port: int) -> None:
    command = [str(sshd), "-f", str(folder / "sshd_config"), "-E", str(folder / "sshd.log"), "-D"]
    if os.geteuid() == 0:
        passwd = folder / "passwd"
        entry = "sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\n"
        passwd.write_text(Path("/etc/passwd").read_text("utf-8") + entry, "utf-8")
        script = AS_ROOT.format(passwd=shlex.quote(str(passwd)))
        unshare = shutil.which("unshare") or "unshare"
        command = [unshare, "--mount", "--propagation", "private", "sh", "-ec", script, "sshd", *command]
    process = server.launch(command, folder / "start.log", os.environ | debian.environment(sshd))
    if server.wait(process, port, BOOT):
        return
    logs = [folder / name for name in ("start.log", "sshd.log")]
    said = "".join(log.read_text("utf-8") for log in logs if log.exists()).splitlines()
    raise DeviceUnfit(
        f"The stand-in board's SSH server does not start: {said[-1] if said else 'it says nothing'}.",
        "As root it needs a mount namespace of its own, which some containers forbid.",
        "Run as an ordinary user, or install the package: apt install openssh-server",
    )


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in found.read_text("utf-8").split()] if found.exists() else []
