"""Residual and Jacobian of one Cahn–Hilliard reaction particle inside a larger implicit system.

A particle owns the unknowns ``o … o + block_size(n) − 1``: θ_i at o + 2i, y_i at o + 2i + 1, θ̄ at o + 2n,
and the filling rate dθ̄/dt over ``rate_scale`` at o + 2n + 1. The site fraction is a state of its own, so that
multistep methods, which keep linear invariants, conserve ions to rounding; its log-odds y is algebraic,
θ = 1/(1 + exp(−y)), and keeps θ inside (0, 1). Row o + 2i holds that relation and row o + 2i + 1 the balance
of shell i, so that elimination in this order meets no small pivot.

| equation | name here |
|---|---|
| θ_i′ = [A M (μ_{i+1} − μ_i)/h − A M (μ_i − μ_{i−1})/h]/V_i (+ reaction in the last shell) | rows of y |
| μ_i = y_i + excess(θ_i) + b (θ_i − θ̄) − λ ∇²θ | ``potential`` |
| M = D(θ) θ(1−θ) at the mean θ of a face | ``mobility`` |
| A_f/V, V_i/V, A_surface/V | ``face_areas``, ``fractions``, ``surface_area`` |
| λ = κ/(ρkT), b = B/(ρkT) | ``gradient``, ``coherency`` |
| s = R₀/R: size of the arrays over the particle's own | ``shrink`` |
| Δ̃ of the reaction = Δ̃ + r_film dθ̄/dt | ``film`` |

Particles of several sizes share one set of arrays: areas over volumes grow as s, spacings fall as 1/s.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalebridge.foundation.compiled import compiled_arithmetic, inlined_arithmetic
from scalebridge.kinetics import electron_transfer_rate, reaction_rate, reorganisation_over_kt
from scalebridge.particle.model import ParticleModel
from scalebridge.particle.tables import evaluate, tabulate_monotone

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

DIFFUSIVITY_INTERVALS = 256
"""Of the table of D: monotone pieces, which stay positive over decades."""


class ParticleArrays(NamedTuple):
    """A `ParticleModel` as the kernels take it; equation symbols in the module table."""

    fractions: FloatArray
    inverse_fractions: FloatArray
    face_areas: FloatArray
    surface_area: float
    spacing: float
    excess: FloatArray
    diffusivity: FloatArray
    gradient: float
    coherency: float
    surface_gradient: float
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


class Place(NamedTuple):
    """Where a particle sits: its unknowns in the system's state, and what it sees at its surface."""

    state: FloatArray
    rates: FloatArray
    offset: int
    """o of the module's text."""
    log_electrolyte: float
    """ln a₊."""
    drive: float
    """z e (φ_s − φ_e)/kT counted from the standard potential."""
    shrink: float
    """Size of the `ParticleArrays` over the particle's."""
    film: float
    """Voltage over the surface film in kT/(z e) per unit of the filling rate."""


class Entries(NamedTuple):
    """Jacobian entries as triplets in a fixed order; duplicates add up.

    Rows and columns may be empty where the pattern is known: memory, not arithmetic, is what triplets cost.
    """

    rows: IntArray
    columns: IntArray
    values: FloatArray
    filled: IntArray
    """(1,) how many have been written."""


def empty_entries(count: int) -> Entries:
    """Return room for ``count`` triplets."""
    return Entries(
        np.zeros(count, np.int64), np.zeros(count, np.int64), np.zeros(count), np.zeros(1, np.int64)
    )


def trimmed(entries: Entries) -> Entries:
    """Return the entries cut to the number that was written."""
    count = int(entries.filled[0])
    return Entries(entries.rows[:count], entries.columns[:count], entries.values[:count], entries.filled)


