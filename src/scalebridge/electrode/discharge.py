"""Constant-current discharge of a half cell."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalebridge.contracts import FINAL_FILLING, SOLVER_FAILURE
from scalebridge.electrode._kernels import (
    CellArrays,
    cell_arrays,
    cell_entries,
    cell_residual,
    concentration_index,
    ohmic_drop,
    system_size,
)
from scalebridge.electrode.model import HOUR, STANDARD_CONCENTRATION, CellModel
from scalebridge.foundation import InputError
from scalebridge.kinetics import exchange_current, overpotential
from scalebridge.particle import (
    POTENTIAL_TOLERANCE,
    REFERENCE_TOLERANCE,
    THETA_TOLERANCE,
    ImplicitSolution,
    ImplicitSystem,
    Place,
    block_size,
    consistent_start,
    empty_entries,
    entry_count,
    resolves_growth,
    restore_particle,
    solve_implicit,
    trimmed,
)

FloatArray = NDArray[np.float64]

OUTPUT_TIMES = 300
DEPLETION = 1e-3
"""A run ends where the salt concentration is below zero by this share of the initial one."""


@dataclass(frozen=True, eq=False)
class CellSolution:
    """A half cell against time; potentials against the metal electrode."""

    time: FloatArray
    """(times,) [s]"""
    voltage: FloatArray
    """(times,) [V]"""
    filling: FloatArray
    """(times,) mean site fraction of the electrode."""
    theta: FloatArray
    """(times, volumes, shells)"""
    reaction: FloatArray
    """(times, volumes) filling rate of the particles [1/s]."""
    concentration: FloatArray
    """(times, all volumes) [mol/m³]"""
    electrolyte_potential: FloatArray
    """(times, all volumes) [V]"""
    solid_potential: FloatArray
    """(times, volumes) [V]"""
    position: FloatArray
    """(all volumes,) middle of each volume from the metal electrode [m]."""
    radius: FloatArray
    """(shells,) [m]"""
    termination: str
    """``voltage cutoff``, ``final filling``, ``electrolyte depletion`` or ``solver failure``."""
    status: str
    """A sentence."""


def solve_cell(
    model: CellModel,
    c_rate: float,
    *,
    times: FloatArray | None = None,
    relative_tolerance: float = REFERENCE_TOLERANCE,
) -> CellSolution:
    """Discharge (``c_rate`` > 0) or charge (< 0) at constant current from ``initial_theta``, at rest before.

    Parameters
    ----------
    times
        Output times from 0 [s]; None: `OUTPUT_TIMES` until the final filling. A discharge ends early at the
        voltage cutoff.

    Raises
    ------
    InputError
        If the rate is 0, or negative without ``times``.
    ConvergenceError
        If no consistent start exists.
    """
    if c_rate == 0 or (c_rate < 0 and times is None):
        raise InputError(f"C-rate {c_rate:g} must be positive (negative, charging, only with output times)")
    if times is None:
        times = _output_times(model, c_rate)
    arrays = cell_arrays(model, c_rate)
    system = _cell_system(model, arrays)
    start = consistent_start(system, _guess(model, arrays, c_rate))
    last = concentration_index(arrays, model.volumes - 1)
    offset = model.particle.mean_voltage - ohmic_drop(model, c_rate)
    thermal_voltage = model.particle.thermal_voltage

    salt = np.array([concentration_index(arrays, k) for k in range(model.volumes)])
    initial = model.salt_concentration / STANDARD_CONCENTRATION

    def events(state: FloatArray) -> FloatArray:
        least = min(float(np.min(state[salt])), float(state[0]) + arrays.surface_rise)
        voltage = offset + thermal_voltage * state[last - 1]
        return np.array([voltage - model.cutoff_voltage, least / initial + DEPLETION])

    result = solve_implicit(system, times, start, events=events, relative_tolerance=relative_tolerance)
    termination = FINAL_FILLING
    if result.event is not None:
        termination = ("voltage cutoff", "electrolyte depletion")[result.event]
    if result.failure is not None:
        termination = SOLVER_FAILURE
    volumes = _volumes(model, arrays, result.states)
    voltage = offset + thermal_voltage * result.states[:, last - 1]
    return CellSolution(
        time=result.time,
        voltage=voltage,
        termination=termination,
        status=_status(model, c_rate, result, termination),
        **volumes,
    )


def _output_times(model: CellModel, c_rate: float) -> FloatArray:
    """Return times dense at the start, where the voltage relaxes, then uniform."""
    end = (model.final_theta - model.initial_theta) * HOUR / c_rate
    early = end * np.geomspace(1e-6, 1.0 / OUTPUT_TIMES, 25)
    return np.concatenate([[0.0], early[:-1], np.linspace(early[-1], end, OUTPUT_TIMES - 25)])


def _volumes(model: CellModel, arrays: CellArrays, states: FloatArray) -> dict[str, FloatArray]:
    """Return the solution's fields that are slices of the states."""
    shells, separator = model.particle.shells, model.separator.volumes
    total = model.volumes
    c = np.array([concentration_index(arrays, k) for k in range(total)])
    theta_index = (c[separator:] - 1 - block_size(shells))[:, None] + 2 * np.arange(shells)
    theta = states[:, theta_index]
    thermal_voltage = model.particle.thermal_voltage
    return {
        "filling": (theta @ model.particle.grid.fractions).mean(axis=1),
        "theta": theta,
        "reaction": states[:, c[separator:] - 2] * arrays.particle.rate_scale,
        "concentration": states[:, c] * STANDARD_CONCENTRATION,
        "electrolyte_potential": states[:, c + 1] * thermal_voltage,
        "solid_potential": model.particle.mean_voltage + states[:, c[separator:] - 1] * thermal_voltage,
        "position": model.positions,
        "radius": model.particle.grid.nodes,
    }


