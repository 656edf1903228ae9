"""Electrodes of particles whose phases have a rate of their own."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from particle_models import KT, branched, cell, particle
from scalebridge.contracts import (
    ActiveParticles,
    Contract,
    CounterElectrode,
    ElectrodeDesign,
    MaterialCard,
    Provenance,
)
from scalebridge.electrode import (
    CellModel,
    HeatBalance,
    Layer,
    Population,
    Protocol,
    electrode_impedance,
    solve_cell,
    solve_discharge,
    solve_protocol,
    solve_thermal_cell,
    to_bpx,
)
from scalebridge.foundation import InputError
from scalebridge.materials import load_design

PAIR = branched((1.0, 0.5, 0.0), ((0.8, -0.3), 0.0, 2.5))
TWINS = branched((-1.0, 0.0, 0.0), (-1.0, 2.0, -4.0))
"""Solid solutions that cross at half filling."""
LAYERS = {
    "separator": Layer(thickness=25e-6, porosity=0.7, bruggeman_exponent=1.5, volumes=2),
    "layer": Layer(thickness=50e-6, porosity=0.4, bruggeman_exponent=1.5, volumes=3),
}


def electrode(
    energy: Any = PAIR, time: float | None = 30.0, barrier: float = 0.0, **changes: Any
) -> CellModel:
    order = {} if time is None else {"phase_relaxation_time": time, "phase_barrier": barrier * KT}
    kind = changes.pop("kind", {"shells": 20, "size": 30e-9})
    return cell(particle(energy, **(kind | order)), **(LAYERS | changes))


@pytest.mark.parametrize(
    "kind",
    [
        {"shells": 20, "size": 30e-9},
        {"kind": "homogeneous", "shells": None, "size": 30e-9},
        {"kind": "allen-cahn", "shape": "plate", "shells": 16, "size": 5e-9, "length": 30e-9},
    ],
)
def test_discharge_conserves_ions_and_tends_to_the_envelope(kind: dict[str, Any]) -> None:
    """Of the fields; and the voltages differ from the envelope's by the first power of τ."""
    population = Population.listed(kind["size"] * np.array([0.8, 1.0]), None, volumes=3)
    times = np.linspace(0.0, 1500.0, 21)
    made = [
        solve_cell(
            electrode(time=time, kind=kind, population=population), 2.0, times=times, relative_tolerance=1e-7
        )
        for time in (None, 4.0, 2.0, 1e-6)
    ]
    for found in made:
        assert found.filling - found.filling[0] == pytest.approx(2.0 / 3600 * times, abs=1e-10)
    assert made[0].phase_fractions is None
    phases = made[1].phase_fractions
    assert phases is not None
    assert phases.shape == (*made[1].theta.shape, 2)
    assert phases.sum(axis=-1) == pytest.approx(1.0, abs=1e-12)
    slow, fast, limit = (np.max(np.abs(found.voltage - made[0].voltage)[2:]) for found in made[1:])
    assert limit < 1e-5
    assert slow > 5e-5
    assert slow / fast == pytest.approx(2.0, rel=0.25)


def test_slow_phases_stay_as_they_are() -> None:
    """τ far beyond the discharge: the electrode behaves as one of the branch that was mixed at the start."""
    alone = branched((1.0, 0.0, 0.0))
    pure = branched((1.0, 0.0, 0.0), (1.0, 30.0, 0.0))
    slow = solve_cell(electrode(pure, 1e9), 1.0)
    one = solve_cell(electrode(alone, None), 1.0)
    assert slow.termination == one.termination
    assert np.interp(one.time, slow.time, slow.voltage)[5:-5] == pytest.approx(one.voltage[5:-5], abs=2e-5)


@pytest.mark.parametrize(("barrier", "loops"), [(0.0, False), (4.0, True)])
def test_wells_make_a_slow_cycle_lose_energy(barrier: float, loops: bool) -> None:
    """The voltage at half filling, going out and coming back, at C/100."""
    model = electrode(TWINS, 1.0, barrier, kind={"kind": "homogeneous", "shells": None, "size": 30e-9})
    solution = solve_protocol(
        replace(model, cutoff_voltage=-np.inf),
        Protocol.parse("Discharge at C/100 for 98 hours; Charge at C/100 for 97 hours"),
    )
    assert solution.finished
    out, back = (step.solution for step in solution.steps)
    middle = np.linspace(0.35, 0.65, 7)
    lost = np.interp(middle, out.filling, out.voltage) - np.interp(
        middle, back.filling[::-1], back.voltage[::-1]
    )
    width = np.max(np.abs(lost)) / model.particle.thermal_voltage
    assert width > 1.0 if loops else width < 0.1
    assert solution.whole.phase_fractions is not None
    assert len(solution.whole.phase_fractions) == solution.whole.time.size


