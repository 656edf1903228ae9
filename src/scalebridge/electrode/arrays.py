"""From a `CellModel` to the arrays of the kernels."""

import numpy as np
from numpy.typing import NDArray

from scalebridge.electrode._kernels import CURRENT, POWER, VOLTAGE, CellArrays
from scalebridge.electrode.model import HOUR, STANDARD_CONCENTRATION, CellModel, current_unit
from scalebridge.particle import Particles, particle_arrays, tabulate

FloatArray = NDArray[np.float64]

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
    cathode = model.cathode
    layers = (model.separator, cathode.layer)
    width = np.concatenate([np.full(layer.volumes, layer.thickness / layer.volumes) for layer in layers])
    porosity = np.concatenate([np.full(layer.volumes, layer.porosity) for layer in layers])
    factor = np.concatenate([np.full(layer.volumes, layer.transport_factor) for layer in layers])
    current = model.one_c_current
    flux = current / current_unit()
    half = 0.5 * width / factor
    largest, tables = electrolyte_tables(model)
    thermal = model.particle.thermal_voltage
    sizes, shares = cathode.particle_sizes, cathode.particle_shares
    p = particle_arrays(model.particle, 1.0 / HOUR)
    per_rate = model.particle.charge_density / HOUR * sizes / (p.surface_area * model.particle.size)
    scale = {VOLTAGE: 1.0 / thermal, POWER: 1.0 / (thermal * current)}.get(control, 1.0)
    return CellArrays(
        active=Particles(
            arrays=p,
            offset=0,
            shrink=(model.particle.size / sizes).ravel(),
            film=(cathode.film_resistance * per_rate / thermal).ravel(),
        ),
        separator_volumes=model.separator.volumes,
        cathode_volumes=cathode.layer.volumes,
        particles=sizes.shape[1],
        chained=int(cathode.contact_conductance is not None),
        share=np.ascontiguousarray(shares.ravel()),
        link=cathode.chain_conductance * thermal / current,
        electrolyte=tables,
        largest=largest,
        storage=porosity * width / flux,
        face=1.0 / (half[:-1] + half[1:]) / flux,
        upwind=width[1:] / (width[:-1] + width[1:]),
        metal_face=1.0 / (half[0] * flux),
        solid=cathode.electronic_conductivity * thermal / (width[-1] * current),
        counter_rate=model.anode.rate_law.rate_constant / current,
        counter_transfer=model.anode.rate_law.transfer_coefficient,
        control=control,
        target=target * scale - (model.particle.mean_voltage / thermal if control == VOLTAGE else 0.0),
        standard=model.particle.mean_voltage / thermal,
        drop=ohmic_drop(model) / thermal,
    )


def electrolyte_tables(model: CellModel) -> tuple[float, FloatArray]:
    """Return where the tables end [mol/l] and D, S, 1 − t₊, G, (1 − t₊)/D, D/((1 − t₊)S) − G: (6, n, 4)."""
    largest = TABLE_END * model.salt_concentration
    temperature = model.particle.temperature

    def rows(u: FloatArray) -> FloatArray:
        d, s, t, chi = model.electrolyte.properties(u * largest, temperature)
        drift = 1 - 2 * (1 - t) * chi
        return np.stack([d, s, 1 - t, drift, (1 - t) / d, d / ((1 - t) * s) - drift])

    tables = [tabulate(lambda u, k=k: rows(u)[k]) for k in range(6)]  # type: ignore[misc]
    return largest / STANDARD_CONCENTRATION, np.stack(tables)


def ohmic_drop(model: CellModel) -> float:
    """Return the voltage lost at 1C between the last volume's middle and the current collector [V]."""
    half = 0.5 * model.cathode.layer.thickness / model.cathode.layer.volumes
    return model.one_c_current * half / model.cathode.electronic_conductivity
