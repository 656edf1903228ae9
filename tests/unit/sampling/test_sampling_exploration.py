"""What walkers grade, where they start again, and when the loop has learnt enough."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
from test_sampling_active_learning import (
    LENGTH,
    TOOLS,
    Springs,
    content,
    host_cell,
    labelled,
    refit,
    settings,
    start_state,
)

from scalebridge.potential import ActiveSet, fit, select
from scalebridge.sampling import (
    ExplorationTask,
    HostCell,
    LearningState,
    PotentialTools,
    StoppingRule,
    WalkerPlan,
    explore,
    learn,
    learn_round,
    place,
    walker_plans,
)
from scalebridge.sampling.exploration_data import tasks_for_round


class Recorder:
    """Grades 1; keeps what it was asked."""

    def __init__(self):
        self.seen = []

    def grade(self, types, positions, cell, pbc):
        self.seen.append((int(np.sum(types)), positions.copy(), np.array(cell)))
        return 1.0


def task(grader, **changes):
    exploration = replace(settings().exploration, **changes)
    return ExplorationTask(Springs(), grader, WalkerPlan(host_cell(), 0, True, 300.0), exploration, 1, 0, 0)


def test_states_trials_and_cell_extremes_are_graded():
    """One start, then at each of 5 contents 3 sweeps and 3 extremes, and 2 trials before each of 4 steps."""
    grader = Recorder()
    met = explore(task(grader, sweeps=3, trials=2, extreme_strain=0.02))
    assert met.end == "through"
    assert len(grader.seen) == 1 + 5 * (3 + 3) + 4 * 2 == len(met.visited.grade)
    assert met.contents == (0, 1, 2, 3, 4)
    first = grader.seen[1:7]
    volumes = np.linalg.det([cell for _, _, cell in first])
    assert volumes[3:5] / volumes[2] == pytest.approx([0.98**3, 1.02**3], rel=1e-12)
    strain = np.linalg.solve(first[2][2], first[5][2]) - np.eye(3)
    assert strain == pytest.approx(strain.T, abs=1e-12)
    assert np.trace(strain) == pytest.approx(0.0, abs=1e-12)
    assert np.abs(np.linalg.eigvalsh(strain)).max() == pytest.approx(0.02)
    for ions, positions, _ in first[3:]:  # atoms go with the cell
        assert ions == 0
        assert len(positions) == 1
    trials = [ions for ions, _, _ in grader.seen[7:9]]
    assert trials == [1, 1]
    assert met.visited.volume == pytest.approx([np.linalg.det(cell) for _, _, cell in grader.seen])
    assert met.visited.x == pytest.approx([ions for ions, _, _ in grader.seen])
    bare = explore(task(Recorder(), sweeps=3, trials=2, extreme_strain=0.0))
    assert len(bare.visited.grade) == 1 + 5 * 3 + 4 * 2


class OnlyStretched:
    """Grade 50 for cells stretched by more than 10 % in volume."""

    def grade(self, types, positions, cell, pbc):
        return 50.0 if np.linalg.det(cell) > 1.10 * LENGTH**3 else 1.0


def test_a_cell_extreme_that_extrapolates_is_queued_and_does_not_stop_the_walker():
    met = explore(task(OnlyStretched(), extreme_strain=0.05))
    assert met.end == "through"
    assert met.largest_grade == 50.0
    assert all(atoms.get_volume() > 1.10 * LENGTH**3 for atoms in met.queue)
    assert len(met.queue) >= 5
    assert explore(task(OnlyStretched(), extreme_strain=0.001)).largest_grade == 1.0


def rounds(state, plans, count, **changes):
    """Run rounds and return the states and the tasks of each."""
    tasks = []

    def map_walkers(function, chosen):
        tasks.append(list(chosen))
        return [function(one) for one in tasks[-1]]

    states = [state]
    for _ in range(count):
        states.append(
            learn_round(
                states[-1], plans, label=list, refit=refit, held_out=(), settings=settings(**changes), seed=0,
                map_walkers=map_walkers, tools=TOOLS,
            )
        )  # fmt: skip
    return states, tasks


def test_a_walk_that_broke_goes_on_from_its_last_safe_state_after_the_refit():
    """Known are 0 ions: the filling walk breaks at its first insertion, the emptying one at its start."""
    plans = walker_plans([host_cell()] * 5, [300.0])
    states, tasks = rounds(start_state(), plans, 2)
    filling, emptying = plans
    assert (filling.filling, emptying.ions) == (True, 4)
    ((origin, plan),) = states[1].restarts  # the emptying walk was never safe
    assert (origin, plan.ions, plan.filling, plan.temperature) == (0, 0, True, 300.0)
    assert [one.walker for one in tasks[1]] == [0, 1, 2]
    again = tasks[1][2].plan
    assert again.structure is plan.structure
    assert states[2].history[1].restarted == 1
    begun = []

    class Keeps(Recorder):
        def grade(self, types, positions, cell, pbc):
            begun.append((positions.copy(), np.array(cell)))
            return super().grade(types, positions, cell, pbc)

    explore(replace(tasks[1][2], grader=Keeps()))
    assert np.array_equal(begun[0][0], plan.structure.positions)
    assert np.array_equal(begun[0][1], plan.structure.cell.array)


def test_of_several_broken_walks_of_a_plan_the_farthest_is_taken_up():
    """The states met last are safe up to 2 ions, then 3 are unknown; restarts never outnumber the plans."""
    known = replace(start_state(), potential=refit([host_cell().atoms(range(n)) for n in (0, 1, 2)], None))
    plans = walker_plans([host_cell()] * 5, [300.0, 600.0])
    states, tasks = rounds(known, plans, 1)
    assert {(origin, plan.ions) for origin, plan in states[1].restarts} == {(0, 2), (1, 2)}
    unlearnt = replace(states[1], potential=known.potential)  # no label helped: all break again
    again, more = rounds(unlearnt, plans, 1)
    assert len(more[0]) == len(plans) + 2
    assert {(origin, plan.ions) for origin, plan in again[1].restarts} == {(0, 2), (1, 2)}
    assert tasks_for_round(tasks[0][0], plans, again[1].restarts)[-1].walker == len(plans) + 1


class Between:
    """Grades that are queued, never stop a walker."""

    def grade(self, types, positions, cell, pbc):
        return 3.0


@dataclass
class Warned:
    """Grades that call for a label for a while, then stop the walker."""

    left: int = 6

    def grade(self, types, positions, cell, pbc):
        self.left -= 1
        return 3.0 if self.left > 0 else 50.0


def test_a_state_that_waits_for_a_label_is_not_safe():
    known = replace(start_state(), potential=refit([host_cell().atoms(range(n)) for n in range(5)], None))
    _, tasks = rounds(known, walker_plans([host_cell()] * 5, [300.0]), 1)
    walk = explore(replace(tasks[0][0], grader=Warned()))
    assert walk.end == "stopped" and len(walk.queue) > 0
    assert walk.safe is None


def quiet_loop(energies, *, label=list, **changes):
    """Return the loop of a potential whose grades stay at 3, with held-out errors ``energies``."""
    errors = iter(energies)
    tools = replace(
        TOOLS,
        grader=lambda active, potential: Between(),
        select=lambda potential, active, candidates, *, limit: list(range(min(limit, len(candidates), 8))),
        evaluate=lambda potential, frames: SimpleNamespace(energy_rmse=next(errors), force_rmse=1.0),
    )
    return learn(
        start_state(),
        walker_plans([host_cell()] * 5, [300.0]),
        label=label,
        refit=refit,
        held_out=[host_cell().atoms([])],
        settings=settings(**changes),
        tools=tools,
    )


def test_a_quiet_round_that_selects_little_ends_the_loop():
    state = quiet_loop([1.0] * 9, stopping=StoppingRule(few_selected=9, flat_errors=0.0))
    assert state.converged
    assert len(state.history) == 1
    assert state.reason == (
        "all walkers came through a full round and met no grade above 10; it selected 8 new structures, "
        "fewer than 9"
    )
    assert state.history[0].selected == 8
    assert state.history[0].labelled == state.history[0].failed == 0


def test_a_selection_cut_by_the_budget_is_not_called_little():
    rule = StoppingRule(few_selected=9, flat_errors=0.0)
    falling = [0.5**n for n in range(9)]
    assert not quiet_loop(falling, stopping=rule, labels_per_round=8, rounds=3).converged
    assert quiet_loop(falling, stopping=rule, labels_per_round=9, rounds=3).converged


def test_flat_held_out_errors_over_two_rounds_end_the_loop():
    """Errors 1, 0.5, 0.5, 0.49, …: rounds 1, 2 and 3 are the first three within 5 %."""
    rule = StoppingRule(few_selected=0, flat_errors=0.05)
    state = quiet_loop([1.0, 0.5, 0.5, 0.49, 0.49], stopping=rule)
    assert state.converged
    assert len(state.history) == 4
    assert (
        "held-out errors of energies and forces changed by no more than 5 % over the last two" in state.reason
    )
    falling = quiet_loop([0.9**n for n in range(12)], stopping=rule)
    assert not falling.converged
    assert "budget of 10 rounds" in falling.reason


def test_little_selected_and_flat_errors_are_both_asked():
    """Eight are selected in every round; errors are flat from the fourth on."""
    errors = [1.0, 0.5, 0.5, 0.49, 0.49]
    both = quiet_loop(errors, stopping=StoppingRule(few_selected=9, flat_errors=0.05))
    assert both.converged
    assert len(both.history) == 4
    assert "fewer than 9; held-out errors" in both.reason
    more = quiet_loop([1.0] * 12, stopping=StoppingRule(few_selected=8, flat_errors=0.05))
    assert not more.converged


def test_errors_that_stay_because_nothing_was_learnt_do_not_end_the_loop():
    """A reference calculator that gives no label leaves the potential, and its errors, as they were."""
    state = quiet_loop([1.0] * 9, label=lambda frames: (), rounds=5)
    assert [(entry.selected, entry.failed) for entry in state.history] == [(8, 8)] * 5
    assert not state.converged
    assert "budget of 5 rounds" in state.reason


def test_errors_are_not_asked_while_walkers_break():
    """The first rounds of the toy break: flat errors end nothing, unless broken walkers are allowed."""
    tools = replace(
        TOOLS, evaluate=lambda potential, frames: SimpleNamespace(energy_rmse=1.0, force_rmse=1.0)
    )
    common = {
        "label": list, "refit": refit, "held_out": [host_cell().atoms([])], "tools": tools,
    }  # fmt: skip
    plans = walker_plans([host_cell()] * 5, [300.0])
    flat = StoppingRule(few_selected=0)
    strict = learn(start_state(), plans, settings=settings(labels_per_round=1, stopping=flat), **common)
    assert strict.history[0].broken_walkers
    assert all(entry.loud_walkers for entry in strict.history[:-1])
    assert strict.converged
    assert strict.history[-1].loud_walkers == 0
    loose = replace(flat, broken_walkers=9)
    lax = learn(start_state(), plans, settings=settings(labels_per_round=1, stopping=loose), **common)
    assert lax.converged
    assert len(lax.history) == 3 < len(strict.history)
    assert "only" in lax.reason


def test_copies_found_by_several_walkers_are_labelled_once():
    """Two equal walkers queue the same structures; what is selected is new and no two are alike."""
    cell, rng = host_cell(), np.random.default_rng(0)
    frames = []
    for ions in (0, 1, 1, 1, 1):
        frame = cell.random_atoms(ions, rng)
        frame.positions += rng.normal(0, 0.1, frame.positions.shape)
        frames.append(frame)
    training = tuple(labelled(frames))
    potential = fit(training, level=4, cutoff=4.5, species=("Fe", "Na"), max_iterations=3)
    asked = []

    def twice(function, tasks):
        return [walk for one in tasks for walk in (function(one), function(one))][: len(list(tasks))]

    def keep(chosen):
        asked.extend(chosen)
        return labelled(chosen)

    plans = [WalkerPlan(cell, 0, True, 300.0)] * 2
    learn_round(
        LearningState(potential, training), plans, label=keep, refit=lambda frames, start: start, held_out=(),
        settings=settings(), seed=0, map_walkers=twice, tools=PotentialTools(),
    )  # fmt: skip
    assert asked
    for number, one in enumerate(asked):
        for other in (*asked[:number], *training):
            assert len(one) != len(other) or not np.allclose(one.positions, other.positions, atol=1e-6)
    active = ActiveSet.from_frames(potential, training)
    assert select(potential, active, [*asked, *asked]) == list(range(len(asked)))


def test_places_are_per_formula_unit_whatever_the_size_of_the_structure():
    cell = host_cell()
    two = HostCell(cell.framework, cell.sites, 2, "Na")
    assert place(cell.atoms([0, 1]), two) == pytest.approx((1.0, LENGTH**3 / 2))
    assert place(cell.atoms([0, 1]).repeat((2, 1, 1)), two) == pytest.approx((1.0, LENGTH**3 / 2))
    assert place(cell.atoms([0])[1:], two) is None
    assert content(cell.atoms([0])) == 1
