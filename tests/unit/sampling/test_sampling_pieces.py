"""Configurations, settings, the kernel adapter's contract, messages."""

import numpy as np
import pytest
from ase import Atoms

from scalebridge.foundation import InputError
from scalebridge.sampling import (
    BurstSettings,
    Change,
    Configuration,
    EnergyModel,
    Ensemble,
    Evaluation,
    GrandCanonicalSettings,
    GrandCanonicalWalker,
    HostCell,
    LadderSettings,
    LadderTask,
    MoveCount,
    SiteDensity,
    SwitchSettings,
    Template,
    deletion_trial,
    displacement_move,
    hybrid_burst,
    insertion_trial,
    ladder_tasks,
    relocation_trial,
    sampling_masses,
    strain_move,
)


class Refusing(EnergyModel):
    """Zero energy, but ions closer than 1 Å to the framework atom are refused."""

    species = ("Fe", "Na")

    def energy(self, types, positions, cell):
        return self.evaluate(types, positions, cell).energy

    def evaluate(self, types, positions, cell):
        ions, iron = positions[types == 1], positions[types == 0]
        scaled = (ions[:, None] - iron[None]) @ np.linalg.inv(cell)
        distances = np.linalg.norm((scaled - np.rint(scaled)) @ cell, axis=-1)
        return Evaluation(np.inf if np.any(distances < 1.0) else 0.0, np.zeros_like(positions))


def host_cell(site=(0.5, 0.5, 0.5)):
    framework = Atoms(["Fe"], positions=[[0, 0, 0]], cell=[6.0] * 3, pbc=True)
    return HostCell(framework, np.array([site]), 1, "Na")


def ensemble(width=0.2):
    return Ensemble(Refusing(), 300.0, np.array([50.0, 10.0]), SiteDensity(width))


def start(cell, occupied=()):
    return Configuration.from_atoms(cell, cell.atoms(list(occupied)), Refusing())


@pytest.mark.parametrize("steps", [0, 4])
def test_insertions_onto_a_refused_place_have_infinite_work(steps):
    configuration = start(host_cell(site=(0.01, 0.0, 0.0)))
    rng = np.random.default_rng(0)
    trial = insertion_trial(configuration, ensemble(0.05), SwitchSettings(steps), rng)
    assert trial.work == np.inf
    assert trial.configuration is None


def test_a_refused_start_is_named():
    with pytest.raises(InputError, match="the model refuses it"):
        start(host_cell(site=(0.01, 0.0, 0.0)), [0])


def test_nothing_to_delete_or_move_in_an_empty_cell():
    configuration, rng = start(host_cell()), np.random.default_rng(0)
    for attempt in (deletion_trial, relocation_trial):
        assert attempt(configuration, ensemble(), SwitchSettings(), rng).work == np.inf


def test_refused_bursts_leave_the_state():
    configuration = start(host_cell(site=(0.2, 0.0, 0.0)), [0])
    rng = np.random.default_rng(1)
    settings = BurstSettings(steps=1, timestep=3000.0, metropolis=False)
    outcomes = [hybrid_burst(configuration, ensemble(), settings, rng) for _ in range(300)]
    refused = [move for move in outcomes if not move.accepted]
    assert refused
    assert all(move.configuration is configuration for move in refused)


def test_trials_and_moves_do_not_touch_the_old_state():
    configuration, rng = start(host_cell(), [0]), np.random.default_rng(2)
    positions, cell = configuration.positions.copy(), configuration.cell.copy()
    hybrid_burst(configuration, ensemble(), BurstSettings(), rng)
    strain_move(configuration, ensemble(), 0.1, rng)
    for attempt in (insertion_trial, deletion_trial, relocation_trial):
        attempt(configuration, ensemble(), SwitchSettings(3), rng)
    assert np.array_equal(configuration.positions, positions)
    assert np.array_equal(configuration.cell, cell)


def test_sites_follow_cell_and_framework_drift():
    configuration = start(host_cell(), [0])
    shifted = configuration.positions + np.array([0.3, -0.2, 7.0])
    template = configuration.template
    assert np.allclose(template.centres(shifted, configuration.cell), [[3.3, 2.8, 10.0]])
    strain = np.diag([1.1, 1.0, 0.9])
    assert np.allclose(
        template.centres(configuration.positions @ strain, configuration.cell @ strain), [[3.3, 3.0, 2.7]]
    )


def test_a_model_without_the_species_is_refused():
    with pytest.raises(InputError, match="contains Fe, Na"):
        Template.from_cell(host_cell(), ("C", "N"))


def test_atoms_must_be_framework_then_ions():
    cell = host_cell()
    with pytest.raises(InputError, match="followed by ions"):
        Configuration.from_atoms(cell, cell.atoms([0])[::-1], Refusing())


