"""The compiled residual and Jacobian against NumPy and finite differences."""

import numpy as np
import pytest

from particle_models import KT, LAW, branched, particle
from scalebridge.foundation import random_stream
from scalebridge.particle import (
    Jacobian,
    Links,
    ParticleModel,
    Particles,
    Surface,
    block_size,
    empty_group,
    particle_arrays,
    particle_blocks,
    particle_residual,
    sparse_matrices,
)
from scalebridge.particle._kernels import chemical_potentials
from scalebridge.particle.order import phase_fractions

SHELLS = 9
SHRINK, FILM = np.array([1.7, 1.0, 0.6]), np.array([0.05, 0.0, 0.2])
ELECTROLYTE, DRIVE = np.array([0.2, 0.0, -0.1]), np.array([-0.3, 0.1, 0.0])
COUNT = SHRINK.size
LINE = {"kind": "allen-cahn", "shape": "plate", "size": 4e-9, "length": 1.5e-8}
PAIR = branched((1.0, 0.5, 0.0), ((0.8, -0.3), 0.0, 2.5))
TRIPLE = branched((1.0, 0.5, 0.0), ((0.8, -0.3), 0.0, 2.5), ((-1.0, 0.6), 0.7, -2.0))
ORDERED = {"shells": SHELLS, "size": 1e-8, "phase_relaxation_time": 0.4}
CASES = {
    "coherent sphere with wetting": particle(
        (3.0, -0.4, 0.2), shells=SHELLS, size=1e-8, coherency_modulus=2e8, surface_gradient=1e8,
        diffusivity=np.array([1e-17, 1e-16, 3e-16]),
    ),
    "following transition state": particle(
        (-8.0, 2.0),
        shells=SHELLS,
        size=1e-8,
        rate_law=LAW.model_copy(update={"transition_state": "follows host"}),
    ),
    "coupled transfer": particle(
        (3.0, -0.4), shells=SHELLS, size=1e-8,
        rate_law=LAW.model_copy(
            update={"form": "coupled ion-electron transfer", "reorganisation_energy": 3.4e-20}
        ),
    ),
    "electron transfer": particle(
        1.0, shells=SHELLS, size=1e-8,
        rate_law=LAW.model_copy(update={"form": "marcus-hush-chidsey", "reorganisation_energy": 2e-20}),
    ),
    "cylinder": particle(4.5, shells=SHELLS, size=1e-8, shape="cylinder"),
    "coherent line with wetting": particle(
        (3.0, -0.4, 0.2), shells=SHELLS, coherency_modulus=2e8, surface_gradient=1e8, **LINE
    ),
    "line with following transition state": particle(
        (-8.0, 2.0), shells=SHELLS, **LINE,
        rate_law=LAW.model_copy(update={"transition_state": "follows host", "transfer_coefficient": 0.3}),
    ),
    "line with coupled transfer": particle(
        (3.0, -0.4), shells=SHELLS, coherency_modulus=1e8, **LINE,
        rate_law=LAW.model_copy(
            update={"form": "coupled ion-electron transfer", "reorganisation_energy": 3.4e-20}
        ),
    ),
    "homogeneous": particle((3.0, -0.4), shells=None, size=1e-8, kind="homogeneous", coherency_modulus=2e8),
    "phases in a coherent sphere": particle(
        PAIR, coherency_modulus=2e8, surface_gradient=1e8, phase_barrier=3.1 * KT, **ORDERED
    ),
    "three phases": particle(
        TRIPLE, phase_barrier=1.4 * KT, rate_law=LAW.model_copy(update={"transition_state": "follows host"}),
        **ORDERED,
    ),
    "three phases in a line": particle(TRIPLE, coherency_modulus=1e8, **(ORDERED | LINE)),
    "homogeneous phases": particle(
        PAIR, kind="homogeneous", phase_barrier=2.0 * KT, **(ORDERED | {"shells": None})
    ),
    "plate without gradient energy": particle(1.0, shells=SHELLS, gradient_energy=0.0, shape="plate"),
}  # fmt: skip


def random_state(seed: int, model: ParticleModel, count: int = COUNT) -> tuple[np.ndarray, np.ndarray]:
    """Return unknowns and rates of particles, a column for each."""
    rng = random_stream(seed, "particle state")
    shells = model.shells
    shape = (block_size(particle_arrays(model, 1.0)), count)
    state = rng.uniform(0.1, 0.9, shape)
    state[1 : 2 * shells : 2] = rng.uniform(-3, 3, (shells, count))
    state[2 * shells + 2 :] = rng.uniform(-2, 2, (shape[0] - 2 * shells - 2, count))
    return state, rng.normal(size=shape)


