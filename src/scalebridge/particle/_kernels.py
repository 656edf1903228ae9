"""Residual of particles inside a larger implicit system.

Cahn–Hilliard reaction: ions move between shells and enter through the last one. Allen–Cahn reaction
(``direct``), of which a homogeneous particle is the case of one cell: they enter every cell and move no
further.

Particles of one kind are solved together: their unknowns are a table with a column per particle, stored row
by row from ``offset`` on, so that loops over particles run over neighbours in memory. Row 2i is θ_i, row
2i + 1 its log-odds y_i, row 2n is θ̄ and row 2n + 1 the filling rate dθ̄/dt over ``rate_scale``; rows of
phases, where these have a rate of their own, follow (`_order`). The site fraction is a state of its own, so
that multistep methods, which keep linear invariants, conserve ions to rounding; its log-odds y is algebraic,
θ = 1/(1 + exp(−y)), and keeps θ inside (0, 1). Equation 2i is that relation and equation 2i + 1 the balance
of shell i, so that elimination in this order meets no small pivot.

| equation | name here |
|---|---|
| θ_i′ = [A M (μ_{i+1} − μ_i)/h − A M (μ_i − μ_{i−1})/h]/V_i (+ reaction in the last shell) | rows of y |
| θ_i′ = R(μ_i); in the last cell dθ̄/dt − Σ V_i/V R(μ_i) = 0 is added, which conserves ions | the same |
| μ_i = y_i + excess(θ_i) + b (θ_i − θ̄) − λ ∇²θ | ``potential`` |
| with phases μ_i + Σ η_b Δg_b′(θ_i), the excess that of phase 0 | ``differences`` |
| M = D(θ) θ(1−θ) at the mean θ of a face | ``mobility`` |
| A_f/V, V_i/V | ``face_areas``, ``fractions`` |
| λ = κ/(ρkT), b = B/(ρkT) | ``gradient``, ``coherency`` |
| s = R₀/R: size of the arrays over the particle's own | ``shrink`` |
| μ_ik −= (λ/h²)(θ_i,k−1 − 2θ_ik + θ_i,k+1) of columns k of one platelet | ``lateral`` |
| Δ̃ of the reaction = Δ̃ + r_film dθ̄/dt, with direct exchange Δ̃ + r_film R of every cell | ``film`` |

Particles of several sizes share one set of arrays: areas over volumes grow as s, spacings fall as 1/s.
A loop over particles writes one array: compilers then see that it can be done in vector instructions.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalebridge.foundation.compiled import compiled_arithmetic, inlined_arithmetic
from scalebridge.foundation.exponential import exponential
from scalebridge.kinetics import electron_transfer_rate, reaction_rate, reorganisation_over_kt
from scalebridge.particle._order import add_phase_potentials, phase_balances
from scalebridge.particle.model import ParticleModel
from scalebridge.particle.tables import evaluate, tabulate_monotone

FloatArray = NDArray[np.float64]

DIFFUSIVITY_INTERVALS = 256
"""Of the table of D: monotone pieces, which stay positive over decades."""
FILM_STEPS = 100
"""Of Newton's iteration for the current through a film, about one per kT/e lost in it at first."""
NO_NOISE: FloatArray = np.zeros((0, 0))
"""Of particles without thermal noise."""


