"""Tables of how far the potential can be trusted: runs in large cells, states that should be labelled."""

from scalebridge.contracts import LearningHistory, VerificationRuns, WantedState
from scalebridge.foundation import constants
from scalebridge.report.tables import Table


def verification_table(verification: VerificationRuns) -> Table:
    """Return the runs in large cells."""
    rows = tuple(
        (
            f"{run.x:g}",
            f"{run.temperature:g}",
            str(run.atoms),
            f"{1e12 * run.duration:.3g}",
            f"{run.median_grade:.2g}",
            f"{run.largest_grade:.3g}",
            f"{100 * run.fraction_above:.2g} %",
            f"{run.volume / constants.ANGSTROM**3:.1f}",
        )
        for run in verification.runs
    )
    header = (
        "x",
        "T (K)",
        "atoms",
        "time (ps)",
        "median grade",
        "largest grade",
        "above break",
        "volume (Å³)",
    )
    caption = (
        f"Molecular dynamics with the best estimate; the largest labelled cell has "
        f"{verification.largest_labelled_cell} atoms. Break grade {verification.break_grade:g}; volumes "
        "per formula unit, mean over the second half of a run."
    )
    return Table(header, rows, caption)


def wanted_table(history: LearningHistory) -> Table:
    """Return the sampled states that should be labelled next, by content."""
    by_x: dict[float, list[WantedState]] = {}
    for state in history.wanted_states:
        by_x.setdefault(state.x, []).append(state)
    rows = tuple(
        (
            f"{x:g}",
            str(len(states)),
            f"{min(s.volume for s in states) / constants.ANGSTROM**3:.0f} … "
            f"{max(s.volume for s in states) / constants.ANGSTROM**3:.0f}",
            ", ".join(str(size) for size in sorted({s.atoms for s in states})),
            f"{max(s.grade for s in states):.3g}",
        )
        for x, states in sorted(by_x.items())
    )
    header = ("x", "structures", "volume (Å³ per formula unit)", "atoms", "largest grade")
    caption = (
        f"The recipe names no oracle: these {len(history.wanted_states)} sampled states would have been sent "
        "to one, chosen by D-optimality. They are in "
        f"learning/{history.wanted.name if history.wanted else ''}."
    )
    return Table(header, rows, caption)
