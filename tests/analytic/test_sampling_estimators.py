"""Bennett's estimator, transition-matrix estimates and the site density against closed forms."""

import numpy as np
import pytest

from scalebridge.foundation import ConvergenceError, InputError, constants
from scalebridge.sampling import SiteDensity, bennett, statistical_inefficiency, transition_matrix

TEMPERATURE = 400.0
KT = constants.BOLTZMANN_EV * TEMPERATURE


def gaussian_works(rng, difference, sigma, forward, reverse):
    """Works that obey Crooks' relation exactly: N(±ΔF + σ²/2kT, σ²)."""
    dissipation = sigma**2 / (2 * KT)
    return (
        rng.normal(difference + dissipation, sigma, forward),
        rng.normal(-difference + dissipation, sigma, reverse),
    )


@pytest.mark.parametrize(("forward", "reverse"), [(200, 200), (50, 800)])
@pytest.mark.parametrize("sigma", [0.5, 1.5, 3.0])
def test_bennett_on_crooks_gaussians_is_right_and_so_is_its_error(sigma, forward, reverse):
    """300 repetitions: mean within 4.5 standard errors, error bar within 20 % (5 of its own deviations)."""
    rng = np.random.default_rng(1)
    estimates = [
        bennett(*gaussian_works(rng, 0.37, sigma * KT, forward, reverse), TEMPERATURE) for _ in range(300)
    ]
    differences = np.array([estimate.difference for estimate in estimates])
    errors = np.array([estimate.error for estimate in estimates])
    assert abs(differences.mean() - 0.37) < 4.5 * differences.std() / np.sqrt(300) + 0.02 * errors.mean()
    assert differences.std() == pytest.approx(np.sqrt(np.mean(errors**2)), rel=0.25)


def test_bennett_on_one_harmonic_coordinate_switched_at_once():
    """Stiffness k → 4k: ΔF = ½kT ln 4; works of sudden switches, 20 000 each way."""
    rng = np.random.default_rng(2)
    stiffness = 0.7
    start = rng.normal(0, np.sqrt(KT / stiffness), 20000)
    end = rng.normal(0, np.sqrt(KT / (4 * stiffness)), 20000)
    work = 1.5 * stiffness * start**2, -1.5 * stiffness * end**2
    estimate = bennett(*work, TEMPERATURE)
    exact = 0.5 * KT * np.log(4)
    assert abs(estimate.difference - exact) < 4.5 * estimate.error
    assert estimate.error < 0.02 * KT
    assert transition_matrix(*work, TEMPERATURE, exact) == pytest.approx(exact, abs=0.05 * KT)


def test_bennett_of_reversible_works_has_no_error():
    estimate = bennett([0.2, 0.2, 0.2], [-0.2], TEMPERATURE)
    assert estimate.difference == pytest.approx(0.2, abs=1e-9)
    assert estimate.error == pytest.approx(0.0, abs=1e-9)


def test_bennett_error_counts_correlated_works():
    """Each work repeated ten times: the same estimate, and the error of the tenth of the attempts."""
    rng = np.random.default_rng(3)
    forward, reverse = gaussian_works(rng, 0.0, 1.5 * KT, 400, 400)
    once = bennett(forward, reverse, TEMPERATURE)
    repeated = bennett(np.repeat(forward, 10), np.repeat(reverse, 10), TEMPERATURE)
    assert repeated.difference == pytest.approx(once.difference, abs=1e-8)
    assert repeated.error == pytest.approx(once.error, rel=0.25)


def test_statistical_inefficiency_of_an_autoregressive_series():
    """x_t = φ x_{t−1} + noise has g = (1 + φ)/(1 − φ); 15 % is about five standard deviations here."""
    rng = np.random.default_rng(4)
    series = np.zeros(200000)
    noise = rng.standard_normal(len(series))
    for t in range(1, len(series)):
        series[t] = 0.8 * series[t - 1] + noise[t]
    assert statistical_inefficiency(series) == pytest.approx(9.0, rel=0.15)
    assert statistical_inefficiency(noise) == pytest.approx(1.0, abs=0.05)
    assert statistical_inefficiency([3.0] * 10) == 1.0


def test_bennett_refuses_what_it_cannot_use():
    with pytest.raises(InputError, match="0 deletion works"):
        bennett([0.1], [], TEMPERATURE)
    with pytest.raises(InputError, match="not finite"):
        bennett([np.nan, 0.1], [0.1], TEMPERATURE)
    with pytest.raises(ConvergenceError, match="all 2 insertion attempts were refused"):
        bennett([np.inf, np.inf], [0.1], TEMPERATURE)


CELL = np.array([[6.0, 0.0, 0.0], [1.5, 5.0, 0.0], [-0.7, 1.0, 4.0]])
CENTRES = np.array([[0.5, 0.5, 0.5], [3.5, 2.0, 1.0], [7.0, -1.0, 9.0]])


