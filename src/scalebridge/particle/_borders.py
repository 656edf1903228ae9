"""What ties a particle's shells to its filling rate, its mean and its surroundings, eliminated by hand.

| symbol | name here |
|---|---|
| y = y₀ + Σ_c w_c b_c | ``odds``, ``response``, ``border`` |
| reaction at the surface: b = j | `surface_response`, `surface_rates` |
| direct exchange: b = (ln a₊, Δ̃, θ̄); Σ f θ = M₀ + S·b | `direct_response`, `direct_rates` |
| j = (cj Σ f θ − Σ f r)/rate scale, the sum of the balances | of direct exchange |
"""

import numpy as np
from numpy.typing import NDArray

from scalebridge.foundation.compiled import compiled_arithmetic
from scalebridge.particle._bands import PADDING, five_solve
from scalebridge.particle.groups import Group, GroupFactors

FloatArray = NDArray[np.float64]


@compiled_arithmetic
def surface_response(group: Group, f: GroupFactors) -> None:
    """Find each particle's answer to its filling rate, the pivot of that, and what it sees of others."""
    p, b = group.particles.arrays, group.blocks
    n, count = b.slope.shape
    y, slope, fractions = f.response[0], b.slope, p.fractions
    y[:] = 0.0
    y[n - 1 + PADDING] = p.rate_scale / fractions[n - 1]
    five_solve(f.inner, y)
    mean = np.zeros(count)
    for i in range(n):
        for k in range(count):
            mean[k] -= fractions[i] * slope[i, k] * y[i + PADDING, k]
    for k in range(count):
        last, second = y[n - 1 + PADDING, k], y[n - 2 + PADDING, k]
        pivot = b.reaction[0, k] - b.reaction[1, k] * slope[n - 2, k] * second + b.reaction[4, k] * mean[k]
        f.pivot[k] = pivot + (b.reaction[3, k] - b.reaction[2, k] * slope[n - 1, k]) * last
    for i in range(n - 1, f.phases.shape[0]):
        for k in range(count):
            f.pivot[k] += b.reaction[5, k] * f.phases[i, k, 0] * slope[i, k] * y[i + PADDING, k]
    _couple(group, f, (-b.by_electrolyte / f.pivot, -b.by_drive / f.pivot))


@compiled_arithmetic
def direct_response(group: Group, cj: float, f: GroupFactors) -> None:
    """Find each particle's answer to its surroundings and its mean, and what they do to its filling rate."""
    p, b = group.particles.arrays, group.blocks
    n, count = b.slope.shape
    sums = np.zeros((3, count))
    for c in range(3):
        y = f.response[c]
        y[:] = 0.0
        for i in range(n):
            for k in range(count):
                y[i + PADDING, k] = -b.exchange[i, c, k]
        five_solve(f.inner, y)
        for i in range(n):
            for k in range(count):
                sums[c, k] -= p.fractions[i] * b.slope[i, k] * y[i + PADDING, k]
    for k in range(count):
        f.pivot[k] = 1.0 - sums[2, k]
        f.ions[0, k] = sums[0, k] / f.pivot[k]
        f.ions[1, k] = sums[1, k] / f.pivot[k]
    per_ion = cj / p.rate_scale
    _couple(group, f, (per_ion * f.ions[0], per_ion * f.ions[1]))


@compiled_arithmetic
def _couple(group: Group, f: GroupFactors, slopes: tuple[FloatArray, FloatArray]) -> None:
    """Write the couplings; ``slopes`` of the filling rate by ln a₊ and Δ̃."""
    around = group.surroundings
    for j in range(f.couplings.shape[0]):
        for k in range(f.rates.size):
            f.couplings[j, k] = slopes[0][k] * around[0, j, k] + slopes[1][k] * around[1, j, k]


@compiled_arithmetic
def surface_rates(group: Group, f: GroupFactors, right: FloatArray) -> None:
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
    for i in range(n - 1, f.phases.shape[0]):
        for k in range(count):
            gained = f.phases[i, k, 1] + f.phases[i, k, 0] * slope[i, k] * y[i + PADDING, k]
            f.rates[k] -= b.reaction[5, k] * gained / f.pivot[k]


@compiled_arithmetic
def direct_rates(group: Group, cj: float, f: GroupFactors, right: FloatArray) -> None:
    """Write ions and filling rates at outer unknowns of zero, from the log-odds at a border of zero."""
    b, p = group.blocks, group.particles.arrays
    n, count = b.slope.shape
    for k in range(count):
        ions, moved, by_mean = 0.0, 0.0, 1.0 - f.pivot[k]
        for i in range(n):
            theta = right[2 * i, k] - b.slope[i, k] * f.odds[i + PADDING, k]
            ions += p.fractions[i] * theta
            moved += p.fractions[i] * right[2 * i + 1, k]
        f.ions[2, k] = (ions + by_mean * right[2 * n, k]) / f.pivot[k]
        f.rates[k] = (cj * f.ions[2, k] - moved) / p.rate_scale


@compiled_arithmetic
def fill_border(group: Group, f: GroupFactors, outer: FloatArray, right: FloatArray) -> None:
    """Add what the outer unknowns do to the filling rates, and write the border."""
    links, around = group.links, group.surroundings
    f.border[:] = 0.0
    direct = group.particles.arrays.direct > 0.0
    for j in range(links.seen.shape[0]):
        for k in range(f.rates.size):
            seen = outer[links.seen[j, k]]
            f.rates[k] += f.couplings[j, k] * seen
            if direct:
                f.border[0, k] += around[0, j, k] * seen
                f.border[1, k] += around[1, j, k] * seen
    for k in range(f.rates.size):
        if direct:
            ions = f.ions[2, k] + f.ions[0, k] * f.border[0, k] + f.ions[1, k] * f.border[1, k]
            f.border[2, k] = right[2 * group.blocks.slope.shape[0], k] + ions
        else:
            f.border[0, k] = f.rates[k]
