"""Compiled inner loops of the site density: a few 3-vectors at a time, where NumPy would mostly wait."""

import math

import numpy as np
from numpy.typing import NDArray

from scalebridge.foundation.compiled import compiled

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]

REACH = 8.5
"""Images beyond this many widths are left out of the sum: exp(−REACH²/2) is 2e-16."""


@compiled
def inverse_of(cell: FloatArray) -> FloatArray:
    """Return the inverse of a 3×3 matrix by cofactors."""
    out = np.empty((3, 3))
    for i in range(3):
        a, b = (i + 1) % 3, (i + 2) % 3
        for j in range(3):
            c, d = (j + 1) % 3, (j + 2) % 3
            out[j, i] = cell[a, c] * cell[b, d] - cell[a, d] * cell[b, c]
    determinant = cell[0, 0] * out[0, 0] + cell[0, 1] * out[1, 0] + cell[0, 2] * out[2, 0]
    inverse: FloatArray = out / determinant
    return inverse


@compiled
def image_reach(inverse: FloatArray, width: float) -> IndexArray:
    """Return how many lattice translations to each side are within REACH widths."""
    out = np.empty(3, dtype=np.int64)
    for k in range(3):
        height = 1 / math.sqrt(inverse[0, k] ** 2 + inverse[1, k] ** 2 + inverse[2, k] ** 2)
        out[k] = int(REACH * width / height + 0.5)
    return out


@compiled
def component_logs(
    position: FloatArray, centres: FloatArray, cell: FloatArray, width: float, uniform: float
) -> tuple[FloatArray, FloatArray]:
    """Return ln b_c g_c of every component and image, and the images' lattice translations.

    Returns
    -------
    (n_sites + 1, n_images), the last row the uniform density (first entry, then −inf), and
    (n_sites, n_images, 3).
    """
    n = len(centres)
    inverse = inverse_of(cell)
    reach = image_reach(inverse, width)
    count = (2 * reach[0] + 1) * (2 * reach[1] + 1) * (2 * reach[2] + 1)
    logs = np.full((n + 1, count), -np.inf)
    images = np.empty((n, count, 3))
    sites = 1 - uniform if n > 0 else 0.0
    peak = -np.inf
    if sites > 0:
        peak = math.log(sites / n) - 3 * math.log(math.sqrt(2 * math.pi) * width)
    if sites < 1:
        determinant = inverse[0, 0] * (inverse[1, 1] * inverse[2, 2] - inverse[1, 2] * inverse[2, 1])
        determinant -= inverse[0, 1] * (inverse[1, 0] * inverse[2, 2] - inverse[1, 2] * inverse[2, 0])
        determinant += inverse[0, 2] * (inverse[1, 0] * inverse[2, 1] - inverse[1, 1] * inverse[2, 0])
        logs[n, 0] = math.log((1 - sites) * abs(determinant))
    for site in range(n):
        offset = position - centres[site]
        nearest = np.zeros(3)
        for axis in range(3):
            scaled = 0.0
            for other in range(3):
                scaled += offset[other] * inverse[other, axis]
            nearest[axis] = np.rint(scaled)
        entry = 0
        for i in range(-reach[0], reach[0] + 1):
            for j in range(-reach[1], reach[1] + 1):
                for k in range(-reach[2], reach[2] + 1):
                    square = 0.0
                    a, b, c = nearest[0] + i, nearest[1] + j, nearest[2] + k
                    for axis in range(3):
                        shift = a * cell[0, axis] + b * cell[1, axis] + c * cell[2, axis]
                        square += (offset[axis] - shift) ** 2
                    logs[site, entry] = peak - 0.5 * square / width**2
                    images[site, entry, 0] = a
                    images[site, entry, 1] = b
                    images[site, entry, 2] = c
                    entry += 1
    return logs, images


@compiled
def log_sum(logs: FloatArray) -> float:
    """Return ln Σ exp over all entries; at least one is finite."""
    largest = logs.max()
    total = 0.0
    for value in logs.ravel():
        total += math.exp(value - largest)
    return float(largest + math.log(total))


@compiled
def pick(weights: FloatArray, uniform: float) -> int:
    """Return the index at which the running sum of the weights passes ``uniform`` (0 … 1) of the total."""
    target = uniform * weights.sum()
    running = 0.0
    for index in range(len(weights)):
        running += weights[index]
        if target < running:
            return index
    return int(np.argmax(weights))


@compiled
def nearest_sites(ions: FloatArray, centres: FloatArray, cell: FloatArray) -> tuple[IndexArray, FloatArray]:
    """Return each ion's nearest site (N,) and its squared distance (N,) [Å²], by nearest scaled images."""
    inverse = inverse_of(cell)
    nearest = np.zeros(len(ions), dtype=np.int64)
    squares = np.full(len(ions), np.inf)
    for ion in range(len(ions)):
        for site in range(len(centres)):
            offset = ions[ion] - centres[site]
            image = offset.copy()
            for axis in range(3):
                scaled = 0.0
                for other in range(3):
                    scaled += offset[other] * inverse[other, axis]
                turns = np.rint(scaled)
                for other in range(3):
                    image[other] -= turns * cell[axis, other]
            square = image[0] ** 2 + image[1] ** 2 + image[2] ** 2
            if square < squares[ion]:
                squares[ion] = square
                nearest[ion] = site
    return nearest, squares
