"""A stretch of time of a cell, at one temperature or in isothermal slices while the cell warms (splitting).

A slice of time has one temperature, that of its middle as the slice before foretells it: second order in the
slices' length. Discharges and the steps of protocols are such stretches.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scalebridge.electrode._kernels import CellArrays
from scalebridge.electrode.discharge import CellSolution, cell_solution, joined, runnable
from scalebridge.electrode.heat import Build, HeatBalance, carried, released_heat
from scalebridge.electrode.model import CellModel
from scalebridge.electrode.system import Unknowns
from scalebridge.foundation import ConvergenceError, InputError, ValidityError
from scalebridge.particle import (
    START_TOLERANCE,
    ImplicitSolution,
    ImplicitSystem,
    consistent_start,
    solve_implicit,
)

FloatArray = NDArray[np.float64]
Events = Callable[[FloatArray], FloatArray]

FIRST_SLICE = 1.0
"""[s]; nothing foretells its heat."""
LONGEST_SLICE = 0.05
"""Of what the stretch may be expected to last."""
SHORT_SLICE = 10.0
"""Slices of short stretches may still be as long [s]."""
GROWTH = 2.0
"""Of a slice over the one before."""
TEMPERATURE_STEP = 0.25
"""Largest change of temperature in a slice [K]."""
SLICE_TOLERANCE = 0.1
"""Of the stretch's: what fresh starts leave adds up, at the whole tolerance to 0.3 % of a hold of 3 hours."""
OUT_OF_RANGE = "temperature range"
"""Termination where the cell leaves the temperatures of its materials."""
LEFT_RANGE = "the cell left what its materials hold"
"""The same in words."""


