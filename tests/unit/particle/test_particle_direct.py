"""Homogeneous and Allen–Cahn particles against quadratures, linear stability and equilibrium profiles."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq

from particle_models import GRADIENT_ENERGY, KT, LAW, SITE_DENSITY, particle
from scalebridge.contracts import RateLaw
from scalebridge.foundation import InputError, random_stream
from scalebridge.kinetics import current_density
from scalebridge.particle import (
    ParticleModel,
    particle_arrays,
    platelet_sites,
    solve_particle,
    thermal_profile,
)
from scalebridge.particle._kernels import direct_rate, surface_rate
from scalebridge.particle.resolution import ENERGY_ERROR

LENGTH = 40e-9
OMEGA = 4.0
COUPLED = RateLaw(
    form="coupled ion-electron transfer", rate_constant=0.16, reorganisation_energy=3.4e-20, source="test"
)


def line(cells: int | None = 41, **changes: Any) -> ParticleModel:
    """A platelet of LiFePO4 with a symmetric gap."""
    settings = {"kind": "allen-cahn", "shape": "plate", "size": 5e-9, "length": LENGTH, "shells": cells}
    return particle(changes.pop("omega", OMEGA), **(settings | changes))


def homogeneous(**changes: Any) -> ParticleModel:
    return particle(OMEGA, **({"kind": "homogeneous", "size": 50e-9, "shells": None} | changes))


def own_rate(model: ParticleModel) -> float:
    """Return k0 A/(V ρ e) [1/s]."""
    return model.rate_law.rate_constant * model.grid.surface_area / model.charge_density


def potential(theta: float) -> float:
    """Return μ/kT of the regular solution."""
    return float(np.log(theta / (1 - theta)) + OMEGA * (1 - 2 * theta))


def drive_at(theta: float, rate: float) -> float:
    """Return Δ̃ at which (1−θ)(e^{−Δ̃/2} − a e^{Δ̃/2}) is ``rate``, a quadratic equation of e^{Δ̃/2}."""
    a, q = np.exp(potential(theta)), rate / (1 - theta)
    return float(2 * np.log((np.sqrt(q**2 + 4 * a) - q) / (2 * a)))


def growth_rate(theta: float, rate: float, wave: float) -> float:
    """Return that of cos(k x) on a homogeneous platelet under current, over `own_rate`; ``wave``: (ℓk)².

    Bai, Cogswell and Bazant, Nano Lett. 11, 4890 (2011): s = ∂R/∂μ (g″ + ℓ²k²) + ∂R/∂θ.
    """
    drive = drive_at(theta, rate)
    by_potential = -(1 - theta) * np.exp(potential(theta) + drive / 2)
    curvature = 1 / (theta * (1 - theta)) - 2 * OMEGA
    return float(by_potential * (curvature + wave) - rate / (1 - theta))


@pytest.mark.parametrize("law", [LAW, COUPLED])
def test_homogeneous_particle_at_constant_voltage(law: RateLaw) -> None:
    """Times at fillings on both sides of the gap are ∫ dθ/R."""
    model, drive = homogeneous(rate_law=law), -2.0

    def slowness(theta: float) -> float:
        rate = current_density(law, drive, theta, potential(theta), temperature=model.temperature)
        return float(law.rate_constant / (own_rate(model) * rate))

    fillings = np.array([0.02, 0.05, 0.2, 0.5, 0.8, 0.9])
    times = np.cumsum([0.0, *(quad(slowness, *ends)[0] for ends in pairwise(fillings))])
    voltage = model.mean_voltage + drive * model.thermal_voltage
    solution = solve_particle(model, fillings[0], times=times, voltage=voltage, relative_tolerance=1e-7)
    assert solution.filling == pytest.approx(fillings, abs=1e-5)


@pytest.mark.parametrize("rate", [0.05, 2.0])
def test_homogeneous_particle_at_constant_current(rate: float) -> None:
    model = homogeneous()
    scale = own_rate(model)
    times = np.linspace(0, 0.9 / (rate * scale), 50)
    solution = solve_particle(
        model, 0.02, times=times, current_density=rate * LAW.rate_constant, relative_tolerance=1e-7
    )
    assert solution.filling == pytest.approx(0.02 + rate * scale * times, abs=1e-10)
    expected = [drive_at(theta, rate) for theta in solution.filling]
    assert (solution.voltage - model.mean_voltage) / model.thermal_voltage == pytest.approx(
        np.array(expected), abs=1e-4
    )


def test_uniform_platelet_is_a_homogeneous_particle() -> None:
    """Without a gap, and of equal surface over volume."""
    times = np.linspace(0, 30, 20)
    runs = [
        solve_particle(particle(1.0, **kind), 0.1, times=times, current_density=0.3, relative_tolerance=1e-6)
        for kind in (
            {"kind": "allen-cahn", "shape": "plate", "size": 5e-9, "length": LENGTH, "shells": 20},
            {"kind": "homogeneous", "shape": "sphere", "size": 15e-9, "shells": 1},
        )
    ]
    assert runs[0].voltage == pytest.approx(runs[1].voltage, abs=1e-6)
    assert np.ptp(runs[0].theta, axis=1).max() < 1e-10


def amplitude(model: ParticleModel, theta: np.ndarray, wave: int) -> np.ndarray:
    shape = np.cos(wave * np.pi * model.grid.nodes / LENGTH)
    return np.asarray(2 * theta @ (model.grid.fractions * shape))


def growth_error(cells: int, wave: int = 4, rate: float = 0.5) -> float:
    """Return the error of ln of a small wave's growth while the platelet fills from 0.4 to 0.55."""
    model = line(cells)
    start = 0.4 + 1e-3 * np.cos(wave * np.pi * model.grid.nodes / LENGTH)
    times = np.linspace(0, 0.15 / (rate * own_rate(model)), 5)
    solution = solve_particle(
        model, start, times=times, current_density=rate * LAW.rate_constant, relative_tolerance=1e-8
    )
    grown = amplitude(model, solution.theta[-1], wave) / amplitude(model, start, wave)
    k2 = (model.interface_length * wave * np.pi / LENGTH) ** 2
    expected = quad(lambda theta: growth_rate(theta, rate, k2) / rate, 0.4, 0.55)[0]
    return float(np.log(grown) - expected)


