"""Mean-squared displacement, hops, thermostat and Arrhenius fits against known walks."""

import numpy as np
import pytest
from ase import Atoms

from scalebridge.foundation import ConvergenceError, InputError, constants, random_stream
from scalebridge.sampling import EnergyModel, Evaluation, kinetic_energy, maxwell_velocities
from scalebridge.transport import (
    DynamicsSettings,
    collective_walker,
    fit_arrhenius,
    fit_diffusivity,
    follow_sites,
    one_hop_bound,
    relative_to_framework,
    rescale_velocities,
    sample_trajectory,
)


def _brownian(seed, d, frames=4000, particles=20, interval=10.0):
    rng = random_stream(seed, "test", "brownian")
    steps = rng.normal(0, 1, (frames, particles, 3)) * np.sqrt(2 * np.asarray(d) * interval)
    return np.cumsum(steps, axis=0)


def test_brownian_walkers_return_their_tensor():
    d = np.array([2e-3, 1e-3, 0.0])
    found = fit_diffusivity(_brownian(1, d), 10.0)
    # Beyond 6 standard errors (4 degrees of freedom) lies 0.4 % of Student's distribution; fixed seed.
    assert abs(found.mean - d.mean()) < 6 * found.error and found.error < 0.15 * d.mean()
    np.testing.assert_allclose(np.diag(found.tensor), d, atol=5e-4)


def test_error_bars_cover_the_truth():
    # 60 independent walks: |z| < 2 in about 84 % of them (Student t, 4 degrees of freedom, 88 %); the chance
    # of fewer than 42 of 60 is below 1e-3.
    d = np.full(3, 1e-3)
    inside = 0
    for seed in range(60):
        found = fit_diffusivity(_brownian(seed, d, frames=600, particles=5), 10.0)
        inside += abs(found.mean - 1e-3) < 2 * found.error
    assert 42 <= inside <= 60


def test_independent_walkers_have_equal_tracer_and_jump_diffusivity():
    walk = _brownian(5, np.full(3, 1e-3), frames=20000)
    assert fit_diffusivity(collective_walker(walk), 10.0).mean == pytest.approx(1e-3, rel=0.3)


def test_vibration_does_not_count_as_diffusion():
    rng = random_stream(7, "test", "vibration")
    walk = _brownian(2, np.full(3, 1e-4))
    shaken = walk + rng.normal(0, 0.5, walk.shape)
    assert fit_diffusivity(shaken, 10.0).mean == pytest.approx(fit_diffusivity(walk, 10.0).mean, rel=0.05)


def test_framework_drift_is_removed():
    walk = np.zeros((50, 3, 3))
    walk += np.linspace(0, 5, 50)[:, None, None]
    relative = relative_to_framework(walk, np.array([2]), np.array([1.0, 2.0, 9.0]))
    np.testing.assert_allclose(relative, 0, atol=1e-12)


def test_hops_are_counted_without_recrossings():
    cell, sites = np.diag([4.0, 8.0, 8.0]), np.array([[0.0, 0, 0], [0.5, 0, 0]])
    x = np.array([0.0, 0.3, 0.98, 1.02, 0.97, 1.05, 0.2, 1.1, 1.9, 2.0, 3.1, 3.9, 4.1])
    path = np.zeros((len(x), 1, 3))
    path[:, 0, 0] = x
    walk = follow_sites(path, sites, cell)
    assert walk.positions[:, 0, 0].tolist() == [0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 4, 4]
    assert walk.hops == 2
    assert one_hop_bound(sites, cell, 2, 100.0) == pytest.approx(4.0 / 1200)


def test_lattice_walker_diffusivity_and_hops():
    rng = random_stream(11, "test", "lattice")
    frames, particles, rate, a = 20000, 10, 0.02, 2.0
    jumps = rng.random((frames, particles)) < rate
    axis, sign = rng.integers(0, 3, jumps.shape), rng.choice([-1.0, 1.0], jumps.shape)
    steps = np.zeros((frames, particles, 3))
    np.put_along_axis(steps, axis[..., None], (jumps * sign * a)[..., None], axis=2)
    walk = np.cumsum(steps, axis=0)
    found = fit_diffusivity(walk, 1.0)
    expected = rate * a * a / 6
    assert abs(found.mean - expected) < 5 * found.error and found.error < 0.2 * expected
    sites = np.array([[x, y, z] for x in (0, 0.5) for y in (0, 0.5) for z in (0, 0.5)])
    followed = follow_sites(walk, sites, np.eye(3) * 4.0)
    assert followed.hops == int(jumps[1:].sum())
    np.testing.assert_allclose(followed.positions, walk, atol=1e-9)
    # One site per cell: every hop leads to an image of the same site and still counts.
    assert follow_sites(walk, sites[:1], np.eye(3) * 2.0).hops == followed.hops


