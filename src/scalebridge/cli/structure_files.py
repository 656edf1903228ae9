"""Structure files of the command line: whatever ASE reads (extended XYZ first), and MLIP's ``.cfg``."""

from collections.abc import Sequence
from pathlib import Path

import ase.io
from ase import Atoms

from scalebridge.foundation import FormatError, InputError, StoreError
from scalebridge.potential import read_cfg, write_cfg


def parse_species(text: str | None) -> tuple[str, ...] | None:
    """Return the symbols of ``Na,Mn,Fe``; None where nothing was given."""
    if text is None:
        return None
    return tuple(word.strip() for word in text.split(",") if word.strip())


def read_frames(path: Path, species: Sequence[str] | None) -> list[Atoms]:
    """Read all structures of a file.

    Raises
    ------
    InputError
        If the file is missing, or a ``.cfg`` is given without species.
    FormatError
        If it is damaged, or of no format ASE knows.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; give extended XYZ or MLIP's .cfg")
    if path.suffix == ".cfg":
        return read_cfg(path, species=needed(species, path))
    try:
        frames = ase.io.read(path, index=":")
    except Exception as error:  # ASE's readers raise whatever their parsing meets
        text = " ".join(str(error).split()) or type(error).__name__
        raise FormatError(f"{path}: ASE cannot read it ({text}); give extended XYZ or MLIP's .cfg") from error
    if not frames:
        raise FormatError(f"{path}: there is no structure in it; give extended XYZ or MLIP's .cfg")
    return list(frames)


def write_frames(path: Path, frames: Sequence[Atoms], species: Sequence[str] | None) -> None:
    """Write structures with their labels: ``.cfg``, or extended XYZ for any other name.

    Raises
    ------
    InputError
        If a ``.cfg`` is asked for without species.
    StoreError
        If the file cannot be written.
    """
    try:
        if path.suffix == ".cfg":
            write_cfg(path, frames, species=needed(species, path))
        else:
            ase.io.write(path, list(frames), format="extxyz")
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror}); choose another file") from None


def needed(species: Sequence[str] | None, path: Path) -> tuple[str, ...]:
    """Return the species, or say that ``path`` needs them."""
    if not species:
        raise InputError(f"{path}: MLIP's files number the elements; name them by --species, like Na,Mn,Fe")
    return tuple(species)
