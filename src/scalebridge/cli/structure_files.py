"""Files of the command line: structures (extended XYZ, MLIP's ``.cfg``, what ASE reads) and potentials."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import ase.io
from ase import Atoms
from ase.data import chemical_symbols

from scalebridge.foundation import FormatError, InputError, StoreError
from scalebridge.potential import MomentTensorPotential, read_cfg, write_cfg

POTENTIAL_SUFFIXES: Final = (".mtp", ".almtp")


def parse_species(text: str | None) -> tuple[str, ...] | None:
    """Return the symbols of ``Na,Mn,Fe``; None where nothing was given.

    Raises
    ------
    InputError
        If a word is no chemical symbol.
    """
    if text is None:
        return None
    words = tuple(word.strip() for word in text.split(",") if word.strip())
    unknown = [word for word in words if word not in chemical_symbols[1:]]
    if unknown:
        meant = [word.capitalize() for word in unknown if word.capitalize() in chemical_symbols[1:]]
        raise InputError(
            f"--species {text}: {', '.join(unknown)} are no chemical symbols; "
            + (f"write {', '.join(meant)}" if meant else "give some like Na,Mn,Fe")
        )
    return words


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
        place = _place_of_damage(path)
        raise FormatError(
            f"{path}{place}: ASE cannot read it ({text}); give extended XYZ or MLIP's .cfg"
        ) from error
    if not frames:
        raise FormatError(f"{path}: there is no structure in it; give extended XYZ or MLIP's .cfg")
    return list(frames)


def _place_of_damage(path: Path) -> str:
    """Return ``:LINE`` of the first structure of an extended XYZ file that cannot be read, or nothing."""
    if path.suffix not in (".xyz", ".extxyz"):
        return ""
    lines = path.read_bytes().decode("utf-8", errors="surrogateescape").splitlines(keepends=True)
    first = 0
    while first < len(lines):
        count = lines[first].strip()
        end = first + 2 + int(count) if count.isdecimal() and len(count) < 10 else len(lines) + 1
        block = "".join(lines[first:end])
        try:
            block.encode()
            ase.io.read(io.StringIO(block), format="extxyz")
        except Exception:  # as above
            return f":{first + 1}"
        first = end
    return ""


def check_target(path: Path) -> None:
    """Refuse a file that could not be written, before anything is computed.

    Raises
    ------
    InputError
        If its folder does not exist or it is a folder itself.
    """
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}; make it first")
    if path.is_dir():
        raise InputError(f"{path}: it is a folder; name a file")


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


def load_potential(path: Path, species: Sequence[str] | None) -> MomentTensorPotential:
    """Read a potential; ``species`` serve files that do not name their elements."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a potential (.mtp or .almtp)")
    return MomentTensorPotential.load(path, species=tuple(species) if species else None)