def particle_arrays(model: ParticleModel, rate_scale: float) -> ParticleArrays:
    """Return the arrays of a model, filling rates counted in ``rate_scale`` [1/s]."""
    grid = model.grid
    scale = model.site_density * model.thermal_energy
    law = model.rate_law
    bound = law.form == "butler-volmer"
    exclusion = float(law.transition_state != "none") if bound else float(law.form.startswith("coupled"))
    return ParticleArrays(
        fractions=grid.fractions,
        inverse_fractions=1.0 / grid.fractions,
        face_areas=grid.face_areas,
        surface_area=grid.surface_area,
        spacing=grid.spacing,
        excess=model.excess,
        diffusivity=tabulate_monotone(model.diffusivity, DIFFUSIVITY_INTERVALS),
        gradient=model.gradient_energy / scale,
        coherency=model.coherency_modulus / scale,
        surface_gradient=model.surface_gradient,
        rate=law.rate_constant * grid.surface_area / model.charge_density / rate_scale,
        transfer=law.transfer_coefficient,
        exclusion=exclusion,
        following=law.transfer_coefficient if bound and law.transition_state == "follows host" else 0.0,
        reorganisation=reorganisation_over_kt(law, model.temperature),
        rate_scale=rate_scale,
    )


@compiled_arithmetic
def block_size(shells: int) -> int:
    """Return the number of unknowns of a particle."""
    return 2 * shells + 2


def entry_count(shells: int) -> int:
    """Return how many triplets `particle_entries` writes."""
    return 19 * shells + 10


@inlined_arithmetic
def odds_to_fraction(y: float) -> tuple[float, float]:
    """Return θ = 1/(1 + exp(−y)) and dθ/dy without overflow."""
    if y >= 0:
        small = np.exp(-y)
        theta = 1.0 / (1.0 + small)
    else:
        small = np.exp(y)
        theta = small / (1.0 + small)
    return theta, small / (1.0 + small) ** 2


@compiled_arithmetic
def restore_particle(p: ParticleArrays, state: FloatArray, o: int) -> None:
    """Make θ_i and θ̄ those of the log-odds, shifted together so that the ions Σ V_i/V θ_i are kept.

    An integrator's θ_i may be off by its tolerance, even outside (0, 1), where no log-odds exist.
    """
    n = p.fractions.size
    ions = 0.0
    for i in range(n):
        ions += p.fractions[i] * state[o + 2 * i]
    shift, low, high = 0.0, -np.inf, np.inf
    for _ in range(200):
        total, slope = -ions, 0.0
        for i in range(n):
            theta, theta_slope = odds_to_fraction(state[o + 2 * i + 1] + shift)
            total += p.fractions[i] * theta
            slope += p.fractions[i] * theta_slope
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
        state[o + 2 * i + 1] += shift
        state[o + 2 * i] = odds_to_fraction(state[o + 2 * i + 1])[0]
    state[o + 2 * n] = ions


@compiled_arithmetic
def log_vacancy(y: float) -> float:
    """Return ln(1 − θ) = −ln(1 + exp(y)) without overflow."""
    value: float = -y - np.log1p(np.exp(-y)) if y > 0 else -np.log1p(np.exp(y))
    return value


