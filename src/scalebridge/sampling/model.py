"""Energy models that samplers drive: one abstract class, and the adapter of a moment tensor potential."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol, final

import numpy as np
from numpy.typing import NDArray

from scalebridge.foundation import constants
from scalebridge.potential import (
    Kernel,
    LangevinEnd,
    LangevinPath,
    LocalEnergies,
    SwitchEnd,
    SwitchPath,
    follow_langevin,
    follow_switch,
)
from scalebridge.sampling._reference import follow_langevin_reference, follow_switch_reference

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int32]
ORIGIN = np.zeros(3)


@dataclass(frozen=True)
class Evaluation:
    """Energy [eV], forces (n, 3) [eV/Å] and, if known, virial −dE/dstrain (3, 3) [eV] of a configuration."""

    energy: float
    forces: FloatArray
    virial: FloatArray | None = None


@dataclass(frozen=True)
class Burst:
    """End of a short trajectory: positions (n, 3) [Å], velocities (n, 3) [(eV/u)^½], energy [eV]."""

    positions: FloatArray
    velocities: FloatArray
    energy: float


class Changes(Protocol):
    """Energies of a configuration after changes of one atom, without the atoms far from it."""

    def after(
        self, *, removed: int | None = None, added: int | None = None, position: FloatArray = ORIGIN
    ) -> float:
        """Return the energy [eV] without atom ``removed`` and with one of type ``added`` at ``position``."""
        ...

    def accept(
        self,
        *,
        removed: int | None = None,
        added: int | None = None,
        position: FloatArray = ORIGIN,
        in_place: bool = False,
    ) -> None:
        """Make the change; the added atom becomes the last, or ``in_place`` takes the removed one's index."""
        ...


class EnergyModel(ABC):
    """Potential energy of periodic configurations.

    ``types`` are indices into ``species``; cells have their vectors as rows; positions need not be wrapped.
    A model may refuse configurations, for example those with a pair closer than anything it was trained
    on: their energy is +inf. The refusal is a function of the configuration alone, so Metropolis rules
    stay exact; a trajectory through a refused point may end there with energy +inf.
    """

    species: tuple[str, ...]

    @abstractmethod
    def energy(self, types: IntArray, positions: FloatArray, cell: FloatArray) -> float:
        """Return the potential energy [eV], one-body energies included; +inf: refused."""

    @abstractmethod
    def evaluate(self, types: IntArray, positions: FloatArray, cell: FloatArray) -> Evaluation:
        """Return energy and forces."""

    def changes(self, types: IntArray, positions: FloatArray, cell: FloatArray) -> Changes:
        """Return the energies of changes of one atom; by default each is an energy of the whole."""
        return _WholeChanges(self, types, positions, cell)

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

    def switch(
        self,
        types: IntArray,
        positions: FloatArray,
        velocities: FloatArray,
        cell: FloatArray,
        *,
        path: SwitchPath,
    ) -> SwitchEnd:
        """Integrate a switch between two sets of interacting atoms (``switching``)."""
        return follow_switch_reference(self.evaluate, types, positions, velocities, cell, path=path)

    def langevin(
        self,
        types: IntArray,
        positions: FloatArray,
        velocities: FloatArray,
        cell: FloatArray,
        *,
        path: LangevinPath,
    ) -> LangevinEnd:
        """Integrate Langevin dynamics (``potential.langevin``); a moving cell needs the virial."""
        return follow_langevin_reference(self.evaluate, types, positions, velocities, cell, path=path)


@dataclass(eq=False)
class _WholeChanges:
    model: EnergyModel
    types: IntArray
    positions: FloatArray
    cell: FloatArray

    def after(
        self, *, removed: int | None = None, added: int | None = None, position: FloatArray = ORIGIN
    ) -> float:
        return self.model.energy(*self._changed(removed, added, position), self.cell)

    def accept(
        self,
        *,
        removed: int | None = None,
        added: int | None = None,
        position: FloatArray = ORIGIN,
        in_place: bool = False,
    ) -> None:
        types, positions = self._changed(removed, added, position)
        if removed is not None and added is not None and not in_place:
            order = np.append(np.delete(np.arange(len(types)), removed), removed)
            types, positions = types[order], positions[order]
        self.types, self.positions = types, positions

    def _changed(
        self, removed: int | None, added: int | None, position: FloatArray
    ) -> tuple[IntArray, FloatArray]:
        types, positions = self.types, self.positions
        if removed is not None and added is not None:
            types, positions = types.copy(), positions.copy()
            types[removed], positions[removed] = added, position
            return types, positions
        if removed is not None:
            types, positions = np.delete(types, removed), np.delete(positions, removed, axis=0)
        if added is not None:
            types, positions = np.append(types, np.int32(added)), np.vstack([positions, position])
        return types, positions


class Potential(Protocol):
    """What the adapter uses of a ``MomentTensorPotential``."""

    @property
    def species(self) -> tuple[str, ...]:
        """Chemical symbols in the order of the type indices."""
        ...

    def kernel(self) -> Kernel:
        """Return the compiled kernel."""
        ...


@final
class PotentialModel(EnergyModel):
    """A moment tensor potential seen as an energy model: one compiled call per energy or burst.

    Configurations inside the potential's hard cores, the closest pairs of its training data, are refused.

    Parameters
    ----------
    potential
        A ``MomentTensorPotential``.
    """

    def __init__(self, potential: Potential) -> None:
        self.species = tuple(potential.species)
        self._kernel = potential.kernel()
        self._periodic = (True, True, True)

    def energy(self, types: IntArray, positions: FloatArray, cell: FloatArray) -> float:
        """Return the potential energy [eV]."""
        return self._kernel.energy(types, positions, cell, self._periodic)

    def changes(self, types: IntArray, positions: FloatArray, cell: FloatArray) -> Changes:
        """Return the energies of changes of one atom, of which each costs what its neighbours cost."""
        return LocalEnergies(self._kernel, types, positions, cell, self._periodic)

    def evaluate(self, types: IntArray, positions: FloatArray, cell: FloatArray) -> Evaluation:
        """Return energy and forces."""
        energies, forces, virial = self._kernel.energy_forces_virial(types, positions, cell, self._periodic)
        return Evaluation(float(energies.sum()), forces, virial)

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
        burst = self._kernel.velocity_verlet(
            types, positions, velocities, masses, cell, self._periodic, timestep, steps
        )
        return Burst(burst.positions, burst.velocities, burst.energy)

    def switch(
        self,
        types: IntArray,
        positions: FloatArray,
        velocities: FloatArray,
        cell: FloatArray,
        *,
        path: SwitchPath,
    ) -> SwitchEnd:
        """Integrate in one compiled call with one evaluation per step."""
        return follow_switch(self._kernel, types, positions, velocities, cell, path=path)

    def langevin(
        self,
        types: IntArray,
        positions: FloatArray,
        velocities: FloatArray,
        cell: FloatArray,
        *,
        path: LangevinPath,
    ) -> LangevinEnd:
        """Integrate in one compiled call."""
        return follow_langevin(self._kernel, types, positions, velocities, cell, path=path)
