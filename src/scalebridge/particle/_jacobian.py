"""Jacobian of particles (`_kernels`), as the blocks that `block_solver` factorises.

With t = λ s²/h and the unknowns' order of `_kernels`:

| derivative | name here |
|---|---|
| ∂μ_i/∂θ_i, y_i and θ̄ apart | ``stiffness`` |
| ∂μ_i/∂θ_{i±1} = −t A/V_i | ``below``, ``above``; of the neighbours' potentials ``before`` … ``far_out`` |
| ∂(flux)/∂μ of a face | ``conductance`` |
| ∂(flux)/∂θ on either side of a face, through the mobility | ``drift`` |
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalebridge.foundation.compiled import compiled_arithmetic
from scalebridge.particle._kernels import (
    ParticleArrays,
    Particles,
    Surface,
    chemical_potentials,
    direct_rate,
    mobility,
    odds_to_fraction,
    particle_table,
    surface_rate,
)
from scalebridge.particle._order import phase_slopes
from scalebridge.particle.tables import evaluate

FloatArray = NDArray[np.float64]


class Blocks(NamedTuple):
    """∂F/∂y of particles' equations, what is constant apart (see `block_solver`).

    With direct exchange, balances are those without the last cell's share of the filling rate's equation,
    which follows from them, and the last three fields stay empty.
    """

    slope: FloatArray
    """(n, particles) of θ_i's relation, by y_i."""
    by_theta: FloatArray
    """(n, 5, particles) of the balance of shell i, by θ_{i−2} … θ_{i+2}; zero where there is none."""
    by_odds: FloatArray
    """(n, 3, particles) of the same, by y_{i−1} … y_{i+1}."""
    exchange: FloatArray
    """(n, 4, particles) of the same, by ``log_electrolyte``, ``drive``, θ̄ and, contained in the others, μ_i;
    without rows where only the surface exchanges ions and the derivatives by μ are those by y."""
    reaction: FloatArray
    """(6, particles) of the filling rate's equation, by itself, θ_{n−2}, θ_{n−1}, y_{n−1}, θ̄ and, contained
    in the others, by μ_{n−1}."""
    by_electrolyte: FloatArray
    """(particles,) of the same, by ``log_electrolyte``."""
    by_drive: FloatArray
    phases: FloatArray
    """(n, particles, 2B − 1) η, then Δg_b′: of the potential by η_b, of z_b's equation by θ over 1/τ; without
    rows where phases are in equilibrium."""


def empty_blocks(g: Particles) -> Blocks:
    """Return room for the blocks of particles."""
    shells, count = g.arrays.fractions.size, g.shrink.size
    more = g.arrays.differences.shape[0]
    return Blocks(
        slope=np.zeros((shells, count)),
        by_theta=np.zeros((shells, 5, count)),
        by_odds=np.zeros((shells, 3, count)),
        exchange=np.zeros((shells if g.arrays.direct else 0, 4, count)),
        reaction=np.zeros((6, count)),
        by_electrolyte=np.zeros(count),
        by_drive=np.zeros(count),
        phases=np.zeros((shells if more else 0, count, 2 * more + 1)),
    )


@compiled_arithmetic
def particle_blocks(g: Particles, surface: Surface, state: FloatArray, b: Blocks) -> None:
    """Write the blocks of particles."""
    p, y = g.arrays, particle_table(g, state)
    slope = b.slope
    n, count = slope.shape
    for i in range(n):
        for k in range(count):
            slope[i, k] = -odds_to_fraction(y[2 * i + 1, k])[1]
    potential = chemical_potentials(p, y, g.shrink)
    stiffness = _stiffness(p, y, g.shrink)
    if p.differences.shape[0] > 0:
        phase_slopes(p.differences, y, stiffness, b.phases)
    if p.direct > 0.0:
        _exchange_rows(g, surface, y, (potential, stiffness), b)
        return
    conductance, drift = _face_slopes(g, y, potential)
    _balances_by_theta(g, stiffness, conductance, drift, b.by_theta)
    _balances_by_odds(p.inverse_fractions, conductance, b.by_odds)
    _reaction_rows(g, surface, y, (potential[n - 1], stiffness[n - 1]), b)