class ParticleArrays(NamedTuple):
    """A `ParticleModel` as the kernels take it; equation symbols in the module table."""

    fractions: FloatArray
    inverse_fractions: FloatArray
    face_areas: FloatArray
    spacing: float
    excess: FloatArray
    differences: FloatArray
    """(B − 1, intervals, 4) see `PhaseOrder`; without rows where phases are in equilibrium."""
    diffusivity: FloatArray
    gradient: float
    coherency: float
    inner_wetting: float
    """λ A n·∇θ/V_i of the first node: what wetting takes from its potential."""
    outer_wetting: float
    """Of the last node."""
    rate: float
    """k0 A_surface/(ρ z e V)/rate_scale."""
    transfer: float
    exclusion: float
    """1 where the transition state needs an empty site, else 0."""
    following: float
    """α where the transition state follows the host's excess potential, else 0."""
    reorganisation: float
    """λ/kT of electron transfer, 0 of Butler–Volmer."""
    rate_scale: float
    """Unit of the filling rate [1/s]."""
    direct: float
    """1 where every cell exchanges ions with the electrolyte and none with its neighbours, else 0."""
    relaxation: float
    """1/τ of the phases [1/s]."""
    barrier: float
    """W between them."""
    lateral: float = 0.0
    """λ/h² between particles that are neighbouring columns of one platelet; 0 where they are particles."""
    end_wetting: float = 0.0
    """2 λ n·∇θ/h of the first and the last column."""


class Particles(NamedTuple):
    """Particles of one kind in the state of a system."""

    arrays: ParticleArrays
    offset: int
    """First unknown."""
    shrink: FloatArray
    """(particles,) size of ``arrays`` over each particle's."""
    film: FloatArray
    """(particles,) voltage over the surface film in kT/(z e) per unit of the filling rate."""
    noise: FloatArray = NO_NOISE
    """(shells, particles) random difference of the potential over each shell's outer face [kT] and, in the
    last row, random rate of the reaction [1/s]; with direct exchange random ions into each cell, per site of
    the particle [1/s] (`thermal_noise`). Without rows there is none."""


class Surface(NamedTuple):
    """What particles see at their surfaces."""

    log_electrolyte: FloatArray
    """(particles,) ln a₊."""
    drive: FloatArray
    """(particles,) z e (φ_s − φ_e)/kT counted from the standard potential."""


def particle_arrays(model: ParticleModel, rate_scale: float) -> ParticleArrays:
    """Return the arrays of a model, filling rates counted in ``rate_scale`` [1/s]."""
    grid = model.grid
    law, order = model.rate_law, model.order
    gradient = model.gradient_energy / (model.site_density * model.thermal_energy)
    wetting = gradient * model.surface_gradient
    bound = law.form == "butler-volmer"
    exclusion = float(law.transition_state != "none") if bound else float(law.form.startswith("coupled"))
    return ParticleArrays(
        fractions=grid.fractions,
        inverse_fractions=1.0 / grid.fractions,
        face_areas=grid.face_areas,
        spacing=grid.spacing,
        excess=model.excess if order is None else order.first,
        differences=np.zeros((0, 1, 4)) if order is None else order.differences,
        diffusivity=tabulate_monotone(model.diffusivity, DIFFUSIVITY_INTERVALS),
        gradient=gradient,
        coherency=model.coherency,
        inner_wetting=wetting * grid.wetted[0] / grid.fractions[0],
        outer_wetting=wetting * grid.wetted[1] / grid.fractions[-1],
        rate=law.rate_constant * grid.surface_area / model.charge_density / rate_scale,
        transfer=law.transfer_coefficient,
        exclusion=exclusion,
        following=law.transfer_coefficient if bound and law.transition_state == "follows host" else 0.0,
        reorganisation=reorganisation_over_kt(law, model.temperature),
        rate_scale=rate_scale,
        direct=float(model.kind != "cahn-hilliard"),
        relaxation=1.0 if order is None else 1.0 / order.relaxation_time,
        barrier=0.0 if order is None else order.scaled_barrier,
    )


@compiled_arithmetic
def block_size(p: ParticleArrays) -> int:
    """Return the number of unknowns of a particle."""
    size: int = (2 + p.differences.shape[0]) * p.fractions.size + 2
    return size


@compiled_arithmetic
def particle_table(g: Particles, vector: FloatArray) -> FloatArray:
    """Return the particles' part of a vector of all unknowns, shape (block_size, particles)."""
    rows, count = block_size(g.arrays), g.shrink.size
    return vector[g.offset : g.offset + rows * count].reshape(rows, count)


