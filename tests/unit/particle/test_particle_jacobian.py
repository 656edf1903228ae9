"""The compiled residual and Jacobian against NumPy and finite differences."""

import numpy as np
import pytest

from particle_models import LAW, particle
from scalebridge.foundation import random_stream
from scalebridge.particle import (
    Place,
    SparsePattern,
    block_size,
    empty_entries,
    entry_count,
    particle_arrays,
    particle_entries,
    particle_residual,
    trimmed,
)
from scalebridge.particle._kernels import chemical_potentials

SHELLS = 9
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
    "plate without gradient energy": particle(1.0, shells=SHELLS, gradient_energy=0.0, shape="plate"),
}  # fmt: skip


def random_state(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = random_stream(seed, "particle state")
    size = block_size(SHELLS)
    state = rng.uniform(0.1, 0.9, size)
    state[1 : 2 * SHELLS : 2] = rng.uniform(-3, 3, SHELLS)
    return state, rng.normal(size=size)


@pytest.mark.parametrize("name", CASES)
def test_jacobian_against_finite_differences(name: str) -> None:
    p = particle_arrays(CASES[name], 1e-3)
    state, rates = random_state(3)
    size, cj = state.size, 0.7
    entries = empty_entries(entry_count(SHELLS))
    by_electrolyte, by_drive = particle_entries(p, Place(state, rates, 0, 0.2, -0.3, 1.7, 0.05), cj, entries)
    written = trimmed(entries)
    pattern = SparsePattern(written.rows, written.columns, size)
    matrix = pattern.matrix(pattern.data(written.values)).toarray()

    def residual(y: np.ndarray, electrolyte: float = 0.2, drive: float = -0.3) -> np.ndarray:
        out = np.empty(size)
        particle_residual(p, Place(y, rates + cj * (y - state), 0, electrolyte, drive, 1.7, 0.05), out)
        return out

    h = 1e-6
    rounding = 4e-16 * np.abs(residual(state)).max() / h
    for column in range(size):
        step = np.zeros(size)
        step[column] = h
        difference = (residual(state + step) - residual(state - step)) / (2 * h)
        scale = np.abs(matrix[:, column]).max()
        assert matrix[:, column] == pytest.approx(difference, abs=2e-7 * scale + rounding)
    last = size - 1
    electrolyte = (residual(state, 0.2 + h)[last] - residual(state, 0.2 - h)[last]) / (2 * h)
    drive = (residual(state, 0.2, -0.3 + h)[last] - residual(state, 0.2, -0.3 - h)[last]) / (2 * h)
    assert by_electrolyte == pytest.approx(electrolyte, rel=1e-7)
    assert by_drive == pytest.approx(drive, rel=1e-7)


@pytest.mark.parametrize("name", CASES)
def test_chemical_potential_is_the_derivative_of_the_discrete_free_energy(name: str) -> None:
    model = CASES[name]
    theta = random_stream(5, "theta").uniform(0.05, 0.95, SHELLS)
    state = np.zeros(block_size(SHELLS))
    state[0 : 2 * SHELLS : 2] = theta
    state[1 : 2 * SHELLS : 2] = np.log(theta / (1 - theta))
    state[2 * SHELLS] = theta @ model.grid.fractions
    # the Python form: Numba cannot hand out arrays of a cached function that cached kernels have inlined
    potential = chemical_potentials.py_func(particle_arrays(model, 1.0), state, 0, 1.0)
    h = 1e-6
    for i in range(SHELLS):
        step = np.zeros(SHELLS)
        step[i] = h
        slope = (model.free_energy(theta + step) - model.free_energy(theta - step)) / (2 * h)
        assert slope / model.grid.fractions[i] == pytest.approx(potential[i], rel=1e-6, abs=1e-6)


def test_fluxes_between_shells_conserve_ions_exactly() -> None:
    model = CASES["coherent sphere with wetting"]
    state, _ = random_state(11)
    state[2 * SHELLS + 1] = 0.0
    out = np.empty(state.size)
    place = Place(state, np.zeros(state.size), 0, 0.0, 0.0, 1.0, 0.0)
    particle_residual(particle_arrays(model, 1.0), place, out)
    net = model.grid.fractions * out[1 : 2 * SHELLS : 2]
    assert abs(net.sum()) < 1e-14 * np.abs(net).sum()
