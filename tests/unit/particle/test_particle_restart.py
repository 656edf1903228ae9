"""What keeps a run going where one shell changes phase: bounds, restarts, and silence about both."""

import sys
import threading

import numpy as np
import pytest

from particle_models import particle
from scalebridge.foundation import random_stream
from scalebridge.particle import (
    Particles,
    implicit,
    particle_arrays,
    restore_particles,
    solve,
    solve_particle,
)
from scalebridge.particle.quiet import silenced

SHELLS = 12


def drifted_state(seed: int) -> np.ndarray:
    """Return a state whose site fractions left those of the log-odds, one of them beyond 1."""
    rng = random_stream(seed, "drifted particle")
    state = np.zeros(2 * SHELLS + 2)
    state[1 : 2 * SHELLS : 2] = rng.uniform(-15, 15, SHELLS)
    state[0 : 2 * SHELLS : 2] = 1 / (1 + np.exp(-state[1 : 2 * SHELLS : 2])) + rng.normal(0, 2e-3, SHELLS)
    state[14] = 1.0003
    return state


@pytest.mark.parametrize("seed", range(5))
def test_restored_particles_are_inside_the_bounds_and_keep_their_ions(seed: int) -> None:
    model = particle(1.0, shells=SHELLS, gradient_energy=0.0)
    state = drifted_state(seed)
    ions = state[0 : 2 * SHELLS : 2] @ model.grid.fractions
    order = np.argsort(state[1 : 2 * SHELLS : 2])
    restore_particles(Particles(particle_arrays(model, 1.0), 0, np.ones(1), np.zeros(1)), state)
    theta, odds = state[0 : 2 * SHELLS : 2], state[1 : 2 * SHELLS : 2]
    assert np.all((theta > 0) & (theta < 1))
    assert theta == pytest.approx(1 / (1 + np.exp(-odds)), rel=1e-14)
    assert theta @ model.grid.fractions == pytest.approx(ions, abs=1e-14)
    assert state[2 * SHELLS] == pytest.approx(ions, abs=1e-14)
    assert np.array_equal(np.argsort(odds), order)


def test_restarts_change_nothing_but_the_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """An integrator that stops at every turn is started anew and ends at the same voltages and ions."""
    model = particle(size=30e-9, shells=40)
    j = 1.0 / 3600 * model.charge_density / model.grid.surface_area
    times = np.linspace(0, 0.9 * 3600, 40)
    whole = solve_particle(model, 0.05, times=times, current_density=j)
    monkeypatch.setattr(implicit, "MAX_STEPS", 25)
    restarted: list[int] = []
    restore = solve.restore_particles

    def counted(g: Particles, state: np.ndarray) -> None:
        restarted.append(g.offset)
        restore(g, state)

    monkeypatch.setattr(solve, "restore_particles", counted)
    pieces = solve_particle(model, 0.05, times=times, current_density=j)
    assert len(restarted) > 2
    assert pieces.termination == "time"
    assert pieces.time == pytest.approx(times)
    assert pieces.filling == pytest.approx(0.05 + times / 3600, abs=1e-11)
    assert pieces.voltage == pytest.approx(whole.voltage, abs=1e-3)


def test_a_run_that_cannot_go_on_says_so_and_prints_nothing(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    model = particle(size=30e-9, shells=40)
    monkeypatch.setattr(implicit, "MAX_STEPS", 2)
    monkeypatch.setattr(implicit, "RESTARTS", 3)
    solution = solve_particle(model, 0.05, times=np.array([0.0, 3000.0]), current_density=0.01)
    assert solution.termination == "solver failure"
    assert "the solver stopped: Could not reach endpoint" in solution.status
    assert solution.time.size == 2
    assert solution.time[-1] < 3000
    assert capfd.readouterr() == ("", "")


def test_only_the_silenced_thread_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout
    with silenced():
        print("hidden")
        other = threading.Thread(target=print, args=("heard",))
        other.start()
        other.join()
        with silenced():
            print("hidden too")
        print("still hidden")
    print("after")
    assert sys.stdout is before
    assert capsys.readouterr().out == "heard\nafter\n"


@pytest.mark.parametrize(("sign", "word"), [(1, "full"), (-1, "empty")])
def test_a_particle_that_runs_full_or_empty_is_told_as_that(sign: int, word: str) -> None:
    """The current goes on where no site, or no ion, is left: no number of steps gets there."""
    model = particle(1.0, shells=12, size=20e-9, gradient_energy=0.0)
    current = sign * model.charge_density / model.grid.surface_area / 3600
    solution = solve_particle(model, 0.5, times=np.linspace(0, 3600, 30), current_density=current)
    assert solution.termination == f"{word} particle"
    assert f"the particle is {word}: end the run earlier" in solution.status
    assert solution.filling[-1] == pytest.approx(float(sign > 0), abs=1e-3)
