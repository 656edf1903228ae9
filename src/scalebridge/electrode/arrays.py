"""From a `CellModel` to the arrays of the kernels."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from scalebridge.electrode._kernels import CURRENT, POWER, VOLTAGE, CellArrays, ElectrodeArrays
from scalebridge.electrode.electrolytes import SaltSolution
from scalebridge.electrode.model import HOUR, STANDARD_CONCENTRATION, CellModel, MetalFoil, current_unit
from scalebridge.electrode.porous import PorousElectrode
from scalebridge.particle import Particles, particle_arrays, particle_places, tabulate

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

TABLE_END = 4.0
"""Where the tables of the electrolyte end, in units of the initial concentration."""


def cell_arrays(model: CellModel, *, control: int = CURRENT, target: float = 0.0) -> CellArrays:
    """Return the arrays of a cell whose last equation holds ``target``.

    Parameters
    ----------
    control, target
        `CURRENT` in units of 1C (positive discharges), `VOLTAGE` in V, `POWER` in W/m² (positive discharges)
        or `RAMP` in 1C/s.
    """
    layers = model.layers
    width = np.concatenate([np.full(layer.volumes, layer.thickness / layer.volumes) for layer in layers])
    porosity = np.concatenate([np.full(layer.volumes, layer.porosity) for layer in layers])
    factor = np.concatenate([np.full(layer.volumes, layer.transport_factor) for layer in layers])
    current = model.one_c_current
    flux = current / current_unit()
    half = 0.5 * width / factor
    largest, tables = electrolyte_tables(
        model.electrolyte, model.salt_concentration, model.particle.temperature
    )
    thermal = model.particle.thermal_voltage
    places = _places(model)
    cathode = _electrode_arrays(model.cathode, model, places[-model.cathode.layer.volumes :])
    anode = _no_electrode(cathode)
    if isinstance(model.anode, PorousElectrode):
        anode = _electrode_arrays(model.anode, model, places[: model.anode.layer.volumes], behind=cathode)
    scale = {VOLTAGE: 1.0 / thermal, POWER: 1.0 / (thermal * current)}.get(control, 1.0)
    law = model.anode.rate_law if isinstance(model.anode, MetalFoil) else None
    solid = _solid_conductances(model)
    return CellArrays(
        cathode=cathode,
        anode=anode,
        places=places,
        electrolyte=tables,
        largest=largest,
        storage=porosity * width / flux,
        face=1.0 / (half[:-1] + half[1:]) / flux,
        upwind=width[1:] / (width[:-1] + width[1:]),
        solid=solid,
        collector=2.0 * solid[0],
        metal_face=1.0 / (half[0] * flux),
        counter_rate=0.0 if law is None else law.rate_constant / current,
        counter_transfer=0.5 if law is None else law.transfer_coefficient,
        control=control,
        target=target * scale - (cathode.standard if control == VOLTAGE else 0.0),
        drop=ohmic_drop(model) / thermal,
    )


def _inner_unknowns(electrode: PorousElectrode) -> int:
    """Return how many outer unknowns a volume of an electrode has beside c and φ_e."""
    chained = electrode.contact_conductance is not None
    return 1 + (electrode.particle_sizes.shape[1] if chained else 0)


def _places(model: CellModel) -> IntArray:
    """Return the outer index of c in every volume."""
    extra = np.zeros(model.volumes, np.int64)
    extra[model.volumes - model.cathode.layer.volumes :] = _inner_unknowns(model.cathode)
    if isinstance(model.anode, PorousElectrode):
        extra[: model.anode.layer.volumes] = _inner_unknowns(model.anode)
    return np.asarray(1 + 2 * np.arange(model.volumes) + np.cumsum(extra))


def _solid_conductances(model: CellModel) -> FloatArray:
    """Return σ/Δx of the solid between neighbouring volumes in 1C per kT/e, 0 where it ends."""
    scale = model.particle.thermal_voltage / model.one_c_current
    found = np.zeros(model.volumes - 1)
    for electrode, first in ((model.anode, 0), (model.cathode, model.volumes - model.cathode.layer.volumes)):
        if isinstance(electrode, PorousElectrode):
            volumes, thickness = electrode.layer.volumes, electrode.layer.thickness
            per_face = electrode.electronic_conductivity * volumes / thickness
            found[first : first + volumes - 1] = scale * per_face
    return found


def _electrode_arrays(
    electrode: PorousElectrode, model: CellModel, places: IntArray, *, behind: ElectrodeArrays | None = None
) -> ElectrodeArrays:
    """Return an electrode's arrays, its particles ``behind`` those of another; ``places``: its volumes'."""
    particle, sizes = electrode.particle, electrode.particle_sizes
    thermal, current = particle.thermal_voltage, model.one_c_current
    p = particle_arrays(particle, 1.0 / HOUR)
    per_rate = particle.charge_density / HOUR * sizes / (particle.grid.surface_area * particle.size)
    capacity = electrode.capacity_per_area / model.cathode.capacity_per_area
    chained = electrode.contact_conductance is not None
    around = np.repeat(places, sizes.shape[1])
    turn = np.tile(np.arange(sizes.shape[1]), places.size)
    own = around - 1 - sizes.shape[1] + turn if chained else around - 1
    return ElectrodeArrays(
        active=Particles(
            arrays=p,
            offset=0 if behind is None else particle_places(behind.active).size,
            shrink=(particle.size / sizes).ravel(),
            film=(electrode.film_resistance * per_rate / thermal).ravel(),
        ),
        first=0 if behind is not None else model.volumes - places.size,
        volumes=places.size,
        chained=int(chained),
        around=around,
        own=own,
        before=np.where(turn == 0, around - 1, own - 1),
        share=np.ascontiguousarray(capacity * electrode.particle_shares.ravel()),
        link=electrode.chain_conductance * thermal / current,
        standard=particle.mean_voltage / thermal,
    )


def _no_electrode(cathode: ElectrodeArrays) -> ElectrodeArrays:
    """Return an electrode without volumes and particles, in the place of a foil."""
    nothing, nowhere = np.zeros(0), np.zeros(0, np.int64)
    return cathode._replace(
        active=cathode.active._replace(
            offset=particle_places(cathode.active).size, shrink=nothing, film=nothing
        ),
        first=0,
        volumes=0,
        chained=0,
        around=nowhere,
        own=nowhere,
        before=nowhere,
        share=nothing,
    )


@lru_cache(maxsize=64)
def electrolyte_tables(
    electrolyte: SaltSolution, concentration: float, temperature: float
) -> tuple[float, FloatArray]:
    """Return where the tables end [mol/l] and D, S, 1 − t₊, G, (1 − t₊)/D, D/((1 − t₊)S) − G: (6, n, 4).

    Parameters
    ----------
    concentration
        Of the salt at the start [mol/m³].
    """
    largest = TABLE_END * concentration

    def rows(u: FloatArray) -> FloatArray:
        d, s, t, chi = electrolyte.properties(u * largest, temperature)
        drift = 1 - 2 * (1 - t) * chi
        return np.stack([d, s, 1 - t, drift, (1 - t) / d, d / ((1 - t) * s) - drift])

    tables = [tabulate(lambda u, k=k: rows(u)[k]) for k in range(6)]  # type: ignore[misc]
    return largest / STANDARD_CONCENTRATION, np.stack(tables)


def ohmic_drop(model: CellModel) -> float:
    """Return the voltage lost at 1C between the last volume's middle and the current collector [V]."""
    half = 0.5 * model.cathode.layer.thickness / model.cathode.layer.volumes
    return model.one_c_current * half / model.cathode.electronic_conductivity
