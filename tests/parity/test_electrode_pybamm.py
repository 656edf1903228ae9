"""The electrode's solid-solution limit against PyBaMM's DFN (tests/data/pybamm/README.md)."""

from pathlib import Path

import numpy as np
import pytest

from particle_models import LAW, cell, particle
from scalebridge.contracts import Provenance
from scalebridge.electrode import CellModel, Layer, PorousElectrode, named_electrolyte, solve_cell
from scalebridge.materials import load_material
from scalebridge.particle import ParticleModel, measured_particle

DATA = Path(__file__).parents[1] / "data" / "pybamm"


@pytest.mark.parametrize("c_rate", [0.1, 1.0, 2.0])
def test_half_cell_in_a_concentrated_electrolyte(c_rate: float) -> None:
    """Equal volumes and shells, other schemes: 0.1 mV rms to the end of the curve, 1 mV where it falls."""
    model = cell(
        cathode_particle(),
        electrolyte=named_electrolyte("LiPF6 in EC:EMC 3:7 (Nyman 2008)"),
        cutoff_voltage=2.9,
        final_theta=0.9988,
    )  # fmt: skip
    compare(model, c_rate, f"solid_solution_{c_rate:g}C.csv", 1.5e-4)


@pytest.mark.parametrize("c_rate", [0.1, 1.0, 2.0])
def test_full_cell_against_graphite(c_rate: float) -> None:
    """The same cathode against measured graphite, whose diffusivity PyBaMM takes as it is: 0.3 mV rms."""
    graphite = measured_particle(
        load_material("graphite", Provenance(code_version="test", recipe_hash="0" * 64)),
        temperature=298.0,
        shape="sphere",
        size=4e-6,
        shells=60,
    )
    model = cell(
        cathode_particle(),
        electrolyte=named_electrolyte("LiPF6 in EC:EMC 3:7 (Nyman 2008)"),
        anode=PorousElectrode(
            particle=graphite,
            layer=Layer(thickness=74e-6, porosity=0.33, bruggeman_exponent=1.5, volumes=20),
            volume_fraction=0.37 / 0.67,
            electronic_conductivity=14.0,
            initial_theta=0.9,
        ),
        cutoff_voltage=2.9,
        final_theta=0.9988,
    )
    compare(model, c_rate, f"full_cell_{c_rate:g}C.csv", 3e-4)


def cathode_particle() -> ParticleModel:
    return particle(
        1.0, shells=60, size=1e-6, diffusivity=2e-15, gradient_energy=0.0,
        rate_law=LAW.model_copy(update={"rate_constant": 0.5}),
    )  # fmt: skip


def compare(model: CellModel, c_rate: float, name: str, rms: float) -> None:
    reference = np.genfromtxt(DATA / name, delimiter=",", skip_header=1)
    solution = solve_cell(model, c_rate, relative_tolerance=1e-6)
    end = reference[-1, 0]
    assert solution.filling[-1] == pytest.approx(end, abs=1.5e-3)
    filling = np.linspace(0.012, end - 0.01, 1000)
    ours = np.interp(filling, solution.filling, solution.voltage)
    difference = ours - np.interp(filling, reference[:, 0], reference[:, 1])
    assert np.sqrt(np.mean(difference**2)) < rms
    assert np.abs(difference).max() < 1e-3
