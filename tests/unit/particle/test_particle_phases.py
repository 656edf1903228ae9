"""Coexisting phases of a particle and where the boundary between them lies."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import brentq, fsolve
from scipy.special import expit

from particle_models import GRADIENT_ENERGY, KT, LAW, SITE_DENSITY, TEMPERATURE, particle, regular_solution
from scalebridge.contracts import HomogeneousFreeEnergy
from scalebridge.particle import ParticleModel
from scalebridge.particle.phases import interface_sharpness, miscibility_gaps

Function = Callable[[np.ndarray], np.ndarray]


def modulus(coherency: float) -> float:
    """B [Pa] from B/ρkT."""
    return coherency * SITE_DENSITY * KT


def redlich_kister(coefficients: tuple[float, ...]) -> tuple[Function, Function]:
    """g/kT and its derivative, written out term by term."""

    def energy(t: np.ndarray) -> np.ndarray:
        excess = sum(c * (1 - 2 * t) ** k for k, c in enumerate(coefficients))
        return np.asarray(t * np.log(t) + (1 - t) * np.log(1 - t) + t * (1 - t) * excess)

    def potential(t: np.ndarray) -> np.ndarray:
        y = 1 - 2 * t
        terms = sum(
            c * (y ** (k + 1) - (2 * k * t * (1 - t) * y ** (k - 1) if k else 0))
            for k, c in enumerate(coefficients)
        )
        return np.asarray(np.log(t / (1 - t)) + terms)

    return energy, potential


def coexisting(energy: Function, potential: Function, between: tuple[float, float]) -> np.ndarray:
    """Maxwell's construction on the loop of μ between two log-odds: the level that cuts equal areas.

    The areas are differences of g, so the level is where both outer branches have one intercept.
    """
    u = np.linspace(*between, 20001)
    mu = potential(expit(u))
    top, bottom = np.flatnonzero(np.diff(np.sign(np.diff(mu)))) + 1

    def phases(level: float) -> np.ndarray:
        low = brentq(lambda v: float(potential(expit(v))) - level, between[0], u[top], xtol=1e-14)
        high = brentq(lambda v: float(potential(expit(v))) - level, u[bottom], between[1], xtol=1e-14)
        return np.asarray(expit(np.array([low, high])))

    def difference(level: float) -> float:
        t = phases(level)
        return float(np.diff(energy(t))[0] - level * np.diff(t)[0])

    ends = max(mu[bottom], mu[0]) + 1e-9, min(mu[top], mu[-1]) - 1e-9
    return phases(float(brentq(difference, *ends, xtol=1e-14)))


def regular_binodal(omega: float) -> float:
    """Lower root of ln(θ/(1−θ)) = Ω(2θ − 1)."""
    return float(expit(brentq(lambda u: u - omega * np.tanh(u / 2), -60, -1e-3, xtol=1e-14)))


@pytest.mark.parametrize("omega", [2.5, 3.0, 4.5, 12.0])
def test_boundary_of_a_regular_solution_is_at_one_half(omega: float) -> None:
    model = particle(omega, size=2e-8)
    (gap,) = miscibility_gaps(model.excess)
    assert (gap.theta_low, 1 - gap.theta_high) == pytest.approx((regular_binodal(omega),) * 2, rel=1e-7)
    assert model.boundary_levels == pytest.approx([0.5], abs=1e-9)


@pytest.mark.parametrize("omega", [(5.0, -5.0), (3.0, -1.0), (3.0, 1.0), (4.0, -1.5, -0.5)])
def test_boundary_of_a_skewed_free_energy_is_half_way_between_its_phases(
    omega: tuple[float, ...],
) -> None:
    low, high = coexisting(*redlich_kister(omega), (-14.0, 14.0))
    assert high - low > 0.5
    assert abs(0.5 * (low + high) - 0.5) > 0.03
    (gap,) = miscibility_gaps(particle(omega, size=2e-8).excess)
    assert (gap.theta_low, gap.theta_high) == pytest.approx((low, high), abs=1e-8)
    assert particle(omega, size=2e-8).boundary_levels == pytest.approx([0.5 * (low + high)], abs=1e-8)


def test_skewed_to_the_other_side_the_boundary_is_mirrored() -> None:
    there, back = (particle((3.0, skew), size=2e-8).boundary_levels for skew in (-1.0, 1.0))
    assert there + back == pytest.approx([1.0], abs=1e-9)


@pytest.mark.parametrize("omega", [-2.0, 0.0, 1.9, 2.0])
def test_a_solid_solution_has_no_boundary(omega: float) -> None:
    assert particle(omega).boundary_levels.shape == (0,)


def test_every_gap_has_its_boundary() -> None:
    """An ordered phase at half filling: two gaps, mirror images of each other."""
    omega = (-4.0, 0.0, 20.0)
    low, high = coexisting(*redlich_kister(omega), (-25.0, 0.0))
    levels = particle(omega, size=1e-8).boundary_levels
    assert levels == pytest.approx([0.5 * (low + high), 1 - 0.5 * (low + high)], abs=1e-8)


def test_coherency_shifts_the_phases_and_closes_the_gap() -> None:
    """½bθ² adds −½bθ(1−θ) and a straight line: b = B/ρkT acts like Ω − b/2."""
    model = particle(4.5, size=2e-8, coherency_modulus=modulus(3.0))
    (gap,) = miscibility_gaps(model.excess, 3.0)
    assert (gap.theta_low, 1 - gap.theta_high) == pytest.approx((regular_binodal(3.0),) * 2, rel=1e-7)
    assert model.boundary_levels == pytest.approx([0.5], abs=1e-9)
    skewed = particle((4.5, -1.0), size=2e-8, coherency_modulus=modulus(3.0))
    assert skewed.boundary_levels == pytest.approx(particle((3.0, -1.0), size=2e-8).boundary_levels, abs=1e-9)
    assert particle((4.5, -1.0), size=2e-8).boundary_levels != pytest.approx(skewed.boundary_levels, abs=1e-3)
    assert particle(4.5, coherency_modulus=modulus(5.01)).boundary_levels.size == 0
    assert particle(4.5, size=2e-8, coherency_modulus=modulus(4.9)).boundary_levels.size == 1


def test_coherent_phases_are_the_lowest_split_at_every_filling() -> None:
    """Total energy of two phases with the mean-field term ½b(θ − θ̄)² itself, minimised over both phases."""
    omega, b = (5.0, -3.0), 2.0
    energy, potential = redlich_kister(omega)
    (gap,) = miscibility_gaps(particle(omega, size=2e-8).excess, b)
    for filling in (0.5, 0.6, 0.75):

        def stationary(odds: np.ndarray, filling: float = filling) -> list[float]:
            t = expit(odds)
            share = (filling - t[0]) / (t[1] - t[0])
            parts = np.array([1 - share, share])
            local = energy(t) + 0.5 * b * (t - filling) ** 2
            slope = potential(t) + b * (t - filling)
            # d/dt_i of Σ parts·local at fixed filling, where the shares follow the phases
            rise = (local[1] - local[0]) / (t[1] - t[0])
            return list(parts * (slope - rise))

        phases = expit(fsolve(stationary, [-2.5, 5.0], xtol=1e-13))
        assert phases == pytest.approx([gap.theta_low, gap.theta_high], abs=1e-8)


def test_joined_branches_separate_as_the_particle_sees_them() -> None:
    """Phases of the smooth envelope −ln Σ exp(−g_b), not of the lower of two branches."""
    base = regular_solution(0.0).branches[0]
    tilt, offset = 5.0, 1.5
    other = base.model_copy(update={"slope": base.slope - tilt * KT, "offset": base.offset + offset * KT})
    both = HomogeneousFreeEnergy(
        provenance=regular_solution(0.0).provenance, sites_per_formula_unit=1, branches=(base, other)
    )
    model = ParticleModel.from_free_energy(
        both, 1e-16, temperature=TEMPERATURE, shape="sphere", size=1e-8, shells=60,
        site_density=SITE_DENSITY, gradient_energy=GRADIENT_ENERGY, rate_law=LAW,
    )  # fmt: skip

    def energy(t: np.ndarray) -> np.ndarray:
        mixing = t * np.log(t) + (1 - t) * np.log(1 - t)
        return np.asarray(mixing - np.log(1 + np.exp(tilt * t - offset)))

    def potential(t: np.ndarray) -> np.ndarray:
        return np.asarray(np.log(t / (1 - t)) - tilt * expit(tilt * t - offset))

    phases = coexisting(energy, potential, (-14.0, 14.0))
    assert phases[1] - phases[0] > 0.3
    assert model.boundary_levels == pytest.approx([phases.mean()], abs=1e-7)


@pytest.mark.parametrize(("omega", "width"), [(2.5, 1.0), (4.0, 1.0), (5.0, 0.928), (8.0, 0.6182)])
def test_deep_gaps_make_interfaces_thinner_than_the_interface_length(omega: float, width: float) -> None:
    """w/ℓ = Δθ/√(2Δf) of the regular solution (closed form at θ = ½), at most 1; coherency takes part."""
    model = particle(omega, size=2e-8)
    assert interface_sharpness(model.excess) == pytest.approx(width, rel=1e-3)
    # B/ρkT = b acts like Ω − b/2
    assert interface_sharpness(particle(omega + 1.5, size=2e-8).excess, 3.0) == pytest.approx(width, rel=1e-3)
