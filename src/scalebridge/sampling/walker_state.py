"""Configurations, random streams and schedules of switches as arrays and plain values of a checkpoint."""

from collections.abc import Mapping, Sequence

import numpy as np

from scalebridge.sampling.configuration import Configuration, Template
from scalebridge.sampling.schedule import Schedule


def save_walker(
    number: int, configuration: Configuration, rng: np.random.Generator, templates: Sequence[Template]
) -> dict[str, object]:
    """Return a walker under names that end with its number; what it knows of atoms' energies is not kept."""
    velocities = configuration.velocities
    return {
        f"positions {number}": configuration.positions,
        f"cell {number}": configuration.cell,
        f"energy {number}": np.array(configuration.energy),
        **({} if velocities is None else {f"velocities {number}": velocities}),
        f"rng {number}": rng.bit_generator.state,
        f"template {number}": template_index(configuration, templates),
    }


def load_walker(
    saved: Mapping[str, object], number: int, rng: np.random.Generator, templates: Sequence[Template]
) -> Configuration:
    """Return the configuration of ``save_walker`` and put ``rng`` where it was."""
    state = saved[f"rng {number}"]
    if not isinstance(state, dict):
        raise TypeError(f"the state of random stream {number} is no mapping")
    rng.bit_generator.state = state
    velocities = saved.get(f"velocities {number}")
    return Configuration(
        templates[int(str(saved[f"template {number}"]))],
        np.asarray(saved[f"positions {number}"]),
        np.asarray(saved[f"cell {number}"]),
        float(np.asarray(saved[f"energy {number}"])),
        None if velocities is None else np.asarray(velocities),
    )


def template_index(configuration: Configuration, templates: Sequence[Template]) -> int:
    """Return which of the templates the configuration has."""
    return next(n for n, kept in enumerate(templates) if kept is configuration.template)


def save_schedule(schedule: Schedule | None) -> dict[str, object]:
    """Return the knots of a schedule; nothing where there is none."""
    if schedule is None:
        return {}
    return {f"schedule {name}": np.array(knots) for name, knots in vars(schedule).items()}


def load_schedule(saved: Mapping[str, object]) -> Schedule | None:
    """Return the schedule of ``save_schedule``."""
    if "schedule exchange" not in saved:
        return None
    knots = (tuple(np.asarray(saved[f"schedule {name}"]).tolist()) for name in ("exchange", "relocation"))
    return Schedule(*knots)
