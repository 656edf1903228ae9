"""Which unstable modes of a particle grow faster than a time step follows.

| symbol | name here |
|---|---|
| V_i θ_i′ = −Σ_k K_ik μ_k, symmetric, from the mobility of the faces | ``conductance`` |
| V_i μ_i = Σ_k G_ik θ_k, second derivatives of the free energy | ``stiffness`` |
| with direct exchange θ_i′ = −L_i μ_i + D_i θ_i, the drive given | L ``by_potential``, D ``by_theta`` |
| cj: θ′ = cj θ + … of an implicit step | ``cj`` |

Phases with a rate of their own are eliminated first: what they take from a shell's second derivative within
the step is `_order.soften`'s, and by Sylvester's law their own unstable modes count beside the rest's.
"""

import numpy as np

from scalebridge.foundation.compiled import compiled_arithmetic
from scalebridge.particle._kernels import (
    FloatArray,
    ParticleArrays,
    Particles,
    Surface,
    chemical_potentials,
    direct_rate,
    mobility,
    particle_table,
)
from scalebridge.particle._order import soften
from scalebridge.particle.tables import evaluate


@compiled_arithmetic
def resolves_growth(g: Particles, surface: Surface, state: FloatArray, cj: float) -> bool:
    """Return whether every mode of every particle at fixed filling grows slower than ``cj`` [1/s]."""
    p, table = g.arrays, particle_table(g, state)
    n, count, excess, coherency = p.fractions.size, g.shrink.size, p.excess, p.coherency
    curvature, least = np.empty((n, count)), np.full(count, np.inf)
    for i in range(n):
        for k in range(count):
            theta = table[2 * i, k]
            # between the spinodals θ is that of the log-odds; outside (0, 1) it is an error of the integrator
            slope = max(theta * (1.0 - theta), 1e-12)
            curvature[i, k] = 1.0 / slope + evaluate(excess, theta)[1] + coherency
    if p.differences.shape[0] > 0 and not soften(
        p.differences, (p.relaxation, p.barrier), cj, table, curvature
    ):
        return False
    for i in range(n):
        for k in range(count):
            least[k] = min(least[k], curvature[i, k])
    if p.direct > 0.0:
        return bool(np.min(least) >= 0.0) or _cells_resolve(g, surface, table, curvature, cj)
    for k in range(count):
        # convex everywhere: nothing grows
        if least[k] < 0.0 and not _particle_resolves(p, table[:, k], curvature[:, k], g.shrink[k], cj):
            return False
    return True


@compiled_arithmetic
def _particle_resolves(
    p: ParticleArrays, particle: FloatArray, curvature: FloatArray, shrink: float, cj: float
) -> bool:
    """Return whether no mode of one particle grows faster.

    A longer implicit step would damp the mode instead of following it: the particle would stay on its
    unstable branch. The symmetric matrix of (θ, μ), [[G, −V], [−V, −K/cj]], has one negative eigenvalue per
    shell and one more for every mode with ω > cj; the signs of its pivots of 2 × 2 blocks count them
    (Sylvester's law of inertia). The sign of a determinant would miss every even number. The mobility's slope
    and the mean-field coherency's −B V_i V_k, zero at fixed filling, are left out.
    """
    n = p.fractions.size
    fractions, face_areas, diffusivity = p.fractions, p.face_areas, p.diffusivity
    first, mixed, second = 0.0, 0.0, 0.0
    stiff_left, conduct_left = 0.0, 0.0
    negative = 0
    per_spacing = shrink * shrink / p.spacing
    for i in range(n):
        stiff_right, conduct_right = 0.0, 0.0
        if i < n - 1:
            face = face_areas[i] * per_spacing
            middle = 0.5 * (particle[2 * i] + particle[2 * i + 2])
            stiff_right = p.gradient * face
            conduct_right = face * max(mobility(diffusivity, middle)[0], 0.0) / cj
        a = fractions[i] * curvature[i] + stiff_left + stiff_right
        b = -fractions[i]
        c = -(conduct_left + conduct_right)
        if i > 0:
            inverse = 1.0 / (first * second - mixed * mixed)
            # the last pivot's inverse between the off-diagonal blocks diag(−stiffness, +conductance)
            stiff, conduct = stiff_left * inverse, conduct_left * inverse
            a -= stiff_left * stiff * second
            b -= stiff_left * conduct * mixed
            c -= conduct_left * conduct * first
        if a * c - b * b <= 0.0:
            negative += 1
        elif a < 0.0:
            negative += 2
        first, mixed, second = a, b, c
        stiff_left, conduct_left = stiff_right, conduct_right
    return negative <= n


@compiled_arithmetic
def _cells_resolve(
    g: Particles, surface: Surface, table: FloatArray, curvature: FloatArray, cj: float
) -> bool:
    """Return whether no mode of cells that react by themselves grows faster.

    With one more row and column V for the fixed filling, the symmetric matrix G + V (cj − D)/L has one
    negative eigenvalue and one more for every mode with ω > cj; the signs of its pivots count them.
    """
    p = g.arrays
    n, count = curvature.shape
    potential = chemical_potentials(p, table, g.shrink)
    for k in range(count):
        s = g.shrink[k]
        scale = p.rate_scale * p.rate * s
        seen = surface.log_electrolyte[k], surface.drive[k], g.film[k] * p.rate * s
        negative, tail, pivot, border, stiff = 0, 0.0, np.inf, 0.0, 0.0
        for i in range(n):
            theta = table[2 * i, k]
            found = direct_rate(p, seen, potential[i, k], table[2 * i + 1, k])
            by_potential = -scale * found[3]
            by_theta = scale * found[4] / max(theta * (1.0 - theta), 1e-12)
            own = p.fractions[i] * (curvature[i, k] + (cj - by_theta) / by_potential) + stiff
            border = p.fractions[i] + stiff / pivot * border
            own -= stiff * stiff / pivot
            stiff = p.gradient / p.spacing * p.face_areas[i] * s * s if i < n - 1 else 0.0
            pivot = own + stiff
            negative += 1 if pivot < 0.0 else 0
            tail -= border * border / pivot
        if negative + (1 if tail < 0.0 else 0) > 1:
            return False
    return True
