"""Heat balance: closed forms, Bernardi's equation, the isothermal limit, order, what a design asks for."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from scalebridge.contracts import (
    Contract,
    ElectrodeDesign,
    HeatExchange,
    MaterialCard,
    RateLaw,
    Sourced,
)
from scalebridge.electrode import (
    CellModel,
    MetalFoil,
    PorousElectrode,
    ThermalSolution,
    solve_cell,
    solve_discharge,
    solve_thermal_cell,
)
from scalebridge.foundation import ConvergenceError, InputError, ValidityError, constants
from scalebridge.materials import load_material
from scalebridge.particle import consistent_start, measured_particle
from thermal_models import AMBIENT, ENTROPY, K_PER_E, PROVENANCE, START, VOLTAGE, balance, cells


def run(build: Callable[[float], CellModel], c_rate: float, **changes: Any) -> ThermalSolution:
    exchange = {k: changes.pop(k) for k in list(changes) if k in vars(balance())}
    return solve_thermal_cell(build, c_rate, balance(**exchange), temperature=START, **changes)


def voltage_at_rest(solution: ThermalSolution, entropy: float) -> tuple[np.ndarray, np.ndarray]:
    """U(θ, T) of the host and its ∂U/∂T, from the formula."""
    odds = np.log(solution.cell.filling / (1 - solution.cell.filling))
    slope = entropy - K_PER_E * odds
    return VOLTAGE + entropy * (solution.temperature - START) - K_PER_E * solution.temperature * odds, slope


def test_reversible_heat_alone() -> None:
    """C dT/dt = −I T dU/dT − h (T − T_a): integrated on its own, 0.01 K of the 13 K that the cell cools."""
    build = cells()
    solution = run(build, 1.0)
    current = build(START).one_c_current

    def slope(time: float, temperature: np.ndarray) -> np.ndarray:
        theta = 0.1 + time / 3600
        entropic = ENTROPY - K_PER_E * np.log(theta / (1 - theta))
        return (-current * temperature * entropic - 0.5 * (temperature - AMBIENT)) / 400.0

    times = solution.cell.time
    expected = solve_ivp(slope, (0, times[-1]), [START], t_eval=times, rtol=1e-9, atol=1e-9).y[0]
    assert expected[-1] < START - 5
    assert solution.temperature == pytest.approx(expected, abs=1e-2)
    rest, _ = voltage_at_rest(solution, ENTROPY)
    assert solution.cell.voltage[1:] == pytest.approx(rest[1:], abs=1e-3)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("c_rate", [1.0, -1.0])
def test_heat_is_bernardis(full: bool, c_rate: float) -> None:
    """q = I (U − V) − I T dU/dT of uniform electrodes; graphite's U does not change with temperature."""
    build = cells(0.2 * ENTROPY, rate=2.0, full=full)
    first = build(START)
    if c_rate < 0:
        turned = build

        def build(temperature: float) -> CellModel:
            model = turned(temperature)
            return with_start(model, 0.9, 0.4)

    times = np.linspace(0, 2400.0, 200)
    solution = run(build, c_rate, times=times, heat_transfer=0.0)
    now, whole = solution.temperature, solution.cell
    rest, entropic = voltage_at_rest(solution, 0.2 * ENTROPY)
    if whole.anode is not None:
        assert isinstance(first.anode, PorousElectrode)
        rest = rest - first.anode.particle.equilibrium_voltage(whole.anode.filling)
    rate = whole.current * (rest - whole.voltage - now * entropic)
    warmed = np.concatenate([[0.0], np.cumsum(0.5 * (rate[1:] + rate[:-1]) * np.diff(whole.time))]) / 400.0
    assert np.ptp(now) > 0.5
    assert now - START == pytest.approx(warmed, abs=0.02 * np.ptp(now))


def with_start(model: CellModel, cathode: float, anode: float) -> CellModel:
    counter = model.anode
    if isinstance(counter, PorousElectrode):
        counter = replace(counter, initial_theta=anode)
    return replace(model, cathode=replace(model.cathode, initial_theta=cathode), anode=counter)


def test_a_large_heat_capacity_is_isothermal() -> None:
    """Slices and their fresh starts alone change nothing."""
    build = cells(rate=2.0)
    times = np.linspace(0, 2000.0, 60)
    solution = run(build, 1.0, times=times, heat_capacity=1e12)
    alone = solve_cell(build(START), 1.0, times=times)
    assert solution.temperature == pytest.approx(np.full(solution.temperature.size, START), abs=1e-6)
    ours = np.interp(times, solution.cell.time, solution.cell.voltage)
    assert ours[2:] == pytest.approx(alone.voltage[2:], abs=2e-5)
    assert np.all(np.diff(solution.cell.time) > 0)
    charge = solution.cell.filling - solution.cell.filling[0]
    assert charge == pytest.approx(solution.cell.time / 3600, abs=1e-9)


def test_second_order_in_the_slices() -> None:
    """Electrode and temperature drive each other: the foil's voltage loss falls as the cell warms."""
    build = cells(0.0, rate=0.2)
    settings = {"heat_capacity": 600.0, "heat_transfer": 0.0, "relative_tolerance": 1e-7}
    runs = [run(build, 2.0, temperature_step=step, **settings) for step in (1.0, 0.5, 0.125)]
    assert {one.cell.termination for one in runs} == {"final filling"}
    ends = np.array([one.temperature[-1] for one in runs])
    print(ends)
    assert ends[-1] > START + 15
    errors = np.abs(ends[:2] - ends[-1])
    assert errors[0] < 5e-3
    assert errors[0] / errors[1] > 3


