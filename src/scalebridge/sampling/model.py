"""Energy models that samplers drive: one abstract class, and the adapter of a moment tensor potential."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, final

import numba
import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from scalebridge.foundation import InputError, constants

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int32]


@dataclass(frozen=True)
class Evaluation:
    """Energy [eV], forces (n, 3) [eV/Å] of one configuration."""

    energy: float
    forces: FloatArray


@dataclass(frozen=True)
class Burst:
    """End of a short trajectory: positions (n, 3) [Å], velocities (n, 3) [(eV/u)^½], energy [eV]."""

    positions: FloatArray
    velocities: FloatArray
    energy: float


class EnergyModel(ABC):
    """Potential energy of periodic configurations.

    ``types`` are indices into ``species``. Cells have their vectors as rows. A configuration in which a
    pair of atoms is closer than ``min_distance`` has infinite energy: ``allows`` is part of the model's
    energy and a function of the configuration alone, so Metropolis rules stay exact.
    """

    species: tuple[str, ...]
    min_distance: FloatArray | None = None
    """Shortest allowed distance of each pair of types, (n_types, n_types) [Å]; None: no limit."""

    @abstractmethod
    def energy(self, types: IntArray, positions: FloatArray, cell: FloatArray) -> float:
        """Return the potential energy [eV], one-body energies included."""

    @abstractmethod
    def evaluate(self, types: IntArray, positions: FloatArray, cell: FloatArray) -> Evaluation:
        """Return energy and forces."""

    def velocity_verlet(
        self,
        types: IntArray,
        positions: FloatArray,
        velocities: FloatArray,
        masses: FloatArray,
        cell: FloatArray,
        *,
        timestep: float,
        steps: int,
    ) -> Burst:
        """Integrate ``steps`` velocity-Verlet steps of ``timestep`` [fs]; masses (n,) [u]."""
        time = timestep * constants.FEMTOSECOND
        kick = 0.5 * time / masses[:, None]
        positions, velocities = positions.copy(), velocities.copy()
        state = self.evaluate(types, positions, cell)
        for _ in range(steps):
            velocities += kick * state.forces
            positions += time * velocities
            state = self.evaluate(types, positions, cell)
            velocities += kick * state.forces
        return Burst(positions, velocities, state.energy)

    @final
    def allows(self, types: IntArray, positions: FloatArray, cell: FloatArray) -> bool:
        """Return False if a pair is closer than allowed (periodic images by the nearest scaled image)."""
        if self.min_distance is None or len(types) < 2:
            return True
        return not closer_than(types, positions, cell, np.linalg.inv(cell), self.min_distance)

    @final
    def allowed_energy(self, types: IntArray, positions: FloatArray, cell: FloatArray) -> float:
        """Return the energy, +inf for a configuration that ``allows`` refuses."""
        return self.energy(types, positions, cell) if self.allows(types, positions, cell) else np.inf


def _closer_than(
    types: IntArray, positions: FloatArray, cell: FloatArray, inverse: FloatArray, limits: FloatArray
) -> bool:
    """Return True if any pair is closer than its limit; exact for limits below half the cell's heights."""
    scaled = positions @ inverse
    for i in range(len(types)):
        for j in range(i):
            a = scaled[i, 0] - scaled[j, 0]
            b = scaled[i, 1] - scaled[j, 1]
            c = scaled[i, 2] - scaled[j, 2]
            a -= np.rint(a)
            b -= np.rint(b)
            c -= np.rint(c)
            x = a * cell[0, 0] + b * cell[1, 0] + c * cell[2, 0]
            y = a * cell[0, 1] + b * cell[1, 1] + c * cell[2, 1]
            z = a * cell[0, 2] + b * cell[1, 2] + c * cell[2, 2]
            limit = limits[types[i], types[j]]
            if x * x + y * y + z * z < limit * limit:
                return True
    return False


closer_than: Callable[..., bool] = numba.njit(cache=True)(_closer_than)


