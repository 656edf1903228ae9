"""Protocols: their sentences, and cells that are led through them."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from particle_models import cell, particle
from scalebridge.contracts import Contract, ElectrodeDesign, MaterialCard, Provenance, Solution
from scalebridge.electrode import (
    CellModel,
    Layer,
    Limit,
    Population,
    Protocol,
    ProtocolSolution,
    Step,
    parse_step,
    protocol_solution,
    read_profile,
    solve_protocol,
)
from scalebridge.foundation import FormatError, InputError

SENTENCES = {
    "Discharge at C/5 until 2.0 V": ("c-rate", 0.2, None, [("voltage", 2.0)]),
    "Discharge at 0.5 C for 10 hours or until 2.0V": ("c-rate", 0.5, 36000, [("voltage", 2.0)]),
    "Charge at 1C until 4.0 V": ("c-rate", -1.0, None, [("voltage", 4.0)]),
    "charge at 2 mA/cm2 for 30 minutes": ("current", -20.0, 1800, []),
    "Hold at 4.0 V until C/50": ("voltage", 4.0, None, [("c-rate", 0.02)]),
    "Hold at 4100 mV for 1 hour or until 0.5 A/m2": ("voltage", 4.1, 3600, [("current", 0.5)]),
    "Rest for 1 hour": ("current", 0.0, 3600, []),
    "Rest for 90 s.": ("current", 0.0, 90, []),
    "Discharge at 25 W/m2 until 20 % or 2.5 V": ("power", 25.0, None, [("capacity", 0.2), ("voltage", 2.5)]),
    "Charge at C/3 for a day": None,
}
REFUSED = {
    "Dischrage at 1C": "did you mean 'Discharge'",
    "Rest": "for how long",
    "Hold at C/5": "must be a voltage",
    "Discharge at 2 V": "must be a C-rate, a current or a power",
    "Discharge at 0 C": "positive",
    "Charge": "does not say at what",
    "Discharge at 1C for ages": "is no time",
    "Charge at C/3 for a day": "is no time",
    "Discharge at 1C until 3 bar": "is no quantity",
    "Discharge at 1C until 3 W/m2": "cannot end a step",
    "Hold at 4 V until 4.1 V": "let it end on a current",
    "Rest for 0 s": "must be positive",
    "": "no step",
}


def solid_solution(**changes: object) -> CellModel:
    model = particle(1.0, shells=10, gradient_energy=0.0, diffusivity=1e-13)
    return cell(
        model,
        separator=Layer(thickness=25e-6, porosity=0.7, bruggeman_exponent=1.5, volumes=3),
        layer=Layer(thickness=70e-6, porosity=0.4, bruggeman_exponent=1.5, volumes=4),
        **({"initial_theta": 0.2} | changes),
    )


def run(text: str, model: CellModel | None = None, **options: float) -> ProtocolSolution:
    return solve_protocol(solid_solution() if model is None else model, Protocol.parse(text), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("sentence", [s for s, expected in SENTENCES.items() if expected])
def test_sentences(sentence: str) -> None:
    control, value, duration, limits = SENTENCES[sentence]  # type: ignore[misc]
    step = parse_step(sentence)
    assert step.control == control
    assert step.value == pytest.approx(value, rel=1e-12)
    assert step.duration == (48 * 3600 if duration is None else duration)
    assert [(limit.quantity, pytest.approx(limit.value)) for limit in step.until] == limits


@pytest.mark.parametrize("sentence", REFUSED)
def test_sentences_that_cannot_be_read_say_why(sentence: str) -> None:
    with pytest.raises(InputError, match=REFUSED[sentence]):
        Protocol.parse(sentence)


def test_blocks_repeat() -> None:
    text = """
    # formation
    Charge at C/10 until 4 V     # slowly
    Repeat 3 times:
        Discharge at 1C until 3 V
        Repeat 2 times:
            Rest for 1 minute
    Rest for 1 hour
    """
    verbs = [step.text.split()[0] for step in Protocol.parse(text).steps]
    assert verbs == ["Charge", *["Discharge", "Rest", "Rest"] * 3, "Rest"]
    pulses = Protocol.parse("Repeat 2 times: Discharge at C/2 for 5 minutes; Rest for 1 hour")
    assert [step.duration for step in pulses.steps] == [300, 3600, 300, 3600]


def test_constant_current_then_constant_voltage() -> None:
    """Each step ends where it says; what flows is what is stored; the hold holds."""
    solution = run("Charge at 1C until 3.55 V; Hold at 3.55 V until C/40; Rest for 1 minute")
    first, hold, rest = solution.steps
    model = solid_solution()
    assert [step.ended_by for step in solution.steps] == ["voltage", "current", "time"]
    assert first.solution.voltage[-1] == pytest.approx(3.55, abs=1e-5)
    assert hold.solution.voltage == pytest.approx(3.55, abs=1e-9)
    assert hold.solution.current[-1] == pytest.approx(-model.one_c_current / 40, rel=1e-4)
    assert np.all(np.diff(hold.solution.current) > -1e-9)
    assert rest.solution.current == pytest.approx(0.0, abs=1e-12)
    for step in solution.steps:
        time, current = step.solution.time, step.solution.current
        stored = np.trapezoid(current, time) / model.cathode.capacity_per_area
        assert step.capacity == pytest.approx(stored, rel=2e-3, abs=1e-10)
    assert solution.finished
    assert np.all(np.diff(solution.whole.time) >= 0)


def test_constant_power() -> None:
    solution = run("Discharge at 40 W/m2 until 3.35 V").steps[0].solution
    assert solution.voltage * solution.current == pytest.approx(40.0, rel=1e-6)
    assert solution.voltage[-1] == pytest.approx(3.35, abs=1e-5)
    assert np.ptp(solution.current) > 0.05


def test_pulses_relax_to_the_equilibrium_voltage() -> None:
    """Galvanostatic intermittent titration: after each rest −μ/e of the filling."""
    model = solid_solution()
    solution = run("Repeat 4 times: Discharge at C/2 until 15 %; Rest for 3 hours")
    for pulse, rest in zip(solution.steps[::2], solution.steps[1::2], strict=True):
        assert pulse.ended_by == "capacity"
        assert pulse.capacity == pytest.approx(0.15, abs=1e-6)
        equilibrium = model.particle.equilibrium_voltage(rest.solution.filling[-1:])[0]
        assert rest.solution.voltage[-1] == pytest.approx(equilibrium, abs=2e-5)
        assert pulse.solution.voltage[-1] < equilibrium - 1e-3


def test_a_cycle_returns_what_it_took_and_loses_energy() -> None:
    solution = run(
        "Charge at 1C until 3.55 V; Hold at 3.55 V until C/100; Repeat 2 times: Discharge at 1C until 3.3 V; "
        "Hold at 3.3 V until C/100; Charge at 1C until 3.55 V; Hold at 3.55 V until C/100"
    )
    last = solution.steps[6:]
    discharged, charged = (sum(sign * s.capacity for s in last if sign * s.capacity > 0) for sign in (1, -1))
    assert discharged == pytest.approx(charged, rel=1e-4)
    energy = sum(step.energy for step in last)
    assert energy < -100
    assert solution.energy_efficiency < solution.coulombic_efficiency < 1.0


def test_separating_particles_of_many_sizes_cycle() -> None:
    """Hysteresis: charged above the voltage at which they were discharged, at no current to speak of."""
    population = Population.lognormal(60e-9, 10e-9, shape="sphere", volumes=4, particles=2)
    model = cell(
        particle(size=60e-9, shells=50),
        separator=Layer(thickness=25e-6, porosity=0.7, bruggeman_exponent=1.5, volumes=2),
        layer=Layer(thickness=70e-6, porosity=0.4, bruggeman_exponent=1.5, volumes=4),
        population=population,
    )
    solution = run("Discharge at C/5 until 3.2 V; Charge at C/5 until 3.7 V", model)
    down, up = (step.solution for step in solution.steps)
    assert solution.finished
    middle = [
        np.interp(0.5, s.filling[:: 1 if s is down else -1], s.voltage[:: 1 if s is down else -1])
        for s in (down, up)
    ]
    assert middle[1] - middle[0] > 0.03
    assert np.all((solution.whole.theta > 0) & (solution.whole.theta < 1))


def test_a_limit_that_is_exceeded_ends_the_step_at_once() -> None:
    solution = run("Discharge at 1C until 3.9 V; Rest for 1 s")
    assert solution.steps[0].ended_by == "voltage"
    assert solution.steps[0].capacity == 0.0
    assert solution.steps[1].ended_by == "time"


def test_full_and_empty_electrodes_end_steps() -> None:
    solution = run("Discharge at C/10 for 20 hours; Charge at C/10 for 20 hours")
    assert [step.ended_by for step in solution.steps] == ["full electrode", "empty electrode"]
    assert solution.whole.filling.max() == pytest.approx(0.999, abs=1e-6)


@pytest.mark.parametrize("after", ["Rest for 10 minutes", "Charge at C/5 for 10 minutes"])
def test_a_step_begins_beside_surfaces_that_are_full_to_rounding(after: str) -> None:
    """1 − θ is far below what its log-odds can be told from to 1e-8 kT."""
    model = cell(
        particle(4.5, size=60e-9, shells=40),
        separator=Layer(thickness=25e-6, porosity=0.7, bruggeman_exponent=1.5, volumes=3),
        layer=Layer(thickness=70e-6, porosity=0.4, bruggeman_exponent=1.5, volumes=4),
    )
    solved = run(f"Discharge at 1C until 2.4 V; {after}", model)
    assert 1 - solved.steps[0].solution.theta[-1].max() < 1e-11
    assert [step.ended_by for step in solved.steps] == ["voltage", "time"]
    ions = [step.solution.filling[k] for step, k in zip(solved.steps, (-1, 0), strict=True)]
    assert ions[1] == pytest.approx(ions[0], abs=1e-12)


def test_a_profile_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "drive.csv"
    path.write_text("time [s],c_rate [1]\n0,1\n600,-0.5\n900,0\n1000,0\n")
    assert read_profile(path)[1] == Step("c-rate", -0.5, 300.0, text="drive.csv from 600 s", points=100)
    (tmp_path / "protocol.txt").write_text("Follow drive.csv\nRest for 1 minute\n")
    followed = solve_protocol(solid_solution(), Protocol.load(tmp_path / "protocol.txt"))
    said = run(
        "Discharge at 1C for 10 minutes; Charge at C/2 for 5 minutes; Rest for 100 s; Rest for 1 minute"
    )
    assert followed.whole.voltage == pytest.approx(said.whole.voltage, abs=1e-12)
    assert followed.whole.time[-1] == pytest.approx(1060.0)
    assert followed.whole.filling[-1] - 0.2 == pytest.approx(600 / 3600 - 150 / 3600, abs=1e-9)


DRIVE = np.array(
    [[0.0, 0.5], [40.0, 2.0], [55.0, -1.5], [90.0, 0.0], [120.0, 0.0], [121.0, 3.0], [160.0, 1.0]]
)


def held(rows: np.ndarray, times: np.ndarray) -> np.ndarray:
    """∫ of what each row holds until the next, from the first row to ``times``."""
    whole = np.concatenate([[0.0], np.cumsum(rows[:-1, 1] * np.diff(rows[:, 0]))])
    return np.interp(times, rows[:, 0], whole)


def joined(rows: np.ndarray, times: np.ndarray) -> np.ndarray:
    """∫ of the straight lines between rows, by the antiderivative of each piece."""
    found = []
    for time in times:
        total = 0.0
        for (start, value), (end, following) in pairwise(rows):
            inside = min(max(time - start, 0.0), end - start)
            total += value * inside + 0.5 * (following - value) / (end - start) * inside**2
        found.append(total)
    return np.array(found)


@pytest.mark.parametrize("unit", ["c_rate [1]", "current [A.m-2]"])
@pytest.mark.parametrize("way", ["", " linearly"])
def test_the_charge_passed_is_the_integral_of_the_profile(way: str, unit: str, tmp_path: Path) -> None:
    """At every output time, and the current at every row is the row's own.

    To rounding where the current is constant in pieces, to the integrator's tolerance where it is linear.
    """
    model = solid_solution()
    scale = 1.0 if unit.startswith("c_rate") else model.one_c_current
    lines = "".join(f"{t:.17g},{scale * i:.17g}\n" for t, i in DRIVE)
    (tmp_path / "drive.csv").write_text(f"time [s],{unit}\n{lines}")
    protocol = Protocol.parse(f"Follow drive.csv{way}", folder=tmp_path)
    errors = []
    for tolerance in (1e-5, 1e-8):
        solved = solve_protocol(model, protocol, points=20, relative_tolerance=tolerance)
        whole = solved.whole
        charge = (joined if way else held)(DRIVE, whole.time) / 3600
        errors.append(float(np.max(np.abs(whole.filling - whole.filling[0] - charge))))
    assert errors[0] < (2e-5 if way else 1e-12)
    assert errors[1] < (2e-7 if way else 1e-12)
    for time in DRIVE[:, 0]:
        assert np.min(np.abs(whole.time - time)) < 1e-9
    current = whole.current / model.one_c_current
    if way:
        assert current == pytest.approx(np.interp(whole.time, DRIVE[:, 0], DRIVE[:, 1]), abs=1e-9)
    else:
        pieces = [step.solution.current / model.one_c_current for step in solved.steps]
        for piece, value in zip(pieces, DRIVE[:-1, 1], strict=True):
            assert piece == pytest.approx(np.full(piece.size, value), abs=1e-9)


def test_many_short_pieces_tend_to_the_straight_line(tmp_path: Path) -> None:
    """Second order: pieces that hold the middle of a ramp, 4 and 8 of them."""
    line = "time [s],c_rate [1]\n0,0\n600,2\n"
    (tmp_path / "line.csv").write_text(line)
    exact = solve_protocol(
        solid_solution(), Protocol.parse("Follow line.csv linearly", folder=tmp_path), relative_tolerance=1e-7
    )
    errors = []
    for count in (4, 8):
        edges = np.linspace(0, 600, count + 1)
        middles = np.append((edges[:-1] + edges[1:]) / 600, 0.0)
        rows = "".join(f"{t},{i}\n" for t, i in zip(edges, middles, strict=True))
        (tmp_path / "steps.csv").write_text(f"time [s],c_rate [1]\n{rows}")
        pieces = solve_protocol(
            solid_solution(), Protocol.parse("Follow steps.csv", folder=tmp_path), relative_tolerance=1e-7
        )
        theta = pieces.whole.theta[-1] - exact.whole.theta[-1]
        errors.append(float(np.max(np.abs(theta))))
    assert errors[0] / errors[1] > 1.8


def test_a_ramp_keeps_its_sign() -> None:
    with pytest.raises(InputError, match="part it where it changes"):
        Step("c-rate", 1.0, 100.0, slope=-0.02)
    with pytest.raises(InputError, match="must be a C-rate or a current"):
        Step("voltage", 3.4, 100.0, slope=-1e-3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("time [s],c_rate [1]\n0,1\n1,nan\n", "not finite"),
        ("t,i\n0,1\n", "header 't,i' must be"),
        ("time [s],c_rate [1]\n0,x\n", "write two numbers"),
        ("time [s],c_rate [1]\n0,1\n0,2\n", "times rising"),
    ],
)
def test_bad_profiles(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(content)
    with pytest.raises(FormatError, match=message):
        read_profile(path)
    with pytest.raises(InputError, match="no such file"):
        Protocol.load(tmp_path / "none.txt")


def test_too_few_points() -> None:
    with pytest.raises(InputError, match="2 output times"):
        run("Rest for 1 hour", points=2)
    assert Limit("voltage", 3.0) == Limit("voltage", 3.0)


def test_protocol_of_a_card(synthetic_contracts: dict[str, Contract], tmp_path: Path) -> None:
    card = synthetic_contracts["card/material_card.json"]
    design = synthetic_contracts["electrode/electrode_design.json"]
    assert isinstance(card, MaterialCard)
    assert isinstance(design, ElectrodeDesign)
    protocol = Protocol.parse("Discharge at 2C for 10 minutes; Rest for 10 minutes")
    provenance = Provenance(code_version="test", recipe_hash="test")
    solution, solved = protocol_solution(card, design, protocol, provenance=provenance, shells=15)
    loaded = Solution.load(solution.save(tmp_path / "protocol.json"))
    assert loaded.status == "Discharge at 2C for 10 minutes: time; Rest for 10 minutes: time"
    assert loaded.fields["step"].values.max() == 1
    capacity = loaded.fields["step_capacity"].values
    assert capacity[0] == pytest.approx(card.host.theoretical_capacity / 3, rel=1e-5)
    assert loaded.fields["capacity"].values[-1] == pytest.approx(capacity.sum(), rel=1e-6)
    assert solved.finished
