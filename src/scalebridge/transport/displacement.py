"""Diffusivities and hops from unwrapped trajectories."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalebridge.foundation import InputError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class DiffusivityEstimate:
    """A diffusion tensor (3, 3) and its trace/3, with standard errors from blocks."""

    tensor: FloatArray
    mean: float
    error: float


def relative_to_framework(positions: FloatArray, mobile: IntArray, masses: FloatArray) -> FloatArray:
    """Return the mobile atoms' positions (frames, n, 3) relative to the framework's centre of mass.

    Without a framework the positions are returned as they are.
    """
    rest = np.setdiff1d(np.arange(positions.shape[1]), mobile)
    if len(rest) == 0:
        return positions[:, mobile]
    weights = masses[rest] / masses[rest].sum()
    drift = np.einsum("a,fac->fc", weights, positions[:, rest])
    return np.asarray(positions[:, mobile] - (drift - drift[0])[:, None])


def mean_squared_displacement(positions: FloatArray, lags: IntArray) -> FloatArray:
    """Return ⟨Δr ⊗ Δr⟩ (lags, 3, 3) over all particles and time origins.

    Parameters
    ----------
    positions
        (frames, particles, 3) unwrapped.
    lags
        (lags,) in frames, at least 1 and below the number of frames.
    """
    result = np.empty((len(lags), 3, 3))
    for k, lag in enumerate(lags.tolist()):
        moved = positions[lag:] - positions[:-lag]
        result[k] = np.einsum("fpa,fpb->ab", moved, moved) / (moved.shape[0] * moved.shape[1])
    return result


def fit_diffusivity(
    positions: FloatArray,
    interval: float,
    *,
    blocks: int = 5,
    window: tuple[float, float] = (0.1, 0.4),
) -> DiffusivityEstimate:
    """Fit D from the slope of the windowed mean-squared displacement: ⟨Δr⊗Δr⟩ = 2 D t + constant.

    The trajectory is cut into blocks; each block's slope over lags ``window`` × block length is one
    estimate, their mean the result and their spread its standard error. A constant offset (vibration
    around sites) does not enter.

    Parameters
    ----------
    positions
        (frames, particles, 3) unwrapped; give the sum over ions / √n as one particle for D_J.
    interval
        Time between frames.
    blocks
        Number of blocks, at least 2.
    window
        Shortest and longest lag over the block length.

    Raises
    ------
    InputError
        If a block is shorter than 20 frames or fewer than 2 blocks are asked for.
    """
    length = len(positions) // blocks if blocks > 0 else 0
    if blocks < 2 or length < 20:
        raise InputError(
            f"{len(positions)} frames in {blocks} blocks; at least 2 blocks of 20 frames are needed: "
            "run longer or keep frames more often"
        )
    lags = np.unique(np.linspace(window[0] * length, window[1] * length, 12).astype(np.int64))
    lags = lags[lags >= 1]
    times = lags * interval
    centred = times - times.mean()
    slopes = np.empty((blocks, 3, 3))
    for block in range(blocks):
        part = positions[block * length : (block + 1) * length]
        displacement = mean_squared_displacement(part, lags)
        slopes[block] = np.einsum("l,lab->ab", centred, displacement) / (centred @ centred)
    tensors = slopes / 2
    means = np.trace(tensors, axis1=1, axis2=2) / 3
    return DiffusivityEstimate(
        tensors.mean(axis=0), float(means.mean()), float(means.std(ddof=1) / np.sqrt(blocks))
    )


def collective_walker(positions: FloatArray) -> FloatArray:
    """Return Σ_i r_i / √n (frames, 1, 3), whose diffusivity is D_J = ⟨(Σ Δr)²⟩ / (2 d n t)."""
    return np.asarray(positions.sum(axis=1, keepdims=True) / np.sqrt(positions.shape[1]))


@dataclass(frozen=True)
class SiteWalk:
    """Where each ion's site is: unwrapped site positions (frames, particles, 3) [Å] and hops in all."""

    positions: FloatArray
    hops: int


def follow_sites(
    positions: FloatArray, sites: FloatArray, cell: FloatArray, *, core: float = 0.4
) -> SiteWalk:
    """Replace every ion's position by that of the site it belongs to, with memory.

    An ion belongs to a site (of one periodic image) from when it enters the site's core until it enters
    another core, so recrossings near a boundary are no hops, and rattling in a cage is no diffusion. Before
    its first core it belongs to that core's site, so an ion that starts between sites has not hopped
    (C. H. Bennett, in Diffusion in Solids (1975); core-set milestoning).

    Parameters
    ----------
    positions
        (frames, particles, 3) unwrapped, relative to the framework [Å].
    sites
        (n, 3) scaled coordinates.
    cell
        (3, 3) vectors as rows [Å].
    core
        Radius of a core over the distance to the nearest other site; below 0.5.
    """
    radius = core * _nearest_distance(sites, cell)
    inverse = np.linalg.inv(cell)
    anchors = np.empty_like(positions)
    hops = 0
    particles = np.arange(positions.shape[1])
    entered = np.zeros(positions.shape[1], dtype=bool)
    for frame in range(len(positions)):
        difference = (positions[frame] @ inverse)[:, None] - sites[None]
        image = np.round(difference)
        distance = np.linalg.norm((difference - image) @ cell, axis=-1)
        nearest = distance.argmin(axis=1)
        place = (sites[nearest] + image[particles, nearest]) @ cell
        inside = distance[particles, nearest] < radius
        anchors[: frame + 1, inside & ~entered] = place[inside & ~entered]
        entered |= inside
        if frame == 0:
            anchors[0] = place
            continue
        anchors[frame] = np.where(inside[:, None], place, anchors[frame - 1])
        hops += int(np.sum(np.abs(anchors[frame] - anchors[frame - 1]).max(axis=1) > 1e-6))
    return SiteWalk(anchors, hops)


def one_hop_bound(sites: FloatArray, cell: FloatArray, ions: int, duration: float) -> float:
    """Return the D that a single hop of the nearest distance would have given: a²/(6 n t)."""
    return float(_nearest_distance(sites, cell) ** 2 / (6 * ions * duration))


def _nearest_distance(sites: FloatArray, cell: FloatArray) -> float:
    """Return the shortest distance between two sites or periodic images."""
    offsets = np.stack(np.meshgrid(*([np.arange(-1, 2)] * 3), indexing="ij"), axis=-1).reshape(-1, 3)
    difference = (sites[:, None] - sites[None])[:, :, None] + offsets
    distance = np.linalg.norm(difference @ cell, axis=-1)
    return float(distance[distance > 1e-6].min())
