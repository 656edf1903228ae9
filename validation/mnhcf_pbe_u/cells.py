"""Cells of Na_x Mn[Fe(CN)6]: primitive ones of every phase, doubled ones, ions on sites and off them."""

from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from numpy.typing import NDArray

HOST = Path(__file__).parents[2] / "src" / "scalebridge" / "materials" / "mnhcf"
PRIMITIVE = 0.5 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
"""Of the face-centred cell, whose edges are the rows of the identity."""
DOUBLED = {
    "a": np.array([[2, 0, 0], [0, 1, 0], [0, 0, 1]]),
    "t": np.array([[0, 0, 1], [1, -1, 0], [1, 1, -1]]),
}
"""Cells of two formula units: along one primitive vector; with an upright square base, √½ a wide."""
SITES = (0.25, 0.75)
"""Cage centres of a primitive cell, on its body diagonal."""
ORDER = {"Fe": 0, "Mn": 1, "C": 2, "N": 3, "Na": 4}


def straight(
    edges: tuple[float, float, float], ions: int, *, iron_carbon: float = 1.90, cyanide: float = 1.17
) -> Atoms:
    """Return a primitive cell with straight Fe–C–N–Mn lines: cubic, or tetragonal by its edges [Å]."""
    lengths = np.array(edges)
    symbols, positions = ["Fe", "Mn"], [np.zeros(3), lengths / 2]
    for symbol, distance in (("C", iron_carbon), ("N", iron_carbon + cyanide)):
        for direction in np.vstack([np.eye(3), -np.eye(3)]):
            symbols.append(symbol)
            positions.append(distance * direction)
    atoms = Atoms(symbols, positions=np.array(positions), cell=PRIMITIVE * lengths, pbc=True)
    for site in SITES[:ions]:
        atoms += Atoms("Na", positions=[site * lengths])
    return atoms


def rhombohedral(ions: int, volume: float) -> Atoms:
    """Return a primitive cell of the bundled rhombohedral phase at a volume [Å³]."""
    framework = ase.io.read(HOST / "rhombohedral-chgnet.xyz")
    framework.info, edges = {}, framework.cell.array
    for site in (0.22854, 0.77146)[:ions]:
        framework += Atoms("Na", positions=[site * edges.sum(axis=0)])
    cell = PRIMITIVE @ edges
    scaled = framework.positions @ np.linalg.inv(cell)
    kept: list[int] = []
    for index, symbol in enumerate(framework.symbols):
        shift = scaled[kept] - scaled[index]
        same = np.abs(shift - shift.round()).max(axis=1, initial=0.0) < 2e-3
        if symbol == "Na" or not any(same & (np.array(framework.symbols)[kept] == symbol)):
            kept.append(index)
    kept.sort(key=lambda index: ORDER[framework.symbols[index]])
    atoms = framework[kept]
    atoms.set_cell(cell)
    atoms.wrap(eps=1e-6)
    return scaled_to(atoms, volume)


def scaled_to(atoms: Atoms, volume: float) -> Atoms:
    """Return a copy at a volume [Å³], scaled evenly."""
    copy = atoms.copy()
    copy.set_cell(copy.cell.array * (volume / copy.get_volume()) ** (1 / 3), scale_atoms=True)
    return copy


def deformed(atoms: Atoms, strain: NDArray[np.float64]) -> Atoms:
    """Return a copy under a strain, (3, 3)."""
    copy = atoms.copy()
    copy.set_cell(copy.cell.array @ (np.eye(3) + strain), scale_atoms=True)
    return copy


def doubled(atoms: Atoms, kind: str, *, without: tuple[int, ...] = ()) -> Atoms:
    """Return two primitive cells, without some of the ions (by their number among the ions)."""
    matrix = DOUBLED[kind]
    found = Atoms(cell=matrix @ atoms.cell.array, pbc=True)
    for index in np.ndindex(5, 5, 5):
        shift = np.array(index) - 2
        inside = shift @ np.linalg.inv(matrix)
        if np.all(inside > -1e-6) and np.all(inside < 1 - 1e-6):
            moved = atoms.copy()
            moved.positions += shift @ atoms.cell.array
            found += moved
    order = np.argsort([ORDER[symbol] for symbol in found.symbols], kind="stable")
    found = found[order]
    found.wrap(eps=1e-6)
    ions = [index for index, symbol in enumerate(found.symbols) if symbol == "Na"]
    del found[[ions[number] for number in without]]
    return found


def hop(atoms: Atoms, ion: int, towards: NDArray[np.float64], fraction: float) -> Atoms:
    """Return a copy with one ion (by its number) on the way along a vector [Å]."""
    copy = atoms.copy()
    index = [index for index, symbol in enumerate(copy.symbols) if symbol == "Na"][ion]
    copy.positions[index] += fraction * towards
    return copy


def metal(edge: float) -> Atoms:
    """Return primitive bcc sodium with a cubic edge [Å]."""
    return Atoms("Na", cell=0.5 * edge * (np.ones((3, 3)) - 2 * np.eye(3)), pbc=True)
