"""The fit of sampled free energies, against models solved exactly on the same number of sites."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic_ladders import independent_sites, ladder_of, mean_field, ring, ring_bulk_potential

from scalebridge.contracts import Provenance
from scalebridge.foundation import InputError, constants, random_stream
from scalebridge.sampling import Ladder
from scalebridge.thermodynamics import (
    FreeEnergySettings,
    Increments,
    choose_orders,
    fit_free_energy,
    fit_series,
    sampled_free_energy,
    solve_common_tangents,
    solve_spinodals,
)

KELVIN = 300.0
THERMAL_EV = constants.BOLTZMANN_EV * KELVIN
THERMAL = constants.BOLTZMANN * KELVIN
PROVENANCE = Provenance(code_version="test", recipe_hash="0")


def exact_increments(energies: np.ndarray, error: float = 1e-6) -> Increments:
    """Return the increments [kT] of exact F(N) [eV], mixing of the cell taken out."""
    sites = len(energies) - 1
    excess = (energies - independent_sites(sites, KELVIN)) / THERMAL_EV
    return Increments(np.arange(sites + 1) / sites, np.diff(excess), np.full(sites, error))


@pytest.mark.parametrize("sites", [4, 8, 16])
@pytest.mark.parametrize("omega", [-8.0, 0.0, 3.0])
def test_mean_field_lattice_gas_is_free_of_finite_size_error(sites: int, omega: float) -> None:
    data = exact_increments(mean_field(sites, KELVIN, omega, -1.2))
    fit = fit_series(data, 1)
    assert fit.slope == pytest.approx(-1.2 / THERMAL_EV, abs=1e-9)
    assert fit.interaction == pytest.approx([omega], abs=1e-9)
    assert not fit.constrained


def test_works_recover_a_regular_solution_within_their_errors() -> None:
    """χ² of (e1, L0) against the truth over 60 independent ladders.

    The 60 values are χ² with 2 degrees of freedom if errors are right: their mean has standard deviation
    2/√60 = 0.26; outside 2 ± 1.2 (4.6 σ) with probability below 1e-4. Seeds are fixed.
    """
    sites, omega, site_energy = 8, 3.5, -2.0
    truth = np.array([site_energy / THERMAL_EV, omega])
    energies = mean_field(sites, KELVIN, omega, site_energy)
    squares = []
    for trial in range(60):
        rng = random_stream(3, "works", trial)
        data = sampled_free_energy(ladder_of(energies, KELVIN, rng)).in_thermal_units(1e-4)
        fit = fit_series(data, 1, confidence=-np.inf)
        chords = 1 - (data.theta[1:] + data.theta[:-1])  # chord of θ(1−θ)
        design = np.column_stack([np.ones(sites), chords]) / data.error[:, None]
        deviation = np.array([fit.slope, fit.interaction[0]]) - truth
        squares.append(deviation @ (design.T @ design) @ deviation)
    assert np.mean(squares) == pytest.approx(2.0, abs=1.2)


def test_contract_of_a_committee_at_two_temperatures() -> None:
    """Offsets, metal, temperatures and members end where they belong; miscibility gap from noisy works.

    Standard errors of Ω here are about 0.1; the bounds are 6 standard errors. Seeds are fixed.
    """
    sites, metal = 16, np.array([-1.9, -1.95])
    kelvin, omegas = [300.0, 400.0], [3.0, 4.0]
    ladders = []
    for member, omega in enumerate(omegas):
        row = []
        for temperature in kelvin:
            rng = random_stream(4, "committee", member, int(temperature))
            energies = mean_field(sites, temperature, omega * 300.0 / temperature, -3.4 - 0.1 * member)
            row.append(halved(ladder_of(energies, temperature, rng)))
        ladders.append(row)
    found = fit_free_energy({"one": ladders}, metal, sites_per_formula_unit=2, provenance=PROVENANCE)
    (branch,) = found.branches
    assert branch.temperature.tolist() == kelvin
    assert found.validity.composition == (0.0, 2.0)
    assert branch.interaction.shape[:2] == (2, 2)
    interaction = branch.interaction[:, :, 0] / THERMAL
    assert interaction == pytest.approx(np.array([[3.0, 3.0], [4.0, 4.0]]), abs=0.6)
    slope = branch.slope / constants.EV
    assert slope == pytest.approx(np.array([[-1.5, -1.45], [-1.6, -1.55]]), abs=0.01)
    assert np.all(branch.offset == 0)
    (tangent,) = solve_common_tangents(found, 300.0, member=1)
    assert tangent.theta_low == pytest.approx(0.021, abs=0.02)
    assert tangent.theta_high == pytest.approx(0.979, abs=0.02)
    # sampled points lie on the fit within their errors
    for member in range(2):
        fitted = found.energy(branch.sampled_theta, 300.0, member=member)
        deviation = fitted - branch.sampled_energy[member, 0]
        assert np.all(np.abs(deviation) < 5 * branch.sampled_error[member, 0] + 1e-12 * THERMAL)
        rms = np.sqrt(np.mean(deviation**2))
        assert branch.fit_residual[member, 0] == pytest.approx(rms, rel=1e-6)


def halved(ladder: Ladder) -> Ladder:
    """Return the ladder as of a cell with two sites per formula unit."""
    return Ladder(ladder.temperature, ladder.n_sites, ladder.n_sites // 2, ladder.rungs)


def test_interacting_ring_converges_to_the_bulk_with_one_over_n() -> None:
    """Nearest-neighbour repulsion: what is left after the entropy is replaced vanishes as 1/n."""
    theta = np.array([0.15, 0.3, 0.5, 0.8])
    exact = ring_bulk_potential(theta, KELVIN, 1.5 * THERMAL_EV) / THERMAL_EV
    errors = []
    for sites in (16, 32, 64):
        fit = fit_series(exact_increments(ring(sites, KELVIN, 1.5 * THERMAL_EV)), 9)
        step = 1e-6
        slope = (fit.excess(theta + step) - fit.excess(theta - step)) / (2 * step)
        errors.append(np.abs(slope + np.log(theta / (1 - theta)) - exact).max())
    assert np.log2(errors[0] / errors[1]) == pytest.approx(1, abs=0.25)
    assert np.log2(errors[1] / errors[2]) == pytest.approx(1, abs=0.25)
    assert errors[0] < 0.15


def test_exact_ring_against_enumeration() -> None:
    """The test's own formula: all 2^10 states of ten sites."""
    sites, coupling = 10, 0.7 * THERMAL_EV
    states = (np.arange(2**sites)[:, None] >> np.arange(sites)) & 1
    energy = coupling * np.sum(states * np.roll(states, 1, axis=1), axis=1)
    for ions in range(sites + 1):
        chosen = energy[states.sum(axis=1) == ions]
        expected = -THERMAL_EV * np.logaddexp.reduce(-chosen / THERMAL_EV)
        assert ring(sites, KELVIN, coupling)[ions] == pytest.approx(expected, abs=1e-12)


