"""Figures of structures, voltage and free energy."""

import numpy as np
from ase.geometry import cell_to_cellpar
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scalebridge.contracts import HomogeneousFreeEnergy, Isotherm, StructureTable
from scalebridge.foundation import constants
from scalebridge.plotting.style import (
    COLOURS,
    CUBIC_ANGSTROM,
    GREY,
    MARKERS,
    MILLI_EV,
    PAGE_WIDTH,
    FloatArray,
    member_band,
    new_figure,
    panel_letters,
    styled,
)


@styled
def plot_volume(table: StructureTable) -> Figure:
    """Plot the volume per formula unit against x: member 0 with standard errors, band over members."""
    figure, (axes,) = new_figure()
    volume = table.volume / CUBIC_ANGSTROM
    member_band(axes, table.x, volume, COLOURS[0], "range of members")
    axes.plot(table.x, volume[0], color=COLOURS[0], linewidth=0.8)
    for number, phase in enumerate(dict.fromkeys(table.phases)):
        chosen = np.array([name == phase for name in table.phases])
        axes.errorbar(
            table.x[chosen], volume[0, chosen], table.volume_error[0, chosen] / CUBIC_ANGSTROM,
            fmt=MARKERS[number % len(MARKERS)], color=COLOURS[0], markerfacecolor="white", capsize=1.5,
            label=f"{phase}, member 0",
        )  # fmt: skip
    axes.set(xlabel="x (ions per formula unit)", ylabel="volume per formula unit (Å³)")
    axes.set_title(f"{table.temperature:.0f} K", loc="right")
    axes.legend()
    return figure


