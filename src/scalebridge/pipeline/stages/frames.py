"""Labelled structures beside a ``Dataset``: extxyz files that later stages and other codes read."""

from collections.abc import Sequence
from pathlib import Path

import ase.io
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from scalebridge.contracts import FileReference
from scalebridge.foundation import hash_file


def write_frames(path: Path, frames: Sequence[Atoms]) -> FileReference:
    """Write frames with their labels as extxyz and return the reference a contract keeps."""
    ase.io.write(path, [_plain(atoms) for atoms in frames], format="extxyz")
    return FileReference(name=path.name, sha256=hash_file(path))


def read_frames(folder: Path, reference: FileReference) -> list[Atoms]:
    """Read the frames of a reference."""
    return list(ase.io.read(folder / reference.name, index=":", format="extxyz"))


def _plain(atoms: Atoms) -> Atoms:
    """Copy positions, cell and label only."""
    copy = Atoms(atoms.symbols, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    results = {
        key: atoms.calc.results[key] for key in ("energy", "forces", "stress") if key in atoms.calc.results
    }
    copy.calc = SinglePointCalculator(copy, **results)
    return copy
