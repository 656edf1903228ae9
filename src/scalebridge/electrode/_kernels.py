"""Residual and Jacobian of half and full cells (electroneutral binary electrolyte; Ohm's law in the solid).

The particles' unknowns come first (`particle._kernels`), the cathode's, then those of a porous anode, each
volume by volume from the negative side; then the outer ones, those of electrolyte and solid, in an order that
keeps their band narrow: the current i₀ at the negative side; for every volume the particles' own potentials
where a network joins them, φ_s (both in electrodes only), c, φ_e; at last the applied current I. Indices of
outer unknowns count from i₀. The foil, or the anode's collector, has the potential 0.

| equation | name here |
|---|---|
| c in 1000 mol/m³, a₊ = c; currents in units of 1C, I > 0 discharges | ``c``, ``applied`` |
| φ_e less ln c of the metal's potential, φ_s less the electrode's standard one, kT/e | ``phi``, ``solid`` |
| i = −S(c) ε^b [c ∇φ + G(c) ∇c], S = κ kT/(e F c), G = 1 − 2 (1−t₊) χ | rows of ``SPREAD``, ``DRIFT`` |
| N₋ = −D(c) ε^b ∇c − (1−t₊) i/F, ε ∂c/∂t = −∇·N₋ | rows of c |
| ∇·i = −i_v | rows of φ_e |
| ∇·(−σ ∇φ_s) = i_v | rows of φ_s |
| chain of particles: G (φ_j − φ_{j−1}) − G (φ_{j+1} − φ_j) = I_j, φ_0 = φ_s | rows of particle potentials |
| i₀ of a foil: Butler–Volmer at c(0), where N₋ = 0; else Ohm's law from the collector | first row |
| I, V, V·I or I′ held | last row |

S = D₊ + D₋ and G = t₊ − t₋ turn this into Nernst and Planck's equations of a dilute salt. Newman and
Thomas-Alyea, Electrochemical Systems (2004), chapter 12.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalebridge.foundation.compiled import compiled_arithmetic
from scalebridge.kinetics import reaction_rate
from scalebridge.particle import (
    Group,
    Jacobian,
    Links,
    Particles,
    Surface,
    evaluate,
    particle_blocks,
    particle_residual,
    particle_table,
    resolves_growth,
)

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SMALLEST = 1e-9
"""Concentration below which ln c is continued by its tangent: a trial step below zero stays finite."""
DIFFUSION, SPREAD, ANION, DRIFT, RISE, SHIFT = range(6)
"""Tables of ``electrolyte``: D, S, 1 − t₊, G, (1 − t₊)/D and D/((1 − t₊) S) − G."""
CURRENT, VOLTAGE, POWER, RAMP = range(4)
"""What the last row holds."""


class ElectrodeArrays(NamedTuple):
    """A `PorousElectrode` as the kernels take it; without volumes where a foil stands."""

    active: Particles
    """Volume by volume."""
    first: int
    """First volume."""
    volumes: int
    chained: int
    """1 where a network joins the particles of a volume, else 0."""
    around: IntArray
    """(particles,) outer index of the concentration around each; φ_e follows it, φ_s precedes it."""
    own: IntArray
    """(particles,) outer index of the potential that each sees."""
    before: IntArray
    """(particles,) outer index of the potential from which a network feeds each."""
    share: FloatArray
    """(particles,) of the cathode's capacity; those of the cathode add up to 1."""
    link: float
    """Conductance from particle to particle over 1C, times kT/e."""
    standard: float
    """Standard potential over kT/e."""


class CellArrays(NamedTuple):
    """A `CellModel` as the kernels take it."""

    cathode: ElectrodeArrays
    anode: ElectrodeArrays
    places: IntArray
    """(volumes,) outer index of c; φ_e follows it, and in electrodes φ_s precedes it."""
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
    solid: FloatArray
    """(volumes − 1,) σ kT/e/(Δx · 1C) of the solid between volumes, 0 where they are not of one electrode."""
    collector: float
    """The same from the anode's collector to the middle of its first volume."""
    metal_face: float
    """As ``face``, from the metal to the middle of the first volume."""
    counter_rate: float
    """k0 of the metal over 1C."""
    counter_transfer: float
    control: int
    """`CURRENT`, `VOLTAGE`, `POWER` or `RAMP`."""
    target: float
    """In 1C; in kT/e less the cathode's standard potential; in 1C times kT/e; or in 1C/s."""
    drop: float
    """From the last volume's middle to the collector, in kT/e per 1C."""


def electrodes(a: CellArrays) -> tuple[ElectrodeArrays, ElectrodeArrays]:
    """Return both, in the order of their particles in the state."""
    return a.cathode, a.anode


@compiled_arithmetic
def outer_size(a: CellArrays) -> int:
    """Return the number of outer unknowns."""
    return int(a.places[-1]) + 3


