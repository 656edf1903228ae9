"""Elimination of the phases' log-odds, which belong to one shell each, from the equations of particles.

With ρ_b = τ r_b − Δg_b′ θ for the row of z_b, `respond` gives dη, and the potential of shell i gains
Σ_b Δg_b′ dη_b = given_i + s_i D_i y_i, once θ_i = r − D_i y_i is put in.

| symbol | name here |
|---|---|
| s_i = Δg′·R Δg′, given_i, R Δg′ | `GroupFactors.phases` |
| balances: Σ_k (Y_ik + P_ik s_k D_k) y_k | ``by_odds`` |
| right-hand sides lose Σ_k P_ik given_k; P, by μ_k | `_by_potential` |
"""

import numpy as np
from numpy.typing import NDArray

from scalebridge.foundation.compiled import compiled_arithmetic
from scalebridge.particle._bands import PADDING
from scalebridge.particle._jacobian import Blocks
from scalebridge.particle._kernels import particle_table
from scalebridge.particle._order import respond
from scalebridge.particle.groups import Group, GroupFactors

FloatArray = NDArray[np.float64]


@compiled_arithmetic
def _by_potential(b: Blocks, i: int, j: int, k: int) -> float:
    """Return the derivative of the balance of shell i by μ_{i+j−1}."""
    if b.exchange.shape[0] == 0:
        return float(b.by_odds[i, j, k])
    return float(b.exchange[i, 3, k]) if j == 1 else 0.0


@compiled_arithmetic
def phase_factor(group: Group, cj: float, f: GroupFactors) -> None:
    """Write what depends on cj, see `GroupFactors`, room apart."""
    p, b = group.particles.arrays, group.blocks
    n, count = b.slope.shape
    more = p.differences.shape[0]
    q = 1.0 + cj / p.relaxation
    eta, force, answer = np.empty(more + 1), np.zeros(more + 1), np.empty(more + 1)
    for i in range(n):
        for k in range(count):
            eta[0] = b.phases[i, k, 0]
            for c in range(1, more + 1):
                eta[c], force[c] = b.phases[i, k, c], b.phases[i, k, more + c]
            respond(eta, force, q, p.barrier, answer)
            f.phases[i, k, 0] = 0.0
            for c in range(1, more + 1):
                f.phases[i, k, c + 1] = answer[c]
                f.phases[i, k, 0] += force[c] * answer[c]
    for i in range(n):
        for j in range(3):
            near = min(max(i + j - 1, 0), n - 1)
            for k in range(count):
                gained = f.phases[near, k, 0] * b.slope[near, k]
                f.by_odds[i, j, k] = b.by_odds[i, j, k] + _by_potential(b, i, j, k) * gained


@compiled_arithmetic
def phase_forward(group: Group, f: GroupFactors, right: FloatArray) -> None:
    """Take from the balances' right-hand sides in ``f.odds`` what the potentials gain at y = 0."""
    p, b = group.particles.arrays, group.blocks
    n, count = b.slope.shape
    more, tau = p.differences.shape[0], 1.0 / p.relaxation
    for i in range(n):
        for k in range(count):
            given = -f.phases[i, k, 0] * right[2 * i, k]
            for c in range(more):
                given += tau * f.phases[i, k, c + 2] * right[2 * n + 2 + more * i + c, k]
            f.phases[i, k, 1] = given
    for i in range(n):
        for j in range(3):
            near = min(max(i + j - 1, 0), n - 1)
            for k in range(count):
                f.odds[i + PADDING, k] -= _by_potential(b, i, j, k) * f.phases[near, k, 1]


@compiled_arithmetic
def phase_backward(group: Group, cj: float, given: FloatArray, found: FloatArray) -> None:
    """Write the phases' log-odds into the solution, which has the site fractions; ``given``: right side."""
    p, b = group.particles.arrays, group.blocks
    right, x = particle_table(group.particles, given), particle_table(group.particles, found)
    n, count = b.slope.shape
    more, tau = p.differences.shape[0], 1.0 / p.relaxation
    q = 1.0 + cj / p.relaxation
    eta, force, answer = np.empty(more + 1), np.zeros(more + 1), np.empty(more + 1)
    for i in range(n):
        first = 2 * n + 1 + more * i
        for k in range(count):
            eta[0] = b.phases[i, k, 0]
            for c in range(1, more + 1):
                eta[c] = b.phases[i, k, c]
                force[c] = tau * right[first + c, k] - b.phases[i, k, more + c] * x[2 * i, k]
            respond(eta, force, q, p.barrier, answer)
            for c in range(1, more + 1):
                x[first + c, k] = (force[c] + p.barrier * (answer[c] - answer[0])) / q
