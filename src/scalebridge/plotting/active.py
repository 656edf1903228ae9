"""Figure of who is at work: one particle after another when slow, all together when fast."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from scalebridge.contracts import Solution
from scalebridge.electrode import mean_active_fraction
from scalebridge.foundation import InputError
from scalebridge.plotting.electrode import field_values, rate_name
from scalebridge.plotting.style import (
    COLOURS,
    GREY,
    PAGE_WIDTH,
    graded_colours,
    new_figure,
    panel_letters,
    styled,
)

MOST_COURSES = 4
"""Discharges whose course is drawn."""
LEAST_WORK = 1e-3
"""Share of the whole below which what happened between two times is not drawn: it weighs nothing."""


@styled
def plot_active_fraction(solutions: Sequence[Solution]) -> Figure:
    """Plot the mean share of active particles against the C-rate, and its course in some of them.

    Dotted lines: one particle at a time, and all together. Discharges whose solver failed are left out.

    Raises
    ------
    InputError
        If no discharge is left, or the solutions belong to several members.
    """
    kept = sorted((s for s in solutions if s.finished and s.c_rate), key=lambda item: item.c_rate or 0.0)
    if not kept or len({solution.member for solution in kept}) > 1:
        raise InputError(
            f"{len(kept)} finished discharges of members {sorted({s.member for s in kept})}; give one or "
            "more of a single member"
        )
    figure, (against_rate, course) = new_figure(1, 2, width=PAGE_WIDTH, height=2.5)
    rates = np.array([solution.c_rate for solution in kept], dtype=float)
    means = [mean_active_fraction(solution) for solution in kept]
    alone = 1.0 / field_values(kept[0], "particle_size").size
    against_rate.plot(rates, means, "o-", color=COLOURS[0])
    against_rate.set(xscale="log", xlabel="discharge rate", ylabel="mean share of active particles")
    against_rate.set_xticks(rates, [rate_name(rate) for rate in rates], rotation=45, ha="right")
    against_rate.xaxis.set_minor_formatter(NullFormatter())
    shown = np.unique(np.linspace(0, len(kept) - 1, MOST_COURSES).round().astype(int))
    for k, colour in zip(shown, graded_colours(len(shown)), strict=True):
        done = field_values(kept[k], "transformed")
        worked = np.diff(done, prepend=-1.0) > LEAST_WORK * done[-1]
        course.step(
            done[worked], field_values(kept[k], "active_fraction")[worked], color=colour, linewidth=1.1,
            label=rate_name(float(rates[k])),
        )  # fmt: skip
    course.set(xlabel="share of the electrode transformed", ylabel="share at work", xlim=(0, 1))
    course.legend(ncols=MOST_COURSES, loc="lower center", bbox_to_anchor=(0.55, 1.0))
    for axes in (against_rate, course):
        axes.set_ylim(0, 1.05)
        for level in (alone, 1.0):
            axes.axhline(level, color=GREY, linewidth=0.7, linestyle=":")
    against_rate.annotate(
        "one particle at a time", (1, alone), xycoords=("axes fraction", "data"), ha="right", va="bottom",
        fontsize=6, color=GREY,
    )  # fmt: skip
    panel_letters([against_rate, course])
    return figure
