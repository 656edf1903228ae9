"""The learning loop with a made-up potential that knows some ion contents, and with a real one."""

import pickle
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from scalebridge.foundation import InputError
from scalebridge.potential import fit
from scalebridge.sampling import (
    BurstSettings,
    EnergyModel,
    Evaluation,
    ExplorationSettings,
    HostCell,
    LearningSettings,
    LearningState,
    PotentialTools,
    SiteDensity,
    StoppingRule,
    WalkerPlan,
    learn,
    walker_plans,
)

LENGTH = 6.0
SITES = np.array([[0.25, 0.25, 0.25], [0.75, 0.25, 0.25], [0.25, 0.75, 0.25], [0.25, 0.25, 0.75]])


def host_cell():
    return HostCell(Atoms(["Fe"], cell=[LENGTH] * 3, pbc=True), SITES, 1, "Na")


class Springs(EnergyModel):
    """Every ion hangs on its nearest site, the framework atom on its place; scaled with the cell."""

    species = ("Fe", "Na")

    def energy(self, types, positions, cell):
        return self.evaluate(types, positions, cell).energy

    def evaluate(self, types, positions, cell):
        homes = np.array([[0.0, 0.0, 0.0], *SITES])
        scaled = positions @ np.linalg.inv(cell)
        offsets = scaled[:, None] - homes[None]
        offsets = (offsets - np.rint(offsets)) @ cell
        squares = np.sum(offsets**2, axis=2)
        squares[types == 0, 1:], squares[types == 1, 0] = np.inf, np.inf
        offset = offsets[np.arange(len(types)), squares.argmin(axis=1)]
        energy = 0.5 * np.sum(offset**2) + 30.0 * (np.linalg.det(cell) / LENGTH**3 - 1) ** 2
        return Evaluation(float(energy - np.sum(types)), -offset)


@dataclass(frozen=True)
class KnowsContents:
    """A potential that knows the ion contents it was trained on."""

    known: frozenset[int]


@dataclass(frozen=True)
class ContentGrader:
    known: frozenset[int]

    def grade(self, types, positions, cell, pbc):
        return 1.0 if int(np.sum(types)) in self.known else 50.0


def content(frame):
    return frame.get_chemical_symbols().count("Na")


def model_of(potential):
    return Springs()


def first_of_each_content(potential, active, candidates, *, limit):
    found = {}
    for index, frame in enumerate(candidates):
        found.setdefault(content(frame), index)
    return sorted(found.values())[:limit]


TOOLS = PotentialTools(
    model=model_of,
    active_set=lambda potential, frames: potential.known,
    grader=lambda active, potential: ContentGrader(active),
    select=first_of_each_content,
    evaluate=lambda potential, frames: float(len(potential.known)),
)


def refit(frames, potential):
    return KnowsContents(frozenset(content(frame) for frame in frames))


def start_state():
    return LearningState(KnowsContents(frozenset({0})), (host_cell().atoms([]),))


def settings(**changes):
    exploration = ExplorationSettings(
        sweeps=2, trials=2, burst=BurstSettings(3, 2.0), density=SiteDensity(0.3, vacant_only=True)
    )
    return LearningSettings(**{"rounds": 10, "held_out_every": 0, "exploration": exploration, **changes})


def run(state=None, plans=None, label=list, **options):
    state, plans = state or start_state(), plans or walker_plans([host_cell()] * 5, [300.0])
    chosen = options.pop("settings", settings())
    return learn(
        state, plans, label=label, refit=refit, settings=chosen, tools=TOOLS, held_out=[Atoms()], **options
    )


def test_walkers_start_from_both_ends_of_every_phase():
    low, high = host_cell(), host_cell()
    plans = walker_plans([low, low, high, high, high], [300.0, 600.0], pressures=[0.0, 0.02])
    ends = {(plan.start is low, plan.ions, plan.filling) for plan in plans}
    assert ends == {(True, 0, True), (True, 1, False), (False, 2, True), (False, 4, False)}
    assert len(plans) == 16


def test_loop_ends_when_a_full_round_passes_without_a_stop():
    state = run()
    assert state.converged
    assert "met no grade above" in state.reason
    assert state.potential.known == frozenset({0, 1, 2, 3, 4})
    assert [entry.broken_walkers > 0 for entry in state.history] == [True] * (len(state.history) - 1) + [
        False
    ]
    last = state.history[-1]
    assert last.largest_grade == 1.0
    assert last.training_size == len(state.training) == 1 + state.labels
    assert last.errors == 5.0
    assert [entry.round for entry in state.history] == list(range(len(state.history)))


COSTLY = 3
"""The site that ``Slope`` makes so dear that no walker takes it while another one is vacant."""


class Slope(Springs):
    """Springs, and an energy of 8 eV for an ion on the costly site."""

    def evaluate(self, types, positions, cell):
        result = super().evaluate(types, positions, cell)
        return replace(result, energy=result.energy + 8.0 * (COSTLY in occupied(types, positions, cell)))