@compiled_arithmetic
def chemical_potentials(p: ParticleArrays, state: FloatArray, o: int, shrink: float) -> FloatArray:
    """Return μ_i/kT counted from μ°, shape (shells,)."""
    n = p.fractions.size
    mean = state[o + 2 * n]
    gradient = p.gradient * shrink * shrink
    per_spacing = gradient / p.spacing
    face_areas, inverse, excess, coherency = p.face_areas, p.inverse_fractions, p.excess, p.coherency
    potential = np.empty(n)
    left = 0.0
    theta = state[o]
    for i in range(n - 1):
        outer = state[o + 2 * i + 2]
        right = face_areas[i] * (outer - theta) * per_spacing
        local = state[o + 2 * i + 1] + evaluate(excess, theta)[0] + coherency * (theta - mean)
        potential[i] = local - (right - left) * inverse[i]
        left, theta = right, outer
    right = gradient * p.surface_area * p.surface_gradient / shrink
    local = state[o + 2 * n - 1] + evaluate(excess, theta)[0] + coherency * (theta - mean)
    potential[n - 1] = local - (right - left) * inverse[n - 1]
    return potential


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
def particle_residual(p: ParticleArrays, place: Place, residual: FloatArray) -> None:
    """Write the residual of one particle's rows."""
    state, rates, o = place.state, place.rates, place.offset
    n = p.fractions.size
    potential = chemical_potentials(p, state, o, place.shrink)
    per_spacing = place.shrink * place.shrink / p.spacing
    fractions, face_areas, inverse, table = p.fractions, p.face_areas, p.inverse_fractions, p.diffusivity
    mean, left = 0.0, 0.0
    theta = state[o]
    for i in range(n):
        mean += fractions[i] * theta
        outer = theta
        if i < n - 1:
            outer = state[o + 2 * i + 2]
            m = mobility(table, 0.5 * (theta + outer))[0]
            right = face_areas[i] * m * (potential[i + 1] - potential[i]) * per_spacing
        else:
            right = state[o + 2 * n + 1] * p.rate_scale
        residual[o + 2 * i] = theta - odds_to_fraction(state[o + 2 * i + 1])[0]
        residual[o + 2 * i + 1] = rates[o + 2 * i] - (right - left) * inverse[i]
        left, theta = right, outer
    residual[o + 2 * n] = state[o + 2 * n] - mean
    drive = place.drive + place.film * state[o + 2 * n + 1]
    rate = surface_rate(p, place.log_electrolyte, drive, potential[n - 1], state[o + 2 * n - 1])[0]
    residual[o + 2 * n + 1] = state[o + 2 * n + 1] - p.rate * place.shrink * rate


@compiled_arithmetic
def add(entries: Entries, row: int, column: int, value: float) -> None:
    """Write one triplet."""
    k = entries.filled[0]
    entries.values[k] = value
    if k < entries.rows.size:
        entries.rows[k] = row
        entries.columns[k] = column
    entries.filled[0] = k + 1


@compiled_arithmetic
def _potential_slopes(p: ParticleArrays, state: FloatArray, o: int, shrink: float) -> FloatArray:
    """Return ∂μ_i/∂θ_{i−1}, ∂μ_i/∂θ_i (y and θ̄ apart), ∂μ_i/∂θ_{i+1}, shape (shells, 3)."""
    n = p.fractions.size
    slopes = np.empty((n, 3))
    per_spacing = p.gradient * shrink * shrink / p.spacing
    inverse, face_areas, excess, coherency = p.inverse_fractions, p.face_areas, p.excess, p.coherency
    for i in range(n):
        factor = per_spacing * inverse[i]
        below = factor * face_areas[i - 1] if i > 0 else 0.0
        above = factor * face_areas[i] if i < n - 1 else 0.0
        slopes[i, 0] = -below
        slopes[i, 1] = evaluate(excess, state[o + 2 * i])[1] + coherency + below + above
        slopes[i, 2] = -above
    return slopes


@compiled_arithmetic
def particle_entries(p: ParticleArrays, place: Place, cj: float, entries: Entries) -> tuple[float, float]:
    """Write ∂F/∂y + cj ∂F/∂y′ of one particle's rows by its own unknowns.

    Returns the derivatives of the filling rate's row by ``log_electrolyte`` and ``drive``.
    """
    state, o = place.state, place.offset
    n = p.fractions.size
    potential = chemical_potentials(p, state, o, place.shrink)
    slopes = _potential_slopes(p, state, o, place.shrink)
    _shell_entries(p, place, cj, entries)
    _face_entries(p, place, potential, slopes, entries)
    add(entries, o + 2 * n - 1, o + 2 * n + 1, -p.rate_scale / p.fractions[n - 1])
    add(entries, o + 2 * n, o + 2 * n, 1.0)

    row = o + 2 * n + 1
    _, by_electrolyte, by_drive, by_activity, by_odds = surface_rate(
        p,
        place.log_electrolyte,
        place.drive + place.film * state[row],
        potential[n - 1],
        state[o + 2 * n - 1],
    )
    scale = p.rate * place.shrink
    below, own = slopes[n - 1, 0], slopes[n - 1, 1]
    by_y = by_activity + by_odds
    add(entries, row, row, 1.0 - scale * by_drive * place.film)
    add(entries, row, o + 2 * n - 4, -scale * by_activity * below)
    add(entries, row, o + 2 * n - 2, -scale * by_activity * own)
    add(entries, row, o + 2 * n - 1, -scale * by_y)
    add(entries, row, o + 2 * n, scale * by_activity * p.coherency)
    return -scale * by_electrolyte, -scale * by_drive


