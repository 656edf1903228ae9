"""Particles of one kind in a Jacobian, how they hang on the unknowns around them, and their factors."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalebridge.particle._bands import PADDING
from scalebridge.particle._jacobian import Blocks, empty_blocks
from scalebridge.particle._kernels import Particles

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class Links(NamedTuple):
    """How particles hang on the outer unknowns, which are counted from the first of them; m of each kind."""

    seen: IntArray
    """(m, particles) unknowns that a particle's reaction depends on."""
    fed: IntArray
    """(m, particles) equations that its filling rate enters."""
    feedback: FloatArray
    """(m, particles) with what factor."""


class Group(NamedTuple):
    """Particles of one kind in a Jacobian."""

    particles: Particles
    links: Links
    blocks: Blocks
    surroundings: FloatArray
    """(2, m, particles) slopes of ``log_electrolyte`` and ``drive`` by the unknowns ``links.seen``."""


class Jacobian(NamedTuple):
    """∂F/∂y of a system; ∂F/∂y′ is 1 for every balance of a shell, and ``stored``."""

    groups: tuple[Group, ...]
    """One after another in the state, before the outer unknowns."""
    stored: FloatArray
    """(outer,) diagonal of ∂F/∂y′ of the outer equations."""
    band: FloatArray
    """(outer, 2b + 1) diagonals of the outer equations."""


class GroupFactors(NamedTuple):
    """Factors of one group."""

    inner: FloatArray
    """(5, n + 2, particles) factors of Y − (Q + cj) D: unit L below, U above, 1/pivot in the middle."""
    response: FloatArray
    """(borders, n + 4, particles) y per unit of each of the ``border``."""
    border: FloatArray
    """(borders, particles) room for what enters the balances: the filling rate j; with direct exchange
    ln a₊, Δ̃ and θ̄."""
    pivot: FloatArray
    """(particles,) of j; with direct exchange of the ions Σ f θ."""
    ions: FloatArray
    """(3, particles) with direct exchange, Σ f θ per unit of ln a₊ and of Δ̃, and where both are zero."""
    couplings: FloatArray
    """(m, particles) j per unit of the unknowns ``links.seen``."""
    odds: FloatArray
    """(n + 4, particles) room for a solution's log-odds at a border of zero, zero in the padding."""
    rates: FloatArray
    """(particles,) room for its filling rates, first at outer unknowns of zero."""
    by_odds: FloatArray
    """(n, 3, particles) Y with phases that follow, see `_phase_factors`; without phases the blocks' own."""
    phases: FloatArray
    """(n, particles, B + 1) what phases take from ∂μ/∂θ, room for what they add to the potential at y = 0,
    and −dη_b/dθ for b = 1 … B − 1; without rows where there are none."""


class Factors(NamedTuple):
    """What `block_factor` leaves for `block_solve`."""

    cj: FloatArray
    """(1,)"""
    groups: tuple[GroupFactors, ...]
    band: FloatArray


def empty_group(particles: Particles, links: Links) -> Group:
    """Return room for the derivatives of particles of one kind."""
    return Group(
        particles=particles,
        links=links,
        blocks=empty_blocks(particles),
        surroundings=np.zeros((2, *links.seen.shape)),
    )


def empty_factors(jacobian: Jacobian) -> Factors:
    """Return room for the factors of a Jacobian, which belong to no cj yet."""
    return Factors(
        cj=np.full(1, np.nan),
        groups=tuple(_empty_group_factors(group) for group in jacobian.groups),
        band=np.zeros(jacobian.band.shape),
    )


def _empty_group_factors(group: Group) -> GroupFactors:
    b = group.blocks
    n, count = b.slope.shape
    borders = 3 if group.particles.arrays.direct else 1
    return GroupFactors(
        inner=np.zeros((5, n + PADDING, count)),
        response=np.zeros((borders, n + 2 * PADDING, count)),
        border=np.zeros((borders, count)),
        pivot=np.zeros(count),
        ions=np.zeros((3, count)),
        couplings=np.zeros(group.links.seen.shape),
        odds=np.zeros((n + 2 * PADDING, count)),
        rates=np.zeros(count),
        by_odds=np.zeros_like(b.by_odds) if b.phases.size else b.by_odds,
        phases=np.zeros((*b.phases.shape[:2], group.particles.arrays.differences.shape[0] + 2)),
    )
