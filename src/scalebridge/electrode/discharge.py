"""Constant-current discharge of a cell."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from scalebridge.contracts import FINAL_FILLING, SOLVER_FAILURE
from scalebridge.electrode._kernels import CellArrays
from scalebridge.electrode.arrays import cell_arrays, ohmic_drop
from scalebridge.electrode.events import SALT_EVENT, VOLTAGE_EVENT, cell_events
from scalebridge.electrode.model import HOUR, STANDARD_CONCENTRATION, CellModel, MetalFoil
from scalebridge.electrode.native import native_callbacks
from scalebridge.electrode.system import Unknowns, cell_system, rest_state
from scalebridge.foundation import InputError
from scalebridge.particle import (
    REFERENCE_TOLERANCE,
    ImplicitSolution,
    ImplicitSystem,
    consistent_start,
    phase_fractions,
    solve_implicit,
)

FloatArray = NDArray[np.float64]

OUTPUT_TIMES = 300
DEPLETION = 1e-3
"""A run ends where the salt concentration is below zero by this share of the initial one, or where the solver
cannot go on and less than this is left."""
NO_SALT = "electrolyte depletion"
"""Termination of such a run."""


@dataclass(frozen=True, eq=False)
class AnodeSolution:
    """A porous anode against the times of its cell; potentials against its collector."""

    filling: FloatArray
    """(times,) mean site fraction."""
    theta: FloatArray
    """(times, volumes, particles, shells)"""
    reaction: FloatArray
    """(times, volumes, particles) filling rate of the particles [1/s]."""
    solid_potential: FloatArray
    """(times, volumes) [V]"""


@dataclass(frozen=True, eq=False)
class CellSolution:
    """A cell against time; potentials against the metal electrode or the anode's collector."""

    time: FloatArray
    """(times,) [s]"""
    voltage: FloatArray
    """(times,) [V]"""
    filling: FloatArray
    """(times,) mean site fraction of the cathode."""
    current: FloatArray
    """(times,) per electrode area, positive discharges [A/m²]."""
    theta: FloatArray
    """(times, volumes, particles, shells)"""
    reaction: FloatArray
    """(times, volumes, particles) filling rate of the particles [1/s]."""
    concentration: FloatArray
    """(times, all volumes) [mol/m³]"""
    electrolyte_potential: FloatArray
    """(times, all volumes) [V]"""
    solid_potential: FloatArray
    """(times, volumes) [V]"""
    position: FloatArray
    """(all volumes,) middle of each volume from the metal electrode or the anode's collector [m]."""
    radius: FloatArray
    """(shells,) of a particle of the design's size, or position along an Allen–Cahn platelet; of others in
    proportion [m]."""
    termination: str
    """``voltage cutoff``, ``final filling``, ``electrolyte depletion`` or ``solver failure``."""
    status: str
    """A sentence."""
    phase_fractions: FloatArray | None = None
    """(times, volumes, particles, shells, branches) of phases with a rate of their own, else None."""
    anode: AnodeSolution | None = None
    """None of a foil."""


