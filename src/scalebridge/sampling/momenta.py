"""Velocities of the Maxwell distribution, and their energy."""

import numpy as np
from numpy.typing import NDArray

from scalebridge.foundation import constants

FloatArray = NDArray[np.float64]


def maxwell_velocities(masses: FloatArray, temperature: float, rng: np.random.Generator) -> FloatArray:
    """Draw velocities (n, 3) [(eV/u)^½] of the Maxwell distribution at ``temperature`` [K]."""
    scale = np.sqrt(constants.BOLTZMANN_EV * temperature / masses)
    return np.asarray(scale[:, None] * rng.standard_normal((len(masses), 3)))


def kinetic_energy(masses: FloatArray, velocities: FloatArray) -> float:
    """Return ½ Σ m v² [eV]."""
    return float(0.5 * np.einsum("i,ij,ij->", masses, velocities, velocities))
