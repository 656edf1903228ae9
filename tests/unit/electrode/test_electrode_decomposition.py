"""Fast diffusion, a gap that reaches to the full particle, an interface too thin for any grid.

Such particles hold out to their spinodal and then decompose within microseconds, while hours remain.
"""

import numpy as np
import pytest
from scipy.optimize import fsolve

from particle_models import FAST, cell, particle
from scalebridge.contracts import Contract, ElectrodeDesign, MaterialCard, Provenance
from scalebridge.electrode import CellSolution, Layer, rate_capability, solve_cell
from scalebridge.particle import ParticleModel, implicit, solve_particle

SKEWED = (5.0, -5.0)


def fast_particle(omega: tuple[float, ...] = SKEWED, **changes: object) -> ParticleModel:
    settings = {"shells": None, "gradient_energy": 1e-13, "diffusivity": 1e-11, "widen": True} | changes
    return particle(omega, **settings)


def discharged(omega: tuple[float, ...], diffusivity: float) -> tuple[ParticleModel, CellSolution]:
    model = fast_particle(omega, diffusivity=diffusivity, coherency_modulus=1e8)
    half_cell = cell(
        model,
        separator=Layer(thickness=25e-6, porosity=0.7, bruggeman_exponent=1.5, volumes=2),
        layer=Layer(thickness=70e-6, porosity=0.4, bruggeman_exponent=1.5, volumes=2),
        cutoff_voltage=2.0,
    )
    return model, solve_cell(half_cell, 0.3)


@pytest.mark.parametrize(
    ("omega", "diffusivity"), [(SKEWED, 1e-11), ((4.0, -6.0), 4e-11), ((-1.0, -5.0, 3.0), 4e-12)]
)
def test_discharge_goes_through_the_decomposition(omega: tuple[float, ...], diffusivity: float) -> None:
    """To the end, inside the bounds, ions kept, and never more work than the free energy gives."""
    model, solution = discharged(omega, diffusivity)
    assert solution.termination == "final filling", solution.status
    assert solution.filling == pytest.approx(0.01 + 0.3 * solution.time / 3600, abs=5e-9)
    assert np.all((solution.theta > 0) & (solution.theta < 1))
    assert np.ptp(solution.theta, axis=3).max() > 0.4
    work = (solution.voltage - model.mean_voltage) / model.thermal_voltage
    work = 0.5 * (work[1:] + work[:-1]) * np.diff(solution.filling)
    energy = model.free_energy(solution.theta).mean(axis=(1, 2))
    dissipated = -np.diff(energy) - work
    assert np.all(np.cumsum(dissipated) > 0)
    assert dissipated.min() > -1e-5


@pytest.mark.parametrize("omega", [(5.0, 0.0), SKEWED])
def test_two_phase_voltage_is_that_of_the_common_tangent(omega: tuple[float, float]) -> None:
    """A plate's flat boundary adds nothing, the reaction is fast: −μ/e of the tangent, not of the filling.

    The grid pins an interface of three shells by less than 0.1 kT/e.
    """
    model = fast_particle(omega, shape="plate", rate_law=FAST)
    a, b = omega

    def potential(t: np.ndarray) -> np.ndarray:
        return np.log(t / (1 - t)) + a * (1 - 2 * t) + b * ((1 - 2 * t) ** 2 - 4 * t * (1 - t))

    def energy(t: np.ndarray) -> np.ndarray:
        return t * np.log(t) + (1 - t) * np.log(1 - t) + t * (1 - t) * (a + b * (1 - 2 * t))

    def conditions(odds: np.ndarray) -> list[float]:
        t = 1 / (1 + np.exp(-odds))
        mu = potential(t)
        return [mu[0] - mu[1], energy(t)[1] - energy(t)[0] - mu[0] * (t[1] - t[0])]

    odds = fsolve(conditions, [-5.0, 5.0] if b == 0 else [-0.9, 9.0])
    low, high = 1 / (1 + np.exp(-odds))
    assert high - low > 0.5
    tangent = model.mean_voltage - model.thermal_voltage * potential(np.array([low]))[0]
    rate = 1e-3
    j = rate / 3600 * model.charge_density / model.grid.surface_area
    times = np.linspace(0, 0.9 * 3600 / rate, 60)
    solution = solve_particle(model, 0.01, times=times, current_density=j)
    inside = np.abs(solution.filling - 0.5 * (low + high)) < 0.15 * (high - low)
    assert inside.sum() > 3
    assert np.mean(solution.voltage[inside]) == pytest.approx(tangent, abs=1e-3)
    assert solution.voltage[inside] == pytest.approx(tangent, abs=0.1 * model.thermal_voltage)
    homogeneous = model.equilibrium_voltage(solution.filling[inside])
    assert np.abs(homogeneous - solution.voltage[inside]).max() > 8e-3


def test_unfinished_discharges_are_marked(
    synthetic_contracts: dict[str, Contract], monkeypatch: pytest.MonkeyPatch
) -> None:
    card = synthetic_contracts["card/material_card.json"]
    design = synthetic_contracts["electrode/electrode_design.json"]
    assert isinstance(card, MaterialCard)
    assert isinstance(design, ElectrodeDesign)
    monkeypatch.setattr(implicit, "MAX_STEPS", 3)
    monkeypatch.setattr(implicit, "RESTARTS", 2)
    provenance = Provenance(code_version="test", recipe_hash="test")
    summary, solutions = rate_capability(
        card, design, (1.0,), provenance=provenance, members=(0, 1), shells=12
    )
    assert summary.terminations == (("solver failure",), ("solver failure",))
    assert sum(remark.startswith("not a result") for remark in summary.validity.remarks) == 2
    assert all("the solver stopped" in solution.status for solution in solutions)