def occupied(types, positions, cell):
    offsets = (positions[types == 1] @ np.linalg.inv(cell))[:, None] - SITES[None]
    offsets -= np.rint(offsets)
    return frozenset(np.sum(offsets**2, axis=2).argmin(axis=1).tolist())


@dataclass(frozen=True)
class OccupationGrader:
    """Grade 50 for unknown sets of occupied sites, 1 for known ones."""

    known: frozenset[frozenset[int]]

    def grade(self, types, positions, cell, pbc):
        return 1.0 if occupied(types, positions, cell) in self.known else 50.0


def sites_of(frame):
    types = np.array([("Fe", "Na").index(symbol) for symbol in frame.get_chemical_symbols()])
    return occupied(types, frame.positions, frame.cell.array)


def test_a_round_whose_discarded_trials_extrapolate_is_not_converged():
    """Walkers only take known states; their discarded trials on the costly site are labelled and learnt.

    Of 30 deletions from the full cell none leaves the costly site with a probability of (3/4)^30 = 2e-4.
    """
    cheap = [frozenset(chosen) for n in range(4) for chosen in combinations(range(3), n)]
    known = frozenset([*cheap, frozenset(range(4))])
    state = learn(
        LearningState(KnowsContents(known), (host_cell().atoms([]),)),
        walker_plans([host_cell()] * 5, [300.0]),
        label=list,
        refit=lambda frames, potential: KnowsContents(known | {sites_of(frame) for frame in frames}),
        settings=settings(rounds=20, exploration=replace(settings().exploration, trials=30)),
        tools=replace(
            TOOLS,
            model=lambda potential: Slope(),
            grader=lambda active, potential: OccupationGrader(active),
            select=lambda potential, active, candidates, *, limit: list(range(len(candidates)))[:limit],
        ),
    )
    assert sum(entry.broken_walkers for entry in state.history) == 0
    assert state.history[0].largest_grade == 50.0
    assert state.history[0].labelled > 0
    assert state.converged
    assert [entry.largest_grade > 10 for entry in state.history] == [True] * (len(state.history) - 1) + [
        False
    ]


class Impassable(Springs):
    """Springs that refuse every structure of three ions."""

    def evaluate(self, types, positions, cell):
        result = super().evaluate(types, positions, cell)
        return replace(result, energy=np.inf) if np.sum(types) == 3 else result


def test_a_walk_that_does_not_reach_its_end_does_not_count_as_converged():
    everything = KnowsContents(frozenset(range(5)))
    state = learn(
        LearningState(everything, (host_cell().atoms([]),)),
        walker_plans([host_cell()] * 5, [300.0]),
        label=list,
        refit=refit,
        settings=settings(rounds=3),
        tools=replace(TOOLS, model=lambda potential: Impassable()),
    )
    assert not state.converged
    assert [entry.stuck_at for entry in state.history] == [(2, 4)] * 3
    assert [entry.broken_walkers for entry in state.history] == [0] * 3
    assert state.reason == (
        "the budget of 3 rounds ended; its last round met grades up to 1, 2 of 2 found no way past "
        "2, 4 ions in the cell"
    )


def test_budgets_end_the_loop_and_say_so():
    assert "budget of 1 rounds" in run(settings=settings(rounds=1)).reason
    few = run(settings=settings(labels=2, labels_per_round=1))
    assert few.labels == 2
    assert "budget of 2 labels" in few.reason
    assert not few.converged
    assert "budget of 1e-09 s" in run(settings=settings(seconds=1e-9)).reason


def test_failed_labels_are_counted_and_without_any_the_loop_ends():
    state = run(label=lambda frames: [])
    assert state.history[0].failed > 0
    assert "no new structure could be labelled" in state.reason


def test_a_loop_that_died_continues_from_its_last_round():
    kept = []

    def interrupt(state):
        kept.append(pickle.loads(pickle.dumps(state)))
        if len(kept) == 2:
            raise KeyboardInterrupt

    one_by_one = settings(labels_per_round=1)
    with pytest.raises(KeyboardInterrupt):
        run(settings=one_by_one, on_round=interrupt)
    resumed = run(state=kept[-1], settings=one_by_one)
    straight = run(settings=one_by_one)
    assert len(resumed.history) == len(straight.history) > 2
    assert [content(frame) for frame in resumed.training] == [content(frame) for frame in straight.training]
    for one, other in zip(resumed.training, straight.training, strict=True):
        assert np.array_equal(one.positions, other.positions)


