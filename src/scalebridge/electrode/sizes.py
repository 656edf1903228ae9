"""Particle sizes: quantiles of a distribution dealt out to the volumes of an electrode, or a given list."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from scalebridge.foundation import InputError

FloatArray = NDArray[np.float64]

GOLDEN = 0.6180339887498949
"""Fractional part of the golden ratio: its multiples fill [0, 1) evenly."""


def lognormal_sizes(mean: float, deviation: float, dimension: int, bins: int) -> FloatArray:
    """Return sizes (bins,), ascending, of bins of equal volume of a lognormal distribution of numbers.

    The volume of the distribution is split into bins of equal volume; a bin's size is the one that keeps its
    surface, 1/R = ⟨1/R⟩ over the bin's volume, so that the electrode's surface is exact for any number of
    bins. With σ² = ln(1 + s²/m²) the volume-weighted ln R is normal about ln m − σ²/2 + dσ².

    Parameters
    ----------
    mean, deviation
        m and s of the sizes of particles, counted by number [m].
    dimension
        d with volume ∝ Rᵈ: 3 for spheres, 2 for cylinders, 1 for plates.

    Raises
    ------
    InputError
        If mean or deviation is not positive, or there is no bin.
    """
    if mean <= 0 or deviation <= 0 or bins < 1:
        raise InputError(
            f"size distribution of mean {mean:g} m and standard deviation {deviation:g} m in {bins} sizes: "
            "all three must be positive; leave the distribution out for particles of one size"
        )
    sigma = float(np.sqrt(np.log1p((deviation / mean) ** 2)))
    centre = np.log(mean) + (dimension - 0.5) * sigma**2
    edges = ndtri(np.linspace(0.0, 1.0, bins + 1))
    inverse = np.exp(-centre + 0.5 * sigma**2) * np.diff(ndtr(edges + sigma)) * bins
    return np.asarray(1.0 / inverse)


def deal(sizes: FloatArray, volumes: int) -> FloatArray:
    """Deal sizes (volumes · n,), ascending, to volumes: (volumes, n), every volume one of each n-th part.

    Within a part the order over depth is that of the multiples of the golden ratio, another for each part: no
    trend with depth, and the same electrode on every machine.
    """
    parts = sizes.reshape(-1, volumes)
    place = np.arange(volumes)
    orders = [
        np.argsort(np.argsort((place + 0.5) * GOLDEN * (k + 1) % 1.0 + 1e-9 * place))
        for k in range(len(parts))
    ]
    return np.stack([part[order] for part, order in zip(parts, orders, strict=True)], axis=1)
