"""Settings, plans, units of work and results of walkers that explore."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Literal, Self

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from scalebridge.foundation import InputError
from scalebridge.sampling.dead_ends import NOTHING_KNOWN, DeadEnd, DeadEndLimits, Known
from scalebridge.sampling.grading import Grader
from scalebridge.sampling.host_cell import HostCell
from scalebridge.sampling.model import EnergyModel
from scalebridge.sampling.moves import BurstSettings
from scalebridge.sampling.site_density import SiteDensity
from scalebridge.sampling.switching import SwitchSettings

FloatArray = NDArray[np.float64]

End = Literal["through", "stopped", "stuck", "lost"]
"""How a walk ended: at the other end of x, at a grade above ``stop``, where every trial was refused, or at a
dead end."""


@dataclass(frozen=True)
class ExplorationSettings:
    """How walkers explore.

    Attributes
    ----------
    sweeps
        Sweeps (burst and cell move) at each ion content.
    trials
        Trial insertions or deletions at each content; the one of lowest work is taken.
    save, stop
        Grades above which a configuration is queued, and the walker stops.
    queue_per_content
        At most this many structures, those of the largest grades, are queued at each content.
    extreme_strain
        Cell extremes: after its sweeps at one content the walker's structure is graded also compressed,
        stretched and sheared by this linear strain; 0: none. 1.5 % are 2.7 standard deviations √(kT/BV) of
        the volume of a formula unit of V = 300 Å³ and B = 50 GPa at 300 K.
    retreats
        Dead ends from which a walker goes back to its last safe state before it is lost.
    limits
        Where dead ends begin.
    burst, density, strain_amplitude, masses
        As in ``LadderSettings``.
    switching
        Of the trials, on the schedule s = t². That of constant thermodynamic speed brings nothing in eight
        steps: in Na_x Mn[Fe(CN)6] the lowest works of three trials are the same within 5 meV, and its pilot
        run costs more than twice what a walker does (``benchmarks/switching_mnhcf.py``).
    """

    sweeps: int = 8
    trials: int = 3
    save: float = 2.0
    stop: float = 10.0
    queue_per_content: int = 3
    extreme_strain: float = 0.015
    retreats: int = 3
    limits: DeadEndLimits = field(default_factory=DeadEndLimits)
    burst: BurstSettings = field(default_factory=lambda: BurstSettings(steps=20, timestep=2.0))
    switching: SwitchSettings = field(default_factory=lambda: SwitchSettings(steps=8, timestep=2.0))
    density: SiteDensity = field(default_factory=lambda: SiteDensity(width=0.5, vacant_only=True))
    strain_amplitude: float = 0.006
    masses: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 1 <= self.save <= self.stop:
            raise InputError(
                f"grades save {self.save:g} and stop {self.stop:g} must obey 1 ≤ save ≤ stop, for "
                "example 2 and 10"
            )
        if self.sweeps < 1 or self.trials < 1:
            raise InputError(f"{self.sweeps} sweeps and {self.trials} trials; use at least one of each")
        if not 0 <= self.extreme_strain < 0.3 or self.retreats < 0:
            raise InputError(
                f"extreme_strain {self.extreme_strain:g} and {self.retreats} retreats; the strain lies "
                "between 0 and 0.3, for example 0.015, and retreats are not negative"
            )

    @property
    def approximations(self) -> tuple[str, ...]:
        """What the walkers' moves do not sample exactly, in sentences."""
        return () if self.burst.exact else (self.burst.approximation,)


@dataclass(frozen=True)
class WalkerPlan:
    """Where a walker starts and what it runs through.

    Attributes
    ----------
    start, ions
        Host cell and content of the first structure, with ions on random sites.
    filling
        True: ions are inserted until all sites are taken; False: removed until none is left.
    temperature
        [K].
    pressure
        [eV/Å³]; pressures far from zero visit compressed and stretched cells.
    strain
        Linear strain of the starting cell.
    structure
        Starts the walk in place of ions on random sites: the safe state of a walk that broke.
    """

    start: HostCell
    ions: int
    filling: bool
    temperature: float
    pressure: float = 0.0
    strain: float = 0.0
    structure: Atoms | None = None


