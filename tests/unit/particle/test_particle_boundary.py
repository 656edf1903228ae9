"""Where θ crosses the levels of the phase boundaries."""

import numpy as np
import pytest

from scalebridge.particle import boundary_radius


def test_boundary_radius_at_every_level() -> None:
    radius = np.linspace(0, 1, 11)
    theta = np.array([np.where(radius > 0.63, 0.9, 0.1), np.full(11, 0.2), np.full(11, 0.8)])
    found = boundary_radius(theta, radius, np.array([0.5, 0.85]))
    assert found == pytest.approx(np.array([[0.65, 0.69375], [1.0, 1.0], [0.0, 1.0]]))
    smooth = 0.5 + (radius - 0.437)
    assert boundary_radius(smooth, radius, np.array([0.5, 0.84])) == pytest.approx([0.437, 0.777])
    assert boundary_radius(theta, radius, np.array([])).shape == (3, 0)
