"""A particle of a material that is known from measurements."""

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from scalebridge.contracts import MeasuredMaterial
from scalebridge.foundation import ValidityError, constants
from scalebridge.particle.grid import Kind, Shape
from scalebridge.particle.model import ParticleModel
from scalebridge.particle.resolution import SOLID_SOLUTION_SHELLS
from scalebridge.particle.tables import INTERVALS, evaluate_many, integrate, tabulate_monotone

FloatArray = NDArray[np.float64]


def measured_particle(
    material: MeasuredMaterial,
    *,
    temperature: float,
    shape: Shape,
    size: float,
    shells: int | None = None,
    kind: Kind = "cahn-hilliard",
    length: float | None = None,
) -> ParticleModel:
    """Build the particle of a measured solid solution; parameters as the fields of `ParticleModel`.

    The chemical potential is −z e V(θ), monotone between the measured points and ideal beyond them. The
    solver moves ions by a mobility: D_J/(1−θ) = D_chem/Φ with the thermodynamic factor Φ = θ(1−θ) ∂(μ/kT)/∂θ
    of the same curve, so that concentration spreads with the measured D_chem (Doyle, Fuller and Newman,
    J. Electrochem. Soc. 140, 1526 (1993)).

    Raises
    ------
    ValidityError
        If the temperature is outside the material's range.
    InputError
        See `ParticleModel`.
    """
    valid = material.validity.temperature
    if valid is not None and not valid[0] <= temperature <= valid[1]:
        raise ValidityError(
            f"temperature {temperature:g} K is outside {valid[0]:g} … {valid[1]:g} K, the range of the "
            f"measurements of {material.name}; choose a temperature within"
        )
    thermal_voltage = constants.BOLTZMANN * temperature / (material.ion_charge * constants.ELEMENTARY_CHARGE)
    excess = _excess(material, thermal_voltage)
    mean = float(integrate(excess, np.array([1.0]))[0])  # θ ln θ + (1−θ) ln(1−θ) is 0 at both ends
    excess[:, 3] -= mean
    curve = material.chemical_diffusivity
    warmth = (1 / material.temperature - 1 / temperature) / constants.GAS_CONSTANT
    log_diffusivity = PchipInterpolator(curve.theta, np.log(curve.diffusivity))

    chosen = 1 if kind == "homogeneous" else SOLID_SOLUTION_SHELLS

    def log_mobility(theta: FloatArray) -> FloatArray:
        measured = log_diffusivity(np.clip(theta, curve.theta[0], curve.theta[-1]))
        factor = 1 + theta * (1 - theta) * evaluate_many(excess, theta)[1]
        return np.asarray(measured + curve.activation_energy * warmth - np.log(factor))

    return ParticleModel(
        shape=shape,
        size=size,
        shells=chosen if shells is None else shells,
        temperature=temperature,
        ion_charge=material.ion_charge,
        site_density=material.site_density,
        standard_potential=mean * constants.BOLTZMANN * temperature,
        excess=excess,
        log_diffusivity=tabulate_monotone(log_mobility, INTERVALS),
        gradient_energy=0.0,
        rate_law=material.rate_law.at(temperature),
        kind=kind,
        length=length,
    )


def _excess(material: MeasuredMaterial, thermal_voltage: float) -> FloatArray:
    """Return the table of −V/(kT/ze) − ln(θ/(1−θ)), constant beyond the measured points.

    Between them the sum with the logarithm is monotone, as the voltage is.
    """
    theta, voltage = material.equilibrium_voltage.theta, material.equilibrium_voltage.voltage
    measured = PchipInterpolator(theta, voltage)
    low, high = max(theta[0], 0.5 / INTERVALS), min(theta[-1], 1 - 0.5 / INTERVALS)

    def excess(at: FloatArray) -> FloatArray:
        inside = np.clip(at, low, high)
        return np.asarray(-measured(inside) / thermal_voltage - np.log(inside) + np.log1p(-inside))

    return tabulate_monotone(excess, INTERVALS)
