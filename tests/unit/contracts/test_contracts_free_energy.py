"""The homogeneous free energy: μ and curvature are derivatives of g; the regular solution is exact."""

import numpy as np
import pytest
from contract_instances import Maker
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from scalebridge.contracts import FreeEnergyBranch, HomogeneousFreeEnergy
from scalebridge.foundation import ValidityError, constants

KELVIN = 298.0
THERMAL = constants.BOLTZMANN * KELVIN

# Ω, spinodal, binodal, hysteresis in mV at 298 K: closed forms and roots of ln(x/(1−x)) = Ω(2x−1)
REGULAR_SOLUTIONS = [
    (2.5, 0.276393, 0.144794, 8.0),
    (3.0, 0.211325, 0.070720, 21.3),
    (4.0, 0.146447, 0.021248, 54.7),
    (4.5, 0.127322, 0.012252, 73.4),
    (5.0, 0.112702, 0.007188, 92.9),
]


def free_energy(
    interaction: np.ndarray, offset: np.ndarray, slope: np.ndarray, temperature: np.ndarray
) -> HomogeneousFreeEnergy:
    """Return a free energy with one branch and one member; arrays (temperature, …) in joule."""
    samples = np.zeros((1, len(temperature), 1))
    branch = FreeEnergyBranch(
        name="test",
        temperature=temperature,
        offset=offset[None],
        slope=slope[None],
        interaction=interaction[None],
        sampled_theta=[0.5],
        sampled_energy=samples,
        sampled_error=samples,
        fit_residual=np.zeros((1, len(temperature))),
    )
    provenance = Maker(0).make(type(PROVENANCE))
    return HomogeneousFreeEnergy(provenance=provenance, sites_per_formula_unit=1, branches=(branch,))


PROVENANCE = Maker(0).make(HomogeneousFreeEnergy).provenance


def regular_solution(omega: float) -> HomogeneousFreeEnergy:
    zero = np.zeros(1)
    return free_energy(np.array([[omega * THERMAL]]), zero, zero, np.array([KELVIN]))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    orders=st.integers(1, 6),
    theta=st.floats(0.02, 0.98),
    kelvin=st.floats(250.0, 600.0),
)
def test_derivatives_match_finite_differences(seed: int, orders: int, theta: float, kelvin: float) -> None:
    rng = np.random.default_rng(seed)
    energy = free_energy(
        rng.normal(size=(2, orders)) * 5 * THERMAL,
        rng.normal(size=2) * THERMAL,
        rng.normal(size=2) * 40 * THERMAL,
        np.array([250.0, 600.0]),
    )
    # five-point formulas; at step 1e-3·min(θ,1−θ)… truncation and rounding both stay below the bound
    step = 1e-3 * min(theta, 1 - theta) ** 0.8
    points = theta + step * np.array([-2, -1, 1, 2])
    weights = np.array([1, -8, 8, -1]) / (12 * step)
    slope = weights @ energy.energy(points, kelvin)
    curvature = weights @ energy.chemical_potential(points, kelvin)
    assert energy.chemical_potential(np.array(theta), kelvin) == pytest.approx(slope, abs=1e-8 * 40 * THERMAL)
    assert energy.curvature(np.array(theta), kelvin) == pytest.approx(curvature, rel=1e-7, abs=1e-6 * THERMAL)


@pytest.mark.parametrize(("omega", "spinodal", "binodal", "hysteresis"), REGULAR_SOLUTIONS)
def test_regular_solution(omega: float, spinodal: float, binodal: float, hysteresis: float) -> None:
    energy = regular_solution(omega)

    def curvature(theta: float) -> float:
        return float(energy.curvature(np.array(theta), KELVIN) / THERMAL)

    def potential(theta: float) -> float:
        return float(energy.chemical_potential(np.array(theta), KELVIN) / THERMAL)

    found = brentq(curvature, 1e-4, 0.5, xtol=1e-13)
    assert found == pytest.approx(spinodal, abs=5.1e-7)
    assert found == pytest.approx(0.5 - np.sqrt(0.25 - 0.5 / omega), abs=1e-11)
    # common tangent of a symmetric g: μ = 0 on both sides
    coexisting = brentq(potential, 1e-9, found, xtol=1e-14)
    assert coexisting == pytest.approx(binodal, abs=5.1e-7)
    assert potential(1 - coexisting) == pytest.approx(0.0, abs=1e-9)
    millivolt = 2 * potential(found) * THERMAL / constants.ELEMENTARY_CHARGE * 1e3
    assert millivolt == pytest.approx(hysteresis, abs=0.051)


def test_end_members_keep_their_energy_and_logarithm() -> None:
    energy = free_energy(
        np.array([[3.0, 1.0, -2.0]]) * THERMAL,
        np.array([0.7]) * THERMAL,
        np.array([-9.0]) * THERMAL,
        np.array([KELVIN]),
    )
    ends = energy.energy(np.array([0.0, 1.0]), KELVIN) / THERMAL
    assert ends == pytest.approx([0.7, 0.7 - 9.0], abs=1e-12)
    theta = np.array([1e-12, 1e-9])
    dilute = energy.chemical_potential(theta, KELVIN) / THERMAL
    assert np.diff(dilute) == pytest.approx(np.log(1e3), abs=1e-6)
    excess = energy.excess_chemical_potential(np.array([0.0, 1.0]), KELVIN)
    assert np.all(np.isfinite(excess))


def test_coefficients_are_linear_between_temperatures_and_refused_outside() -> None:
    grid = np.array([300.0, 400.0])
    energy = free_energy(np.array([[1.0], [3.0]]), np.array([0.0, 2.0]), np.array([4.0, 0.0]), grid)
    theta = np.array([0.3])
    mixing = constants.BOLTZMANN * 350.0 * (0.3 * np.log(0.3) + 0.7 * np.log(0.7))
    assert energy.energy(theta, 350.0)[0] == pytest.approx(1.0 + 2.0 * 0.3 + mixing + 0.21 * 2.0, rel=1e-12)
    for kelvin in (299.0, 401.0):
        with pytest.raises(ValidityError, match=r"outside 300 … 400 K.*add the temperature"):
            energy.energy(theta, kelvin)


def test_branches_of_different_committees_are_refused() -> None:
    energy = Maker(1).make(HomogeneousFreeEnergy)
    branch = energy.branches[0]
    fields = {name: getattr(branch, name) for name in FreeEnergyBranch.model_fields}
    for name, axes in FreeEnergyBranch.named_axes().items():
        if "member" in axes:
            fields[name] = np.concatenate([fields[name], fields[name][:1]])
    with pytest.raises(ValueError, match="same committee members"):
        HomogeneousFreeEnergy(
            provenance=energy.provenance,
            sites_per_formula_unit=1,
            branches=(branch, FreeEnergyBranch(**fields)),
        )
