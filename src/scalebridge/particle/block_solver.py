"""Direct solution of linear systems in which many particles hang on one small banded system.

A particle's rows and columns lie as `_kernels` says: θ_i is eliminated by its own row, the log-odds y by a
pentadiagonal factorisation, θ̄ and the filling rate j by hand; what is left couples only the unknowns outside
the particles (a band). No pivoting: the row order keeps pivots away from zero, and the Krylov iteration
around the solver checks the residual.

| symbol | name here |
|---|---|
| θ_i + D_i y_i = r | ``slope`` D |
| Σ_k Q_ik θ_k + Σ_k Y_ik y_k + q j = r (q in the last row only) | ``by_theta``, ``by_odds``, ``by_rate`` |
| θ̄ + Σ T_i θ_i = r | ``mean`` |
| j + R·(θ_{n−2}, θ_{n−1}, y_{n−1}, θ̄) + Σ e x = r | ``reaction``, ``couplings`` |
| rows outside: … + g j | ``feedback`` |
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalebridge.foundation.compiled import compiled_arithmetic
from scalebridge.particle.pattern import SparsePattern

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class BlockMap(NamedTuple):
    """Where the nonzeros of each block stand in the data; −1 points to a zero appended to the data."""

    offsets: IntArray
    """(particles,) first unknown of each particle."""
    slope: IntArray
    """(particles, n)"""
    by_theta: IntArray
    """(particles, n, 5) columns i − 2 … i + 2"""
    by_odds: IntArray
    """(particles, n, 5)"""
    by_rate: IntArray
    """(particles,)"""
    mean: IntArray
    """(particles, n)"""
    reaction: IntArray
    """(particles, 5): by j, θ_{n−2}, θ_{n−1}, y_{n−1}, θ̄."""
    couplings: IntArray
    """(particles, m) of the reaction's row, to the outer unknowns ``neighbours``."""
    feedback: IntArray
    """(particles, m) of the rows ``neighbours``, to j."""
    neighbours: IntArray
    """(particles, m) positions among the outer unknowns."""
    outer: IntArray
    """(outer,) the unknowns outside the particles."""
    band: IntArray
    """(outer, 2b + 1)"""


class Factors(NamedTuple):
    """What `block_factor` leaves for `block_solve`."""

    slope: FloatArray
    by_theta: FloatArray
    inner: FloatArray
    """(particles, n, 5) factors of Y − Q D."""
    response: FloatArray
    """(particles, n) y per unit of j."""
    mean: FloatArray
    reaction: FloatArray
    """(particles, 5); the first is the pivot of j."""
    couplings: FloatArray
    feedback: FloatArray
    band: FloatArray


@dataclass(frozen=True, eq=False)
class BlockSolver:
    """Factors of one pattern; `factor`, then `solve` as often as needed."""

    where: BlockMap
    factors: Factors

    @classmethod
    def of_pattern(cls, pattern: SparsePattern, offsets: IntArray, shells: int) -> "BlockSolver":
        """Find the blocks of a pattern with particles of ``shells`` at ``offsets``."""
        n, block = shells, 2 * shells + 2
        inside = (offsets[:, None] + np.arange(block)).ravel()
        outer = np.setdiff1d(np.arange(pattern.size), inside)
        theta = offsets[:, None] + 2 * np.arange(n)
        odds, rate = theta + 1, offsets + 2 * n + 1
        columns = theta[:, :, None] + 2 * np.arange(-2, 3)
        within = (columns >= offsets[:, None, None]) & (columns <= theta[:, -1, None, None])
        rest = outer.size
        neighbours = np.stack([np.flatnonzero(_linked(pattern, int(r), outer)) for r in rate]).astype(
            np.int64
        )
        half = _half_bandwidth(pattern, outer, neighbours)
        diagonals = np.arange(rest)[:, None] + np.arange(-half, half + 1)
        valid = (diagonals >= 0) & (diagonals < rest)
        find = pattern.find
        where = BlockMap(
            offsets=offsets,
            slope=find(theta, odds),
            by_theta=np.where(within, find(odds[:, :, None], np.where(within, columns, 0)), -1),
            by_odds=np.where(within, find(odds[:, :, None], np.where(within, columns + 1, 0)), -1),
            by_rate=find(odds[:, -1], rate),
            mean=find(rate[:, None] - 1, theta),
            reaction=np.stack(
                [find(rate, c) for c in (rate, theta[:, -2], theta[:, -1], odds[:, -1], rate - 1)], axis=1
            ),
            couplings=find(rate[:, None], outer[neighbours]),
            feedback=find(outer[neighbours], rate[:, None]),
            neighbours=neighbours,
            outer=outer,
            band=np.where(valid, find(outer[:, None], outer[np.where(valid, diagonals, 0)]), -1),
        )
        return cls(where, _empty_factors(where))

    @property
    def arrays(self) -> tuple[BlockMap, Factors]:
        """What `block_factor` and `block_solve` work on."""
        return self.where, self.factors

    def factor(self, data: FloatArray) -> None:
        """Factorise the matrix with nonzeros ``data`` in the order of the pattern."""
        block_factor(self.where, np.append(data, 0.0), self.factors)

    def solve(self, right: FloatArray) -> FloatArray:
        """Return the solution for one right-hand side (size,)."""
        out = np.empty_like(right)
        block_solve(self.where, self.factors, right, out)
        return out


