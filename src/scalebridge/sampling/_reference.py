"""The readable twin of the core's switching trajectory, for any energy model; checked against each other.

equation symbol -> code name (module docstring of ``switching``):

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

from scalebridge.foundation import constants
from scalebridge.potential import IN_FIRST, IN_SECOND, SwitchEnd, SwitchPath
from scalebridge.sampling.momenta import kinetic_energy

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int32]


class EnergyAndForces(Protocol):
    """Energy [eV] and forces (n, 3) [eV/Å]."""

    @property
    def energy(self) -> float:
        """Return the energy."""
        ...

    @property
    def forces(self) -> FloatArray:
        """Return the forces."""
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
