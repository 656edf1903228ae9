"""What the stage ``learning`` makes of rounds: records, structures of dead ends, words."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from ase import Atoms
from ase.io import read

from scalebridge.pipeline.sections import LearningSection
from scalebridge.pipeline.stages.bursts import burst_settings
from scalebridge.pipeline.stages.learning import learning_settings
from scalebridge.pipeline.stages.learning_record import (
    MOST_VISITED,
    learning_coverage,
    name_dead_ends,
    save_dead_ends,
    training_coverage,
)
from scalebridge.sampling import BurstSettings, Coverage, DeadEnd, HostCell, LearningRound, LearningState


def dead_end(**changes: Any) -> DeadEnd:
    atoms = Atoms("CuLi", [[0, 0, 0], [1.0, 0, 0.25]], cell=[4.0, 5.0, 6.0], pbc=True)
    values = {
        "kind": "contact", "reason": 'an ion fell: Li and Cu are 1 Å "apart", no nearer', "atoms": atoms,
        "round": 1, "walker": 7, "temperature": 900.0, "x": 0.25, "recovered": False,
    }  # fmt: skip
    return DeadEnd(**cast(Any, values | changes))


def entry(number: int, *dead_ends: DeadEnd, visits: int = 3) -> LearningRound:
    grade = np.linspace(0.5, 4.0, visits)
    grade[visits // 3] = 77.0
    places = Coverage(np.linspace(0, 1, visits), np.full(visits, 64.0), grade)
    return LearningRound(
        round=number, training_size=10, visited=places, queue=places, chosen=grade > 3, learnt=grade > 3.5,
        walkers=2, restarted=0, broken_walkers=1, lost_walkers=1, loud_walkers=2, stuck_at=(), errors=None,
        dead_ends=dead_ends,
    )  # fmt: skip


def state(*rounds: LearningRound) -> LearningState:
    return LearningState(cast(Any, None), (), rounds)


def test_dead_ends_are_written_with_what_is_known_of_them(tmp_path: Path) -> None:
    assert save_dead_ends(tmp_path, state(entry(0))) == ((), None)
    ends = [dead_end(), dead_end(kind="label", reason="no label", recovered=True, x=1.0)]
    records, reference = save_dead_ends(tmp_path, state(entry(0), entry(1, *ends)))
    assert reference is not None
    frames = read(tmp_path / reference.name, index=":")
    assert len(frames) == len(records) == 2
    for frame, record, end in zip(frames, records, ends, strict=True):
        np.testing.assert_allclose(frame.positions, end.atoms.positions, atol=1e-8)
        np.testing.assert_allclose(frame.cell.array, end.atoms.cell.array, atol=1e-8)
        for name in ("kind", "reason", "round", "walker", "temperature", "x", "recovered"):
            assert frame.info[name] == getattr(record, name) == getattr(end, name)


def test_coverage_of_many_structures_is_thinned_and_keeps_the_largest_grade() -> None:
    whole, many = entry(0, visits=60), entry(0, visits=5000)
    assert len(learning_coverage(whole).visited_x) == 60
    thinned = learning_coverage(many)
    assert len(thinned.visited_x) <= MOST_VISITED
    assert thinned.visited_grade.max() == 77.0 == many.largest_grade
    assert len(thinned.queued_x) == 5000
    np.testing.assert_allclose(thinned.visited_volume, 64e-30)
    assert (thinned.visited_x.min(), thinned.visited_x.max()) == (0.0, 1.0)
    assert thinned.queued_learnt.sum() == many.labelled


def test_the_metal_has_no_place_in_the_map() -> None:
    cell = HostCell(Atoms("Cu4", cell=[4.0] * 3, pbc=True), np.eye(4, 3), 4, "Li")
    full = Atoms("Cu4Li2", cell=[4.0, 4.0, 5.0], pbc=True)
    x, volume = training_coverage([full, Atoms("Li2", cell=[3.0] * 3, pbc=True)], cell)
    assert x.tolist() == [0.5]
    np.testing.assert_allclose(volume, [20e-30])


def test_only_what_was_not_got_past_is_said() -> None:
    healed = state(entry(0, dead_end(round=0)), entry(1))
    assert name_dead_ends(healed) == []
    (text,) = name_dead_ends(state(entry(0), entry(1, dead_end(), dead_end(recovered=True))))
    assert text.startswith(
        "1 walkers of the last round of active learning were lost in dead ends; first, at 900 K"
    )
    stalled = dead_end(kind="extrapolation", reason="at x = 1 grades were 50", round=0, recovered=True)
    given_up = replace(state(entry(0, stalled), entry(1)), given_up={(1.0, 83): stalled})
    (text,) = name_dead_ends(given_up)
    assert "labels do not help in 1 regions" in text
    assert name_dead_ends(replace(given_up, given_up={})) == []  # opened again since


def test_every_key_of_the_section_reaches_the_loop() -> None:
    section = LearningSection(
        temperatures=(300.0,), save_grade=3.0, break_grade=12.0, extreme_strain=0.02, broken_walkers=1,
        few_selected=2, flat_errors=0.3, stalled_rounds=5, closest_pair=0.7, volume_factor=1.6,
        bond_stretch=1.7, broken_bonds=0.2, retreats=4, rounds=3, sweeps=9, trials=2, labels_per_round=11,
        label_budget=22, held_out_every=7, bursts="npt-isotropic",
    )  # fmt: skip
    recipe = type("Recipe", (), {"learning": section, "oracle": None})
    settings = learning_settings(cast(Any, recipe))
    assert not settings.oracle
    rule, exploration = settings.stopping, settings.exploration
    assert (rule.broken_walkers, rule.few_selected, rule.flat_errors, rule.stalled_rounds) == (1, 2, 0.3, 5)
    limits = exploration.limits
    assert (limits.closest_pair, limits.volume_factor) == (0.7, 1.6)
    assert (limits.bond_stretch, limits.broken_bonds) == (1.7, 0.2)
    assert (exploration.extreme_strain, exploration.retreats) == (0.02, 4)
    assert (exploration.save, exploration.stop) == (3.0, 12.0)
    assert (settings.rounds, settings.labels_per_round, settings.labels) == (3, 11, 22)
    assert (exploration.sweeps, exploration.trials) == (9, 2)
    assert settings.held_out_every == 7
    assert exploration.burst.langevin is not None and exploration.burst.langevin.cell == "isotropic"
    (said,) = exploration.approximations
    assert "rescaled stochastically (isotropic)" in said


def test_bursts_are_exact_unless_the_recipe_says_otherwise() -> None:
    assert burst_settings("hybrid") == BurstSettings() and BurstSettings().exact
    found = {kind: burst_settings(kind) for kind in ("langevin", "npt-isotropic", "npt")}
    assert not any(burst.exact for burst in found.values())
    assert {kind: burst.moves_cell for kind, burst in found.items()} == {
        "langevin": False,
        "npt-isotropic": True,
        "npt": True,
    }
