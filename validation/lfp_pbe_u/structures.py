"""Charge-ordered starting structures of Li_xFePO4, one per arrangement of the ions in the 28-atom cell."""

import itertools
import sys
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from ase.filters import FrechetCellFilter
from ase.neighborlist import neighbor_list
from ase.optimize import BFGS, FIRE

from scalebridge.contracts import Host
from scalebridge.oracle.chgnet import CHGNet03
from scalebridge.pipeline import LADDER, load_recipe, recipe_path, run_stages

ARRANGEMENTS = ((), (0,), (0, 1), (0, 2), (0, 3), (0, 1, 2), (0, 1, 2, 3))
SCREENING = 4.0
"""Of the interaction that orders the charges [Å]."""
BREATHING = 0.04
"""Displacement of oxygen from Fe2+ and towards Fe3+ [Å]."""


def name(sites: tuple[int, ...]) -> str:
    """Return the arrangement's name, like x2_01."""
    return f"x{len(sites)}_{''.join(map(str, sites)) or 'none'}"


def frameworks(folder: Path) -> tuple[Atoms, Atoms, np.ndarray]:
    """Return heterosite and triphylite without ions, and the scaled coordinates of the sites."""
    run_stages(load_recipe(recipe_path("lfp")), folder, LADDER, until="host")
    host = Host.load(folder / "host" / "host.json")
    empty, full = (phase.framework.to_atoms() for phase in host.phases)
    return empty, full, np.asarray(host.phases[0].sites)


def reduced_iron(framework: Atoms, ions: Atoms) -> list[int]:
    """Return the iron atoms that hold the electrons of the ions: lowest screened electrostatic energy."""
    iron = [index for index, symbol in enumerate(framework.symbols) if symbol == "Fe"]
    probe = framework + ions
    interaction = np.zeros((len(probe), len(probe)))
    first, second, distance = neighbor_list("ijd", probe, 11.0)
    np.add.at(interaction, (first, second), np.exp(-distance / SCREENING) / distance)
    lithium = list(range(len(framework), len(probe)))

    def energy(chosen: tuple[int, ...]) -> float:
        attraction = interaction[np.ix_(chosen, lithium)].sum()
        return round(float(0.5 * interaction[np.ix_(chosen, chosen)].sum() - attraction), 6)

    return list(min(itertools.combinations(iron, len(ions)), key=energy))


def arrangement(sites: tuple[int, ...], frames: tuple[Atoms, Atoms, np.ndarray], ends: list[Atoms]) -> Atoms:
    """Return ions on sites in a mean cell, every polyhedron near the phase of its iron's charge."""
    empty, full, all_sites = frames
    x = len(sites) / len(all_sites)
    ions = Atoms(f"Li{len(sites)}", scaled_positions=all_sites[list(sites)], cell=full.cell, pbc=True)
    two_plus = reduced_iron(full, ions)
    shift = empty.get_scaled_positions() - full.get_scaled_positions()
    shift -= np.round(shift)
    three_plus = np.array([1.0 - x] * len(full))
    first, second, distance = neighbor_list("ijd", full, 3.45)
    for atom, symbol in enumerate(full.symbols):
        reach = {"O": 2.6, "P": 3.45}.get(symbol)
        near = [atom] if reach is None else second[(first == atom) & (distance < reach)]
        iron = [index for index in near if full.symbols[index] == "Fe"]
        if iron:
            three_plus[atom] = np.mean([index not in two_plus for index in iron])
    atoms = full.copy()
    atoms.set_scaled_positions(full.get_scaled_positions() + three_plus[:, None] * shift)
    atoms += ions
    atoms.set_cell(x * ends[1].cell.array + (1 - x) * ends[0].cell.array, scale_atoms=True)
    moments = np.where(np.array(atoms.symbols) == "Fe", 5.0, 0.0)
    moments[two_plus] = 4.0
    atoms.set_initial_magnetic_moments(moments)
    return atoms


def relax_cell(atoms: Atoms, calculator: CHGNet03) -> Atoms:
    """Relax positions and cell."""
    atoms.calc = calculator
    BFGS(FrechetCellFilter(atoms), logfile=None).run(fmax=0.02, steps=200)
    return atoms


def breathe(atoms: Atoms) -> Atoms:
    """Displace the oxygen shells as the charges of their iron ask."""
    moments = atoms.get_initial_magnetic_moments()
    first, second, vector, distance = neighbor_list("ijDd", atoms, 2.6)
    for iron, oxygen, bond, length in zip(first, second, vector, distance, strict=True):
        if atoms.symbols[iron] == "Fe" and atoms.symbols[oxygen] == "O":
            atoms.positions[oxygen] += (BREATHING if moments[iron] < 4.5 else -BREATHING) * bond / length
    return atoms


def main(folder: Path) -> None:
    """Write one structure per arrangement."""
    folder.mkdir(parents=True, exist_ok=True)
    frames, calculator = frameworks(folder / "host-run"), CHGNet03()
    cells = [frames[0], frames[1]]
    ends = [
        relax_cell(arrangement(sites, frames, cells), calculator)
        for sites in (ARRANGEMENTS[0], ARRANGEMENTS[-1])
    ]
    for sites in ARRANGEMENTS:
        atoms = arrangement(sites, frames, ends)
        if len(sites) in (0, len(frames[2])):
            atoms = ends[bool(sites)].copy()
        else:
            atoms.calc = calculator
            FIRE(atoms, logfile=None).run(fmax=0.25, steps=60)
            atoms = breathe(atoms)
        atoms.calc = None
        atoms.info = {"name": name(sites)}
        ase.io.write(folder / f"{name(sites)}.extxyz", atoms)
        print(name(sites), atoms.get_chemical_formula(), f"{atoms.get_volume():.1f} Å3")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
