"""Numba's ``njit`` with a typed signature: kernels keep their annotations under ``mypy --strict``."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile a kernel to machine code on its first call; the result is cached on disk."""
    return cast(F, numba.njit(cache=True)(function))
