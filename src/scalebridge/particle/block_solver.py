"""Direct solution of linear systems in which many particles hang on one small banded system.

A particle's rows and columns lie as `_kernels` says: θ_i is eliminated by its own row, the log-odds y by a
pentadiagonal factorisation, θ̄ and the filling rate j by hand; what is left couples only the unknowns outside
the particles (a band), which come last. No pivoting: the row order keeps pivots away from zero.

| symbol | name here |
|---|---|
| θ_i + D_i y_i = r | ``slope`` D |
| Σ_k Q_ik θ_k + cj θ_i + Σ_k Y_ik y_k + q j = r | ``by_theta`` Q, ``by_odds`` Y; q in the last row only |
| θ̄ − Σ f_i θ_i = r | ``fractions`` |
| j + R·(θ_{n−2}, θ_{n−1}, y_{n−1}, θ̄) + Σ e x = r | ``reaction``, ``couplings``, of the unknowns ``seen`` |
| rows ``fed`` outside: … + g j | ``feedback`` |
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix

from scalebridge.foundation.compiled import compiled_arithmetic
from scalebridge.particle._jacobian import Blocks, empty_blocks
from scalebridge.particle._kernels import Particles, particle_places, particle_table

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

PADDING = 2
"""Rows of zeros before, and where needed behind, those of the shells: a shell's neighbours always exist."""


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
    couplings: FloatArray
    """(m, particles) of the filling rate's equation, by the unknowns ``links.seen``."""


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
    """(n + 4, particles) y per unit of j."""
    pivot: FloatArray
    """(particles,) of j."""
    odds: FloatArray
    """(n + 4, particles) room for a solution's log-odds, zero in the padding."""
    rates: FloatArray
    """(particles,) room for its filling rates at outer unknowns of zero."""


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
        blocks=empty_blocks(particles.arrays.fractions.size, particles.shrink.size),
        couplings=np.zeros(links.seen.shape),
    )


def empty_factors(jacobian: Jacobian) -> Factors:
    """Return room for the factors of a Jacobian, which belong to no cj yet."""
    return Factors(
        cj=np.full(1, np.nan),
        groups=tuple(_empty_group_factors(*group.blocks.slope.shape) for group in jacobian.groups),
        band=np.zeros(jacobian.band.shape),
    )


def _empty_group_factors(n: int, count: int) -> GroupFactors:
    return GroupFactors(
        inner=np.zeros((5, n + PADDING, count)),
        response=np.zeros((n + 2 * PADDING, count)),
        pivot=np.zeros(count),
        odds=np.zeros((n + 2 * PADDING, count)),
        rates=np.zeros(count),
    )


def sparse_matrices(jacobian: Jacobian) -> tuple[Any, Any]:
    """Return ∂F/∂y and ∂F/∂y′ as ``scipy.sparse.csc_matrix``."""
    inside = sum(particle_places(group.particles).size for group in jacobian.groups)
    outer, half = len(jacobian.band), jacobian.band.shape[1] // 2
    diagonals = np.arange(outer)[:, None] + np.arange(-half, half + 1)
    rows = inside + np.arange(outer)
    entries = [(rows[:, None], inside + np.clip(diagonals, 0, outer - 1), jacobian.band)]
    rates: list[tuple[Any, Any, Any]] = [(rows, rows, jacobian.stored)]
    for group in jacobian.groups:
        place = particle_places(group.particles)
        entries += _group_entries(group, place, inside)
        rates.append((place[1:-2:2], place[0:-2:2], 1.0))
    return _assembled(entries, inside + outer), _assembled(rates, inside + outer)


def _group_entries(group: Group, place: IntArray, inside: int) -> list[tuple[Any, Any, Any]]:
    """Return the entries of one group in ∂F/∂y; outer unknowns start at ``inside``."""
    g, links, b = group.particles, group.links, group.blocks
    n = len(b.slope)
    theta, odds, mean, rate = place[0 : 2 * n : 2], place[1 : 2 * n : 2], place[2 * n], place[2 * n + 1]
    near = np.arange(n)[:, None]
    fifth, third = (np.clip(near + np.arange(-w, w + 1), 0, n - 1) for w in (2, 1))
    return [
        (theta, theta, 1.0),
        (theta, odds, b.slope),
        (odds[:, None], theta[fifth], b.by_theta),
        (odds[:, None], odds[third], b.by_odds),
        (odds[-1], rate, -g.arrays.rate_scale / g.arrays.fractions[-1]),
        (mean, mean, 1.0),
        (mean, theta, -g.arrays.fractions[:, None]),
        (rate, np.stack([rate, theta[-2], theta[-1], odds[-1], mean]), b.reaction),
        (rate, inside + links.seen, group.couplings),
        (inside + links.fed, rate, links.feedback),
    ]


def _assembled(entries: list[tuple[Any, Any, Any]], size: int) -> Any:
    """Return the matrix of entries (rows, columns, values), which broadcast and add up."""
    rows, columns, values = (
        np.concatenate([np.broadcast_to(part[k], np.broadcast(*part).shape).ravel() for part in entries])
        for k in range(3)
    )
    return coo_matrix((values, (rows, columns)), shape=(size, size)).tocsc()


