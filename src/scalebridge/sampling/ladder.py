"""Works of insertion and deletion at every ion content, at constant pressure: the data of F(N).

Every content N keeps its own replica at fixed N, moved by hybrid Monte Carlo bursts, cell moves and
relocations. Neighbouring replicas exchange ions: an insertion is attempted in the replica at N and a
deletion in the one at N + 1, and the pair is accepted together with min(1, exp(−β(w_ins + w_del))). The
product Π_N π_N(x_N) is stationary under this joint move, with no bias to be learned; each rung is sampled
equally whatever the free energies are, occupations refresh, and every attempt, accepted or not, gives one
work in each direction for ``bennett``.
"""

from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from scalebridge.foundation import SILENT, Progress, content_key, random_stream
from scalebridge.sampling.checkpoint import CHECKPOINT_SECONDS, Checkpoint
from scalebridge.sampling.configuration import Configuration, Template, sampling_masses
from scalebridge.sampling.exchange import Trial, deletion_trial, insertion_trial, relocation_trial
from scalebridge.sampling.ladder_data import Ladder, LadderRung, LadderTask
from scalebridge.sampling.ladder_state import LadderRun, Replica, restore, snapshot
from scalebridge.sampling.moves import Ensemble, accept, burst_move, strain_move, volume_move
from scalebridge.sampling.pilot import optimise_schedule
from scalebridge.sampling.walker_state import template_index

FloatArray = NDArray[np.float64]

BURST_ACCEPTANCE = 0.75
"""Acceptance of bursts at which the time step is tuned."""
CELL_ACCEPTANCE = 0.4
"""Acceptance of cell moves at which their amplitude is tuned."""
SMALLEST_WIDTH = 0.1
"""The site density is not tuned to a width below this [Å]."""
JITTER = (0.75, 1.25)
"""Range of the factor drawn for each burst's time step, so that no vibration keeps in step with them."""
PILOTS = 4
"""Rungs on which the friction of switching is measured, about."""
FIRST_GAIN = 0.5
"""Change of ln(size) per unit of acceptance in the first sweep of the equilibration; falls like 1/sweep."""


def sample_ladder(
    task: LadderTask,
    progress: Progress = SILENT,
    *,
    checkpoint: Path | None = None,
    interval: float = CHECKPOINT_SECONDS,
) -> Ladder:
    """Sample all rungs of ``task``; a top-level function of picklable arguments, fit for a process pool.

    Parameters
    ----------
    task
        Model, cells, settings.
    progress
        Where to report sweeps.
    checkpoint
        A file that is written every ``interval`` seconds and at the end; if it is there, the run goes on from
        it and ends bit for bit as one that never stopped.
    interval
        [s].

    Returns
    -------
    Ladder with one rung per content; the outermost rungs lack the works that lead out of the task's range.

    Raises
    ------
    InputError
        If the checkpoint is damaged or of another model or task, or cannot be written.
    """
    run = _begin(task)
    kept = None
    if checkpoint is not None:
        kept = Checkpoint(checkpoint, _identity(task, run.ensemble), interval)
        if (saved := kept.read()) is not None:
            restore(run, saved)
    total = task.settings.equilibration + task.settings.sweeps
    with progress.task("ladder", total=total) as bar:
        bar.advance(run.sweeps)
        while run.sweeps < total:
            _advance(run)
            if kept is not None:
                kept.write(partial(snapshot, run), last=run.sweeps == total)
            bar.advance()
    return _result(run)


def _identity(task: LadderTask, ensemble: Ensemble) -> dict[str, Any]:
    """Return what makes a run this one and no other, for its checkpoint."""
    parts = {part.name: content_key(getattr(task, part.name)) for part in fields(task)}
    return {**parts, "masses": ensemble.masses.tolist()}


def _begin(task: LadderTask) -> LadderRun:
    settings = task.settings
    ensemble = Ensemble(
        task.model,
        task.temperature,
        sampling_masses(task.model.species, task.starts[0].ion, settings.masses),
        settings.density,
        settings.pressure,
    )
    templates = {id(cell): Template.from_cell(cell, task.model.species) for cell in task.starts}
    replicas = []
    for k, cell in enumerate(task.starts):
        ions = task.first + k
        rng = random_stream(task.seed, "sampling", "ladder", f"{task.temperature:g}", task.first, ions)
        atoms = task.structures[k] if task.structures else cell.random_atoms(ions, rng)
        configuration = Configuration.from_atoms(cell, atoms, task.model)
        configuration = replace(configuration, template=templates[id(cell)])
        replicas.append(Replica(configuration, rng, settings.burst.timestep, settings.strain_amplitude))
    return LadderRun(task, ensemble, list(templates.values()), replicas)


def _advance(run: LadderRun) -> None:
    """Do one sweep of the equilibration or of what is recorded, and what lies between the two."""
    settings = run.task.settings
    if run.sweeps == settings.equilibration:
        run.ensemble = _tuned(run.task, run.ensemble, run.replicas)
        run.task = _scheduled(run.task, run.ensemble, run.replicas)
        run.replicas = [Replica(r.configuration, r.rng, r.timestep, r.strain_amplitude) for r in run.replicas]
    run.begin_sweep()
    if run.sweeps < settings.equilibration:
        _sweep(run.task, run.ensemble, run.replicas, gain=FIRST_GAIN / (1 + run.sweeps / 10))
        run.record_spread()
    else:
        _sweep(run.task, run.ensemble, run.replicas, gain=0.0)
        run.record(run.task.grader)
    run.sweeps += 1


