"""Figures of the porous electrode: discharge curves, rate capability, phase-boundary maps.

Discharges whose solver failed are no results: curves, points and bands leave them out, and a note says so.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import AbstractPathEffect, withStroke
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
    note,
    panel_letters,
    styled,
)

LINE_STYLES = ("-", "--", ":", "-.")
"""Of the boundaries in the first, second, … miscibility gap."""
OUTLINE: list[AbstractPathEffect] = [withStroke(linewidth=2, foreground="black")]
"""Keeps a white line visible on the light colours of nearly full particles."""
HOUR = 3600.0
MICROMETRE = 1e-6
NANOMETRE = 1e-9


def field_values(solution: Solution, name: str) -> FloatArray:
    """Return a field of a discharge.

    Raises
    ------
    InputError
        If the solution does not hold it.
    """
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


def left_out(rates: RateCapability) -> str:
    """Return how many members are left out at which rates; empty if the solver finished everywhere."""
    every_rate = np.tile(rates.c_rate, len(rates.finished))
    return _left_out(zip(every_rate.tolist(), rates.finished.ravel().tolist(), strict=True))


def _left_out(discharges: Iterable[tuple[float, bool]]) -> str:
    """Return the same from the C-rate of each discharge and whether it finished."""
    finished: dict[float, list[bool]] = defaultdict(list)
    for rate, done in discharges:
        finished[rate].append(done)
    rates: dict[str, list[str]] = defaultdict(list)
    for rate, done_here in sorted(finished.items()):
        if not all(done_here):
            rates[f"{done_here.count(False)} of {len(done_here)} members"].append(rate_name(rate))
    groups = "; ".join(f"{count} at {', '.join(names)}" for count, names in rates.items())
    return f"left out, the solver failed: {groups}" if groups else ""


def boundary_text(solution: Solution) -> str:
    """Return at which site fractions phase boundaries and fronts between particles lie, or that none does."""
    inside = [f"{level:.3g}" for level in field_values(solution, "boundary_level")]
    between = [f"{level:.3g}" for level in field_values(solution, "front_level")]
    texts = []
    if inside:
        many = len(inside) > 1
        texts.append(
            f"phase {'boundaries' if many else 'boundary'} at θ = {' and '.join(inside)}, "
            f"the middle{'s' if many else ''} of the miscibility gap{'s' if many else ''}"
        )
    if between:
        texts.append(
            f"front between particles at θ = {' and '.join(between)}: each keeps to one phase, "
            "they fill one after another"
        )
    return "; ".join(texts) or "no phase boundary: the particles are a solid solution"


def voltage_label(solutions: Sequence[Solution], host: Host) -> str:
    """Return the name of a voltage axis: of half cells against the ion's metal, of full cells."""
    if any("anode_theta" in solution.fields for solution in solutions):
        return "cell voltage (V)"
    return f"voltage against {host.ion} (V)"


@styled
def plot_discharge(solutions: Sequence[Solution], host: Host) -> Figure:
    """Plot voltage against capacity for each C-rate: member 0 as thick line, the others thin.

    Capacity is counted from the start of the discharge, per mass as in ``Host.formula_mass``. Discharges
    whose solver failed are left out.
    """
    figure, (axes,) = new_figure(height=2.8)
    rates = sorted({solution.c_rate for solution in solutions if solution.c_rate is not None})
    full = host.theoretical_capacity / constants.MAH_PER_G
    for rate, colour in zip(rates, graded_colours(len(rates)), strict=True):
        chosen = [solution for solution in solutions if solution.c_rate == rate and solution.finished]
        for solution in sorted(chosen, key=lambda item: -item.member):
            filling = field_values(solution, "filling")
            best = solution.member == 0
            axes.plot(
                (filling - filling[0]) * full, field_values(solution, "voltage"), color=colour,
                linewidth=1.5 if best else 0.6, alpha=1.0 if best else 0.55,
                label=rate_name(rate) if solution.member == min(item.member for item in chosen) else None,
            )  # fmt: skip
    axes.axvline(full, color=GREY, linewidth=0.8, linestyle=":")
    axes.annotate(
        "theoretical", (full, 0.98), xycoords=("data", "axes fraction"), rotation=90, ha="right", va="top",
        fontsize=7, color=GREY,
    )  # fmt: skip
    axes.set_xlim(left=0)
    axes.set(xlabel="capacity (mAh/g)", ylabel=voltage_label(solutions, host))
    if any(solution.finished for solution in solutions):
        axes.legend(loc="lower left", ncols=2)
    note(figure, _left_out((item.c_rate, item.finished) for item in solutions if item.c_rate is not None))
    return figure


@styled
def plot_rate_capability(rates: RateCapability, host: Host | None = None) -> Figure:
    """Plot capacity and mean voltage against the C-rate: member 0 with points, band over members.

    Both leave out what the solver did not finish.
    """
    figure, panels = new_figure(1, 2, width=PAGE_WIDTH, height=2.4)
    _draw_against_rate(panels, rates, COLOURS[0], ("member 0", "range of members"))
    if host is not None:
        full = host.theoretical_capacity / constants.MAH_PER_G
        panels[0].axhline(full, color=GREY, linewidth=0.8, linestyle=":", label="theoretical")
    panels[0].set_ylim(bottom=0)
    panels[0].legend(loc="lower left")
    panel_letters(panels)
    note(figure, left_out(rates))
    return figure


