"""The particles of an electrode: their sizes and what share of its capacity each stands for."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from scalebridge.contracts import ActiveParticles, ListedSizes
from scalebridge.electrode.sizes import deal, lognormal_sizes
from scalebridge.foundation import InputError

FloatArray = NDArray[np.float64]

DIMENSION = {"plate": 1, "cylinder": 2, "sphere": 3}


@dataclass(frozen=True, eq=False)
class Population:
    """Particles of every volume.

    Raises
    ------
    InputError
        If there is no particle, a size or share is not positive, or the shares do not add up to 1.
    """

    sizes: FloatArray
    """(volumes, particles) [m]"""
    shares: FloatArray
    """(volumes, particles) of the electrode's capacity, equal sums in all volumes."""

    def __post_init__(self) -> None:
        if self.sizes.size == 0 or self.sizes.shape != self.shares.shape or self.sizes.ndim != 2:
            raise InputError(
                f"particle sizes of shape {self.sizes.shape} and shares of shape {self.shares.shape} must "
                "both be (volumes, particles) with at least one particle; give a size for every particle"
            )
        per_volume = self.shares.sum(axis=1) * len(self.shares)
        if min(self.sizes.min(), self.shares.min()) <= 0 or np.any(abs(per_volume - 1) > 1e-9):
            raise InputError(
                f"particle sizes from {self.sizes.min():g} m and shares from {self.shares.min():g} must be "
                "positive, and the shares of every volume must add up to the same; change the distribution"
            )

    @classmethod
    def lognormal(cls, mean: float, deviation: float, *, shape: str, volumes: int, particles: int) -> Self:
        """Draw quantiles of a lognormal distribution, ``particles`` for each of ``volumes`` volumes.

        Every particle stands for the same volume of active material; see `lognormal_sizes` and `deal`.
        """
        sizes = deal(lognormal_sizes(mean, deviation, DIMENSION[shape], volumes * particles), volumes)
        return cls(sizes, np.full(sizes.shape, 1.0 / sizes.size))

    @classmethod
    def listed(cls, sizes: FloatArray, shares: FloatArray | None, *, volumes: int) -> Self:
        """Put the same particles into every volume; shares of the active volume, None: equal ones."""
        given = np.full(sizes.size, 1.0) if shares is None else np.asarray(shares, dtype=np.float64)
        total = float(given.sum()) if given.size else 1.0
        return cls(np.tile(sizes, (volumes, 1)), np.tile(given / total / volumes, (volumes, 1)))


def design_population(particles: ActiveParticles, volumes: int) -> Population | None:
    """Return the population of a design, None for one particle of one size per volume.

    Allen–Cahn platelets of several sizes are similar, so that their volume grows as that of spheres does.

    Raises
    ------
    InputError
        See `Population`.
    """
    distribution = particles.distribution
    if distribution is None:
        return None
    if isinstance(distribution, ListedSizes):
        shares = distribution.volume_shares
        return Population.listed(
            np.array(distribution.sizes), None if shares is None else np.array(shares), volumes=volumes
        )
    return Population.lognormal(
        float(particles.size),
        float(distribution.standard_deviation),
        shape="sphere" if particles.kind == "allen-cahn" else particles.shape,
        volumes=volumes,
        particles=distribution.particles_per_volume,
    )


def active_shares(progress: FloatArray, shares: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return which share of the electrode is at work up to each time, and how much of it is done: (times,).

    Between two times each particle advances by Δ ≥ 0 beyond the furthest point that it reached before: ions
    that particles lend to each other and take back count once. The share is the participation ratio
    (Σ s Δ)²/Σ s Δ² with shares s of the capacity: 1 where all advance alike, the share of those that advance
    where the others wait; 0 where none does, and at the first time. What is done is Σ s Δ, summed. Particles
    that work within one interval count as working together, so times must be denser than particles.

    Parameters
    ----------
    progress
        (times, volumes, particles) rising from the start of a particle's way to its end.
    shares
        (volumes, particles) adding up to 1.
    """
    advances = np.diff(np.maximum.accumulate(progress, axis=0), axis=0)
    mean = np.sum(advances * shares, axis=(1, 2))
    square = np.sum(advances**2 * shares, axis=(1, 2))
    active = np.where(square > 0, mean**2 / np.where(square > 0, square, 1.0), 0.0)
    return np.concatenate([[0.0], active]), np.concatenate([[0.0], np.cumsum(mean)])
