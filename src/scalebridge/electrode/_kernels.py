"""Residual and Jacobian of the half cell (electroneutral binary electrolyte; Ohm's law in the solid).

Order of the unknowns, chosen so that elimination from the first to the last fills in little: the metal's
current i₀; for every separator volume c, φ_e; for every cathode volume the particles' blocks, their own
potentials where a network joins them, φ_s, c, φ_e; at last the applied current I.

| equation | name here |
|---|---|
| c in 1000 mol/m³, a₊ = c; currents in units of 1C, I > 0 discharges | ``c``, ``applied`` |
| φ_e less ln c of the ion metal's potential, φ_s less the standard potential, in kT/e | ``phi``, ``solid`` |
| i = −S(c) ε^b [c ∇φ + G(c) ∇c], S = κ kT/(e F c), G = 1 − 2 (1−t₊) χ | rows of ``SPREAD``, ``DRIFT`` |
| N₋ = −D(c) ε^b ∇c − (1−t₊) i/F, ε ∂c/∂t = −∇·N₋ | rows of c |
| ∇·i = −i_v | rows of φ_e |
| ∇·(−σ ∇φ_s) = i_v | rows of φ_s |
| chain of particles: G (φ_j − φ_{j−1}) − G (φ_{j+1} − φ_j) = I_j, φ_0 = φ_s | rows of particle potentials |
| i₀ of the metal: Butler–Volmer at c(0), where N₋ = 0 | first row |
| I, V or V·I held | last row |

S = D₊ + D₋ and G = t₊ − t₋ turn this into Nernst and Planck's equations of a dilute salt. Newman and
Thomas-Alyea, Electrochemical Systems (2004), chapter 12.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalebridge.foundation.compiled import compiled_arithmetic
from scalebridge.kinetics import reaction_rate
from scalebridge.particle import (
    Entries,
    ParticleArrays,
    Place,
    add,
    block_size,
    evaluate,
    particle_entries,
    particle_residual,
)

FloatArray = NDArray[np.float64]

SMALLEST = 1e-9
"""Concentration below which ln c is continued by its tangent: a trial step below zero stays finite."""
DIFFUSION, SPREAD, ANION, DRIFT, RISE, SHIFT = range(6)
"""Tables of ``electrolyte``: D, S, 1 − t₊, G, (1 − t₊)/D and D/((1 − t₊) S) − G."""
CURRENT, VOLTAGE, POWER = 0, 1, 2
"""What the last row holds."""


class CellArrays(NamedTuple):
    """A `CellModel` as the kernels take it."""

    particle: ParticleArrays
    separator_volumes: int
    cathode_volumes: int
    particles: int
    """Per volume."""
    chained: int
    """1 where a network joins the particles of a volume, else 0."""
    shrink: FloatArray
    """(cathode volumes, particles) size of ``particle`` over each particle's."""
    share: FloatArray
    """(cathode volumes, particles) of the electrode's capacity; adds up to 1."""
    film: FloatArray
    """(cathode volumes, particles) see `Place.film`."""
    link: float
    """Conductance from particle to particle over 1C, times kT/e."""
    electrolyte: FloatArray
    """(6, intervals, 4) tables over c/``largest``."""
    largest: float
    """Concentration at which the tables end."""
    storage: FloatArray
    """(volumes,) ε Δx/flux of 1C [s]."""
    face: FloatArray
    """(volumes − 1,) ε^b/(distance · flux of 1C) of the faces [s/m²]."""
    upwind: FloatArray
    """(volumes − 1,) weight of the left volume in the concentration of a face."""
    metal_face: float
    """As ``face``, from the metal to the middle of the first volume."""
    solid: float
    """σ kT/e/(Δx · 1C)."""
    counter_rate: float
    """k0 of the metal over 1C."""
    counter_transfer: float
    control: int
    """`CURRENT`, `VOLTAGE` or `POWER`."""
    target: float
    """In 1C; in kT/e less the standard potential; or in 1C times kT/e."""
    standard: float
    """Standard potential over kT/e."""
    drop: float
    """From the last volume's middle to the collector, in kT/e per 1C."""