@compiled_arithmetic
def surface(e: ElectrodeArrays, outer: FloatArray) -> Surface:
    """Return what an electrode's particles see."""
    seen = Surface(np.empty(e.share.size), np.empty(e.share.size))
    for j in range(e.share.size):
        q = e.around[j]
        seen.log_electrolyte[j] = safe_log(outer[q])[0]
        seen.drive[j] = outer[e.own[j]] - outer[q + 1]
    return seen


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
    """Return the last row's residual, I′ apart, and its slopes by φ_s of the last volume and by I."""
    voltage = solid - a.drop * applied
    if a.control == CURRENT:
        return applied - a.target, 0.0, 1.0
    if a.control == RAMP:
        return -a.target, 0.0, 0.0
    if a.control == VOLTAGE:
        return voltage - a.target, 1.0, -a.drop
    total = voltage + a.cathode.standard
    return total * applied - a.target, applied, total - a.drop * applied


@compiled_arithmetic
def face_fluxes(a: CellArrays, outer: FloatArray, k: int) -> tuple[float, float]:
    """Return N₋ and i through the face between volumes k and k + 1."""
    q, r = a.places[k], a.places[k + 1]
    c = a.upwind[k] * outer[q] + (1.0 - a.upwind[k]) * outer[r]
    rise, step = outer[r] - outer[q], outer[r + 1] - outer[q + 1]
    drift = transport(a, DRIFT, c)[0]
    current = -a.face[k] * transport(a, SPREAD, c)[0] * (c * step + drift * rise)
    return -a.face[k] * transport(a, DIFFUSION, c)[0] * rise - transport(a, ANION, c)[0] * current, current


@compiled_arithmetic
def cell_residual(a: CellArrays, state: FloatArray, rates: FloatArray, residual: FloatArray) -> None:
    """Write F(y, y′)."""
    first = state.size - outer_size(a)
    outer, out = state[first:], residual[first:]
    _outer_residual(a, outer, rates[first:], out)
    _electrode_residual(a.cathode, outer, state, rates, residual)
    if a.anode.volumes > 0:
        _electrode_residual(a.anode, outer, state, rates, residual)


@compiled_arithmetic
def _electrode_residual(
    e: ElectrodeArrays, outer: FloatArray, state: FloatArray, rates: FloatArray, residual: FloatArray
) -> None:
    """Write the particles' equations of an electrode and add their currents to the outer ones."""
    particle_residual(e.active, surface(e, outer), state, rates, residual)
    out = residual[state.size - outer.size :]
    rates_row = 2 * e.active.arrays.fractions.size + 1
    _add_reactions(e, outer, particle_table(e.active, state)[rates_row], out)


@compiled_arithmetic
def _add_reactions(e: ElectrodeArrays, outer: FloatArray, filling_rates: FloatArray, out: FloatArray) -> None:
    """Add the currents into an electrode's particles, and through their network, to the outer equations."""
    for j in range(filling_rates.size):
        q, own, before = e.around[j], e.own[j], e.before[j]
        current = e.share[j] * filling_rates[j]
        out[q + 1] += current
        out[q - 1] -= current
        if e.chained == 1:
            flow = e.link * (outer[before] - outer[own])
            out[own] += flow + current
            if before != q - 1:
                out[before] -= flow


@compiled_arithmetic
def _outer_residual(a: CellArrays, outer: FloatArray, rates: FloatArray, out: FloatArray) -> None:
    """Write the outer equations, the particles' currents and their network apart."""
    volumes, last = a.places.size, outer.size - 1
    out[:] = 0.0
    anion_left, current_left, solid_left = 0.0, outer[0], 0.0
    if a.anode.volumes == 0:
        out[0] = metal_current(a, outer[0], outer[1], outer[2])[0]
    else:
        out[0] = outer[0] + a.collector * (outer[a.places[0] - 1] + a.anode.standard)
        current_left, solid_left = 0.0, outer[0]
    for k in range(volumes):
        q = a.places[k]
        anion, current = 0.0, 0.0
        if k < volumes - 1:
            anion, current = face_fluxes(a, outer, k)
        out[q] = rates[q] + (anion - anion_left) / a.storage[k]
        out[q + 1] = current - current_left
        if k < a.anode.volumes or k >= a.cathode.first:
            solid = outer[last] if k == volumes - 1 else 0.0
            if k < volumes - 1 and a.solid[k] > 0.0:
                solid = -a.solid[k] * (outer[a.places[k + 1] - 1] - outer[q - 1])
            out[q - 1] = solid - solid_left
            solid_left = solid
        anion_left, current_left = anion, current
    out[last] = control_row(a, outer[a.places[-1] - 1], outer[last])[0]
    if a.control == RAMP:
        out[last] += rates[last]


