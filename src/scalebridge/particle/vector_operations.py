"""SUNDIALS' most frequent vector operations, compiled for this processor.

Those of scikit-sundae's wheel are compiled for any x86-64, add up one number after the other, and make a pass
over all numbers for each term of a linear combination. In an electrode they were 40 % of the time.
"""

import ctypes
from ctypes import POINTER, c_int, c_void_p
from typing import Any

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

from scalebridge.foundation.compiled import c_callback, compiled_arithmetic, compiled_sum
from scalebridge.foundation.memory import as_doubles, word_at

FloatArray = NDArray[np.float64]

DATA = 8
"""Bytes of an N_Vector's content {length, owns data, data} before its data, with indices of 32 bits."""
LENGTH = 0x7FFFFFFF
"""The part of the content's first word that holds the length."""
TABLE_LENGTH = 60
"""Functions of an N_Vector looked through."""
PIECE = 2048
"""Numbers of a linear combination that stay in the first-level cache while its terms are added up."""

_ADDRESS = types.intp
_NUMBER = types.float64


@compiled_arithmetic
def _values(vector: int) -> FloatArray:
    """Return an N_Vector's data."""
    content = word_at(vector)
    data: FloatArray = numba.carray(as_doubles(word_at(content + DATA)), (word_at(content) & LENGTH,))
    return data


@c_callback(types.void(_NUMBER, _ADDRESS, _NUMBER, _ADDRESS, _ADDRESS))
def _linear_sum(a: float, first: int, b: float, second: int, result: int) -> None:
    """Write z = a x + b y."""
    x, y, z = _values(first), _values(second), _values(result)
    for i in range(z.size):
        z[i] = a * x[i] + b * y[i]


@c_callback(types.void(_NUMBER, _ADDRESS))
def _constant(value: float, result: int) -> None:
    """Write z = c."""
    z = _values(result)
    for i in range(z.size):
        z[i] = value


@c_callback(types.void(_NUMBER, _ADDRESS, _ADDRESS))
def _scale(factor: float, vector: int, result: int) -> None:
    """Write z = c x."""
    x, z = _values(vector), _values(result)
    for i in range(z.size):
        z[i] = factor * x[i]


@compiled_sum
def _weighted_square(x: FloatArray, weights: FloatArray) -> float:
    total = 0.0
    for i in range(x.size):
        total += (x[i] * weights[i]) ** 2
    return total


@c_callback(_NUMBER(_ADDRESS, _ADDRESS))
def _weighted_norm(vector: int, weights: int) -> float:
    """Return the root mean square of x w."""
    x = _values(vector)
    return float(np.sqrt(_weighted_square(x, _values(weights)) / x.size))


@c_callback(types.int32(types.int32, _ADDRESS, _ADDRESS, _ADDRESS))
def _linear_combination(terms: int, factors: int, vectors: int, result: int) -> int:
    """Write z = Σ c_k x_k; z may be x_0."""
    c = numba.carray(as_doubles(factors), (terms,))
    z = _values(result)
    for start in range(0, z.size, PIECE):
        piece = z[start : start + PIECE]
        x = _values(word_at(vectors))[start : start + PIECE]
        for i in range(piece.size):
            piece[i] = c[0] * x[i]
        for k in range(1, terms):
            x = _values(word_at(vectors + 8 * k))[start : start + PIECE]
            for i in range(piece.size):
                piece[i] += c[k] * x[i]
    return 0


@c_callback(types.int32(types.int32, _NUMBER, _ADDRESS, _NUMBER, _ADDRESS, _ADDRESS))
def _linear_sums(count: int, a: float, first: int, b: float, second: int, results: int) -> int:  # noqa: PLR0917
    """Write z_k = a x_k + b y_k for one k after another: x_k may be the z of the k before."""
    size = _values(word_at(results)).size
    for start in range(0, size, PIECE):
        for k in range(count):
            x = _values(word_at(first + 8 * k))[start : start + PIECE]
            y = _values(word_at(second + 8 * k))[start : start + PIECE]
            z = _values(word_at(results + 8 * k))[start : start + PIECE]
            for i in range(z.size):
                z[i] = a * x[i] + b * y[i]
    return 0


_REPLACED = {
    "N_VConst_Serial": _constant,
    "N_VLinearSum_Serial": _linear_sum,
    "N_VScale_Serial": _scale,
    "N_VWrmsNorm_Serial": _weighted_norm,
    "N_VLinearCombination_Serial": _linear_combination,
    "N_VLinearSumVectorArray_Serial": _linear_sums,
}


def replace_operations(library: Any, vector: int, data_offset: int) -> None:
    """Give a serial N_Vector, and all that are cloned from it, the operations above, where they are found.

    An N_Vector is {content, table of functions, context}; the table is its own.
    """
    if data_offset != DATA:
        return
    for name in ("LinearCombination", "LinearSumVectorArray"):
        enable = getattr(library, f"N_VEnable{name}_Serial", None)
        if enable is not None:
            enable.restype, enable.argtypes = c_int, [c_void_p, c_int]
            enable(vector, 1)
    ours = {
        ctypes.cast(getattr(library, name), c_void_p).value: operation.address
        for name, operation in _REPLACED.items()
        if hasattr(library, name)
    }
    table = ctypes.cast(ctypes.cast(vector, POINTER(c_void_p))[1], POINTER(c_void_p))
    for slot in range(TABLE_LENGTH):
        if table[slot] in ours:
            table[slot] = ours[table[slot]]
