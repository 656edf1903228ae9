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
EQUAL: Final = 1e-6
"""Rows that differ by less in each column, as a share of the column's largest entry, are one.

Copies that went through a file with eight decimals of positions and cell differ by 1e-7 or two.
"""
_EMPTY: Final = 1e-12
"""Columns whose largest entry is less than this share of the largest of all hold nothing but rounding."""
_DIRECTIONS: Final = 8
"""Random directions along which rows are compared before they are compared in full."""
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
    """Return for each row the index of the first row that equals it to within `EQUAL` (n,).

    Rows are sorted along a random direction; those near each other are compared along a few more, then in
    full with the first of their kind.
    """
    out = np.arange(len(rows), dtype=np.int64)
    if len(rows) < 2:
        return out
    size = np.abs(rows).max(axis=0)
    scaled = rows / np.where(size > _EMPTY * size.max(), size, max(float(size.max()), 1.0))
    directions = np.random.default_rng(0).standard_normal((rows.shape[1], _DIRECTIONS))
    keys = scaled @ directions
    reach = EQUAL * np.abs(directions).sum(axis=0)
    order = np.argsort(keys[:, 0], kind="stable")
    along = keys[order, 0]
    begins = np.searchsorted(along, keys[:, 0] - reach[0], side="left")
    ends = np.searchsorted(along, keys[:, 0] + reach[0], side="right")
    for row in np.flatnonzero(ends - begins > 1):
        if out[row] != row:
            continue
        near = order[begins[row] : ends[row]]
        near = near[(near > row) & (out[near] == near)]
        near = near[(np.abs(keys[near] - keys[row]) <= reach).all(axis=1)]
        out[near[np.abs(scaled[near] - scaled[row]).max(axis=1, initial=0.0) <= EQUAL]] = row
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
