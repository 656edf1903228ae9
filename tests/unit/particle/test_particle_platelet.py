"""Platelets resolved in length and depth: against plates, Allen–Cahn platelets and finite differences."""

from typing import Any

import numpy as np
import pytest

from particle_models import LAW, particle
from scalebridge.foundation import InputError, random_stream
from scalebridge.particle import Platelet, block_size, solve_particle, solve_platelet, sparse_matrices
from scalebridge.particle._kernels import chemical_potentials, particle_places
from scalebridge.particle.platelet_system import platelet_columns, platelet_system

LENGTH = 40e-9
OMEGA = 4.0
COUPLED = LAW.model_copy(
    update={"form": "coupled ion-electron transfer", "reorganisation_energy": 3.4e-20}
)


def platelet(columns: int = 41, omega: float | tuple[float, ...] = OMEGA, **changes: Any) -> Platelet:
    """A platelet of LiFePO4 with a symmetric gap, ten interface lengths long."""
    of_platelet = {
        name: changes.pop(name) for name in ("gradient_energy", "end_gradient") if name in changes
    }
    length = changes.pop("length", LENGTH)
    depth = particle(omega, **({"shape": "plate", "size": 5e-9, "shells": 8} | changes))
    return Platelet(model=depth, length=length, columns=columns, **of_platelet)


def own_rate(plate: Platelet) -> float:
    """Return k0 A/(V ρ e) [1/s]."""
    model = plate.model
    return model.rate_law.rate_constant * model.grid.surface_area / model.charge_density


CASES = {
    "one gradient energy": platelet(6, (3.0, -0.4, 0.2), length=1.5e-8, shells=7, size=4e-9),
    "two, wetting on all sides": platelet(
        5, (3.0, -0.4, 0.2), length=1.2e-8, shells=6, size=4e-9, gradient_energy=9e-10, end_gradient=2e7,
        surface_gradient=-3e7, diffusivity=np.array([1e-17, 1e-16, 3e-16]), rate_law=COUPLED,
    ),
}  # fmt: skip


def random_state(plate: Platelet, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = random_stream(seed, "platelet")
    shells = plate.model.shells
    size = block_size(shells) * plate.columns + 1
    state = rng.uniform(0.1, 0.9, size)
    places = particle_places(platelet_columns(plate, 1.0))
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
    table = np.zeros((block_size(shells), plate.columns))
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
