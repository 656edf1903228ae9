"""Units of work that run in any process: one slab direction, one end's lattice and stiffness."""

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from scalebridge.contracts import HostPhase
from scalebridge.foundation import ConvergenceError
from scalebridge.interfaces.elastic import solve_stiffness
from scalebridge.interfaces.orientation import orientation_matrix, oriented_cell
from scalebridge.interfaces.slab import SlabEnergies, SlabSettings, relax_phase, solve_slabs
from scalebridge.sampling import HostCell, MakeCalculator, RelaxationSettings

FloatArray = NDArray[np.float64]
End = Literal["empty", "full"]


@dataclass(frozen=True)
class SlabTask:
    """Coherent slabs of one member with one interface plane.

    Attributes
    ----------
    member
        Committee member of ``make_calculator``.
    make_calculator
        Makes the member's ASE calculator; picklable.
    empty, full
        The host's phases at both ends, cells with corresponding vectors.
    ion
        The mobile ion.
    miller
        Interface plane (hkl) in the cell of the phases.
    repeat
        Repeats of the phases' cells that make one unit; (hkl) then counts in the repeated cell.
    """

    member: int
    make_calculator: MakeCalculator
    empty: HostPhase
    full: HostPhase
    ion: str
    miller: tuple[int, int, int]
    repeat: tuple[int, int, int] = (1, 1, 1)
    settings: SlabSettings = field(default_factory=SlabSettings)
    cell_relaxation: RelaxationSettings = field(default_factory=RelaxationSettings)


@dataclass(frozen=True)
class SlabResult:
    """Slab energies of one direction, or the reason why there are none."""

    member: int
    miller: tuple[int, int, int]
    slabs: SlabEnergies | None
    problem: str = ""


def run_slabs(task: SlabTask) -> SlabResult:
    """Relax both phases, then slabs of them; a relaxation that fails is reported in ``problem``.

    Raises
    ------
    InputError
        If the settings or the phases' cells do not fit together.
    """
    what = f"member {task.member}, plane {task.miller}"
    hosts = [HostCell.from_phase(phase, task.ion, task.repeat) for phase in (task.empty, task.full)]
    matrix = orientation_matrix(np.asarray(hosts[0].framework.cell), task.miller)
    try:
        empty = relax_phase(
            oriented_cell(hosts[0], matrix),
            task.make_calculator,
            full=False,
            settings=task.cell_relaxation,
            what=f"{what}, empty host",
        )
        full = relax_phase(
            oriented_cell(hosts[1], matrix),
            task.make_calculator,
            full=True,
            settings=task.cell_relaxation,
            what=f"{what}, full host",
        )
        slabs = solve_slabs(empty, full, task.make_calculator, settings=task.settings, what=f"{what}, slab")
    except ConvergenceError as error:
        return SlabResult(task.member, task.miller, None, str(error))
    return SlabResult(task.member, task.miller, slabs)


@dataclass(frozen=True)
class ElasticTask:
    """Lattice and stiffness of one end of one member; fields as in ``SlabTask``."""

    member: int
    make_calculator: MakeCalculator
    phase: HostPhase
    ion: str
    end: End
    repeat: tuple[int, int, int] = (1, 1, 1)
    strain_step: float = 0.005
    relaxation: RelaxationSettings = field(default_factory=RelaxationSettings)


@dataclass(frozen=True)
class ElasticResult:
    """Relaxed cell (3, 3) [Å] and C (6, 6) [eV/Å³] of one end, or the reason why there are none."""

    member: int
    end: End
    cell: FloatArray | None
    stiffness: FloatArray | None
    problem: str = ""


def run_elastic(task: ElasticTask) -> ElasticResult:
    """Relax one end, then strain it; a relaxation that fails is reported in ``problem``.

    The cell that is returned is that of the phase's unit, not of its repetition.
    """
    what = f"member {task.member}, {task.end} host"
    cell: FloatArray | None = None
    try:
        relaxed = relax_phase(
            HostCell.from_phase(task.phase, task.ion, task.repeat),
            task.make_calculator,
            full=task.end == "full",
            settings=task.relaxation,
            what=what,
        )
        cell = relaxed.cell / np.array(task.repeat)[:, None]
        stiffness = solve_stiffness(
            relaxed.atoms(),
            task.make_calculator,
            step=task.strain_step,
            settings=_tighter(task.relaxation),
            what=what,
        )
    except ConvergenceError as error:
        return ElasticResult(task.member, task.end, cell, None, str(error))
    return ElasticResult(task.member, task.end, cell, stiffness)


def _tighter(settings: RelaxationSettings) -> RelaxationSettings:
    """Return settings for strained crystals: forces that small strains cause must relax too."""
    tolerance = settings.force_tolerance
    return replace(settings, force_tolerance=tolerance / 10, loose_tolerance=tolerance)
