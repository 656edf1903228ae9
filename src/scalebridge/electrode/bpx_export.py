"""Cells as BPX files (Battery Parameter eXchange, https://bpxstandard.com), where their physics fits.

BPX describes a Doyle–Fuller–Newman cell: spheres of one size with Fick's diffusion, an open-circuit
potential, j₀ = F K √(c/c₀ x (1−x)) and an ideal electrolyte with constant transference. A half cell is
a partial parameterisation: the negative electrode is left out.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalebridge.electrode.arrays import TABLE_END
from scalebridge.electrode.model import STANDARD_CONCENTRATION, CellModel, MetalFoil
from scalebridge.electrode.porous import Layer, PorousElectrode
from scalebridge.foundation import InputError, constants, optional_package
from scalebridge.particle import ParticleModel, evaluate

FloatArray = NDArray[np.float64]

BPX = ("bpx", "BPX files")
"""For `optional_package`."""
BPX_VERSION = "1.0.0"
AREA = 1.0
"""Of the exported cell [m²]."""
TABLE_POINTS = 801
END = 1e-4
"""Distance of the tables' ends from an empty and a full particle."""
NEGLIGIBLE = 1e-2
"""Share of the slope of μ that a gradient term may add and still be left out."""
SLOWEST_MODE = 4.493
"""First root of tan k = k: the slowest mode of diffusion in a sphere is sin(kr/R)/r."""
UNIFORM = 1e-6
"""Relative spread below which a property counts as constant."""
CHECKED = 101
"""Points at which that is asked."""


def to_bpx(model: CellModel, *, title: str) -> dict[str, Any]:
    """Return a cell as a BPX object of 1 m²: the model ``DFN``, or ``Partial`` of a half cell.

    Open-circuit potentials, diffusivities and conductivity are tables for linear interpolation. The
    stoichiometries are those between which a full cell goes from its start until an electrode ends; a half
    cell's metal has its rate constant under ``User-defined``.

    Raises
    ------
    InputError
        If BPX has no place for something of the model; the message names all of it.
    """
    reasons = _misfits(model)
    if reasons:
        raise InputError(f"this cell has no place in a BPX file: {'; '.join(reasons)}")
    temperature = model.particle.temperature
    half = isinstance(model.anode, MetalFoil)
    return {
        "Header": {
            "BPX": BPX_VERSION,
            "Title": title,
            "Description": (
                "Half cell against the ion's metal, by scalebridge; negative electrode left out"
                if half
                else "Full cell, by scalebridge"
            ),
            "References": model.electrolyte.source,
            "Model": "Partial" if half else "DFN",
        },
        "Parameterisation": {
            "Cell": {
                "Electrode area [m2]": AREA,
                "External surface area [m2]": 2 * AREA,
                "Volume [m3]": sum(layer.thickness for layer in model.layers) * AREA,
                "Number of electrode pairs connected in parallel to make a cell": 1,
                "Lower voltage cut-off [V]": model.cutoff_voltage,
                "Upper voltage cut-off [V]": model.open_circuit_voltage,
                "Nominal cell capacity [A.h]": model.one_c_current * AREA,
                "Reference temperature [K]": temperature,
            },
            "Electrolyte": _electrolyte(model),
            **_electrodes(model),
            "Separator": _layer(model.separator),
        },
        "State": {
            "Initial conditions": {
                "Initial temperature [K]": temperature,
                "Initial electrolyte concentration [mol.m-3]": model.salt_concentration,
            },
            "Thermal environment": {"Ambient temperature [K]": temperature},
        },
    }


def write_bpx(model: CellModel, path: Path, *, title: str) -> Path:
    """Write a cell as a BPX file, checked by the package ``bpx``; return the path.

    Raises
    ------
    InputError
        See `to_bpx`; or if the file cannot be written.
    MissingDependencyError
        If ``bpx`` is not installed.
    """
    content = to_bpx(model, title=title)
    # it takes the object apart, so it gets a copy
    optional_package(*BPX).parse_bpx_obj(json.loads(json.dumps(content)))
    try:
        path.write_text(json.dumps(content, indent=1), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); give another path") from error
    return path


def _misfits(model: CellModel) -> list[str]:
    """Return why BPX cannot hold a model, a reason and its way out each."""
    reasons = _electrode_misfits(model.cathode)
    if isinstance(model.anode, PorousElectrode):
        sides = {"cathode": reasons, "anode": _electrode_misfits(model.anode)}
        reasons = [f"{side}: {reason}" for side, found in sides.items() for reason in found]
    _, _, transference, factor = _salt(model, np.linspace(0.05, TABLE_END, CHECKED))
    if np.ptp(transference) > UNIFORM or np.max(np.abs(factor - 1)) > UNIFORM:
        reasons.append(
            f"the electrolyte's transference (from {transference.min():.3g} to {transference.max():.3g}) or "
            f"thermodynamic factor (to {factor.max():.3g}) vary; use a dilute one or Nyman's"
        )
    return reasons


def _electrode_misfits(electrode: PorousElectrode) -> list[str]:
    """Return why BPX cannot hold an electrode."""
    reasons, law = _particle_misfits(electrode.particle), electrode.particle.rate_law
    if electrode.population is not None:
        reasons.append("a distribution of sizes; give one size")
    if electrode.film_resistance > 0:
        reasons.append(f"a film of {electrode.film_resistance:g} V m²/A; set it to 0")
    if electrode.noise_interval is not None:
        reasons.append("thermal noise; leave noise_interval out")
    if electrode.contact_conductance is not None:
        reasons.append("chains of particles; leave contact_conductance out")
    known = (law.form, law.transition_state, law.transfer_coefficient)
    if known != ("butler-volmer", "follows host", 0.5):
        reasons.append(
            f"the rate law '{law.form}' with transition state '{law.transition_state}' and α = "
            f"{law.transfer_coefficient:g}; use Butler–Volmer, 'follows host', α = 0.5"
        )
    return reasons


