"""What a ladder knows between two sweeps, and how it goes to checkpoints and back."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scalebridge.sampling._density import nearest_sites
from scalebridge.sampling.configuration import Configuration, Template
from scalebridge.sampling.grading import Grader
from scalebridge.sampling.grand_canonical import MoveCount
from scalebridge.sampling.ladder_data import LadderTask
from scalebridge.sampling.moves import Ensemble
from scalebridge.sampling.walker_state import (
    load_schedule,
    load_walker,
    save_schedule,
    save_walker,
    template_index,
)

FloatArray = NDArray[np.float64]
SERIES: Final = ("insertion_work", "deletion_work", "energy", "cell", "grade")


@dataclass
class Replica:
    """A rung's walker while it runs."""

    configuration: Configuration
    rng: np.random.Generator
    timestep: float
    strain_amplitude: float
    insertion_work: list[float] = field(default_factory=list)
    deletion_work: list[float] = field(default_factory=list)
    energy: list[float] = field(default_factory=list)
    cell: list[FloatArray] = field(default_factory=list)
    grade: list[float] = field(default_factory=list)
    framework: dict[int, tuple[int, FloatArray]] = field(default_factory=dict)
    """By template: samples, and the sum of their frameworks' scaled coordinates."""
    spread: list[FloatArray] = field(default_factory=list)
    """Squared distances of the ions to their nearest sites [Å²], of each sweep of the equilibration."""
    counts: dict[str, MoveCount] = field(default_factory=dict)

    def count(self, move: str, accepted: bool) -> None:
        """Count an attempt."""
        self.counts[move] = self.counts.get(move, MoveCount()).add(accepted)


@dataclass
class LadderRun:
    """All that a ladder knows: goes to checkpoints."""

    task: LadderTask
    """With the schedule of switches, once it was found."""
    ensemble: Ensemble
    """With the width of the site density, once it was tuned."""
    templates: list[Template]
    replicas: list[Replica]
    sweeps: int = 0
    """Done, those of the equilibration included."""

    def begin_sweep(self) -> None:
        """Forget what the configurations know of their atoms' energies.

        These are updated in place and so differ from new ones in the last bits; a run that resumes has none.
        """
        for replica in self.replicas:
            replica.configuration = replace(replica.configuration)

    def record(self, grader: Grader | None) -> None:
        """Record the state of every replica."""
        for replica in self.replicas:
            now = replica.configuration
            if grader is not None:
                replica.grade.append(grader.grade(now.types, now.positions, now.cell, (True,) * 3))
            replica.energy.append(now.energy)
            replica.cell.append(now.cell)
            scaled = now.positions[: now.template.n_framework] @ np.linalg.inv(now.cell)
            kind = template_index(now, self.templates)
            samples, total = replica.framework.get(kind, (0, np.zeros_like(scaled)))
            replica.framework[kind] = (samples + 1, total + scaled)

    def record_spread(self) -> None:
        """Record how far the ions are from their sites."""
        for replica in self.replicas:
            replica.spread.append(_spread(replica.configuration))


def _spread(configuration: Configuration) -> FloatArray:
    if not (configuration.ions and len(configuration.template.sites)):
        return np.zeros(0)
    ions = configuration.ion_positions()
    return nearest_sites(ions, configuration.centres, configuration.cell)[1]


def snapshot(run: LadderRun) -> dict[str, object]:
    """Return the run as arrays and plain values."""
    out: dict[str, object] = {
        "sweeps": run.sweeps,
        "width": run.ensemble.density.width,
        **save_schedule(run.task.settings.switching.schedule),
    }
    for number, replica in enumerate(run.replicas):
        out |= save_walker(number, replica.configuration, replica.rng, run.templates)
        out |= {f"series {name} {number}": np.array(getattr(replica, name)) for name in SERIES}
        out |= {
            f"sizes {number}": np.array([replica.timestep, replica.strain_amplitude]),
            f"counts {number}": {move: [n.attempted, n.accepted] for move, n in replica.counts.items()},
            f"spread {number}": np.concatenate([np.zeros(0), *replica.spread]),
            f"spread lengths {number}": np.array([len(part) for part in replica.spread], dtype=np.int64),
            f"samples {number}": {kind: samples for kind, (samples, _) in replica.framework.items()},
        }
        out |= {f"framework {kind} {number}": total for kind, (_, total) in replica.framework.items()}
    return out


def restore(run: LadderRun, saved: Mapping[str, object]) -> None:
    """Put a run where ``snapshot`` was taken."""
    run.sweeps = int(str(saved["sweeps"]))
    density = replace(run.ensemble.density, width=float(str(saved["width"])))
    run.ensemble = replace(run.ensemble, density=density)
    settings = run.task.settings
    switching = replace(settings.switching, schedule=load_schedule(saved))
    run.task = replace(run.task, settings=replace(settings, switching=switching))
    for number, replica in enumerate(run.replicas):
        replica.configuration = load_walker(saved, number, replica.rng, run.templates)
        _restore_series(replica, saved, number)


def _restore_series(replica: Replica, saved: Mapping[str, object], number: int) -> None:
    for name in SERIES:
        values = np.asarray(saved[f"series {name} {number}"])
        setattr(replica, name, list(values) if name == "cell" else values.tolist())
    replica.timestep, replica.strain_amplitude = np.asarray(saved[f"sizes {number}"]).tolist()
    ends = np.cumsum(np.asarray(saved[f"spread lengths {number}"]))
    replica.spread = np.split(np.asarray(saved[f"spread {number}"]), ends[:-1]) if len(ends) else []
    counts, samples = saved[f"counts {number}"], saved[f"samples {number}"]
    if not (isinstance(counts, dict) and isinstance(samples, dict)):
        raise TypeError(f"the counts of replica {number} are no mappings")
    replica.counts = {move: MoveCount(*pair) for move, pair in counts.items()}
    replica.framework = {
        int(kind): (count, np.asarray(saved[f"framework {kind} {number}"])) for kind, count in samples.items()
    }
