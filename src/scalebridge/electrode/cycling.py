"""A cell led through a protocol: steps with their ends, joined into one solution."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scalebridge.contracts import SOLVER_FAILURE
from scalebridge.electrode._kernels import CURRENT, POWER, RAMP, VOLTAGE, CellArrays
from scalebridge.electrode.arrays import cell_arrays
from scalebridge.electrode.discharge import (
    DEPLETION,
    CellSolution,
    cell_solution,
    joined,
    runnable,
    voltage_level,
)
from scalebridge.electrode.events import CURRENT_EVENT, FILLING_EVENT, SALT_EVENT, VOLTAGE_EVENT
from scalebridge.electrode.model import HOUR, STANDARD_CONCENTRATION, CellModel
from scalebridge.electrode.protocol import LEAST_POINTS, Limit, Protocol, Step
from scalebridge.electrode.system import Unknowns, cell_system, rest_state
from scalebridge.foundation import SILENT, ConvergenceError, InputError, Progress
from scalebridge.particle import (
    REFERENCE_TOLERANCE,
    ImplicitSolution,
    consistent_start,
    solve_implicit,
)

FloatArray = NDArray[np.float64]

FULL = 1e-3
"""A step ends where the electrode is full or empty to this site fraction."""
STAGES = (1, 4, 16)
"""In how many pieces a jump of current or voltage is taken where it cannot be taken at once."""
ROUNDING = 1e-9
"""Share of what was delivered below which nothing was taken up."""
RESTING = 1e-9
"""Currents below this C-rate count as none."""


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
        return self.whole.termination != SOLVER_FAILURE

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
    the step begins ends it at once.

    Parameters
    ----------
    points
        Output times of a step with a current, a quarter of those of one with a voltage or a power.

    Raises
    ------
    InputError
        If there are fewer than 5 points, or an electrode has a noise interval.
    ConvergenceError
        If no consistent start exists.
    """
    if points < LEAST_POINTS:
        raise InputError(f"{points} output times per step must be at least {LEAST_POINTS}; ask for more")
    model.refuse_noise("a protocol")
    arrays = cell_arrays(model)
    unknowns = Unknowns.of(arrays)
    system = cell_system(arrays, unknowns)
    state = consistent_start(system, rest_state(model, arrays, unknowns, 0.0))[0]
    results: list[StepResult] = []
    time = 0.0
    with progress.task("protocol", len(protocol.steps)) as task:
        for step in protocol.steps:
            result, state = _solve_step(model, unknowns, step, (time, state), (points, relative_tolerance))
            time = float(result.solution.time[-1])
            results.append(result)
            task.advance(1, f"{step.text}: {result.ended_by}")
            if result.solution.termination == SOLVER_FAILURE:
                break
    return ProtocolSolution(tuple(results), joined([result.solution for result in results]))


def _solve_step(
    model: CellModel,
    unknowns: Unknowns,
    step: Step,
    begin: tuple[float, FloatArray],
    settings: tuple[int, float],
) -> tuple[StepResult, FloatArray]:
    """Return a step's result and the state at its end."""
    now, state = begin
    points, tolerance = settings
    arrays = _held(model, step)
    start = _switched(model, arrays, unknowns, state)
    rules, words = _rules(model, unknowns, step, start[0])
    if step.slope:
        arrays = cell_arrays(model, control=RAMP, target=_c_rate(model, step, step.slope))
    system, events = runnable(model, arrays, unknowns, rules)
    if step.slope:
        start = consistent_start(system, start[0])
    over = np.flatnonzero(events(start[0]) <= 0)
    if over.size:
        result = ImplicitSolution(np.zeros(1), start[0][None], int(over[0]), None, 0, 0)
    else:
        times = _times(model, step, step.points or points)
        result = solve_implicit(system, times, start, events=events, relative_tolerance=tolerance)
    ended_by = "time" if result.event is None else words[result.event]
    termination = ended_by
    if result.failure is not None:
        ended_by, termination = f"the solver stopped: {result.failure}", SOLVER_FAILURE
    solution = cell_solution(
        model, unknowns, result, termination=termination, status=f"{step.text}: {ended_by}"
    )
    charge = float(np.trapezoid(solution.current, solution.time))
    return (
        StepResult(
            text=step.text,
            solution=replace(solution, time=solution.time + now),
            ended_by=ended_by,
            capacity=float(solution.filling[-1] - solution.filling[0]),
            energy=float(np.trapezoid(solution.current * solution.voltage, solution.time)) if charge else 0.0,
        ),
        result.states[-1],
    )


