"""Dead ends, each provoked: holes in the energy, soft cells, melting, labels that never come."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from test_sampling_active_learning import (
    LENGTH,
    SITES,
    TOOLS,
    KnowsContents,
    Springs,
    content,
    host_cell,
    labelled,
    refit,
    settings,
    start_state,
)

from scalebridge.foundation import InputError
from scalebridge.potential import fit
from scalebridge.sampling import (
    BurstSettings,
    Configuration,
    DeadEnd,
    DeadEndLimits,
    EnergyModel,
    Evaluation,
    ExplorationSettings,
    ExplorationTask,
    HostCell,
    Known,
    PotentialModel,
    SiteDensity,
    StoppingRule,
    WalkerPlan,
    Watch,
    explore,
    known_structures,
    learn,
    learn_round,
    walker_plans,
)
from scalebridge.sampling.stopping import met, regions


class Flat:
    """A grader that believes to know everything."""

    def grade(self, types, positions, cell, pbc):
        return 1.0


class Holes(Springs):
    """Springs, and a well of 40 eV on the framework atom: a wrong potential."""

    depth, width = 40.0, 0.9

    def evaluate(self, types, positions, cell):
        result = super().evaluate(types, positions, cell)
        vectors = positions[types == 1] - positions[types == 0]
        vectors -= np.rint(vectors @ np.linalg.inv(cell)) @ cell
        wells = self.depth * np.exp(-0.5 * np.sum(vectors**2, axis=1) / self.width**2)
        pull = wells[:, None] * vectors / self.width**2
        forces = result.forces.copy()
        forces[types == 1] -= pull
        forces[types == 0] += pull.sum(axis=0)
        return Evaluation(result.energy - float(wells.sum()), forces)


def near_cell():
    """One site, 2.6 Å from the framework atom."""
    return HostCell(Atoms(["Fe"], cell=[LENGTH] * 3, pbc=True), SITES[:1], 1, "Na")


def walk(model, cell, *, ions=0, filling=True, known=None, structure=None, temperature=300.0, grader=None,
         **changes):  # fmt: skip
    exploration = ExplorationSettings(
        **{
            "sweeps": 4,
            "burst": BurstSettings(20, 2.0),
            "density": SiteDensity(0.2, vacant_only=True),
            **changes,
        }
    )
    plan = WalkerPlan(cell, ions, filling, temperature, structure=structure)
    known = known or known_structures([cell.atoms(range(cell.n_sites))], [cell], model.species)
    return explore(ExplorationTask(model, grader or Flat(), plan, exploration, 3, 2, 5, known))


def distance(atoms):
    return atoms.get_distance(0, 1, mic=True)


LABELLED = 0.25 * LENGTH * np.sqrt(3)
"""Distance from the site to the framework atom."""


def test_an_ion_that_falls_into_the_framework_is_kept_with_its_structure():
    """At 900 K the well pulls the ion in within two sweeps; the random numbers are fixed."""
    cell = near_cell()
    met = walk(Holes(), cell, temperature=900.0, retreats=1)
    (end,) = met.dead_ends
    assert end.kind == "contact"
    assert end.reason.startswith("an ion fell into the framework: Na and Fe are ")
    assert (end.round, end.walker, end.temperature, end.x) == (2, 5, 900.0, 1.0)
    assert distance(end.atoms) < 0.8 * LABELLED
    assert met.end == "lost"
    assert not end.recovered
    assert walk(Springs(), cell, temperature=900.0).dead_ends == ()


def test_a_walker_goes_back_to_its_last_safe_state_and_comes_through():
    met = walk(Holes(), near_cell(), temperature=900.0, retreats=200)
    assert met.end == "through"
    assert met.dead_ends
    assert all(end.recovered for end in met.dead_ends)
    assert distance(met.safe) >= 0.8 * LABELLED


class NearGrader:
    """Grade 3 for ions nearer to the framework than 95 % of the labelled distance: queued, not stopped."""

    def grade(self, types, positions, cell, pbc):
        atoms = Atoms(["Fe", "Na"][: len(types)], positions, cell=cell, pbc=True)
        return 3.0 if len(types) == 2 and distance(atoms) < 0.95 * LABELLED else 1.0


def test_a_structure_beside_the_hole_is_queued_and_none_inside_it():
    met = walk(Holes(), near_cell(), temperature=900.0, retreats=200, grader=NearGrader())
    assert met.dead_ends
    assert met.queue
    assert all(distance(atoms) >= 0.8 * LABELLED for atoms in met.queue)


class Guarded(Holes):
    """Holes that refuse an ion within 1.4 Å, as a potential's hard core does."""

    def evaluate(self, types, positions, cell):
        result = super().evaluate(types, positions, cell)
        atoms = Atoms(np.array(["Fe", "Na"])[types], positions, cell=cell, pbc=True)
        return replace(result, energy=np.inf) if np.sum(types) and distance(atoms) < 1.4 else result


