"""Labelled structures beside a ``Dataset``: extxyz files that later stages and other codes read."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import ase.io
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from scalebridge.contracts import FileReference
from scalebridge.foundation import hash_file

LEVEL: Final = "level"
"""Key of a structure's level of theory."""
LABEL: Final = ("energy", "forces", "stress")
GROUP: Final = "group"
"""Key of structures that are steps of one relaxation, or nearly the same for another reason."""
KEPT: Final = (LEVEL, GROUP, "name", "grade")


def group_of(atoms: Atoms, number: int) -> str:
    """Return a structure's group; without one it is a group of its own, told apart by its number."""
    return str(atoms.info.get(GROUP, f"structure {number}"))


def write_frames(path: Path, frames: Sequence[Atoms]) -> FileReference:
    """Write frames as extxyz, with their labels if they have them; return what a contract keeps of it."""
    ase.io.write(path, [_plain(atoms) for atoms in frames], format="extxyz")
    return FileReference(name=path.name, sha256=hash_file(path))


def read_frames(folder: Path, reference: FileReference) -> list[Atoms]:
    """Read the frames of a reference."""
    return list(ase.io.read(folder / reference.name, index=":", format="extxyz"))


def _plain(atoms: Atoms) -> Atoms:
    """Copy positions, cell and label, and the level of theory where it is told."""
    copy = Atoms(atoms.symbols, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    copy.info = {key: atoms.info[key] for key in KEPT if key in atoms.info}
    if atoms.calc is not None:
        known = {key: atoms.calc.results[key] for key in LABEL if key in atoms.calc.results}
        copy.calc = SinglePointCalculator(copy, **known)
    return copy
