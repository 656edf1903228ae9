from dataclasses import replace

import numpy as np
import pytest

from scalebridge.contracts import Provenance
from scalebridge.foundation import ValidityError, constants
from scalebridge.materials import load_material, material_names
from scalebridge.particle import measured_particle, solve_particle
from scalebridge.particle.tables import evaluate_many

PROVENANCE = Provenance(code_version="test", recipe_hash="0" * 64)


def made(name, temperature=None, **changes):
    material = load_material(name, PROVENANCE)
    warm = material.temperature if temperature is None else temperature
    return material, measured_particle(material, temperature=warm, shape="sphere", size=5e-6, **changes)


@pytest.mark.parametrize("name", material_names())
def test_the_equilibrium_voltage_is_the_measured_one(name):
    """The kernels' table has 512 intervals; of them the steep fall of an empty carbon takes a few."""
    material, particle = made(name)
    curve = material.equilibrium_voltage
    voltage = particle.equilibrium_voltage(np.array(curve.theta))
    error = np.abs(voltage - curve.voltage)
    assert error[curve.theta > 0.01].max() < 1e-3
    assert error[curve.theta > 2 / 512].max() < 0.02


@pytest.mark.parametrize("name", material_names())
def test_the_mean_voltage_is_the_integral_of_the_voltage(name):
    _, particle = made(name)
    theta = (np.arange(200000) + 0.5) / 200000
    assert particle.mean_voltage == pytest.approx(particle.equilibrium_voltage(theta).mean(), abs=2e-5)
    assert particle.average_voltage(0.2, 0.7) == pytest.approx(
        particle.equilibrium_voltage(np.linspace(0.2, 0.7, 100001)).mean(), abs=1e-5
    )


@pytest.mark.parametrize("name", material_names())
def test_mobility_times_thermodynamic_factor_is_the_measured_diffusivity(name):
    material, particle = made(name)
    curve = material.chemical_diffusivity
    theta = np.linspace(0.03, 0.97, 301)
    factor = 1 + theta * (1 - theta) * evaluate_many(particle.excess, theta)[1]
    assert factor.min() > 0
    found = particle.diffusivity(theta) * factor
    expected = np.exp(np.interp(theta, curve.theta, np.log(curve.diffusivity)))
    error = np.abs(found / expected - 1)
    assert np.median(error) < 5e-3
    assert error.max() < 0.1  # beside a kink of the measured voltage's slope


def test_diffusion_is_activated():
    material, cold = made("graphite", 288.15)
    warm = made("graphite", 308.15)[1]
    half = np.array([0.5])
    factor = [1 + 0.25 * evaluate_many(p.excess, half)[1][0] for p in (cold, warm)]
    ratio = warm.diffusivity(half)[0] * factor[1] / (cold.diffusivity(half)[0] * factor[0])
    heat = material.chemical_diffusivity.activation_energy / constants.GAS_CONSTANT
    assert ratio == pytest.approx(np.exp(heat * (1 / 288.15 - 1 / 308.15)), rel=1e-3)


def test_a_temperature_out_of_range_is_named():
    with pytest.raises(ValidityError, match="400 K is outside 288 … 308 K, the range of the measurements of"):
        made("hard_carbon", 400.0)


@pytest.mark.parametrize("name", material_names())
def test_a_slow_charge_follows_the_measured_voltage(name):
    """In a particle that diffusion and reaction leave a hundred times more time than they need."""
    _, particle = made(name, shells=20)
    particle = replace(particle, size=0.1e-6)
    hours = np.linspace(0, 95, 96) * 3600
    current = particle.charge_density * particle.size / 3 / (100 * 3600)
    solution = solve_particle(particle, 0.02, times=hours, current_density=current)
    mean = 0.02 + hours / hours[-1] * 0.95
    inside = (mean > 0.03) & (mean < 0.96)
    assert np.abs(solution.voltage - particle.equilibrium_voltage(mean))[inside].max() < 2e-3
