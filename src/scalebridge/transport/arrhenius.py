"""Arrhenius fits with covariance."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalebridge.foundation import InputError, constants

FloatArray = NDArray[np.float64]

REFERENCE_TEMPERATURE = 300.0
"""Temperature [K] that makes an activation energy dimensionless in covariances."""


@dataclass(frozen=True)
class ArrheniusFit:
    """D = D0 exp(−E/kT).

    Attributes
    ----------
    log_prefactor
        ln D0, D0 in the unit of the data.
    energy
        E [eV].
    covariance
        (2, 2) of (ln D0, E/(k · 300 K)).
    reduced_chi_squared
        Of the residuals against the given errors; NaN-free: 0 for two points.
    """

    log_prefactor: float
    energy: float
    covariance: FloatArray
    reduced_chi_squared: float

    def evaluate(self, temperature: float) -> tuple[float, float]:
        """Return D and its standard error at ``temperature`` [K]."""
        value = float(np.exp(self.log_prefactor - self.energy / (constants.BOLTZMANN_EV * temperature)))
        row = np.array([1.0, -REFERENCE_TEMPERATURE / temperature])
        return value, value * float(np.sqrt(row @ self.covariance @ row))


def fit_arrhenius(temperatures: FloatArray, values: FloatArray, errors: FloatArray) -> ArrheniusFit:
    """Fit ln D against 1/T by weighted least squares, weights (D/δD)².

    With more than two points the covariance is multiplied by the reduced χ² where that exceeds 1, so a
    fit worse than its error bars does not look better than it is.

    Raises
    ------
    InputError
        If fewer than two temperatures differ, or a value or error is not positive.
    """
    different = len(np.unique(temperatures))
    if different < 2:
        raise InputError(f"an Arrhenius fit got {different} temperatures; it needs at least 2 different ones")
    if np.any(values <= 0) or np.any(errors <= 0):
        raise InputError(
            "an Arrhenius fit got a diffusivity or error that is not positive; leave such points out"
        )
    design = np.column_stack([np.ones(len(values)), -REFERENCE_TEMPERATURE / temperatures])
    weights = (values / errors) ** 2
    information = design.T @ (weights[:, None] * design)
    covariance: FloatArray = np.asarray(np.linalg.inv(information), dtype=np.float64)
    parameters = covariance @ (design.T @ (weights * np.log(values)))
    residual = np.log(values) - design @ parameters
    freedom = len(values) - 2
    chi = float(weights @ residual**2 / freedom) if freedom > 0 else 0.0
    return ArrheniusFit(
        float(parameters[0]),
        float(parameters[1] * constants.BOLTZMANN_EV * REFERENCE_TEMPERATURE),
        covariance * max(chi, 1.0),
        chi,
    )
