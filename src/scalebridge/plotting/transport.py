"""Figure of diffusion."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scalebridge.contracts import DiffusivitySample, TracerDiffusivity
from scalebridge.contracts.transport import ArrheniusDiffusivity
from scalebridge.plotting.style import COLOURS, GREY, MARKERS, decades, member_band, new_figure, styled

REFERENCE_TEMPERATURE = 300.0
"""Temperature marked in the plot [K]."""


@styled
def plot_arrhenius(diffusivity: ArrheniusDiffusivity) -> Figure:
    """Plot the mean diffusivity over directions against 1000/T for every composition.

    Lines: Arrhenius law of member 0 (full: molecular dynamics, dashed: barrier) with the band of the
    members; points: molecular dynamics (full marker: member 0); arrows: upper bounds, no hop seen.
    """
    figure, (axes,) = new_figure(height=3.0)
    hottest = max([600.0, *(1.1 * sample.temperature for sample in diffusivity.samples)])
    temperature = 1 / np.linspace(1 / hottest, 1 / 285.0, 60)
    for number, (x, theta) in enumerate(zip(diffusivity.x, diffusivity.theta, strict=True)):
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        lines = np.array(
            [
                [float(diffusivity.isotropic(theta, kelvin, member=member)) for kelvin in temperature]
                for member in range(len(diffusivity.prefactor))
            ]
        )
        style = "--" if diffusivity.methods[number].startswith("barrier") else "-"
        member_band(axes, 1000 / temperature, lines, colour)
        axes.plot(1000 / temperature, lines[0], style, color=colour)
        axes.plot([], [], marker + style, color=colour, label=f"x = {x:.3g}, {diffusivity.methods[number]}")
        for sample in diffusivity.samples:
            if number == int(np.argmin(np.abs(diffusivity.x - sample.x))):
                _draw_sample(axes, sample, colour, marker)
    _finish(axes, diffusivity)
    return figure


def _draw_sample(axes: Axes, sample: DiffusivitySample, colour: str, marker: str) -> None:
    position = 1000 / sample.temperature
    face = colour if sample.member == 0 else "white"
    if sample.upper_bound:
        axes.plot(position, sample.diffusivity, "_", color=colour, markersize=6)
        axes.annotate(
            "", (position, sample.diffusivity / 4), xytext=(position, sample.diffusivity),
            arrowprops={"arrowstyle": "->", "color": colour, "linewidth": 0.9},
        )  # fmt: skip
        return
    below = min(sample.error, 0.9 * sample.diffusivity)
    axes.errorbar(
        position, sample.diffusivity, [[below], [sample.error]], fmt=marker, color=colour,
        markerfacecolor=face, markeredgewidth=0.8, elinewidth=0.8, capsize=1.5,
        zorder=4 if sample.member == 0 else 2,
    )  # fmt: skip


def _finish(axes: Axes, diffusivity: ArrheniusDiffusivity) -> None:
    axes.set_yscale("log")
    decades(axes.yaxis)
    axes.axvline(1000 / REFERENCE_TEMPERATURE, color=GREY, linewidth=0.8, linestyle=":")
    axes.annotate(
        f"{REFERENCE_TEMPERATURE:.0f} K", (1000 / REFERENCE_TEMPERATURE, 0.98),
        xycoords=("data", "axes fraction"), ha="right", va="top", rotation=90, fontsize=7, color=GREY,
    )  # fmt: skip
    symbol = "D*" if isinstance(diffusivity, TracerDiffusivity) else "D_J/(1−θ)"
    kind = "tracer" if isinstance(diffusivity, TracerDiffusivity) else "jump"
    text = symbol if "_" not in symbol else "$D_\\mathrm{J}/(1-\\theta)$"
    axes.set(xlabel="1000 K / T", ylabel=f"{kind} diffusivity {text} (m²/s)")
    axes.legend(loc="lower left")