@styled
def plot_sizes(sizes: Sequence[float], capabilities: Sequence[RateCapability]) -> Figure:
    """Plot capacity and mean voltage against the C-rate for particles of several sizes [m].

    Lines and bands as in `plot_rate_capability`; the note counts what the solver did not finish.
    """
    figure, panels = new_figure(1, 2, width=PAGE_WIDTH, height=2.4)
    colours = graded_colours(len(sizes))
    for size, rates, colour in zip(sizes, capabilities, colours, strict=True):
        _draw_against_rate(panels, rates, colour, (f"{size / NANOMETRE:g} nm", None))
    panels[0].set_ylim(bottom=0)
    panels[0].legend(loc="lower left", title="particle size")
    panel_letters(panels)
    missing = [
        f"{size / NANOMETRE:g} nm: {text}"
        for size, rates in zip(sizes, capabilities, strict=True)
        if (text := left_out(rates))
    ]
    note(figure, "; ".join(missing))
    return figure


def _draw_against_rate(
    panels: Sequence[Axes], rates: RateCapability, colour: str, labels: tuple[str, str | None]
) -> None:
    """Draw capacity and mean voltage; ``labels`` of member 0 and of the band."""
    order = np.argsort(rates.c_rate)
    c_rate, finished = rates.c_rate[order], rates.finished[:, order]
    for panel, values, label in (
        (panels[0], rates.capacity[:, order] / constants.MAH_PER_G, "capacity (mAh/g)"),
        (panels[1], rates.mean_voltage[:, order], "mean voltage (V)"),
    ):
        known = np.ma.masked_where(~finished, values)
        member_band(panel, c_rate, known, colour, labels[1])
        panel.plot(c_rate, known[0], "o-", color=colour, label=labels[0])
        panel.set_xscale("log")
        panel.set_xticks(c_rate, [rate_name(rate) for rate in c_rate])
        panel.xaxis.set_minor_formatter(NullFormatter())
        panel.set(xlabel="discharge rate", ylabel=label)


@styled
def plot_phase_map(solution: Solution, *, fillings: Sequence[float] = (0.1, 0.3, 0.5, 0.7, 0.9)) -> Figure:
    """Map θ through electrode depth × position in the particle at several fillings of one discharge.

    White lines: the boundaries between phases, one in the middle of each miscibility gap of the member's free
    energy, or the fronts between particles that keep to one phase each; a note names their θ, or says
    that there is none. ``fillings`` that the discharge did not reach are replaced by its last state.
    """
    theta, filling = field_values(solution, "theta"), field_values(solution, "map_filling")
    steps = sorted({int(np.argmin(np.abs(filling - target))) for target in fillings})
    figure, panels = new_figure(1, len(steps), width=PAGE_WIDTH, height=2.2, sharey=True, sharex=True)
    depth = field_values(solution, "depth") / MICROMETRE
    radius = field_values(solution, "radius")
    levels = np.concatenate([field_values(solution, "boundary_level"), field_values(solution, "front_level")])
    boundaries = list(zip(levels, cycle(LINE_STYLES), strict=False))
    for panel, step in zip(panels, steps, strict=True):
        values = theta[step].T
        mesh = panel.pcolormesh(
            depth, radius / radius[-1], values, cmap=SEQUENTIAL, vmin=0, vmax=1, shading="nearest",
            rasterized=True,
        )  # fmt: skip
        for level, style in boundaries:
            if values.min() < level < values.max():
                line = panel.contour(
                    depth, radius / radius[-1], values, [level], colors="white", linewidths=1,
                    linestyles=style,
                )  # fmt: skip
                line.set_path_effects(OUTLINE)
        panel.set_title(f"{100 * filling[step]:.0f} % full")
        panel.set_ylim(0, 1)
    panels[0].set_ylabel("relative position in particle")
    figure.supxlabel("depth in the electrode, from the separator (µm)", fontsize=8)
    bar = figure.colorbar(mesh, ax=panels, label="site fraction θ", pad=0.02)
    for level, style in boundaries:
        bar.ax.axhline(level, color="white", linewidth=1, linestyle=style, path_effects=OUTLINE)
    note(figure, f"{'white lines: ' if boundaries else ''}{boundary_text(solution)}")
    return figure


@styled
def plot_boundary_position(solution: Solution) -> Figure:
    """Plot the phase boundary's position in the particles against time, at three depths.

    r/R = 1: the boundary has not entered the particle; 0: it has left through the centre. One panel for each
    miscibility gap, titled with the site fraction of its boundary; without a gap, one that says so.
    """
    levels = field_values(solution, "boundary_level")
    count = max(1, levels.size)
    figure, panels = new_figure(count, 1, height=0.7 + 1.8 * count, sharex=True)
    time = field_values(solution, "map_time") / HOUR
    position = field_values(solution, "phase_boundary") / field_values(solution, "radius")[-1]
    for gap, (panel, level) in enumerate(zip(panels, levels, strict=False)):
        _draw_positions(panel, time, position[:, :, gap])
        panel.set_title(f"boundary at θ = {level:.3g}")
    for panel in panels:
        panel.set(ylabel="boundary position r/R", ylim=(-0.02, 1.03))
    panels[-1].set_xlabel("time (h)")
    if levels.size:
        panels[0].legend()
    else:
        panels[0].set_xticks([])
        note(figure, boundary_text(solution))
    return figure


def _draw_positions(axes: Axes, time: FloatArray, position: FloatArray) -> None:
    """Draw r/R (map_time, volume) against time at three depths."""
    volumes = position.shape[1]
    for volume, colour, marker, name in zip(
        (0, volumes // 2, volumes - 1),
        COLOURS,
        MARKERS,
        ("at the separator", "in the middle", "at the collector"),
        strict=False,
    ):
        axes.plot(time, position[:, volume], f"{marker}-", color=colour, markersize=2.5, label=name)