@compiled_arithmetic
def block_factor(jacobian: Jacobian, cj: float, f: Factors) -> None:
    """Factorise ∂F/∂y + cj ∂F/∂y′."""
    f.cj[0] = cj
    half = f.band.shape[1] // 2
    f.band[:] = jacobian.band
    for i in range(f.band.shape[0]):
        f.band[i, half] += cj * jacobian.stored[i]
    for g in range(len(jacobian.groups)):
        if f.groups[g].rates.size > 0:
            _five_factor(jacobian.groups[g].blocks, cj, f.groups[g].inner)
            _eliminate_rates(jacobian.groups[g], f.groups[g], f.band)
    _band_factor(f.band)


@compiled_arithmetic
def _eliminate_rates(group: Group, f: GroupFactors, band: FloatArray) -> None:
    """Find each particle's answer to its filling rate, the pivot of that, and its part in the band."""
    p, b, links = group.particles.arrays, group.blocks, group.links
    n, count = b.slope.shape
    y, slope, fractions = f.response, b.slope, p.fractions
    y[:] = 0.0
    y[n - 1 + PADDING] = p.rate_scale / fractions[n - 1]
    _five_solve(f.inner, y)
    mean = np.zeros(count)
    for i in range(n):
        for k in range(count):
            mean[k] -= fractions[i] * slope[i, k] * y[i + PADDING, k]
    half = band.shape[1] // 2
    for k in range(count):
        last, second = y[n - 1 + PADDING, k], y[n - 2 + PADDING, k]
        pivot = b.reaction[0, k] - b.reaction[1, k] * slope[n - 2, k] * second + b.reaction[4, k] * mean[k]
        pivot += (b.reaction[3, k] - b.reaction[2, k] * slope[n - 1, k]) * last
        f.pivot[k] = pivot
        for i in range(links.fed.shape[0]):
            row, share = links.fed[i, k], links.feedback[i, k] / pivot
            for j in range(links.seen.shape[0]):
                band[row, half + links.seen[j, k] - row] -= share * group.couplings[j, k]


@compiled_arithmetic
def _five_factor(b: Blocks, cj: float, lu: FloatArray) -> None:
    """Factorise the pentadiagonal Y − (Q + cj) D of every particle, see `Factors.inner`."""
    n, count = b.slope.shape
    slope, by_theta, by_odds = b.slope, b.by_theta, b.by_odds
    for i in range(n):
        r, q, s = i + PADDING, i + PADDING - 1, i + PADDING - 2
        for k in range(count):
            lu[0, r, k] = -by_theta[i, 0, k] * slope[max(i - 2, 0), k] * lu[2, s, k]
        for k in range(count):
            value = by_odds[i, 0, k] - by_theta[i, 1, k] * slope[max(i - 1, 0), k]
            lu[1, r, k] = (value - lu[0, r, k] * lu[3, s, k]) * lu[2, q, k]
        for k in range(count):
            value = by_odds[i, 1, k] - (by_theta[i, 2, k] + cj) * slope[i, k]
            lu[2, r, k] = 1.0 / (value - lu[0, r, k] * lu[4, s, k] - lu[1, r, k] * lu[3, q, k])
        for k in range(count):
            value = by_odds[i, 2, k] - by_theta[i, 3, k] * slope[min(i + 1, n - 1), k]
            lu[3, r, k] = value - lu[1, r, k] * lu[4, q, k]
        for k in range(count):
            lu[4, r, k] = -by_theta[i, 4, k] * slope[min(i + 2, n - 1), k]


@compiled_arithmetic
def _five_solve(lu: FloatArray, x: FloatArray) -> None:
    """Overwrite x (n + 4, particles), zero in the padding, with the solutions."""
    n, count = lu.shape[1] - PADDING, lu.shape[2]
    for r in range(PADDING, n + PADDING):
        for k in range(count):
            x[r, k] -= lu[0, r, k] * x[r - 2, k] + lu[1, r, k] * x[r - 1, k]
    for r in range(n + PADDING - 1, PADDING - 1, -1):
        for k in range(count):
            x[r, k] = (x[r, k] - lu[3, r, k] * x[r + 1, k] - lu[4, r, k] * x[r + 2, k]) * lu[2, r, k]


@compiled_arithmetic
def _band_factor(band: FloatArray) -> None:
    """Factorise a band matrix (size, 2b + 1) in place: unit L below, U on and above the middle."""
    size, half = band.shape[0], band.shape[1] // 2
    for k in range(size):
        pivot = 1.0 / band[k, half]
        for i in range(k + 1, min(size, k + half + 1)):
            multiple = band[i, half + k - i] * pivot
            band[i, half + k - i] = multiple
            for j in range(1, half + 1):
                band[i, half + k - i + j] -= multiple * band[k, half + j]


