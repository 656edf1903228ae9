"""Write the host's frameworks, cells of four formula units, from relaxed labels.

python host.py LABELS [--out ../../src/scalebridge/materials/mnhcf]

Tetragonal from x0_t, rhombohedral from x2_r, both without ions; cubic with straight Fe–C–N–Mn lines, the edge
and distances of x1_c. Atoms come in the order of an ideal cubic cell in all three, sites too.
"""

import argparse
import re
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from ase.build import make_supercell
from ase.spacegroup.symmetrize import refine_symmetry
from cells import straight
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

OUT = Path(__file__).parents[2] / "src" / "scalebridge" / "materials" / "mnhcf"
CONVENTIONAL = np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1]])
"""Rows: the cell of four formula units in vectors of the primitive one."""
CENTRES = np.array(list(np.ndindex(2, 2, 2))) / 2 + 0.25
DIGITS = 5
LOOSE = 0.25
"""Tolerance of the symmetry that relaxations have reached [Å]."""


def relaxed(frames: list[Atoms], name: str) -> Atoms:
    """Return the last step of a relaxation at the cheap level, iron at the origin."""
    steps = {
        int(match[1]): frame
        for frame in frames
        if frame.info["level"] == "cheap" and (match := re.fullmatch(rf"{name}_r(\d+)", frame.info["name"]))
    }
    atoms = steps[max(steps)].copy()
    refine_symmetry(atoms, symprec=LOOSE)
    atoms.positions -= atoms.positions[list(atoms.symbols).index("Fe")]
    return atoms


def ordered(atoms: Atoms, like: NDArray[np.float64], symbols: list[str]) -> Atoms:
    """Return the atoms of ``symbols`` nearest to scaled coordinates, in their order."""
    scaled, kinds = atoms.get_scaled_positions(), np.array(atoms.get_chemical_symbols())
    between = like[:, None] - scaled[None]
    cost = np.linalg.norm((between - np.rint(between)) @ atoms.cell.array, axis=2)
    cost[np.array(symbols)[:, None] != kinds[None]] = 1e6
    _, columns = linear_sum_assignment(cost)
    return atoms[columns]


def main() -> None:
    """Write three frameworks, print sites of ions where they were relaxed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("labels", type=Path)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    frames = list(ase.io.read(asked.labels, index=":"))
    cubic = ideal(relaxed(frames, "x1_c"))
    like, symbols = cubic.get_scaled_positions(), cubic.get_chemical_symbols()
    for name, base in (("cubic", None), ("tetragonal", "x0_t"), ("rhombohedral", "x2_r")):
        cell = cubic if base is None else make_supercell(relaxed(frames, base), CONVENTIONAL)
        framework = ordered(cell, like, symbols)
        framework.info = {}
        framework.calc = None
        ase.io.write(asked.out / f"{name}.xyz", framework, format="extxyz", columns=["symbols", "positions"])
        print(
            name, framework.cell.cellpar().round(3), f"{framework.get_volume() / 4:.1f} Å³ per formula unit"
        )
        ions = ordered(cell, CENTRES, ["Na"] * 8) if np.sum(cell.symbols == "Na") == 8 else None
        if ions is not None:
            print(ions.get_scaled_positions().round(DIGITS).tolist())


def ideal(atoms: Atoms) -> Atoms:
    """Return a cubic cell with straight lines, with the mean edge and the mean distances of a relaxed one."""
    framework = atoms[[symbol != "Na" for symbol in atoms.symbols]]
    edge = (4 * framework.get_volume()) ** (1 / 3)
    distances = framework.get_all_distances(mic=True)
    nearest = {
        pair: np.sort(distances[np.ix_(framework.symbols == pair[0], framework.symbols == pair[1])].ravel())[
            :6
        ]
        for pair in (("Fe", "C"), ("C", "N"))
    }
    cell = straight((edge,) * 3, 0, iron_carbon=nearest["Fe", "C"].mean(), cyanide=nearest["C", "N"].mean())
    found = make_supercell(cell, CONVENTIONAL)
    return found[np.argsort([("Fe", "Mn", "C", "N").index(s) for s in found.symbols], kind="stable")]


if __name__ == "__main__":
    main()
