"""The simulation cell: a framework, its ion sites, and how ions are placed on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from scalebridge.contracts import Host, HostPhase
from scalebridge.foundation import InputError

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class HostCell:
    """A periodic cell of a host's framework with candidate sites of the mobile ion.

    Attributes
    ----------
    framework
        Framework atoms (Å), without ions.
    sites
        Scaled coordinates of the ion sites, (n_sites, 3).
    formula_units
        Formula units in the cell.
    ion
        Chemical symbol of the mobile ion.
    phase
        Name of the phase from which the cell was built.
    """

    framework: Atoms
    sites: FloatArray
    formula_units: int
    ion: str
    phase: str = ""

    def __post_init__(self) -> None:
        if self.sites.ndim != 2 or self.sites.shape[1] != 3:
            raise InputError(f"sites have shape {self.sites.shape}; give scaled coordinates of shape (n, 3)")
        if self.ion in self.framework.get_chemical_symbols():
            raise InputError(
                f"the framework contains the mobile ion {self.ion}; remove its atoms and list them as sites"
            )

    @classmethod
    def from_phase(cls, phase: HostPhase, ion: str, repeat: tuple[int, int, int] = (1, 1, 1)) -> Self:
        """Repeat a phase's framework and sites along the three cell vectors.

        Raises
        ------
        InputError
            If a repeat is below 1.
        """
        if min(repeat) < 1:
            raise InputError(
                f"repeat {repeat} has an entry below 1; use positive integers, for example 2 2 2"
            )
        framework = phase.framework.to_atoms().repeat(repeat)
        shifts = np.stack(np.meshgrid(*(np.arange(n) for n in repeat), indexing="ij"), axis=-1).reshape(-1, 3)
        sites = (shifts[:, None, :] + np.asarray(phase.sites)[None, :, :]).reshape(-1, 3) / np.array(repeat)
        cells = int(np.prod(repeat))
        return cls(framework, sites, phase.formula_units * cells, ion, phase.name)

    @property
    def n_sites(self) -> int:
        """Number of ion sites in the cell."""
        return len(self.sites)

    def composition(self, ions: int) -> float:
        """Return x, ions per formula unit."""
        return ions / self.formula_units

    def atoms(self, occupied: Sequence[int]) -> Atoms:
        """Return the framework followed by one ion on each site of ``occupied``, in that order.

        Raises
        ------
        InputError
            If a site index is outside the cell's sites or appears twice.
        """
        indices = np.asarray(occupied, dtype=int).reshape(-1)
        if len(indices) and (indices.min() < 0 or indices.max() >= self.n_sites):
            raise InputError(
                f"occupied sites {indices.tolist()} leave the range 0 … {self.n_sites - 1} of this cell; "
                "use the indices of HostCell.sites"
            )
        if len(set(indices.tolist())) != len(indices):
            raise InputError(f"occupied sites {indices.tolist()} repeat a site; each site takes one ion")
        atoms = self.framework.copy()
        if len(indices):
            atoms += Atoms(
                symbols=[self.ion] * len(indices),
                scaled_positions=self.sites[indices],
                cell=atoms.cell,
                pbc=True,
            )
        return atoms

    def random_atoms(self, ions: int, rng: np.random.Generator) -> Atoms:
        """Return the framework with ``ions`` ions on randomly chosen sites.

        Raises
        ------
        InputError
            If the cell has fewer sites than ``ions``.
        """
        if not 0 <= ions <= self.n_sites:
            raise InputError(
                f"{ions} ions do not fit the {self.n_sites} sites of this cell; use 0 … {self.n_sites} or "
                "a larger repeat"
            )
        return self.atoms(np.sort(rng.choice(self.n_sites, size=ions, replace=False)).tolist())


def starting_cells(host: Host, repeat: tuple[int, int, int]) -> tuple[HostCell, ...]:
    """Return, for every number of ions 0 … n_sites, the cell of the phase reported nearest in x.

    All phases must hold the same number of sites in the repeated cell.

    Raises
    ------
    InputError
        If the phases' cells differ in their number of sites.
    """
    cells = {phase.name: HostCell.from_phase(phase, host.ion, repeat) for phase in host.phases}
    sizes = {name: cell.n_sites for name, cell in cells.items()}
    if len(set(sizes.values())) != 1:
        raise InputError(
            f"the phases' cells hold different numbers of sites ({sizes}) with repeat {repeat}; "
            "describe all phases of a host in cells of equal size"
        )
    n_sites = next(iter(sizes.values()))
    formula_units = next(iter(cells.values())).formula_units
    return tuple(cells[host.nearest_phase(ions / formula_units).name] for ions in range(n_sites + 1))
