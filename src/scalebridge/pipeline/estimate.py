"""How long a run still takes: expected stage times, corrected by what was measured."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class StageTime:
    """What is known of one stage's duration."""

    weight: float
    """Expected wall time of the quick profile [s]."""
    previous: float | None = None
    """Wall time of an earlier attempt in this folder [s]."""
    measured: float | None = None
    """Wall time in this run [s]; None while it has not ended."""
    skipped: bool = False
    """Up to date: takes no time."""


def remaining_seconds(
    times: Sequence[StageTime], running: int | None, *, elapsed: float = 0.0, fraction: float | None = None
) -> float:
    """Return the estimated time left [s].

    Parameters
    ----------
    times
        One entry per stage.
    running
        Index of the running stage, None between stages.
    elapsed
        Time the running stage has taken [s].
    fraction
        Part of the running stage's present task that is done, if known.

    Notes
    -----
    A stage is expected to take what it took before; else its weight times the mean ratio of measured time to
    weight over the stages measured in this run or before. A running stage that is past its expectation is
    judged by the fraction done.
    """
    scale = _scale(times)
    left = 0.0
    for index, entry in enumerate(times):
        if entry.measured is not None or entry.skipped:
            continue
        expected = entry.previous if entry.previous is not None else entry.weight * scale
        if index == running:
            expected = _running(expected, elapsed, fraction)
        left += expected
    return left


def _scale(times: Sequence[StageTime]) -> float:
    known = [(entry.measured or entry.previous, entry.weight) for entry in times]
    pairs = [(seconds, weight) for seconds, weight in known if seconds is not None]
    total = sum(weight for _, weight in pairs)
    return sum(seconds for seconds, _ in pairs) / total if total > 0 else 1.0


def _running(expected: float, elapsed: float, fraction: float | None) -> float:
    if elapsed < expected or not fraction:
        return max(expected - elapsed, 0.0)
    return elapsed * (1 - fraction) / fraction
