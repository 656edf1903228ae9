"""Tables of active learning, round by round: errors and grades, labels and their cost, dead ends."""

from scalebridge.contracts import LearningCost, LearningCoverage, LearningHistory
from scalebridge.report.numbers import FloatArray, duration
from scalebridge.report.tables import ANGSTROM, EV, Table


def learning_table(history: LearningHistory) -> Table:
    """Return errors and grades of each round."""
    rows = tuple(
        (
            str(step.round),
            str(step.training_size),
            f"{1e3 * step.errors.energy_rmse / EV:.2f}",
            f"{step.errors.force_rmse * ANGSTROM / EV:.3f}",
            str(step.graded),
            f"{step.largest_grade:.3g}" if step.largest_grade < 1000 else f"{step.largest_grade:.0f}",
            f"{100 * step.above_save:.3g} %",
            f"{100 * step.above_break:.3g} %",
            _with_bracket(step.walkers, step.restarted_walkers),
            str(step.broken_walkers),
            str(step.lost_walkers),
            str(step.stuck_walkers),
        )
        for step in history.steps
    )
    header = (
        "round", "training structures", "energy RMSE (meV/atom)", "force RMSE (eV/Å)", "graded",
        "largest grade", f"above {history.save_grade:g}", f"above {history.break_grade:g}", "walkers",
        "stopped", "lost", "stuck",
    )  # fmt: skip
    caption = (
        "Active learning, round by round: errors on held-out structures of the potential that explored, "
        "and grades of all it met. Walkers: in brackets those that went on from the last safe state of a "
        "walk that broke; stopped by a grade, lost in a dead end, stuck where no ion could be exchanged. "
        f"It ended: {history.reason}."
    )
    return Table(header, rows, caption)


def _with_bracket(number: int, part: int) -> str:
    return f"{number} ({part})" if part else str(number)


def labels_table(history: LearningHistory, cost: LearningCost | None) -> Table:
    """Return what each round queued and labelled, the volumes it saw and what it cost."""
    rows = []
    for number, (step, places) in enumerate(zip(history.steps, history.coverage, strict=True)):
        known = len(history.training_volume) - sum(
            later.labelled - later.held_out for later in history.steps[number:]
        )
        rows.append(
            (
                str(step.round),
                str(step.queued),
                str(step.selected),
                _with_bracket(step.labelled, step.held_out),
                str(step.failed),
                _with_bracket(step.dead_ends, step.released),
                _contents(places),
                _range(places.visited_volume),
                _range(history.training_volume[: max(known, 0)]),
                *_times(cost, number),
            )
        )
    header = (
        "round", "queued", "selected", "labelled", "no label", "dead ends", "x visited",
        "volumes visited (Å³ per formula unit)", "in training", "exploring", "labelling", "fitting", "in all",
    )  # fmt: skip
    caption = (
        "Labels and their cost. Selected: those of the queue that enlarge what the potential knows, "
        "without copies (D-optimal choice). Labelled: in brackets those held out of all fits. "
        "Dead ends: in brackets regions given up before that the potential knows by now. "
        "Volumes: of all graded structures, and of the structures that the round's potential was fitted "
        "to. Times are wall times."
    )
    return Table(header, tuple(rows), caption)


def _contents(places: LearningCoverage) -> str:
    low, high = places.visited_x.min(initial=9e9), places.visited_x.max(initial=-9e9)
    return f"{low:.3g} – {high:.3g}" if low <= high else ""


def _range(volumes: FloatArray) -> str:
    if not len(volumes):
        return ""
    return f"{volumes.min() / ANGSTROM**3:.1f} – {volumes.max() / ANGSTROM**3:.1f}"


def _times(cost: LearningCost | None, number: int) -> tuple[str, ...]:
    if cost is None or number >= len(cost.total):
        return ("",) * 4
    parts = (cost.exploring, cost.labelling, cost.fitting, cost.total)
    return tuple(duration(float(part[number])) for part in parts)


def dead_end_table(history: LearningHistory) -> Table | None:
    """Return the dead ends, None without any."""
    if not history.dead_ends or history.dead_end_structures is None:
        return None
    rows = tuple(
        (
            str(end.round),
            str(end.walker),
            f"{end.temperature:g}",
            f"{end.x:.3g}",
            end.reason,
            "yes" if end.recovered else "no",
        )
        for end in history.dead_ends
    )
    header = ("round", "walker", "temperature (K)", "x", "what happened", "went on")
    caption = (
        f"Dead ends of active learning; their structures are in learning/{history.dead_end_structures.name}, "
        "in this order. Went on: from the last safe state, or without this structure."
    )
    return Table(header, rows, caption)