def particle_places(g: Particles) -> NDArray[np.int64]:
    """Return where the particles' unknowns stand, shape (block_size, particles)."""
    rows, count = block_size(g.arrays), g.shrink.size
    return g.offset + np.arange(rows * count).reshape(rows, count)


def phase_places(g: Particles) -> NDArray[np.int64]:
    """Return where the log-odds of phases stand, shape (shells, B − 1, particles)."""
    n, more = g.arrays.fractions.size, g.arrays.differences.shape[0]
    return particle_places(g)[2 * n + 2 :].reshape(n, more, g.shrink.size)


@inlined_arithmetic
def odds_to_fraction(y: float) -> tuple[float, float]:
    """Return θ = 1/(1 + exp(−y)) and dθ/dy without overflow."""
    small = exponential(-abs(y))
    larger = 1.0 / (1.0 + small)
    return larger if y >= 0 else small * larger, small * larger * larger


@compiled_arithmetic
def restore_particles(g: Particles, state: FloatArray) -> None:
    """Make θ_i and θ̄ those of the log-odds, shifted together so that the ions Σ V_i/V θ_i are kept.

    An integrator's θ_i may be off by its tolerance, even outside (0, 1), where no log-odds exist.
    """
    table = particle_table(g, state)
    for k in range(g.shrink.size):
        _restore(g.arrays.fractions, table[:, k])


@compiled_arithmetic
def _restore(fractions: FloatArray, particle: FloatArray) -> None:
    """Restore the unknowns of one particle."""
    n = fractions.size
    ions = 0.0
    for i in range(n):
        ions += fractions[i] * particle[2 * i]
    shift, low, high = 0.0, -np.inf, np.inf
    for _ in range(200):
        total, slope = -ions, 0.0
        for i in range(n):
            theta, theta_slope = odds_to_fraction(particle[2 * i + 1] + shift)
            total += fractions[i] * theta
            slope += fractions[i] * theta_slope
        if abs(total) < 4e-16:
            break
        low, high = (shift, high) if total < 0.0 else (low, shift)
        # Newton's step, at most 2 and never out of the bracket
        proposal = shift - min(max(total / max(slope, 1e-300), -2.0), 2.0)
        if not low < proposal < high:
            proposal = 0.5 * (low + high)
        if proposal in (low, high):
            break
        shift = proposal
    for i in range(n):
        particle[2 * i + 1] += shift
        particle[2 * i] = odds_to_fraction(particle[2 * i + 1])[0]
    particle[2 * n] = ions


@compiled_arithmetic
def log_vacancy(y: float) -> float:
    """Return ln(1 − θ) = −ln(1 + exp(y)) without overflow."""
    value: float = -y - np.log1p(np.exp(-y)) if y > 0 else -np.log1p(np.exp(y))
    return value


@compiled_arithmetic
def chemical_potentials(p: ParticleArrays, table: FloatArray, shrink: FloatArray) -> FloatArray:
    """Return μ_i/kT counted from μ° of the particles in a table of unknowns, shape (shells, particles)."""
    n, count = p.fractions.size, shrink.size
    excess, coherency = p.excess, p.coherency
    potential = np.empty((n, count))
    for i in range(n):
        inside, outside = max(i - 1, 0), min(i + 1, n - 1)
        tension = p.gradient * p.inverse_fractions[i] / p.spacing
        inner = p.face_areas[i - 1] * tension if i > 0 else 0.0
        outer = p.face_areas[i] * tension if i < n - 1 else 0.0
        for k in range(count):
            theta = table[2 * i, k]
            potential[i, k] = table[2 * i + 1, k] + evaluate(excess, theta)[0]
        for k in range(count):
            theta = table[2 * i, k]
            bend = outer * (table[2 * outside, k] - theta) - inner * (theta - table[2 * inside, k])
            potential[i, k] += coherency * (theta - table[2 * n, k]) - bend * shrink[k] * shrink[k]
    for k in range(count):
        potential[0, k] -= p.inner_wetting * shrink[k]
        potential[n - 1, k] -= p.outer_wetting * shrink[k]
    if p.differences.shape[0] > 0:
        add_phase_potentials(p.differences, table, potential)
    if p.lateral > 0.0:
        _couple_columns(p, table, potential)
    return potential


