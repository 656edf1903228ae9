"""The ladder and Bennett's estimator on independent wells, where F(N) is exact.

F(N+1) − F(N) = −kT ln[(M−N)/(N+1) · Z1]. Each comparison is |difference| < 4.5 stated standard errors (seeds
fixed; probability 7e-6 each), and the errors must be small enough to matter.
"""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from sampling_models import KT, TEMPERATURE, Wells, deviation, well_positions, wells_cell

from scalebridge.foundation import InputError
from scalebridge.sampling import (
    BurstSettings,
    LadderSettings,
    SiteDensity,
    SwitchSettings,
    bennett,
    ladder_tasks,
    merge_ladders,
    sample_ladder,
    transition_matrix,
)

LIMIT = 4.5


def exact_differences(model):
    sites = len(model.wells)
    contents = np.arange(sites)
    return -KT * (np.log((sites - contents) / (contents + 1)) + model.log_weight())


def settings(switching, **changes):
    values = {
        "sweeps": 250,
        "equilibration": 40,
        "burst": BurstSettings(4, 40.0),
        "switching": switching,
        "density": SiteDensity(width=0.3, vacant_only=True),
        "cell_moves": 0,
        "attempts": 1,
        "relocations": 0,
    }
    return LadderSettings(**{**values, **changes})


@pytest.mark.parametrize(("bath", "vacant_only"), [(False, False), (True, False), (True, True)])
def test_ladder_gives_exact_free_energies(bath, vacant_only):
    model = Wells(well_positions(3), bath=3 if bath else 0)
    density = SiteDensity(width=0.3, vacant_only=vacant_only)
    cell = wells_cell(model)
    options = settings(
        SwitchSettings(5, 12.0 if bath else 0.1), density=density, relocations=int(vacant_only)
    )
    (task,) = ladder_tasks(model, [cell] * 4, TEMPERATURE, settings=options, seed=1)
    ladder = sample_ladder(pickle.loads(pickle.dumps(task)))
    for estimate, exact in zip(ladder.free_energy_differences(), exact_differences(model), strict=True):
        assert estimate.error < 0.4 * KT
        assert abs(estimate.difference - exact) < LIMIT * estimate.error
    for lower, upper, exact in zip(
        ladder.rungs[:-1], ladder.rungs[1:], exact_differences(model), strict=True
    ):
        counted = transition_matrix(lower.insertion_work, upper.deletion_work, TEMPERATURE, exact)
        assert abs(counted - exact) < LIMIT * 0.2 * KT


def test_rungs_hold_canonical_energies_although_they_exchange_ions():
    """⟨U⟩ at N ions in rigid wells is N(depth + 3kT/2), whatever exchanges were accepted."""
    model = Wells(well_positions(3))
    (task,) = ladder_tasks(model, [wells_cell(model)] * 4, TEMPERATURE, settings=settings(SwitchSettings(0)))
    ladder = sample_ladder(task)
    assert ladder.rungs[1].counts["exchange"].accepted > 30
    for rung in ladder.rungs[1:]:
        assert abs(deviation(rung.energy, rung.ions * (model.depth + 1.5 * KT))) < LIMIT
        assert len(rung.last) == rung.ions


def test_parts_join_into_the_ladder_of_the_whole():
    model = Wells(well_positions(4))
    cells = [wells_cell(model)] * 5
    tasks = ladder_tasks(model, cells, TEMPERATURE, settings=settings(SwitchSettings(0), sweeps=150), parts=2)
    assert [(task.first, len(task.starts)) for task in tasks] == [(0, 3), (2, 3)]
    ladder = merge_ladders([sample_ladder(task) for task in tasks])
    assert [rung.ions for rung in ladder.rungs] == [0, 1, 2, 3, 4]
    assert len(ladder.rungs[2].insertion_work) == len(ladder.rungs[2].deletion_work) == 150
    assert len(ladder.rungs[2].energy) == 300
    assert len(ladder.rungs[0].deletion_work) == len(ladder.rungs[4].insertion_work) == 0
    for estimate, exact in zip(ladder.free_energy_differences(), exact_differences(model), strict=True):
        assert abs(estimate.difference - exact) < LIMIT * estimate.error
    twice = merge_ladders([ladder, ladder])
    assert len(twice.rungs[1].insertion_work) == 300
    assert twice.rungs[1].counts["burst"].attempted == 300
    with pytest.raises(InputError, match="with a gap"):
        merge_ladders([replace(ladder, rungs=ladder.rungs[:1]), replace(ladder, rungs=ladder.rungs[3:])])
    with pytest.raises(InputError, match="cannot be joined"):
        merge_ladders([ladder, replace(ladder, temperature=301.0)])