def test_masses_make_frameworks_heavy_and_ions_light():
    masses = sampling_masses(("C", "Fe", "Na"), "Na", {"C": 33.0})
    assert masses[0] == 33.0
    assert masses[1] == pytest.approx(55.845)
    assert masses[2] == 12.0


def test_counts():
    count = MoveCount().add(True).add(False)
    assert (count.attempted, count.accepted, count.rate) == (2, 1, 0.5)
    assert MoveCount().rate == 0.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SiteDensity(width=0.0), "width 0 Å"),
        (lambda: SiteDensity(uniform_fraction=1.5), "uniform fraction 1.5"),
        (lambda: BurstSettings(steps=0), "burst of 0 steps"),
        (lambda: SwitchSettings(steps=-1), "switching of -1 steps"),
        (lambda: LadderSettings(sweeps=0), "0 sweeps"),
        (lambda: GrandCanonicalSettings(weights={"teleport": 1.0}), "teleport"),
        (lambda: Ensemble(Refusing(), -1.0, np.ones(2), SiteDensity()), "temperature -1 K"),
        (lambda: Ensemble(Refusing(), 300.0, np.ones(3), SiteDensity()), "one per species"),
        (lambda: LadderTask(Refusing(), (host_cell(),) * 3, 0, 300.0), "rungs 0 … 2"),
        (lambda: LadderTask(Refusing(), (), 0, 300.0), "at least one rung"),
        (lambda: ladder_tasks(Refusing(), [host_cell()], 300.0), "give 2"),
        (lambda: ladder_tasks(Refusing(), [host_cell()] * 2, 300.0, parts=2), "2 parts"),
    ],
)
def test_bad_settings_are_refused_with_the_value(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_a_walker_counts_its_moves():
    settings = GrandCanonicalSettings(
        weights={"burst": 1, "volume": 1, "strain": 1, "exchange": 2, "relocation": 1}
    )
    walker = GrandCanonicalWalker(ensemble(), -0.1, settings)
    state, rng = walker.init(start(host_cell())), np.random.default_rng(3)
    for _ in range(120):
        state = walker.step(state, rng)
    assert set(state.counts) == {"burst", "volume", "strain", "insertion", "deletion", "relocation"}
    assert sum(count.attempted for count in state.counts.values()) == 120


class Counting(Refusing):
    """Zero energy; counts how often the energies of single atoms are made anew."""

    def __init__(self):
        self.made = 0

    def changes(self, types, positions, cell):
        self.made += 1
        return super().changes(types, positions, cell)


def test_accepted_changes_hand_on_the_energies_of_atoms():
    """A walk of bare moves makes them once; a state that comes back, and every burst, makes them anew."""
    model = Counting()
    surroundings = Ensemble(model, 300.0, np.array([50.0, 10.0]), SiteDensity(0.2))
    cell, rng = host_cell(), np.random.default_rng(0)
    first = configuration = Configuration.from_atoms(cell, cell.atoms([]), model)
    bare = SwitchSettings(0)
    for attempt in (insertion_trial, insertion_trial, relocation_trial, deletion_trial, insertion_trial):
        trial = attempt(configuration, surroundings, bare, rng)
        configuration = trial.configuration
        move = displacement_move(configuration, surroundings, 0.1, rng)
        assert move.accepted
        held = model.changes(move.configuration.types, move.configuration.positions, configuration.cell)
        configuration = move.configuration
        configuration.energy_after(model, Change())
        own = configuration._held.shared.changes
        assert np.array_equal(own.types, held.types)
        assert np.array_equal(own.positions, configuration.positions)
    assert model.made == 1 + 5
    first.energy_after(model, Change())
    assert model.made == 2 + 5
    burst = hybrid_burst(configuration, surroundings, BurstSettings(), rng).configuration
    burst.energy_after(model, Change())
    assert model.made == 3 + 5


def test_of_two_children_of_a_state_one_inherits():
    model = Counting()
    surroundings = Ensemble(model, 300.0, np.array([50.0, 10.0]), SiteDensity(0.2))
    cell, rng = host_cell(), np.random.default_rng(0)
    parent = Configuration.from_atoms(cell, cell.atoms([0]), model)
    children = [insertion_trial(parent, surroundings, SwitchSettings(0), rng).configuration for _ in range(2)]
    assert model.made == 1
    for child in children:
        child.energy_after(model, Change())
        held = child._held.shared.changes
        assert np.array_equal(held.positions, child.positions)
    assert model.made == 2
    grandchild = children[0].after_change(Change(removed=2), children[0].positions[:2], 0.0)
    unasked = grandchild.after_change(Change(removed=1), children[0].positions[:1], 0.0)
    unasked.energy_after(model, Change())
    assert len(unasked._held.shared.changes.positions) == 1
