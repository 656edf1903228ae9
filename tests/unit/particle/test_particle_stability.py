"""The count of unstable modes against the eigenvalues of the linearised particle."""

from itertools import pairwise

import numpy as np
import pytest

from particle_models import particle
from scalebridge.particle import Particles, particle_arrays, resolves_growth
from scalebridge.particle._kernels import mobility
from scalebridge.particle.tables import evaluate_many

SHELLS = 40


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
    assert resolves_growth(p, state, 1.001 * unstable[0])
    for faster, slower in pairwise(unstable):
        assert not resolves_growth(p, state, np.sqrt(faster * slower))
    assert not resolves_growth(p, state, 1e-3 * unstable[-1])


def test_stable_particles_ask_for_nothing() -> None:
    for theta in (0.02, 0.999, np.linspace(0.01, 0.05, SHELLS)):
        p, state, rates = growth_rates(theta, "sphere")
        assert rates[0] < 1e-9 * abs(rates[-1])
        assert resolves_growth(p, state, 1e-6)


def test_one_unstable_particle_among_stable_ones_is_seen() -> None:
    g, unstable, rates = growth_rates(0.6, "sphere")
    stable = growth_rates(0.02, "sphere")[1]
    many = Particles(g.arrays, 0, np.ones(3), np.zeros(3))
    for place in range(3):
        columns = [unstable if k == place else stable for k in range(3)]
        state = np.stack(columns, axis=1).ravel()
        assert resolves_growth(many, state, 1.001 * rates[0])
        assert not resolves_growth(many, state, 0.999 * rates[0])
