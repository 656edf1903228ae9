"""Where the phases meet inside a particle."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def boundary_radius(theta: FloatArray, radius: FloatArray, levels: FloatArray) -> FloatArray:
    """Return the outermost radius at which θ crosses each level, linear between nodes.

    Parameters
    ----------
    theta
        (..., shells) site fractions.
    radius
        (shells,) [m]
    levels
        (gaps,) site fractions in the middle of the miscibility gaps, see `ParticleModel.boundary_levels`.

    Returns
    -------
    (..., gaps) [m]; without a crossing 0 if the particle is above the level (the boundary has left through
    the centre) and the full radius if it is below (it has not entered).
    """
    profile = theta[..., None, :]
    level = np.asarray(levels)[:, None]
    above = profile > level
    crossing = above[..., 1:] != above[..., :-1]
    last = crossing.shape[-1] - 1 - np.argmax(crossing[..., ::-1], axis=-1)
    inner = np.take_along_axis(theta, last, axis=-1)
    outer = np.take_along_axis(theta, last + 1, axis=-1)
    found = crossing.any(axis=-1)
    share = (levels - inner) / np.where(found, outer - inner, 1.0)
    crossed = radius[last] + share * (radius[last + 1] - radius[last])
    return np.asarray(np.where(found, crossed, np.where(above[..., -1], 0.0, radius[-1])))
