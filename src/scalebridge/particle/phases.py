"""Where the free energy of a homogeneous particle is unstable, and the phases it separates into.

The local free energy of a particle over kT is g(θ) = θ ln θ + (1−θ) ln(1−θ) + ∫ excess + ½(B/ρkT)θ², counted
from the straight line to the full particle. Averaged over the particle, the mean-field coherency energy
½B(θ − θ̄)² differs from ½Bθ² by ½Bθ̄² alone, whatever the phases: at every filling θ̄ the coexisting phases are
those of the common tangents of this g.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, xlogy

from scalebridge.particle.tables import evaluate_many, integrate
from scalebridge.thermodynamics import CommonTangent, common_tangents

FloatArray = NDArray[np.float64]

LEAST_BARRIER = 1e-9
"""Lower barriers between phases are rounding errors of a table, not miscibility gaps [kT]."""


@dataclass(frozen=True, eq=False)
class _LocalEnergy:
    """The particle's local free energy as a `Mixture` of one branch."""

    excess: FloatArray
    coherency: float
    branches: int = 1
    label: str = "the particle's free energy"

    def energy(self, u: FloatArray, branch: int = 0) -> FloatArray:
        theta = expit(u)
        return self.energy_at(theta)

    def energy_at(self, theta: FloatArray) -> FloatArray:
        mixing = xlogy(theta, theta) + xlogy(1 - theta, 1 - theta)
        return np.asarray(mixing + integrate(self.excess, theta) + 0.5 * self.coherency * theta**2)

    def potential(self, u: FloatArray, branch: int = 0) -> FloatArray:
        theta = expit(u)
        return np.asarray(u + evaluate_many(self.excess, theta)[0] + self.coherency * theta)


def unstable_interval(excess: FloatArray, coherency: float = 0.0) -> tuple[float, float] | None:
    """Return the outermost site fractions between which g″ + B/ρ < 0, or None without a gap.

    Parameters
    ----------
    excess
        Table of `ParticleModel`.
    coherency
        B/(ρ kT).
    """
    theta = np.linspace(0.0, 1.0, 4002)[1:-1]
    unstable = theta[1 / (theta * (1 - theta)) + evaluate_many(excess, theta)[1] + coherency < 0]
    return (float(unstable[0]), float(unstable[-1])) if unstable.size else None


def miscibility_gaps(excess: FloatArray, coherency: float = 0.0) -> tuple[CommonTangent, ...]:
    """Return the pairs of coexisting phases, rising in θ; none for a solid solution.

    Parameters as in `unstable_interval`.

    Raises
    ------
    ConvergenceError
        If a common tangent cannot be found to its tolerance.
    """
    return common_tangents(_LocalEnergy(excess, coherency), least_barrier=LEAST_BARRIER)


def interface_sharpness(excess: FloatArray, coherency: float = 0.0) -> float:
    """Return min(1, w/ℓ) with the width w = (θ₂ − θ₁)/max|∇θ| = (θ₂ − θ₁) ℓ/√(2 max Δf/kT).

    Δf is the free energy per site above the common tangent from θ₁ to θ₂ (Cahn, Hilliard, J. Chem. Phys. 28,
    258 (1958)); of several gaps the sharpest counts, without a gap the value is 1. Parameters as in
    `unstable_interval`.
    """
    return _sharpness(excess.tobytes(), coherency)


@lru_cache(maxsize=64)
def _sharpness(table: bytes, coherency: float) -> float:
    """Return the sharpness; a cell that warms asks for each of its temperatures several times."""
    excess = np.frombuffer(table).reshape(-1, 4)
    local = _LocalEnergy(excess, coherency)
    sharpness = 1.0
    for gap in miscibility_gaps(excess, coherency):
        theta = np.linspace(gap.theta_low, gap.theta_high, 4001)
        energy = local.energy_at(theta)
        height = float(np.max(energy - np.interp(theta, theta[[0, -1]], energy[[0, -1]])))
        sharpness = min(sharpness, float(gap.theta_high - gap.theta_low) / float(np.sqrt(2 * height)))
    return sharpness
