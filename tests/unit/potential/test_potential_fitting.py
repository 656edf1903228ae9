from dataclasses import replace

import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator
from ase.neighborlist import neighbor_list
from ase.stress import full_3x3_to_voigt_6_stress
from potential_cases import random_crystal, random_potential

from scalebridge.foundation import SILENT, InputError
from scalebridge.potential import (
    FitSettings,
    FitWeights,
    MTPCalculator,
    evaluate_errors,
    fit,
    fit_committee,
    fit_member,
    fit_report,
    labels_of,
    read_cfg,
    write_cfg,
)
from scalebridge.potential._coordinates import coordinates
from scalebridge.potential._descent import COLD_ITERATIONS
from scalebridge.potential._linear import fold, solve_linear
from scalebridge.potential._objective import Objective, ValidationLoss
from scalebridge.potential.committee import bootstrap

SPECIES = ("Na", "O")


def labelled(potential, seeds, *, stress=True):
    frames = []
    for seed in seeds:
        atoms = random_crystal(SPECIES, seed=seed)
        out = potential.compute(atoms)
        results = {"energy": out.energy, "forces": out.forces}
        if stress:
            results["stress"] = full_3x3_to_voigt_6_stress(out.stress)
        atoms.calc = SinglePointCalculator(atoms, **results)
        frames.append(atoms)
    return frames


def test_linear_solution_is_the_regularised_least_squares_solution():
    random = np.random.default_rng(0)
    rows, targets = random.standard_normal((900, 5)), random.standard_normal(900)
    system = fold([(rows[:400], targets[:400]), (rows[400:], targets[400:])], 5)
    scales = system.column_norms
    np.testing.assert_allclose(scales, np.linalg.norm(rows, axis=0))
    for ridge in (1e-12, 0.3):
        solution = solve_linear(system, ridge, scales)
        normal = rows.T @ rows + ridge * np.diag(scales**2)
        np.testing.assert_allclose(
            solution.coefficients, np.linalg.solve(normal, rows.T @ targets), rtol=1e-9
        )
        singular = np.sqrt(np.linalg.eigvalsh(normal / np.outer(scales, scales)))
        assert solution.condition_number == pytest.approx(singular[-1] / singular[0], rel=1e-9)


def test_force_errors_by_species_add_up_to_the_whole():
    frames = labelled(random_potential(8, SPECIES, seed=1), range(3))
    errors = evaluate_errors(random_potential(6, SPECIES, seed=2), frames)
    assert list(errors.force_rmse_by_species) == ["Na", "O"]
    counts = np.array([np.sum(errors.symbols == symbol) for symbol in ("Na", "O")])
    squares = np.array(list(errors.force_rmse_by_species.values())) ** 2
    assert errors.force_rmse**2 == pytest.approx(np.sum(counts * squares) / counts.sum())
    sodium = errors.predicted_forces[errors.symbols == "Na"] - errors.reference_forces[errors.symbols == "Na"]
    assert errors.force_rmse_by_species["Na"] == pytest.approx(np.sqrt(np.mean(sodium**2)))


def test_a_weight_counts_a_structure_that_many_times(tmp_path):
    """Three times in the list or weight 3, also by way of MLIP's file."""
    frames = labelled(random_potential(8, SPECIES, seed=1), range(3))
    start = random_potential(6, SPECIES, seed=2)

    def point(structures):
        labels = labels_of(structures, SPECIES)
        objective = Objective(start, labels, np.ones(len(labels)), weights=FitWeights(), ridge=1e-6)
        return objective.point(start.radial)

    repeated = point([*frames, frames[0], frames[0]])
    unweighted = point(frames)
    frames[0].info["weight"] = 3
    write_cfg(tmp_path / "weighted.cfg", frames, species=SPECIES)
    for weighted in (point(frames), point(read_cfg(tmp_path / "weighted.cfg", species=SPECIES))):
        assert weighted.loss == pytest.approx(repeated.loss, rel=1e-7)
        assert weighted.loss != pytest.approx(unweighted.loss, rel=1e-2)
        scale = np.abs(repeated.gradient).max()
        np.testing.assert_allclose(weighted.gradient, repeated.gradient, atol=1e-6 * scale)