def _status(model: CellModel, c_rate: float, result: ImplicitSolution, termination: str) -> str:
    reached = abs(c_rate) / HOUR * result.time[-1]
    wanted = model.final_theta - model.initial_theta
    text = f"{abs(c_rate):g}C: filled by {reached:.3f} of {wanted:.3f} in {result.time[-1]:.4g} s"
    if termination == SOLVER_FAILURE:
        return f"{text}, then the solver stopped: {result.failure}"
    if termination == "voltage cutoff":
        return f"{text}, where the voltage reached its cutoff of {model.cutoff_voltage:.3f} V"
    if termination == "electrolyte depletion":
        return f"{text}, where the electrolyte ran out of salt; use a lower rate or more salt"
    return f"{text}, the end of the protocol"


def _guess(model: CellModel, arrays: CellArrays, c_rate: float) -> FloatArray:
    """Return a state at rest, its potentials shifted by the overpotentials of a uniform reaction."""
    shells, separator = model.particle.shells, model.separator.volumes
    theta = model.initial_theta
    log_odds = np.log(theta) - np.log1p(-theta)
    salt = model.salt_concentration / STANDARD_CONCENTRATION
    log_salt = float(np.log(salt))
    activity = (model.particle.mean_voltage - model.open_circuit_voltage) / model.particle.thermal_voltage
    p = arrays.particle
    law = model.particle.rate_law
    exchange = exchange_current(law, theta, activity, log_salt) * p.rate / law.rate_constant
    counter = arrays.counter_rate * np.exp((1 - arrays.counter_transfer) * log_salt)
    direction = arrays.direction
    phi = -log_salt - float(overpotential(-direction, counter, arrays.counter_transfer))
    solid = phi + log_salt - activity + float(overpotential(direction, exchange, p.transfer))
    state = np.zeros(system_size(model))
    for k in range(model.volumes):
        c = concentration_index(arrays, k)
        state[c : c + 2] = salt, phi
        if k >= separator:
            o = c - 1 - block_size(shells)
            state[o : o + 2 * shells : 2] = theta
            state[o + 1 : o + 2 * shells : 2] = log_odds
            state[o + 2 * shells : c] = theta, direction, solid
    return state


def _cell_system(model: CellModel, arrays: CellArrays) -> ImplicitSystem:
    shells, separator = model.particle.shells, model.separator.volumes
    total = model.volumes
    size = system_size(model)
    entries = empty_entries(model.cathode.volumes * (entry_count(shells) + 5) + 22 * total)
    unused = np.empty(size)

    def residual(state: FloatArray, rates: FloatArray, out: FloatArray) -> None:
        cell_residual(arrays, state, rates, out)

    def values(state: FloatArray, cj: float) -> FloatArray:
        cell_entries(arrays, Place(state, unused, 0, 0.0, 0.0), cj, entries)
        return entries.values

    def resolves(state: FloatArray, cj: float) -> bool:
        return bool(resolves_growth(arrays.particle, state, offsets, cj))

    def restore(state: FloatArray) -> FloatArray:
        restored = state.copy()
        for offset in offsets:
            restore_particle(arrays.particle, restored, int(offset))
        return restored

    values(np.full(size, 0.5), 1.0)
    entries = trimmed(entries)
    tolerance = np.full(size, POTENTIAL_TOLERANCE)
    differential = np.zeros(size, dtype=bool)
    offsets = (
        np.array([concentration_index(arrays, k) for k in range(separator, total)]) - 1 - block_size(shells)
    )
    for k in range(total):
        c = concentration_index(arrays, k)
        tolerance[c], differential[c] = THETA_TOLERANCE, True
        if k >= separator:
            o = c - 1 - block_size(shells)
            tolerance[o : o + 2 * shells : 2] = THETA_TOLERANCE
            tolerance[o + 2 * shells] = THETA_TOLERANCE
            differential[o : o + 2 * shells : 2] = True
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
