"""Units of work that run in any process: one trajectory, one barrier."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from scalebridge.contracts import HostPhase
from scalebridge.foundation import SILENT, ConvergenceError, InputError, Progress, random_stream
from scalebridge.sampling import EnergyModel, Grader, HostCell, MakeCalculator, RelaxationSettings, relax
from scalebridge.transport.barrier import Barrier, BarrierSettings, solve_barrier
from scalebridge.transport.displacement import (
    DiffusivityEstimate,
    collective_walker,
    fit_diffusivity,
    follow_sites,
    one_hop_bound,
    relative_to_framework,
)
from scalebridge.transport.dynamics import DynamicsSettings, sample_trajectory
from scalebridge.transport.network import CUTOFF_FACTOR, HopNetwork, find_hops, symmetrise
from scalebridge.transport.walker import HopEnergies

FloatArray = NDArray[np.float64]
End = Literal["empty", "full"]


@dataclass(frozen=True)
class TrajectoryTask:
    """One molecular-dynamics run of one member at one composition and temperature.

    Attributes
    ----------
    member
        Committee member of ``model``.
    model
        Its energy model.
    cell
        Framework and sites, whose symmetry the tensor must have.
    start
        Framework first, then ions; for example the last state of the sampling at this composition.
    temperature
        [K].
    seed
        The recipe's seed; streams differ by member, composition and temperature.
    grader
        Grades the states of the dynamics; None: they are not graded.
    """

    member: int
    model: EnergyModel
    cell: HostCell
    start: Atoms
    temperature: float
    seed: int = 0
    settings: DynamicsSettings = field(default_factory=DynamicsSettings)
    grader: Grader | None = None


@dataclass(frozen=True)
class TrajectoryResult:
    """Diffusivities [Å²/fs] seen in one run; ``tracer.mean`` is the one-hop bound if ``upper_bound``.

    ``hops`` counts those of all ``ions`` in ``duration`` [fs]; ``refused`` is the fraction of bursts that
    would have entered a hard core. ``grades`` are the extrapolation grades of its states, (frames,); empty
    without a grader.
    """

    member: int
    phase: str
    x: float
    theta: float
    temperature: float
    tracer: DiffusivityEstimate
    jump: DiffusivityEstimate
    hops: int
    upper_bound: bool
    temperature_seen: float
    ions: int
    duration: float
    refused: float = 0.0
    grades: FloatArray = field(default_factory=lambda: np.zeros(0))

    @property
    def largest_grade(self) -> float | None:
        """Of its states; None if they were not graded."""
        return float(self.grades.max()) if len(self.grades) else None


@dataclass(frozen=True)
class FailedTrajectory:
    """A run that gave no diffusivity, and why."""

    member: int
    x: float
    temperature: float
    problem: str


def run_trajectory(task: TrajectoryTask, progress: Progress = SILENT) -> TrajectoryResult | FailedTrajectory:
    """Run molecular dynamics and measure tracer and jump diffusivity of the ions' walk from site to site.

    A run that runs away is reported as ``FailedTrajectory``; it does not stop other work.

    Raises
    ------
    InputError
        If the start holds no ion.
    """
    framework = len(task.cell.framework)
    ions = len(task.start) - framework
    if ions < 1:
        raise InputError(
            f"the start of a trajectory holds {ions} ions; give one with at least 1, as HostCell.atoms makes"
        )
    rng = random_stream(task.seed, "transport", "trajectory", task.member, ions, f"{task.temperature:g}")
    try:
        run = sample_trajectory(
            task.start,
            task.model,
            task.temperature,
            rng,
            settings=task.settings,
            grader=task.grader,
            progress=progress,
        )
    except ConvergenceError as error:
        return FailedTrajectory(task.member, task.cell.composition(ions), task.temperature, str(error))
    mobile = np.arange(framework, framework + ions)
    walk = relative_to_framework(run.positions, mobile, task.start.get_masses())
    lattice = np.asarray(task.start.cell, dtype=float)
    on_sites = follow_sites(walk, task.cell.sites, lattice)
    hops = on_sites.hops
    tracer = fit_diffusivity(on_sites.positions, run.interval)
    jump = fit_diffusivity(collective_walker(on_sites.positions), run.interval)
    if hops == 0:
        bound = one_hop_bound(task.cell.sites, lattice, ions, len(walk) * run.interval)
        tracer = jump = DiffusivityEstimate(np.eye(3) * bound, bound, bound)
    return TrajectoryResult(
        member=task.member,
        phase=task.cell.phase,
        x=task.cell.composition(ions),
        theta=ions / task.cell.n_sites,
        temperature=task.temperature,
        tracer=_symmetric(tracer, task.cell),
        jump=_symmetric(jump, task.cell),
        hops=hops,
        upper_bound=hops == 0,
        temperature_seen=run.temperature,
        ions=ions,
        duration=len(walk) * run.interval,
        refused=run.refused,
        grades=run.grades,
    )


def _symmetric(estimate: DiffusivityEstimate, cell: HostCell) -> DiffusivityEstimate:
    tensor = symmetrise(estimate.tensor, cell.framework, cell.sites)
    return DiffusivityEstimate(tensor, estimate.mean, estimate.error)


@dataclass(frozen=True)
class BarrierTask:
    """One class of hops of one member at one end of the composition range.

    Attributes
    ----------
    member
        Committee member of ``make_calculator``.
    make_calculator
        Makes the member's ASE calculator; picklable.
    phase, ion, repeat
        The host's phase at this end, the mobile ion, and how often the cell is repeated for the path.
    end
        ``empty``: one ion in the empty host; ``full``: one vacancy in the full host.
    hop_class
        Class number in ``hop_network(phase)``.
    cutoff_factor
        Of ``find_hops``.
    """

    member: int
    make_calculator: MakeCalculator
    phase: HostPhase
    ion: str
    repeat: tuple[int, int, int]
    end: End
    hop_class: int
    cutoff_factor: float = CUTOFF_FACTOR
    settings: BarrierSettings = field(default_factory=BarrierSettings)
    cell_relaxation: RelaxationSettings = field(default_factory=RelaxationSettings)


@dataclass(frozen=True)
class BarrierResult:
    """One class of hops solved, or the reason why not.

    Attributes
    ----------
    network
        Of the unit cell, strained to the relaxed lattice of this member.
    x, theta
        Composition of the cell in which the path was found.
    energies
        Of the representative hop; None if ``problem`` says why not.
    barrier
        The path; None likewise.
    n_sites
        Sites of the repeated cell.
    """

    member: int
    end: End
    phase: str
    hop_class: int
    network: HopNetwork
    x: float
    theta: float
    n_sites: int
    energies: HopEnergies | None
    barrier: Barrier | None
    problem: str = ""


def hop_network(phase: HostPhase, ion: str, cutoff_factor: float = CUTOFF_FACTOR) -> HopNetwork:
    """Return the hops of a phase's unit cell; ``len(.representatives)`` barriers have to be found."""
    unit = HostCell.from_phase(phase, ion)
    return find_hops(unit.framework, unit.sites, cutoff_factor=cutoff_factor)


