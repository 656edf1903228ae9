"""A warming cell against PyBaMM's lumped thermal model: skipped where that is not installed."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from particle_models import cell
from scalebridge.contracts import (
    DiffusivityCurve,
    MeasuredMaterial,
    Provenance,
    Validity,
    VoltageCurve,
)
from scalebridge.electrode import (
    CellModel,
    HeatBalance,
    Layer,
    PorousElectrode,
    dilute,
    solve_thermal_cell,
    to_pybamm,
)
from scalebridge.materials import load_material
from scalebridge.particle import measured_particle

START, AMBIENT, CAPACITY, TRANSFER = 298.0, 295.0, 300.0, 0.5
SCALE, DIFFUSIVITY = 0.0257, 2e-14
POSITIVE, NEGATIVE = (3.4, 0.3), (0.2, 5.0)
"""Mean voltage [V] and rate constant [A/m²]."""


def material(mean: float, rate: float) -> MeasuredMaterial:
    """A smooth one whose voltage does not change with temperature."""
    graphite = load_material("graphite", Provenance(code_version="test", recipe_hash="0" * 64))
    theta = np.linspace(0.002, 0.998, 499)
    return graphite.model_copy(
        update={
            "equilibrium_voltage": VoltageCurve(
                theta=theta,
                voltage=mean - SCALE * (np.log(theta / (1 - theta)) + 2 * theta),
                source="made up",
            ),
            "chemical_diffusivity": DiffusivityCurve(
                theta=np.array([0.0, 1.0]), diffusivity=np.full(2, DIFFUSIVITY), source="made up"
            ),
            "rate_law": graphite.rate_law.model_copy(update={"rate_constant": rate}),
            "validity": Validity(temperature=(250.0, 400.0)),
        }
    )


def full_cell(temperature: float) -> CellModel:
    host, counter = (
        measured_particle(material(*made), temperature=temperature, shape="sphere", size=1e-6, shells=30)
        for made in (POSITIVE, NEGATIVE)
    )
    return cell(
        host,
        anode=PorousElectrode(
            particle=counter,
            layer=Layer(thickness=74e-6, porosity=0.33, bruggeman_exponent=1.6, volumes=20),
            volume_fraction=0.55,
            electronic_conductivity=14.0,
            initial_theta=0.9,
        ),
        separator=Layer(thickness=25e-6, porosity=0.7, bruggeman_exponent=1.5, volumes=10),
        layer=Layer(thickness=70e-6, porosity=0.4, bruggeman_exponent=1.5, volumes=20),
        electrolyte=dilute("dilute", 2.2e-10, 2.94e-10),
        initial_theta=0.05,
        final_theta=0.95,
        cutoff_voltage=1.5,
    )


def parameters(pybamm: Any, model: CellModel) -> Any:
    """Add what the heat balance asks for, and Nernst's and Einstein's conductivity at every temperature."""
    values = to_pybamm(model)
    conductivity: Callable[[Any, Any], Any] = values["Electrolyte conductivity [S.m-1]"]
    values["Electrolyte conductivity [S.m-1]"] = lambda c, t: conductivity(c, t) * START / t
    for side, (mean, _) in (("Positive", POSITIVE), ("Negative", NEGATIVE)):
        # the heat of mixing needs slopes of the slopes, which casadi's splines do not have
        values[f"{side} electrode OCP [V]"] = lambda sto, mean=mean: (
            mean - SCALE * (pybamm.log(sto / (1 - sto)) + 2 * sto)
        )
        values[f"{side} particle diffusivity [m2.s-1]"] = DIFFUSIVITY
    length = sum(layer.thickness for layer in model.layers)
    for part in ("Negative electrode", "Positive electrode", "Separator"):
        values[f"{part} density [kg.m-3]"] = 1000.0
        values[f"{part} specific heat capacity [J.kg-1.K-1]"] = CAPACITY / (1000.0 * length)
    for side in ("Negative", "Positive"):
        values[f"{side} current collector thickness [m]"] = 0.0
        values[f"{side} current collector density [kg.m-3]"] = 1000.0
        values[f"{side} current collector specific heat capacity [J.kg-1.K-1]"] = 1.0
        values[f"{side} current collector conductivity [S.m-1]"] = 1e8
    values |= {
        "Cell volume [m3]": length,
        "Cell cooling surface area [m2]": 1.0,
        "Total heat transfer coefficient [W.m-2.K-1]": TRANSFER,
        "Ambient temperature [K]": AMBIENT,
    }
    return pybamm.ParameterValues(values)


@pytest.mark.slow
def test_pybamm_warms_alike() -> None:
    """4C: the temperature to 1 % of its rise, the voltage to 1 mV; PyBaMM with its heat of mixing."""
    pybamm = pytest.importorskip("pybamm")
    simulation = pybamm.Simulation(
        pybamm.lithium_ion.DFN({"thermal": "lumped", "heat of mixing": "true"}),
        parameter_values=parameters(pybamm, full_cell(START)),
        solver=pybamm.IDAKLUSolver(rtol=1e-6, atol=1e-8),
        var_pts={"x_n": 20, "x_s": 10, "x_p": 20, "r_n": 30, "r_p": 30},
        C_rate=4,
    )
    end = 0.8 * 900.0
    theirs = simulation.solve(np.linspace(0, end, 200))
    ours = solve_thermal_cell(
        full_cell,
        4.0,
        HeatBalance(heat_capacity=CAPACITY, heat_transfer=TRANSFER, ambient_temperature=AMBIENT),
        temperature=START,
        times=np.linspace(0, end, 200),
        relative_tolerance=1e-6,
    )
    time = theirs["Time [s]"].entries[5:]
    assert time[-1] == pytest.approx(end)
    warmth = np.interp(time, ours.cell.time, ours.temperature)
    difference = warmth - theirs["X-averaged cell temperature [K]"].entries[5:]
    voltage = np.interp(time, ours.cell.time, ours.cell.voltage) - theirs["Voltage [V]"].entries[5:]
    print(f"rise {warmth[-1] - START:.2f} K, differences up to {np.abs(difference).max():.4f} K")
    print(f"{1e3 * np.sqrt(np.mean(voltage**2)):.3f} mV rms, {1e3 * np.abs(voltage).max():.3f} mV at most")
    assert warmth[-1] > START + 5
    assert np.abs(difference).max() < 0.01 * np.ptp(warmth)
    assert np.sqrt(np.mean(voltage**2)) < 1e-3
