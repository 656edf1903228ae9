"""Training data: what a fit needs of a labelled structure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii
from ase.stress import voigt_6_to_full_3x3_stress

from scalebridge.foundation import InputError
from scalebridge.potential._basis import IntArray
from scalebridge.potential._kernel_data import FloatArray
from scalebridge.potential._kernels import Configuration, Kernel, shortest_distances

COVALENT_FRACTION: Final = 0.6
"""Hard core of a pair as a fraction of its summed covalent radii, an upper limit."""
OBSERVED_FRACTION: Final = 0.9
"""Hard core of a pair as a fraction of its shortest distance in the training data, an upper limit."""
MIN_DISTANCE_FRACTION: Final = 0.95
"""Lower end of the radial basis as a fraction of the shortest distance in the training data."""
WEIGHT: Final = "weight"
"""Key of a structure's weight in ``atoms.info``: extended XYZ ``weight=8``, .cfg ``Feature weight 8``."""


@dataclass(frozen=True)
class FitWeights:
    """Weights of the loss (1/K) Σ [w_E ΔE²/N + w_F Σ|ΔF|² + w_S Σ(VΔσ)²/N] in eV and Å; MLIP's defaults."""

    energy: float = 1.0
    force: float = 0.01
    stress: float = 0.001

    def __post_init__(self) -> None:
        values = (self.energy, self.force, self.stress)
        if not all(math.isfinite(value) and value >= 0 for value in values) or sum(values) == 0:
            raise InputError(
                f"weights {values} must be finite, not negative, not all zero; use 1, 0.01, 0.001"
            )


@dataclass(frozen=True, eq=False)
class Label:
    """One labelled structure as plain arrays.

    Attributes
    ----------
    types : (N,)
        Species indices.
    positions, cell : (N, 3), (3, 3)
        Å.
    pbc : (3,) tuple of bool
    energy : float
        eV.
    forces : (N, 3)
        eV/Å.
    strain_derivative : (3, 3) or None
        V σ in ASE's sign [eV]; None where the label lacks a stress.
    weight : float
        The structure counts as if it were there this many times.
    """

    types: IntArray
    positions: FloatArray
    cell: FloatArray
    pbc: tuple[bool, ...]
    energy: float
    forces: FloatArray
    strain_derivative: FloatArray | None
    weight: float = 1.0

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.types)

    def configure(self, kernel: Kernel) -> Configuration:
        """Build the neighbour list for ``kernel``."""
        return kernel.configure(self.types, self.positions, self.cell, self.pbc)


def label_of(atoms: Atoms, species: Sequence[str], *, name: str = "structure") -> Label:
    """Read the label that an ASE calculator left on ``atoms``, and its weight, ``atoms.info["weight"]``.

    Raises
    ------
    InputError
        If energy or forces are missing or not finite, the weight is no positive number, or an element is not
        in ``species``.
    """
    index = {symbol: n for n, symbol in enumerate(species)}
    unknown = sorted(set(atoms.get_chemical_symbols()) - set(index))
    if unknown:
        raise InputError(
            f"{name} contains {', '.join(unknown)}, not among species {tuple(species)}; add them"
        )
    results = getattr(atoms.calc, "results", None)
    if not results or "energy" not in results or "forces" not in results:
        raise InputError(f"{name} has no stored energy and forces; attach a SinglePointCalculator with both")
    energy, forces = _label_numbers(results["energy"], name), _label_numbers(results["forces"], name)
    if forces.shape != (len(atoms), 3):
        raise InputError(
            f"{name} has forces of shape {forces.shape}, ({len(atoms)}, 3) is needed; relabel it"
        )
    derivative = None
    if atoms.pbc.all() and results.get("stress") is not None:
        stress = _label_numbers(results["stress"], name)
        full = voigt_6_to_full_3x3_stress(stress) if stress.shape == (6,) else stress
        if np.shape(full) != (3, 3):
            raise InputError(f"{name} has a stress of shape {stress.shape}, (6,) is needed; relabel it")
        derivative = atoms.get_volume() * np.asarray(full)
    if energy.shape:
        raise InputError(f"{name} has an energy of shape {energy.shape}, one number is needed; relabel it")
    finite = np.isfinite(energy) and np.isfinite(forces).all()
    if not finite or (derivative is not None and not np.isfinite(derivative).all()):
        raise InputError(f"{name} has an energy, force or stress that is not finite; drop or relabel it")
    types = np.array([index[symbol] for symbol in atoms.get_chemical_symbols()], dtype=np.int32)
    pbc = tuple(bool(periodic) for periodic in atoms.pbc)
    return Label(
        types, atoms.positions.copy(), atoms.cell.array.copy(), pbc, float(energy), forces.copy(), derivative,
        weight=_weight_of(atoms, name),
    )  # fmt: skip


def _label_numbers(values: object, name: str) -> FloatArray:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(
            f"{name} has {str(values)[:30]!r} where numbers of its label should be; drop or relabel it"
        ) from None


def _weight_of(atoms: Atoms, name: str) -> float:
    given = atoms.info.get(WEIGHT, 1.0)
    try:
        weight = float(given)
    except (TypeError, ValueError):
        weight = math.nan
    if not (math.isfinite(weight) and weight > 0):
        raise InputError(f"{name} has the weight {given!r}; it must be a positive number, 1 if left out")
    return weight


def labels_of(frames: Sequence[Atoms], species: Sequence[str]) -> list[Label]:
    """Read the labels of ``frames``; structures are named by their place in the list.

    Raises
    ------
    InputError
        Without frames, for an unknown chemical symbol, or where ``label_of`` raises it.
    """
    unknown = [symbol for symbol in species if symbol not in atomic_numbers]
    if unknown:
        raise InputError(f"species {', '.join(unknown)} are no chemical symbols; give some like Na, Mn, O")
    if not frames:
        raise InputError("no training structures; give at least one labelled structure")
    return [label_of(atoms, species, name=f"structure {n}") for n, atoms in enumerate(frames)]


@dataclass(frozen=True)
class Distances:
    """Shortest pair distances of a data set.

    Attributes
    ----------
    shortest : (S, S)
        Per species pair [Å]; infinite for pairs never met within the cutoff.
    """

    shortest: FloatArray
    species: tuple[str, ...]

    @property
    def min_distance(self) -> float:
        """Lower end of the radial basis [Å]."""
        smallest = float(self.shortest.min())
        return MIN_DISTANCE_FRACTION * smallest if math.isfinite(smallest) else 1.0

    def repulsion(self) -> FloatArray:
        """Return per pair the lesser of the shortest distance and the covalent radii's sum."""
        return np.asarray(np.minimum(self._covalent(), self.shortest))

    def _covalent(self) -> FloatArray:
        radii = np.array([covalent_radii[atomic_numbers[symbol]] for symbol in self.species])
        return np.asarray(radii[:, None] + radii[None, :])

    def hard_core(self) -> FloatArray:
        """Return per pair the lesser of 0.9 × the shortest distance and 0.6 × the covalent radii's sum."""
        return np.asarray(np.minimum(COVALENT_FRACTION * self._covalent(), OBSERVED_FRACTION * self.shortest))


def measure_distances(labels: Sequence[Label], species: tuple[str, ...], cutoff: float) -> Distances:
    """Find the shortest distance of every species pair within ``cutoff`` [Å]."""
    shortest = np.full((len(species), len(species)), np.inf)
    for label in labels:
        found = shortest_distances(
            label.types, label.positions, label.cell, label.pbc, cutoff=cutoff, n_species=len(species)
        )
        np.minimum(shortest, found, out=shortest)
    return Distances(shortest, species)