@compiled_arithmetic
def cell_jacobian(a: CellArrays, state: FloatArray, jacobian: Jacobian) -> None:
    """Write ∂F/∂y."""
    outer = state[state.size - outer_size(a) :]
    _electrode_blocks(a.cathode, outer, state, jacobian.groups[0])
    if a.anode.volumes > 0:
        _electrode_blocks(a.anode, outer, state, jacobian.groups[1])
    _outer_entries(a, outer, jacobian.band)


@compiled_arithmetic
def _electrode_blocks(e: ElectrodeArrays, outer: FloatArray, state: FloatArray, group: Group) -> None:
    """Write the derivatives of the particles' equations of an electrode."""
    around = group.surroundings
    particle_blocks(e.active, surface(e, outer), state, group.blocks)
    for j in range(e.share.size):
        around[0, 0, j] = safe_log(outer[e.around[j]])[1]
        around[1, 1, j] = -1.0
        around[1, 2, j] = 1.0


def electrode_links(e: ElectrodeArrays) -> Links:
    """Return how particles hang on the outer unknowns: they see c, φ_e and a potential, and feed charge."""
    return Links(
        seen=np.stack([e.around, e.around + 1, e.own]),
        fed=np.stack([e.around + 1, e.around - 1, e.own]),
        feedback=np.stack([e.share, -e.share, e.chained * e.share]),
    )


@compiled_arithmetic
def cell_resolves_growth(a: CellArrays, state: FloatArray, cj: float) -> bool:
    """Return `resolves_growth` of both electrodes."""
    outer = state[state.size - outer_size(a) :]
    if not resolves_growth(a.cathode.active, surface(a.cathode, outer), state, cj):
        return False
    return a.anode.volumes == 0 or resolves_growth(a.anode.active, surface(a.anode, outer), state, cj)


@compiled_arithmetic
def _add(band: FloatArray, row: int, column: int, value: float) -> None:
    """Add to an entry of a matrix of diagonals."""
    band[row, band.shape[1] // 2 + column - row] += value


@compiled_arithmetic
def _outer_entries(a: CellArrays, outer: FloatArray, band: FloatArray) -> None:
    """Write the derivatives of the outer equations by the outer unknowns."""
    last = outer.size - 1
    band[:] = 0.0
    if a.anode.volumes == 0:
        _, by_current, by_c, by_phi = metal_current(a, outer[0], outer[1], outer[2])
        _add(band, 0, 0, by_current)
        _add(band, 0, 1, by_c)
        _add(band, 0, 2, by_phi)
        _add(band, 2, 0, -1.0)
    else:
        first = a.places[0] - 1
        _add(band, 0, 0, 1.0)
        _add(band, 0, first, a.collector)
        _add(band, first, 0, -1.0)
    for k in range(a.places.size - 1):
        _face_entries(a, outer, k, band)
    if a.cathode.chained == 1:
        _network_entries(a.cathode, band)
    if a.anode.chained == 1:
        _network_entries(a.anode, band)
    solid = a.places[-1] - 1
    _, by_solid, by_applied = control_row(a, outer[solid], outer[last])
    _add(band, solid, last, 1.0)
    _add(band, last, solid, by_solid)
    _add(band, last, last, by_applied)


@compiled_arithmetic
def _network_entries(e: ElectrodeArrays, band: FloatArray) -> None:
    """Write the derivatives of the currents from particle to particle."""
    for j in range(e.share.size):
        q, own, before = e.around[j], e.own[j], e.before[j]
        _add(band, own, before, e.link)
        _add(band, own, own, -e.link)
        if before != q - 1:
            _add(band, before, before, -e.link)
            _add(band, before, own, e.link)


@compiled_arithmetic
def _face_entries(a: CellArrays, outer: FloatArray, k: int, band: FloatArray) -> None:
    """Write the derivatives of the fluxes between volumes k and k + 1 into the rows of both."""
    q, r = a.places[k], a.places[k + 1]
    weight = a.upwind[k]
    c = weight * outer[q] + (1.0 - weight) * outer[r]
    rise, step = outer[r] - outer[q], outer[r + 1] - outer[q + 1]
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
    solid = a.solid[k]
    for side in range(2):
        row = q if side == 0 else r
        sign = 1.0 if side == 0 else -1.0
        stored = sign / a.storage[k + side]
        _add(band, row, q, stored * (weight * anion_c - anion_rise))
        _add(band, row, r, stored * ((1.0 - weight) * anion_c + anion_rise))
        _add(band, row, q + 1, -stored * anion_step)
        _add(band, row, r + 1, stored * anion_step)
        _add(band, row + 1, q, sign * (weight * current_c - current_rise))
        _add(band, row + 1, r, sign * ((1.0 - weight) * current_c + current_rise))
        _add(band, row + 1, q + 1, -sign * current_step)
        _add(band, row + 1, r + 1, sign * current_step)
        if solid > 0.0:
            _add(band, row - 1, q - 1, sign * solid)
            _add(band, row - 1, r - 1, -sign * solid)