@compiled_arithmetic
def _couple_columns(p: ParticleArrays, table: FloatArray, potential: FloatArray) -> None:
    """Add the gradient energy along a platelet's length, natural or as wetting asks at both ends."""
    n, last = p.fractions.size, potential.shape[1] - 1
    for i in range(n):
        row = 2 * i
        for k in range(1, last):
            bend = table[row, k - 1] - 2.0 * table[row, k] + table[row, k + 1]
            potential[i, k] -= p.lateral * bend
        # half cells
        potential[i, 0] -= 2.0 * p.lateral * (table[row, 1] - table[row, 0]) + p.end_wetting
        potential[i, last] -= 2.0 * p.lateral * (table[row, last - 1] - table[row, last]) + p.end_wetting


@inlined_arithmetic
def mobility(table: FloatArray, theta: float) -> tuple[float, float]:
    """Return D θ(1−θ) [m²/s] and its slope, D from its table."""
    diffusivity, slope = evaluate(table, theta)
    vacant = theta * (1.0 - theta)
    return diffusivity * vacant, slope * vacant + diffusivity * (1.0 - 2.0 * theta)


@compiled_arithmetic
def surface_rate(
    p: ParticleArrays, log_electrolyte: float, drive: float, log_activity: float, y: float
) -> tuple[float, float, float, float, float]:
    """Return j/k0 and its derivatives by ln a₊, Δ̃, ln a and, ln a apart, the log-odds y of the surface."""
    theta = odds_to_fraction(y)[0]
    if p.reorganisation > 0.0:
        log_theta = y + log_vacancy(y)
        value, by_electrolyte, by_formal, by_theta = electron_transfer_rate(
            log_electrolyte,
            drive + log_activity - log_theta,
            log_theta,
            p.exclusion * log_vacancy(y),
            p.reorganisation,
        )
        by_y = (by_theta - by_formal) * (1.0 - theta) - p.exclusion * theta * value
        return value, by_electrolyte, by_formal, by_formal, by_y
    transition = p.exclusion * log_vacancy(y) - p.following * (log_activity - y)
    value, by_electrolyte, by_drive, by_activity, by_transition = reaction_rate(
        log_electrolyte, drive, log_activity, transition, p.transfer
    )
    by_y = by_transition * (p.following - p.exclusion * theta)
    return value, by_electrolyte, by_drive, by_activity - p.following * by_transition, by_y


@compiled_arithmetic
def direct_rate(
    p: ParticleArrays, seen: tuple[float, float, float], log_activity: float, y: float
) -> tuple[float, float, float, float, float]:
    """Return `surface_rate` of a cell under a film of its own; ``seen``: ln a₊, Δ̃, voltage of j/k0 = 1.

    j/k0 = R(Δ̃ + f j/k0) has one solution, since R falls with its drive; Newton's steps start from 0.
    """
    log_electrolyte, drive, film = seen
    current = 0.0
    found = surface_rate(p, log_electrolyte, drive, log_activity, y)
    if film > 0.0:
        for _ in range(FILM_STEPS):
            step = (found[0] - current) / (1.0 - film * found[2])
            current += step
            found = surface_rate(p, log_electrolyte, drive + film * current, log_activity, y)
            if abs(step) < 1e-13 * abs(current):
                break
    share = 1.0 / (1.0 - film * found[2])
    return found[0], share * found[1], share * found[2], share * found[3], share * found[4]


