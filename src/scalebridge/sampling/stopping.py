"""When active learning has learnt enough, and where it learns nothing any more."""

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from scalebridge.sampling.dead_ends import DeadEnd
from scalebridge.sampling.exploration_data import Coverage, FloatArray
from scalebridge.sampling.learning_data import LearningRound, LearningSettings, LearningState, StoppingRule

VOLUME_STEP = 0.05
"""Relative width in volume of the regions whose grades are followed from round to round."""

Region = tuple[float, int]
"""x and number of a step in ln V."""


def spent(state: LearningState, settings: LearningSettings, seconds: float = 0.0) -> LearningState:
    """Return the state with the reason to end if a budget is used up."""
    for used, budget in (
        (len(state.history) >= settings.rounds, f"{settings.rounds} rounds"),
        (state.labels >= settings.labels, f"{settings.labels} labels"),
        (seconds > settings.seconds, f"{settings.seconds:g} s"),
    ):
        if used:
            last = f"; {met(state.history, state.given_up.values())}" if state.history else ""
            return replace(state, reason=f"the budget of {budget} ended{last}")
    return state


def met(history: Sequence[LearningRound], given_up: Collection[DeadEnd]) -> str:
    """Return in words how far the last round was from convergence, and which regions were given up."""
    last = history[-1]
    words = f"its last round met grades up to {last.largest_grade:.3g}"
    if last.broken_walkers:
        words += f", {last.broken_walkers} of {last.walkers} walkers were stopped"
    if last.lost_walkers:
        words += f", {last.lost_walkers} of {last.walkers} were lost in dead ends ({_kinds(last)})"
    if last.stuck_at:
        places = ", ".join(str(ions) for ions in sorted(set(last.stuck_at)))
        words += f", {len(last.stuck_at)} of {last.walkers} found no way past {places} ions in the cell"
    if given_up:
        words += f"; no more labels were bought where they do not help: {next(iter(given_up)).reason}"
        words += f" (and {len(given_up) - 1} more)" if len(given_up) > 1 else ""
    return words


def nothing_learnt(
    history: Sequence[LearningRound], settings: LearningSettings, given_up: Collection[DeadEnd] = ()
) -> str:
    """Return why the loop ends after a round without new labels, empty if it goes on.

    Where walkers were only stuck, with nothing to learn, the next round's random numbers may find a way.
    """
    last = history[-1]
    if last.selected and not settings.oracle:
        wanted = f"there is no reference calculator for {last.selected} selected structures"
        return f"{wanted}; {met(history, given_up)}"
    known = last.largest_grade <= settings.exploration.stop
    if known and not last.broken_walkers + last.lost_walkers:
        return ""
    return f"no new structure could be labelled; {met(history, given_up)}"


def _kinds(last: LearningRound) -> str:
    lost = [end.reason.split(":")[0] for end in last.dead_ends if not end.recovered and end.kind != "label"]
    return ", ".join(dict.fromkeys(lost)) or "see dead_ends"


def converged(history: Sequence[LearningRound], rule: StoppingRule, *, limit: int, stop: float) -> str:
    """Return the sentence that says why the last round is the end, empty if it is not.

    Parameters
    ----------
    history
        Rounds so far, the last one as it stands before its selection is labelled.
    rule
        What is asked for.
    limit
        Structures that could be selected at most.
    stop
        Grade at which walkers stop.
    """
    last = history[-1]
    if last.loud_walkers > rule.broken_walkers:
        return ""
    if last.loud_walkers:
        quiet = f"in a full round only {last.loud_walkers} of {last.walkers} walkers broke or were stuck"
    else:
        quiet = f"all walkers came through a full round and met no grade above {stop:g}"
    if not last.selected:
        return f"{quiet}; there was nothing new to select"
    reasons = []
    if rule.few_selected:
        if last.selected >= min(rule.few_selected, limit):
            return ""
        reasons.append(f"it selected {last.selected} new structures, fewer than {rule.few_selected}")
    measured = any(entry.errors is not None for entry in history)
    if rule.flat_errors and measured:
        if not is_flat(history, rule.flat_errors):
            return ""
        reasons.append(
            "held-out errors of energies and forces changed by no more than "
            f"{100 * rule.flat_errors:g} % over the last two rounds"
        )
    return "; ".join([quiet, *reasons]) if reasons else ""


