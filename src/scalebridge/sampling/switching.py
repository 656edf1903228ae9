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

The core evaluates both ends at once (``potential.switching``); ``_reference`` is the readable twin. Any λ_k
do, as long as the reverse move reads them backwards: ``schedule`` finds those that lose little work.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalebridge.foundation import InputError
from scalebridge.potential import IN_BOTH, IN_FIRST, IN_SECOND, SwitchPath
from scalebridge.sampling.configuration import Change, Template
from scalebridge.sampling.model import EnergyModel
from scalebridge.sampling.momenta import maxwell_velocities
from scalebridge.sampling.schedule import Schedule
from scalebridge.sampling.site_density import Tether

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int32]


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
        Without a schedule, the strength s of the interaction of the trial ion grows as s = t^exponent with
        the time t = 0 … 1 of an insertion, and goes back the same way in a deletion: above 1, slow where the
        ion is nearly free. A relocation is switched linearly, so that it is its own reverse.
    schedule
        How the strengths go instead, for example as found by ``optimise_schedule``.
    """

    steps: int = 0
    timestep: float = 2.0
    exponent: float = 2.0
    schedule: Schedule | None = None

    def __post_init__(self) -> None:
        if self.steps < 0 or self.timestep <= 0 or self.exponent <= 0:
            raise InputError(
                f"switching of {self.steps} steps of {self.timestep:g} fs; use at least 0 steps, and "
                "a time step and an exponent above 0"
            )

    def strengths(self, times: FloatArray, *, relocation: bool = False) -> FloatArray:
        """Return the strength of the fading-in ion at ``times`` 0 … 1 of an insertion, or of a relocation."""
        if self.schedule is not None:
            return self.schedule.strengths(times, relocation=relocation)
        return times if relocation else times**self.exponent


@dataclass(frozen=True)
class Ghost:
    """An atom that feels only the tether ½k|r − centre|² of its site while it does not interact."""

    atom: int
    tether: Tether


@dataclass(frozen=True)
class Switch:
    """A switch to be carried out: all atoms (framework, then ions), and which ion fades in or out."""

    template: Template
    types: IntArray
    positions: FloatArray
    cell: FloatArray
    fading_in: Ghost | None
    fading_out: Ghost | None
    start_energy: float
    """Potential energy of the start's interacting atoms [eV], already known to the walker."""
    end_energy: float | None = None
    """Of the end's atoms at the same positions [eV]; what a bare move needs."""


@dataclass(frozen=True)
class SwitchResult:
    """Work W [eV] (+inf: refused), final positions and the final potential energy of the end's atoms."""

    work: float
    positions: FloatArray
    energy: float
    change: Change | None = None
    """What a bare move changed."""


def couplings(problem: Switch, settings: SwitchSettings) -> FloatArray:
    """Return λ of each step, (steps,): a deletion goes back the way of an insertion."""
    times = (np.arange(settings.steps) + 0.5) / max(settings.steps, 1)
    if problem.fading_in is None:
        return np.asarray(1 - settings.strengths(1 - times))
    return settings.strengths(times, relocation=problem.fading_out is not None)


def switch_path(
    problem: Switch, values: FloatArray, *, timestep: float, stiffness: float, masses: FloatArray
) -> SwitchPath:
    """Return the path of a switch with the couplings ``values``, (steps,).

    Parameters
    ----------
    problem
        Atoms and ghosts.
    values
        λ of each step.
    timestep
        [fs].
    stiffness
        k of the tethers [eV/Å²], kT/σ².
    masses
        Of all atoms, (n,) [u].
    """
    template = problem.template
    roles = np.full(len(problem.positions), IN_BOTH, dtype=np.int32)
    atoms, hooks = [], []
    for ghost, role in ((problem.fading_in, IN_SECOND), (problem.fading_out, IN_FIRST)):
        if ghost is None:
            continue
        roles[ghost.atom] = role
        if ghost.tether.component < len(template.sites):
            hook = template.sites[ghost.tether.component] + ghost.tether.image
            if template.n_framework:
                hook = hook - template.framework_centre
            atoms.append(ghost.atom)
            hooks.append(hook @ problem.cell)
    return SwitchPath(
        roles=roles,
        ghosts=np.array(atoms, dtype=np.int32),
        hooks=np.array(hooks, dtype=np.float64).reshape(-1, 3),
        stiffness=stiffness,
        framework=template.n_framework,
        masses=masses,
        timestep=timestep,
        couplings=values,
    )


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
        Atoms and ghosts.
    model
        Energy model.
    settings
        Steps, time step and schedule; 0 steps changes λ at once.
    stiffness
        k of the tethers [eV/Å²], kT/σ².
    masses
        Of all atoms, (n,) [u].
    temperature
        Of the momenta [K].
    rng
        Random stream of the momenta.

    Raises
    ------
    InputError
        If a bare move comes without the energy of its end.
    """
    path = switch_path(
        problem,
        couplings(problem, settings),
        timestep=settings.timestep,
        stiffness=stiffness,
        masses=masses,
    )
    positions = problem.positions
    if settings.steps == 0:
        if problem.end_energy is None:
            raise InputError("a bare move needs the energy of its end; give end_energy")
        work = problem.end_energy - problem.start_energy + _ghost_work(path, positions)
        return SwitchResult(work, positions, problem.end_energy)
    velocities = maxwell_velocities(masses, temperature, rng)
    end = model.switch(problem.types, positions, velocities, problem.cell, path=path)
    return SwitchResult(end.work, end.positions, end.energy)


def _ghost_work(path: SwitchPath, positions: FloatArray) -> float:
    """Return the tethers' energy at the end minus that at the start [eV], both at ``positions``."""
    n = path.framework
    mean = positions[:n].sum(axis=0) / n if n else np.zeros(3)
    offsets = positions[path.ghosts] - path.hooks - mean
    signs = np.where(path.roles[path.ghosts] == IN_FIRST, 1.0, -1.0)
    return 0.5 * path.stiffness * float(signs @ np.einsum("ij,ij->i", offsets, offsets))
