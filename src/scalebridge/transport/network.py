"""Hops between neighbouring sites of a host and their symmetry classes."""

import itertools
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import spglib
from ase import Atoms
from numpy.typing import NDArray

from scalebridge.foundation import InputError
from scalebridge.transport.chain import JumpChain, solve_diffusivity

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

CUTOFF_FACTOR = 1.5
"""Longest hop over the shortest distance between two sites."""
DETOUR = 0.9
"""A hop is direct unless two hops below this fraction of it lead over a third site to the same place."""


@dataclass(frozen=True)
class HopNetwork:
    """All directed hops between sites on a periodic lattice.

    Attributes
    ----------
    cell
        (3, 3) cell vectors as rows [Å].
    sites
        (n, 3) scaled coordinates.
    start, end
        (m,) site before and after each hop.
    images
        (m, 3) cell of the end site relative to that of the start site.
    classes
        (m,) symmetry class of each hop; a hop and its reverse share one class.
    orbits
        (n,) symmetry class of each site.
    left_out
        Lengths [Å] of direct hops beyond the cutoff, up to twice the shortest.
    """

    cell: FloatArray
    sites: FloatArray
    start: IntArray
    end: IntArray
    images: IntArray
    classes: IntArray
    orbits: IntArray
    left_out: tuple[float, ...] = ()

    @property
    def scaled_vectors(self) -> FloatArray:
        """Displacement of each hop (m, 3) in scaled coordinates."""
        return np.asarray(self.sites[self.end] + self.images - self.sites[self.start])

    @property
    def vectors(self) -> FloatArray:
        """Displacement of each hop (m, 3) [Å]."""
        return np.asarray(self.scaled_vectors @ self.cell)

    def strained(self, cell: FloatArray) -> Self:
        """Return the same network in another cell (3, 3) [Å]."""
        return replace(self, cell=cell)

    @property
    def dimensions(self) -> int:
        """In how many directions the hops lead out of the cell."""
        return _dimensions(len(self.sites), self.vectors, np.column_stack([self.start, self.end]))

    @property
    def representatives(self) -> tuple[int, ...]:
        """One hop of each class, in the order of the class numbers."""
        return tuple(int(np.argmax(self.classes == c)) for c in range(int(self.classes.max()) + 1))


def find_hops(
    framework: Atoms, sites: FloatArray, *, cutoff_factor: float = CUTOFF_FACTOR, tolerance: float = 0.05
) -> HopNetwork:
    """Find the direct hops between sites no further apart than ``cutoff_factor`` × the nearest distance.

    A hop is direct unless two clearly shorter ones over a third site lead to the same place (``DETOUR``): of
    a simple cubic lattice, distorted or not, these are the six neighbours and no diagonal, of the
    face-centred one twelve, of the body-centred one eight. With ``DETOUR`` at 1 this is the relative
    neighbourhood graph, which joins all sites (G. T. Toussaint, Pattern Recognit. 12, 261 (1980)). The cutoff
    leaves out those neighbours that are too far for a hop, as between the channels of an olivine. Where the
    rest leads nowhere (it joins sites in closed clusters) the cutoff grows, one distance after another,
    until a walker can leave the cell in at least one direction.

    Parameters
    ----------
    framework
        The host without mobile ions; its space group decides which hops are equivalent.
    sites
        (n, 3) scaled coordinates of the ion sites.
    cutoff_factor
        Longest hop over the shortest distance between two sites.
    tolerance
        Symmetry tolerance [Å].

    Raises
    ------
    InputError
        If two sites coincide, or hops up to twice the nearest distance lead nowhere.
    """
    cell = np.asarray(framework.cell, dtype=float)
    sites = np.asarray(sites, dtype=float)
    vectors, pairs = _all_pairs(cell, sites, max(cutoff_factor, 2.0))
    shortest = float(np.linalg.norm(vectors, axis=1).min())
    if shortest < 0.3:
        raise InputError(
            f"two sites are {shortest:.3f} Å apart; sites must be more than 0.3 Å apart, list each one once"
        )
    direct = _are_direct(vectors, pairs)
    vectors, pairs = vectors[direct], pairs[direct]
    lengths = np.linalg.norm(vectors, axis=1)
    cutoff = cutoff_factor * shortest + 1e-6
    while not _dimensions(len(sites), vectors[lengths <= cutoff], pairs[lengths <= cutoff]):
        longer = lengths[lengths > cutoff]
        if not len(longer) or longer.min() > 2 * shortest:
            raise InputError(
                f"hops up to {2 * shortest:.2f} Å, twice the nearest distance of two sites, lead nowhere; "
                "list the sites between them too"
            )
        cutoff = float(longer.min()) + tolerance
    further = lengths[(lengths > cutoff) & (lengths <= 2 * shortest + 1e-6)]
    pairs = pairs[lengths <= cutoff]
    pairs = pairs[np.lexsort(pairs.T[::-1])]
    classes, orbits = _classes(framework, sites, pairs, tolerance)
    left_out = tuple(np.unique(np.round(further, 2)).tolist())
    return HopNetwork(cell, sites, pairs[:, 0], pairs[:, 1], pairs[:, 2:], classes, orbits, left_out)


