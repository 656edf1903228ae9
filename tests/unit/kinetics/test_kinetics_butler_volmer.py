"""Limits of Butler–Volmer kinetics, detailed balance and derivatives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalebridge.contracts import RateLaw
from scalebridge.foundation import InputError
from scalebridge.kinetics import current_density, exchange_current, overpotential, reaction_rate

LAW = RateLaw(rate_constant=0.16, transfer_coefficient=0.4, source="test")
LAW_OPEN = RateLaw(rate_constant=2.0, transfer_coefficient=0.5, transition_state="none", source="test")


def test_equals_the_textbook_form_with_exchange_current() -> None:
    theta, log_a, log_plus = 0.3, -1.2, 0.4
    drive = np.linspace(-6, 6, 25)
    eta = drive + log_a - log_plus
    j0 = exchange_current(LAW, theta, log_a, log_plus)
    expected = j0 * (np.exp(-0.4 * eta) - np.exp(0.6 * eta))
    assert current_density(LAW, drive, theta, log_a, log_plus) == pytest.approx(expected, rel=1e-13)


def test_exchange_current_site_exclusion_and_activities() -> None:
    assert exchange_current(LAW, 0.75, 0.0) == pytest.approx(0.16 * 0.25)
    assert exchange_current(LAW_OPEN, 0.75, 0.0) == pytest.approx(2.0)
    assert exchange_current(LAW, 0.5, 2.0, -3.0) == pytest.approx(0.08 * np.exp(0.4 * 2.0 - 0.6 * 3.0))


def test_following_transition_state_gives_newmans_exchange_current() -> None:
    """j0 = k0 a₊^{1−α} θ^α (1−θ)^{1−α}, whatever the excess potential of the host."""
    law = RateLaw(rate_constant=0.7, transfer_coefficient=0.3, transition_state="follows host", source="test")
    theta = np.array([0.1, 0.5, 0.9])
    for excess in (-12.0, 0.0, 25.0):
        log_activity = np.log(theta / (1 - theta)) + excess
        expected = 0.7 * np.exp(0.7 * 0.2) * theta**0.3 * (1 - theta) ** 0.7
        assert exchange_current(law, theta, log_activity, 0.2) == pytest.approx(expected, rel=1e-12)
        at_rest = current_density(law, 0.2 - log_activity, theta, log_activity, 0.2)
        assert np.abs(at_rest).max() < 1e-12


@given(
    log_a=st.floats(-20, 20),
    log_plus=st.floats(-5, 2),
    theta=st.floats(1e-6, 1 - 1e-6),
    eta=st.floats(-30, 30),
)
def test_detailed_balance_and_sign(log_a: float, log_plus: float, theta: float, eta: float) -> None:
    at_rest = current_density(LAW, log_plus - log_a, theta, log_a, log_plus)
    scale = exchange_current(LAW, theta, log_a, log_plus)
    assert abs(at_rest) <= 1e-12 * scale
    drive = eta + log_plus - log_a
    actual = drive + log_a - log_plus
    j = current_density(LAW, drive, theta, log_a, log_plus)
    assert j * actual <= 0
    if abs(actual) > 1e-12:  # below, j may round to zero
        assert j != 0


def test_linear_limit_resolves_tiny_overpotentials() -> None:
    eta = np.array([1e-12, -1e-10, 1e-8])
    j = current_density(LAW_OPEN, eta, 0.5, 0.0)
    assert j == pytest.approx(-2.0 * eta, rel=1e-7)


def test_tafel_slopes() -> None:
    cathodic = np.log(current_density(LAW, np.array([-20.0, -30.0]), 0.5, 0.0))
    anodic = np.log(-current_density(LAW, np.array([20.0, 30.0]), 0.5, 0.0))
    assert (cathodic[1] - cathodic[0]) / -10.0 == pytest.approx(-0.4, rel=1e-3)
    assert (anodic[1] - anodic[0]) / 10.0 == pytest.approx(0.6, rel=1e-3)


def test_no_overflow_and_still_monotonic() -> None:
    j = current_density(LAW, np.array([-5000.0, -500.0, 500.0, 5000.0]), 0.5, 0.0)
    assert np.all(np.isfinite(j))
    assert np.all(np.diff(j) < 0)


@given(ratio=st.floats(-1e8, 1e8), alpha=st.floats(0.1, 0.9))
def test_overpotential_inverts_the_rate(ratio: float, alpha: float) -> None:
    eta = overpotential(ratio, 1.0, alpha)
    back = -np.exp(-alpha * eta) * np.expm1(eta)
    assert back == pytest.approx(ratio, rel=1e-9, abs=1e-12)


def test_derivatives_against_differences() -> None:
    point = np.array([0.3, -2.0, 0.7, -0.4])
    values = reaction_rate(*point, 0.4)
    for k in range(4):
        step = np.zeros(4)
        step[k] = 1e-6
        slope = (reaction_rate(*(point + step), 0.4)[0] - reaction_rate(*(point - step), 0.4)[0]) / 2e-6
        assert values[k + 1] == pytest.approx(slope, rel=1e-7)


def test_bad_inputs() -> None:
    with pytest.raises(InputError, match="inside \\(0, 1\\)"):
        exchange_current(LAW, 1.0, 0.0)
    with pytest.raises(InputError, match="j0 > 0"):
        overpotential(1.0, 0.0)
