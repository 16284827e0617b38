# SPDX-License-Identifier: Apache-2.0
"""The kernel and the root file system of an emulated board, made from Debian packages of its architecture.

The root file system is an initramfs: busybox, an SSH server, what bitrig needs of a board, and the libraries that
these name. It is written as a cpio archive straight from the packages, which takes neither root nor the board's CPU.
"""

from __future__ import annotations

import io
import lzma
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.segments import InterpSegment

from harness.cross import cache, debian
from harness.errors import UsageError

FORMAT = 1  # of the cached images; raise it when what goes into them changes
PROGRAMS = {
    "busybox": "busybox-static",
    "dropbear": "dropbear-bin",
    "flock": "util-linux",
    "tc": "iproute2",  # netem: the tests make the network of a board worse with it
}
MODULES = ("virtio_mmio", "virtio_net", "cpufreq-dt", "sch_netem")

INIT = """\
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /var/log
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /tmp
mount -t tmpfs -o size=256m,mode=700 tmpfs /root
while read -r module; do insmod "/lib/modules/$module"; done </lib/modules/order
ifconfig lo 127.0.0.1
ifconfig eth0 10.0.2.15
hostname -F /etc/hostname
mkdir -m 700 /root/.ssh
cp /etc/dropbear/authorized_keys /root/.ssh
exec busybox init
"""

FILES = {
    "init": (0o755, INIT),
    "etc/inittab": (0o644, "::respawn:/usr/bin/dropbear -F -E -s -r /etc/dropbear/host_key\n"),
    "etc/passwd": (0o644, "root:x:0:0:root:/root:/bin/sh\n"),
    "etc/group": (0o644, "root:x:0:\n"),
    "etc/shells": (0o644, "/bin/sh\n"),
}
FOLDERS = ("bin", "dev", "etc/dropbear", "lib/modules", "proc", "root", "sys", "tmp", "usr/bin", "var")


@dataclass(frozen=True)
class Image:
    """What qemu starts: files in the cache."""

    kernel: Path
    initramfs: Path


@dataclass(frozen=True)
class Entry:
    """A file, or a folder or symbolic link by its mode, of an archive."""

    mode: int
    data: bytes = b""


def build(architecture: str, kernel: str, progress: Callable[[str], None]) -> Image:
    """The image of an architecture as Debian calls it (arm64, armhf), with the kernel of that package; cached.

    Raises:
        UsageError: a package cannot be fetched, or lacks what belongs into the image.
    """
    archives = debian.archives([kernel, *PROGRAMS.values()], architecture, progress)
    versions = [path.name for path in archives if path.name.startswith("linux-image-")]
    folder = cache.folder("lab") / f"{FORMAT}-{max(versions, key=len)}"
    image = Image(folder / "kernel", folder / "initramfs")
    with cache.locked(folder.with_name(folder.name + ".lock")):
        if not folder.exists():
            progress(f"Making the system image for {architecture}")
            with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
                _make(archives, Path(scratch))
                shutil.copytree(scratch, folder)
    return image


def cpio(entries: Mapping[str, Entry]) -> bytes:
    """An archive in the kernel's newc format (its Documentation, early-userspace/buffer-format), all root's."""
    out = io.BytesIO()
    for number, (path, entry) in enumerate([*entries.items(), ("TRAILER!!!", Entry(0))], 1):
        name = path.encode() + b"\0"
        fields = (number, entry.mode, 0, 0, 1, 0, len(entry.data), 0, 0, 0, 0, len(name), 0)
        out.write(b"070701" + b"".join(b"%08x" % field for field in fields) + name)
        out.write(bytes(-out.tell() % 4) + entry.data)
        out.write(bytes(-out.tell() % 4))
    return out.getvalue()


def file(text: str | bytes, mode: int = 0o644) -> Entry:
    return Entry(0o100000 | mode, text.encode() if isinstance(text, str) else text)


def _make(archives: Iterable[Path], folder: Path) -> None:
    """Write `kernel` and `initramfs`."""
    named = {path: path.name.split("_")[0] for path in archives}
    system = [path for path, name in named.items() if name.startswith(("lib", "zlib", *PROGRAMS.values()))]
    (image,) = [path for path, name in named.items() if re.match(r"linux-image-\d", name)]
    tree = {path: Entry(0o040755) for path in _with_parents(FOLDERS)}
    tree |= {path: file(text, mode) for path, (mode, text) in FILES.items()}
    with _opened(image) as package:
        (kernel,) = [member for member in package if member.name.startswith("./boot/vmlinuz-")]
        (folder / "kernel").write_bytes(_content(package, kernel))
        modules = _modules(package)
    tree |= {f"lib/modules/{name}": file(data) for name, data in modules.items()}
    tree["lib/modules/order"] = file("".join(f"{name}\n" for name in modules))
    tree |= {path: file(data, 0o755) for path, data in _programs(system).items()}
    (folder / "initramfs").write_bytes(cpio(tree))


