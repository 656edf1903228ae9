"""Figure of coherent two-phase slabs."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from scalebridge.contracts import InterfaceEnergies
from scalebridge.plotting.style import COLOURS, MARKERS, FloatArray, member_band, new_figure, styled

MILLIJOULE = 1e-3


@styled
def plot_slab_energy(interfaces: InterfaceEnergies) -> Figure:
    """Plot the excess energy of two-phase slabs against cells per phase; the intercept is 2γ.

    Lines run through 2γ of the contract with the slope that fits the slabs best.
    """
    figure, (axes,) = new_figure()
    for direction, normal in enumerate(interfaces.normals):
        cells = interfaces.slab_cells[direction]
        energy = interfaces.slab_energy[:, direction] / MILLIJOULE
        colour, marker = COLOURS[direction % len(COLOURS)], MARKERS[direction % len(MARKERS)]
        intercept = 2 * interfaces.interface_energy[:, direction] / MILLIJOULE
        slope = (energy - intercept[:, None]) @ cells / (cells @ cells)
        grid = np.array([0.0, cells.max() * 1.05])
        member_band(axes, grid, intercept[:, None] + slope[:, None] * grid, colour)
        axes.plot(grid, intercept[0] + slope[0] * grid, color=colour, linewidth=1)
        for other in energy[1:]:
            axes.plot(cells, other, marker, color=colour, markerfacecolor="white", markersize=2.5, alpha=0.6)
        axes.plot(cells, energy[0], marker, color=colour, label=f"n = {normal_name(normal)}")
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="cells per phase N", ylabel="slab energy above bulk (mJ/m²)")
    axes.legend()
    return figure


def normal_name(normal: FloatArray) -> str:
    """Return a direction scaled to a largest component of 1: ``[0 1 1]``."""
    scaled = np.round(normal / np.abs(normal).max(), 2) + 0.0  # -0.0 + 0.0 is 0.0
    return "[" + " ".join(f"{component:.2g}" for component in scaled) + "]"
