"""Walkers that explore where a potential extrapolates: the work units of active learning.

A walker visits all ion contents from one end to the other in an isobaric run (hybrid bursts and cell
moves). After every sweep, and for every trial insertion or deletion after its switching, the
extrapolation grade is evaluated. Grades above ``save`` put the configuration on a queue; a grade above
``stop`` of a state the walker is in ends it, while a trial of such a grade that is not taken only counts
in the largest grade. The contents are driven, not equilibrated: after its sweeps at one content the walker
takes the trial of lowest work to the next, so every structure that matters for the works of ``ladder`` is
graded. A walker whose trials were all refused is stuck: it has not covered the contents beyond.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Literal

import numpy as np
from ase import Atoms

from scalebridge.foundation import InputError, random_stream
from scalebridge.sampling.configuration import Configuration, Template, sampling_masses
from scalebridge.sampling.exchange import deletion_trial, insertion_trial
from scalebridge.sampling.grading import Grader
from scalebridge.sampling.host_cell import HostCell
from scalebridge.sampling.model import EnergyModel
from scalebridge.sampling.moves import BurstSettings, Ensemble, hybrid_burst, strain_move
from scalebridge.sampling.site_density import SiteDensity
from scalebridge.sampling.switching import SwitchSettings

End = Literal["through", "stopped", "stuck"]
"""How a walk ended: at the other end of x, at a grade above ``stop``, or where every trial was refused."""


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
    burst, switching, density, strain_amplitude, masses
        As in ``LadderSettings``.
    """

    sweeps: int = 8
    trials: int = 3
    save: float = 2.0
    stop: float = 10.0
    queue_per_content: int = 3
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
    """

    start: HostCell
    ions: int
    filling: bool
    temperature: float
    pressure: float = 0.0
    strain: float = 0.0


@dataclass(frozen=True)
class Exploration:
    """What a walker met: queued structures and their grades, the largest grade of all, and how it ended."""

    queue: tuple[Atoms, ...]
    grades: tuple[float, ...]
    largest_grade: float
    """Of every graded structure, trials that were not taken included."""
    end: End
    contents: tuple[int, ...]
    """Ion contents visited."""


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


def explore(task: ExplorationTask) -> Exploration:
    """Run one walker; a top-level function of a picklable argument, fit for a process pool.

    A start that the potential refuses (energy not finite) stops the walker, and is queued for labelling.
    """
    walk = _Walk(task)
    last = task.plan.start.n_sites if task.plan.filling else 0
    try:
        configuration = walk.sweep(walk.begin())
        while configuration.ions != last:
            configuration = walk.sweep(walk.advance(configuration))
    except _StopError:
        return walk.result("stopped")
    except _StuckError:
        return walk.result("stuck")
    return walk.result("through")


class _StopError(Exception):
    """The walker met a grade above ``stop``."""


class _StuckError(Exception):
    """Every trial to change the content was refused."""


class _Walk:
    def __init__(self, task: ExplorationTask) -> None:
        self._task = task
        settings, plan = task.settings, task.plan
        self._rng = random_stream(task.seed, "sampling", "exploration", task.round, task.walker)
        self._ensemble = Ensemble(
            task.model,
            plan.temperature,
            sampling_masses(task.model.species, plan.start.ion, settings.masses),
            settings.density,
            plan.pressure,
        )
        self._queue: dict[int, list[tuple[float, Atoms]]] = {}
        self._contents: list[int] = []
        self._largest = 0.0

    def begin(self) -> Configuration:
        plan = self._task.plan
        atoms = plan.start.random_atoms(plan.ions, self._rng)
        atoms.set_cell(atoms.cell.array * (1 + plan.strain), scale_atoms=True)
        try:
            configuration = Configuration.from_atoms(plan.start, atoms, self._task.model)
        except InputError:
            template = Template.from_cell(plan.start, self._task.model.species)
            cell = np.asarray(atoms.cell, dtype=np.float64)
            self._inspect(Configuration(template, atoms.positions, cell, np.inf), keep_always=True)
            raise _StopError from None
        self._contents.append(plan.ions)
        self._check(self._inspect(configuration))
        return configuration

    def sweep(self, configuration: Configuration) -> Configuration:
        settings = self._task.settings
        for _ in range(settings.sweeps):
            configuration = hybrid_burst(
                configuration, self._ensemble, settings.burst, self._rng
            ).configuration
            configuration = strain_move(
                configuration, self._ensemble, settings.strain_amplitude, self._rng
            ).configuration
            self._check(self._inspect(configuration))
        return configuration

    def advance(self, configuration: Configuration) -> Configuration:
        """Change the content by the trial of lowest work."""
        settings = self._task.settings
        attempt = insertion_trial if self._task.plan.filling else deletion_trial
        trials: list[tuple[float, float, Configuration]] = []
        for _ in range(settings.trials):
            trial = attempt(configuration, self._ensemble, settings.switching, self._rng)
            if trial.configuration is not None:
                trials.append((trial.work, self._inspect(trial.configuration), trial.configuration))
        if not trials:
            raise _StuckError
        _, grade, best = min(trials, key=lambda entry: entry[0])
        self._check(grade)
        self._contents.append(best.ions)
        return best

    def _inspect(self, configuration: Configuration, *, keep_always: bool = False) -> float:
        """Grade a configuration and queue it if the grade calls for it."""
        grade = self._task.grader.grade(
            configuration.types, configuration.positions, configuration.cell, (True, True, True)
        )
        self._largest = max(self._largest, grade)
        if grade > self._task.settings.save or keep_always:
            queue = self._queue.setdefault(configuration.ions, [])
            queue.append((grade, configuration.to_atoms()))
            queue.sort(key=lambda entry: -entry[0])
            del queue[self._task.settings.queue_per_content :]
        return grade

    def _check(self, grade: float) -> None:
        if not grade <= self._task.settings.stop:
            raise _StopError

    def result(self, end: End) -> Exploration:
        """Collect what was met."""
        entries = [entry for ions in sorted(self._queue) for entry in self._queue[ions]]
        for grade, atoms in entries:
            atoms.wrap()
            atoms.info["grade"] = grade
        return Exploration(
            queue=tuple(atoms for _, atoms in entries),
            grades=tuple(grade for grade, _ in entries),
            largest_grade=self._largest,
            end=end,
            contents=tuple(self._contents),
        )


def tasks_for_round(
    model: EnergyModel,
    grader: Grader,
    plans: Sequence[WalkerPlan],
    settings: ExplorationSettings,
    *,
    seed: int,
    round: int,
) -> list[ExplorationTask]:
    """Return one task per walker; every round has its own random numbers."""
    head = ExplorationTask(model, grader, plans[0], settings, seed, round, 0)
    return [replace(head, plan=plan, walker=number) for number, plan in enumerate(plans)]