def _linked(pattern: SparsePattern, rate: int, outer: IntArray) -> NDArray[np.bool_]:
    """Return which outer unknowns a reaction depends on or feeds."""
    return np.asarray((pattern.find(rate, outer) >= 0) | (pattern.find(outer, rate) >= 0))


def _half_bandwidth(pattern: SparsePattern, outer: IntArray, neighbours: IntArray) -> int:
    """Return the half bandwidth of the outer system once the reactions are eliminated."""
    order = np.full(pattern.size, -1)
    order[outer] = np.arange(outer.size)
    rows, columns = order[pattern.rows], order[pattern.columns]
    both = (rows >= 0) & (columns >= 0)
    own = np.max(np.abs(rows[both] - columns[both]), initial=0)
    return int(max(own, np.max(np.ptp(neighbours, axis=1))))


def _empty_factors(where: BlockMap) -> Factors:
    particles, n = where.slope.shape
    couplings = where.couplings.shape
    return Factors(
        slope=np.zeros((particles, n)),
        by_theta=np.zeros((particles, n, 5)),
        inner=np.zeros((particles, n, 5)),
        response=np.zeros((particles, n)),
        mean=np.zeros((particles, n)),
        reaction=np.zeros((particles, 5)),
        couplings=np.zeros(couplings),
        feedback=np.zeros(couplings),
        band=np.zeros(where.band.shape),
    )


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
def _five_factor(band: FloatArray) -> None:
    """Factorise a pentadiagonal matrix (size, 5) in place: unit L below, U above, 1/pivot in the middle."""
    size = band.shape[0]
    for k in range(size):
        inverse = 1.0 / band[k, 2]
        band[k, 2] = inverse
        if k + 1 < size:
            multiple = band[k + 1, 1] * inverse
            band[k + 1, 1] = multiple
            band[k + 1, 2] -= multiple * band[k, 3]
            band[k + 1, 3] -= multiple * band[k, 4]
        if k + 2 < size:
            multiple = band[k + 2, 0] * inverse
            band[k + 2, 0] = multiple
            band[k + 2, 1] -= multiple * band[k, 3]
            band[k + 2, 2] -= multiple * band[k, 4]


@compiled_arithmetic
def _five_solve(band: FloatArray, x: FloatArray) -> None:
    """Overwrite x with the solution."""
    size = band.shape[0]
    before, last = 0.0, 0.0
    for i in range(size):
        value = x[i] - band[i, 0] * before - band[i, 1] * last
        x[i] = value
        before, last = last, value
    behind, next_one = 0.0, 0.0
    for i in range(size - 1, -1, -1):
        value = (x[i] - band[i, 3] * next_one - band[i, 4] * behind) * band[i, 2]
        x[i] = value
        behind, next_one = next_one, value


