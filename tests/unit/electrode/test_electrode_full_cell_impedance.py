"""Impedance of full cells: what the anode adds, in closed form, and how full it is."""

from typing import Any

import numpy as np
import pytest

from particle_models import LAW, cell, particle
from scalebridge.electrode import (
    CellModel,
    Layer,
    Population,
    PorousElectrode,
    dilute,
    electrode_impedance,
    solve_cell,
)
from scalebridge.foundation import InputError
from scalebridge.kinetics import exchange_current
from scalebridge.particle import ParticleModel

SIZE = 1e-6
CATHODE = Layer(thickness=70e-6, porosity=0.4, bruggeman_exponent=1.5, volumes=5)
ANODE = Layer(thickness=60e-6, porosity=0.35, bruggeman_exponent=1.6, volumes=4)
SEPARATOR = Layer(thickness=25e-6, porosity=0.7, bruggeman_exponent=1.5, volumes=3)


def solid(rate: float, diffusivity: float = 1e-9) -> ParticleModel:
    law = LAW.model_copy(update={"rate_constant": rate})
    return particle(1.0, shells=20, size=SIZE, gradient_energy=0.0, diffusivity=diffusivity, rate_law=law)


def full_cell(counter: dict[str, Any], **changes: Any) -> CellModel:
    anode = {
        "particle": solid(2.0),
        "layer": ANODE,
        "volume_fraction": 0.8,
        "electronic_conductivity": 1e4,
        "initial_theta": 0.8,
    }
    settings = {
        "separator": SEPARATOR,
        "layer": CATHODE,
        "electronic_conductivity": 1e4,
        "electrolyte": dilute("fast", 1e-5, 1e-5),
        "cutoff_voltage": -2.0,
    }
    return cell(solid(1e6), anode=PorousElectrode(**(anode | counter)), **(settings | changes))


def surface(electrode: PorousElectrode) -> float:
    """Of the particles per electrode area."""
    active = (1 - electrode.layer.porosity) * electrode.volume_fraction * electrode.layer.thickness
    return float(np.sum(3 * active * electrode.particle_shares / electrode.particle_sizes))


def slope(model: ParticleModel, theta: float) -> float:
    """dU/dθ of the regular solution."""
    return -model.thermal_voltage * (1 / (theta * (1 - theta)) - 2.0)


def charge_transfer(model: ParticleModel, theta: float) -> float:
    """kT/(e j0) [Ω m² of the particles' surface]."""
    activity = np.log(theta / (1 - theta)) + 1 - 2 * theta
    return model.thermal_voltage / float(exchange_current(model.rate_law, theta, activity))


@pytest.mark.parametrize("chained", [False, True])
def test_the_anodes_arc_stands_in_series(chained: bool) -> None:
    """1/(1/(R_ct + storage) + iωC) + R_film of the anode, and of the cathode its storage alone."""
    sizes = Population.listed(np.array([0.7, 1.0, 1.6]) * SIZE, None, volumes=4)
    counter = {"film_resistance": 0.02, "population": sizes, "contact_conductance": 1e6 if chained else None}
    model = full_cell(counter, initial_theta=0.3)
    anode, layer = model.anode, 1e-4
    assert isinstance(anode, PorousElectrode)
    transfer = charge_transfer(anode.particle, 0.8)
    frequency = 1 / (2 * np.pi * transfer * layer) * np.array([1e-2, 0.3, 1.0, 3.0, 1e2])
    found = electrode_impedance(model, 0.3, frequency, counter_double_layer=layer).values
    omega = 2j * np.pi * frequency
    inside = -slope(anode.particle, 0.8) * surface(anode) / (omega * anode.capacity_per_area)
    arc = 0.02 + 1 / (omega * layer + 1 / (transfer + inside))
    cathode = -slope(model.particle, 0.3) / (omega * model.cathode.capacity_per_area)
    assert found == pytest.approx(arc / surface(anode) + cathode, rel=2e-3)


def test_solution_resistance_at_high_frequency() -> None:
    """Double layers of both short their reactions: what is left is conduction through the three layers."""
    model = full_cell(
        {"electronic_conductivity": 2.0},
        electronic_conductivity=0.5,
        electrolyte=dilute("t+ of 1/2: no diffusion potential", 3e-10, 3e-10),
    )
    found = electrode_impedance(model, 0.3, [1e11], double_layer=0.1, counter_double_layer=0.1).values
    kappa = float(model.electrolyte.conductivity(np.array([1000.0]), 298.0)[0])
    expected = SEPARATOR.thickness / (kappa * SEPARATOR.transport_factor)
    for layer, sigma in ((CATHODE, 0.5), (ANODE, 2.0)):
        inside, width = kappa * layer.transport_factor, layer.thickness / layer.volumes
        expected += 0.5 * width * (1 / inside + 1 / sigma) + (layer.thickness - width) / (inside + sigma)
    assert found.real[0] == pytest.approx(expected, rel=1e-6)
    assert abs(found.imag[0]) < 1e-6 * expected


def test_the_anode_holds_what_a_discharge_leaves() -> None:
    """Voltage at rest and −dQ/dV are those between two slow discharges around that filling."""
    model = full_cell({})
    assert isinstance(model.anode, PorousElectrode)
    found = electrode_impedance(model, 0.4, [1e-7])
    ratio = model.cathode.capacity_per_area / model.anode.capacity_per_area
    left = 0.8 - ratio * (0.4 - 0.01)
    slow = solve_cell(model, 1e-3)
    assert found.voltage == pytest.approx(np.interp(0.4, slow.filling, slow.voltage), abs=2e-4)
    series = -slope(model.particle, 0.4) / model.cathode.capacity_per_area
    series -= slope(model.anode.particle, left) / model.anode.capacity_per_area
    assert found.capacitance == pytest.approx(1 / series, rel=1e-6)
    assert -1 / (2 * np.pi * 1e-7 * found.values.imag[0]) == pytest.approx(1 / series, rel=1e-6)


def test_an_anode_that_cannot_give_the_ions() -> None:
    with pytest.raises(InputError, match=r"filling 0.9: the anode's -0.\d+ must lie inside"):
        electrode_impedance(full_cell({"initial_theta": 0.3}), 0.9, [1.0])
    with pytest.raises(InputError, match=r"filling 0.3: the anode's 0.\d+: the equilibrium voltage rises"):
        electrode_impedance(full_cell({"particle": particle(), "initial_theta": 0.7}), 0.3, [1.0])