@compiled_arithmetic
def stride(a: CellArrays) -> int:
    """Return the number of unknowns of a cathode volume."""
    return a.particles * (block_size(a.particle.fractions.size) + a.chained) + 3


@compiled_arithmetic
def concentration_index(a: CellArrays, k: int) -> int:
    """Return the position of c in volume k; φ_e follows it, and in the cathode φ_s precedes it."""
    if k < a.separator_volumes:
        return 1 + 2 * k
    return 2 * a.separator_volumes + (k - a.separator_volumes + 1) * stride(a) - 1


@compiled_arithmetic
def particle_index(a: CellArrays, k: int, j: int) -> int:
    """Return the first unknown of particle j in cathode volume k (counted from the separator)."""
    return 1 + 2 * a.separator_volumes + k * stride(a) + j * block_size(a.particle.fractions.size)


@compiled_arithmetic
def potential_index(a: CellArrays, k: int, j: int) -> int:
    """Return the position of the potential that particle j of cathode volume k sees."""
    q = concentration_index(a, a.separator_volumes + k)
    return q - 1 - a.particles + j if a.chained == 1 else q - 1


@compiled_arithmetic
def safe_log(c: float) -> tuple[float, float]:
    """Return ln c and its slope, continued by the tangent below ``SMALLEST``."""
    if c > SMALLEST:
        return np.log(c), 1.0 / c
    return np.log(SMALLEST) + c / SMALLEST - 1.0, 1.0 / SMALLEST


@compiled_arithmetic
def transport(a: CellArrays, table: int, c: float) -> tuple[float, float]:
    """Return a property of the electrolyte and its slope; beyond the tables the value at their end."""
    u = c / a.largest
    if u < 0.0 or u > 1.0:
        return evaluate(a.electrolyte[table], min(max(u, 0.0), 1.0))[0], 0.0
    value, slope = evaluate(a.electrolyte[table], u)
    return value, slope / a.largest


@compiled_arithmetic
def metal_concentration(a: CellArrays, current: float, c: float) -> float:
    """Return c(0) from the metal's current and c of the first volume: no anion crosses."""
    return c + current * transport(a, RISE, c)[0] / a.metal_face


@compiled_arithmetic
def metal_current(a: CellArrays, current: float, c: float, phi: float) -> tuple[float, float, float, float]:
    """Return i₀ less the metal's Butler–Volmer current, and its slopes by i₀, c and φ_e of the first volume.

    From N₋ = 0, φ_e(0) = φ_e + [D/((1−t₊) S) − G] (ln c(0) − ln c).
    """
    rise, rise_slope = transport(a, RISE, c)
    shift, shift_slope = transport(a, SHIFT, c)
    by_current, by_c = rise / a.metal_face, 1.0 + current * rise_slope / a.metal_face
    surface, surface_slope = safe_log(c + current * by_current)
    bulk, bulk_slope = safe_log(c)
    rate, by_log, by_drive, _, _ = reaction_rate(
        surface, -(phi + shift * (surface - bulk)), 0.0, 0.0, a.counter_transfer
    )
    by_surface = (by_log - by_drive * shift) * surface_slope
    towards_c = by_surface * by_c + by_drive * (shift * bulk_slope - shift_slope * (surface - bulk))
    k = a.counter_rate
    return current + k * rate, 1.0 + k * by_surface * by_current, k * towards_c, -k * by_drive


@compiled_arithmetic
def control_row(a: CellArrays, solid: float, applied: float) -> tuple[float, float, float]:
    """Return the last row's residual and its slopes by φ_s of the last volume and by I."""
    voltage = solid - a.drop * applied
    if a.control == CURRENT:
        return applied - a.target, 0.0, 1.0
    if a.control == VOLTAGE:
        return voltage - a.target, 1.0, -a.drop
    total = voltage + a.standard
    return total * applied - a.target, applied, total - a.drop * applied