class Kernel(Protocol):
    """What the adapter uses of a moment tensor potential's compiled kernel."""

    def energy(self, types: IntArray, positions: FloatArray, cell: FloatArray, pbc: Any) -> float:
        """Return the energy [eV]."""
        ...

    def energy_forces_virial(
        self, types: IntArray, positions: FloatArray, cell: FloatArray, pbc: Any
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return energies (n,), forces (n, 3), virial (3, 3)."""
        ...

    def velocity_verlet(
        self,
        types: IntArray,
        positions: FloatArray,
        velocities: FloatArray,
        masses: FloatArray,
        cell: FloatArray,
        pbc: Any,
        timestep_fs: float,
        steps: int,
    ) -> tuple[FloatArray, FloatArray, float, FloatArray, FloatArray]:
        """Return positions, velocities, energy, forces, virial after a burst."""
        ...


class Potential(Protocol):
    """What the adapter uses of a ``MomentTensorPotential``."""

    @property
    def species(self) -> tuple[str, ...]:
        """Chemical symbols in the order of the type indices."""
        ...

    @property
    def min_distance(self) -> float:
        """Shortest pair distance of the training data [Å]."""
        ...

    def kernel(self) -> Kernel:
        """Return the compiled kernel."""
        ...


@final
class PotentialModel(EnergyModel):
    """A moment tensor potential seen as an energy model: one compiled call per energy or burst.

    Parameters
    ----------
    potential
        For example a ``MomentTensorPotential``.
    min_distance
        Shortest allowed distance, one number or a matrix over ``potential.species`` [Å]; by default the
        potential's own. ``closest_pairs`` gives the matrix of a training set.
    """

    def __init__(self, potential: Potential, min_distance: float | FloatArray | None = None) -> None:
        self.species = tuple(potential.species)
        limit = potential.min_distance if min_distance is None else min_distance
        n = len(self.species)
        self.min_distance = np.array(np.broadcast_to(np.asarray(limit, dtype=np.float64), (n, n)))
        self._kernel = potential.kernel()
        self._periodic = (True, True, True)

    def energy(self, types: IntArray, positions: FloatArray, cell: FloatArray) -> float:
        """Return the potential energy [eV]."""
        return float(self._kernel.energy(types, positions, cell, self._periodic))

    def evaluate(self, types: IntArray, positions: FloatArray, cell: FloatArray) -> Evaluation:
        """Return energy and forces."""
        energies, forces, _ = self._kernel.energy_forces_virial(types, positions, cell, self._periodic)
        return Evaluation(float(np.sum(energies)), forces)

    def velocity_verlet(
        self,
        types: IntArray,
        positions: FloatArray,
        velocities: FloatArray,
        masses: FloatArray,
        cell: FloatArray,
        *,
        timestep: float,
        steps: int,
    ) -> Burst:
        """Integrate in one compiled call."""
        end, speed, energy, _, _ = self._kernel.velocity_verlet(
            types, positions, velocities, masses, cell, self._periodic, timestep, steps
        )
        return Burst(end, speed, float(energy))


def closest_pairs(frames: Sequence[Atoms], species: Sequence[str], fraction: float = 0.9) -> FloatArray:
    """Return ``fraction`` times the shortest distance of each pair of species in ``frames``.

    Parameters
    ----------
    frames
        Periodic structures, usually the training set.
    species
        Symbols in the order of the matrix.
    fraction
        Margin for configurations slightly closer than any in ``frames``.

    Returns
    -------
    (n_species, n_species) [Å]; zero (no limit) for pairs that never meet.

    Raises
    ------
    InputError
        If ``fraction`` is outside (0, 1].
    """
    if not 0 < fraction <= 1:
        raise InputError(f"fraction {fraction:g} is outside (0, 1]; use for example 0.9")
    index = {symbol: i for i, symbol in enumerate(species)}
    limits = np.full((len(species), len(species)), np.inf)
    for frame in frames:
        kinds = np.array([index[symbol] for symbol in frame.get_chemical_symbols()])
        distances = frame.get_all_distances(mic=True)
        np.fill_diagonal(distances, np.inf)
        np.minimum.at(limits, (kinds[:, None], kinds[None, :]), distances)
    return np.where(np.isfinite(limits), fraction * limits, 0.0)
