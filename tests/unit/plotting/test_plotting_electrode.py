"""Phase boundaries at the member's own levels; discharges whose solver failed are left out."""

from typing import Any

import numpy as np
import pytest
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from synthetic_run import MEMBERS, RATES, fail, make_solution

from scalebridge import plotting
from scalebridge.contracts import SOLVER_FAILURE, Contract, RateCapability, Solution

Contracts = dict[str, Contract]


def solution_with(contracts: Contracts, *levels: float) -> Solution:
    card: Any = contracts["card/material_card.json"]
    return make_solution(card, 1.0, 0, boundary_levels=levels)


def failed_at(contracts: Contracts, *where: tuple[int, float]) -> RateCapability:
    rates = contracts["electrode/rate_capability.json"]
    assert isinstance(rates, RateCapability)
    return fail(rates, *where)


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


def test_the_map_draws_the_front_between_coherent_particles(synthetic_contracts: Contracts) -> None:
    card: Any = synthetic_contracts["card/material_card.json"]
    solution = make_solution(card, 1.0, 0, boundary_levels=(), front_levels=(0.84,))
    figure = plotting.plot_phase_map(solution)
    assert contour_levels(figure) == {0.84}
    assert figure.get_suptitle().startswith("white lines: front between particles at θ = 0.84")


def test_every_boundary_has_a_panel_titled_with_its_level(synthetic_contracts: Contracts) -> None:
    """A boundary at a higher level lies further out: particles fill from the surface."""
    figure = plotting.plot_boundary_position(solution_with(synthetic_contracts, 0.25, 0.75))
    assert [axes.get_title() for axes in figure.axes] == ["boundary at θ = 0.25", "boundary at θ = 0.75"]
    lower, upper = (np.asarray(axes.lines[0].get_ydata()) for axes in figure.axes)
    inside = (lower > 0) & (upper < 1)
    assert inside.sum() > 10
    assert np.all(upper[inside] > lower[inside])


def test_the_band_leaves_out_members_whose_solver_failed(synthetic_contracts: Contracts) -> None:
    rates = failed_at(synthetic_contracts, (3, 2.0), (1, 5.0), (4, 5.0))
    figure = plotting.plot_rate_capability(rates)
    for axes, values in zip(figure.axes, (rates.capacity / 3600, rates.mean_voltage), strict=True):
        corners = np.asarray(axes.collections[0].get_paths()[0].vertices)
        for column, rate in enumerate(RATES):
            here = corners[np.isclose(corners[:, 0], rate), 1]
            known = values[rates.finished[:, column], column]
            assert (here.min(), here.max()) == pytest.approx((known.min(), known.max()))
    assert figure.get_suptitle() == "left out, the solver failed: 1 of 5 members at 2C; 2 of 5 members at 5C"


def test_member_zero_has_no_point_where_its_solver_failed(synthetic_contracts: Contracts) -> None:
    figure = plotting.plot_rate_capability(failed_at(synthetic_contracts, (0, 0.5), (0, 5.0)))
    line = np.ma.asarray(figure.axes[0].lines[0].get_ydata(orig=True))
    assert list(np.ma.getmaskarray(line)) == [rate in (0.5, 5.0) for rate in RATES]


def test_nothing_is_said_where_every_solver_finished(synthetic_contracts: Contracts) -> None:
    assert plotting.plot_rate_capability(failed_at(synthetic_contracts)).get_suptitle() == ""
    assert plotting.left_out(failed_at(synthetic_contracts)) == ""


def test_rates_without_any_finished_discharge_are_empty(synthetic_contracts: Contracts) -> None:
    everywhere = [(member, rate) for member in range(MEMBERS) for rate in RATES]
    rates = failed_at(synthetic_contracts, *everywhere)
    figure = plotting.plot_rate_capability(rates)
    assert np.ma.asarray(figure.axes[0].lines[0].get_ydata(orig=True)).count() == 0
    assert plotting.left_out(rates).endswith("5 of 5 members at C/10, C/2, 1C, 2C, 5C")
    assert plotting.to_svg(figure)


def test_curves_of_failed_discharges_are_left_out(synthetic_contracts: Contracts) -> None:
    host: Any = synthetic_contracts["host/host.json"]
    card: Any = synthetic_contracts["card/material_card.json"]
    solutions = [make_solution(card, rate, member) for member in range(3) for rate in (1.0, 5.0)]
    failed = [
        item.model_copy(update={"termination": SOLVER_FAILURE})
        if (item.member, item.c_rate) in ((0, 5.0), (2, 5.0), (2, 1.0))
        else item
        for item in solutions
    ]
    figure = plotting.plot_discharge(failed, host)
    (axes,) = figure.axes
    assert len([line for line in axes.lines if np.size(line.get_xdata()) > 2]) == 3
    assert axes.get_legend_handles_labels()[1] == ["1C", "5C"]
    text = figure.get_suptitle().replace("\n", " ")
    assert text == "left out, the solver failed: 1 of 3 members at 1C; 2 of 3 members at 5C"
    none = [item.model_copy(update={"termination": SOLVER_FAILURE}) for item in solutions]
    assert plotting.plot_discharge(none, host).axes[0].get_legend() is None
