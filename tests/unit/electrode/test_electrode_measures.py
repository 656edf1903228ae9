"""Who is at work, what a cycle loses, what limits; held against linear response and against changed cells."""

from dataclasses import replace

import numpy as np
import pytest

from particle_models import LAW, cell, particle, with_changes
from scalebridge.contracts import Contract, ElectrodeDesign, MaterialCard, Provenance, Solution
from scalebridge.electrode import (
    CellModel,
    Layer,
    Population,
    Protocol,
    active_fraction,
    dilute,
    electrode_impedance,
    limiting_process,
    mean_active_fraction,
    solve_cell,
    solve_discharge,
    solve_protocol,
    time_scales,
    voltage_hysteresis,
)
from scalebridge.foundation import InputError

SEPARATOR = Layer(thickness=25e-6, porosity=0.7, bruggeman_exponent=1.5, volumes=3)
CATHODE = Layer(thickness=70e-6, porosity=0.4, bruggeman_exponent=1.5, volumes=5)


def solid_solution(**changes: object) -> CellModel:
    settings = {"diffusivity": 1e-13, "rate_law": LAW, "size": 100e-9}
    settings |= {name: changes.pop(name) for name in tuple(changes) if name in settings}
    model = particle(1.0, shells=16, gradient_energy=0.0, **settings)
    return cell(model, **({"separator": SEPARATOR, "layer": CATHODE} | changes))


def test_hysteresis_of_a_slow_cycle_is_twice_the_resistance() -> None:
    """Linear response: V_charge − V_discharge → 2 I Re Z(ω → 0), by the independent linearisation."""
    model = solid_solution(initial_theta=0.3)
    solved = solve_protocol(
        model,
        Protocol.parse("Discharge at C/50 until 40 %; Charge at C/50 until 35 %"),
        relative_tolerance=1e-7,
    )
    down, up = (step.solution for step in solved.steps)
    filling = np.array([0.45, 0.5, 0.55])
    found = voltage_hysteresis(down, up, filling)
    resistance = [electrode_impedance(model, x, [1e-6]).values.real[0] for x in filling]
    assert found == pytest.approx(2 * model.one_c_current / 50 * np.array(resistance), rel=0.01)


def test_mean_voltage_and_efficiency_of_a_cycle_agree() -> None:
    model = solid_solution(initial_theta=0.3)
    solved = solve_protocol(model, Protocol.parse("Discharge at 1C until 30 %; Charge at 1C until 30 %"))
    down, up = solved.steps
    assert solved.energy_efficiency == pytest.approx(down.mean_voltage / up.mean_voltage, rel=1e-6)
    lost = np.mean(voltage_hysteresis(down.solution, up.solution, np.linspace(0.305, 0.595, 400)))
    assert up.mean_voltage - down.mean_voltage == pytest.approx(lost, rel=0.03)
    assert np.isnan(solve_protocol(model, Protocol.parse("Rest for 1 minute")).steps[0].mean_voltage)


def test_hysteresis_asks_for_what_was_passed() -> None:
    model = solid_solution(initial_theta=0.3)
    solved = solve_protocol(model, Protocol.parse("Discharge at 1C until 20 %; Charge at 1C until 20 %"))
    down, up = (step.solution for step in solved.steps)
    with pytest.raises(InputError, match="goes beyond the discharge's"):
        voltage_hysteresis(down, up, 0.7)
    with pytest.raises(InputError, match="exchange the two"):
        voltage_hysteresis(up, down, 0.4)


QUICK = LAW.model_copy(update={"rate_constant": 30 * LAW.rate_constant})
SLOW = LAW.model_copy(update={"rate_constant": 1e-4})
IMPROVED: dict[str, dict[str, object]] = {
    "diffusion": {"diffusivity": 1e-12},
    "reaction": {"rate_law": LAW.model_copy(update={"rate_constant": 1e4 * LAW.rate_constant})},
    "electronic conduction": {"electronic_conductivity": 1e3},
    "electrolyte": {"electrolyte": dilute("fast", 2.2e-7, 2.94e-7)},
}
POOR: dict[str, tuple[dict[str, object], set[str]]] = {
    "diffusion": ({"diffusivity": 1.5e-18, "rate_law": QUICK}, {"diffusion"}),
    "reaction": ({"rate_law": SLOW}, {"reaction"}),
    "electronic conduction": (
        {"electronic_conductivity": 5e-3, "rate_law": QUICK},
        {"electronic conduction"},
    ),
    "electrolyte": (
        {"electrolyte": dilute("slow", 2e-11, 3e-11), "salt_concentration": 2000.0, "rate_law": QUICK},
        {"ionic conduction", "salt"},
    ),
}


