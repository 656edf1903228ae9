"""Maps of platelets of known profiles."""

import numpy as np
import pytest

from scalebridge.foundation import InputError
from scalebridge.particle import PlateletSolution
from scalebridge.plotting import plot_platelet, plot_wave_share

LENGTH, DEPTH = 4e-8, 5e-9
FILLINGS = np.array([0.1, 0.45, 0.8])


def solution() -> PlateletSolution:
    """θ falls from the surface to the middle and is even along the length."""
    profile = FILLINGS[:, None, None] + 0.1 * np.linspace(-1, 1, 6)
    return PlateletSolution(
        time=np.arange(3.0),
        voltage=np.zeros(3),
        filling=FILLINGS,
        current_density=np.zeros((3, 9)),
        theta=profile * np.ones((3, 9, 6)),
        position=np.linspace(0, LENGTH, 9),
        depth=np.linspace(0, DEPTH, 6),
        free_energy=np.zeros(3),
        phase_variance=(np.zeros(3), np.zeros(3)),
        wave_share=np.zeros(3),
        termination="time",
        status="made up",
    )


def test_both_halves_are_drawn_at_the_fillings_asked() -> None:
    figure = plot_platelet({"one": solution(), "two": solution()}, (0.12, 0.8))
    panels = figure.axes[:4]
    drawn = [np.asarray(panel.collections[0].get_array()).reshape(11, 9) for panel in panels]
    for values, filling in zip(drawn, (0.1, 0.8, 0.1, 0.8), strict=True):
        assert values[5] == pytest.approx(filling - 0.1)
        assert values[[0, -1]] == pytest.approx(filling + 0.1)
    assert panels[0].get_ylim() == pytest.approx((-5.0, 5.0))
    assert panels[2].get_xlim() == pytest.approx((0.0, 40.0))
    assert panels[2].get_ylabel().startswith("two")


def test_fillings_out_of_reach_are_refused() -> None:
    with pytest.raises(InputError, match=r"filling 0\.9 of 'one', which goes from 0\.1 to 0\.8"):
        plot_platelet({"one": solution()}, (0.9,))


def test_shares_against_the_ratio_of_rates() -> None:
    ratio, share = np.array([0.1, 1.0, 10.0]), np.array([1.0, 0.6, 0.0])
    (axes,) = plot_wave_share({"thin": (ratio, share)}, "half full").axes
    assert np.asarray(axes.lines[0].get_data()) == pytest.approx(np.stack([ratio, share]))
    assert axes.get_xscale() == "log"
    assert "half full" in axes.get_ylabel()