def test_growth_of_a_small_wave_under_current_to_second_order() -> None:
    errors = np.abs([growth_error(cells) for cells in (21, 41, 81)])
    assert errors[-1] < 2e-3
    assert np.log2(errors[:-1] / errors[1:]) == pytest.approx(2.0, abs=0.15)


def test_high_currents_suppress_the_separation_of_phases() -> None:
    """Where no filling lets a wave grow all of them decay; at a twentieth of that current phases form."""
    model = line()
    k2 = (model.interface_length * np.pi / LENGTH) ** 2
    fillings = np.linspace(0.03, 0.97, 400)
    critical = brentq(lambda q: max(growth_rate(x, q, k2) for x in fillings), 0.1, 20.0)
    start = 0.15 * (1 + 0.05 * random_stream(4, "start").uniform(-1, 1, model.shells))
    spreads = {}
    for share in (0.05, 1.05):
        rate = share * critical
        times = np.linspace(0, 0.8 / (rate * own_rate(model)), 40)
        solution = solve_particle(model, start, times=times, current_density=rate * LAW.rate_constant)
        assert solution.termination == "time"
        assert solution.filling == pytest.approx(
            solution.filling[0] + rate * own_rate(model) * times, abs=1e-10
        )
        spreads[share] = np.ptp(solution.theta, axis=1)
    assert spreads[0.05].max() > 0.8
    assert np.all(np.diff(spreads[1.05]) < 1e-7)


def settled(cells_per_length: float, **changes: Any) -> tuple[ParticleModel, np.ndarray]:
    """Return a platelet of sixteen interface lengths, half full, and its profile at rest."""
    ell = line().interface_length
    model = line(round(16 * cells_per_length) + 1, length=16 * ell, **changes)
    x = model.grid.nodes / ell
    start = 0.5 + 0.45 * np.tanh(x - 8)
    solution = solve_particle(
        model, start, times=np.geomspace(1, 1e5, 30), current_density=0.0, relative_tolerance=1e-7
    )
    assert solution.filling == pytest.approx(solution.filling[0], abs=1e-12)
    assert np.diff(solution.free_energy).max() < 1e-9
    assert solution.free_energy[-1] < solution.free_energy[0]
    return model, solution.theta[-1]


def test_interface_at_rest_to_second_order() -> None:
    """Energy and width of the regular solution's interface for Ω = 4 (Cahn and Hilliard 1958)."""
    low = 0.021248
    bulk = low * np.log(low) + (1 - low) * np.log(1 - low) + OMEGA * low * (1 - low)
    energies, widths = [], []
    for cells in (4, 8, 16):
        model, theta = settled(cells)
        excess = (model.free_energy(theta) - bulk) * model.extent * SITE_DENSITY * KT
        energies.append(float(excess) / np.sqrt(GRADIENT_ENERGY * SITE_DENSITY * KT))
        slope = np.abs(np.diff(theta)).max() / model.grid.spacing
        widths.append((1 - 2 * low) / slope / model.interface_length)
    errors = np.abs(np.array(energies) / 0.558547 - 1)
    assert errors[-1] < 1e-3
    assert errors == pytest.approx(ENERGY_ERROR / np.array([4, 8, 16]) ** 2, rel=0.1)
    assert np.log2(errors[:-1] / errors[1:]) == pytest.approx(2.0, abs=0.25)
    assert widths[-1] == pytest.approx(1.185, rel=5e-3)