@pytest.mark.parametrize("case", POOR)
def test_relief_of_the_limiting_process_brings_most(case: str) -> None:
    """Each process in turn made quick: the energy at 2C grows most for the one that was named."""
    poor, names = POOR[case]
    named = limiting_process(solid_solution(**poor), 2.0)
    assert named.process in names
    assert named.discharge_time == pytest.approx(1800.0)
    energies = {}
    for name, better in IMPROVED.items():
        solution = solve_cell(solid_solution(**(poor | better), cutoff_voltage=2.8), 2.0)
        energies[name] = np.trapezoid(solution.voltage, solution.filling)
    assert max(energies, key=energies.__getitem__) == case


def test_nothing_limits_a_slow_discharge() -> None:
    model = solid_solution()
    assert limiting_process(model, 1e-3).process == "equilibrium"
    solution = solve_cell(model, 1e-3)
    middle = (solution.filling > 0.05) & (solution.filling < 0.95)
    equilibrium = model.particle.equilibrium_voltage(solution.filling)
    assert solution.voltage[middle] == pytest.approx(equilibrium[middle], abs=2e-3)
    with pytest.raises(InputError, match="must be positive"):
        limiting_process(model, 0.0)


def test_conduction_times_are_those_of_the_small_signal() -> None:
    """Charge over kT/e times the resistance that a transmission line with a slow reaction has: L/3κ, L/3σ."""
    model = solid_solution(rate_law=LAW.model_copy(update={"rate_constant": 1e-3}))
    cathode = replace(CATHODE, volumes=40)
    found = []
    for changes in ({"electronic_conductivity": 0.02}, {"electronic_conductivity": 1e6}):
        changed = with_changes(model, layer=cathode, **changes)
        found.append(electrode_impedance(changed, 0.3, [1e3]).values.real[0])
    scale = model.cathode.capacity_per_area / model.particle.thermal_voltage
    expected = time_scales(with_changes(model, electronic_conductivity=0.02))["electronic conduction"]
    assert scale * (found[0] - found[1]) == pytest.approx(expected, rel=0.02)


def test_particles_fill_one_by_one_slowly_and_together_fast() -> None:
    """Active share: one or two particles of twelve at C/50, most of them at 20C."""
    population = Population.listed(np.array([50e-9, 60e-9]), None, volumes=6)
    model = cell(
        particle(size=60e-9, shells=40),
        separator=SEPARATOR,
        layer=replace(CATHODE, volumes=6),
        population=population,
        initial_theta=0.02,
        cutoff_voltage=2.4,
    )
    means = []
    for c_rate in (0.02, 1.0, 20.0):
        solution = solve_cell(model, c_rate)
        share, done = active_fraction(model, solution)
        means.append(float(np.sum(share[1:] * np.diff(done)) / done[-1]))
    assert 1 / 12 <= means[0] < 2 / 12
    assert means[0] < means[1] < means[2]
    assert means[2] > 0.5


def test_mean_active_fraction_of_a_card(synthetic_contracts: dict[str, Contract]) -> None:
    card, design = (
        synthetic_contracts[name] for name in ("card/material_card.json", "electrode/electrode_design.json")
    )
    assert isinstance(card, MaterialCard)
    assert isinstance(design, ElectrodeDesign)
    provenance = Provenance(code_version="test", recipe_hash="test")
    solution = solve_discharge(card, design, 2.0, provenance=provenance, shells=15)
    share = mean_active_fraction(solution)
    fields = solution.fields
    assert 0 < share <= fields["active_fraction"].values.max() <= 1.0
    none = Solution.model_validate(dict(solution) | {"fields": {"time": fields["time"]}})
    with pytest.raises(InputError, match="without active_fraction and transformed"):
        mean_active_fraction(none)
