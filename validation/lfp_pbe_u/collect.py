"""Gather labels into one file: those with sound charges, the Pulay pressure taken out of their stress.

python collect.py LABELS OUT
"""

import sys
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

PULAY = 10.62
"""Pulay pressure times volume of a cell of four formula units [eV].

Energies of FePO4 and LiFePO4 with edges strained by ±2 % against the stress of a fixed number of plane waves:
10.61 and 10.64 eV.
"""
REDUCED, OXIDISED = 3.76, 4.22
"""Moments of Fe2+ lie below, of Fe3+ above; between them an electron is on its way [μB]."""


def sound(atoms: Atoms) -> bool:
    """Return whether every iron has a charge, and Fe2+ are as many as lithium."""
    moments = np.array(atoms.info["iron_moments"])
    clear = (moments < REDUCED) | (moments > OXIDISED)
    return bool(clear.all()) and np.sum(moments < REDUCED) == atoms.symbols.count("Li")


def without_pulay(atoms: Atoms) -> Atoms:
    """Return the label with the stress of a converged basis [eV/Å³]."""
    results = dict(atoms.calc.results)
    results["stress"] = results["stress"] - PULAY / atoms.get_volume() * np.array([1, 1, 1, 0, 0, 0])
    frame = atoms.copy()
    frame.calc = SinglePointCalculator(frame, **results)
    return frame


def main(labels: Path, out: Path) -> None:
    """Write all sound labels of a folder."""
    frames = [ase.io.read(file) for file in sorted(labels.glob("*.extxyz"))]
    kept = [without_pulay(frame) for frame in frames if sound(frame)]
    ase.io.write(out, kept)
    print(f"{len(kept)} of {len(frames)} labels")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
