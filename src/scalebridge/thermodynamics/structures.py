"""Average structures against composition, and the table of relaxed structures at zero temperature."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import spglib
from ase import Atoms
from numpy.typing import ArrayLike, NDArray

from scalebridge.contracts import Provenance, StructureTable, Validity
from scalebridge.foundation import SILENT, ConvergenceError, InputError, Progress, constants
from scalebridge.sampling import Ladder, MakeCalculator, RelaxationSettings, Relaxed, relax
from scalebridge.thermodynamics.tangents import lower_hull

FloatArray = NDArray[np.float64]

FEWEST_BLOCKS = 8
"""Block averages stop when fewer blocks are left: their scatter says nothing any more."""
SYMMETRY_FAILURE: type[Exception] = getattr(spglib, "SpglibError", RuntimeError)
SMALLER_TOLERANCE = 0.5
"""Factor by which the tolerance shrinks while it merges atoms or finds no consistent group."""


def block_error(series: ArrayLike) -> float:
    """Return the standard error of the mean of a correlated series [Flyvbjerg and Petersen 1989].

    Neighbours are averaged pairwise while at least ``FEWEST_BLOCKS`` blocks remain; the largest standard
    error of all levels is returned. Zero for fewer than two samples.
    """
    values = np.asarray(series, dtype=np.float64)
    errors = [0.0]
    while len(values) >= 2:
        errors.append(float(values.std(ddof=1) / np.sqrt(len(values))))
        values = values[: len(values) // 2 * 2].reshape(-1, 2).mean(axis=1)
        if len(values) < FEWEST_BLOCKS:
            break
    return max(errors)


def space_group(atoms: Atoms, tolerance: float = 0.1) -> str:
    """Return the international symbol of a structure within ``tolerance`` [Å] (spglib; Togo et al. 2024).

    A tolerance too large for a consistent set of operations is halved, four times at most.

    Raises
    ------
    ConvergenceError
        If no group is found.
    """
    for level in range(5):
        symbol = _international(atoms, tolerance * SMALLER_TOLERANCE**level)
        if symbol is not None:
            return symbol
    raise ConvergenceError(
        f"no space group of {atoms.get_chemical_formula()} within {tolerance:g} Å; atoms may overlap, look "
        "at the structure"
    )


def _international(atoms: Atoms, tolerance: float) -> str | None:
    """Ask spglib, whose releases report failure by None or by an exception, and warn of the change."""
    cell = (np.asarray(atoms.cell), atoms.get_scaled_positions(), atoms.get_atomic_numbers())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            dataset = spglib.get_symmetry_dataset(cell, symprec=tolerance)
        except SYMMETRY_FAILURE:
            return None
    return None if dataset is None else str(dataset.international)


def tabulate_structures(
    ladders: Sequence[Ladder],
    phases: Sequence[str],
    *,
    provenance: Provenance,
    averages: Sequence[Atoms] = (),
    tolerance: float = 0.3,
) -> StructureTable:
    """Build the table of cells, volumes and space groups at one temperature.

    Parameters
    ----------
    ladders
        One per member, at equal temperature and with equal rungs.
    phases
        Name of the starting phase of every rung.
    provenance
        Of the new contract.
    averages
        Average structure of every rung, ions included, from which the space group is taken; by default
        member 0's average framework, without ions.
    tolerance
        Distance within which atoms count as symmetric [Å]; it must cover the noise of the average.

    Returns
    -------
    StructureTable, SI. Volumes are means of the cells' volumes, not volumes of the mean cells.

    Raises
    ------
    InputError
        If the ladders, phases or structures do not match.
    """
    head = ladders[0] if ladders else None
    if head is None or any(_frame(ladder) != _frame(head) for ladder in ladders):
        raise InputError(
            f"{len(ladders)} ladders of different temperature, cell or rungs cannot share one table; sample "
            "every member alike"
        )
    structures = averages or [rung.mean for rung in head.rungs]
    if len(phases) != len(head.rungs) or len(structures) != len(head.rungs):
        raise InputError(
            f"{len(phases)} phases and {len(structures)} average structures for {len(head.rungs)} rungs; "
            "give one per rung"
        )
    volumes = [[rung.volume / ladder.formula_units for rung in ladder.rungs] for ladder in ladders]
    x = np.array([rung.ions for rung in head.rungs]) / head.formula_units
    cubic = constants.ANGSTROM**3
    remarks: tuple[str, ...] = (
        () if averages else ("space groups are those of the average framework, ions left out",)
    )
    remarks += tuple(dict.fromkeys(said for ladder in ladders for said in ladder.approximations))
    return StructureTable(
        provenance=provenance,
        validity=Validity(
            temperature=(head.temperature, head.temperature),
            composition=(float(x.min()), float(x.max())),
            remarks=remarks,
        ),
        citations=("togo2024", "flyvbjerg1989"),
        temperature=head.temperature,
        x=x,
        phases=tuple(phases),
        space_groups=tuple(space_group(atoms, tolerance) for atoms in structures),
        symmetry_tolerance=tolerance * constants.ANGSTROM,
        cell=np.array([[rung.cell.mean(axis=0) for rung in ladder.rungs] for ladder in ladders])
        * constants.ANGSTROM,
        volume=np.array([[series.mean() for series in row] for row in volumes]) * cubic,
        volume_error=np.array([[block_error(series) for series in row] for row in volumes]) * cubic,
        largest_grade=np.array(
            [[rung.grade.max(initial=0.0) for rung in ladder.rungs] for ladder in ladders]
        ),
    )


def _frame(ladder: Ladder) -> tuple[float, int, int, tuple[int, ...]]:
    ions = tuple(rung.ions for rung in ladder.rungs)
    return ladder.temperature, ladder.n_sites, ladder.formula_units, ions


def relax_structures(
    structures: Sequence[Atoms],
    make_calculator: MakeCalculator,
    *,
    settings: RelaxationSettings | None = None,
    progress: Progress = SILENT,
) -> tuple[Relaxed, ...]:
    """Relax positions and cell of every structure at zero temperature.

    Raises
    ------
    ConvergenceError
        If one of them does not relax; the message gives its number and formula.
    """
    found = []
    with progress.task("relaxation", total=len(structures)) as task:
        for number, atoms in enumerate(structures):
            what = f"structure {number} ({atoms.get_chemical_formula()})"
            found.append(relax(atoms, make_calculator, cell="all", settings=settings, what=what))
            task.advance()
    return tuple(found)


@dataclass(frozen=True)
class GroundStates:
    """Structures at zero temperature against the line between the end members [eV per formula unit].

    Attributes
    ----------
    x
        Ions per formula unit, rising, (n,).
    formation_energy
        Against the lowest structures at the smallest and largest x, (n,).
    above_hull
        Height above the lower convex hull, (n,); zero on it.
    hull
        Indices of the structures on the hull, rising in x.
    voltage
        Average voltage between neighbours on the hull [V], (len(hull) − 1,).
    """

    x: FloatArray
    formation_energy: FloatArray
    above_hull: FloatArray
    hull: tuple[int, ...]
    voltage: FloatArray


def tabulate_ground_states(
    x: ArrayLike, energy: ArrayLike, metal_energy: float, *, ion_charge: int = 1
) -> GroundStates:
    """Build the convex hull of relaxed structures and its voltages.

    V = −[E(x2) − E(x1) − (x2 − x1) E_metal]/[(x2 − x1) z e] [Aydinol et al. 1997]. The table is sorted in x,
    then energy.

    Parameters
    ----------
    x
        Ions per formula unit, (n,), several structures may share one.
    energy
        Per formula unit [eV], (n,).
    metal_energy
        Of the ion's metal per atom [eV].

    Raises
    ------
    InputError
        If there are not at least two different compositions.
    """
    ions, total = np.asarray(x, dtype=np.float64), np.asarray(energy, dtype=np.float64)
    if ions.shape != total.shape or ions.ndim != 1 or len(np.unique(ions)) < 2:
        raise InputError(
            f"{ions.size} compositions and {total.size} energies; a hull needs two different compositions or "
            "more"
        )
    order = np.lexsort((total, ions))
    ions, total = ions[order], total[order]
    first = np.flatnonzero(np.diff(ions, prepend=-np.inf))
    lowest_x, lowest = ions[first], total[first]
    line = lowest[0] + (lowest[-1] - lowest[0]) * (ions - ions[0]) / (ions[-1] - ions[0])
    corners = lower_hull(lowest_x, lowest - line[first])
    hull = [int(first[index]) for index in corners]
    above = total - np.interp(ions, ions[hull], total[hull])
    voltage = [
        -(total[b] - total[a] - (ions[b] - ions[a]) * metal_energy) / ((ions[b] - ions[a]) * ion_charge)
        for a, b in pairwise(hull)
    ]
    return GroundStates(ions, total - line, above, tuple(hull), np.array(voltage))