@pytest.mark.parametrize("weight", [-1.0, 0, "heavy", np.inf])
def test_a_weight_that_is_none_is_refused(weight):
    frames = labelled(random_potential(8, SPECIES, seed=1), range(2))
    frames[1].info["weight"] = weight
    with pytest.raises(InputError, match=r"structure 1 has the weight .* must be a positive number"):
        labels_of(frames, SPECIES)


def test_gradient_of_the_objective_with_a_prior_mean_equals_finite_differences():
    truth, start = random_potential(8, SPECIES, seed=1), random_potential(6, SPECIES, seed=2)
    labels = labels_of(labelled(truth, range(3)), SPECIES)
    objective = Objective(start, labels, np.ones(3), weights=FitWeights(), ridge=0.3, toward_start=True)
    random = np.random.default_rng(3)
    radial = start.radial + 0.1 * random.standard_normal(start.radial.shape)
    direction, step = random.standard_normal(radial.shape), 1e-5
    up, down = (objective.point(radial + sign * step * direction).value for sign in (1, -1))
    slope = float(np.sum(objective.point(radial).gradient * direction))
    assert (up - down) / (2 * step) == pytest.approx(slope, rel=1e-6)


def test_a_strong_prior_keeps_the_start_and_a_weak_one_lets_it_go():
    """Limits of the ridge: infinite, all coefficients are those of the start; none, the data decide."""
    start = random_potential(6, SPECIES, seed=2)
    frames = labelled(random_potential(6, SPECIES, seed=1), range(2))

    def fitted(ridge):
        settings = FitSettings(max_iterations=5, ridge=ridge, toward_start=True)
        return fit_report(frames, start=start, settings=settings)

    kept = fitted(1e10).potential
    np.testing.assert_allclose(kept.xi, start.xi, atol=1e-6)
    np.testing.assert_allclose(kept.offsets, start.offsets, atol=1e-6)
    np.testing.assert_allclose(kept.radial, start.radial, atol=1e-6)
    losses = [fitted(ridge).loss for ridge in (1e2, 1e-1, 1e-4)]
    assert losses[0] > 2 * losses[1] > 4 * losses[2]
    with pytest.raises(InputError, match="toward_start needs a fitted potential"):
        fit_report(frames, level=6, settings=FitSettings(toward_start=True))


def test_validation_ends_a_fit_that_learns_noise_and_returns_its_best_point():
    """Four noisy structures, many coefficients: the training loss falls on, the other one rises."""
    truth = random_potential(8, SPECIES, seed=1)
    frames, unseen = labelled(truth, range(4)), labelled(truth, range(10, 14))
    random = np.random.default_rng(0)
    for frame in frames:
        frame.calc.results["forces"] = frame.calc.results["forces"] + 0.01 * random.standard_normal(
            frame.positions.shape
        )
    settings = FitSettings(max_iterations=60, tolerance=0.0)
    free = fit_report(frames, level=10, seed=1, settings=settings)
    stopped = fit_report(frames, level=10, seed=1, settings=settings, validation=unseen)
    seen = stopped.validation_losses
    assert stopped.reason == "the validation loss no longer falls"
    assert len(seen) == len(stopped.losses) + 1 < len(free.losses)
    assert np.argmin(seen) == len(seen) - 11
    assert stopped.loss == stopped.losses[int(np.argmin(seen)) - 1] > free.loss

    labels = labels_of(unseen, SPECIES)
    loss = ValidationLoss(truth, labels, settings.weights).loss
    assert loss(stopped.potential.without_hard_core()) == pytest.approx(min(seen))
    assert loss(stopped.potential.without_hard_core()) < loss(free.potential.without_hard_core())
    assert loss(truth) < 1e-20


