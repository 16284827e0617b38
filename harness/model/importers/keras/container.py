# SPDX-License-Identifier: Apache-2.0
"""The two containers of Keras: `.h5`, HDF5 with the architecture in an attribute, and `.keras`, a zip of JSON and HDF5.

What a file is shows in its first bytes; a suffix that says otherwise is no reason to refuse it.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ModelError
from harness.model.importers.keras import config, hdf5
from harness.model.importers.keras.weights import ByName, ByPosition, Weights

_MAX_MEMBERS = 1000
_ZIP = b"PK\x03\x04"


@dataclass(frozen=True)
class Opened:
    """A model file.

    Attributes:
        architecture: the model's config object.
        weights: where the layers' variables are.
        keras3: it is in the dialect of Keras 3.
        format: what the file is, for the report.
    """

    architecture: dict[str, Any]
    weights: Weights
    keras3: bool
    format: str


def read(path: Path) -> Opened:
    """Reads a model file.

    Raises:
        ModelError: it is neither container, is damaged, or lacks the architecture or the weights.
    """
    with path.open("rb") as file:
        start = file.read(len(hdf5.SIGNATURE))
    if start == hdf5.SIGNATURE:
        return _h5(hdf5.Store(path, ByName.ROOT))
    if start.startswith(_ZIP):
        architecture, version, weights = _members(path)
        return _opened(architecture, ByPosition(hdf5.Store(weights, ByPosition.ROOT)), version, ".keras")
    raise ModelError(
        f"{path.name!r} is neither an HDF5 file nor a .keras archive.",
        "It is another kind of file under this name, or its beginning is damaged.",
        "Save the model again with model.save('model.h5') or model.save('model.keras').",
    )


def _opened(architecture: dict[str, Any], weights: Weights, version: str, suffix: str) -> Opened:
    major = re.match(r"[0-9]{1,4}(?=\.)", version)
    keras3 = major is not None and int(major[0]) >= 3
    shown = version if len(version) <= 20 and version.isprintable() else ""
    producer = f"Keras {shown}" if keras3 else f"tf_keras {shown}" if shown.startswith("2.16") else f"tf.keras {shown}"
    return Opened(architecture, weights, keras3, f"Keras {suffix} ({producer.strip()})")


def _h5(store: hdf5.Store) -> Opened:
    text = store.text("", "model_config")
    if text is None:
        raise ModelError(
            "The file holds weights but no architecture.",
            "It was written by save_weights, or by a checkpoint callback with save_weights_only=True.",
            "Build the model in Python, load these weights into it, and save it whole with model.save(...).",
        )
    version = store.text("", "keras_version") or store.text(ByName.ROOT, "keras_version") or ""
    return _opened(config.parse(text, "The architecture (model_config)"), ByName(store), version, ".h5")


def _members(path: Path) -> tuple[dict[str, Any], str, bytes]:
    """(architecture, version of Keras, bytes of the weights file) of a `.keras` archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            names = [entry.filename for entry in entries]
            if len(names) > _MAX_MEMBERS or len(set(names)) < len(names):
                raise ModelError(
                    f"{path.name!r} holds a member twice, or more than {_MAX_MEMBERS} of them.",
                    "Programs differ in which of two equal names they take, so neither is trusted.",
                    "Save the model again with model.save(...).",
                )
            strange = [name for name in names if name.startswith(("/", "\\")) or ".." in name or ":" in name]
            if strange:
                raise ModelError(
                    f"{path.name!r} holds a member named {config.show(strange[0])}, outside of the archive.",
                    "Keras writes no such names.",
                    "Save the model again with model.save(...).",
                )
            size = path.stat().st_size
            read = {name: _member(archive, name, size) for name in ("metadata.json", "config.json", "model.weights.h5")}
    except ModelError:
        raise
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError, NotImplementedError) as error:
        raise ModelError(
            f"{path.name!r} cannot be read as a .keras archive: {str(error)[:160]}.",
            "The file was cut (an unfinished download or copy) or damaged.",
            "Save the model again, or fetch the file again and compare its size.",
        ) from None
    version = config.parse(read["metadata.json"], "metadata.json").get("keras_version")
    architecture = config.parse(read["config.json"], "config.json")
    return architecture, version if isinstance(version, str) else "", read["model.weights.h5"]


def _member(archive: zipfile.ZipFile, name: str, archive_bytes: int) -> bytes:
    try:
        entry = archive.getinfo(name)
    except KeyError:
        raise ModelError(
            f"The archive has no {name}.",
            "It is not a .keras file, or it was saved in part.",
            "Save the whole model again with model.save('model.keras').",
        ) from None
    most = hdf5.allowance(archive_bytes)
    if name.endswith(".json"):
        most = min(most, config.MAX_CONFIG_BYTES)
    if entry.file_size > most:
        raise ModelError(
            f"{name} claims to unpack to {entry.file_size:,} bytes; at most {most:,} are accepted from this archive.",
            "Real weights hardly compress; a file like this is made to fill the memory.",
        )
    return archive.read(entry)
