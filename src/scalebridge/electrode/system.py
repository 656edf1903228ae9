"""The half cell as an implicit system: where its unknowns lie, its tolerances, and a state to start from."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from scalebridge.electrode._kernels import (
    CellArrays,
    cell_entries,
    cell_residual,
    concentration_index,
    particle_index,
    potential_index,
)
from scalebridge.electrode.arrays import system_size
from scalebridge.electrode.model import STANDARD_CONCENTRATION, CellModel
from scalebridge.kinetics import exchange_current, overpotential
from scalebridge.particle import (
    POTENTIAL_TOLERANCE,
    THETA_TOLERANCE,
    ImplicitSystem,
    empty_entries,
    entry_count,
    resolves_growth,
    restore_particle,
    trimmed,
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
    """(volumes, particles, shells); the log-odds follow each."""
    filling: IntArray
    """(volumes, particles) θ̄; the filling rate follows each."""
    own_potential: IntArray
    """(volumes, particles) potential that a particle sees."""
    size: int

    @classmethod
    def of(cls, model: CellModel, a: CellArrays) -> Self:
        """Return the positions in the system of a model."""
        separator, shells = model.separator.volumes, model.particle.shells
        c = np.array([concentration_index(a, k) for k in range(model.volumes)])
        places = [(k, j) for k in range(model.cathode.layer.volumes) for j in range(a.particles)]
        shape = (model.cathode.layer.volumes, a.particles)
        first = np.array([particle_index(a, k, j) for k, j in places]).reshape(shape)
        own = np.array([potential_index(a, k, j) for k, j in places]).reshape(shape)
        return cls(
            concentration=c,
            solid=c[separator:] - 1,
            theta=first[..., None] + 2 * np.arange(shells),
            filling=first + 2 * shells,
            own_potential=own,
            size=system_size(model),
        )


def cell_system(model: CellModel, arrays: CellArrays, unknowns: Unknowns) -> ImplicitSystem:
    """Return F(y, y′) = 0 of a cell."""
    shells, size = model.particle.shells, unknowns.size
    count = unknowns.filling.size
    entries = empty_entries(count * (entry_count(shells) + 11) + 22 * model.volumes + 8)
    offsets = np.ascontiguousarray(unknowns.theta[:, :, 0].ravel())
    shrinks = arrays.shrink.ravel()

    def residual(state: FloatArray, rates: FloatArray, out: FloatArray) -> None:
        cell_residual(arrays, state, rates, out)

    def values(state: FloatArray, cj: float) -> FloatArray:
        cell_entries(arrays, state, cj, entries)
        return entries.values

    def resolves(state: FloatArray, cj: float) -> bool:
        return bool(resolves_growth(arrays.particle, state, offsets, shrinks, cj))

    def restore(state: FloatArray) -> FloatArray:
        restored = state.copy()
        for offset in offsets:
            restore_particle(arrays.particle, restored, int(offset))
        return restored

    values(np.full(size, 0.5), 1.0)
    entries = trimmed(entries)
    tolerance = np.full(size, POTENTIAL_TOLERANCE)
    tolerance[unknowns.concentration] = THETA_TOLERANCE
    tolerance[unknowns.theta] = THETA_TOLERANCE
    tolerance[unknowns.filling] = THETA_TOLERANCE
    differential = np.zeros(size, dtype=bool)
    differential[unknowns.concentration] = True
    differential[unknowns.theta] = True
    return ImplicitSystem(
        residual=residual,
        entries=values,
        rows=entries.rows,
        columns=entries.columns,
        differential=differential,
        particle_offsets=offsets,
        shells=shells,
        absolute_tolerance=tolerance,
        resolves=resolves,
        restore=restore,
    )


def rest_state(model: CellModel, arrays: CellArrays, unknowns: Unknowns, c_rate: float) -> FloatArray:
    """Return a state at rest at the initial filling, shifted by the overpotentials of a uniform reaction."""
    theta = model.cathode.initial_theta
    log_odds = np.log(theta) - np.log1p(-theta)
    salt = model.salt_concentration / STANDARD_CONCENTRATION
    log_salt = float(np.log(salt))
    activity = (model.particle.mean_voltage - model.open_circuit_voltage) / model.particle.thermal_voltage
    p = arrays.particle
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
    state[0] = state[-1] = c_rate
    state[unknowns.concentration] = salt
    state[unknowns.concentration + 1] = phi
    state[unknowns.own_potential] = state[unknowns.solid] = solid
    state[unknowns.theta] = theta
    state[unknowns.theta + 1] = log_odds
    state[unknowns.filling] = theta
    state[unknowns.filling + 1] = c_rate
    return state
