"""Direct solution of the linear systems of implicit steps: by blocks, or as one sparse matrix."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import splu

from scalebridge.particle.block_solver import block_factor, block_solve
from scalebridge.particle.groups import Jacobian, SparseJacobian, empty_factors

FloatArray = NDArray[np.float64]


class DirectSolver(Protocol):
    """Solves (∂F/∂y + cj ∂F/∂y′) x = right by the factors for one cj."""

    cj: float
    """Of the factors; not a number before there are any."""

    def factorise(self, jacobian: Any, cj: float) -> None:
        """Factorise a Jacobian, of the kind that the solver was made for."""

    def solve(self, right: FloatArray, solution: FloatArray) -> None:
        """Fill the solution; ``right`` may be overwritten."""


class BlockElimination:
    """By `block_solver`, of particles that are coupled by the outer unknowns alone."""

    def __init__(self, jacobian: Jacobian) -> None:
        self._jacobian = jacobian
        self._factors = empty_factors(jacobian)
        self.cj = np.nan

    def factorise(self, jacobian: Jacobian, cj: float) -> None:
        """See `DirectSolver`."""
        self._jacobian, self.cj = jacobian, cj
        block_factor(jacobian, cj, self._factors)

    def solve(self, right: FloatArray, solution: FloatArray) -> None:
        """See `DirectSolver`."""
        block_solve(self._jacobian, self._factors, right, solution)


class SparseElimination:
    """By a sparse LU decomposition (SuperLU), of any system."""

    def __init__(self) -> None:
        self._factors: Any = None
        self.cj = np.nan

    def factorise(self, jacobian: SparseJacobian, cj: float) -> None:
        """See `DirectSolver`."""
        self.cj = cj
        self._factors = splu((jacobian.by_state + cj * jacobian.by_rate).tocsc())

    def solve(self, right: FloatArray, solution: FloatArray) -> None:
        """See `DirectSolver`."""
        solution[:] = self._factors.solve(right)


def direct_solver(jacobian: Jacobian | SparseJacobian) -> DirectSolver:
    """Return a solver for a Jacobian's kind."""
    return BlockElimination(jacobian) if isinstance(jacobian, Jacobian) else SparseElimination()