@pytest.mark.parametrize("rank", [None, 2])
def test_variables_of_the_descent_have_the_derivatives_they_hand_out(rank):
    """Any smooth function of the coefficients, here half their squared distance from others."""
    random = np.random.default_rng(2)
    radial = (random.standard_normal((4, 2)) @ random.standard_normal((2, 12))).reshape(2, 2, 3, 4)
    target = random.standard_normal(radial.shape)
    half = random.standard_normal((2, 24, 24))
    variables = coordinates(radial, half @ half.transpose(0, 2, 1) / 24, 1e-3, rank)
    np.testing.assert_allclose(variables.radial(np.zeros(variables.size)), radial, atol=1e-12)
    y, direction = (0.1 * random.standard_normal(variables.size) for _ in range(2))

    def value(at):
        return 0.5 * np.sum((variables.radial(at) - target) ** 2)

    slope = variables.pull(y, variables.radial(y) - target) @ direction
    numerical = (value(y + 1e-5 * direction) - value(y - 1e-5 * direction)) / 2e-5
    assert numerical == pytest.approx(slope, rel=1e-7)


def test_pairs_mix_as_many_radial_shapes_as_the_rank_and_the_fit_gains_by_more():
    frames = labelled(random_potential(8, SPECIES, seed=1), range(6))
    losses = []
    for rank in (1, 2, None):
        settings = FitSettings(max_iterations=25, tolerance=0.0, radial_rank=rank)
        report = fit_report(frames, level=8, seed=1, settings=settings)
        matrix = report.potential.radial.reshape(len(SPECIES) ** 2, -1)
        assert np.linalg.matrix_rank(matrix, tol=1e-9) == (rank or len(SPECIES) ** 2)
        assert report.losses[-1] < 0.7 * report.losses[0]
        losses.append(report.loss)
    assert losses[0] > losses[1] > losses[2]
    with pytest.raises(InputError, match="radial_rank 0 must be at least 1"):
        FitSettings(radial_rank=0)


def test_more_starting_points_never_end_the_first_stage_worse():
    frames = labelled(random_potential(8, SPECIES, seed=1), range(4))

    def loss(starts):
        settings = FitSettings(max_iterations=COLD_ITERATIONS, starts=starts)
        return fit_report(frames, level=6, seed=4, settings=settings).losses

    one, three = loss(1), loss(3)
    assert three[0] <= one[-1]
    with pytest.raises(InputError, match="starts 0"):
        FitSettings(starts=0)


def test_the_best_point_so_far_is_handed_out(monkeypatch):
    monkeypatch.setattr("scalebridge.potential._descent.SAVE_SECONDS", 0.0)
    frames = labelled(random_potential(8, SPECIES, seed=1), range(2))
    saved = []
    report = fit_report(frames, level=6, settings=FitSettings(max_iterations=4), save=saved.append)
    assert len(saved) >= len(report.losses)
    assert np.array_equal(saved[-1].radial, report.potential.radial)
    assert np.array_equal(saved[-1].hard_core, report.potential.hard_core)


@pytest.mark.parametrize("stress", [True, False])
def test_loss_gradient_equals_finite_differences(stress):
    truth = random_potential(8, SPECIES, seed=1)
    frames = labelled(truth, range(3), stress=stress)
    start = random_potential(8, SPECIES, seed=2)
    counts = np.array([1.0, 2.0, 0.0])
    objective = Objective(start, labels_of(frames, SPECIES), counts, weights=FitWeights(), ridge=1e-6)
    point = objective.point(start.radial)
    direction = np.random.default_rng(3).standard_normal(start.radial.shape)

    def central(step):
        return (
            objective.point(start.radial + step * direction).value
            - objective.point(start.radial - step * direction).value
        ) / (2 * step)

    step = 1e-3
    numeric = (4 * central(step / 2) - central(step)) / 3
    assert np.sum(point.gradient * direction) == pytest.approx(numeric, rel=1e-5)
    loss, gradient = objective.loss_gradient(point.potential)
    assert loss == pytest.approx(point.loss, rel=1e-12)
    np.testing.assert_array_equal(gradient, point.gradient)


def test_loss_is_that_of_the_definition():
    truth = random_potential(6, SPECIES, seed=1)
    frames = labelled(truth, range(2))
    other = random_potential(6, SPECIES, seed=2)
    weights = FitWeights(energy=0.7, force=0.2, stress=0.05)
    objective = Objective(other, labels_of(frames, SPECIES), np.ones(2), weights=weights, ridge=1e-10)
    expected = 0.0
    for atoms in frames:
        out, n = other.compute(atoms), len(atoms)
        stress = out.stress - atoms.get_stress(voigt=False)
        expected += 0.7 * (out.energy - atoms.get_potential_energy()) ** 2 / n / 2
        expected += 0.2 * np.sum((out.forces - atoms.get_forces()) ** 2) / 2
        expected += 0.05 * np.sum((atoms.get_volume() * stress) ** 2) / n / 2
    assert objective.loss_gradient(other)[0] == pytest.approx(expected, rel=1e-10)


