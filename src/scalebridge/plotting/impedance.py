"""Figure of an impedance: Nyquist's plot beside modulus and phase."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scalebridge.contracts import Solution
from scalebridge.foundation import InputError
from scalebridge.plotting.style import (
    COLOURS,
    PAGE_WIDTH,
    FloatArray,
    decades,
    new_figure,
    note,
    panel_letters,
    styled,
)

CM2 = 1e4
"""In a square metre."""
HEIGHT_TO_WIDTH = 0.75
"""Of Nyquist's panel: the capacitive branch of low frequencies leaves it at the top."""
NEAR_DECADE = 1e-6
"""Relative distance at which a frequency counts as a power of ten."""


@styled
def plot_impedance(solution: Solution) -> Figure:
    """Plot −Im Z against Re Z at equal scales, and modulus and phase against frequency.

    Powers of ten of the frequency are marked. Nyquist's panel reaches as far as Re Z; what the capacitive
    branch has above that is left to the other panel.

    Raises
    ------
    InputError
        If the solution is not an impedance.
    """
    if "impedance_real" not in solution.fields:
        raise InputError(
            "the solution holds no impedance; that comes from scalebridge.electrode.impedance_solution"
        )
    frequency, real, imaginary = (
        solution.fields[name].values for name in ("frequency", "impedance_real", "impedance_imaginary")
    )
    order = np.argsort(frequency)
    frequency, impedance = frequency[order], CM2 * (real + 1j * imaginary)[order]
    figure, (nyquist, modulus) = new_figure(1, 2, width=PAGE_WIDTH, height=2.9)
    _draw_nyquist(nyquist, frequency, impedance.real, -impedance.imag)
    modulus.loglog(frequency, np.abs(impedance), color=COLOURS[0])
    modulus.set(xlabel="frequency (Hz)", ylabel="|Z| (Ω cm²)")
    modulus.yaxis.label.set_color(COLOURS[0])
    decades(modulus.xaxis)
    phase = modulus.twinx()
    phase.semilogx(frequency, np.degrees(np.angle(impedance)), color=COLOURS[1], linestyle="--")
    phase.set(ylabel="phase (°)")
    phase.yaxis.label.set_color(COLOURS[1])
    phase.spines["right"].set_visible(True)
    panel_letters([nyquist, modulus])
    note(figure, solution.status)
    return figure


def _draw_nyquist(axes: Axes, frequency: FloatArray, real: FloatArray, lag: FloatArray) -> None:
    """Draw −Im Z over Re Z, with the powers of ten of the frequency."""
    axes.plot(real, lag, ".-", color=COLOURS[0], markersize=3)
    wide = 1.08 * float(real.max())
    high = HEIGHT_TO_WIDTH * wide
    low = min(0.0, 1.1 * float(lag.min()))
    exponent = np.log10(frequency)
    tens = np.flatnonzero(np.abs(exponent - exponent.round()) < NEAR_DECADE)
    marked: list[tuple[float, float]] = []
    for k in tens[::-1]:
        place = (float(real[k]), float(lag[k]))
        crowded = any(np.hypot(place[0] - x, place[1] - y) < 0.09 * wide for x, y in marked)
        if place[1] > high or crowded:
            continue
        marked.append(place)
        axes.plot(*place, "o", color=COLOURS[1], markersize=4)
        name = _frequency_name(float(frequency[k]))
        axes.annotate(name, place, xytext=(6, 4), textcoords="offset points", fontsize=6, color=COLOURS[1])
    axes.set(xlim=(0, wide), ylim=(low, high), aspect="equal")
    axes.set(xlabel="Re Z (Ω cm²)", ylabel="−Im Z (Ω cm²)")


def _frequency_name(frequency: float) -> str:
    """Return a power of ten as ``10 mHz``, ``100 kHz``."""
    for factor, unit in ((1e6, "MHz"), (1e3, "kHz"), (1.0, "Hz"), (1e-3, "mHz")):
        if frequency > 0.99 * factor:
            return f"{frequency / factor:.3g} {unit}"
    return f"{1e6 * frequency:.3g} µHz"
