"""Closed forms of diffusion, growth of small waves, equilibrium interfaces and thermodynamic consistency."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import brentq

from particle_models import LAW, LFP_OMEGA, SITE_DENSITY, particle
from scalebridge.foundation import InputError, constants, random_stream
from scalebridge.particle import ParticleModel, solve_particle


def fickian(shape: str, size: float, shells: int, diffusivity: float) -> ParticleModel:
    """Ideal mixing: M ∂μ/∂c = D exactly, Fick's law at any filling."""
    return particle(0.0, shape=shape, size=size, shells=shells, diffusivity=diffusivity, gradient_energy=0.0)


@pytest.mark.parametrize(("shape", "factor"), [("sphere", 1 / 5), ("cylinder", 1 / 4), ("plate", 1 / 3)])
def test_surface_excess_at_long_times(shape: str, factor: float) -> None:
    """c_s − c̄ = j R/(5 F D) for a sphere (4 and 3 for cylinder and plate)."""
    size, diffusivity, shells = 1e-6, 1e-14, 160
    model = fickian(shape, size, shells, diffusivity)
    j = 0.02 * model.charge_density * diffusivity / size
    times = np.linspace(0, 1.5 * size**2 / diffusivity, 11)
    solution = solve_particle(model, 0.3, times=times, current_density=j, relative_tolerance=1e-7)
    excess = solution.theta[-1, -1] - solution.filling[-1]
    assert excess == pytest.approx(factor * j * size / (model.charge_density * diffusivity), rel=2e-4)


def test_cottrell_current_into_a_plate() -> None:
    """i = F √(D/πt) Δc while the profile has not reached the middle; the reaction is fast. Second order."""
    size, diffusivity, start, surface = 1e-6, 1e-14, 0.3, 0.301
    law = LAW.model_copy(update={"rate_constant": 1e8, "transition_state": "none"})
    times = np.array([0.0, 0.01, 0.02, 0.03]) * size**2 / diffusivity
    step = (surface - start) * SITE_DENSITY / constants.AVOGADRO
    expected = constants.FARADAY * np.sqrt(diffusivity / (np.pi * times[1:])) * step
    errors = []
    for shells in (51, 101, 201):
        model = replace(fickian("plate", size, shells, diffusivity), rate_law=law)
        voltage = float(model.equilibrium_voltage(np.array([surface]))[0])
        solution = solve_particle(model, start, times=times, voltage=voltage, relative_tolerance=1e-9)
        errors.append(solution.current_density[1:] / expected - 1)
    assert np.abs(errors[-1]).max() < 1e-3
    assert np.log2(np.array(errors[:-1]) / np.array(errors[1:])) == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("mode", [2, 4, 8])
def test_growth_rate_of_a_small_wave(mode: int) -> None:
    """ω = −M k² (f″ + κ k²) at θ = ½ of a regular solution: short waves decay, long ones grow."""
    size, diffusivity, errors = 40e-9, 1e-18, []
    for shells in (41, 81):
        model = particle(3.0, shape="plate", size=size, shells=shells, diffusivity=diffusivity)
        wave = np.cos(mode * np.pi * np.linspace(0, 1, shells))
        k2 = (mode * np.pi / size) ** 2
        expected = -0.25 * diffusivity * k2 * ((4 - 2 * 3.0) + model.interface_length**2 * k2)
        times = np.linspace(0, 0.7 / abs(expected), 8)
        solution = solve_particle(
            model, 0.5 + 1e-4 * wave, times=times, current_density=0.0, relative_tolerance=1e-9
        )
        amplitude = (solution.theta - 0.5) @ (model.grid.fractions * wave)
        errors.append(np.polyfit(times, np.log(amplitude), 1)[0] / expected - 1)
    assert abs(errors[1]) < 0.03
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2.0, abs=0.15)


def relaxed_interface(omega: float, spacing: float) -> tuple[ParticleModel, np.ndarray]:
    """Relax a plane interface in the middle of a plate of half thickness 16 ℓ; spacing in ℓ."""
    length = particle().interface_length
    size, shells = 16 * length, round(16 / spacing) + 1
    model = particle(omega, shape="plate", size=size, shells=shells, diffusivity=1e-16)
    low = binodal(omega)
    x = np.linspace(-8, 8, shells)
    start = low + (1 - 2 * low) / (1 + np.exp(-x))
    times = np.array([0.0, 1.0, 3.0]) * 20 * size**2 / 1e-16
    solution = solve_particle(model, start, times=times, current_density=0.0, relative_tolerance=1e-8)
    return model, solution.theta[-1]


def binodal(omega: float) -> float:
    spinodal = 0.5 - np.sqrt(0.25 - 0.5 / omega)
    return float(brentq(lambda t: np.log(t / (1 - t)) + omega * (1 - 2 * t), 1e-9, spinodal))


