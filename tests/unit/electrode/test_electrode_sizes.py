"""Particles of several sizes in a volume, their films, and chains of them."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import lognorm

from particle_models import FAST, cell, particle
from scalebridge.electrode import CellModel, Layer, MetalFoil, Population, solve_cell
from scalebridge.electrode.population import active_shares
from scalebridge.electrode.sizes import deal, lognormal_sizes
from scalebridge.foundation import InputError

CATHODE = Layer(thickness=70e-6, porosity=0.4, bruggeman_exponent=1.5, volumes=4)


def solid_solution(**changes: object) -> CellModel:
    model = particle(1.0, shells=8, gradient_energy=0.0, diffusivity=1e-13)
    separator = Layer(thickness=25e-6, porosity=0.7, bruggeman_exponent=1.5, volumes=3)
    return cell(model, separator=separator, layer=CATHODE, **changes)


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_quantiles_keep_the_surface_of_the_distribution(dimension: int) -> None:
    """Σ volume/R over the bins is the distribution's ⟨R^(d−1)⟩/⟨R^d⟩, for one bin as for many."""
    mean, deviation = 100e-9, 35e-9
    sigma = np.sqrt(np.log1p((deviation / mean) ** 2))
    numbers = lognorm(s=sigma, scale=mean * np.exp(-0.5 * sigma**2))
    assert numbers.mean() == pytest.approx(mean)
    assert numbers.std() == pytest.approx(deviation)
    for bins in (1, 7, 40):
        sizes = lognormal_sizes(mean, deviation, dimension, bins)
        assert np.all(np.diff(sizes) > 0)
        assert np.mean(1 / sizes) == pytest.approx(
            numbers.moment(dimension - 1) / numbers.moment(dimension), rel=1e-10
        )


def test_each_bin_holds_the_same_volume() -> None:
    """The middle of a bin's surface lies between the sizes that split the volume equally."""
    mean, deviation, bins = 1.0, 0.4, 5
    sigma = np.sqrt(np.log1p(deviation**2))
    numbers = lognorm(s=sigma, scale=np.exp(-0.5 * sigma**2))
    total = numbers.moment(3)
    sizes = lognormal_sizes(mean, deviation, 3, bins)
    below = [quad(lambda r: r**3 * numbers.pdf(r) / total, 0, size)[0] for size in sizes]
    assert all(k / bins < share < (k + 1) / bins for k, share in enumerate(below))


