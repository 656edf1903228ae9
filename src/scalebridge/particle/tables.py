"""Smooth functions of the site fraction as piecewise cubics on uniform knots of [0, 1], for the kernels.

The physics stays where it is written (contracts); a table only carries it into compiled code.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline, PchipInterpolator

from scalebridge.foundation.compiled import compiled_arithmetic, inlined_arithmetic

FloatArray = NDArray[np.float64]

INTERVALS = 512


def tabulate(function: Callable[[FloatArray], FloatArray], intervals: int = INTERVALS) -> FloatArray:
    """Return the cubic spline (C²) of a smooth function of θ; shape (intervals, 4), highest power first."""
    knots = np.linspace(0.0, 1.0, intervals + 1)
    return np.ascontiguousarray(CubicSpline(knots, function(knots)).c.T)


def tabulate_monotone(function: Callable[[FloatArray], FloatArray], intervals: int = 64) -> FloatArray:
    """Return the monotone cubic (C¹) of a function of θ with kinks; shape (intervals, 4)."""
    knots = np.linspace(0.0, 1.0, intervals + 1)
    return np.ascontiguousarray(PchipInterpolator(knots, function(knots)).c.T)


@inlined_arithmetic
def evaluate(table: FloatArray, theta: float) -> tuple[float, float]:
    """Return value and slope at θ; outside [0, 1] the end pieces continue."""
    intervals = table.shape[0]
    i = min(max(int(theta * intervals), 0), intervals - 1)
    d = theta - i / intervals
    a, b, c, value = table[i, 0], table[i, 1], table[i, 2], table[i, 3]
    return ((a * d + b) * d + c) * d + value, (3.0 * a * d + 2.0 * b) * d + c


@inlined_arithmetic
def evaluate_curved(table: FloatArray, theta: float) -> tuple[float, float, float]:
    """Return value, slope and second derivative at θ, as `evaluate`."""
    intervals = table.shape[0]
    i = min(max(int(theta * intervals), 0), intervals - 1)
    d = theta - i / intervals
    a, b, c, value = table[i, 0], table[i, 1], table[i, 2], table[i, 3]
    return (
        ((a * d + b) * d + c) * d + value,
        (3.0 * a * d + 2.0 * b) * d + c,
        6.0 * a * d + 2.0 * b,
    )


@compiled_arithmetic
def evaluate_many(table: FloatArray, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return values and slopes at every θ of a one-dimensional array."""
    values, slopes = np.empty_like(theta), np.empty_like(theta)
    for i in range(theta.size):
        values[i], slopes[i] = evaluate(table, theta[i])
    return values, slopes


def integrate(table: FloatArray, theta: FloatArray) -> FloatArray:
    """Return ∫₀^θ of the tabulated function, exactly; same shape as ``theta``."""
    intervals = table.shape[0]
    width = 1.0 / intervals
    powers = np.array([width**4 / 4, width**3 / 3, width**2 / 2, width])
    below = np.concatenate([[0.0], np.cumsum(table @ powers)])
    index = np.clip((theta * intervals).astype(int), 0, intervals - 1)
    d = theta - index / intervals
    a, b, c, value = (table[index, k] for k in range(4))
    return np.asarray(below[index] + d * (value + d * (c / 2 + d * (b / 3 + d * a / 4))))