class CountsAtoms:
    """A grader whose grade is the number of atoms."""

    def grade(self, types, positions, cell, pbc):
        return float(len(types))


def test_every_recorded_state_is_graded():
    model = Wells(well_positions(2))
    options = settings(SwitchSettings(0), sweeps=20, equilibration=5)
    (task,) = ladder_tasks(
        model, [wells_cell(model)] * 3, TEMPERATURE, settings=options, grader=CountsAtoms()
    )
    assert [rung.grade.tolist() for rung in sample_ladder(task).rungs] == [[n] * 20 for n in (0, 1, 2)]


def test_ladder_depends_on_seed_only():
    model = Wells(well_positions(2), bath=2)
    options = settings(SwitchSettings(3, 10.0), sweeps=20, equilibration=10)
    tasks = [
        ladder_tasks(model, [wells_cell(model)] * 3, TEMPERATURE, settings=options, seed=seed)[0]
        for seed in (1, 1, 2)
    ]
    first, same, other = (sample_ladder(task).rungs[0].insertion_work for task in tasks)
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def test_approximate_bursts_are_said_and_keep_their_time_step():
    """Every burst is taken, which tells nothing of the step: it is not tuned, and ⟨U⟩ stays at N · 3kT/2."""
    model = Wells(well_positions(2), depth=0.0)
    options = settings(
        SwitchSettings(0), sweeps=30, equilibration=60, burst=BurstSettings(4, 20.0, metropolis=False)
    )
    (task,) = ladder_tasks(model, [wells_cell(model)] * 3, TEMPERATURE, settings=options)
    ladder = sample_ladder(task)
    (said,) = ladder.approximations
    assert "4 steps of 20 fs" in said
    assert merge_ladders([ladder, replace(ladder, approximations=())]).approximations == (said,)
    rung = ladder.rungs[2]
    assert rung.counts["burst"].rate == 1.0
    assert abs(deviation(rung.energy, 3 * KT)) < LIMIT


def test_mean_framework_is_the_bath_at_rest():
    """Without ions the bath's mean positions are its homes, up to a common shift."""
    model = Wells(well_positions(3), bath=3)
    options = settings(SwitchSettings(0), sweeps=300)
    (task,) = ladder_tasks(model, [wells_cell(model)] * 4, TEMPERATURE, settings=options)
    mean = sample_ladder(task).rungs[0].mean
    spread = np.sqrt(KT / model.bath_stiffness)
    relative = mean.positions - mean.positions.mean(axis=0) - (model.home - model.home.mean(axis=0))
    assert np.abs(relative).max() < 5 * spread / np.sqrt(300 / 4)


def test_bennett_accepts_uneven_numbers_of_refused_attempts():
    """Refused attempts thin both directions of an exact pair of Gaussians; the estimate must not move."""
    rng = np.random.default_rng(5)
    sigma, difference = 1.2 * KT, 0.1
    forward = rng.normal(difference + sigma**2 / (2 * KT), sigma, 4000)
    reverse = rng.normal(-difference + sigma**2 / (2 * KT), sigma, 1500)
    # refuse paths with probability ½ in both directions
    forward[rng.random(4000) < 0.5] = np.inf
    reverse[rng.random(1500) < 0.5] = np.inf
    estimate = bennett(forward, reverse, TEMPERATURE)
    assert abs(estimate.difference - difference) < LIMIT * estimate.error
