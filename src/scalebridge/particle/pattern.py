"""Sparse matrices of a fixed pattern, filled from triplets that add up."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csc_matrix

from scalebridge.foundation.compiled import compiled_arithmetic

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class SparsePattern:
    """Maps triplets with duplicates to the nonzeros of a matrix in compressed columns."""

    def __init__(self, rows: IntArray, columns: IntArray, size: int) -> None:
        self.size = size
        self._keys, self._position = np.unique(columns * size + rows, return_inverse=True)
        self.rows = self._keys % size
        self.columns = self._keys // size
        self.indptr = np.searchsorted(self._keys, np.arange(size + 1) * size).astype(np.int32)

    def data(self, values: FloatArray) -> FloatArray:
        """Return the nonzeros, column by column, for the triplets' values."""
        data = np.empty(self._keys.size)
        gather(values, self._position, data)
        return data

    @property
    def positions(self) -> IntArray:
        """Where each triplet goes in the nonzeros."""
        return np.ascontiguousarray(self._position, dtype=np.int64)

    @property
    def count(self) -> int:
        """Number of nonzeros."""
        return int(self._keys.size)

    def matrix(self, data: FloatArray) -> Any:
        """Return the ``scipy.sparse.csc_matrix`` with nonzeros ``data``."""
        return csc_matrix((data, self.rows.astype(np.int32), self.indptr), shape=(self.size, self.size))

    def find(self, rows: ArrayLike, columns: ArrayLike) -> IntArray:
        """Return the positions of entries in `data`, −1 where the pattern has a zero; arguments broadcast."""
        wanted = np.asarray(columns, dtype=np.int64) * self.size + np.asarray(rows, dtype=np.int64)
        place = np.minimum(np.searchsorted(self._keys, wanted), self._keys.size - 1)
        return np.asarray(np.where(self._keys[place] == wanted, place, -1), dtype=np.int64)

    def multiply(self, data: FloatArray, vector: FloatArray) -> FloatArray:
        """Return matrix × vector."""
        return _multiply(self.rows, self.columns, data, vector)


@compiled_arithmetic
def gather(values: FloatArray, position: IntArray, data: FloatArray) -> None:
    """Add triplets up in the nonzeros ``data``."""
    data[:] = 0.0
    for k in range(position.size):
        data[position[k]] += values[k]


@compiled_arithmetic
def _multiply(rows: IntArray, columns: IntArray, data: FloatArray, vector: FloatArray) -> FloatArray:
    product = np.zeros(vector.size)
    for k in range(data.size):
        product[rows[k]] += data[k] * vector[columns[k]]
    return product
