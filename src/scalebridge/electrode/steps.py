"""What a protocol's step asks of a cell: control, ending rules, output times, and a state to start from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalebridge.electrode._kernels import CURRENT, POWER, RAMP, VOLTAGE, CellArrays
from scalebridge.electrode.arrays import cell_arrays
from scalebridge.electrode.discharge import DEPLETION, NO_SALT, voltage_level
from scalebridge.electrode.events import CURRENT_EVENT, FILLING_EVENT, SALT_EVENT, VOLTAGE_EVENT
from scalebridge.electrode.model import HOUR, STANDARD_CONCENTRATION, CellModel
from scalebridge.electrode.protocol import Limit, Step
from scalebridge.electrode.slices import Course
from scalebridge.electrode.system import Unknowns, cell_system
from scalebridge.foundation import ConvergenceError
from scalebridge.particle import START_TOLERANCE, consistent_start

FloatArray = NDArray[np.float64]

FULL = 1e-3
"""A step ends where the electrode is full or empty to this site fraction."""
STAGES = (1, 4, 16)
"""In how many pieces a jump of current or voltage is taken where it cannot be taken at once."""
RESTING = 1e-9
"""Currents below this C-rate count as none."""


@dataclass(frozen=True, eq=False)
class Begun:
    """A step whose control is switched on."""

    course: Course
    start: tuple[FloatArray, FloatArray]
    """Consistent."""
    words: list[str]
    """For each of the course's rules."""


def begin_step(
    model: CellModel, step: Step, state: FloatArray, *, points: int, relative_tolerance: float
) -> Begun:
    """Switch a cell to a step's control.

    Parameters
    ----------
    state
        Of ``model``, at the end of the step before.
    points
        Output times, unless the step has its own number.

    Raises
    ------
    ConvergenceError
        If no consistent start exists.
    """
    arrays = _held(model, step)
    unknowns = Unknowns.of(arrays)
    start = _switched(arrays, unknowns, state)
    # a ramp may begin at 0: its middle has its sign
    applied = 0.5 * (step.value + step.end_value) if step.slope else float(start[0][-1])
    filling = float(np.sum(start[0][unknowns.cathode.filling] * model.cathode.particle_shares))
    if step.slope:
        start = consistent_start(
            cell_system(_course_arrays(model, step), unknowns), start[0], tolerance=START_TOLERANCE
        )
    course = Course(
        _times(model, step, step.points or points),
        lambda cell: _course_arrays(cell, step),
        lambda cell: _rules(cell, step, applied, filling)[0],
        relative_tolerance,
        expected=min(_longest(model, step), HOUR if step.control in {"voltage", "power"} else np.inf),
    )
    return Begun(course, start, _rules(model, step, applied, filling)[1])


def _course_arrays(model: CellModel, step: Step) -> CellArrays:
    """Return the arrays of a cell during a step."""
    if step.slope:
        return cell_arrays(model, control=RAMP, target=_c_rate(model, step, step.slope))
    return _held(model, step)


def _held(model: CellModel, step: Step) -> CellArrays:
    """Return the arrays of a cell at the beginning of a step."""
    control = {"voltage": VOLTAGE, "power": POWER}.get(step.control, CURRENT)
    return cell_arrays(model, control=control, target=_c_rate(model, step, step.value))


def _c_rate(model: CellModel, step: Step, value: float) -> float:
    """Return a value of a step, or its slope, in units of 1C where it is a current."""
    return value / model.one_c_current if step.control == "current" else value


def _switched(arrays: CellArrays, unknowns: Unknowns, state: FloatArray) -> tuple[FloatArray, FloatArray]:
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
                start = consistent_start(system, guess, tolerance=START_TOLERANCE)
                guess = start[0]
        except ConvergenceError:
            if stages == STAGES[-1]:
                raise
            continue
        return start
    raise AssertionError


def _rules(model: CellModel, step: Step, applied: float, filling: float) -> tuple[FloatArray, list[str]]:
    """Return the events that end a step, and the words for each; current and filling of its start."""
    salt = model.salt_concentration / STANDARD_CONCENTRATION
    rules = [[SALT_EVENT, -DEPLETION * salt, 1.0]]
    words = [NO_SALT]
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