def _particle_misfits(particle: ParticleModel) -> list[str]:
    """Return why Fick's diffusion in a sphere is not what a particle does."""
    theta, slope = _chemical_slope(particle)
    reasons = []
    if particle.order is not None:
        reasons.append("phases with a rate of their own; leave phase_relaxation_time out")
    if particle.kind != "cahn-hilliard":
        reasons.append(f"{particle.kind} particles, in which no ion diffuses; choose cahn-hilliard ones")
    if slope.min() <= 0:
        reasons.append(
            f"phases separate (the voltage at rest rises with filling at θ = {theta[slope.argmin()]:.2g}), "
            "where BPX has a single phase; keep the phase field"
        )
    elif particle.gradient_energy > 0:
        added = (SLOWEST_MODE * particle.interface_length / particle.size) ** 2 / slope.min()
        if added > NEGLIGIBLE:
            reasons.append(f"the gradient energy adds {added:.1%} to the slope of μ; use larger particles")
    if particle.coherency_modulus > 0:
        reasons.append("coherency strain; design with coherent = false")
    if particle.surface_gradient != 0:
        reasons.append("wetting of the surface; set surface_gradient to 0")
    if particle.shape != "sphere":
        reasons.append(f"particles of shape '{particle.shape}'; use spheres")
    return reasons


def _electrodes(model: CellModel) -> dict[str, Any]:
    """Return the electrodes, and the rate constant of a metal."""
    cathode, anode = model.cathode, model.anode
    start, passed = cathode.initial_theta, model.final_theta - cathode.initial_theta
    if isinstance(anode, MetalFoil):
        rate = {"Counter electrode exchange-current density [A.m-2]": anode.rate_law.rate_constant}
        negative: dict[str, Any] = {"User-defined": rate}
    else:
        charged, ratio = anode.initial_theta, cathode.capacity_per_area / anode.capacity_per_area
        passed = min(passed, (charged - END) / ratio)
        negative = {"Negative electrode": _electrode(model, anode, (charged - ratio * passed, charged))}
    return {"Positive electrode": _electrode(model, cathode, (start, start + passed))} | negative


def _chemical_slope(particle: ParticleModel) -> tuple[FloatArray, FloatArray]:
    """Return site fractions, dense at both ends, and d(μ/kT)/dθ there."""
    theta = END + (1 - 2 * END) * np.sin(0.5 * np.pi * np.linspace(0, 1, TABLE_POINTS)) ** 2
    excess = np.array([evaluate(particle.excess, float(x))[1] for x in theta])
    return theta, 1 / (theta * (1 - theta)) + excess


def _salt(model: CellModel, relative: FloatArray) -> FloatArray:
    concentration = relative * model.salt_concentration
    return model.electrolyte.properties(concentration, model.particle.temperature)


def _electrolyte(model: CellModel) -> dict[str, Any]:
    relative = np.linspace(0, TABLE_END, CHECKED)
    concentration = relative * model.salt_concentration
    diffusivity, mobility, transference, _ = _salt(model, relative)
    scale = constants.FARADAY**2 / (constants.GAS_CONSTANT * model.particle.temperature)
    return {
        "Cation transference number": float(transference[0]),
        "Diffusivity [m2.s-1]": _table(concentration, diffusivity),
        "Conductivity [S.m-1]": _table(concentration, mobility * scale * concentration),
    }


def _electrode(model: CellModel, electrode: PorousElectrode, between: tuple[float, float]) -> dict[str, Any]:
    particle = electrode.particle
    theta, slope = _chemical_slope(particle)
    solid = (1 - electrode.layer.porosity) * electrode.volume_fraction
    # j0 = k0 √(c/c°) √(θ(1−θ)) with c° = 1 mol/l, where BPX counts c from its initial value
    constant = particle.rate_law.rate_constant * np.sqrt(model.salt_concentration / STANDARD_CONCENTRATION)
    return _layer(electrode.layer) | {
        "Conductivity [S.m-1]": electrode.electronic_conductivity,
        "Minimum stoichiometry": between[0],
        "Maximum stoichiometry": between[1],
        "Maximum concentration [mol.m-3]": particle.site_density / constants.AVOGADRO,
        "Particle radius [m]": particle.size,
        "Surface area per unit volume [m-1]": 3 * solid / particle.size,
        "Diffusivity [m2.s-1]": _table(theta, particle.diffusivity(theta) * theta * (1 - theta) * slope),
        "OCP [V]": _table(theta, particle.equilibrium_voltage(theta)),
        "Entropic change coefficient [V.K-1]": 0.0,  # at one temperature; PyBaMM's reader wants it
        "Reaction rate constant [mol.m-2.s-1]": float(constant) / constants.FARADAY,
    }


def _layer(layer: Layer) -> dict[str, Any]:
    return {
        "Thickness [m]": layer.thickness,
        "Porosity": layer.porosity,
        "Transport efficiency": layer.transport_factor,
    }


def _table(x: FloatArray, y: FloatArray) -> dict[str, list[float]]:
    return {"x": x.tolist(), "y": y.tolist()}
