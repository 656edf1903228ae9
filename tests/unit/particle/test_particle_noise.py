"""Thermal noise: detailed balance, equilibrium in slices of time, conservation, growth from noise alone."""

from typing import Any

import numpy as np
import pytest
from scipy.special import logit

from particle_models import LAW, branched, particle
from scalebridge.contracts import RateLaw
from scalebridge.foundation import ConvergenceError, InputError
from scalebridge.particle import (
    ImplicitSystem,
    ParticleModel,
    Particles,
    ParticleSolution,
    Surface,
    ThermalNoise,
    consistent_start,
    noise_strengths,
    particle_arrays,
    particle_residual,
    particle_sites,
    solve_particle,
    solve_slices,
    thermal_noise,
)
from scalebridge.particle.noise import NEAR_EQUILIBRIUM, reaction_noise
from scalebridge.particle.tables import evaluate_many

RATE_SCALE, SHRINK, FILM = 1e-3, 0.7, 2.0
MARCUS = RateLaw(form="marcus-hush-chidsey", rate_constant=0.16, reorganisation_energy=3.4e-20, source="test")
SPHERE = {"size": 30e-9, "shells": 8, "diffusivity": 1e-15}
PLATELET = {"kind": "allen-cahn", "shape": "plate", "size": 5e-9, "length": 20e-9, "shells": 7}
HOMOGENEOUS = {"kind": "homogeneous", "size": 20e-9, "shells": None}


def stiffness(model: ParticleModel, profile: np.ndarray) -> np.ndarray:
    """Second derivatives of the free energy per site over kT (shells, shells), from its formula."""
    grid = model.grid
    curvature = 1 / (profile * (1 - profile)) + evaluate_many(model.excess, profile)[1] + model.coherency
    faces = np.diff(np.eye(profile.size), axis=0)
    bend = faces.T * (model.interface_length**2 * grid.face_areas / grid.spacing) @ faces
    mean = model.coherency * np.outer(grid.fractions, grid.fractions)
    return np.diag(grid.fractions * curvature) + bend - mean


