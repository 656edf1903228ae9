"""What a flat-histogram run knows between two rounds, and how it goes to checkpoints and back."""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scalebridge.sampling.configuration import Configuration, Template
from scalebridge.sampling.macrostates import TransitionSums
from scalebridge.sampling.schedule import Schedule

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
    out: dict[str, object] = {"rounds": run.rounds, "sampled": run.sampled}
    if run.schedule is not None:
        out |= {f"schedule {name}": np.array(knots) for name, knots in vars(run.schedule).items()}
    for name in SUMS:
        out[f"sums {name}"] = getattr(run.sums, name)
        out[f"bias {name}"] = getattr(run.bias_sums, name)
    for number, window in enumerate(run.windows):
        out |= {
            f"positions {number}": window.configuration.positions,
            f"cell {number}": window.configuration.cell,
            f"energy {number}": np.array(window.configuration.energy),
            **_velocities(window.configuration, number),
            f"rng {number}": window.rng.bit_generator.state,
            f"template {number}": next(
                n for n, kept in enumerate(run.templates) if kept is window.configuration.template
            ),
        }
    return out


def _velocities(configuration: Configuration, number: int) -> dict[str, object]:
    velocities = configuration.velocities
    return {} if velocities is None else {f"velocities {number}": velocities}


def restore(run: Run, saved: dict[str, object]) -> None:
    """Put a run where ``snapshot`` was taken."""
    arrays = {name: value for name, value in saved.items() if isinstance(value, np.ndarray)}
    states = {name: value for name, value in saved.items() if isinstance(value, dict)}
    run.rounds = int(str(saved["rounds"]))
    run.sampled = arrays["sampled"]
    if "schedule exchange" in arrays:
        knots = (tuple(arrays[f"schedule {name}"].tolist()) for name in ("exchange", "relocation"))
        run.schedule = Schedule(*knots)
    for name in SUMS:
        getattr(run.sums, name)[...] = arrays[f"sums {name}"]
        getattr(run.bias_sums, name)[...] = arrays[f"bias {name}"]
    for number, window in enumerate(run.windows):
        window.configuration = Configuration(
            run.templates[int(str(saved[f"template {number}"]))],
            arrays[f"positions {number}"],
            arrays[f"cell {number}"],
            float(arrays[f"energy {number}"]),
            arrays.get(f"velocities {number}"),
        )
        window.rng.bit_generator.state = states[f"rng {number}"]
