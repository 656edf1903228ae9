"""The linear half of a fit: weighted least squares for ξ and the offsets at fixed radial coefficients.

Loss (MLIP's) = (1/K) Σ [w_E ΔE²/N + w_F Σ|ΔF|² + w_S Σ(VΔσ)²/N]. With the square roots of the weights in the
rows it is ‖X x − y‖², x = (ξ, offsets). A Tikhonov term λ Σ d_a² x_a², d_a the column norms, keeps the
solution bounded where columns are dependent. X is never stored: blocks of rows are folded into a triangular
factor (Golub & Van Loan, Matrix Computations, section 5.2: sequential QR).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.linalg import qr, solve_triangular

from scalebridge.potential._kernel_data import FloatArray
from scalebridge.potential._kernels import Configuration, Kernel
from scalebridge.potential.training import FitWeights, Label

_FOLD_ROWS: Final = 8192


@dataclass(frozen=True, eq=False)
class LinearSystem:
    """Triangular factor R (n, n) and Qᵀy (n,) of the weighted rows."""

    factor: FloatArray
    rotated: FloatArray

    @property
    def column_norms(self) -> FloatArray:
        """Norms of the columns of X; 1 for empty columns."""
        norms = np.sqrt(np.einsum("ij,ij->j", self.factor, self.factor))
        return np.where(norms > 0.0, norms, 1.0)


@dataclass(frozen=True, eq=False)
class LinearSolution:
    """Solution of the regularised system.

    Attributes
    ----------
    coefficients : (n,)
        ξ, then offsets.
    condition_number : float
        Of the column-normalised, regularised matrix.
    """

    coefficients: FloatArray
    condition_number: float


def frame_weights(label: Label, weights: FitWeights, n_frames: float) -> tuple[float, float, float]:
    """Return the factors of ΔE², |ΔF|² and (VΔσ)² of one frame in the loss."""
    n = label.n_atoms
    return weights.energy / n / n_frames, weights.force / n_frames, weights.stress / n / n_frames


def design_rows(
    kernel: Kernel, configuration: Configuration, label: Label, factors: tuple[float, float, float]
) -> tuple[FloatArray, FloatArray]:
    """Return the weighted rows of one frame and their targets."""
    values, gradients, virials = kernel.design(configuration)
    n_scalars = len(values)
    counts = np.bincount(label.types, minlength=len(kernel.parameters.offsets))
    n_rows = 1 + 3 * label.n_atoms + (0 if label.strain_derivative is None else 9)
    rows = np.zeros((n_rows, n_scalars + len(counts)))
    targets = np.empty(n_rows)
    energy, force, stress = np.sqrt(factors)
    rows[0, :n_scalars], rows[0, n_scalars:] = energy * values, energy * counts
    targets[0] = energy * label.energy
    end = 1 + 3 * label.n_atoms
    np.multiply(gradients.reshape(-1, n_scalars), -force, out=rows[1:end, :n_scalars])
    targets[1:end] = force * label.forces.ravel()
    if label.strain_derivative is not None:
        symmetric = -0.5 * (virials + virials.transpose(1, 0, 2))
        rows[end:, :n_scalars] = stress * symmetric.reshape(9, n_scalars)
        targets[end:] = stress * label.strain_derivative.ravel()
    return rows, targets


def fold(blocks: Iterable[tuple[FloatArray, FloatArray]], n_columns: int) -> LinearSystem:
    """Fold blocks of rows (X, y) into the triangular factor of [X y]."""
    waiting: list[FloatArray] = [np.zeros((n_columns + 1, n_columns + 1))]
    held = n_columns + 1
    for rows, targets in blocks:
        waiting.append(np.hstack([rows, targets[:, None]]))
        held += len(rows)
        if held > _FOLD_ROWS:
            waiting = [_triangle(waiting)]
            held = n_columns + 1
    whole = _triangle(waiting)
    return LinearSystem(whole[:n_columns, :n_columns], whole[:n_columns, n_columns])


def _triangle(blocks: Sequence[FloatArray]) -> FloatArray:
    stacked = np.vstack(blocks)
    (factor, *_) = qr(stacked, mode="r", overwrite_a=True, check_finite=False)
    return np.asarray(factor[: stacked.shape[1]], dtype=np.float64)


def solve_linear(
    system: LinearSystem, ridge: float, scales: FloatArray, center: FloatArray | float = 0.0
) -> LinearSolution:
    """Minimise ‖R x − Qᵀy‖² + ridge Σ (scales_a (x_a − center_a))²; ``scales`` precondition the columns."""
    n = len(system.rotated)
    middle = np.broadcast_to(center, n)
    stacked = np.vstack([system.factor / scales, np.sqrt(ridge) * np.eye(n)])
    rotation, factor = qr(stacked, mode="economic", check_finite=False)
    right = rotation[:n].T @ (system.rotated - system.factor @ middle)
    coefficients = middle + solve_triangular(factor, right, check_finite=False) / scales
    singular = np.linalg.svd(factor, compute_uv=False)
    return LinearSolution(coefficients, float(singular[0] / singular[-1]))
