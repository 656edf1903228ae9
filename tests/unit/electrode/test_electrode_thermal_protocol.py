"""Protocols of cells that warm: discharges, cycles, rests and the end of the materials' range."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest

from scalebridge.contracts import Contract, ElectrodeDesign, HeatExchange, MaterialCard, Sourced
from scalebridge.electrode import (
    CellModel,
    Protocol,
    ProtocolSolution,
    protocol_solution,
    solve_protocol,
    solve_thermal_cell,
    solve_thermal_protocol,
    to_dataset,
)
from scalebridge.foundation import ConvergenceError, InputError, ValidityError
from scalebridge.particle import consistent_start
from scalebridge.plotting import plot_protocol
from thermal_models import AMBIENT, ENTROPY, PROVENANCE, START, VOLTAGE, balance, cells

CYCLE = (
    "Discharge at 2C until 3.25 V; Rest for 10 minutes; Charge at 2C until 3.45 V; "
    "Hold at 3.45 V until C/20; Rest for 30 minutes"
)


def lead(build: Callable[[float], CellModel], text: str, **changes: Any) -> ProtocolSolution:
    exchange = {k: changes.pop(k) for k in list(changes) if k in vars(balance())}
    return solve_thermal_protocol(
        build, Protocol.parse(text), balance(**exchange), **({"temperature": START} | changes)
    )


def arrays(solution: ProtocolSolution) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Time, temperature, heat."""
    assert solution.temperature is not None
    assert solution.heat is not None
    return solution.whole.time, solution.temperature, solution.heat


def released(time: np.ndarray, heat: np.ndarray) -> float:
    """∫ q dt: each time has the mean heat of the slice that leads to it."""
    return float(np.sum(heat[1:] * np.diff(time)))


def test_one_step_is_the_discharge() -> None:
    """To what a slice of 0.1 K shifts: their ends differ with the output times."""
    build, step = cells(rate=0.5), 0.1
    protocol = lead(build, "Discharge at 1C for 40 minutes", heat_capacity=200.0, temperature_step=step)
    whole = protocol.whole
    exchange, times = balance(heat_capacity=200.0), np.linspace(0, 2400.0, 200)
    alone = solve_thermal_cell(build, 1.0, exchange, temperature=START, times=times, temperature_step=step)
    _, temperature, _ = arrays(protocol)
    assert np.ptp(temperature) > 1
    ours = np.interp(alone.cell.time, whole.time, temperature)
    assert ours == pytest.approx(alone.temperature, abs=2e-3)
    voltage = np.interp(alone.cell.time[3:], whole.time, whole.voltage)
    assert voltage == pytest.approx(alone.cell.voltage[3:], abs=6e-5)
    assert protocol.steps[0].ended_by == "time"


@pytest.mark.parametrize("full", [False, True])
def test_energy_is_conserved_over_a_cycle(full: bool) -> None:
    """∫ q dt = C ΔT + ∫ h (T − T_a) dt, and = −ΔH − ∫ I V dt.

    H of the ideal solution, from U = U₀ + s (T − T₀) − kT/e ln(θ/(1 − θ)): −(U₀ − s T₀) per charge, and
    mixing has none; graphite's U(θ) does not change with temperature.
    """
    build = cells(0.2 * ENTROPY, rate=2.0, full=full)
    solution = lead(build, CYCLE, heat_capacity=150.0, points=300)
    first = build(START)
    assert [step.ended_by for step in solution.steps] == ["voltage", "time", "voltage", "current", "time"]
    time, temperature, heat = arrays(solution)
    assert np.ptp(temperature) > 2
    total = released(time, heat)
    lost = 0.5 * float(np.trapezoid(temperature - AMBIENT, time))
    scale = released(time, np.abs(heat))
    assert total == pytest.approx(150.0 * (temperature[-1] - START) + lost, abs=2e-4 * scale)
    filled = (solution.whole.filling[-1] - solution.whole.filling[0]) * first.cathode.capacity_per_area
    enthalpy = -filled * (VOLTAGE - 0.2 * ENTROPY * START)
    if full:
        theta = np.linspace(*solution.whole.anode.filling[[0, -1]], 2000)
        enthalpy -= first.anode.capacity_per_area * np.trapezoid(
            first.anode.particle.equilibrium_voltage(theta), theta
        )
    delivered = sum(step.energy for step in solution.steps)
    assert total == pytest.approx(-enthalpy - delivered, abs=1e-3 * scale)