def test_the_end_of_the_materials_range_ends_the_run() -> None:
    """The host is known up to 330 K."""
    solution = run(cells(0.0, rate=0.05), 3.0, heat_capacity=20.0, heat_transfer=0.0)
    assert solution.cell.termination == "temperature range"
    assert "the cell left what its materials hold: temperature 33" in solution.cell.status
    assert solution.temperature[-1] == pytest.approx(330, abs=0.25)
    with pytest.raises(ValidityError):
        solve_thermal_cell(cells(), 1.0, balance(), temperature=400.0)


def test_what_was_reached_survives_the_solver(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def start(*arguments: Any, **settings: Any) -> Any:
        calls.append(1)
        if len(calls) > 4:
            raise ConvergenceError("no more")
        return consistent_start(*arguments, **settings)

    monkeypatch.setattr("scalebridge.electrode.slices.consistent_start", start)
    solution = run(cells(), 1.0)
    assert solution.cell.termination == "solver failure"
    assert "the solver stopped: no more" in solution.cell.status
    assert solution.cell.time[-1] > 0
    assert solution.temperature.shape == solution.cell.time.shape
    calls += [1] * 5
    with pytest.raises(ConvergenceError):
        run(cells(), 1.0)


@pytest.mark.parametrize("field", ["heat_capacity", "heat_transfer", "ambient_temperature"])
def test_bounds(field: str) -> None:
    with pytest.raises(InputError, match=r"must be positive .* \[thermal\]"):
        balance(**{field: -1.0})
    with pytest.raises(InputError, match="temperature step 0 K"):
        run(cells(), 1.0, temperature_step=0.0)
    with pytest.raises(InputError, match="C-rate 0"):
        run(cells(), 0.0)


def test_rate_constants_follow_arrhenius(synthetic_contracts: dict[str, Contract]) -> None:
    """k0 of host, measured material and metal at the temperature of the cell."""
    law = RateLaw(rate_constant=2.0, activation_energy=5e4, reference_temperature=290.0, source="test")
    warm = 2.0 * np.exp(5e4 / constants.GAS_CONSTANT * (1 / 290 - 1 / 310))
    assert law.at(310.0).rate_constant == pytest.approx(warm, rel=1e-12)
    assert law.at(310.0).at(330.0).rate_constant == pytest.approx(warm, rel=1e-12)
    card = cast(MaterialCard, synthetic_contracts["card/material_card.json"])
    design = cast(ElectrodeDesign, synthetic_contracts["electrode/electrode_design.json"])
    hot = design.model_copy(update={"rate_law": law, "counter_rate_law": law})
    model = CellModel.from_card(card, hot, shells=30)
    expected = law.at(float(design.temperature)).rate_constant
    assert expected != 2.0
    assert model.particle.rate_law.rate_constant == expected
    assert isinstance(model.anode, MetalFoil)
    assert model.anode.rate_law.rate_constant == expected
    material = load_material("graphite", PROVENANCE).model_copy(update={"rate_law": law})
    carbon = measured_particle(material, temperature=310.0, shape="sphere", size=1e-6)
    assert carbon.rate_law.rate_constant == pytest.approx(warm, rel=1e-12)
    with pytest.raises(ValueError, match="belong together"):
        RateLaw(rate_constant=2.0, activation_energy=5e4, source="test")


def test_of_a_card_and_a_design(synthetic_contracts: dict[str, Contract]) -> None:
    """Fields of the temperature and where the solution holds."""
    card = cast(MaterialCard, synthetic_contracts["card/material_card.json"])
    design = cast(ElectrodeDesign, synthetic_contracts["electrode/electrode_design.json"])
    exchange = HeatExchange(
        heat_capacity=Sourced(value=500.0, source="test"),
        heat_transfer_coefficient=Sourced(value=1.0, source="test"),
    )
    warm = design.model_copy(update={"thermal": exchange})
    solution = solve_discharge(card, warm, 0.5, provenance=PROVENANCE, shells=30)
    temperature = solution.fields["temperature"].values
    assert solution.fields["heat_release"].values.shape == temperature.shape
    assert temperature[0] == float(design.temperature)
    assert np.ptp(temperature) > 0
    assert "bernardi1985" in solution.citations
    assert solution.status.endswith(" K")
    assert solution.validity.temperature == pytest.approx((temperature.min(), temperature.max()))
    assert "temperature" not in solve_discharge(card, design, 0.5, provenance=PROVENANCE, shells=30).fields


def test_a_card_of_one_temperature_cannot_warm(synthetic_contracts: dict[str, Contract]) -> None:
    card = cast(MaterialCard, synthetic_contracts["card/material_card.json"])
    design = cast(ElectrodeDesign, synthetic_contracts["electrode/electrode_design.json"])
    branch = card.free_energy.branches[0]
    names = ("offset", "slope", "interaction")
    alone = branch.model_copy(
        update={"temperature": branch.temperature[:1]}
        | {name: getattr(branch, name)[:, :1] for name in names}
    )
    energy = card.free_energy.model_copy(update={"branches": (alone,)})
    one = Sourced(value=1.0, source="test")
    warm = design.model_copy(
        update={
            "thermal": HeatExchange(heat_capacity=one, heat_transfer_coefficient=one),
            "temperature": Sourced(value=float(branch.temperature[0]), source="test"),
        }
    )
    cold = card.model_copy(update={"free_energy": energy})
    with pytest.raises(InputError, match=r"K alone .* add temperatures to the recipe's"):
        solve_discharge(cold, warm, 1.0, provenance=PROVENANCE, shells=15)