@compiled_arithmetic
def block_factor(where: BlockMap, data: FloatArray, f: Factors) -> None:
    """Factorise the matrix with nonzeros ``data``, a zero appended."""
    particles, n = where.slope.shape
    for i in range(f.band.shape[0]):
        for k in range(f.band.shape[1]):
            f.band[i, k] = data[where.band[i, k]]
    half = f.band.shape[1] // 2
    for p in range(particles):
        for i in range(n):
            f.slope[p, i] = data[where.slope[p, i]]
            f.mean[p, i] = data[where.mean[p, i]]
        for i in range(n):
            for k in range(5):
                column = min(max(i + k - 2, 0), n - 1)
                by_theta = data[where.by_theta[p, i, k]]
                f.by_theta[p, i, k] = by_theta
                f.inner[p, i, k] = data[where.by_odds[p, i, k]] - by_theta * f.slope[p, column]
        _five_factor(f.inner[p])
        response = f.response[p]
        response[:] = 0.0
        response[n - 1] = -data[where.by_rate[p]]
        _five_solve(f.inner[p], response)
        for k in range(5):
            f.reaction[p, k] = data[where.reaction[p, k]]
        mean = 0.0
        for i in range(n):
            mean += f.mean[p, i] * f.slope[p, i] * response[i]
        r = f.reaction[p]
        r[0] += -r[1] * f.slope[p, n - 2] * response[n - 2] + r[4] * mean
        r[0] += (r[3] - r[2] * f.slope[p, n - 1]) * response[n - 1]
        for a in range(where.neighbours.shape[1]):
            f.couplings[p, a] = data[where.couplings[p, a]]
            f.feedback[p, a] = data[where.feedback[p, a]]
        for a in range(where.neighbours.shape[1]):
            row = where.neighbours[p, a]
            for b in range(where.neighbours.shape[1]):
                column = where.neighbours[p, b]
                f.band[row, half + column - row] -= f.feedback[p, a] * f.couplings[p, b] / r[0]
    _band_factor(f.band)


@compiled_arithmetic
def _reduced(by_theta: FloatArray, right: FloatArray, o: int, y: FloatArray) -> None:
    """Fill y with the right-hand sides of a particle's balances once its θ are eliminated."""
    n = y.size
    for i in range(n):
        total = right[o + 2 * i + 1]
        low, high = (0, 5) if 2 <= i < n - 2 else (max(0, 2 - i), min(5, n + 2 - i))
        for k in range(low, high):
            total -= by_theta[i, k] * right[o + 2 * (i + k - 2)]
        y[i] = total


@compiled_arithmetic
def block_solve(where: BlockMap, f: Factors, right: FloatArray, x: FloatArray) -> None:
    """Fill the solution ``x`` for one right-hand side."""
    particles, n = where.slope.shape
    outer = np.empty(where.outer.size)
    for i in range(outer.size):
        outer[i] = right[where.outer[i]]
    odds = np.empty((particles, n))
    rates = np.empty(particles)
    for p in range(particles):
        o = where.offsets[p]
        y = odds[p]
        _reduced(f.by_theta[p], right, o, y)
        _five_solve(f.inner[p], y)
        mean = right[o + 2 * n]
        for i in range(n):
            mean -= f.mean[p, i] * (right[o + 2 * i] - f.slope[p, i] * y[i])
        r = f.reaction[p]
        total = right[o + 2 * n + 1] - r[3] * y[n - 1] - r[4] * mean
        total -= r[1] * (right[o + 2 * n - 4] - f.slope[p, n - 2] * y[n - 2])
        total -= r[2] * (right[o + 2 * n - 2] - f.slope[p, n - 1] * y[n - 1])
        rates[p] = total / r[0]
        for a in range(where.neighbours.shape[1]):
            outer[where.neighbours[p, a]] -= f.feedback[p, a] * rates[p]
    _band_solve(f.band, outer)
    for i in range(outer.size):
        x[where.outer[i]] = outer[i]
    for p in range(particles):
        o = where.offsets[p]
        rate = rates[p]
        for a in range(where.neighbours.shape[1]):
            rate -= f.couplings[p, a] * outer[where.neighbours[p, a]] / f.reaction[p, 0]
        mean = right[o + 2 * n]
        for i in range(n):
            y_i = odds[p, i] + f.response[p, i] * rate
            theta = right[o + 2 * i] - f.slope[p, i] * y_i
            x[o + 2 * i], x[o + 2 * i + 1] = theta, y_i
            mean -= f.mean[p, i] * theta
        x[o + 2 * n], x[o + 2 * n + 1] = mean, rate