@styled
def plot_lattice_parameters(table: StructureTable) -> Figure:
    """Plot lengths and angles of the sampling cell against x: member 0 as points, band over members."""
    figure, panels = new_figure(1, 2, width=PAGE_WIDTH, height=2.4)
    members, compositions = table.volume.shape
    parameters = np.array(
        [cell_to_cellpar(cell) for cell in table.cell.reshape(-1, 3, 3) / constants.ANGSTROM]
    ).reshape(members, compositions, 6)
    names = ("a", "b", "c", "α", "β", "γ")
    for index, name in enumerate(names):
        panel, number = panels[index // 3], index % 3
        values = parameters[:, :, index]
        member_band(panel, table.x, values, COLOURS[number])
        panel.plot(table.x, values[0], f"{MARKERS[number]}-", color=COLOURS[number], label=name)
    panels[0].set(xlabel="x (ions per formula unit)", ylabel="length (Å)")
    panels[1].set(xlabel="x (ions per formula unit)", ylabel="angle (°)")
    for panel in panels:
        panel.legend(ncols=3)
    panels[1].set_title(f"sampling cell, {table.temperature:.0f} K", loc="right")
    panel_letters(panels)
    return figure


@styled
def plot_voltage(
    isotherm: Isotherm, free_energy: HomogeneousFreeEnergy | None = None, *, temperature: float = 300.0
) -> Figure:
    """Plot the equilibrium voltage against x with its member band, plateaus and the homogeneous curve.

    The temperature nearest to ``temperature`` is shown. The homogeneous curve of every branch is
    −μ(θ)/(z e), beyond the common tangent as well.
    """
    figure, (axes,) = new_figure(height=2.9)
    index = int(np.argmin(np.abs(isotherm.temperature - temperature)))
    kelvin = float(isotherm.temperature[index])
    voltage = isotherm.voltage[:, index, :]
    member_band(axes, isotherm.x, voltage, COLOURS[0], "range of members")
    if free_energy is not None:
        _homogeneous_voltage(axes, free_energy, kelvin)
    axes.plot(isotherm.x, voltage[0], color=COLOURS[0], label="equilibrium, member 0")
    for plateau in isotherm.plateaus:
        if plateau.member == 0 and np.isclose(plateau.temperature, kelvin):
            ends = [plateau.x_low, plateau.x_high]
            axes.plot(ends, 2 * [plateau.voltage], "|-", color=COLOURS[0], linewidth=2.6, markersize=7)
            axes.annotate(
                f"{plateau.voltage:.2f} V", (np.mean(ends), plateau.voltage), xytext=(0, 4),
                textcoords="offset points", ha="center", fontsize=7, color=COLOURS[0],
            )  # fmt: skip
    _voltage_range(axes, isotherm.x, voltage)
    axes.set(xlabel="x (ions per formula unit)", ylabel="voltage against the metal (V)")
    axes.set_title(f"{kelvin:.0f} K", loc="right")
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def _homogeneous_voltage(axes: Axes, free_energy: HomogeneousFreeEnergy, temperature: float) -> None:
    theta = np.linspace(0.005, 0.995, 300)
    charge = free_energy.ion_charge * constants.ELEMENTARY_CHARGE
    for branch, data in enumerate(free_energy.branches):
        mu = free_energy.chemical_potential(theta, temperature, branch=branch)
        name = "homogeneous" if len(free_energy.branches) == 1 else f"homogeneous, {data.name}"
        axes.plot(
            theta * free_energy.sites_per_formula_unit, -mu / charge, linestyle="--", linewidth=0.9,
            color=COLOURS[1 + branch % 3], label=name,
        )  # fmt: skip


def _voltage_range(axes: Axes, x: FloatArray, voltage: FloatArray) -> None:
    """Leave out the logarithmic ends: they would hide everything between."""
    inside = (x > x.min() + 0.03 * np.ptp(x)) & (x < x.max() - 0.03 * np.ptp(x))
    shown = voltage[:, inside] if inside.any() else voltage
    margin = max(0.25 * float(np.ptp(shown)), 0.12)
    axes.set_ylim(float(shown.min()) - margin, float(shown.max()) + margin)


@styled
def plot_free_energy(
    free_energy: HomogeneousFreeEnergy, isotherm: Isotherm | None = None, *, temperature: float = 300.0
) -> Figure:
    """Plot the free energy of mixing per ion site against x: sampled points, fit, common tangent, spinodals.

    A straight line through the lowest end points at θ = 0 and θ = 1 is subtracted, which moves neither
    tangents nor curvature. The sampled temperature nearest to ``temperature`` is shown.
    """
    figure, (axes,) = new_figure(height=2.9)
    grid = free_energy.branches[0].temperature
    kelvin = float(grid[np.argmin(np.abs(grid - temperature))])
    baselines = [_end_points(free_energy, kelvin, member) for member in range(free_energy.members)]
    for branch in range(len(free_energy.branches)):
        _draw_branch(axes, free_energy, branch, kelvin, baselines)
    if isotherm is not None:
        _draw_tangents(axes, free_energy, isotherm, kelvin, baselines[0])
    axes.axhline(0, color=GREY, linewidth=0.6, zorder=0)
    axes.set(xlabel="x (ions per formula unit)", ylabel="free energy of mixing\n(meV per ion site)")
    axes.set_title(f"{kelvin:.0f} K", loc="right")
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def _end_points(free_energy: HomogeneousFreeEnergy, temperature: float, member: int) -> FloatArray:
    ends = np.array([0.0, 1.0])
    energies = [
        free_energy.energy(ends, temperature, member=member, branch=branch)
        for branch in range(len(free_energy.branches))
    ]
    return np.asarray(np.min(energies, axis=0))


def _mixing(energy: FloatArray, theta: FloatArray, ends: FloatArray) -> FloatArray:
    return np.asarray((energy - (1 - theta) * ends[0] - theta * ends[1]) / MILLI_EV)


def _draw_branch(
    axes: Axes,
    free_energy: HomogeneousFreeEnergy,
    branch: int,
    temperature: float,
    baselines: list[FloatArray],
) -> None:
    data = free_energy.branches[branch]
    colour = COLOURS[branch % len(COLOURS)]
    sites = free_energy.sites_per_formula_unit
    theta = np.linspace(0.0, 1.0, 401)
    fits = np.array(
        [
            _mixing(free_energy.energy(theta, temperature, member=member, branch=branch), theta, ends)
            for member, ends in enumerate(baselines)
        ]
    )
    member_band(axes, sites * theta, fits, colour, "range of members" if branch == 0 else None)
    name = "" if len(free_energy.branches) == 1 else f", {data.name}"
    axes.plot(sites * theta, fits[0], color=colour, label=f"fit{name}")
    index = int(np.argmin(np.abs(data.temperature - temperature)))
    axes.errorbar(
        sites * data.sampled_theta,
        _mixing(data.sampled_energy[0, index], data.sampled_theta, baselines[0]),
        data.sampled_error[0, index] / MILLI_EV,
        fmt=MARKERS[branch], color=colour, markerfacecolor="white", capsize=1.5, label=f"sampled{name}",
    )  # fmt: skip


def _draw_tangents(
    axes: Axes, free_energy: HomogeneousFreeEnergy, isotherm: Isotherm, temperature: float, ends: FloatArray
) -> None:
    sites = free_energy.sites_per_formula_unit

    def lowest(x: FloatArray) -> FloatArray:
        branches = range(len(free_energy.branches))
        energies = [free_energy.energy(x / sites, temperature, branch=branch) for branch in branches]
        return _mixing(np.min(energies, axis=0), x / sites, ends)

    label: str | None = "common tangent"
    for plateau in isotherm.plateaus:
        if plateau.member == 0 and np.isclose(plateau.temperature, temperature):
            x = np.array([plateau.x_low, plateau.x_high])
            axes.plot(x, lowest(x), "o-", color=COLOURS[2], linewidth=1, markersize=3, label=label)
            label = None
    label = "spinodal"
    for spinodal in isotherm.spinodals:
        if spinodal.member == 0 and np.isclose(spinodal.temperature, temperature):
            x = np.array([spinodal.x_low, spinodal.x_high])
            axes.plot(x, lowest(x), "D", color=COLOURS[1], markersize=4, label=label, zorder=5)
            label = None
