"""The electrode's solid-solution limit against PyBaMM's DFN (tests/data/pybamm/README.md)."""

from pathlib import Path

import numpy as np
import pytest

from particle_models import LAW, cell, particle
from scalebridge.electrode import named_electrolyte, solve_cell

DATA = Path(__file__).parents[1] / "data" / "pybamm"


@pytest.mark.parametrize("c_rate", [0.1, 1.0, 2.0])
def test_half_cell_in_a_concentrated_electrolyte(c_rate: float) -> None:
    """Equal volumes and shells, other schemes: 0.1 mV rms to the end of the curve, 1 mV where it falls."""
    model = cell(
        particle(
            1.0, shells=60, size=1e-6, diffusivity=2e-15, gradient_energy=0.0,
            rate_law=LAW.model_copy(update={"rate_constant": 0.5}),
        ),
        electrolyte=named_electrolyte("LiPF6 in EC:EMC 3:7 (Nyman 2008)"),
        cutoff_voltage=2.9,
        final_theta=0.9988,
    )  # fmt: skip
    reference = np.genfromtxt(DATA / f"solid_solution_{c_rate:g}C.csv", delimiter=",", skip_header=1)
    solution = solve_cell(model, c_rate, relative_tolerance=1e-6)
    end = reference[-1, 0]
    assert solution.filling[-1] == pytest.approx(end, abs=1.5e-3)
    filling = np.linspace(0.012, end - 0.01, 1000)
    ours = np.interp(filling, solution.filling, solution.voltage)
    difference = ours - np.interp(filling, reference[:, 0], reference[:, 1])
    assert np.sqrt(np.mean(difference**2)) < 1.5e-4
    assert np.abs(difference).max() < 1e-3
