"""Figures of active learning: errors and grades by round, and where the structures lie."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter, ScalarFormatter

from scalebridge.contracts import LearningCoverage, LearningHistory, LearningStep
from scalebridge.plotting.style import (
    COLOURS,
    CUBIC_ANGSTROM,
    EV_PER_ANGSTROM,
    GREY,
    MILLI_EV,
    PAGE_WIDTH,
    FloatArray,
    decades,
    graded_colours,
    new_figure,
    panel_letters,
    styled,
)

SLOT = 0.8
"""Width of the columns of all rounds at one x, in spacings of x."""


@styled
def plot_learning_curve(
    learning: Sequence[LearningStep], *, break_grade: float | None = None, save_grade: float | None = None
) -> Figure:
    """Plot held-out errors and extrapolation grades by round.

    ``break_grade`` and ``save_grade`` are the recipe's thresholds, drawn as lines.
    """
    figure, panels = new_figure(2, 2, width=PAGE_WIDTH, height=4.2, sharex=True)
    rounds = np.array([step.round for step in learning], dtype=float)
    energy = np.array([step.errors.energy_rmse for step in learning]) / MILLI_EV
    force = np.array([step.errors.force_rmse for step in learning]) / EV_PER_ANGSTROM
    grade = np.array([step.largest_grade for step in learning])
    for panel, values, colour, label in zip(
        panels[:3],
        (energy, force, grade),
        COLOURS[:3],
        ("energy RMSE (meV/atom)", "force RMSE (eV/Å)", "largest grade γ"),
        strict=True,
    ):
        panel.plot(rounds, values, "o-", color=colour)
        panel.set_ylabel(label)
    for panel, values in zip(panels[:2], (energy, force), strict=True):
        panel.set_ylim(0, 1.1 * float(values.max()))
    if np.all(grade > 0):
        _grade_axis(panels[2], break_grade, save_grade)
    _fractions(panels[3], rounds, learning)
    for panel in panels[2:]:
        _round_axis(panel, learning)
    panel_letters(panels)
    return figure


def _fractions(axes: Axes, rounds: FloatArray, learning: Sequence[LearningStep]) -> None:
    """Draw which part of the graded structures lies above each threshold."""
    for name, values, style in (
        ("save", [step.above_save for step in learning], "o-"),
        ("break", [step.above_break for step in learning], "s--"),
    ):
        colour = COLOURS[3] if name == "save" else COLOURS[6]
        axes.plot(rounds, 100 * np.array(values), style, color=colour, label=f"above {name}")
    axes.set_ylabel("graded structures (%)")
    axes.set_ylim(bottom=0)
    axes.legend()


def _round_axis(axes: Axes, learning: Sequence[LearningStep]) -> None:
    """Write the size of the training set under each round."""
    sizes = {step.round: step.training_size for step in learning}

    def name(value: float, _: int | None = None) -> str:
        number = round(value)
        return f"{number}\n{sizes[number]}" if number in sizes and abs(value - number) < 1e-6 else ""

    axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(name))
    axes.set_xlim(min(sizes) - 0.3, max(sizes) + 0.3)
    axes.set_xlabel("round, and structures its potential was fitted to")


def _grade_axis(axes: Axes, break_grade: float | None, save_grade: float | None) -> None:
    axes.set_yscale("log")
    if axes.get_ylim()[1] < 1e4:
        axes.yaxis.set_major_formatter(ScalarFormatter())
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        decades(axes.yaxis)
    for value, name in ((break_grade, "break"), (save_grade, "save")):
        if value is not None:
            axes.axhline(value, color=GREY, linewidth=0.8, linestyle="--" if name == "break" else ":")
            axes.annotate(
                f"{name} at {value:g}", (0.02, value), xycoords=("axes fraction", "data"), xytext=(0, 1),
                textcoords="offset points", ha="left", va="bottom", fontsize=7, color=GREY,
            )  # fmt: skip


@styled
def plot_coverage(history: LearningHistory) -> Figure:
    """Plot where graded, queued and training structures lie in x and volume per formula unit.

    At each x the rounds stand side by side from left to right, and the final training set to their right.
    """
    figure, (axes,) = new_figure(1, 1, width=PAGE_WIDTH, height=3.2)
    rounds = len(history.coverage)
    spacing = _spacing(history)
    column = SLOT * spacing / (rounds + 1)
    colours = graded_colours(rounds)
    for number, (step, colour) in enumerate(zip(history.coverage, colours, strict=True)):
        offset = (number - 0.5 * rounds) * column
        label = f"graded, round {step.round}" if number in (0, rounds - 1) else None
        axes.plot(
            step.visited_x + offset, step.visited_volume / CUBIC_ANGSTROM, "o", color=colour, markersize=1.8,
            alpha=0.7, markeredgewidth=0, rasterized=True, zorder=1, label=label,
        )  # fmt: skip
    for number, step in enumerate(history.coverage):
        _queued(axes, step, (number - 0.5 * rounds) * column, named=number == 0)
    axes.plot(
        history.training_x + 0.5 * rounds * column, history.training_volume / CUBIC_ANGSTROM, "_",
        color=COLOURS[0], markersize=5, markeredgewidth=0.8, alpha=0.8, zorder=2,
        label="training, in the end",
    )  # fmt: skip
    for x in np.unique(np.concatenate([step.visited_x for step in history.coverage]).round(6)):
        axes.axvspan(x - 0.48 * spacing, x + 0.48 * spacing, color=GREY, alpha=0.07, linewidth=0, zorder=0)
    axes.set(xlabel="x, ions per formula unit", ylabel="volume (Å³ per formula unit)")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), markerscale=1.8)
    return figure


def _queued(axes: Axes, step: LearningCoverage, offset: float, *, named: bool) -> None:
    """Draw queued structures: filled where they were labelled and learnt, open where not."""
    learnt = step.queued_learnt > 0.5
    for chosen, fill, name in ((~learnt, "none", "queued"), (learnt, COLOURS[1], "queued and learnt")):
        axes.plot(
            step.queued_x[chosen] + offset, step.queued_volume[chosen] / CUBIC_ANGSTROM, "o",
            color=COLOURS[1], markersize=2.6, markerfacecolor=fill, markeredgewidth=0.5, zorder=3,
            label=name if named else None,
        )  # fmt: skip


def _spacing(history: LearningHistory) -> float:
    """Return the distance of neighbouring x in the walkers' cell."""
    everything = np.concatenate([step.visited_x for step in history.coverage])
    gaps = np.diff(np.unique(everything.round(6)))
    return float(gaps.min()) if len(gaps) else 1.0