@compiled_arithmetic
def face_fluxes(a: CellArrays, state: FloatArray, k: int) -> tuple[float, float]:
    """Return N₋ and i through the face between volumes k and k + 1."""
    q, r = concentration_index(a, k), concentration_index(a, k + 1)
    c = a.upwind[k] * state[q] + (1.0 - a.upwind[k]) * state[r]
    rise, step = state[r] - state[q], state[r + 1] - state[q + 1]
    drift = transport(a, DRIFT, c)[0]
    current = -a.face[k] * transport(a, SPREAD, c)[0] * (c * step + drift * rise)
    return -a.face[k] * transport(a, DIFFUSION, c)[0] * rise - transport(a, ANION, c)[0] * current, current


@compiled_arithmetic
def cell_residual(a: CellArrays, state: FloatArray, rates: FloatArray, residual: FloatArray) -> None:
    """Write F(y, y′)."""
    volumes = a.separator_volumes + a.cathode_volumes
    last = state.size - 1
    residual[0] = metal_current(a, state[0], state[1], state[2])[0]
    anion_left, current_left, solid_left = 0.0, state[0], 0.0
    for k in range(volumes):
        q = concentration_index(a, k)
        anion, current = 0.0, 0.0
        if k < volumes - 1:
            anion, current = face_fluxes(a, state, k)
        residual[q] = rates[q] + (anion - anion_left) / a.storage[k]
        residual[q + 1] = current - current_left
        if k >= a.separator_volumes:
            reaction = _particles_residual(a, state, rates, residual, k - a.separator_volumes)
            residual[q + 1] += reaction
            solid = state[last]
            if k < volumes - 1:
                solid = -a.solid * (state[concentration_index(a, k + 1) - 1] - state[q - 1])
            residual[q - 1] = solid - solid_left - reaction
            solid_left = solid
        anion_left, current_left = anion, current
    residual[last] = control_row(a, state[concentration_index(a, volumes - 1) - 1], state[last])[0]


@compiled_arithmetic
def _place(a: CellArrays, state: FloatArray, rates: FloatArray, k: int, j: int) -> Place:
    """Return where particle j of cathode volume k sits."""
    q = concentration_index(a, a.separator_volumes + k)
    drive = state[potential_index(a, k, j)] - state[q + 1]
    return Place(
        state, rates, particle_index(a, k, j), safe_log(state[q])[0], drive, a.shrink[k, j], a.film[k, j]
    )


@compiled_arithmetic
def _particles_residual(
    a: CellArrays, state: FloatArray, rates: FloatArray, residual: FloatArray, k: int
) -> float:
    """Write the rows of the particles of cathode volume k; return the current into them."""
    block = block_size(a.particle.fractions.size)
    total = 0.0
    solid = concentration_index(a, a.separator_volumes + k) - 1
    for j in range(a.particles):
        place = _place(a, state, rates, k, j)
        particle_residual(a.particle, place, residual)
        current = a.share[k, j] * state[place.offset + block - 1]
        total += current
        if a.chained == 1:
            own = potential_index(a, k, j)
            before = solid if j == 0 else own - 1
            residual[own] = a.link * (state[before] - state[own]) + current
            if j < a.particles - 1:
                residual[own] -= a.link * (state[own] - state[own + 1])
    return total


