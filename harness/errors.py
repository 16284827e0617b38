# SPDX-License-Identifier: Apache-2.0
"""Every error that bitrig reports on purpose, with the exit code of the command that meets it.

    BitrigError                     1   something in bitrig itself is wrong
    ├── UsageError                  2   what was asked for cannot be done as it was asked
    │   ├── ConfigError                 devices.yaml, or another file of settings
    │   ├── ModelError                  a model that cannot be read or is refused
    │   │   └── UnsupportedModel        a sound model with an operation that bitrig does not know
    │   └── BuildError                  the runtime cannot be compiled here
    ├── RegressionProven            3   the candidate is slower (or larger) than the baseline, beyond doubt
    ├── WrongOutput                 4   an output differs from its golden output
    ├── Inconclusive                5   under --strict: the data cannot tell
    └── DeviceError                 6   a board cannot be reached or cannot do the job
        ├── Unreachable                 no connection, or the login was refused
        ├── HostKeyRefused              the board is not known, or is not the one it was
        ├── DeviceUnfit                 connected, but the board cannot run the job
        ├── DeviceLost                  the connection broke while something ran
        │   └── SessionOver             and what ran there is gone, so that connecting anew does not help
        └── JobFailed                   the runtime on the board refused, crashed or hung; the board itself is well

Each error says what happened, why that usually happens, and what to do about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar


class BitrigError(Exception):
    """Base of the tree.

    Args:
        what: what happened, in one sentence that names the thing it happened to.
        why: why that usually happens; may be empty where `what` already says it.
        remedy: what to do next, preferably a command to type.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, why: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.remedy = remedy

    def __str__(self) -> str:
        return " ".join(part for part in (self.what, self.why, self.remedy) if part)


class UsageError(BitrigError):
    exit_code = 2


class ConfigError(UsageError):
    pass


class ModelError(UsageError):
    pass


LEAVE_OUT = "Leave them out of the exported model; pre- and post-processing can move into the application."


class UnsupportedModel(ModelError):
    """Raised with every operation that is missing, so that one attempt tells all.

    Args:
        operations: what is missing, in the model file's own words ("Lambda", "LSTM", "CUMSUM").
    """

    def __init__(self, what: str, why: str = "", remedy: str = "", operations: tuple[str, ...] = ()) -> None:
        super().__init__(what, why, remedy)
        self.operations = operations

    @classmethod
    def of(cls, file: str, missing: Iterable[str] | Mapping[str, str], remedy: str = LEAVE_OUT) -> UnsupportedModel:
        """For all operations of a file that are missing; a mapping says of each where the first one stands."""
        operations = tuple(sorted(missing))
        places = missing if isinstance(missing, Mapping) else {}
        named = (f"{each} (at {places[each]!r})" if each in places else each for each in operations)
        return cls(
            f"{file!r} has operations that bitrig does not know: {', '.join(named)}.",
            "",
            remedy,
            operations,
        )


class BuildError(UsageError):
    pass


class RegressionProven(BitrigError):
    exit_code = 3


class WrongOutput(BitrigError):
    exit_code = 4


class Inconclusive(BitrigError):
    exit_code = 5


class DeviceError(BitrigError):
    exit_code = 6


class Unreachable(DeviceError):
    pass


class HostKeyRefused(DeviceError):
    pass


class DeviceUnfit(DeviceError):
    pass


class DeviceLost(DeviceError):
    pass


class SessionOver(DeviceLost):
    pass


class JobFailed(DeviceError):
    pass