def run_barrier(task: BarrierTask) -> BarrierResult:
    """Relax the host of one end, then find the barrier of one class of hops.

    For the vacancy the ion moves against the hop: the vacancy goes from ``start`` to ``end``. A path that
    does not converge is reported in ``problem``; it does not stop other work.

    Raises
    ------
    InputError
        If the repeated cell is so small that both ends of the hop are images of one site.
    """
    network = hop_network(task.phase, task.ion, task.cutoff_factor)
    cell = HostCell.from_phase(task.phase, task.ion, task.repeat)
    hop = network.representatives[task.hop_class]
    first, second = _sites_of_hop(network, hop, cell, task.repeat)
    what = f"member {task.member}, {task.end} host, hop class {task.hop_class}"
    ions = 1 if task.end == "empty" else cell.n_sites - 1
    barrier, problem = None, ""
    lattice = np.asarray(cell.framework.cell, dtype=float)
    try:
        start, mover, vector = _start(
            task, cell, network.scaled_vectors[hop] / np.array(task.repeat), (first, second), what
        )
        lattice = np.asarray(start.cell, dtype=float)
        barrier = solve_barrier(start, mover, vector, task.make_calculator, settings=task.settings, what=what)
    except ConvergenceError as error:
        problem = str(error)
    energies = None
    if barrier is not None:
        energies = HopEnergies(
            barrier.start_energy, barrier.end_energy, barrier.saddle_energy, barrier.attempt_frequency
        )
    return BarrierResult(
        member=task.member,
        end=task.end,
        phase=task.phase.name,
        hop_class=task.hop_class,
        network=network.strained(lattice / np.array(task.repeat)[:, None]),
        x=cell.composition(ions),
        theta=ions / cell.n_sites,
        n_sites=cell.n_sites,
        energies=energies,
        barrier=barrier,
        problem=problem,
    )


def _sites_of_hop(
    network: HopNetwork, hop: int, cell: HostCell, repeat: tuple[int, int, int]
) -> tuple[int, int]:
    """Return the repeated cell's indices of the two sites of a hop of the unit cell."""
    found = []
    for scaled in (network.sites[network.start[hop]], network.sites[network.end[hop]] + network.images[hop]):
        difference = cell.sites - scaled / np.array(repeat)
        difference -= np.round(difference)
        found.append(int(np.linalg.norm(difference, axis=1).argmin()))
    if found[0] == found[1]:
        raise InputError(
            f"with repeat {repeat} both ends of a hop are images of site {found[0]}; "
            "use a larger repeat for the barriers"
        )
    return found[0], found[1]


def _start(
    task: BarrierTask, cell: HostCell, step: FloatArray, sites: tuple[int, int], what: str
) -> tuple[Atoms, int, FloatArray]:
    """Return the start structure, the hopping atom and its displacement, at the relaxed host's cell.

    ``step`` is the hop in scaled coordinates of the repeated cell.
    """
    first, second = sites
    framework = len(cell.framework)
    occupied = [] if task.end == "empty" else list(range(cell.n_sites))
    host = cell.atoms(occupied)
    host.positions += random_stream(task.settings.seed, "transport", "host").normal(
        0.0, task.settings.rattle, host.positions.shape
    )
    relaxed = relax(host, task.make_calculator, cell="all", settings=task.cell_relaxation, what=what).atoms
    lattice = np.asarray(relaxed.cell, dtype=float)
    if task.end == "empty":
        start = relaxed + Atoms(
            task.ion, positions=[cell.sites[first] @ lattice], cell=relaxed.cell, pbc=True
        )
        return start, framework, step @ lattice
    displaced = relaxed.positions[framework:] - cell.sites @ lattice
    vector = step @ lattice + displaced[second] - displaced[first]
    start = relaxed.copy()
    del start[framework + first]
    mover = framework + second - (1 if second > first else 0)
    return start, mover, -vector