@dataclass(frozen=True, eq=False)
class Course:
    """What a cell is made to do for a while, at any temperature."""

    times: FloatArray
    """(times,) of the output, from 0 to the latest end [s]."""
    arrays: Callable[[CellModel], CellArrays]
    """With the control and its target."""
    rules: Callable[[CellModel], FloatArray]
    """(rules, 3) of `cell_events`: what ends it earlier."""
    relative_tolerance: float
    expected: float
    """How long it lasts, about [s]: slices get a share of that at most."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Warming:
    """How a cell warms.

    Raises
    ------
    InputError
        If the temperature step is not positive.
    """

    build: Build
    balance: HeatBalance
    temperature_step: float = TEMPERATURE_STEP
    """Largest change of temperature within which the cell counts as isothermal [K]."""

    def __post_init__(self) -> None:
        if self.temperature_step <= 0:
            raise InputError(
                f"temperature step {self.temperature_step:g} K must be positive; choose some 0.25 K"
            )


@dataclass(frozen=True, eq=False)
class Reached:
    """Where a stretch begins or ends."""

    model: CellModel
    """To which ``state`` belongs; of the last slice."""
    state: FloatArray
    temperature: float
    """[K]"""


@dataclass(frozen=True, eq=False)
class Passage:
    """What a cell did in a stretch of time."""

    cell: CellSolution
    """Termination and status are empty. Potentials of every time belong to the temperature of its slice."""
    event: int | None = None
    """Index of the rule that ended it."""
    failure: str | None = None
    """Why the solver stopped before the end."""
    outside: str | None = None
    """Which temperature the materials do not hold."""
    temperature: FloatArray | None = None
    """(times,) [K]; None of a cell that does not warm."""
    heat: FloatArray | None = None
    """(times,) released per electrode area, mean of the slice that leads to each time [W/m²]."""

    @property
    def ended(self) -> bool:
        """Whether it ended before its latest end."""
        return not (self.event is None and self.failure is None and self.outside is None)


def pass_isothermal(
    course: Course, model: CellModel, start: tuple[FloatArray, FloatArray]
) -> tuple[Passage, Reached]:
    """Return what a cell at one temperature does from a consistent start."""
    unknowns, system, events = _prepared(course, model)
    result = _integrated(system, events, course.times, start, course.relative_tolerance)
    cell = cell_solution(model, unknowns, result, termination="", status="")
    reached = Reached(model, result.states[-1], model.particle.temperature)
    return Passage(cell, event=result.event, failure=result.failure), reached


def pass_warming(course: Course, warming: Warming, at: Reached) -> tuple[Passage, Reached]:
    """Return what a cell that warms does, slice by slice.

    The first slice is short: nothing foretells its heat.

    Raises
    ------
    ValidityError
        If the cell does not exist at the first slice's temperature; later this ends the stretch.
    ConvergenceError
        If the first slice finds no consistent start; later this ends the stretch.
    """
    end = float(course.times[-1])
    parts: list[Passage] = []
    now, heat, length = 0.0, 0.0, FIRST_SLICE
    while now < end and not (parts and parts[-1].ended):
        # a rest shorter than a tenth of the slice joins it
        until = now + length if end - now > 1.1 * length else end
        try:
            part, at, heat = _slice(course, warming, at, (now, until), heat)
        except (ValidityError, ConvergenceError) as error:
            if not parts:
                raise
            outside = isinstance(error, ValidityError)
            last, why = parts[-1], str(error)
            parts[-1] = replace(last, outside=why) if outside else replace(last, failure=why)
            break
        parts.append(part)
        now = until
        longest = min(GROWTH * length, max(LONGEST_SLICE * course.expected, SHORT_SLICE))
        slope = abs(warming.balance.slope(at.temperature, heat))
        length = min(longest, warming.temperature_step / slope) if slope > 0 else longest
    return _whole(parts), at


def _slice(
    course: Course, warming: Warming, at: Reached, span: tuple[float, float], heat: float
) -> tuple[Passage, Reached, float]:
    """Return a slice's part of the stretch, but for the time shared with the one before, end and heat.

    Parameters
    ----------
    span
        From and, at the latest, to [s].
    heat
        Foretold [W/m²].
    """
    now, until = span
    balance = warming.balance
    model = warming.build(float(balance.after(at.temperature, heat, 0.5 * (until - now))))
    unknowns, system, events = _prepared(course, model)
    state = carried(at.model, model, unknowns, at.state)
    start = consistent_start(system, state, tolerance=START_TOLERANCE)
    between = course.times[(course.times > now) & (course.times < until)]
    asked = np.concatenate([[now], between, [until]]) - now
    result = _integrated(system, events, asked, start, SLICE_TOLERANCE * course.relative_tolerance)
    heat = released_heat(
        warming.build, model, cell_solution(model, unknowns, result, termination="", status="")
    )
    warmth = np.asarray(balance.after(at.temperature, heat, result.time))
    own = slice(0 if now == 0 else 1, None)
    kept = replace(result, time=result.time[own] + now, states=result.states[own])
    part = Passage(
        cell_solution(model, unknowns, kept, termination="", status=""),
        event=result.event,
        failure=result.failure,
        temperature=warmth[own],
        heat=np.full(kept.time.size, heat),
    )
    return part, Reached(model, result.states[-1], float(warmth[-1])), heat


def _whole(parts: list[Passage]) -> Passage:
    """Return the slices of a stretch one after another."""
    return replace(
        parts[-1],
        cell=joined([part.cell for part in parts]),
        temperature=np.concatenate([part.temperature for part in parts if part.temperature is not None]),
        heat=np.concatenate([part.heat for part in parts if part.heat is not None]),
    )


def _prepared(course: Course, model: CellModel) -> tuple[Unknowns, ImplicitSystem, Events]:
    arrays = course.arrays(model)
    unknowns = Unknowns.of(arrays)
    return unknowns, *runnable(model, arrays, unknowns, course.rules(model))


def _integrated(
    system: ImplicitSystem,
    events: Events,
    times: FloatArray,
    start: tuple[FloatArray, FloatArray],
    relative_tolerance: float,
) -> ImplicitSolution:
    """Return the states at the times; a rule that is broken before ends it at once."""
    over = np.flatnonzero(events(start[0]) <= 0)
    if over.size:
        return ImplicitSolution(times[:1], start[0][None], int(over[0]), None, 0, 0)
    return solve_implicit(system, times, start, events=events, relative_tolerance=relative_tolerance)