Part = TypeVar("Part", CellSolution, AnodeSolution)


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
        If the rate is 0, or negative without ``times``, or an electrode has a noise interval (see
        `solve_noisy_cell`).
    ConvergenceError
        If no consistent start exists.
    """
    asked = asked_times(model, c_rate, times)
    model.refuse_noise("solve_cell")
    arrays = cell_arrays(model, target=c_rate)
    unknowns = Unknowns.of(arrays)
    system, events = runnable(model, arrays, unknowns, discharge_rules(model))
    start = consistent_start(system, rest_state(model, arrays, unknowns, c_rate))
    result = solve_implicit(system, asked, start, events=events, relative_tolerance=relative_tolerance)
    return discharged(model, unknowns, c_rate, result)


def asked_times(model: CellModel, c_rate: float, times: FloatArray | None) -> FloatArray:
    """Return the output times of a discharge [s]; None: `output_times`.

    Raises
    ------
    InputError
        If the rate is 0 or not finite, or negative without times.
    """
    if not np.isfinite(c_rate) or c_rate == 0 or (c_rate < 0 and times is None):
        raise InputError(f"C-rate {c_rate:g} must be positive (negative, charging, only with output times)")
    return output_times(model, c_rate) if times is None else np.asarray(times, dtype=np.float64)


def discharged(model: CellModel, unknowns: Unknowns, c_rate: float, result: ImplicitSolution) -> CellSolution:
    """Return a run as a discharge: its fields, and how it ended."""
    found = cell_solution(model, unknowns, result, termination="", status="")
    ended = termination(result.event, result.failure, out_of_salt=depleted(model, found))
    status = discharge_status(model, c_rate, float(result.time[-1]), ended, result.failure)
    return replace(found, termination=ended, status=status)


def discharge_rules(model: CellModel) -> FloatArray:
    """Return the events that end a discharge, in the order of `termination`."""
    return np.array(
        [
            [VOLTAGE_EVENT, voltage_level(model, model.cutoff_voltage), 1.0],
            [SALT_EVENT, -DEPLETION * model.salt_concentration / STANDARD_CONCENTRATION, 1.0],
        ]
    )


def termination(event: int | None, failure: str | None, *, out_of_salt: bool) -> str:
    """Return why a discharge ended; where the salt has run out, the solver's end is the electrolyte's."""
    if failure is not None:
        return NO_SALT if out_of_salt else SOLVER_FAILURE
    if event is not None:
        return ("voltage cutoff", NO_SALT)[event]
    return FINAL_FILLING


def depleted(model: CellModel, solution: CellSolution) -> bool:
    """Return whether somewhere less than `DEPLETION` of the initial salt is left at the end."""
    return bool(np.min(solution.concentration[-1]) < DEPLETION * model.salt_concentration)


def runnable(
    model: CellModel, arrays: CellArrays, unknowns: Unknowns, rules: FloatArray
) -> tuple[ImplicitSystem, Callable[[FloatArray], FloatArray]]:
    """Return the system of a cell, callbacks in machine code included, and its events."""
    system = cell_system(arrays, unknowns)
    salt = np.ascontiguousarray(unknowns.concentration, dtype=np.int64)

    def events(state: FloatArray) -> FloatArray:
        out = np.empty(len(rules))
        cell_events(arrays, state, salt, rules, out)
        return out

    return replace(system, native=native_callbacks(arrays, unknowns, rules)), events


def voltage_level(model: CellModel, voltage: float) -> float:
    """Return a terminal voltage [V] as the kernels count it."""
    return (voltage - model.particle.mean_voltage) / model.particle.thermal_voltage


def output_times(model: CellModel, c_rate: float) -> FloatArray:
    """Return times dense at the start, where the voltage relaxes, then uniform."""
    end = (model.final_theta - model.cathode.initial_theta) * HOUR / c_rate
    early = end * np.geomspace(1e-6, 1.0 / OUTPUT_TIMES, 25)
    return np.concatenate([[0.0], early[:-1], np.linspace(early[-1], end, OUTPUT_TIMES - 25)])


def cell_solution(
    model: CellModel, unknowns: Unknowns, result: ImplicitSolution, *, termination: str, status: str
) -> CellSolution:
    """Return the states of a run as fields."""
    states = result.states
    thermal, standard = model.particle.thermal_voltage, model.particle.mean_voltage
    theta = states[:, unknowns.cathode.theta]
    filling = np.einsum("tkjs,s,kj->t", theta, model.particle.grid.fractions, model.cathode.particle_shares)
    applied = states[:, -1]
    return CellSolution(
        time=result.time,
        voltage=standard + thermal * states[:, unknowns.cathode.solid[-1]] - applied * ohmic_drop(model),
        filling=filling,
        current=applied * model.one_c_current,
        theta=theta,
        reaction=states[:, unknowns.cathode.rate] / HOUR,
        concentration=states[:, unknowns.concentration] * STANDARD_CONCENTRATION,
        electrolyte_potential=states[:, unknowns.concentration + 1] * thermal,
        solid_potential=standard + states[:, unknowns.cathode.solid] * thermal,
        phase_fractions=(
            None if model.particle.order is None else phase_fractions(states[:, unknowns.cathode.phases])
        ),
        position=model.positions,
        radius=model.particle.grid.nodes,
        termination=termination,
        status=status,
        anode=_anode_solution(model, unknowns, states),
    )


def joined(parts: list[CellSolution]) -> CellSolution:
    """Return solutions one after another."""
    anodes = [part.anode for part in parts if part.anode is not None]
    return replace(_in_turn(parts), anode=_in_turn(anodes) if anodes else None)


def at_end(solution: CellSolution) -> CellSolution:
    """Return a solution's last time alone."""
    anode = None if solution.anode is None else _last(solution.anode)
    return replace(_last(solution), anode=anode)


def _in_turn(parts: list[Part]) -> Part:
    """Return the last part with the arrays along time of all, one after another."""
    found: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in _along_time(parts[0])
    }
    return replace(parts[-1], **found)


def _last(part: Part) -> Part:
    found: dict[str, Any] = {name: getattr(part, name)[-1:] for name in _along_time(part)}
    return replace(part, **found)


def _along_time(part: CellSolution | AnodeSolution) -> set[str]:
    """Return the names of the arrays whose first axis is time."""
    fixed = {"position", "radius", "termination", "status", "anode"}
    names = {field.name for field in fields(part)} - fixed
    return {name for name in names if getattr(part, name) is not None}


def _anode_solution(model: CellModel, unknowns: Unknowns, states: FloatArray) -> AnodeSolution | None:
    if isinstance(model.anode, MetalFoil):
        return None
    particle, own = model.anode.particle, unknowns.anode
    shares = model.anode.particle_shares
    return AnodeSolution(
        filling=np.einsum("tkj,kj->t", states[:, own.filling], shares),
        theta=states[:, own.theta],
        reaction=states[:, own.rate] / HOUR,
        solid_potential=particle.mean_voltage + states[:, own.solid] * particle.thermal_voltage,
    )


def discharge_status(
    model: CellModel, c_rate: float, duration: float, termination: str, failure: str | None
) -> str:
    """Return how far a discharge came in a time [s], and why no further."""
    reached = abs(c_rate) / HOUR * duration
    wanted = model.final_theta - model.cathode.initial_theta
    text = f"{abs(c_rate):g}C: filled by {reached:.3f} of {wanted:.3f} in {duration:.4g} s"
    if termination == SOLVER_FAILURE:
        return f"{text}, then the solver stopped: {failure}"
    if termination == "voltage cutoff":
        return f"{text}, where the voltage reached its cutoff of {model.cutoff_voltage:.3f} V"
    if termination == NO_SALT:
        return f"{text}, where the electrolyte ran out of salt; use a lower rate or more salt"
    return f"{text}, the end of the protocol"
