"""Platelets resolved in length and depth: against plates, Allen–Cahn platelets and finite differences."""

from typing import Any

import numpy as np
import pytest

from particle_models import LAW, branched, particle
from scalebridge.contracts import RateLaw
from scalebridge.foundation import ConvergenceError, InputError, random_stream
from scalebridge.particle import Platelet, block_size, solve_particle, solve_platelet, sparse_matrices
from scalebridge.particle._kernels import chemical_potentials, particle_places
from scalebridge.particle.platelet_system import platelet_columns, platelet_system

LENGTH = 40e-9
OMEGA = 4.0
COUPLED = LAW.model_copy(update={"form": "coupled ion-electron transfer", "reorganisation_energy": 3.4e-20})


def platelet(columns: int = 41, omega: float | tuple[float, ...] = OMEGA, **changes: Any) -> Platelet:
    """A platelet of LiFePO4 with a symmetric gap, ten interface lengths long."""
    of_platelet = {name: changes.pop(name) for name in ("gradient_energy", "end_gradient") if name in changes}
    length = changes.pop("length", LENGTH)
    depth = particle(omega, **({"shape": "plate", "size": 5e-9, "shells": 8} | changes))
    return Platelet(model=depth, length=length, columns=columns, **of_platelet)


def own_rate(plate: Platelet) -> float:
    """Return k0 A/(V ρ e) [1/s]."""
    model = plate.model
    return model.rate_law.rate_constant * model.grid.surface_area / model.charge_density


CASES = {
    "one gradient energy": platelet(6, (3.0, -0.4, 0.2), length=1.2e-8, shells=7, size=4e-9),
    "two, wetting on all sides": platelet(
        5, (3.0, -0.4, 0.2), length=1e-8, shells=6, size=4e-9, gradient_energy=9e-10, end_gradient=2e7,
        surface_gradient=-3e7, diffusivity=np.array([1e-17, 1e-16, 3e-16]), rate_law=COUPLED,
    ),
}  # fmt: skip


