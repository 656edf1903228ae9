"""Numba's ``njit`` with a typed signature: kernels keep their annotations under ``mypy --strict``."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import config

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile a kernel to machine code on its first call; the result is cached on disk."""
    return cast(F, numba.njit(cache=True)(function))


def compiled_arithmetic(function: F) -> F:
    """Compile as `compiled`, with NumPy's division: by zero it gives infinity, not an error.

    The check for zero at every division keeps loops from being vectorised.
    """
    return cast(F, numba.njit(cache=True, error_model="numpy")(function))


def compiled_sum(function: F) -> F:
    """Compile as `compiled_arithmetic`, with sums in any order: several terms are added at once."""
    return cast(F, numba.njit(cache=True, error_model="numpy", fastmath={"reassoc"})(function))


def inlined_arithmetic(function: F) -> F:
    """Compile as `compiled_arithmetic`, written out in its callers: for a few operations in a hot loop.

    Handing an array to a function counts its references up and down, which costs more than a few operations.
    """
    return cast(F, numba.njit(cache=True, error_model="numpy", inline="always")(function))


def c_callback(signature: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function of a Numba signature to one that C can call, at ``address`` of the result."""
    return cast(Callable[[Callable[..., Any]], Any], numba.cfunc(signature, cache=True))


def announce_compilation(source: str, what: str) -> None:
    """Say on stderr that a file's kernels are about to be compiled, where none are cached yet.

    Parameters
    ----------
    source
        The file, its ``__file__``.
    what
        Whose kernels, in words.
    """
    path = Path(source)
    own = path.parent / "__pycache__"
    folder = Path(config.CACHE_DIR) if config.CACHE_DIR else own
    # an installation that nobody may write to is cached elsewhere
    if not any(folder.rglob(f"{path.stem}.*.nbi")) and (config.CACHE_DIR or os.access(path.parent, os.W_OK)):
        print(f"compiling the kernels of {what}, once: one to two minutes", file=sys.stderr, flush=True)


def drop_stale_caches(package: Path) -> int:
    """Delete cached kernels that are older than the newest kernel source; return how many.

    Numba renews a cached function when its own file changes, not when a kernel from another file that it has
    inlined changes.
    """
    marker = f"from {__name__} import"
    sources = [path for path in package.rglob("*.py") if marker in path.read_text(encoding="utf-8")]
    newest = max((path.stat().st_mtime for path in sources), default=0.0)
    dropped = 0
    for source in sources:
        for cached in source.parent.glob(f"__pycache__/{source.stem}.*.nbi"):
            with suppress(OSError):  # another process was faster, or the installation is read-only
                if cached.stat().st_mtime < newest:
                    cached.unlink()
                    dropped += 1
    return dropped


drop_stale_caches(Path(__file__).parents[1])
