"""Variables of the descent over the radial coefficients, in which the data find all directions equally stiff.

The metric of central species z is H_z = mean of g gᵀ, g = ∂E_i/∂c over the neighbourhoods of z, scaled to
mean diagonal one. All coefficients: with H_z + δ·1 = L Lᵀ the variables are y = Lᵀ (c − c₀), species by
species. Of low rank: the matrix of the coefficients, pairs of species by (μ, k), is the product of A (S², R)
and B (R, MK): each pair mixes R radial shapes that all pairs share. Its metric is Jᵀ H J, J = ∂c/∂(A, B);
A and B may be rescaled against each other without any change of c, a direction that only δ holds.
"""

from typing import Protocol

import numpy as np
from scipy.linalg import solve_triangular

from scalebridge.potential._kernel_data import FloatArray


class Coordinates(Protocol):
    """Variables y, zero at the point they were made at."""

    size: int

    def radial(self, y: FloatArray) -> FloatArray:
        """Return the coefficients (S, S, M, K) at y."""

    def pull(self, y: FloatArray, gradient: FloatArray) -> FloatArray:
        """Return the derivative by y of a function whose derivative by the coefficients is ``gradient``."""


class AllCoefficients:
    """Every coefficient on its own."""

    def __init__(self, radial: FloatArray, metric: FloatArray, damping: float) -> None:
        self.size = radial.size
        self._origin = radial
        self._factors = [np.linalg.cholesky(block + damping * np.eye(len(block))) for block in metric]

    def radial(self, y: FloatArray) -> FloatArray:
        """Return c₀ + L⁻ᵀ y."""
        rows = y.reshape(len(self._origin), -1)
        steps = [
            solve_triangular(factor, row, lower=True, trans="T")
            for factor, row in zip(self._factors, rows, strict=True)
        ]
        return np.asarray(self._origin + np.asarray(steps).reshape(self._origin.shape))

    def pull(self, y: FloatArray, gradient: FloatArray) -> FloatArray:
        """Return L⁻¹ ∂/∂c."""
        rows = gradient.reshape(len(self._origin), -1)
        return np.concatenate(
            [
                solve_triangular(factor, row, lower=True)
                for factor, row in zip(self._factors, rows, strict=True)
            ]
        )


class LowRank:
    """Coefficients that are a product of A and B, the balanced halves of a singular value decomposition."""

    def __init__(self, radial: FloatArray, metric: FloatArray, damping: float, rank: int) -> None:
        self._shape = radial.shape
        self._mixing, self._shapes = halves(radial, rank)
        jacobian = self._jacobian()
        blocks = jacobian.reshape(len(metric), -1, jacobian.shape[1])
        stiff = sum(block.T @ own @ block for block, own in zip(blocks, metric, strict=True))
        size = float(np.trace(stiff)) / len(stiff)
        scaled = stiff / size if size > 0.0 else np.zeros_like(stiff)
        self._factor = np.linalg.cholesky(scaled + damping * np.eye(len(stiff)))
        self.size = len(stiff)

    def _jacobian(self) -> FloatArray:
        """Return ∂c/∂(A, B), shape (S² MK, S² R + R MK)."""
        pairs, width = len(self._mixing), self._shapes.shape[1]
        by_mixing = np.kron(np.eye(pairs), self._shapes.T)
        by_shapes = np.kron(self._mixing, np.eye(width))
        return np.hstack([by_mixing, by_shapes])

    def _moved(self, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        change = solve_triangular(self._factor, y, lower=True, trans="T")
        mixing, shapes = np.split(change, [self._mixing.size])
        return (
            self._mixing + mixing.reshape(self._mixing.shape),
            self._shapes + shapes.reshape(self._shapes.shape),
        )

    def radial(self, y: FloatArray) -> FloatArray:
        """Return A B at y."""
        mixing, shapes = self._moved(y)
        return np.asarray((mixing @ shapes).reshape(self._shape))

    def pull(self, y: FloatArray, gradient: FloatArray) -> FloatArray:
        """Return L⁻¹ (∂/∂A, ∂/∂B)."""
        mixing, shapes = self._moved(y)
        matrix = gradient.reshape(len(mixing), -1)
        both = np.concatenate([(matrix @ shapes.T).ravel(), (mixing.T @ matrix).ravel()])
        return np.asarray(solve_triangular(self._factor, both, lower=True))


def halves(radial: FloatArray, rank: int) -> tuple[FloatArray, FloatArray]:
    """Return A (S², R) and B (R, MK) whose product is nearest to the coefficients."""
    left, values, right = np.linalg.svd(
        radial.reshape(radial.shape[0] * radial.shape[1], -1), full_matrices=False
    )
    root = np.sqrt(values[:rank])
    return left[:, :rank] * root, root[:, None] * right[:rank]


def coordinates(radial: FloatArray, metric: FloatArray, damping: float, rank: int | None) -> Coordinates:
    """Return the variables for a rank, all coefficients where it is None."""
    if rank is None:
        return AllCoefficients(radial, metric, damping)
    return LowRank(radial, metric, damping, rank)