@pytest.mark.parametrize("full", [False, True])
def test_a_large_heat_capacity_is_the_isothermal_protocol(full: bool) -> None:
    build = cells(rate=2.0, full=full)
    text = CYCLE + "; Discharge at 10 W/m2 for 5 minutes"
    warm = lead(build, text, heat_capacity=1e12, relative_tolerance=1e-6, points=300)
    cold = solve_protocol(build(START), Protocol.parse(text), relative_tolerance=1e-6, points=300)
    assert arrays(warm)[1] == pytest.approx(START, abs=1e-6)
    for ours, theirs in zip(warm.steps, cold.steps, strict=True):
        assert ours.ended_by == theirs.ended_by
        begin, end = theirs.solution.time[[0, -1]]
        assert ours.solution.time[-1] == pytest.approx(end, abs=0.5)
        assert ours.capacity == pytest.approx(theirs.capacity, abs=2e-5)
        asked = begin + (end - begin) * np.linspace(0.02, 0.98, 30)
        values = [np.interp(asked, s.solution.time, s.solution.voltage) for s in (ours, theirs)]
        assert values[0] == pytest.approx(values[1], abs=5e-5)


def test_rest_cools_to_the_surroundings() -> None:
    """T − T_a falls as exp(−h t/C) exactly once nothing reacts, over whatever slices."""
    rate = 0.5 / 400.0
    idle = lead(cells(), "Rest for 1 hour; Rest for 10 minutes")
    time, temperature, heat = arrays(idle)
    assert heat == pytest.approx(0.0, abs=1e-6)
    assert temperature == pytest.approx(AMBIENT + (START - AMBIENT) * np.exp(-rate * time), abs=1e-8)
    used = lead(cells(0.0, rate=0.3), "Discharge at 2C for 10 minutes; Rest for 2 hours")
    discharge, rest = used.steps
    assert discharge.temperature[-1] > START + 1
    assert rest.temperature[0] == discharge.temperature[-1]
    late = rest.solution.time > rest.solution.time[0] + 1800
    above = rest.temperature[late] - AMBIENT
    since = rest.solution.time[late] - rest.solution.time[late][0]
    assert above == pytest.approx(above[0] * np.exp(-rate * since), rel=1e-5)