def state_network(network: HopNetwork, end: str) -> list[str]:
    """Say which neighbours a network leaves out and where it leads, if not everywhere."""
    if network.dimensions == 3 and not network.left_out:
        return []
    used = float(np.linalg.norm(network.vectors, axis=1).max())
    far = ", ".join(f"{length:.2f}" for length in network.left_out)
    beyond = (
        f"neighbours at {far} Å are left out" if far else "there is no neighbour up to twice the shortest"
    )
    where = f"in {network.dimensions} of 3 directions"
    return [f"{end} host: ions hop up to {used:.2f} Å, which leads {where}; {beyond}"]


def _are_direct(vectors: FloatArray, pairs: IntArray) -> NDArray[np.bool_]:
    """Return which of all pairs (m,) no third site joins by two clearly shorter hops."""
    lengths = np.linalg.norm(vectors, axis=1)
    direct = np.ones(len(pairs), dtype=bool)
    for site in np.unique(pairs[:, 0]):
        here = np.flatnonzero(pairs[:, 0] == site)
        onward = np.linalg.norm(vectors[here, None] - vectors[None, here], axis=2)
        longer_part = np.maximum(lengths[None, here], onward)
        detour = longer_part.min(axis=1) / lengths[here]  # 1 over the hop's own end
        direct[here] = np.round(detour, 6) >= DETOUR  # the same for a hop and its reverse
    return direct


def _dimensions(n: int, vectors: FloatArray, pairs: IntArray) -> int:
    """Return in how many directions a walker with equal rates for these hops diffuses."""
    chain = JumpChain(np.ones(n), pairs[:, 0], pairs[:, 1], np.ones(len(pairs)), vectors)
    eigenvalues = np.linalg.eigvalsh(solve_diffusivity(chain))
    return int(np.sum(eigenvalues > 1e-8 * float(np.square(vectors).sum())))


def _all_pairs(cell: FloatArray, sites: FloatArray, factor: float) -> tuple[FloatArray, IntArray]:
    """Return all pairs (i, j, image) up to ``factor`` × an upper bound of the nearest distance."""
    heights = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    reach = factor * min(float(np.linalg.norm(cell, axis=1).min()), _shortest_inside(cell, sites))
    spread = np.ptp(sites, axis=0)
    counts = np.ceil(reach / heights + spread).astype(int)
    images = np.array(list(itertools.product(*(range(-n, n + 1) for n in counts))))
    n = len(sites)
    scaled = sites[None, :, None] + images[None, None] - sites[:, None, None]
    vectors = scaled @ cell
    lengths = np.linalg.norm(vectors, axis=-1)
    zero = np.flatnonzero(np.all(images == 0, axis=1))[0]
    lengths[np.arange(n), np.arange(n), zero] = np.inf
    chosen = np.argwhere(lengths <= reach + 1e-6)
    pairs = np.column_stack([chosen[:, 0], chosen[:, 1], images[chosen[:, 2]]])
    return vectors[chosen[:, 0], chosen[:, 1], chosen[:, 2]], pairs.astype(np.int64)


