# SPDX-License-Identifier: Apache-2.0
"""Reading HDF5 that nobody vouches for.

HDF5 can point out of a file (external links, external storage, virtual datasets), in circles (soft links), at plugins
(filters) and at far more data than it holds (compression, unwritten chunks). A Keras file needs none of that, so all of
it is refused, and the sum of what is read is bounded by the size of the file.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from harness.errors import ModelError

SIGNATURE = b"\x89HDF\r\n\x1a\n"

_FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
_DAMAGED = (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError, AttributeError, OverflowError)


def allowance(size: int) -> int:
    """Bytes that may be unpacked from a file of `size` bytes. Weights hardly compress; float16 doubles."""
    return 4 * size + (16 << 20)


@contextmanager
def guarded(where: str) -> Iterator[None]:
    """Turns whatever the HDF5 library says about a damaged file into a ModelError."""
    try:
        yield
    except ModelError:
        raise
    except _DAMAGED as error:
        raise ModelError(
            f"{where} cannot be read as HDF5: {str(error)[:160] or type(error).__name__}.",
            "The file was cut (an unfinished download or copy) or damaged.",
            "Save the model again, or fetch the file again and compare its size.",
        ) from None


class Store:
    """One HDF5 file, opened for reading.

    Args:
        source: the file, or its bytes.
        size: bytes of the file.
    """

    def __init__(self, source: Path | bytes, size: int) -> None:
        self._left = allowance(size)
        with guarded("The model"):
            self._file: Any = h5py.File(io.BytesIO(source) if isinstance(source, bytes) else source, "r")

    def close(self) -> None:
        self._file.close()

    def group(self, *path: str) -> Any | None:
        """The group at `path`, one name a step; None where there is none."""
        found = self._walk(path)
        return found if isinstance(found, h5py.Group) else None

    def array(self, shape: tuple[int, ...], *path: str) -> NDArray[np.float32]:
        """The floats at `path`.

        Raises:
            ModelError: they are missing, not floats, not of this shape, not finite, or not really in the file.
        """
        label = "/".join(path)[-200:]
        with guarded(f"The weights {label!r}"):
            data = self._walk(path)
            if not isinstance(data, h5py.Dataset):
                raise ModelError(
                    f"The weights {label!r} are missing.",
                    "The file was saved in part, or edited.",
                    "Save the whole model again with model.save(...).",
                )
            if data.dtype.kind != "f" or data.dtype.itemsize > 8:
                raise ModelError(f"The weights {label!r} are of type {str(data.dtype)[:40]}, not floats.")
            if data.shape != shape:
                raise ModelError(
                    f"The weights {label!r} have the shape {list(data.shape or ())}; the layer wants {list(shape)}.",
                    "The architecture and the weights in the file do not belong together.",
                    "Save the whole model again with model.save(...).",
                )
            self._in_this_file(data, label)
            self._spend(int(data.size) * 4 + int(data.nbytes), label)
            values: NDArray[np.float32] = np.ascontiguousarray(data[()], dtype=np.float32).reshape(shape)
        if not np.isfinite(values).all():
            raise ModelError(
                f"The weights {label!r} hold NaN or infinity.",
                "Training diverged, or the file is damaged.",
                "Load the model in the framework that wrote it and look at that layer.",
            )
        return values

    def text(self, group: Any, key: str) -> str | None:
        """A string attribute; None where it is absent."""
        with guarded(f"The attribute {key!r}"):
            values = self._strings(group, key)
            return None if values is None else values[0] if len(values) == 1 else ""

    def names(self, group: Any, key: str) -> tuple[str, ...] | None:
        """A list of strings, which Keras splits into key0, key1, ... where it is longer than an HDF5 attribute."""
        with guarded(f"The attribute {key!r}"):
            whole = self._strings(group, key)
            if whole is not None:
                return whole
            parts: list[str] = []
            index = 0
            while (part := self._strings(group, f"{key}{index}")) is not None:
                parts += part
                index += 1
            return tuple(parts) if index else None

    def _walk(self, path: tuple[str, ...]) -> Any | None:
        here = self._file
        for step in path:
            if not isinstance(here, h5py.Group) or not step or step in (".", "..") or "/" in step:
                return None
            link = here.get(step, getlink=True)
            if link is None:
                return None
            if not isinstance(link, h5py.HardLink):
                raise ModelError(
                    f"{step[:200]!r} is a link to somewhere else, not data.",
                    "Keras writes no links; following them could read other files.",
                    "Save the model again with model.save(...).",
                )
            here = here[step]
        return here

    def _in_this_file(self, data: Any, label: str) -> None:
        plist = data.id.get_create_plist()
        if data.is_virtual or plist.get_external_count():
            raise ModelError(
                f"The weights {label!r} lie in another file.",
                "Keras writes all weights into one file; reading others is refused.",
                "Save the model again with model.save(...).",
            )
        filters = {plist.get_filter(index)[0] for index in range(plist.get_nfilters())}
        if not filters <= _FILTERS:
            raise ModelError(f"The weights {label!r} are compressed with a filter that bitrig does not load.")
        stored = data.id.get_storage_size()
        if not filters and stored < data.nbytes:
            raise ModelError(f"The weights {label!r} claim {data.nbytes:,} bytes; the file holds {stored:,} of them.")

    def _spend(self, size: int, label: str) -> None:
        self._left -= size
        if self._left < 0:
            raise ModelError(
                f"The weights {label!r} unpack to far more than the file's size.",
                "Real weights hardly compress; a file like this is made to fill the memory.",
            )

    def _strings(self, group: Any, key: str) -> tuple[str, ...] | None:
        if key not in group.attrs:
            return None
        attribute = group.attrs.get_id(key)
        self._spend(int(attribute.get_storage_size()), key)
        value = group.attrs[key]
        items = list(value.ravel()) if isinstance(value, np.ndarray) else [value]
        if isinstance(value, np.ndarray) and value.size == 0:
            return ()
        if not all(isinstance(item, str | bytes) for item in items):
            raise ModelError(f"The attribute {key!r} holds {type(items[0]).__name__}, not text.")
        return tuple(item.decode("utf-8", "strict") if isinstance(item, bytes) else item for item in items)
