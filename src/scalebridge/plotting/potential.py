"""Figures of the potential: parity with the reference, course of a fit."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scalebridge.contracts import PotentialCard
from scalebridge.plotting.style import (
    COLOURS,
    EV,
    EV_PER_ANGSTROM,
    GREY,
    MILLI_EV,
    PAGE_WIDTH,
    FloatArray,
    new_figure,
    panel_letters,
    styled,
)
from scalebridge.potential import ErrorReport


def _diagonal(axes: Axes, values: FloatArray) -> None:
    ends = [float(values.min()), float(values.max())]
    axes.plot(ends, ends, color=GREY, linewidth=0.7, zorder=0)


@styled
def plot_parity(card: PotentialCard) -> Figure:
    """Plot predictions on held-out structures against the reference, and their differences below.

    Energies per atom of all members (member 0 in front); force components of member 0.
    """
    figure, panels = new_figure(2, 2, width=PAGE_WIDTH, height=4.0, height_ratios=(2, 1), sharex="col")
    energies = card.parity_predicted_energy / EV
    panels[0].plot([], [], ".", color=COLOURS[4], label=f"members 1–{len(energies) - 1}")
    _draw_energies(panels, card.parity_reference_energy / EV, energies)
    panels[0].legend(loc="upper left")
    _draw_forces(
        panels, card.parity_reference_force / EV_PER_ANGSTROM, card.parity_predicted_force / EV_PER_ANGSTROM
    )
    error = card.errors[0]
    _finish(panels, error.energy_rmse / MILLI_EV, error.force_rmse / EV_PER_ANGSTROM)
    return figure


@styled
def plot_evaluation(errors: ErrorReport) -> Figure:
    """Plot one potential's predictions against labels, and their differences below."""
    figure, panels = new_figure(2, 2, width=PAGE_WIDTH, height=4.0, height_ratios=(2, 1), sharex="col")
    _draw_energies(panels, errors.reference_energies, errors.predicted_energies[None])
    by_species = errors.force_rmse_by_species
    for number, (symbol, rmse) in enumerate(by_species.items()):
        own = errors.symbols == symbol
        colour = COLOURS[number % len(COLOURS)]
        reference, predicted = errors.reference_forces[own], errors.predicted_forces[own]
        _draw_forces(panels, reference.ravel(), predicted.ravel(), colour)
        panels[1].plot([], [], "o", color=colour, markersize=3, label=f"{symbol}: {rmse:.2g} eV/Å")
    if len(by_species) > 1:
        panels[1].legend(loc="upper left")
    _finish(panels, 1e3 * errors.energy_rmse, errors.force_rmse)
    return figure


@styled
def plot_fit(losses: Sequence[float], validation_losses: Sequence[float] = ()) -> Figure:
    """Plot the loss of a fit against its iterations, and that on validation structures with its least."""
    figure, (panel,) = new_figure(1, 1, width=PAGE_WIDTH / 2, height=2.4)
    panel.semilogy(np.arange(1, len(losses) + 1), losses, color=COLOURS[0], label="training")
    if validation_losses:
        best = int(np.argmin(validation_losses))
        panel.semilogy(range(len(validation_losses)), validation_losses, color=COLOURS[1], label="validation")
        panel.plot(best, validation_losses[best], "o", color=COLOURS[1], label="chosen")
    panel.set(xlabel="iteration", ylabel="loss")
    panel.legend()
    return figure


def _draw_energies(panels: list[Axes], reference: FloatArray, energies: FloatArray) -> None:
    """Draw energies per atom [eV], ``energies`` (member, structure)."""
    for predicted in energies[:0:-1]:
        panels[0].plot(reference, predicted, ".", color=COLOURS[4], markersize=2.5, alpha=0.5)
        panels[2].plot(
            reference, 1e3 * (predicted - reference), ".", color=COLOURS[4], markersize=2.5, alpha=0.5
        )
    panels[0].plot(reference, energies[0], "o", color=COLOURS[0], markersize=3, label="member 0")
    panels[2].plot(reference, 1e3 * (energies[0] - reference), "o", color=COLOURS[0], markersize=3)
    panels[0].set_ylabel("predicted energy (eV/atom)")
    panels[2].set(xlabel="reference energy (eV/atom)", ylabel="difference\n(meV/atom)")
    _diagonal(panels[0], reference)


def _draw_forces(
    panels: list[Axes], reference: FloatArray, force: FloatArray, colour: str = COLOURS[0]
) -> None:
    """Draw force components [eV/Å]."""
    points: dict[str, Any] = {
        "color": colour,
        "markersize": 2,
        "alpha": 0.3,
        "rasterized": True,
        "markeredgewidth": 0,
    }
    panels[1].plot(reference, force, "o", **points)
    panels[3].plot(reference, force - reference, "o", **points)
    panels[1].set_ylabel("predicted force (eV/Å)")
    panels[3].set(xlabel="reference force component (eV/Å)", ylabel="difference\n(eV/Å)")
    _diagonal(panels[1], reference)


def _finish(panels: list[Axes], energy_rmse: float, force_rmse: float) -> None:
    """Write the errors [meV/atom, eV/Å] and letters above, zero lines into the differences."""
    for panel in panels[2:]:
        panel.axhline(0, color=GREY, linewidth=0.7, zorder=0)
    panels[0].set_title(f"RMSE {energy_rmse:.2g} meV/atom", loc="right")
    panels[1].set_title(f"RMSE {force_rmse:.2g} eV/Å", loc="right")
    panel_letters(panels)