@pytest.mark.parametrize(("width", "uniform"), [(0.5, 0.0), (0.7, 0.3), (2.5, 0.2)])
def test_site_density_is_normalised_and_periodic(width, uniform):
    """∫ q dr = 1 over the cell (a periodic smooth function: the trapezoidal rule is spectrally accurate)."""
    density = SiteDensity(width, uniform)
    n = 24
    grid = np.stack(np.meshgrid(*3 * [np.arange(n) / n], indexing="ij"), axis=-1).reshape(-1, 3) @ CELL
    values = np.exp([density.log_density(point, CENTRES, CELL) for point in grid])
    assert values.mean() * abs(np.linalg.det(CELL)) == pytest.approx(1.0, abs=2e-7)
    shifted = density.log_density(grid[100] + np.array([2, -1, 3]) @ CELL, CENTRES, CELL)
    assert shifted == pytest.approx(np.log(values[100]), abs=1e-10)


@pytest.mark.parametrize("uniform", [0.0, 0.4])
def test_draws_follow_the_density(uniform):
    """E_q[f/q] = ∫ f for a test function f, 4.5 standard errors."""
    density = SiteDensity(0.8, uniform)
    rng = np.random.default_rng(5)
    weights = density.weights(np.zeros((0, 3)), CENTRES, CELL)
    inverse = np.linalg.inv(CELL)
    ratios = []
    for _ in range(4000):
        _, point = density.draw(weights, CENTRES, CELL, rng)
        scaled = point @ inverse
        q = np.exp(density.log_density(point, CENTRES, CELL))
        f = np.exp(density.log_density(point, CENTRES + 0.3, CELL)) * (
            1 + 0.5 * np.cos(2 * np.pi * scaled[0])
        )
        ratios.append(f / q)
    n = 24
    grid = np.stack(np.meshgrid(*3 * [np.arange(n) / n], indexing="ij"), axis=-1).reshape(-1, 3)
    values = np.exp([density.log_density(point, CENTRES + 0.3, CELL) for point in grid @ CELL])
    exact = np.mean(values * (1 + 0.5 * np.cos(2 * np.pi * grid[:, 0]))) * abs(np.linalg.det(CELL))
    ratios = np.array(ratios)
    assert abs(ratios.mean() - exact) < 4.5 * ratios.std() / np.sqrt(len(ratios))


@pytest.mark.parametrize("width", [0.5, 2.5])
def test_log_ratio_reduces_to_the_mixture_density(width):
    """e^{−βu_c} p_c/(z_c P(c|r)) = q(r) for every component when no site is excluded."""
    density = SiteDensity(width, 0.25)
    rng = np.random.default_rng(6)
    weights = density.weights(np.zeros((0, 3)), CENTRES, CELL)
    for _ in range(50):
        tether, point = density.draw(weights, CENTRES, CELL, rng)
        ratio = density.log_ratio(tether, weights[tether.component], point, CENTRES, CELL)
        penalty = 0.0
        if tether.component < len(CENTRES):
            offset = point - CENTRES[tether.component] - tether.image @ CELL
            penalty = 0.5 * offset @ offset / width**2
        assert ratio - penalty == pytest.approx(density.log_density(point, CENTRES, CELL), abs=1e-9)


def test_assignment_follows_the_share_of_each_component():
    """Frequencies of assigned tethers against g_c/q, 4.5 binomial standard errors each."""
    density = SiteDensity(1.2, 0.3)
    rng = np.random.default_rng(7)
    point = np.array([2.0, 1.2, 0.8])
    counts = np.zeros(4)
    for _ in range(4000):
        counts[density.assign(point, CENTRES, CELL, rng).component] += 1
    shares = []
    for component in range(3):
        alone = SiteDensity(1.2).log_density(point, CENTRES[[component]], CELL)
        shares.append(0.7 / 3 * np.exp(alone))
    shares.append(0.3 / abs(np.linalg.det(CELL)))
    expected = np.array(shares) / sum(shares)
    assert np.all(np.abs(counts / 4000 - expected) < 4.5 * np.sqrt(expected * (1 - expected) / 4000))


def test_occupied_sites_are_not_drawn_across_the_boundary():
    density = SiteDensity(0.3, vacant_only=True)
    ion = CENTRES[[2]] + np.array([1, 1, -2]) @ CELL + 0.1
    assert np.allclose(density.weights(ion, CENTRES, CELL), [0.5, 0.5, 0.0, 0.0])
    everywhere = density.weights(CENTRES, CENTRES, CELL)
    assert np.allclose(everywhere, [1 / 3, 1 / 3, 1 / 3, 0.0])
