"""Ladders that are stopped at random sweeps or killed end bit for bit as undisturbed ones."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from sampling_models import TEMPERATURE, Wells, well_positions, wells_cell
from stiff_host import stiff_cell, stiff_potential

from scalebridge.foundation import InputError
from scalebridge.sampling import (
    BurstSettings,
    LadderSettings,
    LangevinSettings,
    PotentialModel,
    SiteDensity,
    SwitchSettings,
    ladder_tasks,
    sample_ladder,
)
from scalebridge.sampling.ladder_data import LadderTask

EQUILIBRATION, SWEEPS = 6, 7
SETTINGS = LadderSettings(
    sweeps=SWEEPS,
    equilibration=EQUILIBRATION,
    attempts=2,
    burst=BurstSettings(3, 40.0),
    density=SiteDensity(width=0.3, vacant_only=True),
)


class CountsAtoms:
    def grade(self, types, positions, cell, pbc):
        return float(len(types)) + float(positions.sum())


def task_of(host):
    """Two framework templates; switches on a schedule; a potential whose bare trials update in place."""
    if host == "potential":
        model, cells = PotentialModel(stiff_potential()), [stiff_cell(1)] * 3
        settings = replace(SETTINGS, burst=BurstSettings(3, 30.0), relocations=3)
        return LadderTask(model, tuple(cells), 0, 600.0, settings, seed=2)
    model = Wells(well_positions(2), bath=2)
    one, other = wells_cell(model), wells_cell(model)
    settings = replace(SETTINGS, switching=SwitchSettings(3, 10.0))
    if host == "bare":
        settings = SETTINGS
    if host == "langevin":
        settings = replace(SETTINGS, burst=BurstSettings(3, 10.0, langevin=LangevinSettings()), cell_moves=0)
    (task,) = ladder_tasks(
        model, [one, one, other], TEMPERATURE, settings=settings, seed=1, grader=CountsAtoms()
    )
    return task


class Stops:
    """A progress that stops the run when it reports the sweep of a number."""

    def __init__(self, sweep):
        self.sweep, self.done = sweep, 0

    @contextmanager
    def task(self, description, total=None):
        yield self

    def advance(self, steps=1.0, note=""):
        self.done += steps
        if steps == 1 and self.done == self.sweep:
            raise KeyboardInterrupt

    def message(self, text):
        pass


class StopsInside:
    """A model that stops the run in the middle of a sweep."""

    def __init__(self, calls):
        self.calls = calls

    def __call__(self, *arguments):
        self.calls -= 1
        if self.calls < 0:
            raise KeyboardInterrupt
        return self.original(*arguments)


def assert_same(one, other):
    for first, second in zip(one.rungs, other.rungs, strict=True):
        for part in fields(first):
            a, b = getattr(first, part.name), getattr(second, part.name)
            if isinstance(a, np.ndarray):
                np.testing.assert_array_equal(a, b)
            elif part.name in {"mean", "last"}:
                np.testing.assert_array_equal(a.positions, b.positions)
                np.testing.assert_array_equal(a.cell.array, b.cell.array)
                assert a.get_chemical_symbols() == b.get_chemical_symbols()
            else:
                assert a == b


@pytest.mark.parametrize("host", ["switched", "langevin", "potential"])
def test_a_stopped_ladder_goes_on_bit_for_bit(tmp_path, host):
    """Stopped again and again: in the equilibration, at its end, in what is recorded, at the last sweep."""
    task, path = task_of(host), tmp_path / "ladder.npz"
    whole = sample_ladder(task)
    random = np.random.default_rng(5)
    stops = {EQUILIBRATION, EQUILIBRATION + SWEEPS, *random.integers(1, EQUILIBRATION + SWEEPS, 5).tolist()}
    assert min(stops) < EQUILIBRATION < sorted(stops)[-2]
    for sweep in sorted(stops):
        with pytest.raises(KeyboardInterrupt):
            sample_ladder(task_of(host), Stops(sweep), checkpoint=path, interval=0.0)
    assert_same(sample_ladder(task_of(host), checkpoint=path), whole)


@pytest.mark.parametrize("calls", [7, 16, 32])
def test_a_sweep_that_was_not_finished_is_done_again(tmp_path, monkeypatch, calls):
    from scalebridge.sampling import ladder

    task, path = task_of("bare"), tmp_path / "ladder.npz"
    whole, inside = sample_ladder(task), StopsInside(calls)
    inside.original = ladder._burst
    monkeypatch.setattr(ladder, "_burst", inside)
    with pytest.raises(KeyboardInterrupt):
        sample_ladder(task, checkpoint=path, interval=0.0)
    monkeypatch.setattr(ladder, "_burst", inside.original)
    assert_same(sample_ladder(task, checkpoint=path), whole)


def test_a_killed_ladder_goes_on_bit_for_bit(tmp_path):
    path = tmp_path / "ladder.npz"
    code = (
        "from pathlib import Path; from test_sampling_ladder_checkpoint import *\n"
        f"sample_ladder(task_of('bare'), Waits(), checkpoint=Path({str(path)!r}), interval=0.0)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment)
    deadline = time.monotonic() + 120
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert path.exists()
    assert_same(sample_ladder(task_of("bare"), checkpoint=path), sample_ladder(task_of("bare")))


class Waits(Stops):
    """A progress that is slow enough to be killed in the middle."""

    def __init__(self):
        super().__init__(-1)

    def advance(self, steps=1.0, note=""):
        time.sleep(0.05)


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    task, path = task_of("bare"), tmp_path / "ladder.npz"
    with pytest.raises(KeyboardInterrupt):
        sample_ladder(task, Stops(2), checkpoint=path, interval=0.0)
    heavier = replace(task, settings=replace(task.settings, masses={"Fe": 80.0}))
    other = replace(task, model=Wells(well_positions(2), bath=2, coupling=0.4))
    for changed, named in (
        (replace(task, seed=2), "seed"),
        (replace(task, temperature=301.0), "temperature"),
        (heavier, "masses, settings"),
        (other, "model"),
    ):
        with pytest.raises(InputError, match=f"is of another run: {named} differ"):
            sample_ladder(changed, checkpoint=path)


def test_states_are_written_no_more_often_than_asked(tmp_path):
    path = tmp_path / "ladder.npz"
    with pytest.raises(KeyboardInterrupt):
        sample_ladder(task_of("bare"), Stops(5), checkpoint=path, interval=3600.0)
    assert not path.exists()
    sample_ladder(task_of("bare"), checkpoint=path, interval=3600.0)
    assert [file.name for file in tmp_path.iterdir()] == ["ladder.npz"]
