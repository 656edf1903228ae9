"""Phase-field particle and porous electrode against MPET's results (tests/data/mpet/README.md).

MPET's own discretisation error at 50 points is about 5 mV rms, so the limits below are parity of two codes of
second order at one grid, not accuracy.
"""

from pathlib import Path

import numpy as np
import pytest

from particle_models import GRADIENT_ENERGY, LFP_VOLTAGE, SITE_DENSITY, cell, particle
from scalebridge.electrode import CellSolution, solve_cell
from scalebridge.particle import solve_particle

DATA = Path(__file__).parents[1] / "data" / "mpet"


def read(name: str) -> np.ndarray:
    return np.genfromtxt(DATA / name, delimiter=",", names=True)


def compare(solution: CellSolution, name: str) -> np.ndarray:
    """Return our voltage less MPET's [V] between the relaxation at the start and the fall at the end."""
    reference = read(name)
    filling = reference["filling_fraction"]
    inside = (filling > 0.015) & (filling < 0.93)
    return np.interp(filling[inside], solution.filling, solution.voltage) - reference["V"][inside]


def test_single_particle_with_wetting_and_coherency() -> None:
    """Stored reference test002: C/100, where kinetics and diffusion hardly matter; agreement 0.05 mV rms."""
    model = particle(
        shape="cylinder", size=40e-9, shells=41, diffusivity=5.3e-19, coherency_modulus=0.1916e9,
        surface_gradient=5e-30 * SITE_DENSITY / GRADIENT_ENERGY,
    )  # fmt: skip
    reference = read("stored_test002.csv")
    rate = 0.01 / 3600
    j = rate * model.charge_density / model.grid.surface_area
    times = np.linspace(0, 0.985 / rate, 300)
    solution = solve_particle(model, 0.01, times=times, current_density=j, relative_tolerance=1e-6)
    start = float(model.equilibrium_voltage(np.array([0.01]))[0])
    ours = np.interp(
        reference["filling"], solution.filling, (start - solution.voltage) / model.thermal_voltage
    )
    assert start == pytest.approx(LFP_VOLTAGE + 0.00448, abs=1e-4)
    inside = (reference["filling"] > 0.03) & (reference["filling"] < 0.97)
    difference = (ours - reference["phi_nd_kT"])[inside] * model.thermal_voltage
    assert np.sqrt(np.mean(difference**2)) < 1.5e-4


def test_half_cell_at_1c() -> None:
    solution = solve_cell(cell(final_theta=0.995), 1.0)
    difference = compare(solution, "p2d20.csv")
    assert np.sqrt(np.mean(difference**2)) < 3e-3
    assert solution.termination == "voltage cutoff"
    assert solution.filling[-1] == pytest.approx(read("p2d20.csv")["filling_fraction"][-1], abs=2e-3)


@pytest.mark.slow
def test_half_cell_at_c10() -> None:
    difference = compare(solve_cell(cell(), 0.1), "p2d20_c01.csv")
    assert np.sqrt(np.mean(difference**2)) < 1e-3


@pytest.mark.slow
def test_half_cell_at_1c_converges_towards_reference_capacity() -> None:
    """Twice and four times the shells: the voltage converges, the capacity stays within 0.5 %."""
    solutions = [solve_cell(cell(particle(shells=n), final_theta=0.995), 1.0) for n in (100, 200)]
    filling = np.linspace(0.02, 0.92, 400)
    curves = [np.interp(filling, s.filling, s.voltage) for s in solutions]
    assert np.sqrt(np.mean((curves[1] - curves[0]) ** 2)) < 3e-3
    for solution in solutions:
        assert solution.filling[-1] == pytest.approx(0.9421, rel=5e-3)