def jacobian_of(g: Particles, state: np.ndarray) -> Jacobian:
    """Return the Jacobian of particles that all see two outer unknowns, ln a₊ and the drive."""
    none = np.zeros((0, COUNT), np.int64)
    group = empty_group(g, Links(np.tile([[0], [1]], COUNT), none, np.zeros((0, COUNT))))
    group.surroundings[0, 0] = group.surroundings[1, 1] = 1.0
    particle_blocks(g, Surface(ELECTROLYTE, DRIVE), state.ravel(), group.blocks)
    return Jacobian((group,), np.zeros(2), np.zeros((2, 1)))


@pytest.mark.parametrize("noise", [0.0, 1e-2])
@pytest.mark.parametrize("name", CASES)
def test_jacobian_against_finite_differences(name: str, noise: float) -> None:
    model = CASES[name]
    g = Particles(particle_arrays(model, 1e-3), 0, SHRINK, FILM)
    if noise:
        g = g._replace(noise=random_stream(4, "noise").normal(scale=noise, size=(model.shells, COUNT)))
    state, rates = random_state(3, model)
    size = state.size
    cj = 0.7
    jacobian = jacobian_of(g, state)
    by_state, by_rate = sparse_matrices(jacobian)
    matrix = (by_state + cj * by_rate).toarray()[:size]

    def residual(step: np.ndarray) -> np.ndarray:
        out = np.empty(size)
        surface = Surface(ELECTROLYTE + step[-2], DRIVE + step[-1])
        particle_residual(g, surface, state.ravel() + step[:-2], rates.ravel() + cj * step[:-2], out)
        return out

    h = 1e-6
    rounding = 4e-16 * np.abs(residual(np.zeros(size + 2))).max() / h
    for column in range(size + 2):
        step = np.zeros(size + 2)
        step[column] = h
        difference = (residual(step) - residual(-step)) / (2 * h)
        scale = np.abs(matrix[:, column]).max()
        assert matrix[:, column] == pytest.approx(difference, abs=2e-7 * scale + rounding)


def test_particles_do_not_know_of_each_other() -> None:
    """The residual of several particles is that of each alone."""
    model = CASES["phases in a coherent sphere"]
    arrays = particle_arrays(model, 1e-3)
    state, rates = random_state(7, model)
    together = np.empty(state.size)
    g = Particles(arrays, 0, SHRINK, FILM)
    particle_residual(g, Surface(ELECTROLYTE, DRIVE), state.ravel(), rates.ravel(), together)
    for k in range(COUNT):
        one = slice(k, k + 1)
        alone = np.empty(len(state))
        surface = Surface(ELECTROLYTE[one], DRIVE[one])
        g = Particles(arrays, 0, SHRINK[one], FILM[one])
        particle_residual(g, surface, state[:, k].copy(), rates[:, k].copy(), alone)
        assert together.reshape(state.shape)[:, k] == pytest.approx(alone, rel=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_chemical_potential_is_the_derivative_of_the_discrete_free_energy(name: str) -> None:
    model = CASES[name]
    shells = model.shells
    theta = random_stream(5, "theta").uniform(0.05, 0.95, shells)
    state = random_state(5, model, 1)[0]
    odds = state[2 * shells + 2 :, 0].reshape(shells, -1)
    phases = phase_fractions(odds)
    state[0 : 2 * shells : 2, 0] = theta
    state[1 : 2 * shells : 2, 0] = np.log(theta / (1 - theta))
    state[2 * shells] = theta @ model.grid.fractions
    # the Python form: Numba cannot hand out arrays of a cached function that cached kernels have inlined
    potential = chemical_potentials.py_func(particle_arrays(model, 1.0), state, np.ones(1))[:, 0]
    h = 1e-6
    for i in range(shells):
        step = np.zeros(shells)
        step[i] = h
        after, before = (model.free_energy(theta + sign * step, phases) for sign in (1, -1))
        slope = (after - before) / (2 * h)
        assert slope / model.grid.fractions[i] == pytest.approx(potential[i], rel=1e-6, abs=1e-6)


def test_fluxes_between_shells_conserve_ions_exactly() -> None:
    model = CASES["coherent sphere with wetting"]
    state, _ = random_state(11, model)
    state[2 * SHELLS + 1] = 0.0
    out = np.empty(state.size)
    g = Particles(particle_arrays(model, 1.0), 0, SHRINK, FILM)
    particle_residual(g, Surface(ELECTROLYTE, DRIVE), state.ravel(), np.zeros(state.size), out)
    net = model.grid.fractions[:, None] * out.reshape(state.shape)[1 : 2 * SHELLS : 2]
    assert np.all(np.abs(net.sum(axis=0)) < 1e-14 * np.abs(net).sum(axis=0))
