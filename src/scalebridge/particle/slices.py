"""Integration of a noisy system: time in slices, in each of which the random currents are constant."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from scalebridge.foundation import ConvergenceError
from scalebridge.particle.implicit import (
    REFERENCE_TOLERANCE,
    ImplicitSolution,
    ImplicitSystem,
    consistent_start,
    solve_implicit,
)

FloatArray = NDArray[np.float64]
Events = Callable[[FloatArray], FloatArray]
Stirred = Callable[[FloatArray], tuple[ImplicitSystem, Events | None]]
"""The system and its events under new random currents, for the state in which a slice begins."""

START_TOLERANCE = 1e-8
"""Of the potentials where a slice begins [kT/e]: rounding alone leaves 1e-9 where a cell conducts well."""
ROUNDING = 1e-6
"""Of a slice: output times so near to its ends are its ends."""


def solve_slices(
    stirred: Stirred,
    times: FloatArray,
    start: FloatArray,
    interval: float,
    *,
    relative_tolerance: float = REFERENCE_TOLERANCE,
) -> ImplicitSolution:
    """Integrate over ``times`` in slices of ``interval`` [s], the integrator started anew in each.

    Where a slice begins, site fractions are those of the log-odds, ions kept, and the potentials jump with
    the random currents; an event that has fallen by that ends the run there.

    Parameters
    ----------
    start
        A consistent state without noise.

    Raises
    ------
    ConvergenceError
        If the first slice has no consistent start. Later the run ends there, and ``failure`` says why.
    """
    parts: list[ImplicitSolution] = []
    state = start
    for begin, end in pairwise(_edges(times, interval)):
        asked = np.concatenate([[begin], times[(times > begin) & (times < end)], [end]])
        try:
            part = _slice(stirred, asked, state, relative_tolerance)
        except ConvergenceError as error:
            if not parts:
                raise
            part = ImplicitSolution(asked[:1], state[None], None, str(error), 0, 0)
        parts.append(part)
        state = part.states[-1]
        if part.event is not None or part.failure is not None:
            break
    return _joined(parts, times)


def _edges(times: FloatArray, interval: float) -> FloatArray:
    """Return where slices begin and the last ends; output times that are edges but for rounding are edges."""
    count = max(int(np.ceil((times[-1] - times[0]) / interval * (1 - ROUNDING))), 1)
    edges = times[0] + interval * np.arange(count + 1)
    edges[-1] = times[-1]
    after = np.minimum(np.searchsorted(times, edges - ROUNDING * interval), times.size - 1)
    return np.asarray(np.where(np.abs(times[after] - edges) < ROUNDING * interval, times[after], edges))


def _slice(
    stirred: Stirred, asked: FloatArray, state: FloatArray, relative_tolerance: float
) -> ImplicitSolution:
    """Integrate one slice; its clock starts at 0 for the integrator."""
    system, events = stirred(state)
    start = consistent_start(system, system.restore(state), tolerance=START_TOLERANCE)
    fallen = np.flatnonzero(events(start[0]) <= 0) if events is not None else np.zeros(0, np.int64)
    if fallen.size:
        return ImplicitSolution(asked[:1], start[0][None], int(fallen[0]), None, 0, 0)
    part = solve_implicit(
        system, asked - asked[0], start, events=events, relative_tolerance=relative_tolerance
    )
    reached = np.where(
        part.time == (asked - asked[0])[: part.time.size],
        asked[: part.time.size],
        part.time + asked[0],
    )
    return ImplicitSolution(reached, part.states, part.event, part.failure, part.steps, part.restarts)


def _joined(parts: list[ImplicitSolution], times: FloatArray) -> ImplicitSolution:
    """Return the parts at the output times that they reached, and where the run ended."""
    # a slice begins where the one before ended
    reached = np.concatenate([parts[0].time[:1], *[part.time[1:] for part in parts]])
    states = np.concatenate([parts[0].states[:1], *[part.states[1:] for part in parts]])
    kept = np.isin(reached, times)
    kept[-1] = True
    return ImplicitSolution(
        time=reached[kept],
        states=states[kept],
        event=parts[-1].event,
        failure=parts[-1].failure,
        steps=sum(part.steps for part in parts),
        restarts=sum(part.restarts for part in parts),
    )
