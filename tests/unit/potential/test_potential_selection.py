import pickle
from dataclasses import replace
from itertools import combinations

import ase.io
import numpy as np
import pytest
from potential_cases import random_crystal, random_potential

from scalebridge.foundation import InputError
from scalebridge.potential import ActiveSet, Grader, Kernel, extrapolation_grades, select
from scalebridge.potential._maxvol import START, first_equal, maximise_volume, regularised_start

SPECIES = ("Na", "O")


def test_small_cases_reach_a_locally_and_here_globally_largest_volume():
    """With columns of one constant entry the best pair of rows is the pair of extremes: exact."""
    rows = np.stack([np.ones(7), np.array([0.3, -2.0, 0.1, 5.0, 4.9, -1.9, 0.0])], axis=1)
    square = maximise_volume(regularised_start(2, 1e-3), rows, np.arange(7), tolerance=1.0 + 1e-12)
    best = max(combinations(range(7), 2), key=lambda pair: abs(np.linalg.det(rows[list(pair)])))
    assert set(square.origin.tolist()) == set(best) == {1, 3}


def test_volume_beats_random_subsets_and_grades_are_bounded():
    random = np.random.default_rng(0)
    rows = random.standard_normal((300, 12)) * np.geomspace(1.0, 1e-2, 12)
    square = maximise_volume(regularised_start(12, 1e-6), rows, np.arange(300), tolerance=1.001)
    assert (square.origin != START).all()
    np.testing.assert_array_equal(square.matrix, rows[square.origin])
    np.testing.assert_allclose(square.matrix @ square.inverse, np.eye(12), atol=1e-10)
    assert square.grades(rows).max() <= 1.001 + 1e-10
    others = [np.linalg.slogdet(rows[random.choice(300, 12, replace=False)])[1] for _ in range(500)]
    assert square.log_volume() > max(others)


def test_fewer_rows_than_columns_and_dependent_columns():
    random = np.random.default_rng(1)
    rows = random.standard_normal((3, 8))
    square = maximise_volume(regularised_start(8, 1e-4), rows, np.arange(3))
    assert square.n_selected == 3
    assert square.grades(rows).max() <= 1.001 + 1e-9
    assert square.grades(random.standard_normal((1, 8)))[0] > 100.0
    dependent = random.standard_normal((50, 4)) @ random.standard_normal((4, 8))
    square = maximise_volume(regularised_start(8, 1e-4), dependent, np.arange(50))
    assert square.n_selected == 4
    assert square.grades(dependent[:1] + dependent[1:2])[0] < 3.0


@pytest.mark.parametrize("kind", ["neighbourhood", "configuration"])
def test_training_structures_never_extrapolate(kind):
    potential = random_potential(6, SPECIES)
    frames = [random_crystal(SPECIES, seed=seed) for seed in range(5)]
    active = ActiveSet.from_frames(potential, frames, kind=kind)
    assert extrapolation_grades(potential, active, frames).max() <= 1.001 + 1e-6
    strange = random_crystal(SPECIES, seed=77)
    strange.set_cell(0.8 * strange.cell.array, scale_atoms=True)
    assert active.grade(potential, strange) > 2.0
    n_rows = len(strange) if kind == "neighbourhood" else 1
    assert active.grades(potential, strange).shape == (n_rows,)


def test_the_grader_of_plain_arrays_gives_the_same():
    potential = random_potential(6, SPECIES)
    active = ActiveSet.from_frames(potential, [random_crystal(SPECIES, seed=seed) for seed in range(3)])
    atoms = random_crystal(SPECIES, seed=9)
    grader = pickle.loads(pickle.dumps(active.grader(potential)))
    arrays = (potential.types(atoms), atoms.positions, atoms.cell.array, atoms.pbc)
    np.testing.assert_allclose(grader.grades(*arrays), active.grades(potential, atoms), rtol=1e-4)
    assert grader.grade(*arrays) == pytest.approx(active.grade(potential, atoms), rel=1e-4)


