"""The half cell: Jacobian, balances, limits, bad designs, and the contracts it returns."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from particle_models import FAST, LAW, cell, particle
from scalebridge.contracts import (
    Contract,
    ElectrodeDesign,
    MaterialCard,
    Provenance,
    RateCapability,
    Solution,
)
from scalebridge.electrode import (
    CellModel,
    Layer,
    MetalFoil,
    Population,
    named_electrolyte,
    rate_capability,
    solve_cell,
    solve_discharge,
)
from scalebridge.electrode._kernels import CURRENT, POWER, RAMP, VOLTAGE, cell_residual
from scalebridge.electrode.arrays import cell_arrays
from scalebridge.electrode.discharge import DEPLETION
from scalebridge.electrode.system import Unknowns, cell_system
from scalebridge.foundation import InputError, ValidityError, constants, random_stream
from scalebridge.foundation.citations import bibtex
from scalebridge.kinetics import overpotential
from scalebridge.particle import sparse_matrices

PROVENANCE = Provenance(code_version="test", recipe_hash="test")


def solid_solution_cell(**changes: object) -> CellModel:
    model = particle(1.0, shells=12, gradient_energy=0.0, diffusivity=1e-13)
    return cell(
        model,
        separator=Layer(thickness=25e-6, porosity=0.7, bruggeman_exponent=1.5, volumes=4),
        layer=Layer(thickness=70e-6, porosity=0.4, bruggeman_exponent=1.5, volumes=6),
        **changes,
    )


SIZES = np.array([0.8e-8, 1e-8, 1.3e-8])
NYMAN = named_electrolyte("LiPF6 in EC:EMC 3:7 (Nyman 2008)")
CASES: dict[str, tuple[int, dict[str, object]]] = {
    "one particle per volume": (CURRENT, {}),
    "current that rises": (RAMP, {}),
    "concentrated electrolyte": (VOLTAGE, {"electrolyte": NYMAN}),
    "sizes with films": (POWER, {"film_resistance": 0.02}),
    "chains": (VOLTAGE, {"contact_conductance": 1e-12, "film_resistance": 0.02}),
}


@pytest.mark.parametrize("case", CASES)
def test_jacobian_against_finite_differences(case: str) -> None:
    control, changes = CASES[case]
    if "film_resistance" in changes:
        changes = changes | {"population": Population.listed(SIZES, np.array([1.0, 2.0, 3.0]), volumes=3)}
    model = cell(
        particle((3.0, -0.3), shells=5, size=1e-8, coherency_modulus=2e8),
        separator=Layer(thickness=25e-6, porosity=0.7, bruggeman_exponent=1.5, volumes=2),
        layer=Layer(thickness=70e-6, porosity=0.4, bruggeman_exponent=1.5, volumes=3),
        anode=MetalFoil(LAW),
        **changes,
    )
    arrays = cell_arrays(model, control=control, target=1.0)
    system = cell_system(arrays, Unknowns.of(arrays))
    size, cj = system.differential.size, 0.3
    rng = random_stream(2, "cell state")
    state, rates = rng.uniform(0.2, 0.8, size), rng.normal(size=size)
    by_state, by_rate = sparse_matrices(system.jacobian(state))
    matrix = (by_state + cj * by_rate).toarray()
    h = 1e-6
    for column in range(size):
        sides = []
        for sign in (1, -1):
            step = np.zeros(size)
            step[column] = sign * h
            out = np.empty(size)
            cell_residual(arrays, state + step, rates + cj * step, out)
            sides.append(out)
        difference = (sides[0] - sides[1]) / (2 * h)
        assert matrix[:, column] == pytest.approx(difference, abs=3e-7 * np.abs(matrix[:, column]).max())


def test_balances_during_a_discharge() -> None:
    """Charge passed equals ions stored, salt is conserved, the currents of all particles add up."""
    model = solid_solution_cell()
    solution = solve_cell(model, 2.0)
    passed = 2.0 * solution.time / 3600
    assert solution.filling - solution.filling[0] == pytest.approx(passed, abs=1e-12)
    pore = np.concatenate([np.full(4, 0.7 * 25e-6 / 4), np.full(6, 0.4 * 70e-6 / 6)])
    salt = solution.concentration @ pore
    assert salt == pytest.approx(salt[0], rel=1e-12)
    assert solution.reaction.mean(axis=(1, 2)) == pytest.approx(2.0 / 3600, rel=1e-9)


def test_slow_discharge_follows_the_equilibrium_voltage() -> None:
    solution = solve_cell(solid_solution_cell(), 1e-4)
    model = solid_solution_cell()
    equilibrium = model.particle.equilibrium_voltage(solution.filling)
    assert solution.voltage[5:] == pytest.approx(equilibrium[5:], abs=5e-5)
    assert np.all(np.diff(solution.voltage) < 1e-9)


def test_steady_salt_profile_is_linear_in_the_separator() -> None:
    """At long times ∇c = −i (1 − t₊)/(F D ε^b) between metal and cathode."""
    model = solid_solution_cell()
    solution = solve_cell(model, 1.0)
    slope = np.diff(solution.concentration[-1, :4]) / np.diff(solution.position[:4])
    current = model.one_c_current
    effective = model.salt_diffusivity * 0.7**1.5
    expected = -current * (1 - model.cation_transference) / (constants.FARADAY * effective)
    assert slope == pytest.approx(expected, rel=2e-3)


def test_concentration_at_the_metal_rises_as_sands_equation_says() -> None:
    """c(0,t) − c₀ = 2 i (1−t₊)/(F ε) √(t/(πD)) with the D of the pores, before the cathode is felt."""
    porosity, exponent, thickness = 0.6, 1.4, 400e-6
    model = cell(
        particle(1.0, shells=6, gradient_energy=0.0, diffusivity=1e-13),
        separator=Layer(thickness=thickness, porosity=porosity, bruggeman_exponent=exponent, volumes=400),
        layer=Layer(thickness=70e-6, porosity=0.4, bruggeman_exponent=1.5, volumes=2),
    )
    factor = porosity**exponent
    diffusivity = model.salt_diffusivity * factor / porosity
    c_rate = 1.0
    flux = c_rate * model.one_c_current * (1 - model.cation_transference) / constants.FARADAY
    times = np.concatenate([[0.0], np.array([0.01, 0.02, 0.04]) * thickness**2 / diffusivity])
    solution = solve_cell(model, c_rate, times=times, relative_tolerance=1e-6)
    surface = 1.5 * solution.concentration[:, 0] - 0.5 * solution.concentration[:, 1] - 1000.0
    expected = 2 * flux / porosity * np.sqrt(times / (np.pi * diffusivity))
    assert surface[1:] == pytest.approx(expected[1:], rel=5e-3)


def test_sand_time_of_plating() -> None:
    """Charging plates the metal: its surface runs dry at τ = πD[Fc₀/(2i(1−t₊))]², ε included. Second order.

    c = c₀(1 − √(t/τ)), so that a run which ends at −`DEPLETION` c₀ lasts τ(1 + `DEPLETION`)².
    """
    porosity, exponent, thickness = 0.6, 1.4, 2000e-6
    errors = []
    for volumes in (100, 200, 400):
        model = cell(
            particle(1.0, shells=6, gradient_energy=0.0, diffusivity=1e-13),
            separator=Layer(
                thickness=thickness, porosity=porosity, bruggeman_exponent=exponent, volumes=volumes
            ),
            layer=Layer(thickness=70e-6, porosity=0.4, bruggeman_exponent=1.5, volumes=2),
            salt_concentration=100.0,
            initial_theta=0.6,
        )
        diffusivity = model.salt_diffusivity * porosity ** (exponent - 1)
        current = 0.4 * model.one_c_current * (1 - model.cation_transference)
        sand = np.pi * diffusivity * (porosity * constants.FARADAY * 100.0 / (2 * current)) ** 2
        assert sand < 0.05 * thickness**2 / diffusivity
        solution = solve_cell(model, -0.4, times=np.linspace(0, 1.5 * sand, 61), relative_tolerance=1e-7)
        assert solution.termination == "electrolyte depletion"
        assert "ran out of salt" in solution.status
        errors.append(solution.time[-1] / (sand * (1 + DEPLETION) ** 2) - 1)
    assert abs(errors[-1]) < 1e-4
    assert np.log2(np.array(errors[:-1]) / errors[1:]) == pytest.approx(2.0, abs=0.1)


def test_counter_electrode_costs_its_overpotential() -> None:
    slow_metal = LAW.model_copy(update={"rate_constant": 5.0, "transition_state": "none"})
    fast = solve_cell(solid_solution_cell(anode=MetalFoil(FAST)), 1.0)
    slow = solve_cell(solid_solution_cell(anode=MetalFoil(slow_metal)), 1.0)
    model = solid_solution_cell()
    rise = fast.concentration[40, 0] * 1.5 - fast.concentration[40, 1] * 0.5
    exchange = 5.0 * np.sqrt(rise / 1000.0)
    loss = -overpotential(model.one_c_current, exchange) * model.particle.thermal_voltage
    at = fast.filling[40]
    difference = np.interp(at, fast.filling, fast.voltage) - np.interp(at, slow.filling, slow.voltage)
    assert difference == pytest.approx(loss, rel=5e-3)


def test_voltage_cutoff_ends_the_run_there() -> None:
    solution = solve_cell(solid_solution_cell(cutoff_voltage=3.40), 1.0)
    assert solution.termination == "voltage cutoff"
    assert solution.voltage[-1] == pytest.approx(3.40, abs=1e-5)
    assert "reached its cutoff of 3.400 V" in solution.status


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cutoff_voltage": 3.6}, "below the open-circuit voltage"),
        ({"volume_fraction": 1.2}, "at most 1"),
        ({"salt_concentration": 0.0}, "salt concentration 0 must be positive"),
        (
            {"separator": Layer(thickness=25e-6, porosity=1.7, bruggeman_exponent=1.5, volumes=4)},
            "separator: thickness",
        ),
    ],
)
def test_bad_designs(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        cell(**changes)


def test_rate_must_be_positive() -> None:
    with pytest.raises(InputError, match="C-rate 0"):
        solve_cell(cell(), 0.0)


@pytest.fixture(scope="module")
def card_and_design(synthetic_contracts: dict[str, Contract]) -> tuple[MaterialCard, ElectrodeDesign]:
    card = synthetic_contracts["card/material_card.json"]
    design = synthetic_contracts["electrode/electrode_design.json"]
    assert isinstance(card, MaterialCard)
    assert isinstance(design, ElectrodeDesign)
    return card, design


def test_discharge_from_a_card(card_and_design: tuple[MaterialCard, ElectrodeDesign], tmp_path: Path) -> None:
    card, design = card_and_design
    solution = solve_discharge(card, design, 2.0, member=1, provenance=PROVENANCE, shells=20)
    fields = solution.fields
    assert solution.member == 1
    assert solution.c_rate == 2.0
    moved = fields["filling"].values[-1] - fields["filling"].values[0]
    assert fields["capacity"].values[-1] == pytest.approx(moved * card.host.theoretical_capacity, rel=1e-8)
    maps = fields["map_time"].values.size
    assert fields["theta"].axes == ("map_time", "volume", "radius")
    assert fields["theta"].values.shape == (maps, 10, fields["radius"].values.size)
    gaps = fields["boundary_level"].values.size
    assert fields["phase_boundary"].values.shape == (maps, 10, gaps)
    assert fields["depth"].values.shape == (10,)
    path = solution.save(tmp_path / "solution.json")
    assert path.stat().st_size < 3e5
    assert Solution.load(path).status == solution.status
    assert all(f"{{{key}," in bibtex(solution.citations) for key in solution.citations)


def test_widened_interfaces_are_said_in_the_results(
    card_and_design: tuple[MaterialCard, ElectrodeDesign],
) -> None:
    card, design = card_and_design
    particles = design.particles.model_copy(
        update={"coherent": False, "size": design.particles.size.model_copy(update={"value": 3e-7})}
    )
    incoherent = design.model_copy(
        update={
            "particles": particles,
            "cathode": design.cathode.model_copy(update={"volumes": 2}),
            "final_theta": design.final_theta.model_copy(update={"value": 0.05}),
        }
    )
    summary, solutions = rate_capability(card, incoherent, (1.0,), provenance=PROVENANCE, members=(2,))
    for result in (summary, solutions[0]):
        assert any(remark.startswith("member 2: the card's κ of ") for remark in result.validity.remarks)


def test_rate_capability_over_members(card_and_design: tuple[MaterialCard, ElectrodeDesign]) -> None:
    card, design = card_and_design
    with ThreadPoolExecutor(2) as pool:
        summary, solutions = rate_capability(
            card, design, (1.0, 4.0), provenance=PROVENANCE, members=(0, 3), map=pool.map, shells=15
        )
    assert [(s.member, s.c_rate) for s in solutions] == [(0, 1.0), (0, 4.0), (3, 1.0), (3, 4.0)]
    assert summary.capacity.shape == (2, 2)
    assert summary.members == summary.row_members == (0, 3)
    with pytest.raises(ValueError, match="as many as the 2 rows"):
        RateCapability.model_validate(dict(summary) | {"members": (0, 1, 3)})
    assert np.all(summary.capacity <= card.host.theoretical_capacity)
    assert np.all(np.diff(summary.mean_voltage, axis=1) < 0)
    charge, voltage = (solutions[0].fields[name].values for name in ("capacity", "voltage"))
    assert summary.energy[0, 0] == pytest.approx(np.trapezoid(voltage, charge), rel=1e-9)
    assert min(summary.diffusion_time.min(), summary.reaction_time.min(), summary.electrolyte_time) > 0


def test_errors_of_card_and_design(card_and_design: tuple[MaterialCard, ElectrodeDesign]) -> None:
    card, design = card_and_design
    with pytest.raises(InputError, match="member 9 must be one of 0 … 4"):
        solve_discharge(card, design, 1.0, member=9, provenance=PROVENANCE)
    with pytest.raises(InputError, match="one or more positive numbers"):
        rate_capability(card, design, (), provenance=PROVENANCE)
    hot = design.model_copy(update={"temperature": design.temperature.model_copy(update={"value": 700.0})})
    with pytest.raises(ValidityError, match="700 K"):
        solve_discharge(card, hot, 1.0, provenance=PROVENANCE)
    high = design.lower_cutoff.model_copy(update={"value": -1.0})
    with pytest.raises(InputError, match="below the open-circuit voltage"):
        solve_discharge(card, design.model_copy(update={"lower_cutoff": high}), 1.0, provenance=PROVENANCE)
