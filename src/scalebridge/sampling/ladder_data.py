"""Settings, units of work and results of a ladder of ion contents."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from scalebridge.foundation import InputError
from scalebridge.sampling.free_energy_difference import FreeEnergyDifference, bennett
from scalebridge.sampling.grading import Grader
from scalebridge.sampling.grand_canonical import MoveCount
from scalebridge.sampling.host_cell import HostCell
from scalebridge.sampling.model import EnergyModel
from scalebridge.sampling.moves import BurstSettings
from scalebridge.sampling.site_density import SiteDensity
from scalebridge.sampling.switching import SwitchSettings

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class LadderSettings:
    """How a ladder is sampled.

    Attributes
    ----------
    sweeps
        Sweeps recorded. A sweep is one burst, ``cell_moves`` cell moves and ``relocations`` attempted
        relocations of every replica, and ``attempts`` exchanges for each pair of neighbours.
    equilibration
        Sweeps dropped before; time step and strain amplitude are tuned in them, then frozen.
    attempts
        Attempted insertions and deletions per sweep and pair of neighbours.
    burst, switching
        Trajectories; the burst's time step is the first guess of the tuning, unless bursts are approximate.
        Bare attempts are the default: in Na_x Mn[Fe(CN)6] five of them per sweep give about twice the
        effective samples per CPU-second of one or two switched over 10 to 80 steps
        (``benchmarks/switching_mnhcf.py``).
    tune_schedule
        Find the schedule of switches with a pilot run after the equilibration (``optimise_schedule``).
    density
        Proposal density of trial ions; its width is the first guess of the tuning.
    tune_width
        Set the width in the equilibration to the ions' root mean square distance from their sites.
    cell_moves
        Cell moves per sweep; 0 samples at constant cell.
    strain_amplitude
        First guess of the strain components' deviation.
    isotropic
        Change only the volume, not the shape.
    relocations
        Attempted relocations per sweep and replica.
    pressure
        [eV/Å³].
    masses
        Sampling masses [u] by symbol that replace ``sampling_masses``.
    """

    sweeps: int = 300
    equilibration: int = 80
    attempts: int = 5
    burst: BurstSettings = field(default_factory=lambda: BurstSettings(steps=20, timestep=2.0))
    switching: SwitchSettings = field(default_factory=SwitchSettings)
    tune_schedule: bool = True
    density: SiteDensity = field(default_factory=lambda: SiteDensity(width=0.5, vacant_only=True))
    tune_width: bool = True
    cell_moves: int = 2
    strain_amplitude: float = 0.004
    isotropic: bool = False
    relocations: int = 2
    pressure: float = 0.0
    masses: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.sweeps < 1 or self.equilibration < 0:
            raise InputError(
                f"{self.sweeps} sweeps after {self.equilibration} of equilibration; use at least 1 and 0"
            )


@dataclass(frozen=True)
class LadderRung:
    """What was sampled at one ion content; series in the order of sampling.

    Attributes
    ----------
    ions
        N.
    insertion_work, deletion_work
        w_ins and w_del of attempts from this rung [eV], (n,) and (m,); +inf if refused, empty where no
        neighbour.
    energy
        Potential energy after each sweep [eV], (k,).
    cell
        Cell after each sweep [Å], (k, 3, 3), vectors as rows.
    grade
        Extrapolation grade after each sweep, (k,); empty without a grader.
    mean
        Average framework (average cell and scaled coordinates, drift removed).
    last
        Final configuration.
    counts
        Attempts and acceptances by move.
    """

    ions: int
    insertion_work: FloatArray
    deletion_work: FloatArray
    energy: FloatArray
    cell: FloatArray
    grade: FloatArray
    mean: Atoms
    last: Atoms
    counts: dict[str, MoveCount]

    @property
    def volume(self) -> FloatArray:
        """Cell volume after each sweep [Å³], (k,)."""
        return np.asarray(np.abs(np.linalg.det(self.cell)))


@dataclass(frozen=True)
class Ladder:
    """Rungs of consecutive ion contents at one temperature [K], for cells of ``n_sites`` sites.

    ``approximations`` says in sentences what was not sampled exactly; empty: all moves were exact.
    """

    temperature: float
    n_sites: int
    formula_units: int
    rungs: tuple[LadderRung, ...]
    approximations: tuple[str, ...] = ()
    citations: tuple[str, ...] = ("duane1987",)
    """Keys of ``foundation.citations`` of the bursts."""

    def free_energy_differences(self) -> tuple[FreeEnergyDifference, ...]:
        """Return F(N+1) − F(N) with standard errors for neighbouring rungs (Bennett)."""
        return tuple(
            bennett(lower.insertion_work, upper.deletion_work, self.temperature)
            for lower, upper in pairwise(self.rungs)
        )


@dataclass(frozen=True)
class LadderTask:
    """One unit of work, picklable: rungs ``first`` … ``last`` of one model at one temperature.

    ``starts[k]`` is the host cell from which content ``first + k`` starts; ``structures`` (optional, same
    length) are relaxed or sampled structures in the order of ``HostCell.atoms`` that replace the ideal
    ones. A ``grader`` (``ActiveSet.grader``) grades every recorded state.
    """

    model: EnergyModel
    starts: tuple[HostCell, ...]
    first: int
    temperature: float
    settings: LadderSettings = field(default_factory=LadderSettings)
    seed: int = 0
    structures: tuple[Atoms, ...] = ()
    grader: Grader | None = None

    def __post_init__(self) -> None:
        if not self.starts:
            raise InputError("a ladder needs at least one rung; give one starting cell per ion content")
        last = self.first + len(self.starts) - 1
        if self.first < 0 or last > self.starts[0].n_sites:
            raise InputError(
                f"rungs {self.first} … {last} leave 0 … {self.starts[0].n_sites}, the sites of the cell"
            )
        if self.structures and len(self.structures) != len(self.starts):
            raise InputError(f"{len(self.structures)} structures for {len(self.starts)} rungs; give one each")


def ladder_tasks(
    model: EnergyModel,
    starts: Sequence[HostCell],
    temperature: float,
    *,
    settings: LadderSettings | None = None,
    seed: int = 0,
    parts: int = 1,
    structures: Sequence[Atoms] = (),
    grader: Grader | None = None,
) -> tuple[LadderTask, ...]:
    """Split the full ladder 0 … n_sites into ``parts`` tasks that share their border rungs.

    Parameters
    ----------
    model
        Energy model.
    starts
        One cell per content 0 … n_sites, see ``starting_cells``.
    temperature
        [K].
    settings, seed
        As in ``LadderTask``.
    parts
        Number of tasks.
    structures
        Optional starting structures, one per content.
    grader
        Grades every recorded state.

    Raises
    ------
    InputError
        If the number of cells is not n_sites + 1 or ``parts`` exceeds the number of steps.
    """
    n_sites = starts[0].n_sites
    if len(starts) != n_sites + 1:
        raise InputError(f"{len(starts)} starting cells for contents 0 … {n_sites}; give {n_sites + 1}")
    if not 1 <= parts <= max(n_sites, 1):
        raise InputError(f"{parts} parts of a ladder with {n_sites} steps; use 1 … {max(n_sites, 1)}")
    borders = np.linspace(0, n_sites, parts + 1).round().astype(int).tolist()
    return tuple(
        LadderTask(
            model,
            tuple(starts[low : high + 1]),
            low,
            temperature,
            settings or LadderSettings(),
            seed,
            tuple(structures[low : high + 1]),
            grader,
        )
        for low, high in pairwise(borders)
    )


def merge_ladders(parts: Sequence[Ladder]) -> Ladder:
    """Join ladders of one model over neighbouring ranges of contents, or the same ones with other seeds.

    Series of rungs that occur several times are put one after the other. Seeds differ in the random
    occupation of sites they start from, so several of them average over occupations that a single run
    does not leave.

    Raises
    ------
    InputError
        If the parts differ in temperature or cell, or leave a gap.
    """
    head = parts[0]
    rungs: dict[int, LadderRung] = {}
    for part in parts:
        if (part.temperature, part.n_sites) != (head.temperature, head.n_sites):
            raise InputError(
                f"ladders at {head.temperature:g} K with {head.n_sites} sites and at {part.temperature:g} K "
                f"with {part.n_sites} sites cannot be joined; join those of one temperature and cell"
            )
        for rung in part.rungs:
            rungs[rung.ions] = _merged(rungs[rung.ions], rung) if rung.ions in rungs else rung
    contents = sorted(rungs)
    if contents != list(range(contents[0], contents[-1] + 1)):
        raise InputError(f"the joined ladders hold rungs {contents}, with a gap; sample the missing rungs")
    said = dict.fromkeys(sentence for part in parts for sentence in part.approximations)
    cited = dict.fromkeys(key for part in parts for key in part.citations)
    return replace(
        head,
        rungs=tuple(rungs[ions] for ions in contents),
        approximations=tuple(said),
        citations=tuple(cited),
    )


def _merged(first: LadderRung, second: LadderRung) -> LadderRung:
    counts = {
        name: MoveCount(
            sum(rung.counts[name].attempted for rung in (first, second) if name in rung.counts),
            sum(rung.counts[name].accepted for rung in (first, second) if name in rung.counts),
        )
        for name in {**first.counts, **second.counts}
    }
    return replace(
        first,
        insertion_work=np.concatenate([first.insertion_work, second.insertion_work]),
        deletion_work=np.concatenate([first.deletion_work, second.deletion_work]),
        energy=np.concatenate([first.energy, second.energy]),
        cell=np.concatenate([first.cell, second.cell]),
        grade=np.concatenate([first.grade, second.grade]),
        counts=counts,
    )
