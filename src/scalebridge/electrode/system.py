"""A cell as an implicit system: where its unknowns lie, its tolerances, and a state to start from."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from scalebridge.electrode._kernels import (
    RAMP,
    CellArrays,
    ElectrodeArrays,
    cell_jacobian,
    cell_residual,
    cell_resolves_growth,
    electrode_links,
    electrodes,
    outer_size,
)
from scalebridge.electrode.model import STANDARD_CONCENTRATION, CellModel, MetalFoil
from scalebridge.electrode.porous import PorousElectrode
from scalebridge.kinetics import exchange_current, overpotential
from scalebridge.particle import (
    POTENTIAL_TOLERANCE,
    THETA_TOLERANCE,
    ImplicitSystem,
    Jacobian,
    empty_group,
    particle_places,
    phase_places,
    restore_particles,
)

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ElectrodeUnknowns:
    """Positions of a porous electrode's unknowns; of none where a foil stands."""

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
    phases: IntArray
    """(volumes, particles, shells, branches − 1) log-odds of phases with a rate of their own."""

    @classmethod
    def of(cls, a: CellArrays, e: ElectrodeArrays, outer: int) -> Self:
        """Return the positions of an electrode in a system whose outer unknowns start at ``outer``."""
        shape = (e.volumes, e.share.size // max(e.volumes, 1))
        places = particle_places(e.active)
        table = places.reshape(len(places), *shape)
        n = 2 * e.active.arrays.fractions.size
        phases = phase_places(e.active)
        return cls(
            solid=outer + a.places[e.first : e.first + e.volumes] - 1,
            theta=np.moveaxis(table[0:n:2], 0, -1),
            odds=np.moveaxis(table[1:n:2], 0, -1),
            filling=table[n],
            rate=table[n + 1],
            own_potential=outer + e.own.reshape(shape),
            phases=np.moveaxis(phases, -1, 0).reshape(*shape, *phases.shape[:2]),
        )


@dataclass(frozen=True, eq=False)
class Unknowns:
    """Positions of the unknowns."""

    cathode: ElectrodeUnknowns
    anode: ElectrodeUnknowns
    concentration: IntArray
    """(all volumes,); the electrolyte's potential follows each."""
    size: int

    @classmethod
    def of(cls, a: CellArrays) -> Self:
        """Return the positions in the system of a cell."""
        outer = sum(particle_places(e.active).size for e in electrodes(a))
        cathode, anode = (ElectrodeUnknowns.of(a, e, outer) for e in electrodes(a))
        return cls(
            cathode=cathode,
            anode=anode,
            concentration=outer + a.places,
            size=outer + outer_size(a),
        )


def cell_system(arrays: CellArrays, unknowns: Unknowns) -> ImplicitSystem:
    """Return F(y, y′) = 0 of a cell."""
    jacobian = empty_jacobian(arrays)

    def residual(state: FloatArray, rates: FloatArray, out: FloatArray) -> None:
        cell_residual(arrays, state, rates, out)

    def evaluated(state: FloatArray) -> Jacobian:
        cell_jacobian(arrays, state, jacobian)
        return jacobian

    def restore(state: FloatArray) -> FloatArray:
        restored = state.copy()
        for e in electrodes(arrays):
            restore_particles(e.active, restored)
        return restored

    tolerance = np.full(unknowns.size, POTENTIAL_TOLERANCE)
    tolerance[unknowns.concentration] = THETA_TOLERANCE
    for own in (unknowns.cathode, unknowns.anode):
        tolerance[own.theta] = THETA_TOLERANCE
        tolerance[own.filling] = THETA_TOLERANCE
    differential = np.zeros(unknowns.size, dtype=bool)
    differential[unknowns.concentration] = True
    for own in (unknowns.cathode, unknowns.anode):
        differential[own.theta] = True
        differential[own.phases] = True
    differential[-1] = arrays.control == RAMP
    return ImplicitSystem(
        residual=residual,
        jacobian=evaluated,
        differential=differential,
        absolute_tolerance=tolerance,
        resolves=lambda state, cj: bool(cell_resolves_growth(arrays, state, cj)),
        restore=restore,
    )


def empty_jacobian(arrays: CellArrays) -> Jacobian:
    """Return room for the Jacobian of a cell."""
    size = outer_size(arrays)
    stored = np.zeros(size)
    stored[arrays.places] = 1.0
    stored[-1] = arrays.control == RAMP
    # a face joins c and φ_e of a volume to those of the next
    half = int(np.diff(arrays.places, prepend=0).max()) + 1
    return Jacobian(
        groups=tuple(empty_group(e.active, electrode_links(e)) for e in electrodes(arrays)),
        stored=stored,
        band=np.zeros((size, 2 * half + 1)),
    )


def rest_state(model: CellModel, arrays: CellArrays, unknowns: Unknowns, c_rate: float) -> FloatArray:
    """Return a state at rest at the initial fillings, shifted by the overpotentials of uniform reactions."""
    salt = model.salt_concentration / STANDARD_CONCENTRATION
    log_salt = float(np.log(salt))
    state = np.zeros(unknowns.size)
    state[-outer_size(arrays)] = state[-1] = c_rate
    if isinstance(model.anode, MetalFoil):
        counter = arrays.counter_rate * np.exp((1 - arrays.counter_transfer) * log_salt)
        phi = -log_salt - float(overpotential(-c_rate, counter, arrays.counter_transfer))
    else:
        rate = -c_rate * model.cathode.capacity_per_area / model.anode.capacity_per_area
        drive = _uniform(model.anode, arrays.anode, unknowns.anode, (log_salt, rate), state)
        phi = -arrays.anode.standard - drive
        _set_potential(unknowns.anode, -arrays.anode.standard, state)
    drive = _uniform(model.cathode, arrays.cathode, unknowns.cathode, (log_salt, c_rate), state)
    _set_potential(unknowns.cathode, phi + drive, state)
    state[unknowns.concentration] = salt
    state[unknowns.concentration + 1] = phi
    return state


def _set_potential(own: ElectrodeUnknowns, solid: float, state: FloatArray) -> None:
    state[own.own_potential] = solid
    state[own.solid] = solid


def _uniform(
    electrode: PorousElectrode,
    arrays: ElectrodeArrays,
    own: ElectrodeUnknowns,
    condition: tuple[float, float],
    state: FloatArray,
) -> float:
    """Write particles at their start; return φ_s − φ_e that drives them at (ln a₊, filling rate)."""
    log_salt, rate = condition
    particle, theta = electrode.particle, electrode.initial_theta
    law, p = particle.rate_law, arrays.active.arrays
    activity = (particle.mean_voltage - electrode.open_circuit_voltage) / particle.thermal_voltage
    exchange = exchange_current(law, theta, activity, log_salt, temperature=particle.temperature)
    profiles = electrode.initial_profiles()
    state[own.theta], state[own.filling] = profiles, theta
    state[own.odds] = np.log(profiles) - np.log1p(-profiles)
    state[own.rate] = rate
    if particle.order is not None:
        state[own.phases] = particle.order.equilibrium(profiles)
    per_unit = p.rate / law.rate_constant
    return log_salt - activity + float(overpotential(rate, exchange * per_unit, p.transfer))
