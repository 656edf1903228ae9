"""Checkpoints of long runs: arrays and plain values in one file, written whole or not at all."""

import json
import os
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from scalebridge.foundation import InputError

_PLAIN = "plain.json"
CHECKPOINT_SECONDS: Final = 60.0
"""Between two checkpoints, at least."""


@dataclass
class Checkpoint:
    """Where a run keeps its state, and how often.

    Attributes
    ----------
    path
        The file.
    identity
        What makes the run this one and no other, by name; values that JSON can hold.
    interval
        Seconds between two writes, at least.
    """

    path: Path
    identity: Mapping[str, Any]
    interval: float = CHECKPOINT_SECONDS
    _written: float = field(default_factory=time.monotonic, init=False)

    def read(self) -> dict[str, object] | None:
        """Return the state that was written, None if there is none; raises as ``read_checkpoint``."""
        return read_checkpoint(self.path, self.identity) if self.path.exists() else None

    def write(self, snapshot: Callable[[], Mapping[str, object]], *, last: bool = False) -> None:
        """Write the state if the interval is over or it is the ``last``; raises as ``write_checkpoint``."""
        if last or time.monotonic() - self._written >= self.interval:
            write_checkpoint(self.path, self.identity, snapshot())
            self._written = time.monotonic()


def write_checkpoint(path: Path, identity: Mapping[str, Any], content: Mapping[str, object]) -> None:
    """Write ``content`` (arrays, and values that JSON can hold) with the identity of the run it belongs to.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    arrays = {name: value for name, value in content.items() if isinstance(value, np.ndarray)}
    plain = {name: value for name, value in content.items() if name not in arrays}
    partial = path.with_name(path.name + ".part")
    try:
        with partial.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        with zipfile.ZipFile(partial, "a") as archive:
            archive.writestr(_PLAIN, json.dumps({"identity": dict(identity), "content": plain}))
        with partial.open("r+b") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise InputError(
            f"checkpoint {path} cannot be written ({error.strerror}); choose a writable folder"
        ) from error


def read_checkpoint(path: Path, identity: Mapping[str, Any]) -> dict[str, object]:
    """Return what ``write_checkpoint`` wrote.

    Raises
    ------
    InputError
        If the file is damaged or belongs to a run of another identity.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            plain = json.loads(archive.read(_PLAIN))
        with np.load(path, allow_pickle=False) as archive_of_arrays:
            arrays = {name: archive_of_arrays[name] for name in archive_of_arrays.files if name != _PLAIN}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(
            f"checkpoint {path} is damaged ({error}); remove it to start the run anew"
        ) from error
    found, wanted = plain["identity"], json.loads(json.dumps(dict(identity)))
    other = sorted(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))
    if other:
        raise InputError(
            f"checkpoint {path} is of another run: {', '.join(other)} differ; name another file or remove it"
        )
    return {**arrays, **plain["content"]}