def _with_parents(paths: Iterable[str]) -> list[str]:
    every = {str(parent) for path in paths for parent in (PurePosixPath(path), *PurePosixPath(path).parents)}
    return sorted(every - {"."})


@contextmanager
def _opened(package: Path) -> Iterator[tarfile.TarFile]:
    """The files of a package; through a file on disk, so that they can be read in any order."""
    with tempfile.TemporaryFile() as whole:
        subprocess.run(["dpkg-deb", "--fsys-tarfile", package], stdout=whole, check=True)
        whole.seek(0)
        with tarfile.open(fileobj=whole) as tar:
            yield tar


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    content = tar.extractfile(member)
    assert content is not None
    return content.read()


def _modules(package: tarfile.TarFile) -> dict[str, bytes]:
    """The kernel modules of MODULES and those that they need, in the order to load them."""
    paths = {_module_name(member.name): member for member in package if re.search(r"\.ko(\.xz)?$", member.name)}
    (builtin,) = [member for member in package if member.name.endswith("/modules.builtin")]
    fixed = {_module_name(line) for line in _content(package, builtin).decode().splitlines()}
    loaded: dict[str, bytes] = {}

    def load(name: str) -> None:
        if name in fixed or f"{name}.ko" in loaded:
            return
        if name not in paths:
            raise UsageError(f"The kernel package has no module {name}.", "", "Another release of Debian has it.")
        data = _content(package, paths[name])
        data = lzma.decompress(data) if paths[name].name.endswith(".xz") else data
        needs = re.search(rb"\0depends=([^\0]*)\0", data)
        for other in needs[1].decode().split(",") if needs and needs[1] else []:
            load(_module_name(other))
        loaded[f"{name}.ko"] = data

    for name in MODULES:
        load(_module_name(name))
    return loaded


def _module_name(path: str) -> str:
    return PurePosixPath(path).name.split(".ko")[0].replace("-", "_")


def _programs(packages: Iterable[Path]) -> dict[str, bytes]:
    """PROGRAMS, and the shared libraries that they need, by their paths in the image."""
    programs: dict[str, bytes] = {}
    libraries: dict[str, bytes | str] = {}  # a string is the name of another, which this one links to
    for package in packages:
        with _opened(package) as tar:
            for member in tar:
                name = PurePosixPath(member.name).name
                if member.isfile() and name in PROGRAMS and "bin" in PurePosixPath(member.name).parent.name:
                    programs[name] = _content(tar, member)
                elif ".so" in name and member.issym():
                    # A link from another folder may have the name of what it points to.
                    libraries.setdefault(name, PurePosixPath(member.linkname).name)
                elif ".so" in name and member.isfile():
                    libraries[name] = _content(tar, member)
    found: dict[str, bytes] = {}
    todo = list(programs.values())
    while todo:
        for name in _needed(todo.pop()) - found.keys():
            library = libraries.get(name)
            if isinstance(library, str):
                library = libraries.get(library)
            if not isinstance(library, bytes):
                raise UsageError(f"No package brings the library {name}.", "", "Another release of Debian has it.")
            found[name] = library
            todo.append(library)
    lacking = PROGRAMS.keys() - programs.keys()
    if lacking:
        raise UsageError(f"No package brings {', '.join(lacking)}.", "", "Another release of Debian has it.")
    # busybox brings links of its own into bin/, some of the same names; its shell prefers them even so.
    placed = {f"bin/{name}" if name == "busybox" else f"usr/bin/{name}": data for name, data in programs.items()}
    return placed | {f"lib/{name}": data for name, data in found.items()}


def _needed(program: bytes) -> set[str]:
    """The libraries and the loader that an ELF file names."""
    elf = ELFFile(io.BytesIO(program))
    names: set[str] = set()
    for segment in elf.iter_segments():
        if isinstance(segment, DynamicSegment):
            # The class of a tag gets this attribute as the tag is made.
            names |= {tag.needed for tag in segment.iter_tags("DT_NEEDED")}  # type: ignore[attr-defined]
        elif isinstance(segment, InterpSegment):
            names.add(PurePosixPath(segment.get_interp_name()).name)
    return names