def test_sizes_are_dealt_without_a_trend_over_depth() -> None:
    volumes, particles = 20, 5
    ranks = deal(np.arange(volumes * particles, dtype=float), volumes)
    assert ranks.shape == (volumes, particles)
    assert sorted(ranks.ravel()) == list(range(100))
    assert np.all(ranks // volumes == np.arange(particles))
    trend = np.polyfit(np.linspace(-1, 1, volumes), ranks.mean(axis=1), 1)[0]
    assert abs(trend) < 2.0  # of 100 ranks; a sorted deal has 10


def test_equal_particles_behave_as_one() -> None:
    one = solve_cell(solid_solution(), 1.0)
    population = Population.listed(np.full(3, 100e-9), np.array([1.0, 2.0, 5.0]), volumes=4)
    three = solve_cell(solid_solution(population=population), 1.0)
    inside = one.filling < 0.9
    again = np.interp(one.filling, three.filling, three.voltage)
    assert again[inside] == pytest.approx(one.voltage[inside], abs=3e-5)
    assert np.ptp(three.theta, axis=2).max() < 1e-5


def test_ions_and_charge_are_conserved_over_sizes() -> None:
    population = Population.lognormal(100e-9, 40e-9, shape="sphere", volumes=4, particles=3)
    model = solid_solution(population=population, film_resistance=1e-3)
    solution = solve_cell(model, 3.0)
    assert solution.filling - solution.filling[0] == pytest.approx(3.0 * solution.time / 3600, abs=1e-12)
    passed = np.einsum("tkj,kj->t", solution.reaction, population.shares)
    assert passed == pytest.approx(3.0 / 3600, rel=1e-9)
    assert np.ptp(solution.theta[50].mean(axis=-1)) > 1e-3


def test_a_film_costs_its_resistance_times_the_current_density() -> None:
    """Alike particles that fill alike: V falls by R i, with i the current over the particles' surface."""
    resistance = 0.02
    plain, coated = (
        solve_cell(solid_solution(film_resistance=r, electronic_conductivity=1e3), 0.5)
        for r in (0, resistance)
    )
    model = solid_solution()
    density = 0.5 / 3600 * model.particle.charge_density * model.particle.size / 3
    inside = (plain.filling > 0.3) & (plain.filling < 0.7)
    lost = (plain.voltage - np.interp(plain.filling, coated.filling, coated.voltage))[inside]
    assert np.mean(lost) == pytest.approx(resistance * density, rel=2e-3)


def test_a_chain_of_one_costs_its_contact() -> None:
    """One particle behind one contact: V falls by the current of a particle over the conductance."""
    conductance = 2e-13
    model = solid_solution(contact_conductance=conductance, electronic_conductivity=1e3)
    charge = model.particle.charge_density * 4 / 3 * np.pi * model.particle.size**3
    plain, chained = (
        solve_cell(solid_solution(contact_conductance=g, electronic_conductivity=1e3), 0.5)
        for g in (None, conductance)
    )
    inside = (plain.filling > 0.3) & (plain.filling < 0.7)
    lost = (plain.voltage - np.interp(plain.filling, chained.filling, chained.voltage))[inside]
    assert np.mean(lost) == pytest.approx(0.5 / 3600 * charge / conductance, rel=5e-3)


def test_the_last_of_a_chain_fills_last() -> None:
    """Poor contacts: filling falls from the conductor on; good ones: as if all touched it."""
    population = Population.listed(np.full(3, 100e-9), None, volumes=4)
    sloping = particle(-4.0, shells=8, gradient_energy=0.0, diffusivity=1e-13)
    common = {"layer": CATHODE, "population": population, "anode": MetalFoil(FAST)}
    cells = {g: cell(sloping, contact_conductance=g, **common) for g in (None, 3e-13, 1e-6)}
    solutions = {g: solve_cell(model, 1.0) for g, model in cells.items()}
    at = {g: np.abs(s.filling - 0.3).argmin() for g, s in solutions.items()}
    poor = solutions[3e-13].theta[at[3e-13]].mean(axis=-1)
    assert np.all(np.diff(poor, axis=1) < -0.02)
    good, touching = solutions[1e-6], solutions[None]
    inside = touching.filling < 0.9
    assert np.interp(touching.filling, good.filling, good.voltage)[inside] == pytest.approx(
        touching.voltage[inside], abs=1e-4
    )


def ways(order: np.ndarray, groups: int, times: int) -> np.ndarray:
    """Progress of particles that work in groups, one group after another at a steady pace: (times, 1, n)."""
    clock = np.linspace(0, groups, times)[:, None]
    return np.clip(clock - (order % groups), 0.0, 1.0)[:, None, :]


@pytest.mark.parametrize(("groups", "times"), [(12, 12001), (6, 6001), (3, 301), (1, 7)])
def test_active_share_of_groups_that_work_one_after_another(groups: int, times: int) -> None:
    shares = np.full((1, 12), 1 / 12)
    active, done = active_shares(ways(np.arange(12), groups, times), shares)
    assert active[0] == done[0] == 0.0
    assert done == pytest.approx(np.linspace(0, 1, times))
    assert active[1:] == pytest.approx(1 / groups)


def test_active_share_is_limited_by_the_times_between_outputs() -> None:
    """Twelve jumps, seen four times: three in each interval, which count as one group."""
    shares = np.full((1, 12), 1 / 12)
    jumps = (np.arange(13)[:, None] > np.arange(12)).astype(float)[:, None, :]
    for every, expected in ((1, 1 / 12), (3, 1 / 4), (12, 1.0)):
        assert active_shares(jumps[::every], shares)[0][1:] == pytest.approx(expected)


def test_ions_that_are_lent_and_taken_back_count_once() -> None:
    """Particles that wait rise together and fall back with each jump, as in a slow discharge."""
    shares = np.full((1, 12), 1 / 12)
    clock = np.linspace(0, 12, 2401)[:, None]
    waiting = 0.1 * (clock % 1.0)
    progress = np.where(clock >= np.arange(1, 13), 1.0, waiting)[:, None, :]
    active, done = active_shares(progress, shares)
    weights = np.diff(done)
    # the first rise is common to all, the rest is jumps
    assert np.sum(weights * active[1:]) == pytest.approx(0.1 * 1.0 + 0.9 / 12, rel=0.01)
    # beyond what all reach while they wait, each is alone
    beyond = np.maximum(progress - 0.1, 0.0)
    assert active_shares(beyond, shares)[0][np.diff(active_shares(beyond, shares)[1], prepend=0) > 0] == (
        pytest.approx(1 / 12)
    )


def test_active_share_counts_capacities() -> None:
    shares = np.array([[0.1, 0.2], [0.3, 0.4]])
    progress = np.zeros((4, 2, 2))
    progress[1:] = 0.5
    progress[2:, 1, 0] = 1.0
    assert active_shares(progress, shares)[0] == pytest.approx([0.0, 1.0, 0.3, 0.0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"film_resistance": -1.0}, "film resistance -1"),
        ({"contact_conductance": 0.0}, "contact conductance 0 S"),
        (
            {"population": Population.listed(np.array([1e-7]), None, volumes=3)},
            "for 3 volumes where the .* has 4",
        ),
    ],
)
def test_bad_particles(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        solid_solution(**changes)


def test_bad_distributions() -> None:
    with pytest.raises(InputError, match="standard deviation 0 m in 4 sizes"):
        lognormal_sizes(1e-7, 0.0, 3, 4)
    with pytest.raises(InputError, match="at least one particle"):
        Population.listed(np.empty(0), None, volumes=2)
    with pytest.raises(InputError, match="must be positive"):
        Population.listed(np.array([1e-7, -1e-7]), None, volumes=2)


def test_the_largest_particle_decides_on_the_shells() -> None:
    """50 shells resolve 100 nm but not 200 nm."""
    population = Population.listed(np.array([50e-9, 200e-9]), None, volumes=20)
    with pytest.raises(InputError, match="use at least"):
        cell(population=population)