@compiled_arithmetic
def cell_entries(a: CellArrays, state: FloatArray, cj: float, entries: Entries) -> None:
    """Write ∂F/∂y + cj ∂F/∂y′."""
    volumes = a.separator_volumes + a.cathode_volumes
    last = state.size - 1
    entries.filled[0] = 0
    _, by_current, by_c, by_phi = metal_current(a, state[0], state[1], state[2])
    add(entries, 0, 0, by_current)
    add(entries, 0, 1, by_c)
    add(entries, 0, 2, by_phi)
    add(entries, 2, 0, -1.0)
    for k in range(volumes):
        q = concentration_index(a, k)
        add(entries, q, q, cj)
        if k >= a.separator_volumes:
            _particles_entries(a, state, cj, entries, k - a.separator_volumes)
        if k < volumes - 1:
            _face_entries(a, state, k, entries)
    solid = concentration_index(a, volumes - 1) - 1
    _, by_solid, by_applied = control_row(a, state[solid], state[last])
    add(entries, solid, last, 1.0)
    add(entries, last, solid, by_solid)
    add(entries, last, last, by_applied)


@compiled_arithmetic
def _particles_entries(a: CellArrays, state: FloatArray, cj: float, entries: Entries, k: int) -> None:
    """Write the derivatives of the rows of the particles in cathode volume k, and of their currents."""
    q = concentration_index(a, a.separator_volumes + k)
    slope = safe_log(state[q])[1]
    block = block_size(a.particle.fractions.size)
    for j in range(a.particles):
        place = _place(a, state, state, k, j)
        by_electrolyte, by_drive = particle_entries(a.particle, place, cj, entries)
        own, rate = potential_index(a, k, j), place.offset + block - 1
        add(entries, rate, q, by_electrolyte * slope)
        add(entries, rate, own, by_drive)
        add(entries, rate, q + 1, -by_drive)
        add(entries, q + 1, rate, a.share[k, j])
        add(entries, q - 1, rate, -a.share[k, j])
        if a.chained == 1:
            before = q - 1 if j == 0 else own - 1
            add(entries, own, before, a.link)
            add(entries, own, own, -a.link)
            add(entries, own, rate, a.share[k, j])
            if j < a.particles - 1:
                add(entries, own, own, -a.link)
                add(entries, own, own + 1, a.link)


@compiled_arithmetic
def _face_entries(a: CellArrays, state: FloatArray, k: int, entries: Entries) -> None:
    """Write the derivatives of the fluxes between volumes k and k + 1 into the rows of both."""
    q, r = concentration_index(a, k), concentration_index(a, k + 1)
    weight = a.upwind[k]
    c = weight * state[q] + (1.0 - weight) * state[r]
    rise, step = state[r] - state[q], state[r + 1] - state[q + 1]
    diffusion, diffusion_slope = transport(a, DIFFUSION, c)
    spread, spread_slope = transport(a, SPREAD, c)
    share, share_slope = transport(a, ANION, c)
    drift, drift_slope = transport(a, DRIFT, c)
    force = c * step + drift * rise
    current = -a.face[k] * spread * force
    # by the face's concentration, by its rise and by the step of the potential
    current_c = -a.face[k] * (spread_slope * force + spread * (step + drift_slope * rise))
    current_rise, current_step = -a.face[k] * spread * drift, -a.face[k] * spread * c
    anion_c = -a.face[k] * diffusion_slope * rise - share_slope * current - share * current_c
    anion_rise, anion_step = -a.face[k] * diffusion - share * current_rise, -share * current_step
    for side in range(2):
        row = q if side == 0 else r
        sign = 1.0 if side == 0 else -1.0
        stored = sign / a.storage[k + side]
        add(entries, row, q, stored * (weight * anion_c - anion_rise))
        add(entries, row, r, stored * ((1.0 - weight) * anion_c + anion_rise))
        add(entries, row, q + 1, -stored * anion_step)
        add(entries, row, r + 1, stored * anion_step)
        add(entries, row + 1, q, sign * (weight * current_c - current_rise))
        add(entries, row + 1, r, sign * ((1.0 - weight) * current_c + current_rise))
        add(entries, row + 1, q + 1, -sign * current_step)
        add(entries, row + 1, r + 1, sign * current_step)
        if k >= a.separator_volumes:
            add(entries, row - 1, q - 1, sign * a.solid)
            add(entries, row - 1, r - 1, -sign * a.solid)