def test_order_is_chosen_by_the_data() -> None:
    """A regular solution needs one coefficient; richer truths need more.

    The criterion takes one coefficient too many in some draws, by design; never one too few here, where the
    last one is 20 standard errors large. Seeds are fixed.
    """
    sites = 16
    theta = np.arange(sites + 1) / sites

    def data(coefficients: list[float], noise: float) -> list[Increments]:
        y = 1 - 2 * theta
        excess = theta * (1 - theta) * np.polynomial.polynomial.polyval(y, coefficients)
        rng = random_stream(5, "order", len(coefficients))
        return [
            Increments(theta, np.diff(excess) * sites + rng.normal(0, noise, sites), np.full(sites, noise))
            for _ in range(5)
        ]

    assert choose_orders(data([3.0], 0.05), 7) == 1
    assert choose_orders(data([3.0, -1.0, 2.0], 0.05), 7) in (3, 4)
    assert choose_orders(data([3.0, -1.0, 2.0], 0.05), 2) == 2
    assert choose_orders(data([3.0, 0.0, 0.0, 0.0, 4.0], 0.05), 7) in (5, 6)


def test_ordering_step_makes_no_false_gap() -> None:
    """A steep rise of μ at half filling (an ordered phase): plain polynomials overshoot into spinodals."""
    sites = 16
    middles = (np.arange(sites) + 0.5) / sites
    steep = Increments(
        np.arange(sites + 1) / sites, 12 * np.tanh((middles - 0.5) / 0.02), np.full(sites, 0.2)
    )
    fits = {orders: fit_series(steep, orders) for orders in (3, 5, 7)}
    plain = {orders: fit_series(steep, orders, confidence=-np.inf) for orders in (3, 5, 7)}
    theta = np.linspace(1e-4, 1 - 1e-4, 2001)
    for orders, fit in fits.items():
        assert least_curvature(plain[orders].interaction, theta) < -1.0
        assert least_curvature(fit.interaction, theta) > 0
        assert fit.constrained
        assert fit.chi_square >= plain[orders].chi_square


