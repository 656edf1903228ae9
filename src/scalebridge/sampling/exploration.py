"""Walkers that explore where a potential extrapolates: the work units of active learning.

A walker visits all ion contents from one end to the other in an isobaric run (hybrid bursts and cell
moves). After every sweep, for every trial insertion or deletion after its switching, and for the cell
extremes at every content, the extrapolation grade is evaluated. Grades above ``save`` put the configuration
on a queue; a grade above ``stop`` of a state the walker is in ends it, while a structure of such a grade that
is not taken only counts in the largest grade. The contents are driven, not equilibrated: after its sweeps at
one content the walker takes the trial of lowest work to the next, so every structure that matters for the
works of ``ladder`` is graded. A walker whose trials were all refused is stuck: it has not covered the
contents beyond.

A walker in a dead end (``dead_ends``) keeps the structure and goes back to its last safe state, a few times;
after that it is lost. An ion that falls passes the barrier within one burst: the structure half-way is
queued, for labels beside the hole close it, while those inside it seldom converge.
"""

from dataclasses import replace

import numpy as np
from ase import Atoms

from scalebridge.foundation import InputError, random_stream
from scalebridge.sampling.configuration import Configuration, FloatArray, Template, sampling_masses
from scalebridge.sampling.dead_ends import DeadEnd, Fault, Watch
from scalebridge.sampling.exchange import deletion_trial, insertion_trial
from scalebridge.sampling.exploration_data import (
    Coverage,
    End,
    Exploration,
    ExplorationTask,
)
from scalebridge.sampling.moves import Ensemble, burst_move, strain_move

LARGEST_GRADE = 1e6
"""Stands for the infinite grade of a structure that the potential refuses."""
HALVINGS = 4
"""Of the way to a dead end, in search of a structure that can be labelled."""


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
    except _EndError as error:
        return walk.result(error.end)
    return walk.result("through")