@compiled_arithmetic
def _band_solve(band: FloatArray, x: FloatArray) -> None:
    """Overwrite x with the solution."""
    size, half = band.shape[0], band.shape[1] // 2
    for i in range(size):
        total = x[i]
        for k in range(max(0, i - half), i):
            total -= band[i, half + k - i] * x[k]
        x[i] = total
    for i in range(size - 1, -1, -1):
        total = x[i]
        for k in range(i + 1, min(size, i + half + 1)):
            total -= band[i, half + k - i] * x[k]
        x[i] = total / band[i, half]


@compiled_arithmetic
def _reduced(b: Blocks, cj: float, right: FloatArray, y: FloatArray) -> None:
    """Write the right-hand sides of the balances once θ is eliminated, see `Factors.odds`."""
    n, count = b.slope.shape
    by_theta = b.by_theta
    for i in range(n):
        r = i + PADDING
        a, c, d, e = 2 * max(i - 2, 0), 2 * max(i - 1, 0), 2 * min(i + 1, n - 1), 2 * min(i + 2, n - 1)
        for k in range(count):
            y[r, k] = right[2 * i + 1, k] - (by_theta[i, 2, k] + cj) * right[2 * i, k]
        for k in range(count):
            y[r, k] -= by_theta[i, 0, k] * right[a, k] + by_theta[i, 1, k] * right[c, k]
        for k in range(count):
            y[r, k] -= by_theta[i, 3, k] * right[d, k] + by_theta[i, 4, k] * right[e, k]


@compiled_arithmetic
def block_solve(jacobian: Jacobian, f: Factors, right: FloatArray, x: FloatArray) -> None:
    """Fill the solution ``x`` for one right-hand side."""
    start = x.size - jacobian.band.shape[0]
    outer = x[start:]
    outer[:] = right[start:]
    for i in range(len(jacobian.groups)):
        if f.groups[i].rates.size > 0:
            _forward(jacobian.groups[i], f.groups[i], f.cj[0], right, outer)
    _band_solve(f.band, outer)
    for i in range(len(jacobian.groups)):
        if f.groups[i].rates.size > 0:
            _backward(jacobian.groups[i], f.groups[i], (right, outer), x)


@compiled_arithmetic
def _forward(group: Group, f: GroupFactors, cj: float, right: FloatArray, outer: FloatArray) -> None:
    """Eliminate a group's unknowns from the right-hand sides of the outer equations."""
    links, table = group.links, particle_table(group.particles, right)
    _reduced(group.blocks, cj, table, f.odds)
    _five_solve(f.inner, f.odds)
    _write_rates(group, f, table)
    for i in range(links.fed.shape[0]):
        for k in range(f.rates.size):
            outer[links.fed[i, k]] -= links.feedback[i, k] * f.rates[k]


@compiled_arithmetic
def _backward(group: Group, f: GroupFactors, known: tuple[FloatArray, FloatArray], x: FloatArray) -> None:
    """Write a group's part of the solution; ``known``: right-hand side, outer unknowns."""
    right, outer = known
    links = group.links
    for j in range(links.seen.shape[0]):
        for k in range(f.rates.size):
            f.rates[k] -= group.couplings[j, k] * outer[links.seen[j, k]] / f.pivot[k]
    _substitute(group, f, particle_table(group.particles, right), particle_table(group.particles, x))


@compiled_arithmetic
def _write_rates(group: Group, f: GroupFactors, right: FloatArray) -> None:
    """Write the filling rates at outer unknowns of zero, from the log-odds at filling rates of zero."""
    b, fractions, y = group.blocks, group.particles.arrays.fractions, f.odds
    slope = b.slope
    n, count = slope.shape
    mean = right[2 * n].copy()
    for i in range(n):
        for k in range(count):
            mean[k] += fractions[i] * (right[2 * i, k] - slope[i, k] * y[i + PADDING, k])
    for k in range(count):
        last, second = y[n - 1 + PADDING, k], y[n - 2 + PADDING, k]
        total = right[2 * n + 1, k] - b.reaction[3, k] * last - b.reaction[4, k] * mean[k]
        total -= b.reaction[1, k] * (right[2 * n - 4, k] - slope[n - 2, k] * second)
        total -= b.reaction[2, k] * (right[2 * n - 2, k] - slope[n - 1, k] * last)
        f.rates[k] = total / f.pivot[k]


@compiled_arithmetic
def _substitute(group: Group, f: GroupFactors, right: FloatArray, x: FloatArray) -> None:
    """Write the unknowns of particles whose filling rates are found; tables of both sides."""
    slope, fractions = group.blocks.slope, group.particles.arrays.fractions
    response, y, rates = f.response, f.odds, f.rates
    n, count = slope.shape
    x[2 * n] = right[2 * n]
    for i in range(n):
        r = i + PADDING
        for k in range(count):
            x[2 * i + 1, k] = y[r, k] + response[r, k] * rates[k]
        for k in range(count):
            x[2 * i, k] = right[2 * i, k] - slope[i, k] * x[2 * i + 1, k]
        for k in range(count):
            x[2 * n, k] += fractions[i] * x[2 * i, k]
    x[2 * n + 1] = rates