def test_a_fall_that_the_model_refuses_is_kept_while_the_walker_stays_where_it_was():
    met = walk(Guarded(), near_cell(), temperature=900.0, retreats=200, sweeps=12)
    assert met.end == "through"
    assert {end.kind for end in met.dead_ends} == {"contact"}
    assert distance(met.safe) >= 0.8 * LABELLED


class Limp(Springs):
    """Springs without a cell: ``push`` eV per first volume pull it together or drive it apart."""

    def __init__(self, push):
        self.push = push

    def evaluate(self, types, positions, cell):
        result = super().evaluate(types, positions, cell)
        volume = np.linalg.det(cell) / LENGTH**3
        return replace(result, energy=result.energy - 30.0 * (volume - 1) ** 2 + self.push * volume)


@pytest.mark.parametrize(("push", "what"), [(-8.0, "blew up"), (8.0, "collapsed")])
def test_a_cell_that_runs_away_is_told_by_its_volume(push, what):
    """8 eV per volume is 300 kT: the walker goes one way only."""
    met = walk(Limp(push), host_cell(), sweeps=60, strain_amplitude=0.05, retreats=0)
    assert met.end == "lost"
    (end,) = met.dead_ends
    assert (end.kind, end.recovered) == ("cell", False)
    assert f"the cell {what}" in end.reason
    ratio = end.atoms.get_volume() / LENGTH**3
    assert ratio > 1.5 if push < 0 else ratio < 1 / 1.5


class Copper(EnergyModel):
    """Copper in effective medium theory, whose melting point lies near 1300 K; lithium is never inserted."""

    species = ("Cu", "Li")

    def energy(self, types, positions, cell):
        return self.evaluate(types, positions, cell).energy

    def evaluate(self, types, positions, cell):
        atoms = Atoms("Cu" * len(types), positions, cell=cell, pbc=True)
        atoms.calc = EMT()
        return Evaluation(atoms.get_potential_energy(), atoms.get_forces())


def test_a_framework_melts_in_the_heat_and_not_in_the_cold():
    """32 atoms of copper: 0.4 ps at 9000 K break the crystal, at 600 K they break no bond."""
    cell = HostCell(bulk("Cu", cubic=True, a=3.6) * (2, 2, 2), np.zeros((0, 3)), 32, "Li")
    known = Known(np.full((2, 2), np.inf), (40.0, 50.0))
    hot, cold = (
        walk(
            Copper(), cell, known=known, temperature=kelvin, retreats=0, sweeps=12, strain_amplitude=0.0,
            burst=BurstSettings(10, 4.0, metropolis=False), limits=DeadEndLimits(volume_factor=9.0),
        )
        for kelvin in (9000.0, 600.0)
    )  # fmt: skip
    (end,) = hot.dead_ends
    assert end.kind == "framework"
    assert "of its 192 bonds are more than 1.4 times as long" in end.reason
    assert (hot.end, cold.end, cold.dead_ends) == ("lost", "through", ())


def test_a_tilted_framework_is_not_molten():
    """Two atoms per cell turned about each other by 180°: far beyond Lindemann's measure, no bond broken."""
    cell = HostCell(
        Atoms(["C", "N"], [[0, 0, 0], [1.15, 0, 0]], cell=[6.0] * 3, pbc=True), SITES[:1], 1, "Na"
    )
    watch = Watch(cell, Known(np.full((3, 3), np.inf), (1.0, 1e4)), DeadEndLimits())

    class Names:
        species = ("C", "N", "Na")

        @staticmethod
        def energy(types, positions, cell):
            return 0.0

    atoms = cell.atoms([])
    start = Configuration.from_atoms(cell, atoms, Names())
    turned = replace(start, positions=np.array([[0, 0, 0], [-1.15, 0, 0]]))
    apart = replace(start, positions=np.array([[0, 0, 0], [1.7, 0, 0]]))
    assert watch.fault(turned) is None
    assert watch.fault(apart).kind == "framework"


def never_two(frames):
    """A reference calculator that does not converge for two ions."""
    return [frame.copy() for frame in frames if content(frame) != 2]


def test_a_structure_the_oracle_does_not_converge_for_is_kept_and_no_label_is_lost():
    state = learn(
        start_state(),
        walker_plans([host_cell()] * 5, [300.0]),
        label=never_two,
        refit=refit,
        settings=settings(rounds=6),
        tools=TOOLS,
    )
    failed = [end for end in state.dead_ends if end.kind == "label"]
    assert failed
    assert {content(end.atoms) for end in failed} == {2}
    assert {end.x for end in failed} == {2.0}
    assert sum(entry.failed for entry in state.history) == len(failed)
    assert {content(frame) for frame in state.training} == {0, 1, 3, 4}
    assert len(state.training) == 1 + state.labels
    assert not state.converged
    silent = learn(
        start_state(),
        walker_plans([host_cell()] * 5, [300.0]),
        label=lambda frames: [],
        refit=refit,
        settings=settings(rounds=2, oracle=False),
        tools=TOOLS,
    )
    assert silent.reason.startswith("there is no reference calculator for 2 selected structures; its last")
    assert all(end.kind != "label" for end in silent.dead_ends)
    assert all(entry.failed == 0 for entry in silent.history)