class _EndError(Exception):
    """The walk ends before the other end of x."""

    def __init__(self, end: End) -> None:
        self.end: End = end


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
        self._watch = Watch(plan.start, task.known, settings.limits)
        self._queue: dict[int, list[tuple[float, Atoms]]] = {}
        self._visits: list[tuple[float, float, float]] = []
        self._contents: list[int] = []
        self._dead_ends: dict[tuple[str, int], DeadEnd] = {}
        self._retreats = settings.retreats
        self._safe: Configuration | None = None

    def begin(self) -> Configuration:
        plan = self._task.plan
        atoms = plan.structure
        if atoms is None:
            atoms = plan.start.random_atoms(plan.ions, self._rng)
            atoms.set_cell(atoms.cell.array * (1 + plan.strain), scale_atoms=True)
        try:
            configuration = Configuration.from_atoms(plan.start, atoms, self._task.model)
        except InputError:
            template = Template.from_cell(plan.start, self._task.model.species)
            cell = np.asarray(atoms.cell, dtype=np.float64)
            self._inspect(Configuration(template, atoms.positions, cell, np.inf), keep_always=True)
            raise _EndError("stopped") from None
        self._contents.append(plan.ions)
        self._check(self._inspect(configuration), configuration)
        return configuration

    def sweep(self, configuration: Configuration) -> Configuration:
        settings = self._task.settings
        for _ in range(settings.sweeps):
            before = configuration
            burst = burst_move(before, self._ensemble, settings.burst, self._rng)
            if burst.refused is not None and np.all(np.isfinite(burst.refused.positions)):
                self._fell(before, burst.refused)
            configuration = strain_move(
                burst.configuration, self._ensemble, settings.strain_amplitude, self._rng
            ).configuration
            fault = self._watch.fault(configuration)
            if fault is not None:
                configuration = self._retreat(before, configuration, fault)
            else:
                self._check(self._inspect(configuration), configuration)
        self._extremes(configuration)
        return configuration

    def advance(self, configuration: Configuration) -> Configuration:
        """Change the content by the trial of lowest work that is no dead end."""
        settings = self._task.settings
        attempt = insertion_trial if self._task.plan.filling else deletion_trial
        trials: list[tuple[float, float, Configuration]] = []
        for _ in range(settings.trials):
            trial = attempt(configuration, self._ensemble, settings.switching, self._rng)
            if trial.configuration is not None:
                trials.append((trial.work, self._inspect(trial.configuration), trial.configuration))
        for _, grade, best in sorted(trials, key=lambda entry: entry[0]):
            fault = self._watch.fault(best)
            if fault is not None:
                self._keep(best, fault, recovered=True)
                continue
            self._contents.append(best.ions)
            self._check(grade, best)
            return best
        raise _EndError("stuck")

    def _extremes(self, configuration: Configuration) -> None:
        """Grade the structure compressed, stretched and sheared."""
        size = self._task.settings.extreme_strain
        for strain in (-size * np.eye(3), size * np.eye(3), size * _shear(self._rng)) if size else ():
            cell = configuration.cell @ (np.eye(3) + strain)
            positions = configuration.positions @ (np.eye(3) + strain)
            energy = self._task.model.energy(configuration.types, positions, cell)
            if np.isfinite(energy):
                self._inspect(replace(configuration, positions=positions, cell=cell, energy=energy))

    def _fell(self, before: Configuration, refused: Configuration) -> None:
        """Keep what a burst fell into and the model refused; the walker is still where it was."""
        fault = self._watch.fault(refused)
        if fault is not None:
            self._keep(refused, fault, recovered=True)
            self._approach(before, refused)

    def _retreat(self, before: Configuration, lost: Configuration, fault: Fault) -> Configuration:
        """Keep a dead end and return the last safe state; without one, or too often, the walker is lost."""
        safe = self._safe if self._retreats > 0 else None
        self._retreats -= 1
        self._keep(lost, fault, recovered=safe is not None)
        if fault.kind == "contact":
            self._approach(before, lost)
        else:
            self._inspect(lost)
        if safe is None:
            raise _EndError("lost")
        return safe

    def _keep(self, configuration: Configuration, fault: Fault, *, recovered: bool) -> None:
        task = self._task
        entry = DeadEnd(
            kind=fault.kind,
            reason=fault.reason,
            atoms=configuration.to_atoms(),
            round=task.round,
            walker=task.walker,
            temperature=task.plan.temperature,
            x=task.plan.start.composition(configuration.ions),
            recovered=recovered,
        )
        known = self._dead_ends.get((fault.kind, configuration.ions))
        if known is None or known.recovered:
            self._dead_ends[fault.kind, configuration.ions] = entry

    def _approach(self, before: Configuration, after: Configuration) -> None:
        """Grade the farthest structure on the way to a dead end that is none, by halving."""
        for share in 0.5 ** np.arange(1, HALVINGS + 1):
            between = replace(
                before,
                positions=before.positions + share * (after.positions - before.positions),
                cell=before.cell + share * (after.cell - before.cell),
            )
            if self._watch.fault(between) is None:
                self._inspect(between)
                return

    def _inspect(self, configuration: Configuration, *, keep_always: bool = False) -> float:
        """Grade a configuration and queue it if the grade calls for it."""
        grade = self._task.grader.grade(
            configuration.types, configuration.positions, configuration.cell, (True, True, True)
        )
        grade = min(grade, LARGEST_GRADE)
        start = self._task.plan.start
        x, volume = start.composition(configuration.ions), configuration.volume / start.formula_units
        self._visits.append((x, volume, grade))
        if grade > self._task.settings.save or keep_always:
            queue = self._queue.setdefault(configuration.ions, [])
            queue.append((grade, configuration.to_atoms()))
            queue.sort(key=lambda entry: -entry[0])
            del queue[self._task.settings.queue_per_content :]
        return grade

    def _check(self, grade: float, configuration: Configuration) -> None:
        if not grade <= self._task.settings.stop:
            raise _EndError("stopped")
        if grade <= self._task.settings.save:
            self._safe = configuration

    def result(self, end: End) -> Exploration:
        """Collect what was met."""
        start = self._task.plan.start
        entries = [(ions, *entry) for ions in sorted(self._queue) for entry in self._queue[ions]]
        rows = [
            (start.composition(ions), atoms.get_volume() / start.formula_units, grade)
            for ions, grade, atoms in entries
        ]
        for _, grade, atoms in entries:
            atoms.wrap()
            atoms.info["grade"] = grade
        return Exploration(
            queue=tuple(atoms for _, _, atoms in entries),
            queued=Coverage.from_rows(rows),
            visited=Coverage.from_rows(self._visits),
            end=end,
            contents=tuple(self._contents),
            safe=None if self._safe is None else self._safe.to_atoms(),
            dead_ends=tuple(self._dead_ends.values()),
        )


def _shear(rng: np.random.Generator) -> FloatArray:
    """Return a random symmetric strain without change of volume whose largest principal value is 1."""
    raw = rng.standard_normal((3, 3))
    strain = raw + raw.T
    strain -= np.trace(strain) / 3 * np.eye(3)
    return np.asarray(strain / np.abs(np.linalg.eigvalsh(strain)).max())
