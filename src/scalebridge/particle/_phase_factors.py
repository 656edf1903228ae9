"""Elimination of the phases' log-odds, which belong to one shell each, from the equations of particles.

With ρ_b = τ r_b − Δg_b′ θ for the row of z_b, `respond` gives dη, and the potential of shell i gains
m_i = Σ_b Δg_b′ dη_b = given_i + s_i D_i y_i, once θ_i = r − D_i y_i is put in; s: `softening`.

| symbol | name here |
|---|---|
| balances: Σ_k (Y_ik + P_ik s_k D_k) y_k | ``by_odds`` |
| P; right-hand sides lose Σ_k P_ik given_k | ``by_potential`` |
| the filling rate's row alike | ``reaction`` |
| R Δg′ | ``answers`` |
"""

import numpy as np
from numpy.typing import NDArray

from scalebridge.foundation.compiled import compiled_arithmetic
from scalebridge.particle._bands import PADDING
from scalebridge.particle._order import respond
from scalebridge.particle.groups import Group, GroupFactors

FloatArray = NDArray[np.float64]


@compiled_arithmetic
def phase_factor(group: Group, cj: float, f: GroupFactors) -> None:
    """Write what depends on cj: answers, softening, and the derivatives by y with the phases following."""
    p, b = group.particles.arrays, group.blocks
    n, count = b.slope.shape
    more = b.pulls.shape[2]
    f.pace[0] = 1.0 + cj / p.relaxation
    force, answer = np.zeros(more + 1), np.empty(more + 1)
    for i in range(n):
        for k in range(count):
            for c in range(more):
                force[c + 1] = b.pulls[i, k, c]
            respond(b.phases[i, k], force, f.pace[0], p.barrier, answer)
            f.softening[i, k] = 0.0
            for c in range(more):
                f.answers[i, k, c] = answer[c + 1]
                f.softening[i, k] += force[c + 1] * answer[c + 1]
    for i in range(n):
        for j in range(3):
            near = min(max(i + j - 1, 0), n - 1)
            for k in range(count):
                lift = f.softening[near, k] * b.slope[near, k]
                f.by_odds[i, j, k] = b.by_odds[i, j, k] + b.by_potential[i, j, k] * lift
    f.reaction[:] = b.reaction
    for k in range(count):
        f.reaction[3, k] += b.reaction[5, k] * f.softening[n - 1, k] * b.slope[n - 1, k]


@compiled_arithmetic
def phase_forward(group: Group, f: GroupFactors, right: FloatArray) -> None:
    """Take from the balances' right-hand sides in ``f.odds`` what the potentials gain at y = 0."""
    b, tau = group.blocks, 1.0 / group.particles.arrays.relaxation
    n, count = b.slope.shape
    more = b.pulls.shape[2]
    for i in range(n):
        first = 2 * n + 2 + more * i
        for k in range(count):
            f.given[i, k] = -f.softening[i, k] * right[2 * i, k]
            for c in range(more):
                f.given[i, k] += tau * f.answers[i, k, c] * right[first + c, k]
    for i in range(n):
        for j in range(3):
            near = min(max(i + j - 1, 0), n - 1)
            for k in range(count):
                f.odds[i + PADDING, k] -= b.by_potential[i, j, k] * f.given[near, k]


@compiled_arithmetic
def phase_backward(group: Group, f: GroupFactors, right: FloatArray, x: FloatArray) -> None:
    """Write the phases' log-odds from the site fractions; tables of both sides."""
    p, b = group.particles.arrays, group.blocks
    n, count = b.slope.shape
    more = b.pulls.shape[2]
    q, tau = f.pace[0], 1.0 / p.relaxation
    force, answer = np.zeros(more + 1), np.empty(more + 1)
    for i in range(n):
        first = 2 * n + 2 + more * i
        for k in range(count):
            for c in range(more):
                force[c + 1] = tau * right[first + c, k] - b.pulls[i, k, c] * x[2 * i, k]
            respond(b.phases[i, k], force, q, p.barrier, answer)
            for c in range(more):
                x[first + c, k] = (force[c + 1] + p.barrier * (answer[c + 1] - answer[0])) / q
