"""Figures of the porous electrode: discharge curves, rate capability, phase-boundary maps."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from scalebridge.contracts import Host, RateCapability, Solution
from scalebridge.foundation import InputError, constants
from scalebridge.plotting.style import (
    COLOURS,
    GREY,
    MARKERS,
    PAGE_WIDTH,
    SEQUENTIAL,
    FloatArray,
    graded_colours,
    member_band,
    new_figure,
    panel_letters,
    styled,
)

BOUNDARY_THETA = 0.5
"""Site fraction that counts as the boundary between the empty and the full phase."""
HOUR = 3600.0
MICROMETRE = 1e-6


def _values(solution: Solution, name: str) -> FloatArray:
    try:
        return solution.fields[name].values
    except KeyError:
        raise InputError(
            f"field '{name}' is missing from a solution that holds {', '.join(sorted(solution.fields))}; "
            "run the electrode stage again with this version of scalebridge"
        ) from None


def rate_name(c_rate: float) -> str:
    """Return a C-rate as the field writes it: ``C/10``, ``2C``."""
    return f"{c_rate:g}C" if c_rate >= 1 else f"C/{1 / c_rate:g}"


@styled
def plot_discharge(solutions: Sequence[Solution], host: Host) -> Figure:
    """Plot voltage against capacity for each C-rate: member 0 as thick line, the others thin.

    Capacity is counted from the start of the discharge, per mass as in ``Host.formula_mass``.
    """
    figure, (axes,) = new_figure(height=2.8)
    rates = sorted({solution.c_rate for solution in solutions if solution.c_rate is not None})
    full = host.theoretical_capacity / constants.MAH_PER_G
    for rate, colour in zip(rates, graded_colours(len(rates)), strict=True):
        chosen = [solution for solution in solutions if solution.c_rate == rate]
        for solution in sorted(chosen, key=lambda item: -item.member):
            filling = _values(solution, "filling")
            best = solution.member == 0
            axes.plot(
                (filling - filling[0]) * full, _values(solution, "voltage"), color=colour,
                linewidth=1.5 if best else 0.6, alpha=1.0 if best else 0.55,
                label=rate_name(rate) if best else None,
            )  # fmt: skip
    axes.axvline(full, color=GREY, linewidth=0.8, linestyle=":")
    axes.annotate(
        "theoretical", (full, 0.98), xycoords=("data", "axes fraction"), rotation=90, ha="right", va="top",
        fontsize=7, color=GREY,
    )  # fmt: skip
    axes.set_xlim(left=0)
    axes.set(xlabel="capacity (mAh/g)", ylabel=f"voltage against {host.ion} (V)")
    axes.legend(loc="lower left", ncols=2)
    return figure


@styled
def plot_rate_capability(rates: RateCapability, host: Host | None = None) -> Figure:
    """Plot capacity and mean voltage against the C-rate: member 0 with points, band over members."""
    figure, panels = new_figure(1, 2, width=PAGE_WIDTH, height=2.4)
    order = np.argsort(rates.c_rate)
    c_rate = rates.c_rate[order]
    for panel, values, label in (
        (panels[0], rates.capacity[:, order] / constants.MAH_PER_G, "capacity (mAh/g)"),
        (panels[1], rates.mean_voltage[:, order], "mean voltage (V)"),
    ):
        member_band(panel, c_rate, values, COLOURS[0], "range of members")
        panel.plot(c_rate, values[0], "o-", color=COLOURS[0], label="member 0")
        panel.set_xscale("log")
        panel.set_xticks(c_rate, [rate_name(rate) for rate in c_rate])
        panel.xaxis.set_minor_formatter(NullFormatter())
        panel.set(xlabel="discharge rate", ylabel=label)
    if host is not None:
        full = host.theoretical_capacity / constants.MAH_PER_G
        panels[0].axhline(full, color=GREY, linewidth=0.8, linestyle=":", label="theoretical")
    panels[0].set_ylim(bottom=0)
    panels[0].legend(loc="lower left")
    panel_letters(panels)
    return figure


@styled
def plot_phase_map(solution: Solution, *, fillings: Sequence[float] = (0.1, 0.3, 0.5, 0.7, 0.9)) -> Figure:
    """Map θ through electrode depth × position in the particle at several fillings of one discharge.

    White line: θ = 0.5, the boundary between the phases. ``fillings`` that the discharge did not reach are
    replaced by its last state.
    """
    theta, filling = _values(solution, "theta"), _values(solution, "map_filling")
    steps = sorted({int(np.argmin(np.abs(filling - target))) for target in fillings})
    figure, panels = new_figure(1, len(steps), width=PAGE_WIDTH, height=2.2, sharey=True, sharex=True)
    depth = _values(solution, "depth") / MICROMETRE
    radius = _values(solution, "radius")
    for panel, step in zip(panels, steps, strict=True):
        values = theta[step].T
        mesh = panel.pcolormesh(
            depth, radius / radius[-1], values, cmap=SEQUENTIAL, vmin=0, vmax=1, shading="nearest",
            rasterized=True,
        )  # fmt: skip
        if values.min() < BOUNDARY_THETA < values.max():
            panel.contour(depth, radius / radius[-1], values, [BOUNDARY_THETA], colors="white", linewidths=1)
        panel.set_title(f"{100 * filling[step]:.0f} % full")
        panel.set_ylim(0, 1)
    panels[0].set_ylabel("position in particle r/R")
    figure.supxlabel("depth in the electrode, from the separator (µm)", fontsize=8)
    figure.colorbar(mesh, ax=panels, label="site fraction θ", pad=0.02)
    return figure


@styled
def plot_boundary_position(solution: Solution) -> Figure:
    """Plot the phase boundary's position in the particles against time, at three depths.

    r/R = 1: the boundary has not entered the particle; 0: it has left through the centre.
    """
    figure, (axes,) = new_figure()
    time = _values(solution, "map_time") / HOUR
    radius = _values(solution, "radius")
    position = _values(solution, "phase_boundary") / radius[-1]
    volumes = position.shape[1]
    for volume, colour, marker, name in zip(
        (0, volumes // 2, volumes - 1),
        COLOURS,
        MARKERS,
        ("at the separator", "in the middle", "at the collector"),
        strict=False,
    ):
        axes.plot(time, position[:, volume], f"{marker}-", color=colour, markersize=2.5, label=name)
    axes.set(xlabel="time (h)", ylabel="boundary position r/R", ylim=(-0.02, 1.03))
    axes.legend()
    return figure
