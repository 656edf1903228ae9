"""Observed order of the shells: second, with and without a phase boundary, and of the time integration."""

import numpy as np
import pytest

from particle_models import particle
from scalebridge.particle import ParticleModel, solve_particle


def order(errors: list[float]) -> float:
    """Return the order between the last two errors of a grid that is halved each time."""
    return float(np.log2(errors[-2] / errors[-1]))


@pytest.mark.parametrize(("shape", "factor"), [("sphere", 1 / 5), ("cylinder", 1 / 4), ("plate", 1 / 3)])
def test_surface_excess_of_fickian_diffusion(shape: str, factor: float) -> None:
    """c_s − c̄ = j R/(5 F D) of a sphere; ideal mixing makes D constant."""
    size, diffusivity = 1e-6, 1e-14
    errors = []
    for intervals in (10, 20, 40):
        model = particle(
            0.0, shape=shape, size=size, shells=intervals + 1, diffusivity=diffusivity, gradient_energy=0.0
        )
        j = 0.05 * model.charge_density * diffusivity / size
        times = np.array([0.0, 0.5, 2.0]) * size**2 / diffusivity
        solution = solve_particle(model, 0.3, times=times, current_density=j, relative_tolerance=1e-8)
        excess = solution.theta[-1, -1] - solution.filling[-1]
        errors.append(abs(excess / (0.05 * factor) - 1))
    assert errors[-1] < 1e-3
    assert order(errors) == pytest.approx(2.0, abs=0.1)


def two_phase_voltage(model: ParticleModel) -> float:
    """Voltage at half filling, the boundary inside; diffusion and reaction both matter at this rate."""
    j = 1.0 / 3600 * model.charge_density / model.grid.surface_area
    times = np.linspace(0, 0.45 * 3600, 3)
    solution = solve_particle(model, 0.05, times=times, current_density=j, relative_tolerance=1e-7)
    assert np.ptp(solution.theta[-1]) > 0.7
    return float(solution.voltage[-1])


def test_voltage_of_a_two_phase_particle_converges() -> None:
    """Richardson: the change from h to h/2 falls by four where the interface is resolved (h ≤ ℓ/3)."""
    voltages = [two_phase_voltage(particle(3.0, size=30e-9, shells=n + 1)) for n in (40, 80, 160, 320)]
    changes = list(np.abs(np.diff(voltages)))
    assert changes[-1] < 2e-5
    assert order(changes) == pytest.approx(2.0, abs=0.15)


def test_time_integration_follows_its_tolerance() -> None:
    model = particle(3.0, size=30e-9, shells=60)
    j = 1.0 / 3600 * model.charge_density / model.grid.surface_area
    times = np.linspace(0, 0.9 * 3600, 200)
    curves = [
        solve_particle(model, 0.05, times=times, current_density=j, relative_tolerance=tolerance).voltage
        for tolerance in (1e-8, 1e-6, 1e-4)
    ]
    fine, coarse = (np.sqrt(np.mean((curve - curves[0]) ** 2)) for curve in curves[1:])
    assert coarse < 1e-4
    assert fine < 0.1 * coarse
