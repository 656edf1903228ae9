"""Screened nuclear repulsion: the universal law, smooth to its end, in every instruction set."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from potential_cases import random_crystal, random_potential

from scalebridge.potential import (
    FitSettings,
    Kernel,
    MomentTensorPotential,
    MTPCalculator,
    check_conformance,
    evaluate_errors,
    fit_report,
)
from scalebridge.potential._reference import compute_reference, seen_lengths

SPECIES = ("Na", "O")
OUTER = np.array([[3.0, 2.0], [2.0, 2.5]])


def repelling(level=6):
    return replace(random_potential(level, SPECIES, seed=1), hard_core=np.zeros((2, 2)), repulsion=OUTER)


def universal(first, second, r):
    """Ziegler, Biersack and Littmark (1985), written here a second time."""
    x = r * (first**0.23 + second**0.23) / (0.8854 * 0.529177210903)
    terms = ((0.18175, 3.1998), (0.50986, 0.94229), (0.28022, 0.4029), (0.02817, 0.20162))
    return 14.399645478 * first * second / r * sum(c * np.exp(-d * x) for c, d in terms)


def extra(potential, symbols, r):
    """Energy of a pair beyond that of the polynomial at the distance that it is told."""
    pair = Atoms(symbols, positions=[[0, 0, 0], [r, 0, 0]])
    return potential.compute(pair).energy - compute_reference(potential, pair).energy


@pytest.mark.parametrize(
    ("symbols", "charges", "outer"), [("Na2", (11, 11), 3.0), ("NaO", (11, 8), 2.0), ("O2", (8, 8), 2.5)]
)
def test_close_pairs_have_the_universal_energy_and_none_beyond_their_range(symbols, charges, outer):
    potential = repelling()
    for r in (0.05, 0.3, 0.59 * outer):
        assert extra(potential, symbols, r) == pytest.approx(universal(*charges, r), rel=1e-9)
    assert 0.05 * extra(potential, symbols, 0.05) == pytest.approx(0.05 * universal(*charges, 0.05))
    assert extra(potential, symbols, 0.8 * outer) == pytest.approx(0.5 * universal(*charges, 0.8 * outer))
    assert extra(potential, symbols, outer) == pytest.approx(0.0, abs=1e-12)
    # Third order to zero at the end: ten times closer, a thousand times smaller.
    near, nearer = (extra(potential, symbols, outer - d) for d in (1e-2, 1e-3))
    assert near / nearer == pytest.approx(1e3, rel=0.1)


@pytest.mark.parametrize(
    ("share", "seen", "slope"), [(0.3, 0.95, 0.0), (0.9, 0.95, 0.0), (0.95, 0.9578125, 0.5)]
)
def test_the_polynomial_stands_still_below_the_range(share, seen, slope):
    """The distance it is told falls to 0.95 of the range in the outermost tenth."""
    found = seen_lengths(np.array([share * 2.5, 2.5, 3.0]), np.array([2.5, 2.5, 2.5]))
    np.testing.assert_allclose(found, [[seen * 2.5, 2.5, 3.0], [slope, 1.0, 1.0]], rtol=1e-12)
    potential = repelling(8)
    for r in (0.5, share * 2.5, 2.4):
        atoms = Atoms("O2Na", positions=[[0, 0, 0], [r, 0, 0], [0.9, 2.9, 0.3]])
        expected = compute_reference(potential, atoms).energy + universal(8, 8, r) * gate(r / 2.5)
        assert potential.compute(atoms).energy == pytest.approx(expected, rel=1e-9)


def gate(share):
    t = min(1.0, max(0.0, (share - 0.6) / 0.4))
    return 1 - t**3 * (10 - 15 * t + 6 * t**2)


def test_nothing_falls_into_a_hole_of_the_polynomial():
    """A random polynomial dives to either side; with the repulsion a pair's energy rises to the nuclei."""
    symbols = "O2"
    for seed in range(6):
        potential = random_potential(10, SPECIES, seed=seed)
        potential = replace(potential, xi=20 * potential.xi, hard_core=np.zeros((2, 2)), repulsion=OUTER)
        distances = np.linspace(0.1, 2.5, 60)
        pairs = [Atoms(symbols, positions=[[0, 0, 0], [r, 0, 0]]) for r in distances]
        guarded = np.array([potential.compute(pair).energy for pair in pairs])
        bare = np.array([potential.polynomial().compute(pair).energy for pair in pairs])
        held = guarded[distances <= 0.9 * 2.5]
        assert (np.diff(held) < 0).all()
        if bare.min() < bare[-1] - 5.0:
            break
    else:
        pytest.fail("no polynomial had a hole")


