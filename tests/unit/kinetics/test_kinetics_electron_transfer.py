"""Marcus–Hush–Chidsey and coupled ion–electron transfer: their integral, their limits, detailed balance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.integrate import quad

from particle_models import cell, particle
from scalebridge.contracts import RateLaw
from scalebridge.electrode import solve_cell
from scalebridge.foundation import InputError, constants
from scalebridge.kinetics import current_density, exchange_current, transfer_constant

KELVIN = 298.0
KT = constants.BOLTZMANN * KELVIN


def law(reorganisation: float, form: str = "coupled ion-electron transfer", constant: float = 1.0) -> RateLaw:
    return RateLaw(
        form=form,  # type: ignore[arg-type]
        rate_constant=constant,
        reorganisation_energy=reorganisation * KT,
        source="test",
    )


def chidsey(x: float, reorganisation: float) -> float:
    """∫ exp[−(e − λ − x)²/4λ]/(1 + eᵉ) de: the electrons' levels summed (Chidsey 1991)."""

    def level(e: float) -> float:
        return float(np.exp(-((e - reorganisation - x) ** 2) / (4 * reorganisation)) / (1 + np.exp(e)))

    middle = reorganisation + x
    width = 12 * np.sqrt(2 * reorganisation)
    points = sorted({0.0, min(max(0.0, middle - width), middle), middle})
    return quad(level, min(-60.0, middle - width), max(60.0, middle + width), points=points, limit=400)[0]


@pytest.mark.parametrize("reorganisation", [1.0, 2.0, 8.3, 30.0])
def test_constant_is_chidseys_integral(reorganisation: float) -> None:
    """From Tafel to the limit, by adaptive quadrature."""
    for x in (-30.0, -10.0, -3.0, 0.0, 3.0, 10.0):
        expected = chidsey(x, reorganisation) / chidsey(0.0, reorganisation)
        assert transfer_constant(x, reorganisation)[0] == pytest.approx(expected, rel=3e-7)


@given(x=st.floats(-40, 40), reorganisation=st.floats(1, 100))
def test_detailed_balance_and_slope(x: float, reorganisation: float) -> None:
    value, slope = transfer_constant(x, reorganisation)
    assert value == pytest.approx(np.exp(-x) * transfer_constant(-x, reorganisation)[0], rel=1e-9)
    h = 1e-5
    sides = [transfer_constant(x + s * h, reorganisation)[0] for s in (1, -1)]
    assert slope == pytest.approx((sides[0] - sides[1]) / (2 * h), rel=1e-5, abs=1e-7 * max(value, 1e-3))


def test_quantum_limit() -> None:
    """Far beyond λ every level of the metal reacts: the rate no longer grows, in either direction."""
    drives = np.array([-60.0, -80.0])
    rates = current_density(law(5.0), drives, 0.4, 0.0, temperature=KELVIN)
    assert rates[1] / rates[0] == pytest.approx(1.0, abs=1e-6)
    backward = current_density(law(5.0), -drives, 0.4, 0.0, temperature=KELVIN)
    assert backward / rates == pytest.approx(-0.4, rel=1e-6)  # θ ions leave where one would come


def test_large_reorganisation_is_butler_volmer() -> None:
    """λ → ∞: j = k0 (1−θ) √(a₊ θ) (e^{−η/2} − e^{η/2}), with corrections of first order in 1/λ."""
    theta, log_a, log_plus = 0.3, 0.7, -0.2
    eta = np.linspace(-4, 4, 9)
    drive = eta - log_a + log_plus
    expected = 0.7 * np.sqrt(np.exp(log_plus) * theta) * -2 * np.sinh(eta / 2)
    errors = []
    for reorganisation in (200.0, 400.0):
        rates = current_density(law(reorganisation), drive, theta, log_a, log_plus, temperature=KELVIN)
        errors.append(np.abs(rates - expected).max())
    assert errors[1] < 0.02 * np.abs(expected).max()
    assert errors[0] / errors[1] == pytest.approx(2.0, abs=0.1)


def test_small_overpotentials_are_linear() -> None:
    """At equilibrium no current; around it j0 η of both directions' flow at rest."""
    theta, log_a, log_plus = 0.6, 1.3, 0.4
    at_rest = log_plus - log_a
    for form in ("marcus-hush-chidsey", "coupled ion-electron transfer"):
        made = law(8.3, form, 0.16)
        flow = exchange_current(made, theta, log_a, log_plus, temperature=KELVIN)
        rates = current_density(
            made, at_rest + np.array([0.0, 1e-4]), theta, log_a, log_plus, temperature=KELVIN
        )
        assert abs(rates[0]) < 1e-15
        assert rates[1] == pytest.approx(-1e-4 * flow, rel=1e-3)
    coupled, free = (exchange_current(law(8.3, f), theta, log_a, temperature=KELVIN) for f in (
        "coupled ion-electron transfer", "marcus-hush-chidsey"))  # fmt: skip
    assert coupled == pytest.approx((1 - theta) * free, rel=1e-12)


def test_an_electrode_loses_less_capacity_with_butler_volmer_at_high_rate() -> None:
    """Equal flow at rest at half filling: the limited law needs more overpotential for the same current."""
    base = law(4.0, "marcus-hush-chidsey")
    scale = 0.02 / float(exchange_current(base, 0.5, 0.0, temperature=KELVIN))
    limited = law(4.0, "marcus-hush-chidsey", scale)
    bound = RateLaw(rate_constant=0.04, transition_state="follows host", source="test")
    curves = []
    for rate_law in (bound, limited):
        model = particle(1.0, shells=10, gradient_energy=0.0, diffusivity=1e-13, rate_law=rate_law)
        curves.append(solve_cell(cell(model, cutoff_voltage=2.8), 4.0))
    at_half = [np.interp(0.5, s.filling, s.voltage) for s in curves]
    assert at_half[1] < at_half[0] - 1e-3


def test_laws_need_what_they_need() -> None:
    with pytest.raises(ValidationError, match="need it, Butler–Volmer has none"):
        RateLaw(form="marcus-hush-chidsey", rate_constant=1.0, source="test")
    with pytest.raises(ValidationError, match="need it, Butler–Volmer has none"):
        RateLaw(rate_constant=1.0, reorganisation_energy=1e-20, source="test")
    with pytest.raises(InputError, match="temperature None must be positive"):
        current_density(law(5.0), 0.0, 0.5, 0.0)
    with pytest.raises(InputError, match=r"of 0\.1 kT must be at least 1 kT"):
        current_density(law(0.1), 0.0, 0.5, 0.0, temperature=KELVIN)