def _held(model: CellModel, step: Step) -> CellArrays:
    """Return the arrays of a cell under a step's control."""
    control = {"voltage": VOLTAGE, "power": POWER}.get(step.control, CURRENT)
    return cell_arrays(model, control=control, target=_c_rate(model, step, step.value))


def _c_rate(model: CellModel, step: Step, value: float) -> float:
    """Return a value of a step, or its slope, in units of 1C where it is a current."""
    return value / model.one_c_current if step.control == "current" else value


def _switched(
    model: CellModel, arrays: CellArrays, unknowns: Unknowns, state: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return a consistent state under a new control; a large jump is taken in pieces."""
    solid, applied = float(state[unknowns.cathode.solid[-1]]), float(state[-1])
    voltage = solid - arrays.drop * applied
    held = {CURRENT: applied, VOLTAGE: voltage, POWER: applied * (voltage + arrays.cathode.standard)}[
        arrays.control
    ]
    for stages in STAGES:
        guess = state
        try:
            for k in range(1, stages + 1):
                target = held + (arrays.target - held) * k / stages
                system = cell_system(arrays._replace(target=target), unknowns)
                start = consistent_start(system, guess)
                guess = start[0]
        except ConvergenceError:
            if stages == STAGES[-1]:
                raise
            continue
        return start
    raise AssertionError


def _rules(
    model: CellModel, unknowns: Unknowns, step: Step, state: FloatArray
) -> tuple[FloatArray, list[str]]:
    """Return the events that end a step, and the words for each."""
    # a ramp may begin at 0: its middle has its sign
    applied = 0.5 * (step.value + step.end_value) if step.slope else float(state[-1])
    filling = float(np.sum(state[unknowns.cathode.filling] * model.cathode.particle_shares))
    salt = model.salt_concentration / STANDARD_CONCENTRATION
    rules = [[SALT_EVENT, -DEPLETION * salt, 1.0]]
    words = ["electrolyte depletion"]
    if abs(applied) > RESTING:
        full = applied > 0
        rules.append([FILLING_EVENT, 1 - FULL if full else FULL, -1.0 if full else 1.0])
        words.append("full electrode" if full else "empty electrode")
    for limit in step.until:
        rules.append(_rule(model, limit, applied, filling))
        words.append({"voltage": "voltage", "capacity": "capacity"}.get(limit.quantity, "current"))
    return np.array(rules), words


def _rule(model: CellModel, limit: Limit, applied: float, filling: float) -> list[float]:
    direction = 1.0 if applied >= 0 else -1.0
    if limit.quantity == "voltage":
        return [VOLTAGE_EVENT, voltage_level(model, limit.value), direction]
    if limit.quantity == "capacity":
        return [FILLING_EVENT, filling + direction * limit.value, -direction]
    c_rate = limit.value / model.one_c_current if limit.quantity == "current" else limit.value
    return [CURRENT_EVENT, c_rate, 1.0]


def _longest(model: CellModel, step: Step) -> float:
    """Return the duration of a step, that of a constant current not beyond the whole capacity [s]."""
    c_rate = _c_rate(model, step, step.value)
    if step.control in {"c-rate", "current"} and abs(c_rate) > RESTING and not step.slope:
        return min(step.duration, HOUR / abs(c_rate))
    return step.duration


def _times(model: CellModel, step: Step, points: int) -> FloatArray:
    """Return output times, dense at the start, where the voltage relaxes.

    Steps that end nobody knows when have more of them, their spacing in proportion to the time.
    """
    duration = _longest(model, step)
    if step.control in {"voltage", "power"}:
        return np.concatenate([[0.0], duration * np.geomspace(1e-8, 1.0, 4 * points)])
    early = max(points // 4, 2)
    first = duration * np.geomspace(1e-6, 1.0 / points, early)
    return np.concatenate([[0.0], first[:-1], np.linspace(first[-1], duration, points - early)])
