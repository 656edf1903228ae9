"""The half cell as an implicit system: where its unknowns lie, its tolerances, and a state to start from."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from scalebridge.electrode._kernels import (
    RAMP,
    CellArrays,
    cell_jacobian,
    cell_links,
    cell_residual,
    concentration_index,
    outer_size,
    stride,
    surroundings,
)
from scalebridge.electrode.model import STANDARD_CONCENTRATION, CellModel
from scalebridge.kinetics import exchange_current, overpotential
from scalebridge.particle import (
    POTENTIAL_TOLERANCE,
    THETA_TOLERANCE,
    ImplicitSystem,
    Jacobian,
    block_size,
    empty_blocks,
    resolves_growth,
    restore_particles,
)

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Unknowns:
    """Positions of the unknowns."""

    concentration: IntArray
    """(all volumes,); the electrolyte's potential follows each."""
    solid: IntArray
    """(volumes,)"""
    theta: IntArray
    """(volumes, particles, shells)"""
    odds: IntArray
    """(volumes, particles, shells) log-odds."""
    filling: IntArray
    """(volumes, particles) θ̄."""
    rate: IntArray
    """(volumes, particles) filling rate."""
    own_potential: IntArray
    """(volumes, particles) potential that a particle sees."""
    size: int

    @classmethod
    def of(cls, model: CellModel, a: CellArrays) -> Self:
        """Return the positions in the system of a model."""
        separator, shells = model.separator.volumes, model.particle.shells
        shape = model.cathode.particle_sizes.shape
        inside = block_size(shells) * a.share.size
        table = np.arange(inside).reshape(block_size(shells), *shape)
        c = inside + np.array([concentration_index(a, k) for k in range(model.volumes)])
        own = np.array([surroundings(a, j)[1] for j in range(a.share.size)])
        return cls(
            concentration=c,
            solid=c[separator:] - 1,
            theta=np.moveaxis(table[0 : 2 * shells : 2], 0, -1),
            odds=np.moveaxis(table[1 : 2 * shells : 2], 0, -1),
            filling=table[-2],
            rate=table[-1],
            own_potential=inside + own.reshape(shape),
            size=inside + outer_size(a),
        )


def cell_system(model: CellModel, arrays: CellArrays, unknowns: Unknowns) -> ImplicitSystem:
    """Return F(y, y′) = 0 of a cell."""
    jacobian = empty_jacobian(arrays)

    def residual(state: FloatArray, rates: FloatArray, out: FloatArray) -> None:
        cell_residual(arrays, state, rates, out)

    def evaluated(state: FloatArray) -> Jacobian:
        cell_jacobian(arrays, state, jacobian)
        return jacobian

    def restore(state: FloatArray) -> FloatArray:
        restored = state.copy()
        restore_particles(arrays.active, restored)
        return restored

    tolerance = np.full(unknowns.size, POTENTIAL_TOLERANCE)
    tolerance[unknowns.concentration] = THETA_TOLERANCE
    tolerance[unknowns.theta] = THETA_TOLERANCE
    tolerance[unknowns.filling] = THETA_TOLERANCE
    differential = np.zeros(unknowns.size, dtype=bool)
    differential[unknowns.concentration] = True
    differential[unknowns.theta] = True
    differential[-1] = arrays.control == RAMP
    return ImplicitSystem(
        residual=residual,
        jacobian=evaluated,
        differential=differential,
        absolute_tolerance=tolerance,
        resolves=lambda state, cj: bool(resolves_growth(arrays.active, state, cj)),
        restore=restore,
    )


def empty_jacobian(arrays: CellArrays) -> Jacobian:
    """Return room for the Jacobian of a cell."""
    links = cell_links(arrays)
    count = arrays.share.size
    return Jacobian(
        particles=arrays.active,
        links=links,
        blocks=empty_blocks(arrays.active.arrays.fractions.size, count),
        couplings=np.zeros(links.seen.shape),
        # a face joins c and φ_e of a volume to those of the next
        band=np.zeros((outer_size(arrays), 2 * stride(arrays) + 3)),
    )


def rest_state(model: CellModel, arrays: CellArrays, unknowns: Unknowns, c_rate: float) -> FloatArray:
    """Return a state at rest at the initial filling, shifted by the overpotentials of a uniform reaction."""
    theta = model.cathode.initial_theta
    log_odds = np.log(theta) - np.log1p(-theta)
    salt = model.salt_concentration / STANDARD_CONCENTRATION
    log_salt = float(np.log(salt))
    activity = (model.particle.mean_voltage - model.open_circuit_voltage) / model.particle.thermal_voltage
    p = arrays.active.arrays
    law = model.particle.rate_law
    exchange = (
        exchange_current(law, theta, activity, log_salt, temperature=model.particle.temperature)
        * p.rate
        / law.rate_constant
    )
    counter = arrays.counter_rate * np.exp((1 - arrays.counter_transfer) * log_salt)
    phi = -log_salt - float(overpotential(-c_rate, counter, arrays.counter_transfer))
    solid = phi + log_salt - activity + float(overpotential(c_rate, exchange, p.transfer))
    state = np.zeros(unknowns.size)
    state[-outer_size(arrays)] = state[-1] = c_rate
    state[unknowns.concentration] = salt
    state[unknowns.concentration + 1] = phi
    state[unknowns.own_potential] = state[unknowns.solid] = solid
    state[unknowns.theta] = theta
    state[unknowns.odds] = log_odds
    state[unknowns.filling] = theta
    state[unknowns.rate] = c_rate
    return state
