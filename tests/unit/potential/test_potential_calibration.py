"""Error bars against errors: coverage, widening, and the members that both are made from."""

from dataclasses import replace

import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator
from potential_cases import random_crystal, random_potential
from scipy.stats import norm

from scalebridge.potential import FitSettings, calibrate_committee, evaluate_errors, fit_member, labels_of
from scalebridge.potential.calibration import calibrate
from scalebridge.potential.committee import bootstrap

SPECIES = ("Na", "O")
NORMAL = float(norm.ppf(0.95))


def labelled(seeds):
    truth = random_potential(8, SPECIES, seed=1)
    frames = []
    for seed in seeds:
        atoms = random_crystal(SPECIES, seed=seed)
        out = truth.compute(atoms)
        atoms.calc = SinglePointCalculator(atoms, energy=out.energy, forces=out.forces)
        frames.append(atoms)
    return frames


def test_each_error_is_covered_by_the_width_that_all_others_ask_for():
    """Two errors of 3 among three of 1: with its own help each would lie inside, alone it does not."""
    errors, deviations = np.array([1.0, -1.0, 1.0, 3.0, -3.0]), np.ones(5)
    found = calibrate(errors, NORMAL * deviations)
    assert found.scale == pytest.approx(np.sqrt(21 / 5))
    assert np.all(np.abs(errors) <= NORMAL * found.scale)
    assert found.widened_coverage == pytest.approx(0.6)
    assert found.coverage == pytest.approx(0.6)
    assert calibrate(errors, 3.1 * deviations).coverage == 1.0


def test_the_scale_is_one_for_errors_as_large_as_the_bars_say():
    """Of 4000 normal errors; the standard errors are 1.1 % of the scale and 0.5 % of the coverage."""
    random = np.random.default_rng(5)
    deviations = random.uniform(0.1, 3.0, 4000)
    found = calibrate(deviations * random.standard_normal(4000), NORMAL * deviations)
    assert found.scale == pytest.approx(1.0, abs=0.05)
    assert found.coverage == pytest.approx(0.9, abs=0.02)
    assert found.widened_coverage == pytest.approx(0.9, abs=0.02)
    half = calibrate(deviations * random.standard_normal(4000), 0.5 * NORMAL * deviations)
    assert half.scale == pytest.approx(2.0, abs=0.1)
    assert half.widened_coverage == pytest.approx(0.9, abs=0.02)


def test_exact_predictions_need_no_bar_and_one_error_no_calibration():
    assert calibrate(np.zeros(3), np.zeros(3)).scale == 0.0
    found = calibrate(np.array([1.0]), np.array([2.0]))
    assert found.coverage == 1.0
    assert np.isnan(found.widened_coverage)


def test_a_committee_is_measured_about_its_best_estimate():
    frames = labelled(range(5))
    report = evaluate_errors(random_potential(4, SPECIES), frames)
    spread = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    above, below = (
        replace(report, predicted_energies=report.predicted_energies + 100.0 + sign * spread / np.sqrt(2))
        for sign in (1, -1)
    )
    bars = np.array([6.31, 6.31, 6.31, 6.31, 6.32])  # Student's t, 95 %, one degree of freedom: 6.3138
    best = replace(report, predicted_energies=report.reference_energies + bars * spread)
    found = calibrate_committee([best, above, below])  # standard deviations are the spread
    assert found.coverage == pytest.approx(0.8)
    assert found.scale == pytest.approx(NORMAL, rel=1e-3)


def test_a_member_sees_its_sample_and_nothing_else():
    """The label of a structure it did not draw changes nothing, that of one it drew does."""
    frames, start = labelled(range(6)), random_potential(4, SPECIES, seed=2)
    labels, settings = labels_of(frames, SPECIES), FitSettings(max_iterations=0)
    counts = bootstrap(6, 0, 1)
    assert counts.sum() == 6
    assert 0 < np.count_nonzero(counts == 0) < 6

    def fitted(changed):
        other = [replace(x, energy=x.energy + 10.0 * (n == changed)) for n, x in enumerate(labels)]
        return fit_member(other, start, 1, settings=settings).potential.xi

    plain = fitted(-1)
    for index, count in enumerate(counts):
        assert np.array_equal(fitted(index), plain) == (count == 0)


def test_samples_differ_and_leave_out_a_share_of_one_in_e():
    """Of 20 samples of 200: e⁻¹ to within 0.03, seven standard errors."""
    samples = [bootstrap(200, 0, member) for member in range(1, 21)]
    assert all(sample.sum() == 200 for sample in samples)
    assert not np.array_equal(samples[0], samples[1])
    assert not np.array_equal(samples[0], bootstrap(200, 1, 1))
    assert np.mean(np.array(samples) == 0) == pytest.approx(np.exp(-1), abs=0.03)