class Open:
    """A particle at equilibrium with a drive, its equations as they stand in the kernels."""

    def __init__(self, model: ParticleModel, profile: np.ndarray, drive: float) -> None:
        small = model.scaled_to(SHRINK * model.size)
        p = particle_arrays(small, RATE_SCALE)
        self.g = Particles(p, 0, np.full(1, SHRINK), np.full(1, FILM / (p.rate * SHRINK)))
        self.profile, self.surface = profile, Surface(np.zeros(1), np.array([drive]))

    def state(self, profile: np.ndarray, filling: float = 0.0) -> np.ndarray:
        n, fractions = profile.size, self.g.arrays.fractions
        state = np.empty(2 * n + 2)
        state[0 : 2 * n : 2], state[1 : 2 * n : 2] = profile, logit(profile)
        state[2 * n :] = fractions @ profile, filling
        return state

    def flow(self, profile: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Return dθ_i/dt, the filling rate eliminated by a step of Newton's iteration."""
        noisy = self.g._replace(noise=noise[:, None])
        last = RATE_SCALE / self.g.arrays.fractions[-1]

        def at(filling: float) -> tuple[np.ndarray, float]:
            out = np.empty(2 * profile.size + 2)
            state = self.state(profile, filling)
            particle_residual(noisy, self.surface, state, np.zeros_like(out), out)
            flow = -out[1:-2:2]
            if self.g.arrays.direct:
                flow[-1] -= last * out[-1]
            return flow, float(out[-1])

        slope = (at(1e-6)[1] - at(-1e-6)[1]) / 2e-6
        return at(-at(0.0)[1] / slope)[0]


@pytest.mark.parametrize(
    "changes",
    [
        SPHERE,
        SPHERE | {"surface_gradient": 4e6, "coherency_modulus": 1e8},
        SPHERE | {"rate_law": MARCUS},
        PLATELET,
        PLATELET | {"surface_gradient": 4e6, "coherency_modulus": 1e8},
        HOMOGENEOUS,
    ],
)
def test_detailed_balance(changes: dict[str, Any]) -> None:
    """A Σ + Σ Aᵀ + B S Bᵀ = 0 with Σ = G⁻¹: the kernels have the equilibrium of the energy.

    For particles under films that exchange ions with a bath, at uneven equilibria as well.
    """
    model = particle(1.5, **changes)
    long = np.array([0.0, 1e5])
    rest = solve_particle(model, 0.3, times=long, current_density=0.0, relative_tolerance=1e-8)
    drive = float((rest.voltage[-1] - model.mean_voltage) / model.thermal_voltage)
    made = Open(model, rest.theta[-1], drive)
    n, nothing, h = model.shells, np.zeros(model.shells), 1e-6
    a = np.array(
        [
            made.flow(made.profile + h * e, nothing) - made.flow(made.profile - h * e, nothing)
            for e in np.eye(n)
        ]
    ).T / (2 * h)
    still = made.flow(made.profile, nothing)
    strengths = noise_strengths(made.g, made.surface, made.state(made.profile)).strength[:, 0]
    unit = np.full(n, h * RATE_SCALE)
    unit[:-1] /= 1.0 if made.g.arrays.direct else 0.5 * strengths[:-1]
    b = np.array([made.flow(made.profile, e) - still for e in np.diag(unit)]).T / unit[-1]
    sigma = np.linalg.inv(stiffness(model, made.profile))
    balance = a @ sigma + sigma @ a.T
    assert b * strengths @ b.T == pytest.approx(-balance, abs=1e-4 * np.abs(balance).max())


def test_shot_noise_is_that_of_both_rates() -> None:
    """Far from equilibrium the two rates of Butler–Volmer; through equilibrium without a jump."""
    p, theta, log_activity = particle_arrays(particle(2.0, rate_law=LAW), 1.0), 0.3, -1.1
    for drive in (-4.0, 0.5, 6.0):
        rates = (1 - theta) * np.exp([0.2 - drive / 2, log_activity + drive / 2])
        found = reaction_noise(p, (0.2, drive, 0.0), log_activity, float(logit(theta)))
        assert found == pytest.approx((*rates, 0.0, 1.0), rel=1e-9)
    for law in (LAW, MARCUS):
        p = particle_arrays(particle(2.0, rate_law=law), 1.0)
        shifts = 0.2 - log_activity - NEAR_EQUILIBRIUM * np.array([0.99, 1.01])
        near = [reaction_noise(p, (0.2, float(drive), 0.0), log_activity, -0.8)[:2] for drive in shifts]
        assert near[0] == pytest.approx(near[1], rel=1e-5)


def test_shells_with_few_ions_lose_no_more_than_they_hold() -> None:
    """However large the numbers drawn; ordinary ones are left alone."""
    for changes in (SPHERE, PLATELET):
        model = particle(1.0, **changes)
        made = Open(model, np.full(model.shells, 0.02), 0.0)
        f, state = made.g.arrays.fractions, made.state(made.profile)
        huge, one = (np.full((model.shells, 1), size) for size in (-1e9, -1.0))
        interval = 1e-9  # nothing flows back meanwhile
        settings: dict[str, Any] = {"interval": interval}
        strength = noise_strengths(made.g, made.surface, state).strength
        # through faces the noise is a force
        currents = np.where(np.arange(model.shells) < model.shells - 1, 0.5 * strength[:, 0], 1.0)
        currents = np.ones(model.shells) if made.g.arrays.direct else currents
        lost = thermal_noise(made.g, made.surface, state, huge, sites=np.full(1, 1e6), **settings)[:, 0]
        lost *= -currents * interval / (0.02 * f)
        assert lost == pytest.approx(0.25, rel=1e-3)
        sites = np.full(1, 30 / (0.02 * f.min()))
        drawn = thermal_noise(made.g, made.surface, state, one, sites=sites, **settings)
        expected = -np.sqrt(strength[:, 0] / (sites * interval))
        assert drawn[:, 0] * currents == pytest.approx(expected, rel=1e-12)


def run(model: ParticleModel, theta: Any, *, end: float, interval: float, **changes: Any) -> ParticleSolution:
    noise = ThermalNoise(interval=interval, seed=changes.pop("seed", 1), sites=changes.pop("sites", 1e7))
    times = np.linspace(0.0, end, round(end / interval) + 1)
    return solve_particle(
        model, theta, **({"times": times, "current_density": 0.0, "noise": noise} | changes)
    )


def modes(model: ParticleModel, theta: float) -> tuple[np.ndarray, np.ndarray]:
    """Return rates ω and modes (shells, modes), of unit variance at equilibrium per √N, at fixed filling.

    G = L Lᵀ; u = Lᵀ δ has unit covariance and relaxes with the symmetric matrix Lᵀ V⁻¹ K V⁻¹ L.
    """
    grid = model.grid
    m = float(model.diffusivity(np.array([theta]))[0]) * theta * (1 - theta)
    faces = np.diff(np.eye(model.shells), axis=0)
    conductance = faces.T * (m * grid.face_areas / grid.spacing) @ faces
    lower = np.linalg.cholesky(stiffness(model, np.full(model.shells, theta)))
    inner = (lower / grid.fractions[:, None]).T
    rates, vectors = np.linalg.eigh(inner @ conductance @ inner.T)
    return rates[1:], lower @ vectors[:, 1:]


def test_equilibrium_in_slices() -> None:
    """Each mode has the variance tanh(½ωΔt)/(½ωΔt)/N, which with shorter slices goes to (N G)⁻¹.

    Bounds of 4.5 standard errors on 10 variances, correlation of the slices included, and on their sums:
    failure probability below 2e-4, of one seed.
    """
    model, theta, sites, count = particle(1.0, **(SPHERE | {"shells": 6})), 0.3, 1e7, 500
    rates, shapes = modes(model, theta)
    totals = []
    for slowest in (1.0, 0.4):
        interval = slowest / rates[0]
        found = run(model, theta, end=count * interval, interval=interval, sites=sites)
        amplitudes = (found.theta[10:] - theta) @ shapes * np.sqrt(sites)
        z = rates * interval
        expected = np.tanh(z / 2) / (z / 2)
        memory = np.exp(-z)
        error = expected * np.sqrt(2 / count * (1 + memory**2) / (1 - memory**2))
        assert np.all(np.abs(np.mean(amplitudes**2, axis=0) - expected) < 4.5 * error)
        totals.append(float(np.mean(amplitudes**2)))
        assert abs(totals[-1] - expected.mean()) < 4.5 * np.sqrt(np.sum(error**2)) / expected.size
        assert np.ptp(found.filling) < 1e-13
    assert totals[0] < totals[1] < 1


def test_seeds_and_sites() -> None:
    """One seed, one run; departures go as 1/√N, to second order in them."""
    model = particle(1.0, **SPHERE)
    settings: dict[str, Any] = {"end": 0.1, "interval": 0.01, "relative_tolerance": 1e-8}
    first, again = (run(model, 0.3, sites=1e8, **settings) for _ in range(2))
    assert np.array_equal(first.theta, again.theta)
    other = run(model, 0.3, sites=1e8, seed=2, **settings)
    assert np.abs(first.theta - other.theta).max() > 1e-4
    fewer = run(model, 0.3, sites=1e6, **settings)
    departure = fewer.theta[1:] - 0.3
    second_order = 5 * np.abs(departure).max() ** 2
    assert 10 * (first.theta[1:] - 0.3) == pytest.approx(departure, abs=second_order)
    assert second_order < 0.2 * np.abs(departure).max()


def test_noise_of_countless_sites_is_none() -> None:
    model = particle(3.5, **(SPHERE | {"shells": 20}))
    times = np.linspace(0.0, 100.0, 6)
    changes: dict[str, Any] = {"times": times, "current_density": 0.01, "relative_tolerance": 1e-7}
    quiet = solve_particle(model, 0.1, **changes)
    noise = ThermalNoise(interval=10.0, seed=0, sites=1e30)
    found = solve_particle(model, 0.1, noise=noise, **changes)
    assert found.time == pytest.approx(quiet.time)
    assert found.theta == pytest.approx(quiet.theta, abs=1e-5)
    assert found.voltage == pytest.approx(quiet.voltage, abs=1e-6)


@pytest.mark.parametrize("theta", [0.01, 0.99])
@pytest.mark.parametrize("changes", [SPHERE, PLATELET])
def test_few_ions_stay_inside_their_bounds(theta: float, changes: dict[str, Any]) -> None:
    """Shells with one ion, or one vacancy, and less."""
    found = run(particle(1.0, **changes), theta, end=2.0, interval=0.1, sites=1e3)
    assert found.termination == "time", found.status
    assert np.all((found.theta > 0) & (found.theta < 1))
    assert found.theta.std() > 0.3 * min(theta, 1 - theta)
    assert found.filling == pytest.approx(theta, abs=1e-13)


def test_only_noise_starts_the_decomposition() -> None:
    """A half-full plate stays even without noise; with it, its one unstable mode grows at its rate ω.

    ω = −D θ(1−θ) k² (g″ + ℓ²k²), of the discrete k². New noise adds less than 2e-3 of the amplitude in
    the time over which the growth is measured, at ten standard deviations.
    """
    size, shells, omega = 8e-9, 25, 3.0
    model = particle(omega, shape="plate", size=size, shells=shells, diffusivity=1e-16)
    grid = model.grid
    shapes = np.cos(np.outer([1, 2], np.pi * grid.nodes / size))
    k2 = (2 * np.sin(0.5 * np.pi * np.array([1, 2]) / (shells - 1)) / grid.spacing) ** 2
    rates = -0.25 * float(model.diffusivity(np.array([0.5]))[0]) * k2 * (
        4 - 2 * omega + model.interface_length**2 * k2
    )  # fmt: skip
    assert rates[0] > 0 > rates[1]
    end = 25 / rates[0]
    noisy = run(model, 0.5, end=end, interval=end / 250, sites=1e12, relative_tolerance=1e-6)
    quiet = solve_particle(model, 0.5, times=noisy.time, current_density=0.0)
    assert np.ptp(quiet.theta) < 1e-6
    amplitude = np.abs(2 * noisy.theta @ (grid.fractions * shapes[0]))
    linear = np.flatnonzero((amplitude > 3e-4) & (amplitude < 1e-2))
    first, last = linear[0], linear[-1]
    grown = np.log(amplitude[last] / amplitude[first]) / (noisy.time[last] - noisy.time[first])
    assert grown == pytest.approx(rates[0], rel=0.01)
    assert np.ptp(noisy.theta[-1]) > 0.6


def decay(rate: float) -> ImplicitSystem:
    raise ConvergenceError(f"no consistent start at {rate:g}")


def test_ends_of_runs() -> None:
    """Output times between the ends of slices; a voltage cutoff; a system that has no start."""
    model = particle(1.0, **SPHERE)
    times = np.array([0.0, 0.3, 1.0, 1.5, 20.0])
    noise = ThermalNoise(interval=0.5, seed=1)
    found = solve_particle(model, 0.3, times=times, current_density=0.1, noise=noise)
    assert np.array_equal(found.time, times)
    per_second = 0.1 * model.grid.surface_area / model.charge_density
    assert found.filling == pytest.approx(0.3 + per_second * times, abs=1e-12)
    cutoff = float(found.voltage[-1]) + 2e-3
    ended = solve_particle(
        model, 0.3, times=times, current_density=0.1, noise=noise, voltage_cutoff=cutoff
    )  # fmt: skip
    assert ended.termination == "voltage cutoff"
    assert 1.5 < ended.time[-1] < 20.0
    assert ended.voltage[-1] == pytest.approx(cutoff, abs=2e-3)
    with pytest.raises(ConvergenceError, match="no consistent start at 0"):
        solve_slices(lambda state: (decay(state[0]), None), times, np.zeros(1), 0.5)


def test_later_failures_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def start(*arguments: Any, **settings: Any) -> Any:
        calls.append(1)
        if len(calls) > 4:
            raise ConvergenceError("no start")
        return consistent_start(*arguments, **settings)

    monkeypatch.setattr("scalebridge.particle.slices.consistent_start", start)
    found = run(particle(1.0, **SPHERE), 0.3, end=1.0, interval=0.1)
    assert found.termination == "solver failure"
    assert found.time[-1] == pytest.approx(0.4)
    assert "no start" in found.status


def test_sites_of_the_real_particle() -> None:
    volumes = {"sphere": 4 / 3 * np.pi, "cylinder": np.pi * 2, "plate": 8}
    for shape, volume in volumes.items():
        model = particle(1.0, shape=shape, size=20e-9, shells=10)
        assert particle_sites(model) == pytest.approx(model.site_density * volume * 20e-9**3)
    assert particle_sites(particle(1.0, **PLATELET)) == pytest.approx(
        particle(1.0).site_density * 10e-9 * 20e-9**2
    )


def test_impossible_noise_is_refused() -> None:
    with pytest.raises(InputError, match="noise interval 0 s must be positive"):
        ThermalNoise(interval=0.0, seed=1)
    with pytest.raises(InputError, match="-1 sites, which must be positive"):
        ThermalNoise(interval=1.0, seed=1, sites=-1.0)
    ordered = particle(branched((1.0, 0.5, 0.0), (0.8, 0.0, 2.5)), phase_relaxation_time=1.0, **SPHERE)
    with pytest.raises(InputError, match="phases have a rate of their own is not modelled"):
        run(ordered, 0.3, end=1.0, interval=0.1)