def is_flat(history: Sequence[LearningRound], tolerance: float) -> bool:
    """Return whether the held-out errors changed by no more than a fraction over the last two rounds.

    Both rounds before the last must have learnt from new labels: a potential that stays has the same errors.
    """
    if not all(entry.labelled > entry.held_out for entry in history[-3:-1]):
        return False
    reports = [entry.errors for entry in history[-3:] if entry.errors is not None]
    if len(reports) < 3:
        return False
    errors = np.array([(report.energy_rmse, report.force_rmse) for report in reports])
    return bool(np.all(np.abs(errors[:-1] - errors[-1]) <= tolerance * errors[:-1]))


def regions(places: Coverage) -> list[Region]:
    """Return the region of x and volume in which each structure lies."""
    steps = np.floor(np.log(places.volume) / VOLUME_STEP).astype(int)
    return [(round(float(x), 6), int(step)) for x, step in zip(places.x, steps, strict=True)]


def stalled(
    history: Sequence[LearningRound], visited: Coverage, rule: StoppingRule, stop: float
) -> dict[Region, str]:
    """Return the regions in which labels do not lower the grades, and what was seen there.

    Largest grades jump from round to round; the part of a region's structures above ``stop`` falls steadily
    where labels help. Of as many rounds as the rule says, each with grades above ``stop`` and all but the
    present one with labels in the region, the later half must be no better than the earlier one in both.

    Parameters
    ----------
    history
        Rounds before.
    visited
        What the present round graded.
    rule
        How many rounds are compared.
    stop
        Grade at which walkers stop.
    """
    if len(history) < rule.stalled_rounds - 1:
        return {}
    past = history[len(history) - rule.stalled_rounds + 1 :]
    grades = [_by_region(entry.visited) for entry in past] + [_by_region(visited)]
    learnt = [
        {region for region, new in zip(regions(entry.queue), entry.learnt, strict=True) if new}
        for entry in past
    ]
    found = {}
    for region in grades[-1]:
        series = [step.get(region, np.zeros(1)) for step in grades]
        if all(region in labelled for labelled in learnt) and _no_better(series, stop):
            found[region] = _describe(region, [float(step.max()) for step in series])
    return found


def _no_better(series: Sequence[FloatArray], stop: float) -> bool:
    """Return whether grades of a region stayed above ``stop`` and the later rounds are no better."""
    half = len(series) // 2
    early, late = np.concatenate(series[:half]), np.concatenate(series[-half:])
    largest = [step.max() for step in series]
    return bool(
        min(largest) > stop and largest[-1] >= largest[0] and np.mean(late > stop) >= np.mean(early > stop)
    )


def _describe(region: Region, largest: Sequence[float]) -> str:
    low, high = (np.exp(VOLUME_STEP * (region[1] + k)) for k in (0, 1))
    text = ", ".join(f"{grade:.3g}" for grade in largest)
    return (
        f"at x = {region[0]:g} and {low:.0f} to {high:.0f} Å³ per formula unit the largest grades of "
        f"{len(largest)} rounds were {text}, in spite of labels there"
    )


def _by_region(places: Coverage) -> dict[Region, FloatArray]:
    """Return the grades of each region."""
    found: dict[Region, list[float]] = {}
    for region, grade in zip(regions(places), places.grade.tolist(), strict=True):
        found.setdefault(region, []).append(grade)
    return {region: np.array(values) for region, values in found.items()}
