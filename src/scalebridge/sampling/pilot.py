"""The pilot run that measures how hard it is to switch a trial ion at each strength of its interaction.

An ion, one of those present or a new one in an empty host, goes through stages of fixed strength. At each,
short trajectories from fresh Maxwell momenta record X = ∂H/∂λ; its variance times its correlation time is the
friction (``schedule``). The pilot need not be in equilibrium: any schedule samples the same distribution, a
poor one only less efficiently.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from scalebridge.sampling.configuration import Configuration
from scalebridge.sampling.free_energy_difference import statistical_inefficiency
from scalebridge.sampling.momenta import maxwell_velocities
from scalebridge.sampling.moves import Ensemble
from scalebridge.sampling.schedule import schedule_from_friction
from scalebridge.sampling.switching import Ghost, Switch, SwitchSettings, switch_path

FloatArray = NDArray[np.float64]

FEWEST = 3
"""Pilots at least, whose frictions are averaged: configurations are taken repeatedly if there are fewer."""
STAGES, TRAJECTORIES, STEPS = 8, 6, 20
"""Strengths, trajectories at each after one that settles, and steps of a trajectory."""


def optimise_schedule(
    configurations: Sequence[Configuration],
    ensemble: Ensemble,
    settings: SwitchSettings,
    rng: np.random.Generator,
) -> SwitchSettings:
    """Return ``settings`` with the schedule of constant thermodynamic speed.

    Parameters
    ----------
    configurations
        States in each of which one ion is switched; those that refuse it do not count.
    ensemble
        Model, temperature, density of trial ions.
    settings
        Of the switches. Bare moves and those that have a schedule are returned as they are; so they are if
        every configuration refused its ion.
    rng
        Random stream.
    """
    if settings.steps == 0 or settings.schedule is not None:
        return settings
    edges = np.linspace(0, 1, STAGES + 1) ** settings.exponent
    repeats = -(-FEWEST // max(1, len(configurations)))
    measured = [
        measure_friction(each, ensemble, settings, rng) for _ in range(repeats) for each in configurations
    ]
    known = np.array([friction for friction in measured if np.all(np.isfinite(friction))])
    if not np.any(known > 0):
        return settings
    return replace(settings, schedule=schedule_from_friction(edges, known.mean(axis=0)))


def measure_friction(
    configuration: Configuration, ensemble: Ensemble, settings: SwitchSettings, rng: np.random.Generator
) -> FloatArray:
    """Return the friction [eV fs] at the stages' strengths ((k + ½)/``STAGES``)^exponent, (``STAGES``,).

    NaN at strengths where all trajectories were refused.
    """
    problem = _problem(configuration, ensemble, rng)
    out = np.full(STAGES, np.nan)
    for stage in range(STAGES):
        strength = ((stage + 0.5) / STAGES) ** settings.exponent
        problem, slopes = _stay(problem, ensemble, settings, strength, rng)
        if len(slopes):
            correlated = statistical_inefficiency(slopes) * settings.timestep / 2
            out[stage] = np.var(slopes) * correlated / ensemble.thermal_energy
    return out


def _problem(configuration: Configuration, ensemble: Ensemble, rng: np.random.Generator) -> Switch:
    """Return the switching of a random ion that is there, else of one drawn as for an insertion."""
    density, template = ensemble.density, configuration.template
    centres, cell, positions = configuration.centres, configuration.cell, configuration.positions
    if configuration.ions:
        atom = template.n_framework + int(rng.integers(configuration.ions))
        tether = density.assign(positions[atom], centres, cell, rng)
    else:
        atom = len(positions)
        weights = density.weights(configuration.ion_positions(), centres, cell)
        tether, position = density.draw(weights, centres, cell, rng)
        positions = np.vstack([positions, position])
    return Switch(
        template=template,
        types=template.types(len(positions) - template.n_framework),
        positions=positions,
        cell=cell,
        fading_in=Ghost(atom, tether),
        fading_out=None,
        start_energy=configuration.energy,
    )


def _stay(
    problem: Switch,
    ensemble: Ensemble,
    settings: SwitchSettings,
    strength: float,
    rng: np.random.Generator,
) -> tuple[Switch, FloatArray]:
    """Run the trajectories at one strength; return the last state and X [eV] after every step."""
    masses = ensemble.masses[problem.types]
    path = switch_path(
        problem,
        np.full(STEPS, strength),
        timestep=settings.timestep,
        stiffness=ensemble.stiffness,
        masses=masses,
    )
    slopes: list[FloatArray] = []
    for number in range(TRAJECTORIES + 1):
        velocities = maxwell_velocities(masses, ensemble.temperature, rng)
        end = ensemble.model.switch(problem.types, problem.positions, velocities, problem.cell, path=path)
        if not np.isfinite(end.work):
            continue
        problem = replace(problem, positions=end.positions)
        if number:
            slopes.append(end.slopes[1:])
    return problem, np.concatenate(slopes) if slopes else np.zeros(0)
