"""Impedance: limits in closed form, Kramers and Kronig, and the answer to a step of current in time."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from particle_models import FAST, LAW, cell, particle, with_changes
from scalebridge.contracts import Contract, ElectrodeDesign, MaterialCard, Provenance
from scalebridge.electrode import (
    CellModel,
    Impedance,
    Layer,
    MetalFoil,
    Population,
    PorousElectrode,
    dilute,
    electrode_impedance,
    impedance_solution,
    named_electrolyte,
    solve_cell,
)
from scalebridge.foundation import InputError
from scalebridge.kinetics import exchange_current
from scalebridge.particle import ParticleModel

ComplexArray = NDArray[np.complex128]
FILLING = 0.3
SYMMETRIC = dilute("t+ of 1/2: no diffusion potential", 3e-10, 3e-10)
SIZE = 1e-6
SEPARATOR = Layer(thickness=25e-6, porosity=0.7, bruggeman_exponent=1.5, volumes=4)
CATHODE = Layer(thickness=70e-6, porosity=0.4, bruggeman_exponent=1.5, volumes=5)


def solid(shells: int = 40, **changes: object) -> ParticleModel:
    settings = {"shells": shells, "size": SIZE, "gradient_energy": 0.0, "diffusivity": 1e-15} | changes
    return particle(1.0, **settings)


def alone(model: ParticleModel, **changes: object) -> CellModel:
    """A cell in which nothing but the particles costs voltage."""
    transparent = {
        "electrolyte": dilute("fast", 1e-5, 1e-5),
        "electronic_conductivity": 1e4,
        "anode": MetalFoil(replace_constant(1e8)),
        "separator": SEPARATOR,
        "layer": CATHODE,
    }
    return cell(model, **(transparent | changes))


def replace_constant(value: float) -> object:
    return FAST.model_copy(update={"rate_constant": value})


def voltage_slope(model: ParticleModel, theta: float = FILLING) -> float:
    """dU/dθ of the regular solution, from its formula."""
    return -model.thermal_voltage * (1 / (theta * (1 - theta)) - 2.0)


def charge_transfer(model: ParticleModel, theta: float = FILLING) -> float:
    """kT/(e j0) [Ω m² of the particles' surface]."""
    activity = np.log(theta / (1 - theta)) + 1 - 2 * theta
    return model.thermal_voltage / float(exchange_current(model.rate_law, theta, activity))


def surface(model: CellModel) -> float:
    """Of the particles per electrode area."""
    solid_part = (
        (1 - model.cathode.layer.porosity) * model.cathode.volume_fraction * model.cathode.layer.thickness
    )
    return float(np.sum(3 * solid_part * model.cathode.particle_shares / model.cathode.particle_sizes))


def sphere(model: ParticleModel, frequency: NDArray[np.float64]) -> ComplexArray:
    """−dU/dθ · R/(ρeD) · tanh q/(q − tanh q), q = R √(iω/D), with the chemical diffusivity D."""
    slope = -voltage_slope(model)
    diffusivity = 1e-15 * FILLING * (1 - FILLING) * slope / model.thermal_voltage
    q = SIZE * np.sqrt(2j * np.pi * frequency / diffusivity)
    return slope * SIZE / (model.charge_density * diffusivity) * np.tanh(q) / (q - np.tanh(q))


def test_sphere_of_a_solid_solution_to_second_order() -> None:
    """Charge transfer and finite diffusion in a sphere, from Warburg's slope down to the capacitance."""
    diffusion_frequency = 1e-15 / (2 * np.pi * SIZE**2)
    frequency = diffusion_frequency * np.geomspace(1e-2, 30, 15)
    errors = []
    for shells in (20, 39, 77):
        model = alone(solid(shells))
        expected = (charge_transfer(model.particle) + sphere(model.particle, frequency)) / surface(model)
        found = electrode_impedance(model, FILLING, frequency)
        errors.append(np.max(np.abs(found.values - expected) / np.abs(expected)))
    orders = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    assert errors[-1] < 1e-3
    assert orders == pytest.approx(2.0, abs=0.15)


def test_warburgs_angle_above_the_diffusion_frequency() -> None:
    model = alone(solid(300))
    frequency = 1e-15 / (2 * np.pi * SIZE**2) * np.array([1e3, 2e3])
    without = electrode_impedance(model, FILLING, frequency).values * surface(model)
    warburg = without - charge_transfer(model.particle)
    # tanh q → 1: 1/(q − 1), so the angle is 45° less the sphere's curvature
    assert warburg == pytest.approx(sphere(model.particle, frequency), rel=5e-3)
    assert np.angle(warburg, deg=True) == pytest.approx([-45.0, -45.0], abs=1.5)


def test_low_frequencies_charge_the_electrode() -> None:
    """ωZ → −dU/dQ as a capacitance, over the resistances of reaction, film and diffusion, R²/5 of it."""
    model = with_changes(alone(solid(80)), film_resistance=0.03)
    found = electrode_impedance(model, FILLING, [1e-7])
    slope = voltage_slope(model.particle)
    capacitance = model.cathode.capacity_per_area / -slope
    assert found.capacitance == pytest.approx(capacitance, rel=1e-6)
    assert -1 / (2 * np.pi * 1e-7 * found.values.imag[0]) == pytest.approx(capacitance, rel=1e-6)
    diffusivity = 1e-15 * FILLING * (1 - FILLING) * -slope / model.particle.thermal_voltage
    inside = -slope * SIZE / (5 * model.particle.charge_density * diffusivity)
    expected = (charge_transfer(model.particle) + 0.03 + inside) / surface(model)
    assert found.values.real[0] == pytest.approx(expected, rel=5e-4)


@pytest.mark.parametrize("chained", [False, True])
def test_charge_transfer_and_film_between_double_layer_and_diffusion(chained: bool) -> None:
    """The double layer shorts the reaction, not the film: 1/(1/R_ct + iωC) + R_film at every frequency."""
    model = alone(
        solid(30, diffusivity=1e-9, rate_law=LAW.model_copy(update={"rate_constant": 2.0})),
        film_resistance=0.02,
        contact_conductance=1e6 if chained else None,
        population=Population.listed(np.array([0.7, 1.0, 1.6]) * SIZE, None, volumes=5),
    )
    transfer, layer = charge_transfer(model.particle), 1e-4
    edge = 1 / (2 * np.pi * transfer * layer)
    frequency = edge * np.array([1e-2, 0.3, 1.0, 3.0, 1e2])
    found = electrode_impedance(model, FILLING, frequency, double_layer=layer).values
    # diffusion as fast as 1e-9 m²/s leaves the particles' capacitance behind the charge transfer alone
    stored = 2j * np.pi * frequency * model.cathode.capacity_per_area / -voltage_slope(model.particle)
    arc = 0.02 + 1 / (2j * np.pi * frequency * layer + 1 / (transfer + surface(model) / stored))
    assert found * surface(model) == pytest.approx(arc, rel=2e-3)
    bare = electrode_impedance(model, FILLING, frequency[-1:]).values
    assert bare.real * surface(model) == pytest.approx(transfer + 0.02, rel=1e-4)


def test_solution_resistance_at_high_frequency() -> None:
    """L/κ of the separator, then κ and σ side by side, as the volumes resolve it; the metal as well."""
    model = cell(
        solid(10),
        separator=SEPARATOR,
        layer=CATHODE,
        electronic_conductivity=0.5,
        anode=MetalFoil(LAW),
        electrolyte=SYMMETRIC,
    )
    found = electrode_impedance(model, FILLING, [1e11], double_layer=0.1, counter_double_layer=0.1).values
    kappa = float(model.electrolyte.conductivity(np.array([1000.0]), 298.0)[0])
    inside, width = kappa * 0.4**1.5, 70e-6 / 5
    expected = 25e-6 / (kappa * 0.7**1.5) + 0.5 * width / inside + 0.5 * width / 0.5
    expected += (70e-6 - width) / (inside + 0.5)
    assert found.real[0] == pytest.approx(expected, rel=1e-6)
    assert abs(found.imag[0]) < 1e-6 * expected
    twice = LAW.model_copy(update={"rate_constant": 2 * LAW.rate_constant})
    slow, fast = (
        electrode_impedance(
            with_changes(model, anode=MetalFoil(law)), FILLING, [1e11], double_layer=0.1
        ).values
        for law in (LAW, twice)
    )
    metal = model.particle.thermal_voltage / LAW.rate_constant
    assert (slow - fast).real == pytest.approx(metal / 2, rel=1e-6)


def test_porous_electrode_as_a_transmission_line() -> None:
    """De Levie's line with both conductors, its surface a resistance and a capacitance: second order."""
    base = {
        "electronic_conductivity": 0.3,
        "separator": SEPARATOR,
        "anode": MetalFoil(LAW),
        "electrolyte": SYMMETRIC,
    }
    frequency, layer, length = np.array([1e4, 3e4]), 2e-3, 70e-6
    errors = []
    for volumes in (10, 20, 40):
        cathode = replace(CATHODE, volumes=volumes)
        model = cell(solid(8, diffusivity=1e-22), layer=cathode, **base)
        found = electrode_impedance(
            model, FILLING, frequency, double_layer=layer, counter_double_layer=1e4
        ).values
        kappa = float(model.electrolyte.conductivity(np.array([1000.0]), 298.0)[0])
        k, s = kappa * 0.4**1.5, 0.3
        per_surface = 1 / (2j * np.pi * frequency * layer + 1 / charge_transfer(model.particle))
        nu = np.sqrt(length * surface(model) / per_surface * (1 / k + 1 / s))
        line = length / (k + s) * (1 + (2 + (s / k + k / s) * np.cosh(nu)) / (nu * np.sinh(nu)))
        expected = 25e-6 / (kappa * 0.7**1.5) + line
        errors.append(np.abs(found - expected) / np.abs(expected))
    orders = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    assert np.max(errors[-1]) < 3e-3
    assert orders[-1] == pytest.approx(2.0, abs=0.2)


def full(**changes: object) -> CellModel:
    """Everything at once: concentrated electrolyte, sizes, film, slow metal."""
    settings = {
        "separator": SEPARATOR,
        "layer": CATHODE,
        "electrolyte": named_electrolyte("LiPF6 in EC:EMC 3:7 (Nyman 2008)"),
        "anode": MetalFoil(LAW.model_copy(update={"rate_constant": 5.0})),
        "electronic_conductivity": 0.5,
        "film_resistance": 0.01,
        "population": Population.listed(np.array([0.3, 0.6]) * SIZE, np.array([1.0, 2.0]), volumes=5),
    }
    return cell(solid(12, diffusivity=3e-14), **(settings | changes))


def opposed(**changes: object) -> CellModel:
    """The same against a porous anode with grains, films and chains of its own."""
    counter = PorousElectrode(
        particle=solid(9, diffusivity=1e-14, rate_law=LAW.model_copy(update={"rate_constant": 0.5})),
        layer=Layer(thickness=60e-6, porosity=0.35, bruggeman_exponent=1.6, volumes=4),
        volume_fraction=0.8,
        electronic_conductivity=2.0,
        initial_theta=0.8,
        population=Population.listed(np.array([0.4, 0.9]) * SIZE, None, volumes=4),
        film_resistance=0.02,
        contact_conductance=1e-9,
    )
    return full(**({"anode": counter, "cutoff_voltage": -2.0} | changes))


@pytest.mark.parametrize("built", [full, opposed])
def test_kramers_and_kronig(built: Callable[[], CellModel]) -> None:
    """Im Z(ω) = −1/(ωC) + (2ω/π) ∫ [Re Z(x) − Re Z(ω)]/(x² − ω²) dx: causal, linear and stable."""
    grid = np.geomspace(1e-5, 1e7, 12 * 60 + 1)
    found = electrode_impedance(built(), FILLING, grid, double_layer=0.2, counter_double_layer=0.2)
    omega, real = 2 * np.pi * grid, found.values.real
    for k in range(120, 601, 40):
        at = omega[k]
        with np.errstate(divide="ignore", invalid="ignore"):
            inside = (real - real[k]) / (omega**2 - at**2) * omega
        inside[k] = 0.5 * (inside[k - 1] + inside[k + 1])
        step = np.log(omega[1] / omega[0])
        tail = (real[-1] - real[k]) / omega[-1] - (real[0] - real[k]) * omega[0] / at**2
        integral = np.trapezoid(inside, dx=step) + tail
        expected = -1 / (at * found.capacitance) + 2 * at / np.pi * integral
        assert found.values.imag[k] == pytest.approx(expected, abs=1e-4 * abs(found.values[k]))


@pytest.mark.parametrize("built", [full, opposed])
def test_passive_at_every_frequency(built: Callable[[], CellModel]) -> None:
    found = electrode_impedance(built(), 0.7, double_layer=0.2)
    assert found.frequency.size == 51
    assert np.all(found.values.real > 0)
    assert np.all(found.values.imag < 0)


@pytest.mark.parametrize("built", [full, opposed])
def test_against_a_step_of_current_in_time(built: Callable[..., CellModel]) -> None:
    """Z(ω) = a + b/(iω) + iω ∫ w e^{−iωt} dt, w what a step's answer keeps beside its last line a + bt."""
    model = built(initial_theta=FILLING)
    c_rate, end = 0.02, 600.0
    times = np.concatenate([[0.0], np.geomspace(1e-4, end, 1500)])
    sides = [solve_cell(model, sign * c_rate, times=times, relative_tolerance=1e-8) for sign in (1, -1)]
    answer = (sides[1].voltage - sides[0].voltage) / (2 * c_rate * model.one_c_current)
    late = times > 0.6 * end
    b, a = np.polyfit(times[late], answer[late], 1)
    rest = answer - a - b * times
    frequency = np.array([2e-3, 1e-2, 5e-2, 0.3])
    omega = 2 * np.pi * frequency
    # a straight line between the times, integrated exactly
    slopes = np.diff(rest) / np.diff(times)
    waves = np.exp(-1j * omega[:, None] * times)
    transform = (
        rest[0] - rest[-1] * waves[:, -1] + (np.diff(waves) * slopes) @ np.ones(slopes.size) / (-1j * omega)
    )
    expected = a + b / (1j * omega) + transform
    found = electrode_impedance(model, FILLING, frequency).values
    assert found == pytest.approx(expected, rel=2e-3)


REFUSED = {
    "filling 0.5: the equilibrium voltage rises": (particle(), 0.5, {}),
    "filling 1.2 must lie": (solid(), 1.2, {}),
    "must be one or more positive": (solid(), 0.5, {"frequencies": [1.0, 0.0]}),
    "must not be negative": (solid(), 0.5, {"double_layer": -1.0}),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_has_no_impedance(message: str) -> None:
    model, filling, settings = REFUSED[message]
    with pytest.raises(InputError, match=message):
        electrode_impedance(cell(model, separator=SEPARATOR, layer=CATHODE), filling, **settings)


def test_of_a_card(synthetic_contracts: dict[str, Contract]) -> None:
    card = synthetic_contracts["card/material_card.json"]
    design = synthetic_contracts["electrode/electrode_design.json"]
    assert isinstance(card, MaterialCard)
    assert isinstance(design, ElectrodeDesign)
    provenance = Provenance(code_version="test", recipe_hash="test")
    solution = impedance_solution(card, design, 0.05, [1e-3, 1.0], provenance=provenance, shells=15)
    direct = electrode_impedance(
        CellModel.from_card(card, design, shells=15), 0.05, solution.fields["frequency"].values
    )
    assert isinstance(direct, Impedance)
    stored = solution.fields["impedance_real"].values + 1j * solution.fields["impedance_imaginary"].values
    assert stored == pytest.approx(direct.values, rel=1e-9)
