"""The structured direct solver against SciPy's sparse LU on the electrode's and the particle's Jacobians."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.sparse.linalg import splu

from particle_models import KT, branched, cell, particle
from scalebridge.contracts import HomogeneousFreeEnergy
from scalebridge.electrode import Layer, Population
from scalebridge.electrode._kernels import CURRENT, VOLTAGE
from scalebridge.electrode.arrays import cell_arrays
from scalebridge.electrode.system import Unknowns, cell_system, rest_state
from scalebridge.foundation import random_stream
from scalebridge.particle import (
    ImplicitSystem,
    block_factor,
    block_solve,
    empty_factors,
    particle_arrays,
    sparse_matrices,
)
from scalebridge.particle.solve import _particle_system

LINE = {"kind": "allen-cahn", "shape": "plate", "length": 3e-8, "size": 5e-9}
ONE = {"kind": "homogeneous", "shells": 1}


TRIPLE = branched((1.0, 0.5, 0.0), ((0.8, -0.3), 0.0, 2.5), ((-1.0, 0.6), 0.7, -2.0))
PAIR = branched((1.0, 0.5, 0.0), ((0.8, -0.3), 0.0, 2.5))


def electrode_system(kind: dict[str, Any] | None = None, **changes: Any) -> tuple[ImplicitSystem, np.ndarray]:
    settings = {"omega": (4.0, -0.3), "shells": 30, "size": 3e-8, "coherency_modulus": 5e7} | (kind or {})
    model = cell(
        particle(**settings),
        separator=Layer(thickness=25e-6, porosity=0.7, bruggeman_exponent=1.5, volumes=3),
        layer=Layer(thickness=70e-6, porosity=0.4, bruggeman_exponent=1.5, volumes=5),
        **changes,
    )
    arrays = cell_arrays(model, control=VOLTAGE if changes else CURRENT, target=1.0)
    unknowns = Unknowns.of(arrays)
    return cell_system(arrays, unknowns), rest_state(model, arrays, unknowns, 1.0)


def chained_system() -> tuple[ImplicitSystem, np.ndarray]:
    """Three sizes in every volume, joined by a network and coated with a film, at constant voltage."""
    sizes = np.array([1.5e-8, 2.5e-8, 4e-8])
    return electrode_system(
        population=Population.listed(sizes, np.array([1.0, 2.0, 1.5]), volumes=5),
        film_resistance=1e-2,
        contact_conductance=1e-13,
    )


def filmed_system(kind: dict[str, Any]) -> tuple[ImplicitSystem, np.ndarray]:
    """Particles of two sizes in every volume under films."""
    sizes = np.array([3e-9, 5e-9])
    return electrode_system(
        kind, population=Population.listed(sizes, np.array([1.0, 2.0]), volumes=5), film_resistance=1e-2
    )


def particle_system(fixed_drive: bool, **kind: Any) -> tuple[ImplicitSystem, np.ndarray]:
    settings = {"shells": 24, "size": 3e-8, "coherency_modulus": 5e7, "surface_gradient": 1e7}
    model = particle(**({"omega": (3.0, 0.2)} | settings | kind))
    system = _particle_system(particle_arrays(model, 1e-3), 1.0, 0.0, fixed_drive=fixed_drive)
    state = np.full(system.differential.size, 0.4)
    state[1 : 2 * model.shells : 2] = np.log(0.4 / 0.6)
    return system, state


def ordered(energy: HomogeneousFreeEnergy, time: float, barrier: float) -> dict[str, Any]:
    return {"omega": energy, "phase_relaxation_time": time, "phase_barrier": barrier * KT}


SYSTEMS: dict[str, Callable[[], tuple[ImplicitSystem, np.ndarray]]] = {
    "electrode": electrode_system,
    "chains": chained_system,
    "constant current": lambda: particle_system(False),
    "constant voltage": lambda: particle_system(True),
    "lines": lambda: filmed_system(LINE),
    "line at constant current": lambda: particle_system(False, **LINE),
    "line at constant voltage": lambda: particle_system(True, **LINE),
    "homogeneous particles": lambda: filmed_system(ONE),
    "two phases": lambda: particle_system(False, **ordered(PAIR, 0.3, 3.0)),
    "three phases": lambda: particle_system(True, **ordered(TRIPLE, 1e-3, 1.0)),
    "fast phases": lambda: electrode_system(ordered(PAIR, 1e-9, 1.9)),
    "slow phases in lines": lambda: filmed_system(LINE | ordered(TRIPLE, 1e6, 1.0)),
    "homogeneous phases": lambda: filmed_system(ONE | ordered(PAIR, 0.1, 2.5)),
}


@pytest.mark.parametrize("case", SYSTEMS)
@pytest.mark.parametrize("cj", [1e-4, 1.0, 1e4])
def test_solution_against_general_sparse_lu(case: str, cj: float) -> None:
    system, state = SYSTEMS[case]()
    rng = random_stream(6, "right-hand side")
    state = state + 0.02 * rng.uniform(-1, 1, state.size)
    jacobian = system.jacobian(state)
    by_state, by_rate = sparse_matrices(jacobian)
    matrix = by_state + cj * by_rate
    right, solution = rng.normal(size=state.size), np.empty(state.size)
    expected = splu(matrix).solve(right)
    factors = empty_factors(jacobian)
    for _ in range(2):
        block_factor(jacobian, cj, factors)
    block_solve(jacobian, factors, right, solution)
    assert np.linalg.norm(solution - expected) < 1e-7 * np.linalg.norm(expected)
    backward = np.abs(matrix @ solution - right)
    assert backward.max() < 1e-10 * np.abs(matrix.data).max() * np.abs(solution).max()