def test_a_fit_recovers_a_potential_of_its_own_form():
    truth = random_potential(6, SPECIES, seed=1)
    train, held_out = labelled(truth, range(12)), labelled(truth, range(20, 24))
    spread = np.std([atoms.get_potential_energy() / len(atoms) for atoms in held_out])
    start = replace(
        truth, radial=truth.radial + 0.05 * np.random.default_rng(0).standard_normal(truth.radial.shape)
    )
    report = fit_report(train, start=start, settings=FitSettings(max_iterations=400, tolerance=1e-9))
    errors = evaluate_errors(report.potential, held_out)
    assert errors.energy_rmse < 1e-3 * spread
    assert errors.force_rmse < 1e-2 * np.std(errors.reference_forces)
    assert report.losses[-1] < 1e-4 * report.losses[0]
    assert 1.0 <= report.condition_number < 1e10


def test_a_fit_from_nothing_lowers_the_loss_and_is_reproducible():
    truth = random_potential(8, SPECIES, seed=1)
    train = labelled(truth, range(8))
    linear = fit_report(train, level=6, species=SPECIES, settings=FitSettings(max_iterations=0))
    report = fit_report(train, level=6, species=SPECIES, settings=FitSettings(max_iterations=15))
    assert report.loss < 0.7 * linear.loss
    assert list(report.losses) == sorted(report.losses, reverse=True)
    again = fit(train, level=6, species=SPECIES, max_iterations=15)
    np.testing.assert_array_equal(again.radial, report.potential.radial)
    other = fit(train, level=6, species=SPECIES, max_iterations=15, seed=1)
    assert np.abs(other.radial - again.radial).max() > 1e-3


def test_limits_and_warm_start():
    truth = random_potential(6, SPECIES, seed=1)
    train = labelled(truth, range(6))
    stopped = fit_report(train, level=6, settings=FitSettings(max_seconds=0.0))
    assert stopped.reason == "time limit"
    assert len(stopped.losses) == 1
    warm = fit_report(train, start=stopped.potential, settings=FitSettings(max_iterations=5))
    assert warm.loss < stopped.loss
    assert warm.potential.min_distance == stopped.potential.min_distance


def test_held_out_errors_are_reported():
    class Listener:
        def __init__(self):
            self.lines = []

        def task(self, description, total=None):
            return SILENT.task(description, total)

        def message(self, text):
            self.lines.append(text)

    truth = random_potential(6, SPECIES, seed=1)
    listener, held_out = Listener(), labelled(truth, [9])
    potential = fit(
        labelled(truth, range(3)), level=4, max_iterations=1, held_out=held_out, progress=listener
    )
    (line,) = listener.lines
    assert f"{1e3 * evaluate_errors(potential, held_out).energy_rmse:.2f} meV/atom" in line


def test_support_follows_the_data():
    truth = random_potential(6, SPECIES, seed=1)
    train = labelled(truth, range(4))
    potential = fit(train, level=4, max_iterations=1)
    shortest = np.full((2, 2), np.inf)
    for atoms in train:
        i, j, d = neighbor_list("ijd", atoms, 5.0)
        np.minimum.at(shortest, (potential.types(atoms)[i], potential.types(atoms)[j]), d)
    assert 0.8 * shortest.min() < potential.min_distance < shortest.min()
    assert (potential.hard_core < shortest).all()
    assert (potential.hard_core > 0.5).all()
    assert np.isfinite([potential.compute_energy(atoms) for atoms in train]).all()


