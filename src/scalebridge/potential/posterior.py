"""The linear posterior of a fit: ξ and offsets as a Gaussian about the best estimate, radial functions fixed.

With weighted rows X of unit variance σ² the posterior of least squares with the Tikhonov term as prior is
N(x̂, σ² (XᵀX + ridge D²)⁻¹) [Bishop, Pattern Recognition and Machine Learning (2006), section 3.3]. The errors
of a potential are those of its form, not noise, so σ² from the training residual is too small: the posterior
is widened by one factor until held-out errors fit it (scaling of the variance, as Imbalzano et al., J. Chem.
Phys. 154, 074102 (2021), section II C, do with committees).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from ase import Atoms
from scipy.linalg import solve_triangular
from scipy.stats import norm

from scalebridge.foundation import InputError, random_stream
from scalebridge.potential._kernel_data import FloatArray
from scalebridge.potential._objective import Objective
from scalebridge.potential.assessment import evaluate_errors
from scalebridge.potential.calibration import BAND, calibrate, require_held_out
from scalebridge.potential.fitting import FitSettings
from scalebridge.potential.model import MomentTensorPotential
from scalebridge.potential.training import Label, labels_of


@dataclass(frozen=True, eq=False)
class LinearPosterior:
    """A Gaussian about a potential's linear coefficients.

    Attributes
    ----------
    potential : MomentTensorPotential
        Its mean.
    factor : (n, n)
        Upper triangular; the covariance of (ξ, offsets) is scale² (factorᵀ factor)⁻¹.
    scale : float
        Widening by the calibration; 1 without one.
    coverage : float
        Fraction of held-out energies inside the 90 % band, each with the scale of all others; NaN without a
        calibration.
    """

    potential: MomentTensorPotential
    factor: FloatArray
    scale: float = 1.0
    coverage: float = float("nan")

    def draw(self, members: int, *, seed: int = 0) -> tuple[MomentTensorPotential, ...]:
        """Return ``members`` potentials drawn from the posterior.

        Raises
        ------
        InputError
            If ``members`` is not positive.
        """
        if members < 1:
            raise InputError(
                f"members {members} is not positive; a committee needs at least one member, usually 4"
            )
        n_scalars = len(self.potential.xi)
        drawn = []
        for member in range(1, members + 1):
            noise = random_stream(seed, "potential", "posterior", member).standard_normal(len(self.factor))
            change = self.scale * solve_triangular(self.factor, noise, check_finite=False)
            drawn.append(
                self.potential.with_parameters(
                    xi=self.potential.xi + change[:n_scalars],
                    offsets=self.potential.offsets + change[n_scalars:],
                )
            )
        return tuple(drawn)

    def energy_deviation(self, frames: Sequence[Atoms]) -> FloatArray:
        """Return the standard deviation of the energy per atom of each structure, shape (F,) [eV/atom]."""
        rows = []
        for atoms in frames:
            types, blocks = self.potential.block_rows(atoms)
            scalars = blocks[:, -len(self.potential.xi) :].sum(axis=0)
            counts = np.bincount(types, minlength=len(self.potential.species))
            rows.append(np.concatenate([scalars, counts]) / len(atoms))
        spread = solve_triangular(self.factor, np.array(rows).T, trans="T", check_finite=False)
        return np.asarray(self.scale * np.linalg.norm(spread, axis=0))


def linear_posterior(
    train_frames: Sequence[Atoms],
    *,
    potential: MomentTensorPotential,
    held_out: Sequence[Atoms] = (),
    settings: FitSettings | None = None,
) -> LinearPosterior:
    """Return the posterior of a fitted potential's linear coefficients.

    Parameters
    ----------
    train_frames
        The structures it was fitted to.
    potential
        The mean; its own linear coefficients are kept.
    held_out
        Structures no fit saw, five or more: their energies calibrate the width.
    settings
        Those of the fit: weights and ridge.

    Raises
    ------
    InputError
        On unusable labels, or where the held-out structures are too few.
    """
    settings = settings or FitSettings()
    smooth = potential.polynomial()
    labels = labels_of(train_frames, potential.species)
    objective = Objective(
        smooth, labels, np.ones(len(labels)), weights=settings.weights, ridge=settings.ridge
    )
    precision = objective.precision_factor(smooth.radial)
    loss, _ = objective.loss_gradient(smooth)
    rows = sum(_row_count(label) for label in labels)
    variance = loss / max(rows - len(precision), 1)
    posterior = LinearPosterior(potential, precision / np.sqrt(variance))
    return _calibrated(posterior, held_out) if held_out else posterior


def _row_count(label: Label) -> int:
    return 1 + 3 * label.n_atoms + (0 if label.strain_derivative is None else 6)


def _calibrated(posterior: LinearPosterior, held_out: Sequence[Atoms]) -> LinearPosterior:
    require_held_out(held_out)
    found = evaluate_errors(posterior.potential, held_out)
    band = norm.ppf(0.5 + BAND / 2) * posterior.energy_deviation(held_out)
    fit = calibrate(found.predicted_energies - found.reference_energies, band)
    return replace(posterior, scale=fit.scale, coverage=fit.widened_coverage)
