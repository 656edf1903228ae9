"""The first training structures: ions on random sites, atoms displaced, cells strained."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from scalebridge.contracts import Host
from scalebridge.foundation import InputError, random_stream
from scalebridge.sampling.host_cell import HostCell, starting_cells


@dataclass(frozen=True)
class Perturbation:
    """How far a structure is moved from the ideal one.

    Attributes
    ----------
    displacement
        Standard deviation of each coordinate of framework atoms [Å].
    ion_displacement
        The same for ions, whose sites are wide [Å].
    strain
        Standard deviation of each independent strain component.
    """

    displacement: float = 0.04
    ion_displacement: float = 0.3
    strain: float = 0.02

    def apply(self, atoms: Atoms, ion: str, rng: np.random.Generator) -> Atoms:
        """Return a perturbed copy."""
        moved = atoms.copy()
        raw = rng.normal(scale=self.strain, size=(3, 3))
        moved.set_cell(moved.cell.array @ (np.eye(3) + 0.5 * (raw + raw.T)), scale_atoms=True)
        is_ion = np.array(moved.get_chemical_symbols()) == ion
        widths = np.where(is_ion, self.ion_displacement, self.displacement)
        moved.positions += widths[:, None] * rng.normal(size=moved.positions.shape)
        return moved


def ideal_structures(
    host: Host, compositions: Sequence[float], count: int, *, repeat: tuple[int, int, int], seed: int
) -> list[tuple[HostCell, Atoms]]:
    """Return ``count`` random arrangements of the ions at each composition.

    At every composition the arrangements go round the host's phases, nearest in x first, so that each
    framework is seen with ions it may not hold for long.

    Raises
    ------
    InputError
        If a composition needs a fraction of an ion in this cell.
    """
    n_sites = len(starting_cells(host, repeat)) - 1
    structures: list[tuple[HostCell, Atoms]] = []
    for composition in compositions:
        ions = composition / host.sites_per_formula_unit * n_sites
        if abs(ions - round(ions)) > 1e-6:
            step = host.sites_per_formula_unit / n_sites
            raise InputError(
                f"x = {composition:g} is {ions:g} ions in the cell of {n_sites} sites; "
                f"choose a multiple of {step:g} or a larger repeat"
            )
        phases = sorted(host.phases, key=lambda phase: abs(phase.composition - composition))
        rng = random_stream(seed, "first structures", f"{composition:g}")
        for number in range(count):
            cell = HostCell.from_phase(phases[number % len(phases)], host.ion, repeat)
            structures.append((cell, cell.random_atoms(round(ions), rng)))
    return structures
