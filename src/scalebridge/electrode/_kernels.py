"""Residual and Jacobian of the half cell (Nernst–Planck, electroneutral; Ohm's law in the solid).

Order of the unknowns, chosen so that elimination from the first to the last fills in little: for every
separator volume c, φ_e; for every cathode volume the particle's block, φ_s, c, φ_e.

| equation | name here |
|---|---|
| c in 1000 mol/m³, a₊ = c | ``c`` |
| φ_e against the metal electrode, φ_s against it less the standard potential, in kT/e | ``phi``, ``solid`` |
| N± = −D± ε^b (∇c ± c ∇φ) | ``_ion_fluxes`` |
| ε ∂c/∂t = −∇·N₋ | rows of c |
| ∇·(N₊ − N₋) = −i_v/F | rows of φ_e |
| ∇·(−σ ∇φ_s) = i_v | rows of φ_s |
| i(0) of the metal: Butler–Volmer; i_s(L) = I | boundary rows |

Fluxes are in units of the applied flux ``flux`` = |I|/(F · 1000 mol/m³) [m/s].
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalebridge.electrode.model import CellModel, current_unit
from scalebridge.foundation.compiled import compiled
from scalebridge.kinetics import reaction_rate
from scalebridge.particle import (
    Entries,
    ParticleArrays,
    Place,
    add,
    block_size,
    particle_arrays,
    particle_entries,
    particle_residual,
)

FloatArray = NDArray[np.float64]

SMALLEST = 1e-9
"""Concentration below which ln c is continued by its tangent: a trial step below zero stays finite."""


class CellArrays(NamedTuple):
    """A `CellModel` as the kernels take it."""

    particle: ParticleArrays
    separator_volumes: int
    cathode_volumes: int
    storage: FloatArray
    """(volumes,) ε Δx/flux [s]."""
    cation: FloatArray
    """(volumes − 1,) D₊ ε^b/(distance · flux) of the faces."""
    anion: FloatArray
    """(volumes − 1,)"""
    upwind: FloatArray
    """(volumes − 1,) weight of the left volume in the concentration of a face."""
    solid: float
    """σ kT/e/(Δx |I|)."""
    direction: float
    """1: discharge, −1: charge, 0: rest."""
    surface_rise: float
    """c(0) − c of the first volume at the applied current."""
    counter_rate: float
    """k0 of the metal over |I|."""
    counter_transfer: float
    charge_share: float
    """Filling rate of one volume in units of the current: 1/volumes."""


def cell_arrays(model: CellModel, c_rate: float) -> CellArrays:
    """Return the arrays at a C-rate: positive discharges, negative charges."""
    layers = (model.separator, model.cathode)
    width = np.concatenate([np.full(layer.volumes, layer.thickness / layer.volumes) for layer in layers])
    porosity = np.concatenate([np.full(layer.volumes, layer.porosity) for layer in layers])
    factor = np.concatenate([np.full(layer.volumes, layer.transport_factor) for layer in layers])
    current = abs(c_rate) * model.one_c_current
    flux = current / current_unit()
    half = 0.5 * width / factor
    conductance = 1.0 / (half[:-1] + half[1:])
    thermal_voltage = model.particle.thermal_voltage
    return CellArrays(
        particle=particle_arrays(model.particle, abs(c_rate) / 3600.0),
        separator_volumes=model.separator.volumes,
        cathode_volumes=model.cathode.volumes,
        storage=porosity * width / flux,
        cation=model.cation_diffusivity * conductance / flux,
        anion=model.anion_diffusivity * conductance / flux,
        upwind=width[1:] / (width[:-1] + width[1:]),
        solid=model.electronic_conductivity * thermal_voltage / (width[-1] * current),
        direction=float(np.sign(c_rate)),
        surface_rise=float(np.sign(c_rate)) * flux * half[0] / (2 * model.cation_diffusivity),
        counter_rate=model.counter_rate_law.rate_constant / current,
        counter_transfer=model.counter_rate_law.transfer_coefficient,
        charge_share=1.0 / model.cathode.volumes,
    )


def system_size(model: CellModel) -> int:
    """Return the number of unknowns."""
    return 2 * model.separator.volumes + model.cathode.volumes * (block_size(model.particle.shells) + 3)


@compiled
def concentration_index(a: CellArrays, k: int) -> int:
    """Return the position of c in volume k; φ_e follows it, and in the cathode φ_s precedes it."""
    if k < a.separator_volumes:
        return 2 * k
    block = block_size(a.particle.fractions.size) + 3
    return 2 * a.separator_volumes + (k - a.separator_volumes + 1) * block - 2


@compiled
def safe_log(c: float) -> tuple[float, float]:
    """Return ln c and its slope, continued by the tangent below ``SMALLEST``."""
    if c > SMALLEST:
        return np.log(c), 1.0 / c
    return np.log(SMALLEST) + c / SMALLEST - 1.0, 1.0 / SMALLEST


@compiled
def counter_current(a: CellArrays, c: float, phi: float) -> tuple[float, float, float]:
    """Return i(0)/|I| and its slopes by c and φ_e of the first volume.

    Anions do not move at the metal, so φ_e(0) = φ_e + ln c(0) − ln c.
    """
    surface, surface_slope = safe_log(c + a.surface_rise)
    bulk, bulk_slope = safe_log(c)
    rate, by_electrolyte, by_drive, _, _ = reaction_rate(
        surface, -(phi + surface - bulk), 0.0, 0.0, a.counter_transfer
    )
    by_c = by_electrolyte * surface_slope - by_drive * (surface_slope - bulk_slope)
    return -a.counter_rate * rate, -a.counter_rate * by_c, a.counter_rate * by_drive


@compiled
def cell_residual(a: CellArrays, state: FloatArray, rates: FloatArray, residual: FloatArray) -> None:
    """Write F(y, y′)."""
    volumes = a.separator_volumes + a.cathode_volumes
    block = block_size(a.particle.fractions.size)
    q = concentration_index(a, 0)
    anion_left = 0.0
    current_left = counter_current(a, state[q], state[q + 1])[0]
    solid_left = 0.0
    for k in range(volumes):
        q = concentration_index(a, k)
        anion, current = 0.0, 0.0
        if k < volumes - 1:
            r = concentration_index(a, k + 1)
            face = a.upwind[k] * state[q] + (1.0 - a.upwind[k]) * state[r]
            rise, drift = state[r] - state[q], face * (state[r + 1] - state[q + 1])
            anion = -a.anion[k] * (rise - drift)
            current = -a.cation[k] * (rise + drift) - anion
        residual[q] = rates[q] + (anion - anion_left) / a.storage[k]
        residual[q + 1] = current - current_left
        if k >= a.separator_volumes:
            o = q - 1 - block
            electrolyte = safe_log(state[q])[0]
            drive = state[q - 1] - state[q + 1]
            particle_residual(a.particle, Place(state, rates, o, electrolyte, drive), residual)
            reaction = a.charge_share * state[q - 2]
            residual[q + 1] += reaction
            solid = a.direction
            if k < volumes - 1:
                solid = -a.solid * (state[concentration_index(a, k + 1) - 1] - state[q - 1])
            residual[q - 1] = solid - solid_left - reaction
            solid_left = solid
        anion_left, current_left = anion, current


@compiled
def cell_entries(a: CellArrays, place: Place, cj: float, entries: Entries) -> None:
    """Write ∂F/∂y + cj ∂F/∂y′; of ``place`` only the state and the rates are used."""
    state = place.state
    volumes = a.separator_volumes + a.cathode_volumes
    block = block_size(a.particle.fractions.size)
    entries.filled[0] = 0
    for k in range(volumes):
        q = concentration_index(a, k)
        add(entries, q, q, cj)
        if k >= a.separator_volumes:
            o = q - 1 - block
            electrolyte, slope = safe_log(state[q])
            drive = state[q - 1] - state[q + 1]
            by_electrolyte, by_drive = particle_entries(
                a.particle, Place(state, place.rates, o, electrolyte, drive), cj, entries
            )
            add(entries, q - 2, q, by_electrolyte * slope)
            add(entries, q - 2, q - 1, by_drive)
            add(entries, q - 2, q + 1, -by_drive)
            add(entries, q + 1, q - 2, a.charge_share)
            add(entries, q - 1, q - 2, -a.charge_share)
        if k < volumes - 1:
            _face_entries(a, state, k, entries)
    q = concentration_index(a, 0)
    _, by_c, by_phi = counter_current(a, state[q], state[q + 1])
    add(entries, q + 1, q, -by_c)
    add(entries, q + 1, q + 1, -by_phi)


@compiled
def _face_entries(a: CellArrays, state: FloatArray, k: int, entries: Entries) -> None:
    """Write the derivatives of the fluxes between volumes k and k + 1 into the rows of both."""
    q, r = concentration_index(a, k), concentration_index(a, k + 1)
    weight = a.upwind[k]
    face = weight * state[q] + (1.0 - weight) * state[r]
    step = state[r + 1] - state[q + 1]
    for side in range(2):
        row = q if side == 0 else r
        sign = 1.0 if side == 0 else -1.0
        anion = sign * a.anion[k]
        stored = anion / a.storage[k + side]
        cation = sign * a.cation[k]
        add(entries, row, q, stored * (1.0 + weight * step))
        add(entries, row, r, stored * (-1.0 + (1.0 - weight) * step))
        add(entries, row, q + 1, -stored * face)
        add(entries, row, r + 1, stored * face)
        add(entries, row + 1, q, cation * (1.0 - weight * step) - anion * (1.0 + weight * step))
        add(
            entries,
            row + 1,
            r,
            cation * (-1.0 - (1.0 - weight) * step) - anion * (-1.0 + (1.0 - weight) * step),
        )
        add(entries, row + 1, q + 1, (cation + anion) * face)
        add(entries, row + 1, r + 1, -(cation + anion) * face)
        if k >= a.separator_volumes:
            add(entries, row - 1, q - 1, sign * a.solid)
            add(entries, row - 1, r - 1, -sign * a.solid)


def ohmic_drop(model: CellModel, c_rate: float) -> float:
    """Return the voltage lost between the last volume's middle and the current collector [V]."""
    half = 0.5 * model.cathode.thickness / model.cathode.volumes
    return c_rate * model.one_c_current * half / model.electronic_conductivity
