"""Common tangents, spinodals and voltage against closed forms."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import expit

from scalebridge.contracts import FreeEnergyBranch, HomogeneousFreeEnergy, Provenance
from scalebridge.foundation import InputError, constants
from scalebridge.thermodynamics import (
    lower_hull,
    solve_common_tangents,
    solve_isotherm,
    solve_spinodals,
)

KELVIN = 298.0
THERMAL = constants.BOLTZMANN * KELVIN
PROVENANCE = Provenance(code_version="test", recipe_hash="0")

# Ω, spinodal, binodal: ½ − √(¼ − 1/(2Ω)) and the root of ln(x/(1−x)) = Ω(2x−1)
REGULAR_SOLUTIONS = [
    (2.5, 0.276393, 0.144794),
    (3.0, 0.211325, 0.070720),
    (4.0, 0.146447, 0.021248),
    (4.5, 0.127322, 0.012252),
    (5.0, 0.112702, 0.007188),
]


def branch(
    interaction: Sequence[float], *, offset: float = 0.0, slope: float = 0.0, name: str = "one"
) -> FreeEnergyBranch:
    """Return a branch of one member and temperature; coefficients in kT."""
    zero = np.zeros((1, 1, 1))
    return FreeEnergyBranch(
        name=name,
        temperature=np.array([KELVIN]),
        offset=np.array([[offset]]) * THERMAL,
        slope=np.array([[slope]]) * THERMAL,
        interaction=np.array([[interaction]], dtype=float) * THERMAL,
        sampled_theta=np.array([0.5]),
        sampled_energy=zero,
        sampled_error=zero,
        fit_residual=np.zeros((1, 1)),
    )


def free_energy(*branches: FreeEnergyBranch, sites: int = 1, charge: int = 1) -> HomogeneousFreeEnergy:
    return HomogeneousFreeEnergy(
        provenance=PROVENANCE, sites_per_formula_unit=sites, ion_charge=charge, branches=branches
    )


@pytest.mark.parametrize(("omega", "spinodal", "binodal"), REGULAR_SOLUTIONS)
@pytest.mark.parametrize(("offset", "slope"), [(0.0, 0.0), (3.0, -130.0)])
def test_regular_solution(omega: float, spinodal: float, binodal: float, offset: float, slope: float) -> None:
    energy = free_energy(branch([omega], offset=offset, slope=slope))
    (tangent,) = solve_common_tangents(energy, KELVIN)
    exact = expit(brentq(lambda u: u - omega * np.tanh(u / 2), -60, -1e-3, xtol=1e-14))
    assert exact == pytest.approx(binodal, abs=5.1e-7)
    assert tangent.theta_low == pytest.approx(exact, abs=1e-9)
    assert tangent.theta_high == pytest.approx(1 - exact, abs=1e-9)
    assert tangent.chemical_potential / THERMAL == pytest.approx(slope, abs=1e-9)
    ((low, high),) = solve_spinodals(energy, KELVIN)
    assert low == pytest.approx(0.5 - np.sqrt(0.25 - 0.5 / omega), abs=1e-11)
    assert low == pytest.approx(spinodal, abs=5.1e-7)
    assert high == pytest.approx(1 - low, abs=1e-11)


@pytest.mark.parametrize("omega", [12.0, 20.0, 60.0, 300.0])
def test_binodals_far_below_the_grid_keep_their_digits(omega: float) -> None:
    (tangent,) = solve_common_tangents(free_energy(branch([omega], slope=-5.0)), KELVIN)
    # ln(x/(1−x)) = Ω(2x−1) by fixed-point iteration, which converges at once for small x
    x = np.exp(-omega)
    for _ in range(20):
        x = expit(omega * (2 * x - 1))
    assert tangent.theta_low == pytest.approx(x, rel=1e-6)
    assert 1 - tangent.theta_high == pytest.approx(x, abs=1e-12)
    assert tangent.chemical_potential / THERMAL == pytest.approx(-5.0, abs=1e-9)


@pytest.mark.parametrize("omega", [-10.0, 0.0, 1.9, 2.0])
def test_convex_free_energy_has_no_gap(omega: float) -> None:
    energy = free_energy(branch([omega], offset=7.0, slope=-110.0))
    assert solve_common_tangents(energy, KELVIN) == ()
    assert solve_spinodals(energy, KELVIN) == ()


def test_weak_gap_near_the_critical_point() -> None:
    # x = ½ ∓ √(3(Ω−2)/8)·(1 + O(Ω−2)) near Ω = 2
    (tangent,) = solve_common_tangents(free_energy(branch([2.001])), KELVIN)
    width = tangent.theta_high - tangent.theta_low
    assert width / 2 == pytest.approx(np.sqrt(3 * 0.001 / 8), rel=2e-3)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), orders=st.integers(1, 7), size=st.floats(0.5, 12.0))
def test_tangents_support_any_free_energy_from_below(seed: int, orders: int, size: float) -> None:
    """Equal potentials and intercepts at both ends; no point of g below the convexified g; gaps disjoint."""
    coefficients = np.random.default_rng(seed).normal(size=orders) * size
    energy = free_energy(branch(coefficients.tolist(), slope=-90.0))
    tangents = solve_common_tangents(energy, KELVIN)
    theta = np.linspace(0, 1, 5001)
    g = energy.energy(theta, KELVIN) / THERMAL
    for tangent in tangents:
        ends = np.clip(np.array([tangent.theta_low, tangent.theta_high]), 1e-300, 1 - 1e-16)
        values = energy.energy(ends, KELVIN) / THERMAL
        slope = tangent.chemical_potential / THERMAL
        assert values[1] - values[0] == pytest.approx(slope * (ends[1] - ends[0]), abs=1e-8)
        assert np.all(g >= values[0] + slope * (theta - ends[0]) - 1e-8)
        assert np.all(energy.curvature(ends, KELVIN) > 0)
    edges = [edge for tangent in tangents for edge in (tangent.theta_low, tangent.theta_high)]
    assert edges == sorted(edges)
    # every unstable interval lies inside one gap
    for low, high in solve_spinodals(energy, KELVIN):
        assert any(t.theta_low <= low and high <= t.theta_high for t in tangents)


def test_two_gaps_of_an_ordered_half_filled_phase() -> None:
    # deep well at θ = ½: symmetric gaps on both sides, opposite potentials
    energy = free_energy(branch([-6.0, 0.0, 40.0]))
    first, second = solve_common_tangents(energy, KELVIN)
    assert first.theta_high < 0.5 < second.theta_low
    assert first.theta_low + second.theta_high == pytest.approx(1, abs=1e-9)
    assert first.chemical_potential == pytest.approx(-second.chemical_potential, rel=1e-9)
    assert len(solve_spinodals(energy, KELVIN)) == 2


def test_two_ideal_branches_have_an_exact_tangent() -> None:
    # g_i = e_i + a_i θ + m(θ) has the grand potential e_i − ln(1 + z exp(−a_i)), z = exp(μ): equal at
    # z = (exp(e2) − exp(e1))/(exp(e1 − a2) − exp(e2 − a1))
    offset, slopes = 1.5, (2.0, -6.0)
    energy = free_energy(
        branch([0.0], slope=slopes[0], name="poor"),
        branch([0.0], offset=offset, slope=slopes[1], name="rich"),
    )
    z = (np.exp(offset) - 1) / (np.exp(-slopes[1]) - np.exp(offset - slopes[0]))
    (tangent,) = solve_common_tangents(energy, KELVIN)
    assert (tangent.branch_low, tangent.branch_high) == (0, 1)
    assert tangent.chemical_potential / THERMAL == pytest.approx(np.log(z), abs=1e-9)
    assert tangent.theta_low == pytest.approx(expit(np.log(z) - slopes[0]), abs=1e-9)
    assert tangent.theta_high == pytest.approx(expit(np.log(z) - slopes[1]), abs=1e-9)


def test_isotherm_voltage_plateau_and_units() -> None:
    metal = -1.3
    energy = free_energy(branch([4.0], slope=-130.0), sites=2, charge=2)
    isotherm = solve_isotherm(energy, [metal], provenance=PROVENANCE, points=99)
    (plateau,) = isotherm.plateaus
    assert plateau.x_low == pytest.approx(2 * 0.021248, abs=2e-6)
    assert plateau.x_high == pytest.approx(2 * (1 - 0.021248), abs=2e-6)
    expected = 130.0 * THERMAL / (2 * constants.ELEMENTARY_CHARGE)
    assert plateau.voltage == pytest.approx(expected, rel=1e-10)
    inside = (isotherm.x > plateau.x_low) & (isotherm.x < plateau.x_high)
    assert isotherm.voltage[0, 0, inside] == pytest.approx(expected, rel=1e-9)
    outside = isotherm.x[~inside] / 2
    mu = energy.chemical_potential(outside, KELVIN)
    relative = isotherm.chemical_potential[0, 0] - metal * constants.EV
    assert relative[~inside] == pytest.approx(mu, rel=1e-9)
    assert np.all(np.diff(isotherm.voltage[0, 0]) <= 1e-12)
    assert isotherm.metal_chemical_potential[0, 0] == pytest.approx(metal * constants.EV)
    (spinodal,) = isotherm.spinodals
    assert spinodal.x_low == pytest.approx(2 * 0.146447, abs=2e-6)


def test_charge_under_the_voltage_curve_is_the_energy_of_reaction() -> None:
    """∫ V dθ = −[g(1) − g(0)]/e whatever the gaps, by trapezoids on the equilibrium curve."""
    energy = free_energy(branch([3.0, 2.0, 1.0], slope=-50.0))
    isotherm = solve_isotherm(energy, [0.0], provenance=PROVENANCE, points=9999)
    ends = energy.energy(np.array([0.0, 1.0]), KELVIN)
    voltage, x = isotherm.voltage[0, 0], isotherm.x
    # the logarithmic ends beyond the grid hold at most 1e-4·kT·ln(1e4)
    assert np.trapezoid(voltage, x) + voltage[0] * x[0] + voltage[-1] * (1 - x[-1]) == pytest.approx(
        -(ends[1] - ends[0]) / constants.ELEMENTARY_CHARGE, rel=1e-5
    )


def test_branches_of_other_temperatures_are_refused() -> None:
    other = branch([0.0]).model_copy(update={"temperature": np.array([400.0])})
    with pytest.raises(InputError, match="sample all at the same"):
        solve_isotherm(free_energy(branch([0.0]), other), [0.0], provenance=PROVENANCE)


def test_lower_hull_of_known_points() -> None:
    x = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    assert lower_hull(x, np.array([0.0, -1.0, 0.5, -2.0, 0.0])) == [0, 1, 3, 4]
    assert lower_hull(x, np.zeros(5)) == [0, 4]
