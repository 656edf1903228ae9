"""Schedules of switches: constant speed, reverses, the pilot's units, messages."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms

from scalebridge.foundation import InputError
from scalebridge.sampling import (
    Configuration,
    EnergyModel,
    Ensemble,
    Evaluation,
    HostCell,
    Schedule,
    SiteDensity,
    SwitchSettings,
    constant_speed,
    measure_friction,
    optimise_schedule,
    schedule_from_friction,
)
from scalebridge.sampling.schedule import UNIFORM_SHARE
from scalebridge.sampling.site_density import Tether
from scalebridge.sampling.switching import Ghost, Switch, couplings


class Spring(EnergyModel):
    """Ions on springs to the origin; ``refuse``: none is let in."""

    species = ("Na",)

    def __init__(self, refuse=False):
        self.refuse = refuse

    def energy(self, types, positions, cell):
        return self.evaluate(types, positions, cell).energy

    def evaluate(self, types, positions, cell):
        energy = np.inf if self.refuse and len(positions) else 2.0 * float(np.sum(positions**2))
        return Evaluation(energy, -4.0 * positions)


def pilot(model, mass=20.0):
    cell = HostCell(Atoms(cell=[9.0] * 3, pbc=True), np.zeros((1, 3)), 1, "Na")
    ensemble = Ensemble(model, 300.0, np.array([mass]), SiteDensity(0.3))
    return Configuration.from_atoms(cell, cell.atoms([]), model), ensemble


def test_time_is_shared_out_by_the_root_of_the_friction():
    edges = np.array([0.0, 0.1, 0.3, 0.6, 1.0])
    friction = np.array([9.0, 4.0, 0.0, 1.0])
    strengths = constant_speed(edges, friction, knots=20001)
    spent = np.diff(np.searchsorted(strengths, edges)) / 20001
    share = np.sqrt(friction) * np.diff(edges)
    np.testing.assert_allclose(spent, 0.9 * share / share.sum() + UNIFORM_SHARE / 4, atol=2e-4)


@pytest.mark.parametrize("seed", range(5))
def test_no_schedule_of_its_kind_loses_more_than_the_straight_one(seed):
    """∫ ζ ṡ² dt by a fine grid, against that of s = t and that of the optimum (∫ √ζ ds)²."""
    friction = np.exp(2 * np.random.default_rng(seed).standard_normal(12))
    edges = np.linspace(0, 1, 13)
    strengths = constant_speed(edges, friction, knots=40001)
    speed = np.diff(strengths) * 40000
    middle = 0.5 * (strengths[1:] + strengths[:-1])
    loss = np.mean(friction[np.clip((12 * middle).astype(int), 0, 11)] * speed**2)
    best = np.mean(np.sqrt(friction)) ** 2
    assert best * (1 - 1e-3) < loss < min(friction.mean(), best / (1 - UNIFORM_SHARE)) * (1 + 1e-3)


def test_moves_and_their_reverses_read_the_same_strengths():
    friction = np.random.default_rng(0).random(10)
    edges = np.linspace(0, 1, 11) ** 2
    ghost = Ghost(0, Tether(0, np.zeros(3)))
    for schedule in (None, schedule_from_friction(edges, friction)):
        settings = SwitchSettings(steps=9, schedule=schedule)
        problem = Switch(None, None, np.zeros((1, 3)), np.eye(3), ghost, None, 0.0)
        insertion = couplings(problem, settings)
        deletion = couplings(replace(problem, fading_in=None, fading_out=ghost), settings)
        relocation = couplings(replace(problem, fading_out=ghost), settings)
        np.testing.assert_allclose(deletion, 1 - insertion[::-1], atol=1e-15)
        np.testing.assert_allclose(relocation, 1 - relocation[::-1], atol=1e-15)
        assert (np.diff(insertion) > 0).all() and 0 < insertion[0] < insertion[-1] < 1


def test_friction_has_the_units_of_a_work_times_a_time():
    """Masses four times as large and steps twice as long: the same trajectories, in twice the time."""
    settings = SwitchSettings(steps=5, timestep=4.0)
    configuration, light = pilot(Spring())
    fast = measure_friction(configuration, light, settings, np.random.default_rng(0))
    _, heavy = pilot(Spring(), mass=80.0)
    slow = measure_friction(configuration, heavy, replace(settings, timestep=8.0), np.random.default_rng(0))
    np.testing.assert_allclose(slow, 2 * fast, rtol=1e-9)
    assert (fast > 0).all()


def test_what_the_pilot_leaves_alone():
    configuration, ensemble = pilot(Spring())
    rng = np.random.default_rng(1)
    bare = SwitchSettings(steps=0)
    assert optimise_schedule([configuration], ensemble, bare, rng) is bare
    settings = SwitchSettings(steps=5)
    tuned = optimise_schedule([configuration], ensemble, settings, rng)
    assert tuned.schedule is not None
    assert optimise_schedule([configuration], ensemble, tuned, rng) is tuned
    assert optimise_schedule([], ensemble, settings, rng) is settings
    refused, refusing = pilot(Spring(refuse=True))
    assert np.isnan(measure_friction(refused, refusing, settings, rng)).all()
    assert optimise_schedule([refused], refusing, settings, rng) is settings
    both = optimise_schedule([configuration], ensemble, settings, np.random.default_rng(7))
    assert both == optimise_schedule([configuration], ensemble, settings, np.random.default_rng(7))


def test_in_a_full_host_the_pilot_takes_an_ion_that_is_there():
    """No second ion is put onto the only site: the model would refuse it."""

    class One(Spring):
        def evaluate(self, types, positions, cell):
            result = super().evaluate(types, positions, cell)
            return Evaluation(np.inf if len(positions) > 1 else result.energy, result.forces)

    _, ensemble = pilot(One())
    cell = HostCell(Atoms(cell=[9.0] * 3, pbc=True), np.zeros((1, 3)), 1, "Na")
    full = Configuration.from_atoms(cell, cell.atoms([0]), ensemble.model)
    friction = measure_friction(full, ensemble, SwitchSettings(steps=5), np.random.default_rng(0))
    assert (friction > 0).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Schedule((0.0, 0.5), (0.0, 1.0)), "schedule of exchange must rise from 0 to 1"),
        (lambda: Schedule((0.0, 0.6, 0.5, 1.0), (0.0, 1.0)), "schedule of exchange must rise"),
        (lambda: Schedule((0.0, 1.0), (0.0, 0.3, 1.0)), "not its own reverse"),
        (lambda: constant_speed(np.array([0.0, 1.0]), np.array([0.0])), r"frictions \[0\.0\] must be"),
        (lambda: constant_speed(np.array([0.0, 1.0]), np.array([np.nan])), r"frictions \[nan\] must be"),
    ],
)
def test_mistakes(make, message):
    with pytest.raises(InputError, match=message):
        make()
