"""Implicit systems F(t, y, y′) = 0 with sparse Jacobians, integrated by SUNDIALS IDA through scikit-sundae.

Variable-order, variable-step BDF (Hindmarsh et al., ACM TOMS 31, 363 (2005)).
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu
from sksundae.ida import IDA

from scalebridge.foundation import ConvergenceError
from scalebridge.foundation.compiled import compiled

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


REFERENCE_TOLERANCE = 1e-5


@dataclass(frozen=True, eq=False)
class ImplicitSystem:
    """F(t, y, y′) = 0."""

    residual: Callable[[FloatArray, FloatArray, FloatArray], None]
    """residual(y, y′, out): time does not enter explicitly."""
    entries: Callable[[FloatArray, float], FloatArray]
    """entries(y, cj): values of ∂F/∂y + cj ∂F/∂y′ at ``rows``, ``columns``; duplicates add up."""
    rows: IntArray
    columns: IntArray
    differential: NDArray[np.bool_]
    """(size,) which unknowns have a time derivative."""
    absolute_tolerance: FloatArray
    """(size,) at a relative tolerance of `REFERENCE_TOLERANCE`; scales with it."""


@dataclass(frozen=True, eq=False)
class ImplicitSolution:
    """What was reached."""

    time: FloatArray
    """(times,) [s]"""
    states: FloatArray
    """(times, size)"""
    event: int | None
    """Index of the event that ended the run."""
    failure: str | None
    """The solver's message if it stopped before the end, else None."""
    steps: int
    """Residual evaluations."""


class SparsePattern:
    """Maps triplets with duplicates to a compressed-column matrix of fixed pattern."""

    def __init__(self, rows: IntArray, columns: IntArray, size: int) -> None:
        key = columns * size + rows
        unique, self.position = np.unique(key, return_inverse=True)
        self.indices = (unique % size).astype(np.int32)
        self.indptr = np.searchsorted(unique, np.arange(size + 1) * size).astype(np.int32)
        self.size = size

    def data(self, values: FloatArray) -> FloatArray:
        """Return the matrix' nonzeros in column order."""
        return _gather(values, self.position, self.indices.size)

    def matrix(self, values: FloatArray) -> Any:
        """Return the scipy matrix."""
        return csc_matrix((self.data(values), self.indices, self.indptr), shape=(self.size, self.size))


@compiled
def _gather(values: FloatArray, position: IntArray, count: int) -> FloatArray:
    data = np.zeros(count)
    for k in range(values.size):
        data[position[k]] += values[k]
    return data


def consistent_start(
    system: ImplicitSystem, guess: FloatArray, *, tolerance: float = 1e-10, iterations: int = 50
) -> tuple[FloatArray, FloatArray]:
    """Return (y, y′) with F = 0: differential unknowns of ``guess`` kept, the rest by damped Newton.

    Raises
    ------
    ConvergenceError
        If Newton's iteration does not converge.
    """
    pattern = SparsePattern(system.rows, system.columns, guess.size)
    state, rates = guess.copy(), np.zeros_like(guess)
    residual = np.empty_like(guess)
    worst = np.inf
    for _ in range(iterations):
        system.residual(state, rates, residual)
        by_state = pattern.matrix(system.entries(state, 0.0))
        by_rate = pattern.matrix(system.entries(state, 1.0)) - by_state
        columns = np.where(system.differential, 0.0, 1.0)
        matrix = by_state.multiply(columns) + by_rate.multiply(1.0 - columns)
        step = splu(matrix.tocsc()).solve(-residual)
        algebraic = np.where(system.differential, 0.0, step)
        worst = float(np.max(np.abs(algebraic)))
        algebraic *= min(1.0, 2.0 / max(worst, 1e-300))
        state += algebraic
        rates += np.where(system.differential, step, 0.0)
        if worst < tolerance:
            system.residual(state, rates, residual)
            return state, rates
    raise ConvergenceError(
        f"no consistent start after {iterations} iterations (last change {worst:.3g} kT, must be below "
        f"{tolerance:.0e}); start closer to equilibrium or at a lower rate"
    )


def solve_implicit(
    system: ImplicitSystem,
    times: FloatArray,
    start: tuple[FloatArray, FloatArray],
    *,
    events: Callable[[FloatArray], FloatArray] | None = None,
    relative_tolerance: float = 1e-5,
    max_steps: int = 5000,
) -> ImplicitSolution:
    """Integrate over ``times``, which are the output times; a falling zero of ``events(y)`` ends the run."""
    pattern = SparsePattern(system.rows, system.columns, start[0].size)

    # SUNDIALS hands out read-only arrays, a type of its own to the compiled kernels: copy instead of
    # compiling everything twice
    state, state_rates = np.empty(pattern.size), np.empty(pattern.size)

    def residual(_: float, y: FloatArray, rates: FloatArray, out: FloatArray) -> None:
        state[:], state_rates[:] = y, rates
        system.residual(state, state_rates, out)

    def jacobian(_: float, y: FloatArray, _r: FloatArray, _f: FloatArray, cj: float, out: FloatArray) -> None:
        state[:] = y
        out[:] = pattern.data(system.entries(state, cj))

    options: dict[str, Any] = {}
    if events is not None:
        count = events(start[0]).size

        def eventsfn(_: float, y: FloatArray, _r: FloatArray, out: FloatArray) -> None:
            out[:] = events(y)

        vars(eventsfn).update(terminal=[True] * count, direction=[-1] * count)
        options = {"eventsfn": eventsfn, "num_events": count}
    with warnings.catch_warnings():
        # scikit-sundae asks for a pattern with every sparse solver and then says that it has a Jacobian too
        warnings.filterwarnings("ignore", message="Custom sparse Jacobian approximation")
        solver = IDA(
            residual,
            jacfn=jacobian,
            linsolver="sparse",
            sparsity=csc_matrix(
                (np.ones(pattern.indices.size), pattern.indices, pattern.indptr),
                shape=(pattern.size, pattern.size),
            ),
            algebraic_idx=np.flatnonzero(~system.differential),
            rtol=relative_tolerance,
            atol=system.absolute_tolerance * relative_tolerance / REFERENCE_TOLERANCE,
            max_num_steps=max_steps,
            **options,
        )
    result = solver.solve(times, *start)
    event = None if result.i_events is None else int(np.flatnonzero(result.i_events[-1])[0])
    return ImplicitSolution(
        time=np.array(result.t),
        states=np.array(result.y),
        event=event,
        failure=None if result.success else str(result.message),
        steps=int(result.nfev),
    )
