"""What a flat-histogram run knows between two rounds, and how it goes to checkpoints and back."""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scalebridge.sampling.configuration import Configuration, Template
from scalebridge.sampling.macrostates import TransitionSums
from scalebridge.sampling.schedule import Schedule
from scalebridge.sampling.walker_state import load_schedule, load_walker, save_schedule, save_walker

FloatArray = NDArray[np.float64]
SUMS: Final = tuple(field.name for field in fields(TransitionSums))


@dataclass
class Window:
    """A range of contents and its walker."""

    lowest: int
    highest: int
    configuration: Configuration
    rng: np.random.Generator


@dataclass
class Run:
    """All that a run knows: goes to checkpoints."""

    windows: list[Window]
    templates: list[Template]
    sums: TransitionSums
    bias_sums: TransitionSums
    """Those of the equilibration too."""
    sampled: FloatArray
    """Sums of the potential energy [eV], of visits and of volumes [Å³], (3, blocks, contents)."""
    rounds: int = 0
    schedule: Schedule | None = None
    """Of the switches, once it was found."""


def snapshot(run: Run) -> dict[str, object]:
    """Return the run as arrays and plain values."""
    out: dict[str, object] = {"rounds": run.rounds, "sampled": run.sampled, **save_schedule(run.schedule)}
    for name in SUMS:
        out[f"sums {name}"] = getattr(run.sums, name)
        out[f"bias {name}"] = getattr(run.bias_sums, name)
    for number, window in enumerate(run.windows):
        out |= save_walker(number, window.configuration, window.rng, run.templates)
    return out


def restore(run: Run, saved: dict[str, object]) -> None:
    """Put a run where ``snapshot`` was taken."""
    run.rounds = int(str(saved["rounds"]))
    run.sampled = np.asarray(saved["sampled"])
    run.schedule = load_schedule(saved)
    for name in SUMS:
        getattr(run.sums, name)[...] = saved[f"sums {name}"]
        getattr(run.bias_sums, name)[...] = saved[f"bias {name}"]
    for number, window in enumerate(run.windows):
        window.configuration = load_walker(saved, number, window.rng, run.templates)