@compiled_arithmetic
def particle_residual(
    g: Particles, surface: Surface, state: FloatArray, rates: FloatArray, residual: FloatArray
) -> None:
    """Write the residual of the particles' equations."""
    p, y, out = g.arrays, particle_table(g, state), particle_table(g, residual)
    n, count, fractions = p.fractions.size, g.shrink.size, p.fractions
    changes = particle_table(g, rates)
    potential = chemical_potentials(p, y, g.shrink)
    if p.differences.shape[0] > 0:
        phase_balances(p.differences, (p.relaxation, p.barrier), y, changes, out)
    if p.direct > 0.0:
        _direct_exchange(g, surface, y, (changes, potential), out)
    else:
        _balances(g, y, changes, potential, out)
        _surface_exchange(g, surface, y, potential[n - 1], out[2 * n + 1])
    for k in range(count):
        out[2 * n, k] = y[2 * n, k]
    for i in range(n):
        for k in range(count):
            out[2 * i, k] = y[2 * i, k] - odds_to_fraction(y[2 * i + 1, k])[0]
        for k in range(count):
            out[2 * n, k] -= fractions[i] * y[2 * i, k]


@compiled_arithmetic
def _surface_exchange(
    g: Particles, surface: Surface, y: FloatArray, potential: FloatArray, out: FloatArray
) -> None:
    """Write the filling rates' equations; ``potential`` and ``out`` of the last shell and of the rates."""
    p, n = g.arrays, g.arrays.fractions.size
    for k in range(g.shrink.size):
        filling = y[2 * n + 1, k]
        rate = surface_rate(
            p,
            surface.log_electrolyte[k],
            surface.drive[k] + g.film[k] * filling,
            potential[k],
            y[2 * n - 1, k],
        )[0]
        out[k] = filling - p.rate * g.shrink[k] * rate
    if g.noise.shape[0] > 0:
        for k in range(g.shrink.size):
            out[k] -= g.noise[n - 1, k] / p.rate_scale


@compiled_arithmetic
def _direct_exchange(
    g: Particles, surface: Surface, y: FloatArray, known: tuple[FloatArray, FloatArray], out: FloatArray
) -> None:
    """Write the balances of cells that react by themselves, and the filling rates'; ``known``: rates, μ."""
    p, (rates, potential) = g.arrays, known
    n, count = p.fractions.size, g.shrink.size
    for k in range(count):
        out[2 * n + 1, k] = y[2 * n + 1, k]
    for i in range(n):
        for k in range(count):
            scale = p.rate * g.shrink[k]
            seen = surface.log_electrolyte[k], surface.drive[k], g.film[k] * scale
            rate = scale * direct_rate(p, seen, potential[i, k], y[2 * i + 1, k])[0]
            if g.noise.shape[0] > 0:
                rate += g.noise[i, k] * p.inverse_fractions[i] / p.rate_scale
            out[2 * i + 1, k] = rates[2 * i, k] - p.rate_scale * rate
            out[2 * n + 1, k] -= p.fractions[i] * rate
    for k in range(count):
        out[2 * n - 1, k] -= p.rate_scale * p.inverse_fractions[n - 1] * out[2 * n + 1, k]


@compiled_arithmetic
def _balances(g: Particles, y: FloatArray, rates: FloatArray, potential: FloatArray, out: FloatArray) -> None:
    """Write the balances of the shells; all arrays as tables."""
    p, shrink, table = g.arrays, g.shrink, g.arrays.diffusivity
    n, count = p.fractions.size, g.shrink.size
    left, right = np.zeros(count), np.empty(count)
    for i in range(n):
        if i < n - 1:
            scale = p.face_areas[i] / p.spacing
            for k in range(count):
                right[k] = mobility(table, 0.5 * (y[2 * i, k] + y[2 * i + 2, k]))[0]
            if g.noise.shape[0] > 0:
                for k in range(count):
                    step = potential[i + 1, k] - potential[i, k] + g.noise[i, k]
                    right[k] *= scale * step * shrink[k] * shrink[k]
            else:
                for k in range(count):
                    step = potential[i + 1, k] - potential[i, k]
                    right[k] *= scale * step * shrink[k] * shrink[k]
        else:
            right[:] = y[2 * n + 1] * p.rate_scale
        inverse = p.inverse_fractions[i]
        for k in range(count):
            out[2 * i + 1, k] = rates[2 * i, k] - (right[k] - left[k]) * inverse
        left, right = right, left
