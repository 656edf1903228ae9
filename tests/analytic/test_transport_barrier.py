"""Barriers and attempt frequencies against a two-dimensional cosine potential and independent formulas."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT

from scalebridge.foundation import ConvergenceError, InputError, constants
from scalebridge.transport import (
    BarrierSettings,
    attempt_frequency,
    dip_depth,
    mode_eigenvalues,
    path_frequency,
    solve_barrier,
    solve_hessian,
    solve_stationary_point,
    updated_hessian,
)

A, BARRIER, STIFF_Z = 3.0, 0.4, 2.0


class Cosine(Calculator):
    """E = (E_b/2) Σ_{x,y} [1 − cos(2π r/a)] + ½ k z²: minima on a square lattice, saddles between."""

    implemented_properties = ("energy", "forces")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        x = self.atoms.positions
        phase = 2 * np.pi * x[:, :2] / A
        self.results["energy"] = float(
            0.5 * BARRIER * (1 - np.cos(phase)).sum() + 0.5 * STIFF_Z * (x[:, 2] ** 2).sum()
        )
        forces = np.zeros_like(x)
        forces[:, :2] = -0.5 * BARRIER * 2 * np.pi / A * np.sin(phase)
        forces[:, 2] = -STIFF_Z * x[:, 2]
        self.results["forces"] = forces


def test_cosine_saddle_and_vineyard_prefactor():
    atom = Atoms("Na", positions=[[0.1, 0.05, 0.1]], cell=[20, 20, 20], pbc=True)
    minimum = solve_stationary_point(atom, Cosine, order=0, translations=False)
    top = Atoms("Na", positions=[[A / 2 - 0.2, 0.1, 0.05]], cell=[20, 20, 20], pbc=True)
    saddle = solve_stationary_point(top, Cosine, order=1, translations=False)
    assert saddle.energy - minimum.energy == pytest.approx(BARRIER, abs=1e-6)
    np.testing.assert_allclose(saddle.atoms.positions[0], [A / 2, 0, 0], atol=1e-3)
    # All transverse modes are the same at minimum and saddle: ν = sqrt(k/m)/2π with k = ½ E_b (2π/a)².
    mass = atom.get_masses()[0]
    k = 0.5 * BARRIER * (2 * np.pi / A) ** 2 * constants.EV / constants.ANGSTROM**2
    expected = np.sqrt(k / (mass * constants.ATOMIC_MASS)) / (2 * np.pi) * 1e-15
    assert attempt_frequency(minimum.eigenvalues, saddle.eigenvalues) == pytest.approx(expected, rel=1e-3)


def test_frequency_along_a_path():
    atom = Atoms("Na", positions=[[0, 0, 0]], cell=[20, 20, 20], pbc=True)
    minimum = solve_stationary_point(atom, Cosine, order=0, translations=False)
    along_z = path_frequency(minimum, np.array([[0, 0, 2.0]]), Cosine)
    expected = np.sqrt(STIFF_Z / atom.get_masses()[0]) / (2 * np.pi) * constants.FEMTOSECOND
    assert along_z == pytest.approx(expected, rel=1e-6)


def test_rigid_translations_are_projected_out():
    # Two atoms on a spring: one stretching mode with ω² = k/μ, and three translations dropped.
    k, masses = 5.0, np.array([2.0, 3.0])
    hessian = np.zeros((6, 6))
    hessian[np.ix_([0, 3], [0, 3])] = k * np.array([[1, -1], [-1, 1]])
    values, modes = mode_eigenvalues(hessian, masses)
    assert values.shape == (3,)
    assert values.max() == pytest.approx(k / (2 * 3 / 5), rel=1e-12)
    np.testing.assert_allclose(np.sort(values)[:2], 0, atol=1e-12)
    np.testing.assert_allclose(modes.T @ modes, np.eye(3), atol=1e-12)


def test_hessian_of_a_crystal_obeys_the_sum_rule():
    atoms = bulk("Cu", cubic=True)
    hessian = solve_hessian(atoms, EMT)
    assert np.abs(hessian.reshape(12, 4, 3).sum(axis=1)).max() < 1e-4 * np.abs(hessian).max()


def test_vacancy_hop_in_copper_has_the_symmetric_saddle():
    crystal = bulk("Cu", cubic=True).repeat(2)
    mover, vacancy = 1, 0
    vector = crystal.get_distance(mover, vacancy, mic=True, vector=True)
    start = crystal.copy()
    del start[vacancy]
    barrier = solve_barrier(start, mover - 1, vector, EMT, settings=BarrierSettings(images=5))
    reverse_barrier = barrier.saddle_energy - barrier.end_energy
    assert barrier.forward == pytest.approx(reverse_barrier, abs=2e-3)
    assert not barrier.metastable
    # Independent value: the ion held half-way by symmetry, everything else relaxed.
    from ase.constraints import FixAtoms
    from ase.optimize import BFGS

    middle = start.copy()
    middle.positions[mover - 1] += 0.5 * np.asarray(vector)
    middle.set_constraint(FixAtoms([mover - 1]))
    middle.calc = EMT()
    BFGS(middle, logfile=None).run(fmax=1e-3, steps=200)
    assert barrier.saddle_energy == pytest.approx(middle.get_potential_energy(), abs=2e-3)
    assert 1e-3 < barrier.attempt_frequency < 3e-2
    assert barrier.rate(300) == pytest.approx(
        barrier.attempt_frequency * np.exp(-barrier.forward / (constants.BOLTZMANN_EV * 300))
    )


def test_a_dip_between_two_maxima_is_found():
    assert dip_depth(np.array([0.0, 0.3, 0.1, 0.25, 0.0])) == pytest.approx(0.15)
    assert dip_depth(np.array([0.0, 0.1, 0.3, 0.1, -0.2])) == 0.0


def test_updated_hessian_obeys_the_secant_condition_and_finds_a_quadratic():
    rng = np.random.default_rng(2)
    true = rng.normal(size=(5, 5))
    true = true + true.T
    guess = np.eye(5)
    for _ in range(60):
        move = rng.normal(size=5)
        guess = updated_hessian(guess, move, true @ move)
        np.testing.assert_allclose(guess @ move, true @ move, atol=1e-9)
        np.testing.assert_allclose(guess, guess.T, atol=1e-9)
    np.testing.assert_allclose(guess, true, atol=1e-6)


def test_saddles_beside_a_metastable_site_are_found():
    # Interstitial in palladium: the middle of the path is a minimum by symmetry, with saddles on both sides.
    crystal = bulk("Pd", "fcc", a=3.9, cubic=True).repeat(2)
    start = crystal + Atoms("H", positions=[[1.95, 0, 0]])
    settings = BarrierSettings(images=5, metastable_depth=0.002, end_trials=1)
    barrier = solve_barrier(start, len(crystal), np.array([-1.95, 1.95, 0]), EMT, settings=settings)
    assert barrier.metastable
    # Above the middle image, which is the top of the images themselves.
    assert barrier.forward > barrier.path_energies.max() + 5e-3


def test_saddle_with_two_unstable_modes_is_refused():
    with pytest.raises(ConvergenceError, match="needs exactly 1"):
        attempt_frequency(np.ones(3), np.array([-1.0, -1.0, 1.0]))
    with pytest.raises(ConvergenceError, match="not stable"):
        attempt_frequency(np.array([-0.1, 1.0]), np.array([-1.0, 1.0]))


def test_a_path_through_an_atom_is_refused():
    crystal = bulk("Cu", cubic=True).repeat(2)
    start = crystal.copy()
    del start[0]
    with pytest.raises((InputError, ConvergenceError), match=r"Å"):
        solve_barrier(start, 0, np.array([0.1, 0.1, 0.0]), EMT, what="hop 3")


class HardCosine(Cosine):
    """No energy between the sites, as in a potential's hard core; the forces there are not numbers."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        if abs(self.atoms.positions[0, 0] - A / 2) < 0.2 * A:
            self.results["energy"] = np.inf
            self.results["forces"] = np.full((1, 3), np.nan)


def test_a_band_that_leaves_the_potential_does_not_converge():
    atom = Atoms("Na", positions=[[0.0, 0.0, 0.0]], cell=[20, 20, 20], pbc=True)
    with pytest.raises(ConvergenceError, match="hop 4: an image of the band came where the potential has no"):
        solve_barrier(atom, 0, np.array([A, 0.0, 0.0]), HardCosine, what="hop 4")
