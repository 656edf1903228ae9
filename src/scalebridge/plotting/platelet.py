"""Figures of platelets resolved along length and depth: where the phases lie, and in which direction."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from scalebridge.foundation import InputError
from scalebridge.particle import PlateletSolution
from scalebridge.plotting.style import (
    COLOURS,
    GREY,
    MARKERS,
    PAGE_WIDTH,
    SEQUENTIAL,
    FloatArray,
    decades,
    new_figure,
    styled,
)

NANOMETRE = 1e-9
ROUNDING = 1e-6
"""Of a run's last filling."""
ROW_HEIGHT = 1.0
"""Of a row of maps [inch]."""


@styled
def plot_platelet(
    solutions: Mapping[str, PlateletSolution], fillings: tuple[float, ...] = (0.25, 0.5, 0.75)
) -> Figure:
    """Map θ over length and depth, a row per solution and a column per filling; both halves are drawn.

    Parameters
    ----------
    solutions
        By the name that stands beside each row.
    fillings
        Mean site fractions; the output time next to each is drawn.

    Raises
    ------
    InputError
        If a solution does not reach a filling.
    """
    figure, axes = new_figure(
        len(solutions),
        len(fillings),
        width=PAGE_WIDTH,
        height=0.6 + ROW_HEIGHT * len(solutions),
        sharex=True,
        sharey="row",
    )
    for number, (name, solution) in enumerate(solutions.items()):
        row = axes[number * len(fillings) : (number + 1) * len(fillings)]
        depth = np.concatenate([-solution.depth[:0:-1], solution.depth]) / NANOMETRE
        for panel, filling in zip(row, fillings, strict=True):
            theta = _at_filling(solution, filling, name)
            whole = np.concatenate([theta[:, :0:-1], theta], axis=1)
            image = panel.pcolormesh(
                solution.position / NANOMETRE, depth, whole.T, cmap=SEQUENTIAL, vmin=0, vmax=1,
                shading="gouraud", rasterized=True,
            )  # fmt: skip
            if number == 0:
                panel.set_title(f"filling {filling:.2f}")
        row[0].set_ylabel(f"{name}\ndepth (nm)")
    for panel in axes[-len(fillings) :]:
        panel.set_xlabel("length (nm)")
    figure.colorbar(image, ax=axes, label="site fraction", shrink=0.8)
    return figure


def _at_filling(solution: PlateletSolution, filling: float, name: str) -> FloatArray:
    """Return θ at the time whose filling is nearest."""
    low, high = solution.filling.min(), solution.filling.max()
    if not low <= filling <= high + ROUNDING:
        raise InputError(
            f"filling {filling:g} of '{name}', which goes from {low:.3g} to {high:.3g}: choose one between, "
            "or solve for longer"
        )
    return np.asarray(solution.theta[np.argmin(np.abs(solution.filling - filling))])


@styled
def plot_wave_share(curves: Mapping[str, tuple[FloatArray, FloatArray]], when: str) -> Figure:
    """Plot the share of the variance of θ that lies between columns against reaction over diffusion.

    Parameters
    ----------
    curves
        By label: ratios of the rates (Damköhler numbers) and the shares, see `Platelet.wave_share`.
    when
        At which state, written on the axis.
    """
    figure, (axes,) = new_figure()
    for number, (label, (ratio, share)) in enumerate(curves.items()):
        axes.semilogx(
            ratio,
            share,
            color=COLOURS[number % len(COLOURS)],
            marker=MARKERS[number % len(MARKERS)],
            label=label,
        )
    for level, text, side in ((1.0, "wave", 1.0), (0.0, "core and shell", 0.0)):
        axes.axhline(level, color=GREY, linewidth=0.6, linestyle=":")
        axes.annotate(
            text,
            (side, level),
            xycoords=("axes fraction", "data"),
            ha="right" if side else "left",
            va="bottom",
            color=GREY,
        )
    axes.set(
        xlabel="reaction over diffusion, k₀L/ρzeD",
        ylabel=f"variance along the length over all,\n{when}",
        ylim=(-0.05, 1.12),
    )
    decades(axes.xaxis)
    axes.legend()
    return figure
