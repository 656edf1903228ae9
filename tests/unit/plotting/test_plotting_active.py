"""The share of active particles against the rate, of solutions whose shares are known."""

from typing import Any

import numpy as np
import pytest
from synthetic_run import make_solution

from scalebridge.contracts import Contract, Solution
from scalebridge.electrode.results import field
from scalebridge.foundation import InputError
from scalebridge.plotting import plot_active_fraction

Contracts = dict[str, Contract]


def known(contracts: Contracts, rate: float, share: float, member: int = 0) -> Solution:
    """Ten particles of which a share is at work throughout."""
    card: Any = contracts["card/material_card.json"]
    solution = make_solution(card, rate, member)
    done = np.linspace(0.0, 1.0, solution.fields["time"].values.size)
    added = {
        "transformed": field("1", ("time",), done),
        "active_fraction": field("1", ("time",), np.where(done > 0, share, 0.0)),
        "particle_size": field("m", ("volume", "particle"), np.full((10, 1), 1e-7)),
    }
    return Solution.model_validate(dict(solution) | {"fields": solution.fields | added})


def test_points_are_the_means_and_lines_the_bounds(synthetic_contracts: Contracts) -> None:
    shares = {0.1: 0.1, 1.0: 0.4, 5.0: 0.9}
    figure = plot_active_fraction([known(synthetic_contracts, *item) for item in shares.items()])
    points, alone, together = figure.axes[0].lines
    assert list(points.get_xdata()) == list(shares)
    assert list(points.get_ydata()) == pytest.approx(list(shares.values()))
    assert (alone.get_ydata()[0], together.get_ydata()[0]) == pytest.approx((0.1, 1.0))
    labels = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    assert labels == ["C/10", "1C", "5C"]


def test_members_are_not_mixed(synthetic_contracts: Contracts) -> None:
    with pytest.raises(InputError, match="of a single member"):
        plot_active_fraction([known(synthetic_contracts, 1.0, 0.5, member) for member in (0, 1)])
    with pytest.raises(InputError, match="0 finished discharges"):
        plot_active_fraction([])