def deaf(frames, potential):
    """A fit that learns nothing of two ions."""
    return KnowsContents(frozenset({content(frame) for frame in frames} - {2}))


def test_a_region_in_which_labels_do_not_help_gets_no_more_of_them():
    """Two ions stay at grade 50 whatever is labelled: four rounds show it, the other contents go on."""
    state = learn(
        start_state(),
        walker_plans([host_cell()] * 5, [300.0]),
        label=list,
        refit=deaf,
        settings=settings(rounds=30, stopping=StoppingRule(stalled_rounds=4)),
        tools=TOOLS,
    )
    given_up = [end for end in state.dead_ends if end.kind == "extrapolation"]
    assert given_up
    assert {content(end.atoms) for end in given_up} == {2}
    assert "at x = 2 and " in given_up[0].reason
    assert "the largest grades of 4 rounds were 50, 50, 50, 50" in given_up[0].reason
    after = state.history[given_up[0].round :]
    volumes = {round(float(np.log(end.atoms.get_volume()) / 0.05 - 0.5)) for end in given_up}
    for entry in after:
        places = np.round(np.log(entry.queue.volume) / 0.05 - 0.5)
        in_it = (entry.queue.x == 2.0) & np.isin(places, list(volumes))
        assert not np.any(entry.chosen & in_it & (entry.round > max(end.round for end in given_up)))
    assert not state.converged
    assert len(state.history) < 30
    assert "no new structure could be labelled" in state.reason
    assert "no more labels were bought where they do not help: at x = 2" in state.reason


@dataclass(frozen=True)
class TwoIonsAreHard:
    """Grades two ions as told, everything else as known."""

    grade_of_two: float

    def grade(self, types, positions, cell, pbc):
        return self.grade_of_two if int(np.sum(types)) == 2 else 1.0


def test_a_region_is_opened_again_once_a_refit_knows_its_worst_structure():
    """Below ``stop`` (10) labels are bought there again, above they are not."""

    def next_round(state, grade):
        return learn_round(
            state,
            walker_plans([host_cell()] * 5, [300.0]),
            label=list,
            refit=refit,
            held_out=(),
            settings=settings(stopping=StoppingRule(few_selected=0, flat_errors=0.0)),
            seed=0,
            map_walkers=map,
            tools=replace(TOOLS, grader=lambda active, potential: TwoIonsAreHard(grade)),
        )

    free = next_round(start_state(), 50.0).history[-1]
    places = set(regions(free.queue))
    assert {x for x, _ in places} == {2.0} and free.labelled > 0
    worst = DeadEnd("extrapolation", "in vain", host_cell().atoms([0, 1]), 0, 0, 300.0, 2.0, True)
    given_up = replace(start_state(), given_up=dict.fromkeys(places, worst))
    deaf = next_round(given_up, 50.0)
    assert deaf.given_up.keys() == places
    assert (deaf.history[-1].labelled, deaf.history[-1].released) == (0, ())
    assert deaf.history[-1].queued > 0 and "in vain" in deaf.reason
    hearing = next_round(given_up, 5.0)
    assert hearing.given_up == {}
    assert hearing.history[-1].released == (worst,) * len(places)
    assert hearing.history[-1].labelled > 0
    assert met(hearing.history, hearing.given_up.values()).count("in vain") == 0


def test_limits_that_leave_no_room_are_refused():
    with pytest.raises(InputError, match=r"closest_pair 1\.2.* the first lies below 1"):
        DeadEndLimits(closest_pair=1.2)
    with pytest.raises(InputError, match=r"volume_factor 0\.9"):
        DeadEndLimits(volume_factor=0.9)
    with pytest.raises(InputError, match="broken_bonds 1 is no fraction"):
        DeadEndLimits(broken_bonds=1.0)
    with pytest.raises(InputError, match=r"at least 0, 0, 0 and 2"):
        StoppingRule(stalled_rounds=1)
    with pytest.raises(InputError, match=r"extreme_strain 0\.5"):
        ExplorationSettings(extreme_strain=0.5)


def test_a_potential_fitted_to_one_well_lets_an_ion_fall_and_is_watched():
    """A moment tensor potential of far too few labels, at 4000 K: its ion falls as far as its hard core."""
    cell, rng = near_cell(), np.random.default_rng(0)
    frames = []
    for _ in range(4):
        frame = cell.atoms([0])
        frame.positions += rng.normal(0, 0.05, frame.positions.shape)
        frames.append(frame)
    potential = fit(labelled(frames), level=6, cutoff=4.5, species=("Fe", "Na"), max_iterations=2)
    met = walk(
        PotentialModel(potential), cell, ions=1, temperature=4000.0, sweeps=40, retreats=0, filling=True,
        known=known_structures(frames, [cell], ("Fe", "Na")),
    )  # fmt: skip
    (end,) = met.dead_ends
    assert (end.kind, end.recovered, met.end) == ("contact", True, "through")
    core = potential.hard_core[0, 1]
    assert distance(end.atoms) < core < 0.8 * min(map(distance, frames))
    assert all(distance(atoms) > core for atoms in met.queue)