def test_one_of_so_many_labels_is_held_out_the_same_ones_after_a_restart():
    """Every third of 14 labels of single rounds; the fits never see them, and they judge the potential."""
    kept, seen = [], []

    def remember(frames, potential):
        seen.extend(id(frame) for frame in frames)
        return KnowsContents(frozenset())  # nothing is ever learnt: labels go on

    def held_out_run(state, **options):
        return learn(
            state,
            walker_plans([host_cell()] * 5, [300.0]),
            label=lambda frames: [frame.copy() for frame in frames],
            refit=remember,
            settings=settings(
                labels=14,
                labels_per_round=1,
                rounds=40,
                held_out_every=3,
                stopping=StoppingRule(stalled_rounds=40),
            ),
            tools=replace(TOOLS, evaluate=lambda potential, frames: len(frames)),
            **options,
        )

    first = start_state()
    whole = held_out_run(first, on_round=kept.append)
    assert whole.labels == 14
    held = [entry.held_out for entry in whole.history if entry.labelled]
    assert [sum(held[n : n + 3]) for n in range(0, 12, 3)] == [1] * 4
    assert len({tuple(held[n : n + 3]) for n in range(0, 12, 3)}) > 1
    assert len(whole.explored) == sum(held) == 14 - (len(whole.training) - 1)
    assert not {id(frame) for frame in whole.explored} & set(seen)
    assert whole.history[-1].explored_errors == sum(entry.held_out for entry in whole.history[:-1])
    assert whole.history[0].explored_errors is None and whole.history[-1].errors is None
    resumed = held_out_run(pickle.loads(pickle.dumps(kept[5])))
    assert [entry.held_out for entry in resumed.history] == [entry.held_out for entry in whole.history]
    for one, other in zip(resumed.explored, whole.explored, strict=True):
        assert np.array_equal(one.positions, other.positions)
    with pytest.raises(InputError, match="held_out_every 1 leaves no label"):
        settings(held_out_every=1)


def test_walkers_in_processes_find_the_same():
    with ProcessPoolExecutor(2) as pool:
        parallel = run(map_walkers=pool.map)
    serial = run()
    assert [len(frame) for frame in parallel.training] == [len(frame) for frame in serial.training]
    assert [entry.largest_grade for entry in parallel.history] == [
        entry.largest_grade for entry in serial.history
    ]


def test_bad_requests_are_refused():
    with pytest.raises(InputError, match="0 walkers"):
        learn(start_state(), [], label=list, refit=refit, tools=TOOLS)
    with pytest.raises(InputError, match="every limit must be positive"):
        LearningSettings(rounds=0)
    with pytest.raises(InputError, match="save 5 and stop 2"):
        ExplorationSettings(save=5.0, stop=2.0)


def labelled(frames):
    out = []
    for frame in frames:
        model, types = Springs(), np.array([("Fe", "Na").index(s) for s in frame.get_chemical_symbols()])
        result = model.evaluate(types, frame.positions, frame.cell.array)
        copy = frame.copy()
        copy.calc = SinglePointCalculator(copy, energy=result.energy, forces=result.forces)
        out.append(copy)
    return out


def test_without_anything_to_label_with_a_round_tells_what_it_wants_and_ends():
    plans = [WalkerPlan(host_cell(), 0, True, 300.0)]
    alone = settings(oracle=False)
    state = learn(start_state(), plans, label=lambda frames: (), refit=refit, settings=alone, tools=TOOLS)
    assert len(state.history) == 1
    assert not state.converged
    assert state.training == start_state().training
    assert f"no reference calculator for {len(state.wanted)} selected structures" in state.reason
    assert state.wanted
    assert all(atoms.calc is None and atoms.info["grade"] > 10 for atoms in state.wanted)
    assert (state.history[0].labelled, state.history[0].failed) == (0, 0)


def test_a_moment_tensor_potential_learns_the_contents_it_was_not_trained_on():
    """Trained on empty and nearly empty cells only, the loop must ask for fuller ones."""
    cell, rng = host_cell(), np.random.default_rng(0)
    frames = []
    for ions in (0, 1, 1, 1, 1):
        frame = cell.random_atoms(ions, rng)
        frame.positions += rng.normal(0, 0.1, frame.positions.shape)
        frames.append(frame)
    training = tuple(labelled(frames))
    potential = fit(training, level=4, cutoff=4.5, species=("Fe", "Na"), max_iterations=3)

    def refit_potential(frames, potential):
        return fit(frames, start=potential, max_iterations=3)

    plans = [WalkerPlan(cell, 0, True, 300.0), WalkerPlan(cell, 4, False, 300.0)]
    state = learn(
        LearningState(potential, training),
        plans,
        label=labelled,
        refit=refit_potential,
        held_out=training[:2],
        settings=replace(settings(rounds=3), labels_per_round=6),
    )
    assert state.history[0].broken_walkers > 0
    assert state.history[0].largest_grade > 10
    assert state.history[0].labelled > 0
    assert max(content(frame) for frame in state.training) > 1
    assert state.history[-1].largest_grade < state.history[0].largest_grade
    assert state.history[0].errors.force_rmse >= 0