def test_committee_members_differ_and_do_not_depend_on_each_other():
    truth = random_potential(8, SPECIES, seed=1)
    train = labelled(truth, range(8))
    start = fit(train, level=6, species=SPECIES, max_iterations=10)
    settings = FitSettings(max_iterations=3)
    members = fit_committee(train, start=start, members=2, seed=5, settings=settings)
    alone = fit_member(labels_of(train, SPECIES), start, 2, seed=5, settings=settings).potential
    np.testing.assert_array_equal(members[1].radial, alone.radial)
    probe = random_crystal(SPECIES, seed=40)
    energies = [potential.compute_energy(probe) for potential in (start, *members)]
    assert len({round(energy, 6) for energy in energies}) == 3
    counts = bootstrap(8, 5, 1)
    assert counts.sum() == 8 and (counts != bootstrap(8, 5, 2)).any()


def test_error_report_against_hand_computed_numbers():
    truth = random_potential(6, SPECIES, seed=1)
    frames = labelled(truth, range(3))
    errors = evaluate_errors(truth, frames)
    assert errors.energy_rmse < 1e-12 and errors.force_mae < 1e-12 and errors.stress_rmse < 1e-12
    shifted = truth.with_parameters(offsets=truth.offsets + 0.25)
    report = evaluate_errors(shifted, frames)
    assert report.energy_rmse == pytest.approx(0.25) and report.energy_mae == pytest.approx(0.25)
    assert report.reference_forces.shape == (sum(map(len, frames)), 3)
    without = evaluate_errors(truth, labelled(truth, range(2), stress=False))
    assert np.isnan(without.stress_rmse)


def test_the_calculator_gives_ase_what_it_asks_for(tmp_path):
    potential = random_potential(8, SPECIES)
    atoms = random_crystal(SPECIES)
    out = potential.compute(atoms)
    atoms.calc = MTPCalculator(potential)
    assert atoms.get_potential_energy() == atoms.get_potential_energy(force_consistent=True) == out.energy
    np.testing.assert_array_equal(atoms.get_forces(), out.forces)
    np.testing.assert_array_equal(atoms.get_potential_energies(), out.energies)
    np.testing.assert_allclose(atoms.get_stress(voigt=False), out.stress)
    atoms.positions[0, 0] += 0.1
    assert atoms.get_potential_energy() == potential.compute_energy(atoms)
    potential.save(tmp_path / "x.mtp")
    atoms.calc = MTPCalculator(tmp_path / "x.mtp")
    assert atoms.get_potential_energy() == potential.compute_energy(atoms)


def test_unusable_labels_are_refused():
    truth = random_potential(4, SPECIES)
    (good,) = labelled(truth, [0])
    with pytest.raises(InputError, match="no training structures"):
        fit([], level=4, species=SPECIES)
    with pytest.raises(InputError, match="structure 1 has no stored energy and forces"):
        fit([good, random_crystal(SPECIES)], level=4)
    with pytest.raises(InputError, match="structure 0 contains O"):
        fit([good], level=4, species=("Na",))
    broken = labelled(truth, [0])[0]
    broken.calc.results["forces"][0, 0] = np.nan
    with pytest.raises(InputError, match="not finite"):
        fit([broken], level=4)
    with pytest.raises(InputError, match="not all zero"):
        FitWeights(energy=0.0, force=0.0, stress=0.0)
    with pytest.raises(InputError, match="not negative"):
        FitWeights(energy=-1.0)
    with pytest.raises(InputError, match="max_iterations -1"):
        FitSettings(max_iterations=-1)
    with pytest.raises(InputError, match="member 0"):
        fit_member(labels_of([good], SPECIES), truth, 0)


def test_species_that_are_no_elements_are_refused():
    with pytest.raises(InputError, match="species Foo are no chemical symbols; give some like"):
        fit_report([random_crystal(SPECIES)], species=(*SPECIES, "Foo"))


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ({"energy": "x-1.0"}, "structure 0 has 'x-1.0' where numbers of its label should be"),
        ({"forces": "none"}, "structure 0 has 'none' where"),
        ({"energy": np.zeros(2)}, r"an energy of shape \(2,\)"),
        ({"stress": np.zeros(5)}, r"a stress of shape \(5,\)"),
    ],
)
def test_labels_that_are_no_numbers_are_refused(label, message):
    atoms = random_crystal(SPECIES)
    atoms.calc = SinglePointCalculator(atoms)
    atoms.calc.results = {"energy": 0.0, "forces": np.zeros((len(atoms), 3))} | label
    with pytest.raises(InputError, match=message):
        labels_of([atoms], SPECIES)
