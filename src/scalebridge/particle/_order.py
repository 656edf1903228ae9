"""Phase fractions in every shell of particles: potentials, balances and derivatives (physics: `order`).

Behind the rows of `_kernels` stand the phases' log-odds z, shell by shell: row 2n + 2 + (B − 1) i + b − 1 is
z_b of shell i. With one branch there are none, and no loop here turns.

| equation symbol | name here |
|---|---|
| η_b = exp(z_b)/Σ exp(z) of one shell | ``eta`` |
| Δg_b with slope and curvature | ``differences``, `evaluate_curved` |
| dη = −R (Δg′ dθ − ρ) at Σ dη = 0, with 1/R_b = (1 + τ cj)/η_b − W apart from that | `respond` |
| Σ_b Δg_b′ R Δg_b′: what the phases take from ∂μ/∂θ within a step of rate cj | `softening` |
"""

import numpy as np
from numpy.typing import NDArray

from scalebridge.foundation.compiled import compiled_arithmetic
from scalebridge.particle.tables import evaluate, evaluate_curved

FloatArray = NDArray[np.float64]


@compiled_arithmetic
def shell_phases(table: FloatArray, first: int, k: int, eta: FloatArray) -> None:
    """Write η (B,) of the particle in column k; ``first``: row of the shell's first log-odds."""
    highest = 0.0
    for b in range(1, eta.size):
        highest = max(highest, table[first + b - 1, k])
    eta[0] = np.exp(-highest)
    total = eta[0]
    for b in range(1, eta.size):
        eta[b] = np.exp(table[first + b - 1, k] - highest)
        total += eta[b]
    for b in range(eta.size):
        eta[b] /= total


@compiled_arithmetic
def add_phase_potentials(differences: FloatArray, table: FloatArray, potential: FloatArray) -> None:
    """Add Σ η_b Δg_b′ to the potentials (shells, particles)."""
    n, count = potential.shape
    more = differences.shape[0]
    eta = np.empty(more + 1)
    for i in range(n):
        for k in range(count):
            shell_phases(table, 2 * n + 2 + more * i, k, eta)
            for b in range(more):
                potential[i, k] += eta[b + 1] * evaluate(differences[b], table[2 * i, k])[1]


@compiled_arithmetic
def phase_balances(
    differences: FloatArray, pace: tuple[float, float], y: FloatArray, rates: FloatArray, out: FloatArray
) -> None:
    """Write the rows of the phases' log-odds; ``pace``: 1/τ, W."""
    more, count = differences.shape[0], y.shape[1]
    n = (y.shape[0] - 2) // (more + 2)
    relaxation, barrier = pace
    eta = np.empty(more + 1)
    for i in range(n):
        first = 2 * n + 2 + more * i
        for k in range(count):
            shell_phases(y, first, k, eta)
            for b in range(more):
                force = evaluate(differences[b], y[2 * i, k])[0] + y[first + b, k]
                force += barrier * (eta[0] - eta[b + 1])
                out[first + b, k] = rates[first + b, k] + relaxation * force


@compiled_arithmetic
def phase_slopes(differences: FloatArray, y: FloatArray, stiffness: FloatArray, phases: FloatArray) -> None:
    """Write `Blocks.phases`, and add Σ η_b Δg_b″ to ∂μ/∂θ (shells, particles)."""
    n, count = stiffness.shape
    more = differences.shape[0]
    eta = np.empty(more + 1)
    for i in range(n):
        for k in range(count):
            shell_phases(y, 2 * n + 2 + more * i, k, eta)
            phases[i, k, 0] = eta[0]
            for b in range(more):
                _, slope, curvature = evaluate_curved(differences[b], y[2 * i, k])
                phases[i, k, b + 1] = eta[b + 1]
                phases[i, k, more + 1 + b] = slope
                stiffness[i, k] += eta[b + 1] * curvature


@compiled_arithmetic
def respond(eta: FloatArray, force: FloatArray, q: float, barrier: float, answer: FloatArray) -> bool:
    """Write the change of η (B,) under ``force`` ρ (B,); return whether no phase grows within the step.

    q dη_b/η_b − W dη_b = ρ_b − c with Σ dη = 0, q = 1 + τ cj. The largest fraction is eliminated last: all
    others are below ½, so their pivots q − W η_b stay away from zero unless q < W/2, where states between
    two phases run away faster than cj.
    """
    last = 0
    for b in range(1, eta.size):
        last = b if eta[b] > eta[last] else last
    total, moved, resolved = 0.0, 0.0, True
    for b in range(eta.size):
        if b != last:
            pivot = q - barrier * eta[b]
            resolved = resolved and pivot > 0.0
            answer[b] = eta[b] / pivot
            total += answer[b]
            moved += answer[b] * (force[b] - force[last])
    own = q / eta[last] - barrier
    pivot = 1.0 + own * total
    answer[last] = -moved / pivot
    for b in range(eta.size):
        if b != last:
            answer[b] *= force[b] - force[last] + own * answer[last]
    return resolved and pivot > 0.0


@compiled_arithmetic
def soften(
    differences: FloatArray,
    pace: tuple[float, float],
    cj: float,
    table: FloatArray,
    curvature: FloatArray,
) -> bool:
    """Take from ∂²g/∂θ² (shells, particles) what the phases give within a step; return `respond`'s answers.

    ``curvature`` is that of branch 0, ``pace``: 1/τ, W.
    """
    n, count = curvature.shape
    more = differences.shape[0]
    eta, force, answer = np.empty(more + 1), np.zeros(more + 1), np.empty(more + 1)
    resolved, q = True, 1.0 + cj / pace[0]
    for i in range(n):
        for k in range(count):
            shell_phases(table, 2 * n + 2 + more * i, k, eta)
            for b in range(more):
                _, force[b + 1], bend = evaluate_curved(differences[b], table[2 * i, k])
                curvature[i, k] += eta[b + 1] * bend
            resolved = respond(eta, force, q, pace[1], answer) and resolved
            for b in range(1, more + 1):
                curvature[i, k] -= force[b] * answer[b]
    return resolved