@compiled_arithmetic
def _stiffness(p: ParticleArrays, y: FloatArray, shrink: FloatArray) -> FloatArray:
    """Return ∂μ_i/∂θ_i, shape (shells, particles)."""
    n, count, excess, coherency = p.fractions.size, shrink.size, p.excess, p.coherency
    stiffness = np.empty((n, count))
    for i in range(n):
        areas = (p.face_areas[i - 1] if i > 0 else 0.0) + (p.face_areas[i] if i < n - 1 else 0.0)
        tension = p.gradient * p.inverse_fractions[i] / p.spacing * areas
        for k in range(count):
            slope = evaluate(excess, y[2 * i, k])[1]
            stiffness[i, k] = slope + coherency + tension * shrink[k] * shrink[k]
    return stiffness


@compiled_arithmetic
def _face_slopes(g: Particles, y: FloatArray, potential: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return conductance and drift of the shells' inner faces and of the surface, (shells + 1, particles)."""
    p, shrink = g.arrays, g.shrink
    n, count, table = p.fractions.size, shrink.size, p.diffusivity
    conductance, drift = np.zeros((n + 1, count)), np.zeros((n + 1, count))
    for i in range(n - 1):
        for k in range(count):
            m, m_slope = mobility(table, 0.5 * (y[2 * i, k] + y[2 * i + 2, k]))
            conductance[i + 1, k] = m
            drift[i + 1, k] = m_slope
        scale = p.face_areas[i] / p.spacing
        for k in range(count):
            conductance[i + 1, k] *= scale * shrink[k] * shrink[k]
        if g.noise.shape[0] > 0:
            for k in range(count):
                step = 0.5 * (potential[i + 1, k] - potential[i, k] + g.noise[i, k])
                drift[i + 1, k] *= scale * shrink[k] * shrink[k] * step
        else:
            for k in range(count):
                step = 0.5 * (potential[i + 1, k] - potential[i, k])
                drift[i + 1, k] *= scale * shrink[k] * shrink[k] * step
    return conductance, drift


@compiled_arithmetic
def _balances_by_theta(
    g: Particles, stiffness: FloatArray, conductance: FloatArray, drift: FloatArray, out: FloatArray
) -> None:
    """Write `Blocks.by_theta`."""
    inverse, areas = g.arrays.inverse_fractions, g.arrays.face_areas
    n, count = stiffness.shape
    tension = g.arrays.gradient / g.arrays.spacing * g.shrink * g.shrink
    for i in range(n):
        inner, outer = areas[i - 1] if i > 0 else 0.0, areas[i] if i < n - 1 else 0.0
        inside, outside = max(i - 1, 0), min(i + 1, n - 1)
        below, above = inverse[i] * inner, inverse[i] * outer
        before, behind = inverse[inside] * inner, inverse[outside] * outer
        far_in = inverse[inside] * areas[i - 2] if i > 1 else 0.0
        far_out = inverse[outside] * areas[i + 1] if i < n - 2 else 0.0
        v = inverse[i]
        for k in range(count):
            out[i, 0, k] = v * far_in * tension[k] * conductance[i, k]
        for k in range(count):
            both = conductance[i, k] + conductance[i + 1, k]
            own = conductance[i, k] * stiffness[inside, k]
            out[i, 1, k] = v * (drift[i, k] - own - both * below * tension[k])
        for k in range(count):
            c, c_next = conductance[i, k], conductance[i + 1, k]
            own = (c + c_next) * stiffness[i, k] + tension[k] * (c * before + c_next * behind)
            out[i, 2, k] = v * (drift[i, k] - drift[i + 1, k] + own)
        for k in range(count):
            both = conductance[i, k] + conductance[i + 1, k]
            own = conductance[i + 1, k] * stiffness[outside, k]
            out[i, 3, k] = -v * (drift[i + 1, k] + own + both * above * tension[k])
        for k in range(count):
            out[i, 4, k] = v * far_out * tension[k] * conductance[i + 1, k]


@compiled_arithmetic
def _balances_by_odds(inverse: FloatArray, conductance: FloatArray, out: FloatArray) -> None:
    """Write `Blocks.by_odds`."""
    for i in range(inverse.size):
        v = inverse[i]
        for k in range(conductance.shape[1]):
            out[i, 0, k] = -v * conductance[i, k]
        for k in range(conductance.shape[1]):
            out[i, 1, k] = v * (conductance[i, k] + conductance[i + 1, k])
        for k in range(conductance.shape[1]):
            out[i, 2, k] = -v * conductance[i + 1, k]


@compiled_arithmetic
def _reaction_rows(
    g: Particles, surface: Surface, y: FloatArray, last: tuple[FloatArray, FloatArray], b: Blocks
) -> None:
    """Write the derivatives of the filling rates; ``last``: potential and stiffness of the last shell."""
    p = g.arrays
    n, (potential, stiffness) = p.fractions.size, last
    weight = p.gradient / p.spacing * p.inverse_fractions[n - 1] * p.face_areas[n - 2]
    for k in range(g.shrink.size):
        drive = surface.drive[k] + g.film[k] * y[2 * n + 1, k]
        _, by_electrolyte, by_drive, by_activity, by_odds = surface_rate(
            p, surface.log_electrolyte[k], drive, potential[k], y[2 * n - 1, k]
        )
        scale = p.rate * g.shrink[k]
        b.reaction[0, k] = 1.0 - scale * by_drive * g.film[k]
        b.reaction[1, k] = scale * by_activity * weight * g.shrink[k] * g.shrink[k]
        b.reaction[2, k] = -scale * by_activity * stiffness[k]
        b.reaction[3, k] = -scale * (by_activity + by_odds)
        b.reaction[4, k] = scale * by_activity * p.coherency
        b.reaction[5, k] = -scale * by_activity
        b.by_electrolyte[k] = -scale * by_electrolyte
        b.by_drive[k] = -scale * by_drive


@compiled_arithmetic
def _exchange_rows(
    g: Particles, surface: Surface, y: FloatArray, local: tuple[FloatArray, FloatArray], b: Blocks
) -> None:
    """Write the derivatives of the balances of cells that react by themselves; ``local``: μ, stiffness."""
    p, (potential, stiffness) = g.arrays, local
    n = p.fractions.size
    for i in range(n):
        tension = p.gradient / p.spacing * p.inverse_fractions[i]
        below = tension * p.face_areas[i - 1] if i > 0 else 0.0
        above = tension * p.face_areas[i] if i < n - 1 else 0.0
        for k in range(g.shrink.size):
            s = g.shrink[k]
            seen = surface.log_electrolyte[k], surface.drive[k], g.film[k] * p.rate * s
            _, by_electrolyte, by_drive, by_activity, by_odds = direct_rate(
                p, seen, potential[i, k], y[2 * i + 1, k]
            )
            scale = p.rate_scale * p.rate * s
            b.by_theta[i, 1, k] = scale * by_activity * below * s * s
            b.by_theta[i, 2, k] = -scale * by_activity * stiffness[i, k]
            b.by_theta[i, 3, k] = scale * by_activity * above * s * s
            b.by_odds[i, 1, k] = -scale * (by_activity + by_odds)
            b.exchange[i, 0, k] = -scale * by_electrolyte
            b.exchange[i, 1, k] = -scale * by_drive
            b.exchange[i, 2, k] = scale * by_activity * p.coherency
            b.exchange[i, 3, k] = -scale * by_activity
