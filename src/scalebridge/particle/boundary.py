"""Where the phases meet inside a particle."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def boundary_radius(theta: FloatArray, radius: FloatArray, *, level: float = 0.5) -> FloatArray:
    """Return the outermost radius at which θ crosses ``level``, linear between nodes.

    Parameters
    ----------
    theta
        (..., shells) site fractions.
    radius
        (shells,) [m]

    Returns
    -------
    (...) [m]; without a crossing 0 if the particle is above ``level`` (the boundary has left through the
    centre) and the full radius if it is below (it has not entered).
    """
    above = theta > level
    crossing = above[..., 1:] != above[..., :-1]
    last = crossing.shape[-1] - 1 - np.argmax(crossing[..., ::-1], axis=-1)
    inner = np.take_along_axis(theta, last[..., None], axis=-1)[..., 0]
    outer = np.take_along_axis(theta, last[..., None] + 1, axis=-1)[..., 0]
    found = crossing.any(axis=-1)
    share = (level - inner) / np.where(found, outer - inner, 1.0)
    crossed = radius[last] + share * (radius[last + 1] - radius[last])
    return np.asarray(np.where(found, crossed, np.where(above[..., -1], 0.0, radius[-1])))
