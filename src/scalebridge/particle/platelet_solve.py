"""One platelet resolved along length and depth, at constant current, at rest, or at constant voltage."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from scalebridge.foundation import ConvergenceError, InputError
from scalebridge.particle._kernels import Particles, particle_places
from scalebridge.particle.implicit import (
    REFERENCE_TOLERANCE,
    ImplicitSolution,
    ImplicitSystem,
    consistent_start,
    solve_implicit,
)
from scalebridge.particle.platelet import Platelet
from scalebridge.particle.platelet_system import platelet_columns, platelet_system
from scalebridge.particle.solve import failed

FloatArray = NDArray[np.float64]

WIDEST_DRIVE = 500.0
"""Looked for at a start, in kT."""


@dataclass(frozen=True, eq=False)
class PlateletSolution:
    """One platelet against time."""

    time: FloatArray
    """(times,) [s]"""
    voltage: FloatArray
    """(times,) φ_s − φ_e against the ion's metal in an electrolyte of activity 1 [V]."""
    filling: FloatArray
    """(times,) mean site fraction."""
    current_density: FloatArray
    """(times, columns) through the surface of each column, positive inserts [A/m²]."""
    theta: FloatArray
    """(times, columns, shells)"""
    position: FloatArray
    """(columns,) along the length [m]."""
    depth: FloatArray
    """(shells,) from the middle to the surface [m]."""
    free_energy: FloatArray
    """(times,) per site over kT, see `Platelet.free_energy`."""
    phase_variance: tuple[FloatArray, FloatArray]
    """(times,) each: how far phases lie apart along the length and along the depth, from 0 to 1."""
    wave_share: FloatArray
    """(times,) 1 of a wave along the surface, 0 of core and shell, see `Platelet.wave_share`."""
    termination: str
    """``time``, ``voltage cutoff``, ``full particle``, ``empty particle`` or ``solver failure``."""
    status: str
    """A sentence."""


def solve_platelet(
    platelet: Platelet,
    theta: float | FloatArray,
    *,
    times: FloatArray,
    current_density: float | None = None,
    voltage: float | None = None,
    voltage_cutoff: float | None = None,
    relative_tolerance: float = REFERENCE_TOLERANCE,
) -> PlateletSolution:
    """Solve one platelet; exactly one of ``current_density`` and ``voltage`` is held.

    Parameters
    ----------
    theta
        Site fractions at the start: a number, one per column, or (columns, shells). An even platelet stays
        even along its length but for wetting at its ends; `thermal_profile` of `Platelet.depth_averaged`
        draws the fluctuations of a start.
    times
        Output times, ascending from 0 [s]; the last ends the run.
    current_density
        Mean over the surface, positive inserts, 0 is rest [A/m²].
    voltage_cutoff
        Ends an insertion when the voltage has fallen to it [V].

    Raises
    ------
    InputError
        If not exactly one of current and voltage is given, θ is outside (0, 1) or has the wrong shape.
    ConvergenceError
        If no consistent start exists.
    """
    model = platelet.model
    profile = _check_start(platelet, theta)
    if (current_density is None) == (voltage is None):
        raise InputError(
            f"current_density {current_density} and voltage {voltage}: exactly one must be given; "
            "use current_density=0 for rest"
        )
    per_current = model.grid.surface_area / model.charge_density
    applied = (current_density or 0.0) * per_current
    rate_scale = abs(applied) or model.rate_law.rate_constant * per_current
    g = platelet_columns(platelet, rate_scale)
    held = ("rate", applied / rate_scale)
    if voltage is not None:
        held = ("drive", (voltage - model.mean_voltage) / model.thermal_voltage)
    system = platelet_system(platelet, g, held)
    start = consistent_start(system, _guess(platelet, g, system, (profile, held)))

    def events(state: FloatArray) -> FloatArray:
        now = model.mean_voltage + model.thermal_voltage * state[-1]
        return np.array([now - (-np.inf if voltage_cutoff is None else voltage_cutoff)])

    result = solve_implicit(
        system,
        times,
        start,
        events=None if voltage_cutoff is None else events,
        relative_tolerance=relative_tolerance,
    )
    return _solution(platelet, g, result, end=float(times[-1]))


def _solution(platelet: Platelet, g: Particles, result: ImplicitSolution, *, end: float) -> PlateletSolution:
    """Return what was reached in the terms of a user."""
    model, scale = platelet.model, g.arrays.rate_scale
    termination = "time" if result.event is None else "voltage cutoff"
    status = f"reached {result.time[-1]:.4g} s of {end:.4g} s"
    place = particle_places(g)
    fractions = result.states[:, place[0 : 2 * model.shells : 2].T]
    filling = platelet.filling(fractions)
    if result.failure is not None:
        termination, reason = failed(float(filling[-1]), result.failure)
        status = f"{status}; {reason}"
    inside = np.clip(fractions, 0.0, 1.0)
    return PlateletSolution(
        time=result.time,
        voltage=model.mean_voltage + model.thermal_voltage * result.states[:, -1],
        filling=filling,
        current_density=result.states[:, place[-1]] * scale * model.charge_density / model.grid.surface_area,
        theta=fractions,
        position=platelet.position,
        depth=model.grid.nodes,
        free_energy=platelet.free_energy(inside),
        phase_variance=platelet.phase_variance(inside),
        wave_share=platelet.wave_share(inside),
        termination=termination,
        status=status,
    )


def _check_start(platelet: Platelet, theta: float | FloatArray) -> FloatArray:
    shape = (platelet.columns, platelet.model.shells)
    given = np.asarray(theta, dtype=np.float64)
    fitting = given.shape in ((), shape[:1], shape)
    if not fitting or np.any(given <= 0) or np.any(given >= 1):
        raise InputError(
            f"starting site fractions of shape {given.shape} from {given.min():g} to {given.max():g} must "
            f"be one number, {shape[0]} or {shape[0]} × {shape[1]} inside (0, 1); change the start"
        )
    return given * np.ones(shape) if given.ndim != 1 else given[:, None] * np.ones(shape)


def _guess(
    platelet: Platelet, g: Particles, system: ImplicitSystem, given: tuple[FloatArray, tuple[str, float]]
) -> FloatArray:
    """Return the unknowns of a start: of a held rate the drive at which the columns' rates add up to it."""
    (profile, (what, value)), place = given, particle_places(g)
    n = platelet.model.shells
    state, still = np.zeros(place.size + 1), np.zeros(place.size + 1)
    state[place[0 : 2 * n : 2]] = profile.T
    state[place[1 : 2 * n : 2]] = np.log(profile.T) - np.log1p(-profile.T)
    state[place[2 * n]] = profile @ g.arrays.fractions
    residual = np.empty(state.size)

    def rates_at(drive: float) -> FloatArray:
        state[-1] = drive
        system.residual(state, still, residual)
        return np.asarray(-residual[place[-1]])

    def missing(drive: float) -> float:
        return float(platelet.shares @ rates_at(drive)) - value

    state[place[-1]] = rates_at(value if what == "drive" else _falling_zero(missing))
    return state


def _falling_zero(function: Callable[[float], float]) -> float:
    """Return where a falling function of the drive is zero.

    Raises
    ------
    ConvergenceError
        If it has one sign at all drives up to `WIDEST_DRIVE`.
    """
    reach = 1.0
    while function(-reach) < 0 or function(reach) > 0:
        reach *= 2
        if reach > WIDEST_DRIVE:
            raise ConvergenceError(
                f"no drive up to {WIDEST_DRIVE:g} kT carries the current at the start; lower the current"
            )
    return float(brentq(function, -reach, reach))
