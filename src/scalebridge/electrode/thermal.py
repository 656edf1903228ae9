"""Discharge of a cell that warms."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scalebridge.electrode.arrays import cell_arrays
from scalebridge.electrode.discharge import (
    CellSolution,
    asked_times,
    depleted,
    discharge_rules,
    discharge_status,
    termination,
)
from scalebridge.electrode.heat import Build, HeatBalance
from scalebridge.electrode.model import CellModel
from scalebridge.electrode.slices import (
    LEFT_RANGE,
    OUT_OF_RANGE,
    TEMPERATURE_STEP,
    Course,
    Passage,
    Reached,
    Warming,
    pass_warming,
)
from scalebridge.electrode.system import Unknowns, rest_state
from scalebridge.particle import REFERENCE_TOLERANCE

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ThermalSolution:
    """A discharge with its temperature."""

    cell: CellSolution
    """Potentials of every time belong to the temperature of its slice."""
    temperature: FloatArray
    """(times,) [K]"""
    heat: FloatArray
    """(times,) released per electrode area, mean of the slice that leads to each time [W/m²]."""


def solve_thermal_cell(
    build: Build,
    c_rate: float,
    balance: HeatBalance,
    *,
    temperature: float,
    times: FloatArray | None = None,
    temperature_step: float = TEMPERATURE_STEP,
    relative_tolerance: float = REFERENCE_TOLERANCE,
) -> ThermalSolution:
    """Discharge (``c_rate`` > 0) or charge (< 0) at constant current from rest at ``temperature``.

    Parameters
    ----------
    build
        Returns the cell at a temperature, always with the same grid and voltage cutoff.
    temperature
        At the start [K].
    times
        Output times from 0 [s], as of `solve_cell`; the ends of slices join them.
    temperature_step
        Largest change of temperature within which the cell counts as isothermal [K].

    Raises
    ------
    InputError
        If the rate is 0, or negative without ``times``, the temperature step is not positive, or an electrode
        has a noise interval.
    ValidityError
        If the cell does not exist at the first temperatures. Where it leaves the range of its materials
        later, the run ends there with the termination `OUT_OF_RANGE`.
    ConvergenceError
        If no consistent start exists at time 0.
    """
    warming = Warming(build=build, balance=balance, temperature_step=temperature_step)
    model = build(temperature)
    model.refuse_noise("a cell that warms ([thermal])")
    arrays = cell_arrays(model, target=c_rate)
    asked = asked_times(model, c_rate, times)
    course = Course(
        asked,
        lambda cell: cell_arrays(cell, target=c_rate),
        discharge_rules,
        relative_tolerance,
        expected=float(asked[-1]),
    )
    unknowns = Unknowns.of(arrays)
    state = rest_state(model, arrays, unknowns, c_rate)
    passed, _ = pass_warming(course, warming, Reached(model, state, temperature))
    assert passed.temperature is not None
    assert passed.heat is not None
    ended, status = _ending(model, c_rate, passed)
    between = f"{passed.temperature.min():.1f} … {passed.temperature.max():.1f} K"
    cell = replace(passed.cell, termination=ended, status=f"{status}; {between}")
    return ThermalSolution(cell, passed.temperature, passed.heat)


def _ending(model: CellModel, c_rate: float, passed: Passage) -> tuple[str, str]:
    """Return why a discharge ended, as a word and as a sentence."""
    time = float(passed.cell.time[-1])
    if passed.outside is not None:
        return OUT_OF_RANGE, f"{time:.4g} s, where {LEFT_RANGE}: {passed.outside}"
    ended = termination(passed.event, passed.failure, out_of_salt=depleted(model, passed.cell))
    return ended, discharge_status(model, c_rate, time, ended, passed.failure)