def _shortest_inside(cell: FloatArray, sites: FloatArray) -> float:
    if len(sites) < 2:
        return np.inf
    difference = sites[:, None] - sites[None]
    difference = difference - np.round(difference)
    lengths = np.linalg.norm(difference @ cell, axis=-1)
    return float(lengths[~np.eye(len(sites), dtype=bool)].min())


def _classes(
    framework: Atoms, sites: FloatArray, pairs: IntArray, tolerance: float
) -> tuple[IntArray, IntArray]:
    """Return the classes of hops and of sites under the space group of framework and sites.

    A hop and its reverse share one class.
    """
    cell = np.asarray(framework.cell, dtype=float)
    rotations, translations = _space_group(framework, sites, tolerance)
    index = {tuple(pair): k for k, pair in enumerate(pairs.tolist())}
    hops, orbits = list(range(len(pairs))), list(range(len(sites)))
    for k, (i, j, *image) in enumerate(pairs.tolist()):
        _join(hops, k, index[(j, i, *(-component for component in image))])
    for rotation, translation in zip(rotations, translations, strict=True):
        target, offset = _match(sites @ rotation.T + translation, sites, cell)
        for site, other_site in enumerate(target.tolist()):
            _join(orbits, site, other_site)
        ends = pairs[:, 2:] @ rotation.T + offset[pairs[:, 1]] - offset[pairs[:, 0]]
        keys = np.column_stack([target[pairs[:, 0]], target[pairs[:, 1]], np.rint(ends)]).astype(int)
        for k, key in enumerate(keys.tolist()):
            other = index.get(tuple(key))
            if other is not None:
                _join(hops, k, other)
    return _labels(hops), _labels(orbits)


def _space_group(framework: Atoms, sites: FloatArray, tolerance: float) -> tuple[FloatArray, FloatArray]:
    """Return the operations (g, 3, 3), (g, 3) in scaled coordinates; the identity if spglib finds none."""
    cell = np.asarray(framework.cell, dtype=float)
    positions = np.vstack([framework.get_scaled_positions(wrap=False), sites])
    numbers = [*framework.numbers.tolist(), *([1000] * len(sites))]
    symmetry = spglib.get_symmetry((cell, positions, numbers), symprec=tolerance)
    if symmetry is None:
        return np.eye(3)[None], np.zeros((1, 3))
    return symmetry["rotations"], symmetry["translations"]


def symmetrise(
    tensor: FloatArray, framework: Atoms, sites: FloatArray, tolerance: float = 0.05
) -> FloatArray:
    """Return the mean of R·tensor·Rᵀ over the point group of framework and sites (3, 3)."""
    cell = np.asarray(framework.cell, dtype=float)
    scaled, _ = _space_group(framework, sites, tolerance)
    cartesian = np.einsum("ai,gij,jb->gab", cell.T, scaled, np.linalg.inv(cell.T))
    return np.asarray(np.einsum("gai,ij,gbj->ab", cartesian, tensor, cartesian) / len(cartesian))


def _labels(parent: list[int]) -> IntArray:
    roots = np.array([_root(parent, k) for k in range(len(parent))])
    _, labels = np.unique(roots, return_inverse=True)
    return np.asarray(labels, dtype=np.int64)


def _match(mapped: FloatArray, sites: FloatArray, cell: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return for each mapped site the nearest site and the whole cells between them."""
    difference = mapped[:, None] - sites[None]
    shift = np.round(difference)
    distance = np.linalg.norm((difference - shift) @ cell, axis=-1)
    nearest = distance.argmin(axis=1)
    return nearest, shift[np.arange(len(sites)), nearest]


def _root(parent: list[int], k: int) -> int:
    while parent[k] != k:
        parent[k] = parent[parent[k]]
        k = parent[k]
    return k


def _join(parent: list[int], a: int, b: int) -> None:
    low, high = sorted((_root(parent, a), _root(parent, b)))
    parent[high] = low