def test_energies_forces_and_stress_belong_together():
    atoms = random_crystal(SPECIES, seed=3)
    assert np.any(atoms.get_all_distances(mic=True)[np.triu_indices(len(atoms), 1)] < 2.5)
    potential = repelling(8)
    assert potential.compute(atoms).energy > compute_reference(potential, atoms).energy + 0.1
    checks = check_conformance(lambda: MTPCalculator(potential), atoms, tolerance=1e-8)
    assert [check.rule for check in checks if not check.passed] == []
    assert potential.compute_energy(atoms) == pytest.approx(potential.compute(atoms).energy, rel=1e-12)


@pytest.mark.parametrize("threads", [1, 2])
def test_every_instruction_set_and_number_of_threads_agrees(threads):
    potential, atoms = repelling(8), random_crystal(SPECIES, seed=3).repeat((2, 1, 1))
    widest = Kernel(potential.kernel().parameters)
    place = (potential.types(atoms), atoms.positions, atoms.cell.array, atoms.pbc)
    expected = widest.evaluate(widest.configure(*place))
    for name in ("baseline", "avx2", "avx512"):
        kernel = Kernel(potential.kernel().parameters, instructions=name, threads=threads)
        try:
            found = kernel.evaluate(kernel.configure(*place))
        except Exception as error:  # the processor has no such instructions
            assert "not supported" in str(error)
            continue
        for one, two in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-11, atol=1e-11)


def test_files_keep_it_and_those_without_have_none(tmp_path):
    """To the last digit: a sixth decimal would move the edge of a hard core."""
    third = np.full((2, 2), 1 / 3)
    potential = replace(repelling(), hard_core=third, repulsion=np.array([[np.pi, np.e], [np.e, 2 / 3]]))
    for written in (potential, potential.without_hard_core(), potential.polynomial()):
        written.save(tmp_path / "pot.mtp")
        read = MomentTensorPotential.load(tmp_path / "pot.mtp")
        assert np.array_equal(read.repulsion, written.repulsion)
        assert np.array_equal(read.hard_core, written.hard_core)


def test_a_fit_with_repulsion_leaves_its_labels_alone_and_guards_what_lies_below():
    truth = random_potential(8, SPECIES, seed=1).polynomial()
    frames = []
    for seed in range(6):
        atoms = random_crystal(SPECIES, seed=seed)
        out = truth.compute(atoms)
        atoms.calc = SinglePointCalculator(atoms, energy=out.energy, forces=out.forces)
        frames.append(atoms)
    plain, guarded = (
        fit_report(frames, level=6, seed=1, settings=FitSettings(max_iterations=5, repulsion=repel)).potential
        for repel in (False, True)
    )
    assert np.array_equal(plain.radial, guarded.radial)
    assert evaluate_errors(plain, frames).force_rmse == evaluate_errors(guarded, frames).force_rmse
    assert np.all(guarded.repulsion > 0) and np.all(plain.repulsion == 0)
    assert np.all(guarded.hard_core <= 0.6 * guarded.repulsion)
    closest = float(guarded.repulsion[0, 1])
    assert extra(guarded, "NaO", 0.7 * closest) > 1.0


def test_a_fine_tuned_potential_keeps_the_ranges_of_its_start():
    """The labels of the start count although only new ones are at hand: none comes to lie inside a range."""
    frames = []
    for seed, scale in ((0, 0.9), (1, 1.1)):
        atoms = random_crystal(SPECIES, seed=seed)
        atoms.set_cell(scale * atoms.cell.array, scale_atoms=True)
        out = random_potential(8, SPECIES, seed=1).polynomial().compute(atoms)
        atoms.calc = SinglePointCalculator(atoms, energy=out.energy, forces=out.forces)
        frames.append(atoms)
    quick = FitSettings(max_iterations=1, repulsion=True)
    plain = FitSettings(max_iterations=1)
    dense = fit_report(frames[:1], level=4, settings=quick).potential
    sparse = fit_report(frames[1:], level=4, settings=quick).potential
    assert (dense.repulsion <= sparse.repulsion).all() and (dense.repulsion < sparse.repulsion).any()
    for settings in (quick, plain):
        tuned = fit_report(frames[1:], start=dense, settings=settings).potential
        np.testing.assert_array_equal(tuned.repulsion, dense.repulsion)
        np.testing.assert_array_equal(tuned.hard_core, dense.hard_core)
    bare = fit_report(frames[:1], level=4, settings=plain).potential
    tuned = fit_report(frames[1:], start=bare, settings=quick).potential
    assert (tuned.repulsion <= dense.repulsion + 1e-12).all() and (tuned.repulsion > 0).all()
    assert not fit_report(frames[1:], start=bare, settings=plain).potential.repulsion.any()