@compiled_arithmetic
def _shell_entries(p: ParticleArrays, place: Place, cj: float, entries: Entries) -> None:
    """Write θ_i's relation to its log-odds, its rate and its part in the mean."""
    state, o = place.state, place.offset
    n = p.fractions.size
    rows, columns, values, fractions = entries.rows, entries.columns, entries.values, p.fractions
    k = entries.filled[0]
    for i in range(n):
        theta = o + 2 * i
        values[k], values[k + 1] = 1.0, -odds_to_fraction(state[theta + 1])[1]
        values[k + 2], values[k + 3] = cj, -fractions[i]
        if k < rows.size:
            rows[k], rows[k + 1], rows[k + 2], rows[k + 3] = theta, theta, theta + 1, o + 2 * n
            columns[k], columns[k + 1], columns[k + 2], columns[k + 3] = theta, theta + 1, theta, theta
        k += 4
    entries.filled[0] = k


@compiled_arithmetic
def _face_entries(
    p: ParticleArrays, place: Place, potential: FloatArray, slopes: FloatArray, entries: Entries
) -> None:
    """Write the derivatives of the fluxes between neighbouring shells into the rows of both.

    All faces in one call, and into arrays, not through `add`: a call costs more than its work. Six entries
    for each side; where a neighbour's neighbour is missing, a zero stands in its place.
    """
    state, o = place.state, place.offset
    n = p.fractions.size
    per_spacing = place.shrink * place.shrink / p.spacing
    inverse, face_areas, table = p.inverse_fractions, p.face_areas, p.diffusivity
    rows, columns, values = entries.rows, entries.columns, entries.values
    k = entries.filled[0]
    for i in range(n - 1):
        q = o + 2 * i
        m, m_slope = mobility(table, 0.5 * (state[q] + state[q + 2]))
        scale = face_areas[i] * per_spacing
        by_mobility = scale * 0.5 * m_slope * (potential[i + 1] - potential[i])
        conductance = scale * m
        before = -conductance * slopes[i, 0] if i > 0 else 0.0
        inner = conductance * (slopes[i + 1, 0] - slopes[i, 1]) + by_mobility
        outer = conductance * (slopes[i + 1, 1] - slopes[i, 2]) + by_mobility
        behind = conductance * slopes[i + 1, 2] if i < n - 2 else 0.0
        first, last = (q - 2 if i > 0 else q), (q + 4 if i < n - 2 else q)
        for side in range(2):
            # the flux enters shell i through its outer face and leaves shell i + 1 through its inner face
            sign = -inverse[i] if side == 0 else inverse[i + 1]
            values[k], values[k + 1], values[k + 2] = sign * before, sign * inner, sign * outer
            values[k + 3], values[k + 4], values[k + 5] = (
                sign * behind,
                -sign * conductance,
                sign * conductance,
            )
            if k < rows.size:
                rows[k : k + 6] = q + 2 * side + 1
                columns[k], columns[k + 1], columns[k + 2] = first, q, q + 2
                columns[k + 3], columns[k + 4], columns[k + 5] = last, q + 1, q + 3
            k += 6
    entries.filled[0] = k