def random_state(plate: Platelet, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = random_stream(seed, "platelet")
    shells = plate.model.shells
    g = platelet_columns(plate, 1.0)
    size = block_size(g.arrays) * plate.columns + 1
    state = rng.uniform(0.1, 0.9, size)
    places = particle_places(g)
    state[places[1 : 2 * shells : 2]] = rng.uniform(-3, 3, (shells, plate.columns))
    return state, rng.normal(size=size)


@pytest.mark.parametrize("held", ["rate", "drive"])
@pytest.mark.parametrize("case", CASES)
def test_jacobian_against_finite_differences(case: str, held: str) -> None:
    plate, cj = CASES[case], 0.7
    system = platelet_system(plate, platelet_columns(plate, 2e-2), (held, 0.3))
    state, rates = random_state(plate, 2)
    by_state, by_rate = sparse_matrices(system.jacobian(state))
    matrix = (by_state + cj * by_rate).toarray()

    def residual(step: np.ndarray) -> np.ndarray:
        out = np.empty(state.size)
        system.residual(state + step, rates + cj * step, out)
        return out

    h = 1e-6
    rounding = 4e-16 * np.abs(residual(np.zeros(state.size))).max() / h
    for column in range(state.size):
        step = np.zeros(state.size)
        step[column] = h
        difference = (residual(step) - residual(-step)) / (2 * h)
        scale = np.abs(matrix[:, column]).max()
        assert matrix[:, column] == pytest.approx(difference, abs=2e-7 * scale + rounding)


@pytest.mark.parametrize("case", CASES)
def test_chemical_potential_is_the_derivative_of_the_discrete_free_energy(case: str) -> None:
    plate = CASES[case]
    g = platelet_columns(plate, 1.0)
    shells = plate.model.shells
    theta = random_stream(5, "theta").uniform(0.05, 0.95, (plate.columns, shells))
    table = np.zeros((block_size(g.arrays), plate.columns))
    table[0 : 2 * shells : 2] = theta.T
    table[1 : 2 * shells : 2] = np.log(theta / (1 - theta)).T
    # the Python form: Numba cannot hand out arrays of a cached function that cached kernels have inlined
    potential = chemical_potentials.py_func(g.arrays, table, g.shrink)
    h = 1e-6
    for k, i in np.ndindex(theta.shape):
        step = np.zeros(theta.shape)
        step[k, i] = h
        slope = (plate.free_energy(theta + step) - plate.free_energy(theta - step)) / (2 * h)
        volume = plate.shares[k] * plate.model.grid.fractions[i]
        assert slope / volume == pytest.approx(potential[i, k], rel=1e-6, abs=1e-6)


def even_or_alone(plate: Platelet, start: np.ndarray, **run: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return θ of the platelet and of each column solved as a plate of its own."""
    together = solve_platelet(plate, start, relative_tolerance=1e-7, **run)
    alone = [solve_particle(plate.model, theta, relative_tolerance=1e-7, **run) for theta in start]
    return together.theta, np.stack([one.theta for one in alone], axis=1)


def test_even_platelet_is_a_plate() -> None:
    """Through the gap, where the plate separates in depth."""
    plate = platelet(4, 3.0, length=8e-9, size=8e-9, diffusivity=1e-17, surface_gradient=1e7)
    rate = 0.3
    times = np.linspace(0, 0.8 / (rate * own_rate(plate)), 12)
    start = np.full((4, 8), 0.05)
    found, expected = even_or_alone(plate, start, times=times, current_density=rate * LAW.rate_constant)
    assert np.ptp(expected, axis=2).max() > 0.5
    assert found == pytest.approx(expected, abs=2e-5)


def test_columns_without_gradient_energy_between_them_are_plates_of_their_own() -> None:
    plate = platelet(4, 1.0, length=8e-9, size=8e-9, diffusivity=1e-18, gradient_energy=0.0)
    times = np.linspace(0, 3 / own_rate(plate), 8)
    start = np.array([0.1, 0.3, 0.3, 0.6])[:, None] * np.ones(8)
    found, expected = even_or_alone(plate, start, times=times, voltage=plate.model.mean_voltage - 0.02)
    assert found == pytest.approx(expected, abs=2e-6)
    assert found[:, 1] == pytest.approx(found[:, 2], abs=1e-12)


@pytest.mark.parametrize("law", [LAW, COUPLED])
def test_quick_diffusion_makes_an_allen_cahn_platelet(law: RateLaw) -> None:
    """Thinner than any wave in depth: waves from both wetted ends, by the depth-averaged kernels as well."""
    plate = platelet(41, size=3.5e-9, diffusivity=1e-13, end_gradient=2e8, rate_law=law)
    rate = 0.1
    run = {
        "times": np.linspace(0, 0.85 / (rate * own_rate(plate)), 20),
        "current_density": rate * LAW.rate_constant,
        "relative_tolerance": 1e-6,
    }
    start = 0.02 * (1 + 0.1 * random_stream(1, "start").uniform(-1, 1, 41))
    found = solve_platelet(plate, start, **run)
    averaged = solve_particle(plate.depth_averaged, start, **run)
    assert np.ptp(averaged.theta, axis=1).max() > 0.8
    assert np.ptp(found.theta, axis=2).max() < 1e-4
    assert found.theta.mean(axis=2) == pytest.approx(averaged.theta, abs=2e-4)
    assert found.voltage == pytest.approx(averaged.voltage, abs=2e-5)
    assert found.free_energy == pytest.approx(averaged.free_energy, abs=2e-5)


def test_ions_are_conserved_under_current() -> None:
    plate = platelet(21, length=2e-8, size=8e-9, diffusivity=1e-17, end_gradient=2e8)
    rate = 0.2
    times = np.linspace(0, 0.8 / (rate * own_rate(plate)), 15)
    found = solve_platelet(plate, 0.05, times=times, current_density=rate * LAW.rate_constant)
    assert found.termination == "time"
    assert found.filling == pytest.approx(0.05 + rate * own_rate(plate) * times, abs=1e-10)
    assert found.current_density @ plate.shares == pytest.approx(rate * LAW.rate_constant, rel=1e-9)


def test_voltage_cutoff_ends_an_insertion() -> None:
    plate = platelet(5, 1.0, length=8e-9)
    cutoff = plate.model.mean_voltage - 0.05
    times = np.linspace(0, 5 / own_rate(plate), 20)
    found = solve_platelet(
        plate, 0.1, times=times, current_density=0.5 * LAW.rate_constant, voltage_cutoff=cutoff
    )
    assert found.termination == "voltage cutoff"
    assert found.voltage[-1] == pytest.approx(cutoff, abs=1e-5)
    assert found.time[-1] < times[-1]


def test_currents_beyond_electron_transfer_are_refused() -> None:
    """Its rate has a limit, however strong the drive."""
    with pytest.raises(ConvergenceError, match="no drive up to 500 kT carries the current at the start"):
        solve_platelet(
            platelet(5, 1.0, length=8e-9, rate_law=COUPLED),
            0.1,
            times=np.array([0.0, 1.0]),
            current_density=1e9 * LAW.rate_constant,
        )


def test_free_energy_never_rises_at_rest() -> None:
    """From noise inside the gap to a single boundary across the depth, the shorter way."""
    plate = platelet(31, length=3e-8, size=7e-9, diffusivity=1e-17)
    start = random_stream(2, "start").uniform(0.3, 0.7, (31, 8))
    found = solve_platelet(plate, start, times=np.geomspace(1e-2, 1e6, 40), current_density=0.0)
    assert found.termination == "time"
    assert found.filling == pytest.approx(found.filling[0], abs=1e-10)
    assert np.diff(found.free_energy).max() < 1e-7
    assert found.wave_share[-1] > 0.99
    assert found.phase_variance[0][-1] > 0.5


def test_growing_modes_are_those_of_the_dense_problem() -> None:
    """Of θ′ = −V⁻¹K V⁻¹Gθ at fixed filling, by their growth rates."""
    plate = platelet(9, length=1.6e-8, size=8e-9, shells=6, diffusivity=1e-17)
    g = platelet_columns(plate, 1e-2)
    system = platelet_system(plate, g, ("rate", 0.0))
    state, rates = np.zeros(block_size(g.arrays) * 9 + 1), growth_rates(plate, 0.4)
    table = state[:-1].reshape(-1, 9)
    table[0:12:2], table[1:12:2], table[12] = 0.4, np.log(0.4 / 0.6), 0.4
    state[-1] = -np.log(0.4 / 0.6) - OMEGA * 0.2
    growing = np.sort(rates[rates > 0])
    assert growing.size >= 6
    assert system.resolves(state, 1.001 * growing[-1])
    assert not system.resolves(state, 0.999 * growing[-1])
    assert not system.resolves(state, 0.5 * (growing[-3] + growing[-2]))


def growth_rates(plate: Platelet, theta: float) -> np.ndarray:
    """Return those of an even platelet at equilibrium with its drive, at fixed filling [1/s]."""
    n, m, grid = plate.model.shells, plate.columns, plate.model.grid
    length2, h = plate.model.interface_length**2, plate.depth_averaged.grid.spacing

    def second_difference(size: int) -> np.ndarray:
        steps = np.diff(np.eye(size), axis=0)
        return np.diag([2.0, *np.ones(size - 2), 2.0]) @ steps.T @ steps

    depth = np.kron(np.eye(m), second_difference(n) / grid.spacing**2)
    along = np.kron(second_difference(m) / h**2, np.eye(n))
    stiffness = (1 / (theta * (1 - theta)) - 2 * OMEGA) * np.eye(n * m) + length2 * (depth + along)
    # Butler–Volmer at equilibrium: dR/dμ = −(1−θ) √a
    activity = np.exp(np.log(theta / (1 - theta)) + OMEGA * (1 - 2 * theta))
    surface = np.kron(np.eye(m), np.diag([*np.zeros(n - 1), 1.0 / grid.fractions[-1]]))
    exchange = own_rate(plate) * (1 - theta) * np.sqrt(activity)
    motion = -1e-17 * theta * (1 - theta) * depth - exchange * surface
    volumes = np.kron(plate.shares, grid.fractions)
    # an orthonormal basis of what keeps Σ V θ = 0, in which G is projected
    weights = np.sqrt(volumes)
    basis = np.linalg.svd(weights[None])[2][1:].T
    scaled = basis.T @ (weights[:, None] * stiffness / weights) @ basis
    moved = weights[:, None] * motion / weights
    inverse = basis.T @ np.linalg.inv(moved) @ basis
    return np.real(np.linalg.eigvals(np.linalg.solve(inverse, scaled)))


def half_full(damkohler: float, columns: int = 41, shells: int = 7) -> tuple[float, float, float]:
    """Return phase variances and wave share of a half full platelet with wetted ends, 2 ℓ thin, 20 ℓ long.

    At 2 % of the rate constant; ``damkohler`` is k0 L/(ρ e D).
    """
    ell = platelet().model.interface_length
    shape = {"length": 20 * ell, "size": 2 * ell, "shells": shells, "end_gradient": 0.7 / ell}
    plate = platelet(columns, **shape)
    rate = own_rate(plate)
    plate = platelet(columns, **shape, diffusivity=rate * plate.model.size**2 / damkohler)
    times = np.linspace(0, 0.47 / (0.02 * rate), 30)
    found = solve_platelet(plate, 0.03, times=times, current_density=0.02 * LAW.rate_constant)
    assert found.filling[-1] == pytest.approx(0.5)
    along, inward = found.phase_variance
    return along[-1], inward[-1], found.wave_share[-1]


def test_ratio_of_reaction_to_diffusion_decides_between_wave_and_shell() -> None:
    """Phases lie apart in both limits, side by side in one and one behind the other in the other."""
    found = np.array([half_full(damkohler) for damkohler in (0.01, 1.0, 5.0, 20.0)])
    along, inward, share = found.T
    assert along[0] > 0.75
    assert inward[-1] > 0.4
    assert share[0] > 0.99
    assert share[-1] < 0.05
    assert np.all(np.diff(share) < 0)


@pytest.mark.slow
def test_wave_and_shell_on_finer_grids() -> None:
    for damkohler in (0.01, 5.0, 20.0):
        coarse = half_full(damkohler)
        assert half_full(damkohler, columns=81) == pytest.approx(coarse, abs=0.05)
        assert half_full(damkohler, shells=13) == pytest.approx(coarse, abs=0.05)


def test_phase_variance_of_known_profiles() -> None:
    """Uniform from 0.1 to 0.9, of variance 0.64/12, along either axis, and none of an even platelet."""
    plate = platelet(401, length=2e-8, size=5e-9, shells=401)
    ramp = np.linspace(0.1, 0.9, 401)
    theta = np.stack(
        [np.repeat(ramp[:, None], 401, 1), np.repeat(ramp[None], 401, 0), np.full((401, 401), 0.3)]
    )
    along, inward = plate.phase_variance(theta)
    assert along == pytest.approx([0.64 / 3, 0.0, 0.0], abs=1e-5)
    assert inward == pytest.approx([0.0, 0.64 / 3, 0.0], abs=1e-5)
    share = plate.wave_share(theta)
    assert share[:2] == pytest.approx([1.0, 0.0], abs=1e-12)
    assert np.isnan(share[2])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "allen-cahn", "length": 4e-8, "shells": 41}, "it must be a cahn-hilliard plate"),
        ({"shape": "sphere"}, "cahn-hilliard sphere as the depth of a platelet"),
        ({"coherency_modulus": 1e8}, "its coherency energy is not modelled; give 0"),
        ({"size": 5e-9, "length_of_platelet": 4e-7}, "columns along the length of a platelet, as shells"),
    ],
)
def test_platelets_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    length = changes.pop("length_of_platelet", LENGTH)
    model = particle(OMEGA, **({"shape": "plate", "size": 5e-9, "shells": 8} | changes))
    with pytest.raises(InputError, match=message):
        Platelet(model=model, length=length, columns=41)


def test_phases_with_a_rate_of_their_own_are_refused() -> None:
    phases = branched((1.0, 0.5, 0.0), (1.0, 0.0, 2.5))
    model = particle(phases, shape="plate", size=5e-9, shells=8, phase_relaxation_time=1.0)
    with pytest.raises(InputError, match="phases with a rate of their own are not modelled in a platelet"):
        Platelet(model=model, length=LENGTH, columns=41)


def test_starts_that_do_not_fit_are_refused() -> None:
    plate, times = platelet(11, length=2e-8), np.array([0.0, 1.0])
    with pytest.raises(InputError, match=r"must be one number, 11 or 11 × 8 inside"):
        solve_platelet(plate, np.full(8, 0.1), times=times, voltage=3.4)
    with pytest.raises(InputError, match="exactly one must be given"):
        solve_platelet(plate, 0.1, times=times)
