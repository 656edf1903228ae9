"""The simulation cell: a framework, its ion sites, and how ions are placed on them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
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
        sites = np.asarray(phase.sites, dtype=np.float64)
        return cls(phase.framework.to_atoms(), sites, phase.formula_units, ion, phase.name).repeat(repeat)

    def repeat(self, repeat: tuple[int, int, int]) -> Self:
        """Return the cell repeated along its three vectors.

        Raises
        ------
        InputError
            If a repeat is below 1.
        """
        if min(repeat) < 1:
            raise InputError(
                f"repeat {repeat} has an entry below 1; use positive integers, for example 2 2 2"
            )
        shifts = np.stack(np.meshgrid(*(np.arange(n) for n in repeat), indexing="ij"), axis=-1).reshape(-1, 3)
        sites = (shifts[:, None, :] + self.sites[None, :, :]).reshape(-1, 3) / np.array(repeat)
        units = self.formula_units * int(np.prod(repeat))
        return replace(self, framework=self.framework.repeat(repeat), sites=sites, formula_units=units)

    def primitive(self, *, tolerance: float = 1e-2) -> "HostCell":
        """Return the smallest cell of the same crystal: framework and sites once each.

        Parameters
        ----------
        tolerance
            Distance within which atoms and sites count as translated copies [Å].
        """
        shifts = self._translations(tolerance)
        if len(shifts) == 1:
            return self
        cell = _shortest_cell(shifts, self.framework.cell.array)
        kept = _first_of_copies(self.framework.positions, cell, tolerance, self.framework.numbers)
        framework = self.framework[kept]
        framework.set_cell(cell)
        framework.wrap()
        sites = self.sites @ self.framework.cell.array
        one_each = _first_of_copies(sites, cell, tolerance, np.zeros(len(sites), dtype=int))
        scaled = (sites[one_each] @ np.linalg.inv(cell)) % 1.0
        return HostCell(framework, scaled, self.formula_units // len(shifts), self.ion, self.phase)

    def _translations(self, tolerance: float) -> FloatArray:
        """Return the scaled translations (n, 3) that carry framework and sites onto themselves, 0 first."""
        cell = self.framework.cell.array
        sets = [
            (self.framework.get_scaled_positions(), self.framework.numbers),
            (self.sites % 1.0, np.zeros(self.n_sites, dtype=int)),
        ]
        scaled, numbers = sets[0]
        candidates = scaled[numbers == numbers[0]] - scaled[0]
        whole = [
            shift - np.floor(shift + 1e-6)
            for shift in candidates
            if all(_maps_onto_itself(points, kinds, shift, cell, tolerance) for points, kinds in sets)
        ]
        return np.array(whole)

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


def starting_cells(
    host: Host, repeat: tuple[int, int, int], *, primitive: bool = False
) -> tuple[HostCell, ...]:
    """Return, for every number of ions 0 … n_sites, the cell of the phase reported nearest in x.

    All phases must hold the same number of sites in the repeated cell, which is the host's or, on request,
    the primitive one of each phase.

    Raises
    ------
    InputError
        If the phases' cells differ in their number of sites.
    """
    cells = {phase.name: HostCell.from_phase(phase, host.ion) for phase in host.phases}
    if primitive:
        cells = {name: cell.primitive() for name, cell in cells.items()}
    cells = {name: cell.repeat(repeat) for name, cell in cells.items()}
    sizes = {name: cell.n_sites for name, cell in cells.items()}
    if len(set(sizes.values())) != 1:
        raise InputError(
            f"the phases' cells hold different numbers of sites ({sizes}) with repeat {repeat}; "
            "describe all phases of a host in cells of equal size"
        )
    n_sites = next(iter(sizes.values()))
    formula_units = next(iter(cells.values())).formula_units
    return tuple(cells[host.nearest_phase(ions / formula_units).name] for ions in range(n_sites + 1))


def _maps_onto_itself(
    points: FloatArray, kinds: NDArray[np.int_], shift: FloatArray, cell: FloatArray, tolerance: float
) -> bool:
    """Whether a translation carries every point onto one of its kind; points and shift are scaled."""
    between = points[:, None, :] + shift - points[None, :, :]
    distances = np.linalg.norm((between - np.rint(between)) @ cell, axis=-1)
    same = kinds[:, None] == kinds[None, :]
    return bool(np.all(np.any(same & (distances < tolerance), axis=1)))


def _shortest_cell(shifts: FloatArray, cell: FloatArray) -> FloatArray:
    """Return vectors that span the lattice of a cell and scaled translations inside it, right-handed.

    They are the shortest in scaled coordinates, in the positive octant if they can be, so that phases of
    like centring get cells of like shape.
    """
    images = np.array(list(product((-1, 0, 1), repeat=3)))
    scaled = (shifts[:, None, :] + images).reshape(-1, 3)
    lengths = np.linalg.norm(scaled, axis=1).round(6)
    near = scaled[np.lexsort((-scaled.sum(axis=1).round(6), lengths))][1:]
    for chosen in combinations(near, 3):
        size = np.linalg.det(chosen)
        if abs(abs(size) * len(shifts) - 1) < 1e-6:
            return np.asarray(np.sign(size) * np.array(chosen) @ cell)
    raise AssertionError("a lattice has a primitive cell")


def _first_of_copies(
    positions: FloatArray, cell: FloatArray, tolerance: float, kinds: NDArray[np.int_]
) -> NDArray[np.int_]:
    """Return the indices of the points that are no lattice translation of an earlier one of their kind."""
    scaled = positions @ np.linalg.inv(cell)
    between = scaled[:, None, :] - scaled[None, :, :]
    distances = np.linalg.norm((between - np.rint(between)) @ cell, axis=-1)
    copies = (distances < tolerance) & (kinds[:, None] == kinds[None, :])
    return np.flatnonzero(~np.any(np.tril(copies, -1), axis=1))
