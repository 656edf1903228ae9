"""Figure of a protocol: voltage, current and, of a cell that warms, temperature and heat against time."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from scalebridge.contracts import Host, Solution
from scalebridge.foundation import InputError
from scalebridge.plotting.electrode import voltage_label
from scalebridge.plotting.style import COLOURS, GREY, new_figure, panel_letters, styled

HOUR = 3600.0


@styled
def plot_protocol(solution: Solution, host: Host) -> Figure:
    """Plot voltage and current of a cell against time; dotted lines part the steps.

    A cell that warms has a third panel: its temperature and, against the axis on the right, the heat that it
    releases.

    Raises
    ------
    InputError
        If the solution is not one of a protocol.
    """
    if "step_end" not in solution.fields:
        raise InputError(
            "the solution holds no steps; a protocol's comes from scalebridge.electrode.protocol_solution"
        )
    values = {name: solution.fields[name].values for name in ("time", "voltage", "current", "step_end")}
    time = values["time"] / HOUR
    warm = "temperature" in solution.fields
    figure, panels = new_figure(rows=3 if warm else 2, height=4.7 if warm else 3.4)
    upper, lower = panels[:2]
    upper.plot(time, values["voltage"], color=COLOURS[0])
    lower.plot(time, values["current"], color=COLOURS[1])
    lower.axhline(0.0, color=GREY, linewidth=0.6)
    if warm:
        _plot_warmth(panels[2], time, solution)
    for axes in panels:
        for end in values["step_end"][:-1] / HOUR:
            axes.axvline(end, color=GREY, linewidth=0.5, linestyle=":")
        axes.set_xlim(0, float(time[-1]))
    upper.set(ylabel=voltage_label([solution], host))
    lower.set(ylabel="current (A/m²)")
    panels[-1].set(xlabel="time (h)")
    panel_letters(panels)
    return figure


def _plot_warmth(axes: Axes, time: NDArray[np.float64], solution: Solution) -> None:
    """Plot temperature, and heat behind it, against time [h]."""
    right = axes.twinx()
    right.plot(time, solution.fields["heat_release"].values, color=GREY, linewidth=0.8)
    right.set_ylabel("heat (W/m²)", color=GREY)
    axes.plot(time, solution.fields["temperature"].values, color=COLOURS[2])
    axes.set_ylabel("temperature (K)")
    # the temperature before the heat, whose axes are the later ones
    axes.set_zorder(right.get_zorder() + 1)
    axes.patch.set_visible(False)
