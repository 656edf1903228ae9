"""The count of unstable modes against the eigenvalues of the linearised particle."""

from itertools import pairwise

import numpy as np
import pytest

from particle_models import particle
from scalebridge.particle import Particles, Surface, particle_arrays, resolves_growth
from scalebridge.particle._kernels import chemical_potentials, direct_rate, mobility
from scalebridge.particle.tables import evaluate_many

SHELLS = 40
AROUND = Surface(np.zeros(1), np.zeros(1))


def growth_rates(theta: float | np.ndarray, shape: str) -> tuple[Particles, np.ndarray, np.ndarray]:
    """Return the particle, the state and the growth rates of all modes, dense and from the definitions."""
    model = particle((5.0, -2.0), shape=shape, size=40e-9, shells=SHELLS, diffusivity=1e-13)
    p = particle_arrays(model, 1.0)
    profile = np.broadcast_to(theta, (SHELLS,)).astype(float)
    state = np.zeros(2 * SHELLS + 2)
    state[0 : 2 * SHELLS : 2] = profile
    state[1 : 2 * SHELLS : 2] = np.log(profile / (1 - profile))
    faces = np.diff(np.eye(SHELLS), axis=0) / p.spacing
    weights = p.face_areas * p.spacing
    volume = p.fractions
    curvature = 1 / (profile * (1 - profile)) + evaluate_many(p.excess, profile)[1]
    stiffness = np.diag(volume * curvature) + p.gradient * faces.T @ np.diag(weights) @ faces
    m = np.array([mobility(p.diffusivity, t)[0] for t in 0.5 * (profile[1:] + profile[:-1])])
    conductance = faces.T @ np.diag(weights * m) @ faces
    rates = np.linalg.eigvals(-np.diag(1 / volume) @ conductance @ np.diag(1 / volume) @ stiffness).real
    return Particles(p, 0, np.ones(1), np.zeros(1)), state, np.sort(rates)[::-1]


@pytest.mark.parametrize("shape", ["sphere", "plate"])
@pytest.mark.parametrize("theta", [0.45, 0.6, 0.75])
def test_every_number_of_unstable_modes_is_seen(shape: str, theta: float) -> None:
    """Steps between the growth rates of two modes are refused, even where an even number is faster."""
    p, state, rates = growth_rates(theta, shape)
    unstable = rates[rates > 1e-6 * rates[0]]
    assert unstable.size >= 2
    assert resolves_growth(p, AROUND, state, 1.001 * unstable[0])
    for faster, slower in pairwise(unstable):
        assert not resolves_growth(p, AROUND, state, np.sqrt(faster * slower))
    assert not resolves_growth(p, AROUND, state, 1e-3 * unstable[-1])


def line_rates(profile: np.ndarray, drive: float) -> tuple[Particles, np.ndarray, np.ndarray]:
    """Return a platelet, its state and the growth rates at fixed filling, dense and from the definitions."""
    n = profile.size
    model = particle(
        4.5, kind="allen-cahn", shape="plate", size=5e-9, length=60e-9, shells=n, coherency_modulus=5e7
    )
    p = particle_arrays(model, 1e-3)
    state = np.zeros((2 * n + 2, 1))
    state[0 : 2 * n : 2, 0], state[1 : 2 * n : 2, 0] = profile, np.log(profile / (1 - profile))
    state[2 * n] = profile @ p.fractions
    faces = np.diff(np.eye(n), axis=0) / p.spacing
    curvature = 1 / (profile * (1 - profile)) + evaluate_many(p.excess, profile)[1] + p.coherency
    bend = faces.T @ np.diag(p.face_areas * p.spacing) @ faces
    stiffness = np.diag(curvature) + p.gradient * np.diag(1 / p.fractions) @ bend
    potential = chemical_potentials.py_func(p, state, np.ones(1))[:, 0]
    found = np.array(
        [
            direct_rate(p, (0.0, drive, 0.0), *at)
            for at in zip(potential, state[1 : 2 * n : 2, 0], strict=True)
        ]
    ) * (p.rate * p.rate_scale)
    by_potential = found[:, 3]
    own = np.diag(by_potential) @ stiffness + np.diag(found[:, 4] / (profile * (1 - profile)))
    # the drive that keeps the filling moves every cell in proportion to by_potential
    keep = np.eye(n) - np.outer(by_potential, p.fractions) / (by_potential @ p.fractions)
    return (
        Particles(p, 0, np.ones(1), np.zeros(1)),
        state.ravel(),
        np.sort(np.linalg.eigvals(keep @ own).real)[::-1],
    )


@pytest.mark.parametrize("drive", [0.0, -0.7])
@pytest.mark.parametrize("width", [0.0, 0.1])
def test_unstable_modes_of_a_platelet_are_seen(drive: float, width: float) -> None:
    """Of even and of uneven states at fixed filling, with and without a current."""
    profile = 0.5 + width * np.sin(np.linspace(0, 3, SHELLS))
    g, state, rates = line_rates(profile, drive)
    around = Surface(np.zeros(1), np.full(1, drive))
    unstable = rates[rates > 1e-9 * abs(rates[-1])]
    assert unstable.size >= 2
    assert resolves_growth(g, around, state, 1.001 * unstable[0])
    for faster, slower in pairwise(unstable):
        assert not resolves_growth(g, around, state, np.sqrt(faster * slower))
    assert not resolves_growth(g, around, state, 0.5 * unstable[-1])


def test_a_homogeneous_particle_has_no_mode_at_fixed_filling() -> None:
    g = Particles(
        particle_arrays(particle(4.5, kind="homogeneous", shells=1), 1.0), 0, np.ones(1), np.zeros(1)
    )
    assert resolves_growth(g, AROUND, np.array([0.5, 0.0, 0.5, 0.0]), 1e-9)


def test_stable_particles_ask_for_nothing() -> None:
    for theta in (0.02, 0.999, np.linspace(0.01, 0.05, SHELLS)):
        p, state, rates = growth_rates(theta, "sphere")
        assert rates[0] < 1e-9 * abs(rates[-1])
        assert resolves_growth(p, AROUND, state, 1e-6)


def test_one_unstable_particle_among_stable_ones_is_seen() -> None:
    g, unstable, rates = growth_rates(0.6, "sphere")
    stable = growth_rates(0.02, "sphere")[1]
    many = Particles(g.arrays, 0, np.ones(3), np.zeros(3))
    for place in range(3):
        columns = [unstable if k == place else stable for k in range(3)]
        state = np.stack(columns, axis=1).ravel()
        assert resolves_growth(many, Surface(np.zeros(3), np.zeros(3)), state, 1.001 * rates[0])
        assert not resolves_growth(many, Surface(np.zeros(3), np.zeros(3)), state, 0.999 * rates[0])