def _result(run: LadderRun) -> Ladder:
    head, burst = run.task.starts[0], run.task.settings.burst
    return Ladder(
        run.task.temperature,
        head.n_sites,
        head.formula_units,
        tuple(_rung(run, number) for number in range(len(run.replicas))),
        approximations=(burst.approximation,) if burst.approximation else (),
        citations=burst.citations,
    )


def _sweep(task: LadderTask, ensemble: Ensemble, replicas: list[Replica], *, gain: float) -> None:
    for replica in replicas:
        _burst(task, ensemble, replica, gain)
        for _ in range(task.settings.cell_moves):
            _cell_move(task, ensemble, replica, gain)
        for _ in range(task.settings.relocations if replica.configuration.ions else 0):
            _relocation(task, ensemble, replica)
    for parity in (0, 1):
        for k in range(parity, len(replicas) - 1, 2):
            for _ in range(task.settings.attempts):
                _exchange(task, ensemble, replicas[k], replicas[k + 1])


def _tuned(task: LadderTask, ensemble: Ensemble, replicas: list[Replica]) -> Ensemble:
    """Return the ensemble with the width of the site density seen in the second half of the equilibration."""
    half = task.settings.equilibration // 2
    squares = [part for replica in replicas for part in replica.spread[half:]]
    values = np.concatenate(squares) if squares else np.zeros(0)
    if not task.settings.tune_width or not values.size:
        return ensemble
    width = max(float(np.sqrt(values.mean() / 3)), SMALLEST_WIDTH)
    return replace(ensemble, density=replace(ensemble.density, width=width))


def _scheduled(task: LadderTask, ensemble: Ensemble, replicas: list[Replica]) -> LadderTask:
    """Return the task with the schedule of switches that suits ions inserted on some of the rungs."""
    if not task.settings.tune_schedule:
        return task
    rng = random_stream(task.seed, "sampling", "ladder", "schedule", f"{task.temperature:g}", task.first)
    chosen = [replica.configuration for replica in replicas[:-1]]
    every = max(1, len(chosen) // PILOTS)
    switching = optimise_schedule(chosen[::every], ensemble, task.settings.switching, rng)
    return replace(task, settings=replace(task.settings, switching=switching))


def _burst(task: LadderTask, ensemble: Ensemble, replica: Replica, gain: float) -> None:
    timestep = replica.timestep * replica.rng.uniform(*JITTER)
    settings = replace(task.settings.burst, timestep=timestep)
    move = burst_move(replica.configuration, ensemble, settings, replica.rng)
    replica.configuration = move.configuration
    replica.count("burst", move.accepted)
    if settings.exact:  # else every burst is taken, and the acceptance says nothing
        replica.timestep *= np.exp(gain * (float(move.accepted) - BURST_ACCEPTANCE))


def _cell_move(task: LadderTask, ensemble: Ensemble, replica: Replica, gain: float) -> None:
    if task.settings.isotropic:
        amplitude = 3 * replica.strain_amplitude
        move = volume_move(replica.configuration, ensemble, amplitude, replica.rng)
    else:
        move = strain_move(replica.configuration, ensemble, replica.strain_amplitude, replica.rng)
    replica.configuration = move.configuration
    replica.count("cell", move.accepted)
    replica.strain_amplitude *= np.exp(gain * (float(move.accepted) - CELL_ACCEPTANCE))


def _relocation(task: LadderTask, ensemble: Ensemble, replica: Replica) -> None:
    trial = relocation_trial(replica.configuration, ensemble, task.settings.switching, replica.rng)
    accepted = accept(trial.work, ensemble.thermal_energy, replica.rng)
    replica.count("relocation", accepted)
    if trial.configuration is not None and accepted:
        replica.configuration = trial.configuration


def _exchange(task: LadderTask, ensemble: Ensemble, lower: Replica, upper: Replica) -> None:
    """Attempt an insertion below and a deletion above; accept both or neither."""
    switching = task.settings.switching
    insertion: Trial = insertion_trial(lower.configuration, ensemble, switching, lower.rng)
    deletion: Trial = deletion_trial(upper.configuration, ensemble, switching, upper.rng)
    lower.insertion_work.append(insertion.work)
    upper.deletion_work.append(deletion.work)
    accepted = accept(insertion.work + deletion.work, ensemble.thermal_energy, lower.rng)
    lower.count("exchange", accepted)
    if accepted and insertion.configuration is not None and deletion.configuration is not None:
        lower.configuration, upper.configuration = deletion.configuration, insertion.configuration


def _rung(run: LadderRun, number: int) -> LadderRung:
    replica = run.replicas[number]
    return LadderRung(
        ions=run.task.first + number,
        insertion_work=np.array(replica.insertion_work),
        deletion_work=np.array(replica.deletion_work),
        energy=np.array(replica.energy),
        cell=np.array(replica.cell),
        grade=np.array(replica.grade),
        mean=_mean_framework(run, replica),
        last=replica.configuration.to_atoms(),
        counts=replica.counts,
    )


def _mean_framework(run: LadderRun, replica: Replica) -> Atoms:
    """Average the framework in scaled coordinates, over the samples with the template of the last one."""
    template = replica.configuration.template
    samples, total = replica.framework[template_index(replica.configuration, run.templates)]
    mean = total / samples
    if template.n_framework:
        mean = mean - mean.mean(axis=0) + template.framework_centre
    return Atoms(
        symbols=[template.species[kind] for kind in template.framework_types],
        scaled_positions=mean,
        cell=np.mean(replica.cell, axis=0),
        pbc=True,
    )
