"""Non-equilibrium switching between two sets of interacting atoms, by velocity Verlet.

An end point is a set of atoms that interact through the model, and ghosts: ions that feel only the harmonic
tether of their site (``site_density``), which follows the framework's mean displacement. During a switch

    H_λ = K + (1−λ) (U_0 + ghosts_0) + λ (U_1 + ghosts_1)

is integrated for ``steps`` velocity-Verlet steps at fixed λ_k between 0 and 1, k = 1 … steps, with
instantaneous changes of λ between them. Each step is time-reversible and preserves volume, and the
sequence of λ read backwards is the protocol of the reverse switch, so the reverse switch from the end
point with reversed momenta retraces the path. Hence W = H_1(end) − H_0(start), integration error
included, is the work for which P_forward(path) e^{−βH_0} = P_reverse(path) e^{−βH_1} e^{βW} holds without
time-step error [Nilmeier, Crooks, Minh, Chodera, PNAS 108, E1009 (2011)]. A path on which the
model refuses either end's atoms at any visited point is refused (W = +inf); the reverse path visits the
same points.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalebridge.foundation import InputError, constants
from scalebridge.sampling.configuration import Template, kinetic_energy, maxwell_velocities
from scalebridge.sampling.model import EnergyModel
from scalebridge.sampling.site_density import Tether

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int32]
IndexArray = NDArray[np.int64]


@dataclass(frozen=True)
class SwitchSettings:
    """How a trial ion is switched.

    Attributes
    ----------
    steps
        Velocity-Verlet steps; 0 is the bare move.
    timestep
        [fs].
    exponent
        The strength s of the interaction of the trial ion grows as s = t^exponent with the time t = 0 … 1
        of an insertion, and goes back the same way in a deletion: above 1, slow where the ion is nearly
        free. A relocation is switched linearly, so that it is its own reverse.
    """

    steps: int = 0
    timestep: float = 2.0
    exponent: float = 2.0

    def __post_init__(self) -> None:
        if self.steps < 0 or self.timestep <= 0 or self.exponent <= 0:
            raise InputError(
                f"switching of {self.steps} steps of {self.timestep:g} fs; use at least 0 steps, and "
                "a time step and an exponent above 0"
            )


@dataclass(frozen=True)
class Ghost:
    """An atom that feels only the tether ½k|r − centre|² of its site."""

    atom: int
    tether: Tether


@dataclass(frozen=True)
class EndPoint:
    """Indices of the interacting atoms, and the ghosts among the others."""

    interacting: IndexArray
    ghosts: tuple[Ghost, ...] = ()


@dataclass(frozen=True)
class Switch:
    """A switch to be carried out: all atoms (framework, then ions), from ``start`` to ``end``."""

    template: Template
    types: IntArray
    positions: FloatArray
    cell: FloatArray
    start: EndPoint
    end: EndPoint
    start_energy: float
    """Potential energy of the start's interacting atoms [eV], already known to the walker."""
    end_energy: float | None = None
    """Of the end's atoms at the same positions [eV]; a bare move needs no other."""


@dataclass(frozen=True)
class SwitchResult:
    """Work W [eV] (+inf: refused), final positions and the final potential energy of the end's atoms."""

    work: float
    positions: FloatArray
    energy: float


def _coupling(k: int, settings: SwitchSettings, problem: Switch) -> float:
    """Return λ of step k = 0 … steps − 1: slow where a ghost is about to fade in or out."""
    done = (k + 0.5) / settings.steps
    if problem.start.ghosts and problem.end.ghosts:
        return done
    if problem.end.ghosts:
        return float(1 - (1 - done) ** settings.exponent)
    return float(done**settings.exponent)


def switch(
    problem: Switch,
    model: EnergyModel,
    *,
    settings: SwitchSettings,
    stiffness: float,
    masses: FloatArray,
    temperature: float,
    rng: np.random.Generator,
) -> SwitchResult:
    """Carry out a switch with fresh Maxwell momenta.

    Parameters
    ----------
    problem
        Atoms and end points.
    model
        Energy model.
    settings
        Steps and time step; 0 steps changes λ at once.
    stiffness
        k of the tethers [eV/Å²], kT/σ².
    masses
        Of all atoms, (n,) [u].
    temperature
        Of the momenta [K].
    rng
        Random stream of the momenta.
    """
    start, end = _Side(problem, problem.start, stiffness), _Side(problem, problem.end, stiffness)
    positions = problem.positions
    if settings.steps == 0:
        energy = end.energy(model, positions) if problem.end_energy is None else problem.end_energy
        work = energy + end.ghost_energy(positions) - problem.start_energy - start.ghost_energy(positions)
        return SwitchResult(work, positions, energy)
    velocities = maxwell_velocities(masses, temperature, rng)
    initial = problem.start_energy + start.ghost_energy(positions) + kinetic_energy(masses, velocities)
    time = settings.timestep * constants.FEMTOSECOND
    kick = 0.5 * time / masses[:, None]
    energy, second = end.evaluate(model, positions)
    if not np.isfinite(energy):
        return SwitchResult(np.inf, positions, np.inf)
    _, first = start.evaluate(model, positions)
    for k in range(settings.steps):
        fraction = _coupling(k, settings, problem)
        velocities = velocities + kick * ((1 - fraction) * first + fraction * second)
        positions = positions + time * velocities
        start_energy, first = start.evaluate(model, positions)
        energy, second = end.evaluate(model, positions)
        if not np.isfinite(start_energy + energy):
            return SwitchResult(np.inf, positions, np.inf)
        velocities = velocities + kick * ((1 - fraction) * first + fraction * second)
    final = energy + end.ghost_energy(positions) + kinetic_energy(masses, velocities)
    return SwitchResult(final - initial, positions, energy)


class _Side:
    """One end point's energy and forces on all atoms of the switch."""

    def __init__(self, problem: Switch, end_point: EndPoint, stiffness: float) -> None:
        self._indices = end_point.interacting
        self._types = problem.types[self._indices]
        self._cell = problem.cell
        self._framework = problem.template.n_framework
        self._stiffness = stiffness
        template = problem.template
        self._hooks: list[tuple[int, FloatArray]] = []
        for ghost in end_point.ghosts:
            if ghost.tether.component < len(template.sites):
                hook = template.sites[ghost.tether.component] + ghost.tether.image
                if self._framework:
                    hook = hook - template.framework_centre
                self._hooks.append((ghost.atom, hook @ problem.cell))

    def energy(self, model: EnergyModel, positions: FloatArray) -> float:
        return model.energy(self._types, positions[self._indices], self._cell)

    def _offset(self, positions: FloatArray, atom: int, hook: FloatArray) -> FloatArray:
        offset = positions[atom] - hook
        if self._framework:
            offset = offset - positions[: self._framework].sum(axis=0) / self._framework
        return np.asarray(offset)

    def ghost_energy(self, positions: FloatArray) -> float:
        offsets = [self._offset(positions, atom, hook) for atom, hook in self._hooks]
        return 0.5 * self._stiffness * float(sum(offset @ offset for offset in offsets))

    def evaluate(self, model: EnergyModel, positions: FloatArray) -> tuple[float, FloatArray]:
        """Return the model energy of the interacting atoms, and the forces of model and tethers on all."""
        result = model.evaluate(self._types, positions[self._indices], self._cell)
        forces = np.zeros_like(positions)
        forces[self._indices] = result.forces
        for atom, hook in self._hooks:
            pull = -self._stiffness * self._offset(positions, atom, hook)
            forces[atom] += pull
            if self._framework:
                forces[: self._framework] -= pull / self._framework
        return result.energy, forces
