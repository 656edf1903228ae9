"""A cell led through a protocol: steps with their ends, joined into one solution."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scalebridge.contracts import SOLVER_FAILURE
from scalebridge.electrode.arrays import cell_arrays
from scalebridge.electrode.discharge import NO_SALT, CellSolution, at_end, depleted, joined
from scalebridge.electrode.heat import Build, HeatBalance
from scalebridge.electrode.model import CellModel
from scalebridge.electrode.protocol import LEAST_POINTS, Protocol, Step
from scalebridge.electrode.slices import (
    LEFT_RANGE,
    OUT_OF_RANGE,
    TEMPERATURE_STEP,
    Passage,
    Reached,
    Warming,
    pass_isothermal,
    pass_warming,
)
from scalebridge.electrode.steps import begin_step
from scalebridge.electrode.system import Unknowns, cell_system, rest_state
from scalebridge.foundation import SILENT, ConvergenceError, InputError, Progress, ValidityError
from scalebridge.particle import REFERENCE_TOLERANCE, START_TOLERANCE, consistent_start

FloatArray = NDArray[np.float64]

ROUNDING = 1e-9
"""Share of what was delivered below which nothing was taken up."""
STOPPED = (SOLVER_FAILURE, OUT_OF_RANGE)
"""Terminations of steps after which none follows."""


@dataclass(frozen=True, eq=False)
class StepResult:
    """One step of a protocol."""

    text: str
    solution: CellSolution
    """Its times count from the start of the protocol."""
    ended_by: str
    """What ended it, in words."""
    capacity: float
    """Charge passed over the theoretical capacity; positive discharges."""
    energy: float
    """Delivered per electrode area [J/m²]; negative where the cell took it up."""
    temperature: FloatArray | None = None
    """(times,) [K]; None of a cell that does not warm."""
    heat: FloatArray | None = None
    """(times,) released per electrode area, mean of the slice that leads to each time [W/m²]."""

    @property
    def mean_voltage(self) -> float:
        """Energy over charge [V], nan where no charge passed."""
        charge = float(np.trapezoid(self.solution.current, self.solution.time))
        return self.energy / charge if charge else float("nan")


@dataclass(frozen=True, eq=False)
class ProtocolSolution:
    """A cell led through a protocol."""

    steps: tuple[StepResult, ...]
    whole: CellSolution
    """All steps, one after another; times at which two steps meet come twice."""

    @property
    def finished(self) -> bool:
        """Whether every step ended by its rules."""
        return self.whole.termination not in STOPPED

    @property
    def temperature(self) -> FloatArray | None:
        """(times,) of the whole [K]; None of a cell that does not warm."""
        found = [step.temperature for step in self.steps if step.temperature is not None]
        return np.concatenate(found) if found else None

    @property
    def heat(self) -> FloatArray | None:
        """(times,) of the whole, released per electrode area as `StepResult.heat` [W/m²]."""
        found = [step.heat for step in self.steps if step.heat is not None]
        return np.concatenate(found) if found else None

    @property
    def coulombic_efficiency(self) -> float:
        """Charge delivered over charge taken up, nan without any taken up."""
        return _efficiency([step.capacity for step in self.steps])

    @property
    def energy_efficiency(self) -> float:
        """Energy delivered over energy taken up, nan without any taken up."""
        return _efficiency([step.energy for step in self.steps])


def _efficiency(amounts: list[float]) -> float:
    given, taken = (sum(max(sign * amount, 0.0) for amount in amounts) for sign in (1.0, -1.0))
    return given / taken if taken > ROUNDING * given else float("nan")


@dataclass(frozen=True, eq=False)
class _Settings:
    """What all steps of a protocol share."""

    points: int
    relative_tolerance: float
    warming: Warming | None = None


def solve_protocol(
    model: CellModel,
    protocol: Protocol,
    *,
    points: int = 100,
    relative_tolerance: float = REFERENCE_TOLERANCE,
    progress: Progress = SILENT,
) -> ProtocolSolution:
    """Lead a cell, at rest before, through a protocol.

    A step ends at the first of its limits, its duration, an electrode full or empty, or an electrolyte
    without salt; the times of these are located, not rounded to an output. A limit that is exceeded before
    the step begins ends it at once. A step that the solver cannot begin or end is the last one.

    Parameters
    ----------
    points
        Output times of a step with a current, a quarter of those of one with a voltage or a power.

    Raises
    ------
    InputError
        If there are fewer than 5 points, or an electrode has a noise interval.
    ConvergenceError
        If the first step finds no consistent start.
    """
    return _led(model, protocol, _Settings(points, relative_tolerance), progress)


def solve_thermal_protocol(
    build: Build,
    protocol: Protocol,
    balance: HeatBalance,
    *,
    temperature: float,
    points: int = 100,
    temperature_step: float = TEMPERATURE_STEP,
    relative_tolerance: float = REFERENCE_TOLERANCE,
    progress: Progress = SILENT,
) -> ProtocolSolution:
    """Lead a cell that warms, at rest before, through a protocol, as `solve_protocol`.

    Every step is cut into slices of one temperature, the first of a second at most; the temperature goes on
    from step to step, and steps end by their rules in any slice.

    Parameters
    ----------
    build
        Returns the cell at a temperature, always with the same grid.
    temperature
        At the start [K].
    temperature_step
        Largest change of temperature within which the cell counts as isothermal [K].

    Raises
    ------
    InputError
        If there are fewer than 5 points, or the temperature step is not positive.
    ValidityError
        If the cell does not exist at the first temperatures. Where it leaves the range of its materials
        later, the protocol ends there with the termination `OUT_OF_RANGE`.
    ConvergenceError
        If the first step finds no consistent start.
    """
    warming = Warming(build=build, balance=balance, temperature_step=temperature_step)
    return _led(build(temperature), protocol, _Settings(points, relative_tolerance, warming), progress)


def _led(model: CellModel, protocol: Protocol, settings: _Settings, progress: Progress) -> ProtocolSolution:
    """Return what a cell does that rests before, step by step."""
    if settings.points < LEAST_POINTS:
        raise InputError(
            f"{settings.points} output times per step must be at least {LEAST_POINTS}; ask for more"
        )
    model.refuse_noise("a protocol")
    arrays = cell_arrays(model)
    unknowns = Unknowns.of(arrays)
    guess = rest_state(model, arrays, unknowns, 0.0)
    rest = consistent_start(cell_system(arrays, unknowns), guess, tolerance=START_TOLERANCE)
    at = Reached(model, rest[0], model.particle.temperature)
    results: list[StepResult] = []
    time = 0.0
    with progress.task("protocol", len(protocol.steps)) as task:
        for step in protocol.steps:
            try:
                result, at = _solve_step(step, at, time, settings)
            except (ValidityError, ConvergenceError) as error:
                if not results:
                    raise
                result = _not_begun(step, results[-1], error)
            time = float(result.solution.time[-1])
            results.append(result)
            task.advance(1, f"{step.text}: {result.ended_by}")
            if result.solution.termination in STOPPED:
                break
    return ProtocolSolution(tuple(results), joined([result.solution for result in results]))


def _solve_step(step: Step, at: Reached, now: float, settings: _Settings) -> tuple[StepResult, Reached]:
    """Return the result of a step that begins at a time [s], and the state at its end."""
    begun = begin_step(
        at.model, step, at.state, points=settings.points, relative_tolerance=settings.relative_tolerance
    )
    if settings.warming is None:
        passed, reached = pass_isothermal(begun.course, at.model, begun.start)
    else:
        passed, reached = pass_warming(begun.course, settings.warming, replace(at, state=begun.start[0]))
    ended_by, termination = _ending(passed, begun.words)
    if passed.failure is not None and depleted(at.model, passed.cell):
        ended_by = termination = NO_SALT
    solution = replace(
        passed.cell,
        time=passed.cell.time + now,
        termination=termination,
        status=f"{step.text}: {ended_by}",
    )
    charge = float(np.trapezoid(solution.current, solution.time))
    return (
        StepResult(
            text=step.text,
            solution=solution,
            ended_by=ended_by,
            capacity=float(solution.filling[-1] - solution.filling[0]),
            energy=float(np.trapezoid(solution.current * solution.voltage, solution.time)) if charge else 0.0,
            temperature=passed.temperature,
            heat=passed.heat,
        ),
        reached,
    )


def _ending(passed: Passage, words: list[str]) -> tuple[str, str]:
    """Return what ended a step in words, and as a termination."""
    if passed.failure is not None:
        return f"the solver stopped: {passed.failure}", SOLVER_FAILURE
    if passed.outside is not None:
        return f"{LEFT_RANGE}: {passed.outside}", OUT_OF_RANGE
    ended_by = "time" if passed.event is None else words[passed.event]
    return ended_by, ended_by


def _not_begun(step: Step, before: StepResult, error: ValidityError | ConvergenceError) -> StepResult:
    """Return a step that stays where the one before ended."""
    outside = isinstance(error, ValidityError)
    passed = Passage(
        at_end(before.solution),
        outside=str(error) if outside else None,
        failure=None if outside else str(error),
    )
    ended_by, termination = _ending(passed, [])
    status = f"{step.text}: {ended_by}"
    return StepResult(
        text=step.text,
        solution=replace(passed.cell, termination=termination, status=status),
        ended_by=ended_by,
        capacity=0.0,
        energy=0.0,
        temperature=None if before.temperature is None else before.temperature[-1:],
        heat=None if before.heat is None else before.heat[-1:],
    )