def test_impedance_of_phases_lies_between_that_of_one_and_of_the_envelope() -> None:
    """Below 1/τ phases follow, above they do not: the low-frequency limit is the envelope's capacitance."""
    model = electrode(kind={"kind": "homogeneous", "shells": None, "size": 30e-9}, time=1.0)
    slow = np.array([1e-8])
    followed, fixed = (
        electrode_impedance(m, 0.4, slow)
        for m in (model, electrode(kind={"kind": "homogeneous", "shells": None, "size": 30e-9}, time=None))
    )
    assert followed.values[0].imag == pytest.approx(fixed.values[0].imag, rel=1e-4)
    stiff = electrode(kind={"kind": "homogeneous", "shells": None, "size": 30e-9}, time=1e12)
    held = electrode_impedance(stiff, 0.4, slow)
    assert abs(held.values[0].imag) > 1.05 * abs(followed.values[0].imag)
    with pytest.raises(InputError, match=r"phase barrier .* leave phase_barrier out"):
        electrode_impedance(electrode(barrier=1.0), 0.4)


def warm_cells(time: float | None) -> Any:
    """Return the function temperature → cell of two phases whose order changes with temperature."""
    grid = np.array([280.0, 298.0, 340.0])
    energy = PAIR.model_copy(
        update={
            "branches": tuple(
                branch.model_copy(
                    update={
                        "temperature": grid,
                        "offset": branch.offset + number * 2 * KT * (grid - 298.0)[None] / 298.0,
                        "slope": np.repeat(branch.slope, 3, axis=1),
                        "interaction": np.repeat(branch.interaction, 3, axis=1),
                    }
                )
                for number, branch in enumerate(PAIR.branches)
            )
        }
    )
    kind = {"kind": "homogeneous", "shells": None, "size": 30e-9}
    return lambda warmth: electrode(energy, time, kind=kind | {"temperature": warmth}, initial_theta=0.1)


def test_heat_of_fast_phases_is_that_of_the_envelope() -> None:
    """Their energy, entropy of mixing included, enters the balance; phases that lag release other heat.

    So large a heat capacity keeps the temperature: the phases' own, which slices leave to ``heat_capacity``
    for the envelope, adds nothing.
    """
    balance = HeatBalance(heat_capacity=4e6, heat_transfer=0.0, ambient_temperature=298.0)
    plain, fast, slow = (
        4e6 * (solve_thermal_cell(warm_cells(time), 1.0, balance, temperature=298.0).temperature - 298.0)
        for time in (None, 1e-3, 1e6)
    )
    assert np.ptp(plain) > 500.0
    assert fast[-1] == pytest.approx(plain[-1], abs=1e-4 * np.ptp(plain))
    assert fast.min() == pytest.approx(plain.min(), abs=1e-3 * np.ptp(plain))
    assert slow[-1] > plain[-1] + 0.2 * np.ptp(plain)


def test_exports_refuse_phases() -> None:
    with pytest.raises(InputError, match="phases with a rate of their own; leave phase_relaxation_time out"):
        to_bpx(electrode(), title="x")


def test_design_to_model(synthetic_contracts: dict[str, Contract]) -> None:
    card = synthetic_contracts["card/material_card.json"]
    design = synthetic_contracts["electrode/electrode_design.json"]
    assert isinstance(card, MaterialCard)
    assert isinstance(design, ElectrodeDesign)
    sourced = {"value": 2.5, "source": "assumed"}
    own = design.particles.model_dump(mode="json", by_alias=True)
    given = own | {"phase_relaxation_time [s]": sourced, "phase_barrier [J]": sourced | {"value": 3 * KT}}
    changed = design.model_copy(update={"particles": ActiveParticles.model_validate(given)})
    with pytest.raises(InputError, match=r"phase relaxation time 2\.5 s of a free energy with one branch"):
        CellModel.from_card(card, changed)
    first = card.free_energy.branches[0]
    second = first.model_copy(update={"name": "second", "offset": first.offset + KT})
    energy = card.free_energy.model_copy(update={"branches": (first, second)})
    card = card.model_copy(update={"free_energy": energy})
    order = CellModel.from_card(card, changed).particle.order
    assert order is not None
    assert order.relaxation_time == 2.5
    assert order.scaled_barrier == pytest.approx(3 * KT / order.thermal_energy)
    assert order.difference(np.array([0.0, 0.3, 1.0]))[:, 0] == pytest.approx(KT / order.thermal_energy)
    provenance = Provenance(code_version="test", recipe_hash="test")
    stored = solve_discharge(card, changed, 1.0, provenance=provenance, map_times=4)
    assert stored.finished
    assert "hofbauer1998" in stored.citations
    # branches that differ by a constant: their fractions stay at rest, in the lower well
    shares = stored.fields["phase_fraction"].values
    assert shares.shape == (4, *stored.fields["theta"].values.shape[1:2], 2)
    odds = float(order.equilibrium(np.array(0.5))[0])
    assert odds < -3.0
    assert shares[..., 1] == pytest.approx(1 / (1 + np.exp(-odds)), abs=1e-4)
    with pytest.raises(ValidationError, match="without a phase_relaxation_time"):
        ActiveParticles.model_validate(own | {"phase_barrier [J]": sourced})


def test_the_measured_counter_electrode_has_no_phases() -> None:
    design = load_design("lfp-full", Provenance(code_version="test", recipe_hash="test"))
    assert design.anode is not None
    content = design.anode.model_dump(mode="json", by_alias=True)
    content["particles"]["phase_relaxation_time [s]"] = {"value": 1.0, "source": "assumed"}
    with pytest.raises(ValidationError, match="measured material, which has one branch"):
        CounterElectrode.model_validate_json(json.dumps(content))