@pytest.mark.parametrize("species", [("Na",), SPECIES, ("Na", "Mn", "Fe", "C", "N")])
@pytest.mark.parametrize("instructions", ["avx512", "avx2", "baseline"])
def test_grades_on_the_way_of_forces_change_neither(species, instructions):
    potential = random_potential(8, species)
    active = ActiveSet.from_frames(potential, [random_crystal(species, seed=seed) for seed in range(3)])
    atoms = random_crystal(species, seed=9)
    try:
        kernel = Kernel(potential.kernel().parameters, instructions=instructions, threads=2)
        configuration = kernel.configure(potential.types(atoms), atoms.positions, atoms.cell.array, atoms.pbc)
    except InputError:
        pytest.skip(f"this processor has no {instructions}")
    grader = Grader(kernel, active.grader(potential).inverses)
    *physics, grades = grader.evaluate(configuration)
    for found, expected in zip(physics, kernel.evaluate(configuration), strict=True):
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(grades, grader.grades_of(configuration))
    np.testing.assert_allclose(grades, active.grades(potential, atoms), rtol=1e-4)


def test_a_grader_wants_one_square_inverse_for_each_species():
    potential = random_potential(4, SPECIES)
    atoms = random_crystal(SPECIES)
    arrays = (potential.types(atoms), atoms.positions, atoms.cell.array, atoms.pbc)
    with pytest.raises(InputError, match="1 inverses for 2 species"):
        Grader(potential.kernel(), (np.eye(3),)).grades(*arrays)
    with pytest.raises(InputError, match=r"shape \(P, P\) with P ="):
        Grader(potential.kernel(), (np.eye(3), np.eye(3))).grades(*arrays)


def test_copies_in_disguise_are_not_taken_either():
    """Translated, rotated, renumbered, repeated and moved by lattice vectors: the same neighbourhoods."""
    potential = random_potential(6, SPECIES)
    known = [random_crystal(SPECIES, seed=seed) for seed in range(2)]
    strange = random_crystal(SPECIES, seed=50)
    strange.set_cell(0.85 * strange.cell.array, scale_atoms=True)
    moved, turned, wrapped = strange.copy(), strange.copy(), strange.copy()
    moved.positions += [0.3, -1.7, 0.9]
    turned.rotate(33.0, (1.0, 2.0, 3.0), rotate_cell=True)
    wrapped.positions[::2] += strange.cell.array[1]
    renumbered = strange[np.random.default_rng(0).permutation(len(strange))]
    copies = [strange, moved, turned, wrapped, renumbered, strange.repeat((2, 1, 1))]
    early = ActiveSet.from_frames(potential, known)
    assert len(select(potential, early, copies)) == 1
    later = ActiveSet.from_frames(potential, [*known, strange])
    assert select(potential, later, copies) == []


def test_a_turned_copy_is_one_after_a_file_with_eight_decimals(tmp_path):
    potential = random_potential(10, SPECIES)
    known = [random_crystal(SPECIES, seed=seed) for seed in range(2)]
    copies = []
    for seed in range(50, 58):
        strange = random_crystal(SPECIES, seed=seed)
        strange.set_cell((0.85 + 0.01 * (seed - 50)) * strange.cell.array, scale_atoms=True)
        turned = strange.copy()
        turned.rotate(37.0, (1.0, 2.0, 3.0), rotate_cell=True)
        copies += [strange, turned, strange.repeat((1, 2, 1))]
    ase.io.write(tmp_path / "copies.extxyz", copies)
    chosen = select(
        potential, ActiveSet.from_frames(potential, known), ase.io.read(tmp_path / "copies.extxyz", ":")
    )
    assert len(chosen) > 4
    assert all(index % 3 == 0 for index in chosen)


def test_equal_rows_are_found_among_many_and_almost_equal_ones_are_not():
    random = np.random.default_rng(2)
    once = random.standard_normal((400, 20)) * np.geomspace(1e-6, 1.0, 20)
    copies = once[:300] * (1.0 + 2e-7 * random.uniform(-1, 1, (300, 20)))
    other = once[:100].copy()
    other[:, 7] += 3e-6 * np.abs(once[:, 7]).max()
    found = first_equal(np.vstack([once, copies, other]))
    np.testing.assert_array_equal(found, [*range(400), *range(300), *range(700, 800)])
    np.testing.assert_array_equal(first_equal(np.zeros((3, 2))), [0, 0, 0])
    assert len(first_equal(np.zeros((0, 4)))) == 0


def test_columns_of_rounding_alone_hide_no_copy():
    rows = np.array([[1.0, 2.0, 1e-17], [1.0, 2.0, -3e-17], [1.0, 2.1, 0.0]])
    np.testing.assert_array_equal(first_equal(rows), [0, 0, 2])


