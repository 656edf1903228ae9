"""The readable twins of the core's switching and Langevin trajectories, for any energy model.

equation symbol -> code name (module docstring of ``switching``; that of ``potential.langevin`` has its own):

==================  ==================================================
λ                   ``coupling``
U_0, U_1            ``start.energy``, ``end.energy`` of ``_State``
ghosts_0, ghosts_1  ``start.ghost_energy``, ``end.ghost_energy``
∂H/∂λ               ``slopes``
==================  ==================================================
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

from scalebridge.foundation import InputError, constants
from scalebridge.potential import (
    IN_FIRST,
    IN_SECOND,
    CellBath,
    LangevinEnd,
    LangevinPath,
    SwitchEnd,
    SwitchPath,
)
from scalebridge.sampling.momenta import kinetic_energy

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int32]


class EnergyAndForces(Protocol):
    """Energy [eV], forces (n, 3) [eV/Å] and, where the model has it, the virial (3, 3) [eV]."""

    @property
    def energy(self) -> float:
        """Return the energy."""
        ...

    @property
    def forces(self) -> FloatArray:
        """Return the forces."""
        ...

    @property
    def virial(self) -> FloatArray | None:
        """Return −dE/dstrain."""
        ...


Evaluate = Callable[[IntArray, FloatArray, FloatArray], EnergyAndForces]


class _State:
    """Energies and forces on all atoms in the state that lacks the atoms of role ``missing``."""

    def __init__(self, evaluate: Evaluate, types: IntArray, cell: FloatArray, path: SwitchPath, missing: int):
        self._evaluate, self._cell, self._path = evaluate, cell, path
        self._indices = np.flatnonzero(path.roles != missing)
        self._types = types[self._indices]
        chosen = path.roles[path.ghosts] == missing
        self._ghosts, self._hooks = path.ghosts[chosen], path.hooks[chosen]

    def __call__(self, positions: FloatArray) -> tuple[float, float, FloatArray]:
        """Return the model's energy, the ghosts' energy, and all forces."""
        n, stiffness = self._path.framework, self._path.stiffness
        result = self._evaluate(self._types, positions[self._indices], self._cell)
        mean = positions[:n].mean(axis=0) if n else np.zeros(3)
        offsets = positions[self._ghosts] - self._hooks - mean
        forces = np.zeros_like(positions)
        forces[self._indices] = result.forces
        forces[self._ghosts] -= stiffness * offsets
        if n:
            forces[:n] += stiffness * offsets.sum(axis=0) / n
        return result.energy, 0.5 * stiffness * float(np.sum(offsets**2)), forces


def follow_switch_reference(
    evaluate: Evaluate,
    types: IntArray,
    positions: FloatArray,
    velocities: FloatArray,
    cell: FloatArray,
    *,
    path: SwitchPath,
) -> SwitchEnd:
    """Return what ``scalebridge.potential.follow_switch`` does, with two evaluations per step."""
    start = _State(evaluate, types, cell, path, IN_SECOND)
    end = _State(evaluate, types, cell, path, IN_FIRST)
    time = path.timestep * constants.FEMTOSECOND
    kick = 0.5 * time / path.masses[:, None]
    first, second = start(positions), end(positions)
    slopes = [second[0] + second[1] - first[0] - first[1]]
    work = -first[0] - first[1] - kinetic_energy(path.masses, velocities)
    for coupling in path.couplings:
        if not np.isfinite(first[0] + second[0]):
            break
        velocities = velocities + kick * ((1 - coupling) * first[2] + coupling * second[2])
        positions = positions + time * velocities
        first, second = start(positions), end(positions)
        slopes.append(second[0] + second[1] - first[0] - first[1])
        velocities = velocities + kick * ((1 - coupling) * first[2] + coupling * second[2])
    if not np.isfinite(first[0] + second[0]):
        return SwitchEnd(np.inf, np.inf, positions, velocities, np.array(slopes))
    work += second[0] + second[1] + kinetic_energy(path.masses, velocities)
    return SwitchEnd(work, second[0], positions, velocities, np.array(slopes))


def follow_langevin_reference(
    evaluate: Evaluate,
    types: IntArray,
    positions: FloatArray,
    velocities: FloatArray,
    cell: FloatArray,
    *,
    path: LangevinPath,
) -> LangevinEnd:
    """Return what ``scalebridge.potential.follow_langevin`` does, but for a trajectory that blows up.

    Raises
    ------
    InputError
        If the cell is to be rescaled and the model gives no virial.
    """
    time = path.timestep * constants.FEMTOSECOND
    masses, spread = path.masses[:, None], np.sqrt(1 - path.decay**2)
    state = evaluate(types, positions, cell)
    for step, noise in enumerate(path.noise):
        if not np.isfinite(state.energy):
            break
        velocities = velocities + 0.5 * time / masses * state.forces
        positions = positions + 0.5 * time * velocities
        velocities = path.decay * velocities + spread * np.sqrt(path.thermal_energy / masses) * noise
        positions = positions + 0.5 * time * velocities
        state = evaluate(types, positions, cell)
        velocities = velocities + 0.5 * time / masses * state.forces
        bath = path.cell
        if bath is not None and (step + 1) % bath.every == 0 and np.isfinite(state.energy):
            strain = _cell_strain(bath, state.virial, abs(np.linalg.det(cell)), path, step // bath.every)
            positions, cell = positions @ expm(strain), cell @ expm(strain)
            state = evaluate(types, positions, cell)
    return LangevinEnd(positions, velocities, state.energy, cell)


def _cell_strain(
    bath: CellBath, virial: FloatArray | None, volume: float, path: LangevinPath, number: int
) -> FloatArray:
    """Return the strain of one rescaling; equations in ``scalebridge.potential.langevin``."""
    if virial is None:
        raise InputError(
            "the cell follows the virial and this energy model gives none; let it return one, or take bursts "
            "of constant cell and exact cell moves"
        )
    elapsed, thermal, noise = bath.every * path.timestep, path.thermal_energy, bath.noise[number]
    excess = (len(path.masses) * thermal * np.eye(3) + 0.5 * (virial + virial.T)) / volume
    excess = excess - bath.pressure * np.eye(3)
    if bath.isotropic:
        change = bath.rate * elapsed * np.trace(excess) / 3
        return (
            np.asarray(change + np.sqrt(2 * thermal * bath.rate / volume * elapsed) * noise[0])
            / 3
            * np.eye(3)
        )
    sides = noise[3:] / np.sqrt(2)
    kicks = np.diag(noise[:3]).astype(np.float64)
    kicks[[1, 0, 0], [2, 2, 1]] = kicks[[2, 2, 1], [1, 0, 0]] = sides
    rate = bath.rate / 3
    return np.asarray(rate * elapsed * excess + np.sqrt(2 * thermal * rate / volume * elapsed) * kicks)