@dataclass(frozen=True, eq=False)
class Coverage:
    """Where structures lie.

    Attributes
    ----------
    x
        Ions per formula unit, (n,).
    volume
        Per formula unit [Å³], (n,).
    grade
        Extrapolation grade, (n,).
    """

    x: FloatArray
    volume: FloatArray
    grade: FloatArray

    @classmethod
    def from_rows(cls, rows: Sequence[tuple[float, float, float]]) -> Self:
        """Collect rows of (x, volume, grade)."""
        return cls(*np.array(rows, dtype=np.float64).reshape(-1, 3).T)

    @classmethod
    def joined(cls, parts: Sequence["Coverage"]) -> Self:
        """Put several one after the other."""
        names = ("x", "volume", "grade")
        return cls(*(np.concatenate([np.zeros(0), *(getattr(part, n) for part in parts)]) for n in names))


def place(atoms: Atoms, cell: HostCell) -> tuple[float, float] | None:
    """Return x and the volume per formula unit [Å³] of a structure of ``cell``'s host, of any size.

    None without framework, as for the ion's metal.
    """
    ions = int(np.sum(atoms.symbols == cell.ion))
    units = (len(atoms) - ions) / len(cell.framework) * cell.formula_units
    return (ions / units, float(atoms.get_volume()) / units) if units else None


@dataclass(frozen=True)
class Exploration:
    """What a walker met.

    Attributes
    ----------
    queue, queued
        Structures to be labelled, and where they lie.
    visited
        All graded structures, trials that were not taken and cell extremes included.
    end
        How the walk ended.
    contents
        Ion contents visited.
    safe
        Last state of a grade not above ``save``, in the order of ``HostCell.atoms``; None if there is none.
    dead_ends
        Those met, one of each kind at each content.
    """

    queue: tuple[Atoms, ...]
    queued: Coverage
    visited: Coverage
    end: End
    contents: tuple[int, ...]
    safe: Atoms | None = None
    dead_ends: tuple[DeadEnd, ...] = ()

    @property
    def largest_grade(self) -> float:
        """Of every graded structure."""
        return float(self.visited.grade.max(initial=0.0))


@dataclass(frozen=True)
class ExplorationTask:
    """One walker's run in one round, picklable."""

    model: EnergyModel
    grader: Grader
    plan: WalkerPlan
    settings: ExplorationSettings
    seed: int
    round: int
    walker: int
    known: Known = NOTHING_KNOWN


def walker_plans(
    starts: Sequence[HostCell],
    temperatures: Sequence[float],
    *,
    pressures: Sequence[float] = (0.0,),
    strains: Sequence[float] = (0.0,),
) -> tuple[WalkerPlan, ...]:
    """Return walkers from both ends of x in every phase, for all temperatures, pressures and strains.

    Parameters
    ----------
    starts
        One cell per content 0 … n_sites (``starting_cells``). Where the phase changes along them, a
        walker also starts from the first and the last content of that phase, outwards and inwards.
    temperatures
        [K].
    pressures
        [eV/Å³].
    strains
        Linear strains of the starting cells.
    """
    ends: list[tuple[HostCell, int, bool]] = []
    last = len(starts) - 1
    for ions, cell in enumerate(starts):
        if ions == 0 or starts[ions - 1] is not cell:
            ends.append((cell, ions, True))
        if ions == last or starts[ions + 1] is not cell:
            ends.append((cell, ions, False))
    return tuple(
        WalkerPlan(cell, ions, filling, temperature, pressure, strain)
        for (cell, ions, filling), temperature, pressure, strain in product(
            ends, temperatures, pressures, strains
        )
    )


def tasks_for_round(
    head: ExplorationTask, plans: Sequence[WalkerPlan], restarts: Sequence[tuple[int, WalkerPlan]] = ()
) -> list[ExplorationTask]:
    """Return one task per walker of the round of ``head``; every round and walker has its own random numbers.

    A restart of plan k is walker k + the number of plans.
    """
    numbered = [*enumerate(plans), *((len(plans) + origin, plan) for origin, plan in restarts)]
    return [replace(head, plan=plan, walker=walker) for walker, plan in numbered]
