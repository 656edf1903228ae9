"""Figure of a protocol: voltage and current against time."""

from matplotlib.figure import Figure

from scalebridge.contracts import Host, Solution
from scalebridge.foundation import InputError
from scalebridge.plotting.electrode import voltage_label
from scalebridge.plotting.style import COLOURS, GREY, new_figure, panel_letters, styled

HOUR = 3600.0


@styled
def plot_protocol(solution: Solution, host: Host) -> Figure:
    """Plot voltage and current of a cell against time; dotted lines part the steps.

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
    figure, (upper, lower) = new_figure(rows=2, height=3.4)
    upper.plot(time, values["voltage"], color=COLOURS[0])
    lower.plot(time, values["current"], color=COLOURS[1])
    lower.axhline(0.0, color=GREY, linewidth=0.6)
    for axes in (upper, lower):
        for end in values["step_end"][:-1] / HOUR:
            axes.axvline(end, color=GREY, linewidth=0.5, linestyle=":")
        axes.set_xlim(0, float(time[-1]))
    upper.set(ylabel=voltage_label([solution], host))
    lower.set(xlabel="time (h)", ylabel="current (A/m²)")
    panel_letters([upper, lower])
    return figure
