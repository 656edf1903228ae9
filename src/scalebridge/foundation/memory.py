"""Named tuples of arrays behind a bare address: what callbacks from C get instead of Python objects.

A library such as SUNDIALS hands its callbacks one pointer. `Stored` writes the machine form of a (nested)
named tuple of arrays and numbers to memory, and what `loader` makes reads it there, in compiled code.
"""

from typing import Any

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from scalebridge.foundation.errors import InputError


def _intrinsic(function: Any) -> Any:
    """Return Numba's intrinsic of a function: its typing and its code."""
    return intrinsic(function)


def _without_owner(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    """Return the value with its arrays' reference counts cut off: the reader only borrows."""
    if isinstance(kind, types.Array):
        array = context.make_array(kind)(context, builder, value=value)
        array.meminfo = cgutils.get_null_value(array.meminfo.type)
        array.parent = cgutils.get_null_value(array.parent.type)
        return array._getvalue()
    if isinstance(kind, types.BaseTuple):
        for i, part in enumerate(kind.types):
            inner = _without_owner(context, builder, part, builder.extract_value(value, i))
            value = builder.insert_value(value, inner, i)
    return value


@_intrinsic
def _store(_context: Any, _address: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[1]
        bare = _without_owner(context, builder, kind, arguments[1])
        builder.store(bare, builder.inttoptr(arguments[0], context.get_value_type(kind).as_pointer()))
        return context.get_dummy_value()

    return types.void(types.intp, value), generate


@_intrinsic
def _size(_context: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = context.get_value_type(signature.args[0])
        return ir.Constant(ir.IntType(64), context.get_abi_sizeof(kind))

    return types.intp(value), generate


def _measure_value(value: Any) -> int:
    return int(_size(value))


def _write_value(address: int, value: Any) -> None:
    _store(address, value)


_measure, _write = numba.njit(_measure_value), numba.njit(_write_value)


def loader(example: Any) -> Any:
    """Return the compiled function address → named tuple, of the type of ``example``."""
    kind = numba.typeof(example)

    @_intrinsic
    def load(_context: Any, _address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            place = builder.inttoptr(arguments[0], context.get_value_type(kind).as_pointer())
            return builder.load(place)

        return kind(types.intp), generate

    return load


@_intrinsic
def as_doubles(_context: Any, _address: Any) -> Any:
    """Return an address as a pointer to doubles, for ``numba.carray``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], ir.DoubleType().as_pointer())

    return types.CPointer(types.float64)(types.intp), generate


@_intrinsic
def word_at(_context: Any, _address: Any) -> Any:
    """Return the pointer-sized integer at an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(builder.inttoptr(arguments[0], ir.IntType(64).as_pointer()))

    return types.intp(types.intp), generate


@_intrinsic
def call_with_two(_context: Any, _function: Any, _first: Any, _second: Any) -> Any:
    """Call the C function ``int f(void *, void *)`` at an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        kind = ir.FunctionType(ir.IntType(32), [word, word])
        return builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), arguments[1:])

    return types.int32(types.intp, types.intp, types.intp), generate


@_intrinsic
def address_of(_context: Any, _array: Any) -> Any:
    """Return where the data of an array stand."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, value=arguments[0])
        return builder.ptrtoint(array.data, ir.IntType(64))

    return types.intp(_array), generate


class Stored:
    """A named tuple in memory, alive as long as this object.

    Parameters
    ----------
    value
        A named tuple of C-contiguous writable arrays, numbers and such tuples.
    example
        What the `loader` that reads it was made from.

    Raises
    ------
    InputError
        If the two differ in a type.
    """

    def __init__(self, value: Any, example: Any) -> None:
        if numba.typeof(value) != numba.typeof(example):
            raise InputError(
                f"{type(value).__name__} has the compiled type {numba.typeof(value)}, its reader expects "
                f"{numba.typeof(example)}; make its arrays contiguous, writable and of the same kinds"
            )
        self._value = value
        self._memory: NDArray[np.float64] = np.zeros(_measure(value) // 8 + 2)
        _write(self.address, value)

    @property
    def address(self) -> int:
        """Where the tuple stands."""
        return int(self._memory.ctypes.data)