def test_arrhenius_recovers_parameters_and_covers_them():
    t = np.array([500.0, 700.0, 900.0, 1200.0])
    truth = np.exp(2.0 - 0.35 / (constants.BOLTZMANN_EV * t))
    exact = fit_arrhenius(t, truth, 0.1 * truth)
    assert exact.log_prefactor == pytest.approx(2.0, abs=1e-9)
    assert exact.energy == pytest.approx(0.35, abs=1e-9)
    assert exact.reduced_chi_squared == pytest.approx(0, abs=1e-12)
    # Empirical covariance of many noisy fits equals the stated one (2000 draws: 10 % is over 4 σ).
    rng = random_stream(3, "test", "arrhenius")
    design = np.column_stack([np.ones(4), -300 / t])
    fits = []
    for _ in range(2000):
        noisy = truth * np.exp(rng.normal(0, 0.1, 4))
        fits.append(np.linalg.lstsq(design, np.log(noisy), rcond=None)[0])
    np.testing.assert_allclose(np.cov(np.array(fits).T), exact.covariance, rtol=0.15)
    value, error = exact.evaluate(300.0)
    assert value == pytest.approx(np.exp(2.0 - 0.35 / (constants.BOLTZMANN_EV * 300)))
    assert error > 0.1 * value


def test_arrhenius_refuses_one_temperature():
    with pytest.raises(InputError, match="at least 2"):
        fit_arrhenius(np.array([300.0, 300.0]), np.ones(2), np.ones(2))
    with pytest.raises(InputError, match="not positive"):
        fit_arrhenius(np.array([300.0, 400.0]), np.array([1.0, 0.0]), np.ones(2))


class Wells(EnergyModel):
    """Every atom in a cosine potential along x, y, z."""

    species = ("Na",)
    depth, period = 0.15, 3.0

    def energy(self, types, positions, cell):
        return float(0.5 * self.depth * (1 - np.cos(2 * np.pi * positions / self.period)).sum())

    def evaluate(self, types, positions, cell):
        k = 2 * np.pi / self.period
        return Evaluation(self.energy(types, positions, cell), -0.5 * self.depth * k * np.sin(k * positions))


def test_rescaling_samples_the_canonical_kinetic_energy():
    rng = random_stream(1, "test", "rescale")
    masses = np.full(4, 23.0)
    velocities = maxwell_velocities(masses, 100.0, rng)
    velocities -= velocities.mean(axis=0)
    kinetic = []
    for _ in range(20000):
        velocities = rescale_velocities(masses, velocities, 600.0, 0.7, rng)
        kinetic.append(kinetic_energy(masses, velocities))
    kt = constants.BOLTZMANN_EV * 600.0
    # χ² with 9 degrees of freedom: mean 4.5 kT, variance 4.5 (kT)²; correlation time 1/0.7 steps.
    assert np.mean(kinetic[100:]) / kt == pytest.approx(4.5, rel=0.03)
    assert np.var(kinetic[100:]) / kt**2 == pytest.approx(4.5, rel=0.1)


def test_trajectory_holds_its_temperature_and_sees_hops():
    rng = random_stream(2, "test", "trajectory")
    atoms = Atoms("Na8", positions=3.0 * np.indices((2, 2, 2)).reshape(3, -1).T, cell=[6, 6, 6], pbc=True)
    settings = DynamicsSettings(timestep=4.0, burst=10, duration=80_000, equilibration=4_000)
    run = sample_trajectory(atoms, Wells(), 900.0, rng, settings=settings)
    assert run.positions.shape == (2000, 8, 3)
    assert run.temperature == pytest.approx(900.0, rel=0.05)
    walk = follow_sites(run.positions, atoms.get_scaled_positions(), np.eye(3) * 6.0)
    assert walk.hops > 20


def test_a_structure_inside_hard_cores_is_refused():
    class Core(Wells):
        def evaluate(self, types, positions, cell):
            return Evaluation(np.inf, np.zeros_like(positions))

    atoms = Atoms("Na2", positions=[[1, 0, 0], [2.5, 0, 0]], cell=[6, 6, 6], pbc=True)
    with pytest.raises(ConvergenceError, match="closer than any pair in the training set"):
        sample_trajectory(atoms, Core(), 300.0, random_stream(0, "test"))


def test_a_runaway_is_stopped():
    class Explosive(Wells):
        def evaluate(self, types, positions, cell):
            return Evaluation(0.0, 50.0 * positions)

    atoms = Atoms("Na2", positions=[[1, 0, 0], [2.5, 0, 0]], cell=[6, 6, 6], pbc=True)
    with pytest.raises(ConvergenceError, match="shorter timestep"):
        sample_trajectory(atoms, Explosive(), 300.0, random_stream(0, "test"))
