"""How the core of a separating particle shrinks at constant voltage, from the reaction's law to diffusion's.

With f the filled share and x = (1 − f)^(1/3) the core's radius: t ∝ f where the reaction at the surface is
slow (it sees a constant state), t ∝ 1 − 3x² + 2x³ where ions diffuse slowly through the shell (Levenspiel,
Chemical Reaction Engineering (1999), chapter 25). Waves along a surface need a second coordinate.
"""

import numpy as np
import pytest
from scipy.optimize import brentq

from particle_models import LFP_VOLTAGE, particle
from scalebridge.contracts import RateLaw
from scalebridge.particle import ParticleModel, solve_particle

SIZE, DIFFUSIVITY = 200e-9, 1e-16
FILLED = np.array([0.3, 0.5, 0.7])


def separating(rate_constant: float) -> ParticleModel:
    law = RateLaw(rate_constant=rate_constant, transition_state="none", source="test")
    return particle(4.0, size=SIZE, shells=100, diffusivity=DIFFUSIVITY, rate_law=law)


def ratio(model: ParticleModel) -> float:
    """Charge of the particle over the exchange current, over R²/15D."""
    reaction = model.charge_density / (model.grid.surface_area * model.rate_law.rate_constant)
    return reaction / (SIZE**2 / (15 * DIFFUSIVITY))


def course(model: ParticleModel) -> float:
    """Return (t₀.₅ − t₀.₃)/(t₀.₇ − t₀.₃) at 80 mV below the plateau."""
    times = np.concatenate([[0.0], (1 + ratio(model)) * SIZE**2 / DIFFUSIVITY * np.geomspace(1e-5, 3.0, 500)])
    solution = solve_particle(model, 0.03, times=times, voltage=LFP_VOLTAGE - 0.08)
    mean = solution.theta @ model.grid.fractions
    low, high = mean[0], mean[-1]
    reached = np.interp(low + (high - low) * FILLED, mean, solution.time)
    return float((reached[1] - reached[0]) / (reached[2] - reached[0]))


def law(of_filled: np.ndarray) -> float:
    return float((of_filled[1] - of_filled[0]) / (of_filled[2] - of_filled[0]))


CORE = np.cbrt(1 - FILLED)
REACTION, DIFFUSION = law(FILLED), law(1 - 3 * CORE**2 + 2 * CORE**3)


@pytest.mark.parametrize("rate_constant", [0.3, 1e3])
def test_slow_diffusion_through_the_shell(rate_constant: float) -> None:
    """Already where both times are alike: in a nearly full shell hardly an ion finds an empty site."""
    assert ratio(separating(rate_constant)) < 20
    assert course(separating(rate_constant)) == pytest.approx(DIFFUSION, abs=0.015)


def test_slow_reaction_at_the_surface() -> None:
    assert course(separating(1e-3)) == pytest.approx(REACTION, abs=0.005)


def test_between_the_limits_the_law_follows_the_ratio_of_the_times() -> None:
    models = [separating(k) for k in (1e-3, 1e-2, 3e-2, 0.1)]
    courses = [course(model) for model in models]
    assert np.all(np.diff([ratio(model) for model in models]) < 0)
    assert np.all(np.diff(courses) < 0)
    assert DIFFUSION + 0.01 < courses[2] < REACTION - 0.01


def test_the_core_shrinks_at_the_rate_of_diffusion_through_the_shell() -> None:
    """t = (ΔC R²/6Φ)(1 − 3x² + 2x³), Φ = ∫M dμ through the shell (D Δc_s where D is constant).

    The interface is ℓ wide, not 0: the deviation falls with ℓ/R, to the quasi-steady law's own Δc_s/ΔC.
    """
    omega, over = 4.0, 0.04
    fast = RateLaw(rate_constant=1e4, transition_state="none", source="test")

    def potential(theta: float) -> float:
        return float(np.log(theta / (1 - theta)) + omega * (1 - 2 * theta))

    low = brentq(potential, 1e-9, 0.14)
    high = 1 - low
    deviations = []
    for size in (100e-9, 200e-9, 400e-9):
        model = particle(
            omega, size=size, shells=round(size / 1.33e-9), diffusivity=DIFFUSIVITY, rate_law=fast
        )
        surface = brentq(lambda t, level: potential(t) - level, high, 1 - 1e-9, over / model.thermal_voltage)
        flow = DIFFUSIVITY * (
            surface - high - omega * (surface**2 - high**2 - 2 * (surface**3 - high**3) / 3)
        )
        whole = (high - low) * size**2 / (6 * flow)
        times = np.concatenate([[0.0], 3 * whole * np.geomspace(1e-5, 1.0, 600)])
        solution = solve_particle(model, low, times=times, voltage=LFP_VOLTAGE - over)
        filled = (solution.theta @ model.grid.fractions - low) / (high - low)
        reached = np.interp(FILLED, filled, solution.time)
        expected = whole * (1 - 3 * CORE**2 + 2 * CORE**3)
        deviations.append((reached[2] - reached[0]) / (expected[2] - expected[0]) - 1)
    first, second = np.diff(deviations)
    assert first / second == pytest.approx(2.0, abs=0.2)
    assert abs(2 * deviations[-1] - deviations[-2]) < 2 * (surface - high) / (high - low)
