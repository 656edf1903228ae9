"""Phase boundaries at the member's own levels."""

from typing import Any

import numpy as np
import pytest
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from synthetic_run import make_solution

from scalebridge import plotting
from scalebridge.contracts import Contract, Solution

Contracts = dict[str, Contract]


def solution_with(contracts: Contracts, *levels: float) -> Solution:
    card: Any = contracts["card/material_card.json"]
    return make_solution(card, 1.0, 0, boundary_levels=levels)


def contour_levels(figure: Figure) -> set[float]:
    """Return the levels of all white lines, the colour bar's included, which must be the same."""
    sets = [item for axes in figure.axes for item in axes.collections if isinstance(item, QuadContourSet)]
    drawn = {float(level) for item in sets for level in item.levels}
    marked = {float(np.asarray(line.get_ydata())[0]) for line in figure.axes[-1].lines}
    assert drawn == marked
    return drawn


@pytest.mark.parametrize("levels", [(0.84,), (0.5,), (0.25, 0.75)])
def test_the_map_draws_every_boundary_at_its_level_and_names_it(
    levels: tuple[float, ...], synthetic_contracts: Contracts
) -> None:
    figure = plotting.plot_phase_map(solution_with(synthetic_contracts, *levels))
    assert contour_levels(figure) == set(levels)
    text = figure.get_suptitle()
    assert text.startswith("white lines: phase bound")
    assert all(f"{level:g}" in text for level in levels)


def test_the_map_of_a_solid_solution_says_that_there_is_no_boundary(synthetic_contracts: Contracts) -> None:
    figure = plotting.plot_phase_map(solution_with(synthetic_contracts))
    assert contour_levels(figure) == set()
    assert figure.get_suptitle().startswith("no phase boundary: the particles are a solid solution")
    figure = plotting.plot_boundary_position(solution_with(synthetic_contracts))
    assert figure.get_suptitle().startswith("no phase boundary")
    assert [len(axes.lines) for axes in figure.axes] == [0]


def test_every_boundary_has_a_panel_titled_with_its_level(synthetic_contracts: Contracts) -> None:
    """A boundary at a higher level lies further out: particles fill from the surface."""
    figure = plotting.plot_boundary_position(solution_with(synthetic_contracts, 0.25, 0.75))
    assert [axes.get_title() for axes in figure.axes] == ["boundary at θ = 0.25", "boundary at θ = 0.75"]
    lower, upper = (np.asarray(axes.lines[0].get_ydata()) for axes in figure.axes)
    inside = (lower > 0) & (upper < 1)
    assert inside.sum() > 10
    assert np.all(upper[inside] > lower[inside])