def test_wetting_draws_ions_to_both_ends() -> None:
    """At rest n·∇θ at the ends is what was asked, to the grid's error."""
    model = line(81, surface_gradient=2e6, omega=1.9)
    solution = solve_particle(model, 0.5, times=np.geomspace(1, 1e5, 20), current_density=0.0)
    theta, h = solution.theta[-1], model.grid.spacing
    assert theta == pytest.approx(theta[::-1], abs=1e-9)
    slope = (1.5 * theta[-1] - 2 * theta[-2] + 0.5 * theta[-3]) / h
    assert slope == pytest.approx(2e6, rel=0.02)


def test_current_under_a_film() -> None:
    """j = R(Δ̃ + f j), for films that cost many kT."""
    p = particle_arrays(line(), 1.0)
    for drive, film in ((-4.0, 0.1), (3.0, 5.0), (-30.0, 40.0), (1.0, 0.0)):
        value = direct_rate(p, (0.1, drive, film), 0.3, -0.4)[0]
        assert value == pytest.approx(surface_rate(p, 0.1, drive + film * value, 0.3, -0.4)[0], rel=1e-10)


def test_sizes_are_similar_and_the_grid_follows_the_length() -> None:
    model = line()
    assert model.scaled_to(1e-8).length == pytest.approx(2 * LENGTH)
    assert model.grid.surface_area == pytest.approx(1 / model.size)
    assert model.grid.nodes[-1] == pytest.approx(LENGTH)
    wide = line(None, length=2e-6, widen=True)
    assert wide.material_gradient_energy == GRADIENT_ENERGY
    assert homogeneous().scaled_to(1e-8).length is None


def test_a_homogeneous_particle_has_no_boundary_inside() -> None:
    model = homogeneous(coherency_modulus=1e9)
    assert model.boundary_levels.size == 0
    assert model.front_levels == pytest.approx([0.5], abs=1e-3)
    assert line().boundary_levels == pytest.approx([0.5], abs=1e-3)
    assert model.unstable_interval() is not None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "allen-cahn"}, "allen-cahn particle of shape 'sphere' and length None"),
        ({"kind": "allen-cahn", "shape": "plate"}, "give shape 'plate' and the length"),
        ({"length": 1e-7}, "only allen-cahn platelets have one; leave it out"),
        ({"kind": "homogeneous", "shells": 7}, "7 shells of a homogeneous particle"),
        ({"kind": "diffusive"}, "kind 'diffusive' is unknown; choose one of cahn-hilliard"),
        ({"kind": "allen-cahn", "shape": "plate", "length": -1e-7, "size": 1e-8}, "size -1e-07 m"),
        ({"kind": "allen-cahn", "shape": "plate", "length": 1e-6, "shells": 50}, "use at least"),
    ],
)
def test_kinds_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        particle(**changes)


def test_thermal_fluctuations_have_the_variance_of_equilibrium() -> None:
    """Of every wave 2/N(g″ + B/ρ + ℓ²k²), over 4000 draws, and the filling exactly."""
    model, theta, sites = line(21, coherency_modulus=1e8), 0.1, 1e6
    stream = random_stream(3, "draws")
    drawn = np.array([thermal_profile(model, theta, sites, stream) for _ in range(4000)])
    assert drawn @ model.grid.fractions == pytest.approx(theta, abs=1e-12)
    curvature = 1 / (theta * (1 - theta)) - 2 * OMEGA + model.coherency
    for wave in (1, 3, 8):
        k2 = (2 * np.sin(0.5 * np.pi * wave / 20) / model.grid.spacing) ** 2
        expected = 2 / (sites * (curvature + model.interface_length**2 * k2))
        assert np.var(amplitude(model, drawn, wave)) == pytest.approx(expected, rel=0.1)


def test_fluctuations_where_there_is_no_rest_are_refused() -> None:
    stream = random_stream(3, "draws")
    with pytest.raises(InputError, match=r"θ = 0\.5 lies inside the spinodal"):
        thermal_profile(line(), 0.5, 1e6, stream)
    with pytest.raises(InputError, match="0 sites need"):
        thermal_profile(line(), 0.1, 0.0, stream)
    with pytest.raises(InputError, match="homogeneous particles start even; leave the seed out"):
        platelet_sites(homogeneous())
