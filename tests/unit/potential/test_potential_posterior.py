"""The linear posterior against the laws it must obey; seeds are fixed."""

from dataclasses import replace

import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator
from potential_cases import random_crystal, random_potential
from scipy.stats import chi2

from scalebridge.foundation import InputError
from scalebridge.potential import FitSettings, fit_report, linear_posterior

SPECIES = ("Na", "O")
SETTINGS = FitSettings(max_iterations=0, ridge=1e-14)


def noisy(potential, seeds, sigma):
    """Labels with noise of the weighted rows' standard deviation ``sigma``/√K, as the loss assumes it."""
    frames = []
    for seed in seeds:
        atoms = random_crystal(SPECIES, seed=seed)
        out = potential.without_hard_core().compute(atoms)
        random = np.random.default_rng(1000 + seed)
        weights = SETTINGS.weights
        energy = out.energy + sigma * np.sqrt(len(atoms) / weights.energy) * random.standard_normal()
        forces = out.forces + sigma / np.sqrt(weights.force) * random.standard_normal(out.forces.shape)
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
        frames.append(atoms)
    return frames


def test_the_true_coefficients_lie_where_the_posterior_says():
    """Mahalanobis distances of the truth follow χ²; each bound fails with probability 1e-4."""
    truth = random_potential(6, SPECIES, seed=1)
    n = len(truth.xi) + len(truth.offsets)
    distances = []
    for repeat in range(20):
        frames = noisy(truth, range(100 * repeat, 100 * repeat + 8), 1e-3)
        potential = fit_report(frames, start=truth, settings=SETTINGS).potential
        posterior = linear_posterior(frames, potential=potential, settings=SETTINGS)
        missed = np.concatenate([potential.xi - truth.xi, potential.offsets - truth.offsets])
        distances.append(np.sum((posterior.factor @ missed) ** 2))
    assert chi2.cdf(np.sum(distances), 20 * n) == pytest.approx(0.5, abs=0.4999)


def test_draws_spread_as_the_posterior_predicts():
    """Standard deviations of 400 draws within 20 % of the analytic ones: 5.6 standard errors each."""
    truth = random_potential(6, SPECIES, seed=1)
    frames = noisy(truth, range(8), 1e-2)
    potential = fit_report(frames, start=truth, settings=SETTINGS).potential
    posterior = linear_posterior(frames, potential=potential, settings=SETTINGS)
    others = [random_crystal(SPECIES, seed=seed) for seed in range(50, 53)]
    members = posterior.draw(400, seed=3)
    energies = [[member.without_hard_core().compute(a).energy / len(a) for a in others] for member in members]
    np.testing.assert_allclose(np.std(energies, axis=0), posterior.energy_deviation(others), rtol=0.2)
    again = posterior.draw(2, seed=3)
    assert all(np.array_equal(one.xi, two.xi) for one, two in zip(members, again, strict=False))
    assert np.array_equal(members[0].radial, potential.radial)


def test_draws_are_as_wide_as_the_calibration_says():
    truth = random_potential(6, SPECIES, seed=1)
    plain = linear_posterior(noisy(truth, range(4), 1e-2), potential=truth, settings=SETTINGS)
    for one, three in zip(plain.draw(3), replace(plain, scale=3.0).draw(3), strict=True):
        assert np.abs(one.xi - truth.xi).max() > 0
        np.testing.assert_allclose(three.xi - truth.xi, 3 * (one.xi - truth.xi), rtol=1e-9, atol=1e-15)
        np.testing.assert_allclose(
            three.offsets - truth.offsets, 3 * (one.offsets - truth.offsets), rtol=1e-9, atol=1e-13
        )


def test_calibration_widens_a_posterior_that_does_not_know_its_form_is_too_small():
    """A level-4 fit to level-10 labels: the residual is no noise, yet the calibrated band covers 90 %.

    Of 40 unseen structures, 28 or more lie inside with probability 1 − 3e-5 at a true coverage of 0.9.
    """
    truth = random_potential(10, SPECIES, seed=1)
    labelled, held_out, unseen = (
        noisy(truth, seeds, 0.0) for seeds in (range(12), range(100, 120), range(200, 240))
    )
    settings = FitSettings(max_iterations=20)
    potential = fit_report(labelled, level=4, settings=settings).potential
    plain = linear_posterior(labelled, potential=potential, settings=settings)
    wide = linear_posterior(labelled, potential=potential, settings=settings, held_out=held_out)
    assert plain.scale == 1.0
    assert np.isnan(plain.coverage)
    assert wide.scale > 1.5
    np.testing.assert_allclose(
        wide.energy_deviation(unseen), wide.scale * plain.energy_deviation(unseen), rtol=1e-12
    )
    smooth = potential.without_hard_core()
    errors = [abs(smooth.compute(a).energy - a.get_potential_energy()) / len(a) for a in unseen]
    assert np.sum(errors <= 1.645 * wide.energy_deviation(unseen)) >= 28
    errors = [smooth.compute(a).energy - a.get_potential_energy() for a in held_out]
    ratios = np.square(np.array(errors) / [len(a) for a in held_out] / plain.energy_deviation(held_out))
    left_out = [np.delete(ratios, n).mean() for n in range(len(ratios))]
    assert wide.coverage == np.mean(ratios <= 2.705543 * np.array(left_out))
    assert wide.scale == pytest.approx(np.sqrt(ratios.mean()), rel=1e-9)
    assert 0.7 <= wide.coverage <= 1.0


def test_too_few_structures_or_members_are_refused():
    truth = random_potential(6, SPECIES, seed=1)
    frames = noisy(truth, range(4), 1e-3)
    with pytest.raises(InputError, match="4 held-out structures cannot calibrate"):
        linear_posterior(frames, potential=truth, held_out=frames)
    with pytest.raises(InputError, match="members 0 is not positive"):
        linear_posterior(frames, potential=truth).draw(0)
