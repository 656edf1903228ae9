"""Square submatrices of large volume [Goreinov et al., Matrix Methods, 247 (2010)].

``A`` starts as ε·1, as in MLIP, so that sets with fewer rows than columns, or with dependent columns, need no
special case: rows of the start that no data row replaces stay and mark directions never seen.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from scalebridge.potential._kernel_data import FloatArray

IndexArray = npt.NDArray[np.int64]
START: Final = -1
"""Origin of the rows of the regularised start."""
EQUAL: Final = 1e-9
"""Rows that differ by less in each column, as a share of the column's largest entry, are one."""
_REFRESH: Final = 100
"""Swaps between two fresh inversions, which wipe out rounding errors."""


@dataclass(frozen=True, eq=False)
class Square:
    """A square matrix of rows, its inverse and where its rows come from.

    Attributes
    ----------
    matrix, inverse : (P, P)
        A and its inverse.
    origin : (P,)
        Label of each row; -1 marks rows of the start.
    """

    matrix: FloatArray
    inverse: FloatArray
    origin: IndexArray

    @property
    def n_selected(self) -> int:
        """Number of rows that come from data."""
        return int(np.count_nonzero(self.origin != START))

    def log_volume(self) -> float:
        """Return ln |det A|."""
        return float(np.linalg.slogdet(self.matrix)[1])

    def grades(self, rows: FloatArray) -> FloatArray:
        """Return max |b A⁻¹| for each row b of ``rows`` (n, P)."""
        if not len(rows):
            return np.zeros(0)
        out: FloatArray = np.abs(rows @ self.inverse).max(axis=1)
        return out


def regularised_start(size: int, epsilon: float) -> Square:
    """Return A = ε·1."""
    identity = np.eye(size)
    return Square(epsilon * identity, identity / epsilon, np.full(size, START, dtype=np.int64))


def first_equal(rows: FloatArray) -> IndexArray:
    """Return for each row the index of the first row that equals it to within rounding (n,).

    Rows are compared along one random direction, then in full with the first of their kind.
    """
    out = np.arange(len(rows), dtype=np.int64)
    if len(rows) < 2:
        return out
    size = np.abs(rows).max(axis=0)
    scaled = rows / np.where(size > 0.0, size, 1.0)
    keys = scaled @ np.random.default_rng(0).standard_normal(rows.shape[1])
    order = np.argsort(keys, kind="stable")
    breaks = np.flatnonzero(np.diff(keys[order]) > EQUAL * rows.shape[1]) + 1
    for group in np.split(order, breaks):
        left = np.sort(group)
        while len(left) > 1:
            same = np.abs(scaled[left] - scaled[left[0]]).max(axis=1) <= EQUAL
            out[left[same]] = left[0]
            left = left[~same]
    return out


def _inverse(matrix: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


def maximise_volume(
    start: Square,
    rows: FloatArray,
    origin: IndexArray,
    *,
    tolerance: float = 1.001,
    max_swaps: int = 100_000,
) -> Square:
    """Swap ``rows`` (n, P) into A while one of them raises the volume by more than the factor ``tolerance``.

    Afterwards max |b A⁻¹| ≤ tolerance for every row. A swap multiplies |det A| by |b A⁻¹|: the loop ends.
    """
    matrix, inverse, origins = start.matrix.copy(), start.inverse.copy(), start.origin.copy()
    if not len(rows):
        return start
    grades = rows @ inverse
    for swap in range(1, max_swaps + 1):
        row, column = divmod(int(np.argmax(np.abs(grades))), grades.shape[1])
        pivot = grades[row, column]
        if abs(pivot) <= tolerance:
            break
        matrix[column], origins[column] = rows[row], origin[row]
        if swap % _REFRESH == 0:
            inverse = _inverse(matrix)
            grades = rows @ inverse
            continue
        update = grades[row].copy()
        update[column] -= 1.0
        update /= pivot
        inverse -= np.outer(inverse[:, column], update)
        grades -= np.outer(grades[:, column], update)
    return Square(matrix, _inverse(matrix), origins)
