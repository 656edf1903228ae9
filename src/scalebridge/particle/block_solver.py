"""Direct solution of linear systems in which many particles hang on one small banded system.

A particle's rows and columns lie as `_kernels` says: θ_i is eliminated by its own row, the log-odds y by a
pentadiagonal factorisation, θ̄ and the filling rate j by hand (`_borders`); what is left couples only the
unknowns outside the particles (a band), which come last. No pivoting: the row order keeps pivots away from
zero.

| symbol | name here |
|---|---|
| θ_i + D_i y_i = r | ``slope`` D |
| Σ_k Q_ik θ_k + cj θ_i + Σ_k Y_ik y_k + q j = r | ``by_theta`` Q, ``by_odds`` Y; q in the last row only |
| θ̄ − Σ f_i θ_i = r | ``fractions`` |
| Σ_k Q_ik θ_k + cj θ_i + Σ_k Y_ik y_k + X·(ln a₊, Δ̃, θ̄) = r | ``exchange`` X, where every cell reacts |
| j + R·(θ_{n−2}, θ_{n−1}, y_{n−1}, θ̄) + Σ e x = r | ``reaction``; of the ``surroundings``: e |
| rows ``fed`` outside: … + g j | ``feedback`` |

Phases with a rate of their own go first, shell by shell (`_phase_factors`).
"""

import numpy as np
from numpy.typing import NDArray

from scalebridge.foundation.compiled import compiled_arithmetic
from scalebridge.particle._bands import PADDING, band_factor, band_solve, five_factor, five_solve
from scalebridge.particle._borders import (
    direct_rates,
    direct_response,
    fill_border,
    surface_rates,
    surface_response,
)
from scalebridge.particle._jacobian import Blocks
from scalebridge.particle._kernels import particle_table
from scalebridge.particle._phase_factors import phase_backward, phase_factor, phase_forward
from scalebridge.particle.groups import Factors, Group, GroupFactors, Jacobian

FloatArray = NDArray[np.float64]


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
            _eliminate(jacobian.groups[g], cj, f.groups[g], f.band)
    band_factor(f.band)


@compiled_arithmetic
def _eliminate(group: Group, cj: float, f: GroupFactors, band: FloatArray) -> None:
    """Factorise each particle's equations and add its filling rate's part to the band."""
    links, half = group.links, band.shape[1] // 2
    if f.phases.size > 0:
        phase_factor(group, cj, f)
    five_factor(group.blocks, f.by_odds, cj, f.inner)
    if group.particles.arrays.direct > 0.0:
        direct_response(group, cj, f)
    else:
        surface_response(group, f)
    for k in range(f.rates.size):
        for i in range(links.fed.shape[0]):
            row, share = links.fed[i, k], links.feedback[i, k]
            for j in range(links.seen.shape[0]):
                band[row, half + links.seen[j, k] - row] += share * f.couplings[j, k]


@compiled_arithmetic
def _reduced(b: Blocks, cj: float, right: FloatArray, y: FloatArray) -> None:
    """Write the right-hand sides of the balances once θ is eliminated, see `GroupFactors.odds`."""
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
    band_solve(f.band, outer)
    for i in range(len(jacobian.groups)):
        if f.groups[i].rates.size > 0:
            _backward(jacobian.groups[i], f.groups[i], (right, outer), x)
            if f.groups[i].phases.size > 0:
                phase_backward(jacobian.groups[i], f.cj[0], right, x)


@compiled_arithmetic
def _forward(group: Group, f: GroupFactors, cj: float, right: FloatArray, outer: FloatArray) -> None:
    """Eliminate a group's unknowns from the right-hand sides of the outer equations."""
    links, p, table = group.links, group.particles.arrays, particle_table(group.particles, right)
    n = p.fractions.size
    _reduced(group.blocks, cj, table, f.odds)
    if f.phases.size > 0:
        phase_forward(group, f, table)
    if p.direct > 0.0:
        # the last cell's balance without its share of the filling rate's equation
        f.odds[n - 1 + PADDING] += p.rate_scale / p.fractions[n - 1] * table[2 * n + 1]
    five_solve(f.inner, f.odds)
    if p.direct > 0.0:
        direct_rates(group, cj, f, table)
    else:
        surface_rates(group, f, table)
    for i in range(links.fed.shape[0]):
        for k in range(f.rates.size):
            outer[links.fed[i, k]] -= links.feedback[i, k] * f.rates[k]


@compiled_arithmetic
def _backward(group: Group, f: GroupFactors, known: tuple[FloatArray, FloatArray], x: FloatArray) -> None:
    """Write a group's part of the solution; ``known``: right-hand side, outer unknowns."""
    right = particle_table(group.particles, known[0])
    fill_border(group, f, known[1], right)
    _substitute(group, f, right, particle_table(group.particles, x))


@compiled_arithmetic
def _substitute(group: Group, f: GroupFactors, right: FloatArray, x: FloatArray) -> None:
    """Write the unknowns of particles whose border is known; tables of both sides."""
    slope, fractions = group.blocks.slope, group.particles.arrays.fractions
    response, y, border = f.response, f.odds, f.border
    n, count = slope.shape
    x[2 * n] = right[2 * n]
    for i in range(n):
        r = i + PADDING
        for k in range(count):
            x[2 * i + 1, k] = y[r, k] + response[0, r, k] * border[0, k]
        for c in range(1, len(border)):
            for k in range(count):
                x[2 * i + 1, k] += response[c, r, k] * border[c, k]
        for k in range(count):
            x[2 * i, k] = right[2 * i, k] - slope[i, k] * x[2 * i + 1, k]
        for k in range(count):
            x[2 * n, k] += fractions[i] * x[2 * i, k]
    x[2 * n + 1] = f.rates