@pytest.mark.parametrize(
    ("name", "expected"), [("ideal", 0.0), ("repulsive", 0.0), ("ordering", 0.0), ("gap", 1.0)]
)
def test_gaps_are_found_and_not_invented_in_noise(name: str, expected: float) -> None:
    """Errors of 0.3 kT on 16 sites, 40 ladders each: no gap without one, always a gap at Ω = 4.

    Over 40 ladders at most 3 may go the other way; with these fixed seeds none does.
    """
    sites, noise = 16, 0.3
    theta = np.arange(sites + 1) / sites
    middles = (theta[1:] + theta[:-1]) / 2
    truth = {
        "ideal": 0 * middles,
        "repulsive": -20 * (1 - 2 * middles),
        "ordering": 23 / (1 + np.exp(-(middles - 0.5) / 0.05)),
        "gap": 4 * (1 - 2 * middles),
    }[name]
    grid = np.linspace(1e-3, 1 - 1e-3, 2001)
    found = []
    for trial in range(40):
        rng = random_stream(11, name, trial)
        data = [
            Increments(theta, truth + rng.normal(0, noise, sites), np.full(sites, noise)) for _ in range(3)
        ]
        fit = fit_series(data[0], choose_orders(data, 7))
        found.append(least_curvature(fit.interaction, grid) < 0)
    assert abs(np.mean(found) - expected) <= 3 / 40


def least_curvature(interaction: np.ndarray, theta: np.ndarray) -> float:
    return float(np.min(least_margin(interaction, theta) / (theta * (1 - theta))))


