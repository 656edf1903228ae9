"""Position of the phase boundary from θ on equal cells."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scalebridge.plotting.electrode import boundary_position


@given(position=st.floats(0.05, 0.95), slope=st.floats(0.1, 5.0), cells=st.integers(20, 60))
def test_a_linear_profile_is_located_exactly(position: float, slope: float, cells: int) -> None:
    radius = (np.arange(cells) + 0.5) / cells
    theta = 0.5 + slope * (radius - position)
    inside = 0.5 / cells < position < 1 - 0.5 / cells
    found = boundary_position(theta)
    if inside:
        np.testing.assert_allclose(found, position, atol=1e-9)


def test_a_particle_without_boundary_gives_nan_and_the_outermost_counts() -> None:
    radius = (np.arange(40) + 0.5) / 40
    theta = np.array(
        [np.full(40, 0.02), np.full(40, 0.97), np.where((radius < 0.2) | (radius > 0.7), 0.9, 0.1)]
    )
    found = boundary_position(theta)
    assert np.isnan(found[:2]).all()
    np.testing.assert_allclose(found[2], 0.7, atol=0.5 / 40)
