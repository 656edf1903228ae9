"""Rounding, units and warnings of the report."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic_run import fail

from particle_models import LAW, cell, particle
from scalebridge.contracts import CompositionErrors, Contract, InterfaceSample, Validity
from scalebridge.electrode import CellModel, limiting_process, time_scales
from scalebridge.foundation import constants
from scalebridge.plotting import rate_name
from scalebridge.report import headline_table
from scalebridge.report.electrode_tables import design_table, limits_table
from scalebridge.report.figures import build_images
from scalebridge.report.numbers import duration, formula, member_value, scientific, with_error
from scalebridge.report.run_folder import RunContents
from scalebridge.report.tables import diffusivity_table, error_by_x_table, error_table
from scalebridge.report.warnings import collect_remarks, collect_warnings


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (3.44123, 0.0213, "3.441 ± 0.021"),
        (161.62, 2.64, "161.6 ± 2.6"),
        (1234.5, 123.0, "1234 ± 123"),
        (5.0, 0.0, "5 ± 0"),
        (0.1 + 0.2, 5e-17, "0.3 ± 0"),
        (0.0, 0.05, "0.000 ± 0.050"),
    ],
)
def test_values_are_rounded_to_their_errors(value: float, error: float, text: str) -> None:
    assert with_error(value, error) == text


def test_spread_is_the_sample_standard_deviation_of_all_members() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0])
    assert member_value(values) == f"1.0 ± {np.sqrt(5 / 3):.1f}"


@pytest.mark.parametrize(
    ("value", "text"),
    [(2.14e-13, "2.1 × 10⁻¹³"), (9.99e-13, "1.0 × 10⁻¹²"), (0.0, "0"), (-3e4, "-3.0 × 10⁴")],
)
def test_powers_of_ten(value: float, text: str) -> None:
    assert scientific(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(12.0, "12 s"), (900.0, "15 min"), (9000.0, "2.5 h"), (4e5, "4.63 d")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [("Na_x Mn[Fe(CN)6]", "NaₓMn[Fe(CN)₆]"), ("Li_x FePO4", "LiₓFePO₄"), ("toy 2 <host>", "toy 2 <host>")],
)
def test_formulas_have_subscripts(text: str, shown: str) -> None:
    assert formula(text) == shown


def test_headline_is_in_milliampere_hours_per_gram(synthetic_contracts: dict[str, Any]) -> None:
    rates = synthetic_contracts["electrode/rate_capability.json"]
    table = headline_table(rates, synthetic_contracts["host/host.json"])
    assert [row[0] for row in table.rows] == ["C/10", "C/2", "1C", "2C", "5C"]
    first = float(table.rows[0][1].split(" ± ")[0])
    assert first == pytest.approx(rates.capacity[0, 0] / 3600, abs=0.05)
    assert table.rows[0][5] == "5× voltage cutoff"


def test_a_capacity_that_the_protocol_sets_is_a_bound(synthetic_contracts: dict[str, Any]) -> None:
    rates = synthetic_contracts["electrode/rate_capability.json"]
    count = len(rates.c_rate)
    ends = tuple(("final filling",) + ("voltage cutoff",) * (count - 1) for _ in rates.terminations)
    table = headline_table(rates.model_copy(update={"terminations": ends}))
    assert table.rows[0][1] == f"≥ {rates.capacity[0, 0] / 3600:.4g}"
    assert "±" in table.rows[1][1]
    assert table.caption.endswith("reached the design's final filling, which sets this capacity.")
    assert "≥" not in headline_table(rates).caption


def test_headline_leaves_out_members_whose_solver_failed(synthetic_contracts: dict[str, Any]) -> None:
    rates = synthetic_contracts["electrode/rate_capability.json"]
    table = headline_table(fail(rates, (3, 1.0), (4, 1.0), (0, 2.0)), synthetic_contracts["host/host.json"])
    known = rates.capacity[:3, 2] / 3600
    assert table.rows[2][1] == with_error(known[0], np.sqrt(np.sum((known - known.mean()) ** 2) / 2))
    assert table.rows[2][3] == member_value(rates.mean_voltage[:3, 2])
    assert table.rows[2][4] == member_value(rates.energy[:3, 2] / 3600)
    assert table.rows[2][5] == "3× voltage cutoff, 2× solver failure"
    assert table.rows[3][1:5] == ("–",) * 4
    assert table.rows[0] == headline_table(rates, synthetic_contracts["host/host.json"]).rows[0]
    assert table.caption.endswith("left out, the solver failed: 2 of 5 members at 1C; 1 of 5 members at 2C.")
    assert "left out" not in headline_table(rates).caption


def test_a_member_alone_has_no_spread(synthetic_contracts: dict[str, Any]) -> None:
    rates = synthetic_contracts["electrode/rate_capability.json"]
    table = headline_table(fail(rates, (1, 1.0), (2, 1.0), (3, 1.0), (4, 1.0)))
    assert table.rows[2][1] == f"{rates.capacity[0, 2] / 3600:.4g}"


def cells(count: int = 5, **changes: Any) -> list[CellModel]:
    """Members whose particles diffuse ever faster: R²/15D from 1.33 min at half filling."""
    return [
        cell(particle(1.0, shells=10, gradient_energy=0.0, diffusivity=1e-17 * (k + 1), **changes))
        for k in range(count)
    ]


def test_range_of_time_scales_leaves_out_members_that_never_finished(
    synthetic_contracts: dict[str, Any],
) -> None:
    """R²/15D = (100 nm)²/(15 · ½ · D₀): 133, 66.7, 44.4, 33.3 and 26.7 s; member 4 never finished."""
    rates = synthetic_contracts["electrode/rate_capability.json"]
    never = [(4, rate) for rate in rates.c_rate]
    table, sentence = limits_table(fail(rates, *never, *((1, rate) for rate in rates.c_rate[1:])), cells())
    assert table.rows[0][1:3] == ("2.22 min", "33.3 s – 2.22 min")
    assert "The range leaves out 1 of 5 members: their solver failed at every rate." in table.caption
    assert table.rows[-1][-1].endswith("of 4")
    assert sentence == limits_table(rates, cells())[1]
    assert limits_table(rates, cells())[0].rows[0][2] == "26.7 s – 2.22 min"
    assert "leaves out" not in limits_table(rates, cells())[0].caption
    nobody = fail(rates, *((member, rate) for member in range(5) for rate in rates.c_rate))
    assert limits_table(nobody, cells())[0].rows[0][2] == "–"


def test_factor_errors_follow_from_the_covariance(synthetic_contracts: dict[str, Any]) -> None:
    """var(ln D) at 300 K = var(ln D0) − 2 cov + var(E/k300) = 0.3 − 0.5 + 0.6 = 0.4; exp(√0.4) = 1.88."""
    table = diffusivity_table(synthetic_contracts["transport/tracer_diffusivity.json"], None)
    assert table.rows[0][4].endswith("×/÷ 1.9")
    assert table.rows[0][5].startswith("0.320 ± 0.020")


def test_every_sourced_number_of_the_design_is_listed_with_its_source(
    synthetic_contracts: dict[str, Any],
) -> None:
    rows = {row[0]: row for row in design_table(synthetic_contracts["electrode/electrode_design.json"]).rows}
    assert rows["cathode: thickness"] == ("cathode: thickness", "6e-05", "m", "made up for tests")
    assert rows["rate law: rate constant"][2:] == ("A.m-2", "made up for tests")
    assert rows["separator: bruggeman exponent"][3] == "Bruggeman 1935"
    assert rows["initial theta"][2] == "–"


def test_the_report_names_what_limits_at_each_rate(synthetic_contracts: dict[str, Any]) -> None:
    """A rate constant so low that the reaction takes most of every discharge, and one that takes nothing."""
    rates = synthetic_contracts["electrode/rate_capability.json"]
    slow = cells(rate_law=LAW.model_copy(update={"rate_constant": 1e-4}))
    table, sentence = limits_table(rates, slow)
    ratios = dict(zip((row[0].split(",")[0] for row in table.rows), table.rows, strict=True))
    count = rates.c_rate.size
    assert ratios["what limits"][3:] == ("reaction",) * count
    assert ratios["members that agree"][3:] == ("5 of 5",) * count
    names = ", ".join(rate_name(rate) for rate in rates.c_rate)
    assert sentence.startswith(f"In member 0, at {names} the reaction limits. The slowest process, reaction,")
    time = time_scales(slow[0])["reaction"]
    assert [float(text) for text in ratios["reaction"][3:]] == pytest.approx(
        rates.c_rate * time / 3600, rel=0.05
    )
    # what the table says agrees with the function, cell by cell and rate by rate
    quick = cells(1, rate_law=LAW.model_copy(update={"rate_constant": 1e4}))
    one = rates.model_copy(update={"capacity": rates.capacity[:1], "terminations": rates.terminations[:1]})
    table, sentence = limits_table(one, quick)
    expected = tuple(limiting_process(quick[0], rate).process for rate in rates.c_rate)
    assert table.rows[-1] == ("what limits", "", "", *expected)
    assert len(set(expected)) > 1
    assert "nothing limits" in sentence
    assert "ionic conduction limits" in sentence


def contents(contracts: dict[str, Contract]) -> RunContents:
    return RunContents(
        path=Path("run"), contracts=contracts, manifests={}, recipe_text="", recipe={}, problems=()
    )


def test_errors_on_what_walkers_found_have_rows_of_their_own(synthetic_contracts: dict[str, Any]) -> None:
    card = synthetic_contracts["potential/potential_card.json"]
    plain = error_table(card)
    assert {row[1] for row in plain.rows} == {"first structures"}
    assert "found by walkers" not in plain.caption
    worse = card.errors[0].model_copy(update={"energy_rmse": 0.0123 * constants.EV, "structures": 9})
    at_half, at_one = (CompositionErrors(x=x, errors=card.errors[0]) for x in (0.5, 1.0))
    both = card.model_copy(
        update={
            "explored_errors": (worse,) * len(card.errors),
            "errors_by_x": (at_half, at_one),
            "explored_errors_by_x": (CompositionErrors(x=0.5, errors=worse),),
        }
    )
    table = error_table(both)
    assert len(table.rows) == 2 * len(card.errors)
    assert table.rows[-1][1:4] == ("found by walkers", "9", "12.30")
    assert "and 9 found by walkers" in table.caption
    assert [row[:3] for row in error_by_x_table(both).rows] == [
        ("0.5", "first structures", str(card.errors[0].structures)),
        ("0.5", "found by walkers", "9"),
        ("1", "first structures", str(card.errors[0].structures)),
    ]


def test_the_numbers_themselves_warn(synthetic_contracts: dict[str, Any]) -> None:
    card = synthetic_contracts["potential/potential_card.json"]
    changed = {
        "potential/potential_card.json": card.model_copy(update={"committee_coverage": 0.4}),
        "transport/tracer_diffusivity.json": synthetic_contracts["transport/tracer_diffusivity.json"],
        "electrode/electrode_design.json": synthetic_contracts["electrode/electrode_design.json"],
        "thermodynamics/isotherm.json": synthetic_contracts["thermodynamics/isotherm.json"].model_copy(
            update={"validity": Validity(temperature=(400.0, 500.0), remarks=("twice", "twice"))}
        ),
    }
    texts = [warning.text for warning in collect_warnings(contents(changed))]
    assert any("only 40 % of held-out energy errors" in text for text in texts)
    assert any("no hop was seen at x = 0.5, 600 K in 2 of 2 members: these" in text for text in texts)
    assert any("300 K; isotherm: determined between 400 and 500 K" in text for text in texts)
    assert "twice" not in texts
    assert [remark.text for remark in collect_remarks(contents(changed))].count("twice") == 1


def test_upper_bounds_are_told_by_reason_and_number_of_members(synthetic_contracts: dict[str, Any]) -> None:
    tracer = synthetic_contracts["transport/tracer_diffusivity.json"]
    first = tracer.samples[0]

    def told(*runs: tuple[int, int, float, bool]) -> list[str]:
        samples = tuple(
            first.model_copy(
                update={"member": member, "hops": hops, "temperature": kelvin, "upper_bound": bound, "x": 0.5}
            )
            for member, hops, kelvin, bound in runs
        )
        changed = tracer.model_copy(update={"samples": samples})
        return [warning.text for warning in collect_warnings(contents({"t": changed}))]

    bounds = "these members' diffusivities there are upper bounds"
    assert told((0, 9, 600.0, False)) == []
    assert told(
        (0, 9, 600.0, False),
        (1, 0, 600.0, True),
        (2, 3, 600.0, True),
        (0, 8, 900.0, False),
        (1, 0, 900.0, True),
    ) == [
        f"no hop was seen at x = 0.5, 600 K in 1 of 3 members; x = 0.5, 900 K in 1 of 2 members: {bounds}",
        f"ions hopped but their displacement did not grow at x = 0.5, 600 K in 1 of 3 members: {bounds}",
    ]


def test_every_row_of_diffusivities_obeys_its_arrhenius_law(synthetic_contracts: dict[str, Any]) -> None:
    pair = [synthetic_contracts[f"transport/{kind}_diffusivity.json"] for kind in ("tracer", "jump")]
    energies = [energy for diffusivity in pair for energy in diffusivity.activation_energy[0]]
    rows = diffusivity_table(*pair).rows
    assert len(rows) == len(energies)
    assert max(diffusivity.theta.max() for diffusivity in pair) > 0.4
    for row, energy in zip(rows, energies, strict=True):
        shown, prefactor = (number(row[column].split(" ×/÷")[0]) for column in (4, 6))
        assert shown == pytest.approx(prefactor * np.exp(-energy / (constants.BOLTZMANN * 300)), rel=0.1)


def number(text: str) -> float:
    """Return the value of a number as ``scientific`` writes it."""
    mantissa, exponent = text.split(" × 10")
    return float(mantissa) * 10.0 ** int(exponent.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")))


def test_remarks_that_differ_only_in_the_member_become_one(synthetic_contracts: dict[str, Any]) -> None:
    remarks = ("member 0, empty host: soft mode", "member 3, empty host: soft mode", "member 1: other")
    jump = synthetic_contracts["transport/jump_diffusivity.json"].model_copy(
        update={"validity": Validity(remarks=remarks)}
    )
    texts = [remark.text for remark in collect_remarks(contents({"transport/jump_diffusivity.json": jump}))]
    assert texts == ["members 0, 3, empty host: soft mode", "member 1: other"]


def test_remarks_that_the_card_took_over_are_told_where_they_arose(
    synthetic_contracts: dict[str, Any],
) -> None:
    names = ("interfaces/interface_energies.json", "card/material_card.json")
    remarked = {
        name: synthetic_contracts[name].model_copy(update={"validity": Validity(remarks=("thin",))})
        for name in names
    }
    (told,) = collect_remarks(contents(remarked))
    assert (told.place, told.text) == ("interfaces", "thin")


def test_what_discharges_say_of_their_members_the_rate_capability_says_once(
    synthetic_contracts: dict[str, Any],
) -> None:
    said = {
        "electrode/rate_capability.json": "members 0, 1: wider",
        "electrode/solution_m0_c1.json": "member 0: wider",
        "electrode/solution_m1_c1.json": "member 1: wider",
    }
    remarked = {
        name: synthetic_contracts[name].model_copy(update={"validity": Validity(remarks=(text,))})
        for name, text in said.items()
    }
    assert [remark.text for remark in collect_remarks(contents(remarked))] == ["members 0, 1: wider"]


def test_teeth_of_a_separating_electrode_s_curve_are_explained(synthetic_contracts: dict[str, Any]) -> None:
    name = "electrode/solution_m0_c1.json"
    solution = synthetic_contracts[name]
    host = {"host/host.json": synthetic_contracts["host/host.json"]}
    count = solution.fields["depth"].values.size

    def caption(*levels: float) -> str:
        none = solution.fields["front_level"].model_copy(update={"values": np.array([])})
        some = solution.fields["boundary_level"].model_copy(update={"values": np.array(levels)})
        fields = {**solution.fields, "front_level": none, "boundary_level": some}
        changed = host | {name: solution.model_copy(update={"fields": fields})}
        return build_images(contents(changed), 300.0)["discharge"].caption

    assert f"one or a few of the {count} particles" in caption(0.5)
    assert "Teeth" not in caption()


def test_discharges_without_levels_of_their_boundaries_are_named_once(
    synthetic_contracts: dict[str, Any],
) -> None:
    old = {}
    for name in ("electrode/solution_m0_c1.json", "electrode/solution_m1_c1.json"):
        solution = synthetic_contracts[name]
        fields = {key: field for key, field in solution.fields.items() if key != "boundary_level"}
        old[name] = solution.model_copy(update={"fields": fields})
    (warning,) = collect_warnings(contents(old))
    assert "run the electrode stage again" in warning.text
    assert "map" not in build_images(contents(old), 300.0)


def test_few_arrangements_warn_where_they_leave_the_interface_energy_open(
    synthetic_contracts: dict[str, Any],
) -> None:
    name = "interfaces/interface_energies.json"
    whole = synthetic_contracts[name]
    assert collect_warnings(contents({name: whole})) == []  # empty against full host: one arrangement
    members = len(whole.interface_energy)

    def drawn(spread: float) -> list[str]:
        samples = tuple(
            InterfaceSample(
                member=member,
                direction=direction,
                interface_energy=whole.interface_energy[member, direction] * (1 + sign * spread * direction),
            )
            for member in range(members)
            for direction in range(2)
            for sign in (-1, 1)
        )
        partly = whole.model_copy(update={"theta_low": 0.5, "samples": samples})
        return [warning.text for warning in collect_warnings(contents({name: partly}))]

    assert drawn(0.4) == []  # of two values 1 ± s times γ the mean has the standard error s γ
    (text,) = drawn(0.6)
    assert text.startswith("normal [0 1 1]:") and f"for {members} of {members} members" in text
    assert "member 0: 90 mJ/m², error 54)" in text
    alone = whole.model_copy(update={"theta_low": 0.5})
    texts = [warning.text for warning in collect_warnings(contents({name: alone}))]
    assert len(texts) == 2 and all("error unknown)" in text for text in texts)


def test_a_sound_run_has_no_warnings(synthetic_contracts: dict[str, Any]) -> None:
    card = synthetic_contracts["potential/potential_card.json"].model_copy(
        update={"validity": Validity(), "committee_coverage": 0.9}
    )
    assert collect_warnings(contents({"potential/potential_card.json": card})) == []