def least_margin(interaction: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """Return ∂²g/∂θ² times θ(1−θ) from polynomials multiplied out."""
    series = np.polynomial.Polynomial(interaction)(np.polynomial.Polynomial([1, -2]))
    excess = np.polynomial.Polynomial([0, 1, -1]) * series
    return 1 + theta * (1 - theta) * excess.deriv(2)(theta)


def test_constrained_fit_satisfies_the_optimality_conditions() -> None:
    """Any convex move away from the solution raises χ²: compared with random feasible neighbours."""
    rng = random_stream(6, "optimality")
    sites = 10
    data = Increments(
        np.arange(sites + 1) / sites,
        10 * np.tanh((np.arange(sites) + 0.5 - sites / 2) / 0.4) + rng.normal(0, 0.1, sites),
        np.full(sites, 0.2),
    )
    fit = fit_series(data, 4)
    assert fit.constrained
    y = 1 - 2 * data.theta
    columns = (1 - y[:, None] ** 2) / 4 * y[:, None] ** np.arange(4)
    design = np.column_stack([np.ones(sites), np.diff(columns, axis=0) * sites]) / data.error[:, None]
    found = np.array([fit.slope, *fit.interaction])
    grid = (np.arange(800) + 0.5) / 800
    best = fit.chi_square
    tried = 0
    for scale in (0.01, 0.1, 1.0):
        for _ in range(400):
            other = found + rng.normal(size=5) * scale
            other[1:] *= 1 - scale * rng.random()  # towards the ideal mixture, which is convex
            if np.min(least_margin(other[1:], grid)) > 0.02:
                tried += 1
                residual = design @ other - data.value / data.error
                assert residual @ residual >= best - 1e-6
    assert tried > 20


def test_true_gap_survives_the_constraint() -> None:
    data = exact_increments(mean_field(16, KELVIN, 4.0, -1.0), error=0.1)
    fit = fit_series(data, 5)
    assert fit.interaction == pytest.approx([4.0, 0, 0, 0, 0], abs=1e-8)
    assert not fit.constrained


def test_ladder_that_starts_inside_is_tied_to_its_fit() -> None:
    energies = mean_field(12, KELVIN, 2.5, -1.0)
    whole = ladder_of(energies, KELVIN, random_stream(7, "part"), works=200)
    part = Ladder(KELVIN, 12, 12, whole.rungs[4:11])
    found = fit_free_energy({"rich": [[part]]}, [0.0], sites_per_formula_unit=1, provenance=PROVENANCE)
    (branch,) = found.branches
    assert found.validity.composition == pytest.approx((4 / 12, 10 / 12))
    start = found.energy(branch.sampled_theta[:1], KELVIN)
    assert branch.sampled_energy[0, 0, 0] == pytest.approx(start[0], rel=1e-9)
    assert branch.sampled_error[0, 0, 0] == 0


def test_two_branches_take_their_offsets() -> None:
    poor = [[ladder_of(mean_field(8, KELVIN, 0.5, -1.0), KELVIN, random_stream(8, "poor"))]]
    rich = [[ladder_of(mean_field(8, KELVIN, 0.5, -1.2), KELVIN, random_stream(8, "rich"))]]
    found = fit_free_energy(
        {"poor": poor, "rich": rich},
        [-1.0],
        sites_per_formula_unit=1,
        provenance=PROVENANCE,
        offsets={"rich": np.array([[0.1]])},
    )
    ends = [float(found.energy(np.array([0.0]), KELVIN, branch=number)[0]) for number in (0, 1)]
    assert np.array(ends) / constants.EV == pytest.approx([0.0, 0.1], abs=1e-12)
    (tangent,) = solve_common_tangents(found, KELVIN)
    assert (tangent.branch_low, tangent.branch_high) == (0, 1)


def test_thin_statistics_and_missed_structure_are_said() -> None:
    rng = random_stream(9, "remarks")
    thin = ladder_of(mean_field(8, KELVIN, 1.0, -1.0), KELVIN, rng, works=6, spread=5.0)
    found = fit_free_energy({"one": [[thin]]}, [0.0], sites_per_formula_unit=1, provenance=PROVENANCE)
    assert any("more sweeps" in remark for remark in found.validity.remarks)
    steps = 20 * THERMAL_EV * (np.arange(16) % 4 == 0)
    energies = independent_sites(16, KELVIN) + np.concatenate([[0.0], np.cumsum(steps)])
    rough = ladder_of(energies, KELVIN, rng)
    found = fit_free_energy({"one": [[rough]]}, [0.0], sites_per_formula_unit=1, provenance=PROVENANCE)
    assert any("ordering steps are smoothed" in remark for remark in found.validity.remarks)
    quiet = ladder_of(mean_field(8, KELVIN, 1.0, -1.0), KELVIN, rng)
    found = fit_free_energy({"one": [[quiet]]}, [0.0], sites_per_formula_unit=1, provenance=PROVENANCE)
    assert found.validity.remarks == ()
    assert solve_spinodals(found, KELVIN) == ()
    loose = replace(quiet, approximations=("bursts were not accepted",))
    found = fit_free_energy({"one": [[loose]]}, [0.0], sites_per_formula_unit=1, provenance=PROVENANCE)
    assert found.validity.remarks == ("free energy of 'one': bursts were not accepted",)


def test_bad_grids_are_refused() -> None:
    rng = random_stream(10, "bad")
    good = ladder_of(mean_field(8, KELVIN, 1.0, -1.0), KELVIN, rng)
    hot = ladder_of(mean_field(8, 400.0, 1.0, -1.0), 400.0, rng)
    gapped = Ladder(KELVIN, 8, 8, good.rungs[:3] + good.rungs[4:])
    for ladders, sites, message in (
        ([[good], [hot]], 1, "same temperatures and contents"),
        ([[hot, good]], 1, "temperatures must rise"),
        ([[gapped]], 1, "not consecutive contents"),
        ([[good]], 2, "the host has 2 per formula unit"),
        ([], 1, "has no ladders"),
        ([[Ladder(KELVIN, 8, 8, good.rungs[:3])]], 1, "sample at least 4"),
    ):
        with pytest.raises(InputError, match=message):
            metal = [0.0] * (len(ladders[0]) if ladders else 1)
            fit_free_energy({"one": ladders}, metal, sites_per_formula_unit=sites, provenance=PROVENANCE)
    with pytest.raises(InputError, match="at least 1"):
        FreeEnergySettings(maximum_order=0)
    with pytest.raises(InputError, match="use 1 … 7 coefficients"):
        fit_series(exact_increments(mean_field(8, KELVIN, 1.0, 0.0)), 8)