def test_second_order_in_the_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Warmth and voltage drive each other through all kinds of steps; the largest error at their ends."""
    text = (
        "Discharge at 2C until 60 %; Rest for 3 minutes; Charge at 1C for 10 minutes; "
        "Hold at 3.5 V for 5 minutes"
    )
    settings = {"heat_capacity": 150.0, "heat_transfer": 1.0, "relative_tolerance": 1e-7}
    monkeypatch.setattr("scalebridge.electrode.slices.SHORT_SLICE", 1.0)
    ends = []
    for share in (0.1, 0.05, 0.0125):
        monkeypatch.setattr("scalebridge.electrode.slices.LONGEST_SLICE", share)
        monkeypatch.setattr("scalebridge.electrode.slices.FIRST_SLICE", 40 * share)
        solution = lead(cells(0.0, rate=0.2), text, temperature_step=100.0, points=300, **settings)
        ends.append([step.temperature[-1] for step in solution.steps])
    errors = np.abs(np.array(ends[:2]) - ends[-1]).max(axis=1)
    assert np.ptp(ends[-1]) > 5
    assert errors[1] < 1e-2
    assert errors[0] / errors[1] > 3


def test_pulses_and_limits_in_the_middle_of_slices() -> None:
    """Charges passed and voltages reached are those asked for, whatever the slices."""
    solution = lead(
        cells(0.0, rate=0.3),
        "Repeat 2 times: Discharge at 1C until 15 %; Rest for 20 s\nCharge at 1C until 3.65 V",
    )
    assert [step.ended_by for step in solution.steps] == ["capacity", "time"] * 2 + ["voltage"]
    assert [step.capacity for step in solution.steps[::2][:2]] == pytest.approx([0.15] * 2, abs=1e-6)
    assert solution.steps[-1].solution.voltage[-1] == pytest.approx(3.65, abs=2e-4)
    time, temperature, heat = arrays(solution)
    assert time.shape == temperature.shape == heat.shape
    assert np.all(np.diff(time) >= 0)
    assert np.max(np.abs(np.diff(temperature))) < 0.5


def test_a_ramp_goes_on_over_the_slices(tmp_path: Any) -> None:
    """The current at every output is that of the straight line."""
    (tmp_path / "line.csv").write_text("time [s],c_rate [1]\n0,0\n300,3\n600,0\n")
    build = cells(0.0, rate=0.2)
    solution = solve_thermal_protocol(
        build,
        Protocol.parse("Follow line.csv linearly", folder=tmp_path),
        balance(heat_capacity=100.0),
        temperature=START,
    )
    time, temperature, _ = arrays(solution)
    assert np.ptp(temperature) > 2
    current = solution.whole.current / build(START).one_c_current
    assert current == pytest.approx(np.interp(time, [0, 300, 600], [0, 3, 0]), abs=1e-6)


def test_the_end_of_the_materials_range_ends_the_protocol() -> None:
    """The host is known up to 330 K: what was reached stays, and no step follows."""
    settings = {"heat_capacity": 20.0, "heat_transfer": 0.0}
    solution = lead(cells(0.0, rate=0.05), "Discharge at 3C for 10 minutes; Rest for 1 hour", **settings)
    assert len(solution.steps) == 1
    assert not solution.finished
    assert solution.whole.termination == "temperature range"
    assert solution.steps[0].ended_by.startswith("the cell left what its materials hold: temperature 33")
    assert arrays(solution)[1][-1] == pytest.approx(330, abs=0.25)
    assert solution.steps[0].capacity > 0.01
    with pytest.raises(ValidityError):
        lead(cells(), "Rest for 1 hour", temperature=400.0)


def test_a_step_that_cannot_begin_keeps_those_before(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def start(*arguments: Any, **settings: Any) -> Any:
        calls.append(1)
        if len(calls) > 1:
            raise ConvergenceError("no more")
        return consistent_start(*arguments, **settings)

    monkeypatch.setattr("scalebridge.electrode.steps.consistent_start", start)
    solution = lead(cells(), "Rest for 1 minute; Discharge at 1C for 1 minute; Rest for 1 minute")
    rest, discharge = solution.steps
    assert discharge.ended_by == "the solver stopped: no more"
    assert discharge.solution.time == pytest.approx([60.0])
    assert discharge.temperature == pytest.approx(rest.temperature[-1:])
    assert (discharge.capacity, discharge.energy) == (0.0, 0.0)
    assert not solution.finished
    with pytest.raises(ConvergenceError):
        lead(cells(), "Rest for 1 minute")


def test_bounds() -> None:
    with pytest.raises(InputError, match="temperature step 0 K"):
        lead(cells(), "Rest for 1 hour", temperature_step=0.0)
    with pytest.raises(InputError, match="2 output times"):
        lead(cells(), "Rest for 1 hour", points=2)


def test_of_a_card_and_a_design(synthetic_contracts: dict[str, Contract]) -> None:
    """Fields, dataset, figure and where the solution holds."""
    card = cast(MaterialCard, synthetic_contracts["card/material_card.json"])
    design = cast(ElectrodeDesign, synthetic_contracts["electrode/electrode_design.json"])
    exchange = HeatExchange(
        heat_capacity=Sourced(value=500.0, source="test"),
        heat_transfer_coefficient=Sourced(value=1.0, source="test"),
    )
    warm = design.model_copy(update={"thermal": exchange})
    steps = Protocol.parse("Discharge at 2C for 5 minutes; Rest for 10 minutes")
    solution, solved = protocol_solution(card, warm, steps, provenance=PROVENANCE, shells=30)
    temperature = solution.fields["temperature"].values
    assert solution.fields["heat_release"].values.shape == temperature.shape
    assert temperature == pytest.approx(arrays(solved)[1], rel=1e-8)
    assert temperature[0] == float(design.temperature)
    hottest = solution.fields["step_temperature"].values
    assert hottest.max() == pytest.approx(temperature.max(), rel=1e-8)
    assert solution.validity.temperature == pytest.approx((temperature.min(), temperature.max()))
    assert solution.status.endswith(f" … {temperature.max():.1f} K")
    assert "bernardi1985" in solution.citations
    found = to_dataset(solution)
    assert found["temperature"].dims == ("time",)
    assert found["step_temperature"].attrs["units"] == "K"
    figure = plot_protocol(solution, card.host)
    labels = [axes.get_ylabel() for axes in figure.axes]
    assert labels[2:] == ["temperature (K)", "heat (W/m²)"]
    assert figure.axes[2].lines[0].get_ydata() == pytest.approx(temperature)
    cold, _ = protocol_solution(card, design, steps, provenance=PROVENANCE, shells=30)
    assert "temperature" not in cold.fields
    assert len(plot_protocol(cold, card.host).axes) == 2