def test_a_limit_keeps_the_largest_grades():
    potential = random_potential(4, SPECIES)
    active = ActiveSet.from_frames(potential, [random_crystal(SPECIES, seed=seed) for seed in range(3)])
    many = [random_crystal(SPECIES, seed=seed) for seed in range(60, 80)]
    every = select(potential, active, many)
    grades = extrapolation_grades(potential, active, many)
    assert len(every) > 3
    expected = sorted(sorted(every, key=lambda n: -grades[n])[:3])
    assert select(potential, active, many, limit=3) == expected
    assert grades[expected].min() > max(grades[n] for n in every if n not in expected)
    assert select(potential, active, many, limit=0) == []


def test_selection_takes_what_is_new_and_nothing_twice():
    potential = random_potential(4, SPECIES)
    known = [random_crystal(SPECIES, seed=seed) for seed in range(3)]
    active = ActiveSet.from_frames(potential, known)
    strange = random_crystal(SPECIES, seed=50)
    strange.set_cell(0.85 * strange.cell.array, scale_atoms=True)
    candidates = [known[0], strange, known[1], strange.copy()]
    chosen = select(potential, active, candidates)
    assert chosen in ([1], [3])
    after = ActiveSet.from_frames(potential, [*known, strange])
    assert select(potential, after, candidates) == []
    assert select(potential, active, []) == []
    many = [random_crystal(SPECIES, seed=seed) for seed in range(60, 80)]
    every = select(potential, active, many)
    assert len(every) > 3
    assert set(select(potential, active, many, limit=3)) <= set(every)
    assert len(select(potential, active, many, limit=3)) == 3


def test_updating_bounds_the_grades_of_what_was_offered():
    potential = random_potential(4, SPECIES)
    active = ActiveSet.from_frames(potential, [random_crystal(SPECIES, seed=seed) for seed in range(2)])
    fresh = [random_crystal(SPECIES, seed=seed) for seed in range(30, 36)]
    assert extrapolation_grades(potential, active, fresh).max() > 1.5
    after = active.updated(potential, fresh, first_index=2)
    assert extrapolation_grades(potential, after, fresh).max() <= 1.001 + 1e-6
    assert max(after.members) < 8


def test_misuse_is_refused():
    potential = random_potential(4, SPECIES)
    frames = [random_crystal(SPECIES)]
    active = ActiveSet.from_frames(potential, frames)
    other = potential.with_parameters(xi=2.0 * potential.xi)
    basis = potential.basis
    swapped = replace(basis, scalars=basis.scalars[::-1].copy())
    others = (
        other,
        replace(potential, scaling=2 * potential.scaling),
        replace(potential, species=("O", "Na")),
        replace(potential, basis=swapped),
        replace(potential, basis=replace(basis, products=basis.products * [1, 1, 2, 1])),
        replace(potential, min_distance=1.1),
    )
    for other in others:
        with pytest.raises(InputError, match="belongs to another potential"):
            active.grade(other, frames[0])
    with pytest.raises(InputError, match="no structures"):
        ActiveSet.from_frames(potential, [])
    with pytest.raises(InputError, match=r"threshold 0\.5 is below 1"):
        select(potential, active, frames, threshold=0.5)
    for threshold in (np.nan, np.inf):
        with pytest.raises(InputError, match=f"threshold {threshold} is not a finite number"):
            select(potential, active, frames, threshold=threshold)
    with pytest.raises(InputError, match="limit -1 is negative"):
        select(potential, active, frames, limit=-1)
    with pytest.raises(InputError, match="kind 'rows' is unknown"):
        ActiveSet.from_frames(potential, frames, kind="rows")


def test_atoms_without_an_energy_are_beyond_all_grades():
    potential = replace(random_potential(6, SPECIES), hard_core=np.full((2, 2), 0.8))
    active = ActiveSet.from_frames(potential, [random_crystal(SPECIES, seed=seed) for seed in range(3)])
    atoms = random_crystal(SPECIES, seed=9)
    atoms.positions[1] = atoms.positions[0] + [0.5, 0.0, 0.0]
    grades = active.grader(potential).grades(
        potential.types(atoms), atoms.positions, atoms.cell.array, atoms.pbc
    )
    assert np.isinf(grades[:2]).all() and np.isfinite(grades[2:]).all()
