"""Units of work that run in any process: one relaxed phase, its stiffness, one slab direction."""

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from scalebridge.contracts import HostPhase
from scalebridge.foundation import ConvergenceError, random_stream
from scalebridge.interfaces.arrangements import candidate_arrangements, draw_arrangement
from scalebridge.interfaces.elastic import solve_stiffness
from scalebridge.interfaces.orientation import orientation_matrix
from scalebridge.interfaces.slab import (
    RelaxedPhase,
    SlabEnergies,
    SlabSettings,
    oriented_phase,
    relax_phase,
    solve_slabs,
)
from scalebridge.sampling import HostCell, MakeCalculator, RelaxationSettings, relax

FloatArray = NDArray[np.float64]
End = Literal["low", "high"]


@dataclass(frozen=True)
class PhaseTask:
    """One relaxed arrangement of the ions in one phase of one member.

    Attributes
    ----------
    member
        Committee member of ``make_calculator``.
    make_calculator
        Makes the member's ASE calculator; picklable.
    end
        Which of the two phases.
    ions
        In the phase's cell.
    temperature
        At which the arrangement is drawn [K].
    arrangement
        Number of the draw; each has random arrangements of its own, and so has each member.
    candidates
        Random arrangements that relax, of which one is drawn.
    displacement
        Standard deviation by which the atoms of a partly filled phase start off their ideal places [Å]:
        those are often a saddle of the energy.
    seed
        The recipe's seed; streams differ by member and arrangement.
    """

    member: int
    make_calculator: MakeCalculator
    end: End
    phase: HostPhase
    ion: str
    ions: int
    temperature: float
    arrangement: int = 0
    candidates: int = 6
    displacement: float = 0.05
    seed: int = 0
    relaxation: RelaxationSettings = field(default_factory=RelaxationSettings)


@dataclass(frozen=True)
class PhaseResult:
    """The phase drawn and the energies [eV] of all that relaxed, or the reason why there are none."""

    member: int
    end: End
    arrangement: int
    phase: RelaxedPhase | None
    energies: FloatArray
    problem: str = ""


def run_phase(task: PhaseTask) -> PhaseResult:
    """Relax random arrangements of the ions, atoms and cell; draw one of those that relax."""
    host = HostCell.from_phase(task.phase, task.ion)
    names = (task.member, task.arrangement)
    candidates = candidate_arrangements(host.n_sites, task.ions, task.candidates, task.seed, *names)
    displacement = task.displacement if len(candidates) > 1 else 0.0
    relaxed: list[RelaxedPhase] = []
    problem = ""
    for number, occupied in enumerate(candidates):
        random = random_stream(task.seed, "interfaces", "displacement", *names, number)
        try:
            phase = relax_phase(
                host,
                task.make_calculator,
                occupied=occupied,
                shift=displacement * random.normal(size=(len(host.framework) + task.ions, 3)),
                settings=task.relaxation,
                what=f"member {task.member}, {task.end} phase",
            )
            relaxed.append(phase)
        except ConvergenceError as error:
            problem = str(error)
    energies = np.array([phase.energy for phase in relaxed])
    if not relaxed:
        return PhaseResult(task.member, task.end, task.arrangement, None, energies, problem)
    random = random_stream(task.seed, "interfaces", "draw", task.end, *names)
    drawn = relaxed[draw_arrangement(energies, task.temperature, random)]
    return PhaseResult(task.member, task.end, task.arrangement, drawn, energies)


@dataclass(frozen=True)
class SlabTask:
    """Coherent slabs of one member with one interface plane and one arrangement of the ions.

    Attributes
    ----------
    member
        Committee member of ``make_calculator``.
    make_calculator
        Makes the member's ASE calculator; picklable.
    low, high
        The relaxed phases on both sides, cells with corresponding vectors; ``high`` holds more ions.
    miller
        Interface plane (hkl) in the cell of the phases.
    """

    member: int
    make_calculator: MakeCalculator
    low: RelaxedPhase
    high: RelaxedPhase
    miller: tuple[int, int, int]
    settings: SlabSettings = field(default_factory=SlabSettings)


@dataclass(frozen=True)
class SlabResult:
    """Slab energies of one direction and arrangement, or the reason why there are none."""

    member: int
    miller: tuple[int, int, int]
    slabs: SlabEnergies | None
    problem: str = ""


def run_slabs(task: SlabTask) -> SlabResult:
    """Relax slabs of both phases; a relaxation that fails is reported in ``problem``.

    Raises
    ------
    InputError
        If the settings or the phases' cells do not fit together.
    """
    matrix = orientation_matrix(np.asarray(task.low.host.framework.cell), task.miller)
    low, high = (oriented_phase(phase, matrix) for phase in (task.low, task.high))
    what = f"member {task.member}, plane {task.miller}, slab"
    try:
        slabs = solve_slabs(low, high, task.make_calculator, settings=task.settings, what=what)
    except ConvergenceError as error:
        return SlabResult(task.member, task.miller, None, str(error))
    return SlabResult(task.member, task.miller, slabs)


@dataclass(frozen=True)
class ElasticTask:
    """Stiffness of one relaxed phase of one member; fields as in ``SlabTask``."""

    member: int
    make_calculator: MakeCalculator
    end: End
    phase: RelaxedPhase
    strain_step: float = 0.005
    relaxation: RelaxationSettings = field(default_factory=RelaxationSettings)


@dataclass(frozen=True)
class ElasticResult:
    """Cell (3, 3) [Å] and C (6, 6) [eV/Å³] of one end, or the reason why there is no C."""

    member: int
    end: End
    cell: FloatArray
    stiffness: FloatArray | None
    problem: str = ""


def run_elastic(task: ElasticTask) -> ElasticResult:
    """Relax the phase tightly, then strain it; a relaxation that fails is reported in ``problem``."""
    what = f"member {task.member}, {task.end} phase"
    cell, tight = task.phase.cell, _tighter(task.relaxation)
    try:
        relaxed = relax(task.phase.atoms(), task.make_calculator, cell="all", settings=tight, what=what)
        cell = np.array(relaxed.atoms.cell)
        stiffness = solve_stiffness(
            relaxed.atoms, task.make_calculator, step=task.strain_step, settings=tight, what=what
        )
    except ConvergenceError as error:
        return ElasticResult(task.member, task.end, cell, None, str(error))
    return ElasticResult(task.member, task.end, cell, stiffness)


def _tighter(settings: RelaxationSettings) -> RelaxationSettings:
    """Return settings for strained crystals: forces that small strains cause must relax too."""
    tolerance = settings.force_tolerance
    return replace(settings, force_tolerance=tolerance / 10, loose_tolerance=tolerance)
