"""Factors of band matrices without pivoting: five diagonals of every particle, and one wider band."""

import numpy as np
from numpy.typing import NDArray

from scalebridge.foundation.compiled import compiled_arithmetic
from scalebridge.particle._jacobian import Blocks

FloatArray = NDArray[np.float64]

PADDING = 2
"""Rows of zeros before, and where needed behind, those of the shells: a shell's neighbours always exist."""


@compiled_arithmetic
def five_factor(b: Blocks, by_odds: FloatArray, cj: float, lu: FloatArray) -> None:
    """Factorise the pentadiagonal Y − (Q + cj) D of every particle, see `GroupFactors`; Y: ``by_odds``."""
    n, count = b.slope.shape
    slope, by_theta = b.slope, b.by_theta
    for i in range(n):
        r, q, s = i + PADDING, i + PADDING - 1, i + PADDING - 2
        for k in range(count):
            lu[0, r, k] = -by_theta[i, 0, k] * slope[max(i - 2, 0), k] * lu[2, s, k]
        for k in range(count):
            value = by_odds[i, 0, k] - by_theta[i, 1, k] * slope[max(i - 1, 0), k]
            lu[1, r, k] = (value - lu[0, r, k] * lu[3, s, k]) * lu[2, q, k]
        for k in range(count):
            value = by_odds[i, 1, k] - (by_theta[i, 2, k] + cj) * slope[i, k]
            lu[2, r, k] = 1.0 / (value - lu[0, r, k] * lu[4, s, k] - lu[1, r, k] * lu[3, q, k])
        for k in range(count):
            value = by_odds[i, 2, k] - by_theta[i, 3, k] * slope[min(i + 1, n - 1), k]
            lu[3, r, k] = value - lu[1, r, k] * lu[4, q, k]
        for k in range(count):
            lu[4, r, k] = -by_theta[i, 4, k] * slope[min(i + 2, n - 1), k]


@compiled_arithmetic
def five_solve(lu: FloatArray, x: FloatArray) -> None:
    """Overwrite x (n + 4, particles), zero in the padding, with the solutions."""
    n, count = lu.shape[1] - PADDING, lu.shape[2]
    for r in range(PADDING, n + PADDING):
        for k in range(count):
            x[r, k] -= lu[0, r, k] * x[r - 2, k] + lu[1, r, k] * x[r - 1, k]
    for r in range(n + PADDING - 1, PADDING - 1, -1):
        for k in range(count):
            x[r, k] = (x[r, k] - lu[3, r, k] * x[r + 1, k] - lu[4, r, k] * x[r + 2, k]) * lu[2, r, k]


@compiled_arithmetic
def band_factor(band: FloatArray) -> None:
    """Factorise a band matrix (size, 2b + 1) in place: unit L below, U on and above the middle."""
    size, half = band.shape[0], band.shape[1] // 2
    for k in range(size):
        pivot = 1.0 / band[k, half]
        for i in range(k + 1, min(size, k + half + 1)):
            multiple = band[i, half + k - i] * pivot
            band[i, half + k - i] = multiple
            for j in range(1, half + 1):
                band[i, half + k - i + j] -= multiple * band[k, half + j]


@compiled_arithmetic
def band_solve(band: FloatArray, x: FloatArray) -> None:
    """Overwrite x with the solution."""
    size, half = band.shape[0], band.shape[1] // 2
    for i in range(size):
        total = x[i]
        for k in range(max(0, i - half), i):
            total -= band[i, half + k - i] * x[k]
        x[i] = total
    for i in range(size - 1, -1, -1):
        total = x[i]
        for k in range(i + 1, min(size, i + half + 1)):
            total -= band[i, half + k - i] * x[k]
        x[i] = total / band[i, half]
