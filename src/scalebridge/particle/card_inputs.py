"""What a particle takes from card and design: excess potential, diffusivity, values along a direction."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from scalebridge.contracts import ActiveParticles, HomogeneousFreeEnergy, JumpDiffusivity
from scalebridge.foundation import constants
from scalebridge.particle.tables import tabulate

FloatArray = NDArray[np.float64]


def excess_table(
    free_energy: HomogeneousFreeEnergy, temperature: float, member: int
) -> tuple[float, FloatArray]:
    """Return μ° and the table of the excess potential.

    Several branches are joined site by site: exp(−g/kT) = Σ_b exp(−g_b/kT), a smooth lower envelope.
    """
    thermal = constants.BOLTZMANN * temperature
    branches = range(len(free_energy.branches))

    def energies(theta: FloatArray) -> FloatArray:
        return np.stack(
            [free_energy.energy(theta, temperature, member=member, branch=b) / thermal for b in branches]
        )

    def envelope(theta: FloatArray) -> FloatArray:
        return np.asarray(-logsumexp(-energies(theta), axis=0))

    ends = envelope(np.array([0.0, 1.0]))
    standard = float(ends[1] - ends[0])

    def excess(theta: FloatArray) -> FloatArray:
        weights = np.exp(envelope(theta) - energies(theta))
        potentials = np.stack(
            [
                free_energy.excess_chemical_potential(theta, temperature, member=member, branch=b)
                for b in branches
            ]
        )
        return np.asarray(np.sum(weights * potentials, axis=0) / thermal - standard)

    return standard * thermal, tabulate(excess)


def card_diffusivity(
    jump: JumpDiffusivity, direction: FloatArray | None, theta: FloatArray, temperature: float, member: int
) -> FloatArray:
    """Return D_J/(1−θ) along a direction, None: the isotropic mean; shape of ``theta`` [m²/s]."""
    if direction is None:
        return jump.isotropic(theta, temperature, member=member)
    return jump.along(direction, theta, temperature, member=member)


def along(
    normals: FloatArray,
    values: FloatArray,
    direction: FloatArray | None,
    *,
    where: NDArray[np.bool_] | None = None,
) -> float:
    """Return the value at the normal nearest to ``direction``, else the mean of those ``where`` (or 0)."""
    if direction is not None:
        return float(values[np.argmax(np.abs(normals @ direction))])
    chosen = values if where is None else values[where]
    return float(np.mean(chosen)) if chosen.size else 0.0


def scaled_length(particles: ActiveParticles, size: float) -> float | None:
    """Return the length of a design's platelet of another size, in proportion [m]; None of other kinds."""
    return None if particles.length is None else float(particles.length) * size / float(particles.size)
