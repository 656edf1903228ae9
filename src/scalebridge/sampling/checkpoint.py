"""Checkpoints of long runs: arrays and plain values in one file, written whole or not at all."""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.foundation import InputError

_PLAIN = "plain.json"


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
