"""The common look of all figures: column width, colour-blind safe colours, units of the field."""

import io
from collections.abc import Callable
from functools import wraps
from textwrap import fill
from typing import Any, Final, ParamSpec, TypeVar

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter
from numpy.typing import NDArray

from scalebridge.foundation import constants

FloatArray = NDArray[np.float64]
P = ParamSpec("P")
R = TypeVar("R")

COLUMN_WIDTH: Final = 3.4
"""Width of a journal's column [inch]."""
PAGE_WIDTH: Final = 7.0
"""Width of a journal's page [inch]."""

COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
"""Okabe and Ito's colours, in the order of use (yellow left out: too light for lines)."""
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X")
GREY: Final = "#6b6b6b"
NOTE_LETTERS: Final = 17
"""Letters of a note per inch."""
SEQUENTIAL: Final = "viridis"
"""Colour map for ordered quantities: even in lightness, safe for the colour blind."""

EV: Final = constants.EV
MILLI_EV: Final = 1e-3 * constants.EV
EV_PER_ANGSTROM: Final = constants.EV / constants.ANGSTROM
CUBIC_ANGSTROM: Final = constants.ANGSTROM**3

_SUPERSCRIPTS: Final = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_PARAMETERS: Final[dict[Any, Any]] = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "legend.fontsize": 7,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "lines.linewidth": 1.3,
    "lines.markersize": 3.6,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "figure.facecolor": "white",
    "svg.fonttype": "path",
    "svg.hashsalt": "scalebridge",
    "axes.formatter.useoffset": False,
}


def styled(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function so that what it draws has the common look."""

    @wraps(function)
    def with_style(*args: P.args, **kwargs: P.kwargs) -> R:
        with mpl.rc_context(_PARAMETERS):
            return function(*args, **kwargs)

    return with_style


def new_figure(
    rows: int = 1, columns: int = 1, *, width: float = COLUMN_WIDTH, height: float = 2.5, **subplots: Any
) -> tuple[Figure, list[Axes]]:
    """Return a figure of ``width`` × ``height`` inches and its axes, row by row."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **subplots)
    return figure, list(axes.ravel())


def member_band(axes: Axes, x: FloatArray, values: FloatArray, colour: str, label: str | None = None) -> None:
    """Shade between the lowest and the highest member; ``values`` is (member, x)."""
    axes.fill_between(
        x, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.22, linewidth=0, label=label
    )


def graded_colours(count: int) -> list[str]:
    """Return ``count`` colours in order, dark to light, none too light for a line on white."""
    positions = np.linspace(0.0, 0.82, count) if count > 1 else np.array([0.2])
    return [to_hex(colour) for colour in mpl.colormaps[SEQUENTIAL](positions)]


def decades(axis: Axis) -> None:
    """Label a logarithmic axis with plain powers of ten, minor ticks without labels."""
    axis.set_major_formatter(FuncFormatter(_power_of_ten))
    axis.set_minor_formatter(NullFormatter())


def _power_of_ten(value: float, _: int | None = None) -> str:
    exponent = f"{np.log10(value):.0f}" if value > 0 else ""
    return "10" + exponent.replace("-", "⁻").translate(_SUPERSCRIPTS)


def note(figure: Figure, text: str) -> None:
    """Write a remark above all panels, broken to the figure's width; an empty one leaves no trace."""
    if text:
        figure.suptitle(fill(text, int(NOTE_LETTERS * figure.get_figwidth())), fontsize=7, color=GREY)


def panel_letters(axes: list[Axes]) -> None:
    """Write (a), (b), … above the left corner of each panel."""
    for number, panel in enumerate(axes):
        panel.set_title(f"({chr(ord('a') + number)})", loc="left", fontweight="bold")


@styled
def to_svg(figure: Figure) -> bytes:
    """Return the figure as a self-contained SVG, the same bytes for the same figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", dpi=200, metadata={"Date": None})
    return buffer.getvalue()


@styled
def to_png(figure: Figure, dpi: int = 200) -> bytes:
    """Return the figure as a PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()