@pytest.mark.parametrize(("omega", "energy", "width"), [(3.0, 0.288272, 1.789), (4.5, 0.670908, 1.036)])
def test_interface_energy_and_width_converge_to_the_regular_solution(
    omega: float, energy: float, width: float
) -> None:
    """γ/√(κρkT) and (θ₂ − θ₁)/max|∇θ|/ℓ; the error of γ falls with the second power of the spacing."""
    errors = []
    for spacing in (0.25, 0.125):
        model, theta = relaxed_interface(omega, spacing)
        low = binodal(omega)
        tangent = low * np.log(low) + (1 - low) * np.log1p(-low) + omega * low * (1 - low)
        excess = (model.free_energy(theta) - tangent) * model.size / model.interface_length
        errors.append(excess / energy - 1)
    assert abs(errors[1]) < 3e-3
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2.0, abs=0.25)
    slope = np.max(np.diff(theta)) / model.grid.spacing * model.interface_length
    assert (1 - 2 * low) / slope == pytest.approx(width, rel=0.01)


def test_free_energy_falls_and_ions_stay_at_rest() -> None:
    """A noisy homogeneous sphere inside the spinodal decomposes: F never rises, the filling never moves."""
    model = particle(LFP_OMEGA, size=40e-9, shells=60, coherency_modulus=2e7)
    noise = 0.02 * random_stream(4, "noise").normal(size=60)
    times = np.concatenate([[0.0], np.geomspace(1e-5, 1e3, 60)])
    solution = solve_particle(model, 0.5 + noise, times=times, current_density=0.0)
    assert np.ptp(solution.theta[-1]) > 0.8
    assert np.all(np.diff(solution.free_energy) < 1e-7)
    assert solution.free_energy[-1] < solution.free_energy[0] - 0.05
    assert np.abs(solution.filling - solution.filling[0]).max() < 1e-13


@pytest.mark.parametrize("rate", [0.05, 5.0])
def test_charge_passed_equals_ions_stored(rate: float) -> None:
    """Through the two-phase region, to solver-independent precision."""
    model = particle()
    j = rate / 3600 * model.charge_density / model.grid.surface_area
    times = np.linspace(0, 0.9 * 3600 / rate, 50)
    solution = solve_particle(model, 0.02, times=times, current_density=j, voltage_cutoff=3.0)
    assert solution.termination == ("time" if rate < 1 else "voltage cutoff")
    assert solution.filling[-1] > 0.4
    assert solution.filling == pytest.approx(0.02 + rate * solution.time / 3600, abs=1e-12)
    assert np.all((solution.theta > 0) & (solution.theta < 1))


def test_extreme_binodal_stays_inside_the_bounds() -> None:
    """Ω = 14 kT: the empty phase holds 1e-6, the full phase lacks as much; log-odds resolve both.

    With ordinary mobility the full phase, without vacancies, blocks the way: the voltage falls to its cutoff.
    """
    slow = particle(14.0, size=20e-9, shells=60)
    times = np.linspace(0, 0.6 * 36000, 30)
    j = 0.1 / 3600 * slow.charge_density / slow.grid.surface_area
    solution = solve_particle(slow, 0.003, times=times, current_density=j, voltage_cutoff=2.9)
    assert solution.termination == "voltage cutoff", solution.status
    model = particle(14.0, size=20e-9, shells=60, diffusivity=1e-12)
    solution = solve_particle(model, 0.003, times=times, current_density=j)
    assert solution.termination == "time", solution.status
    assert np.all((solution.theta > 0) & (solution.theta < 1))
    assert solution.theta[-1].min() < 1e-4


def test_bad_inputs() -> None:
    model = particle()
    times = np.array([0.0, 1.0])
    with pytest.raises(InputError, match="exactly one must be given"):
        solve_particle(model, 0.1, times=times)
    with pytest.raises(InputError, match="exactly one must be given"):
        solve_particle(model, 0.1, times=times, current_density=1.0, voltage=3.0)
    with pytest.raises(InputError, match="inside \\(0, 1\\)"):
        solve_particle(model, 1.0, times=times, current_density=0.0)
    with pytest.raises(InputError, match="or 50 inside"):
        solve_particle(model, np.full(7, 0.5), times=times, current_density=0.0)


@pytest.mark.parametrize(("diffusivity", "rate"), [(1e-10, 0.1), (1e-14, 0.01)])
def test_fast_diffusion_does_not_hide_the_decomposition(diffusivity: float, rate: float) -> None:
    """An unstable homogeneous particle decomposes within milliseconds; slow currents ask for longer steps.

    Implicit steps longer than the growth time would damp the unstable mode and follow the homogeneous state.
    """
    model = particle(LFP_OMEGA, size=20e-9, shells=40, diffusivity=diffusivity)
    j = rate / 3600 * model.charge_density / model.grid.surface_area
    times = np.linspace(0, 0.5 * 3600 / rate, 20)
    solution = solve_particle(model, 0.002, times=times, current_density=j)
    low = binodal(LFP_OMEGA)
    assert solution.theta[-1].min() == pytest.approx(low, rel=0.5)
    assert solution.theta[-1].max() == pytest.approx(1 - low, abs=0.5 * low)
    homogeneous = model.equilibrium_voltage(np.array([0.3]))[0]
    assert np.interp(0.3, solution.filling, solution.voltage) > homogeneous + 0.01
