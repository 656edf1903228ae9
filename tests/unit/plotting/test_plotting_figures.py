"""Figures show the contracts' numbers in the units on their axes."""

from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from scalebridge import plotting
from scalebridge.contracts import Contract, RateCapability, Solution
from scalebridge.foundation import InputError, constants

Contracts = dict[str, Contract]


def solutions(contracts: Contracts) -> list[Solution]:
    return [item for item in contracts.values() if isinstance(item, Solution)]


FIGURES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "parity": lambda c: plotting.plot_parity(c["potential/potential_card.json"]),
    "learning": lambda c: plotting.plot_learning_curve(
        c["potential/potential_card.json"].learning, break_grade=10.0
    ),
    "coverage": lambda c: plotting.plot_coverage(c["learning/learning_history.json"]),
    "volume": lambda c: plotting.plot_volume(c["thermodynamics/structure_table.json"]),
    "lattice": lambda c: plotting.plot_lattice_parameters(c["thermodynamics/structure_table.json"]),
    "voltage": lambda c: plotting.plot_voltage(
        c["thermodynamics/isotherm.json"], c["thermodynamics/homogeneous_free_energy.json"]
    ),
    "free energy": lambda c: plotting.plot_free_energy(
        c["thermodynamics/homogeneous_free_energy.json"], c["thermodynamics/isotherm.json"]
    ),
    "tracer": lambda c: plotting.plot_arrhenius(c["transport/tracer_diffusivity.json"]),
    "jump": lambda c: plotting.plot_arrhenius(c["transport/jump_diffusivity.json"]),
    "slab": lambda c: plotting.plot_slab_energy(c["interfaces/interface_energies.json"]),
    "discharge": lambda c: plotting.plot_discharge(solutions(c), c["host/host.json"]),
    "rates": lambda c: plotting.plot_rate_capability(
        c["electrode/rate_capability.json"], c["host/host.json"]
    ),
    "map": lambda c: plotting.plot_phase_map(c["electrode/solution_m0_c1.json"]),
    "boundary": lambda c: plotting.plot_boundary_position(c["electrode/solution_m0_c1.json"]),
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_axis_is_labelled_and_the_svg_stands_alone(name: str, synthetic_contracts: Contracts) -> None:
    figure = FIGURES[name](synthetic_contracts)
    shared = figure.get_supxlabel()
    assert all(axes.get_xlabel() or axes.get_ylabel() or shared for axes in figure.axes)
    root = ElementTree.fromstring(plotting.to_svg(figure))
    references = [
        value
        for element in root.iter()
        for key, value in element.attrib.items()
        if key.split("}")[-1] in ("href", "src")
    ]
    assert all(value.startswith(("#", "data:")) for value in references)


def test_the_same_contract_gives_the_same_bytes(synthetic_contracts: Contracts) -> None:
    first, second = (plotting.to_svg(FIGURES["voltage"](synthetic_contracts)) for _ in range(2))
    assert first == second


def test_png_has_the_asked_resolution(synthetic_contracts: Contracts) -> None:
    data = plotting.to_png(FIGURES["volume"](synthetic_contracts), dpi=100)
    width = int.from_bytes(data[16:20], "big")
    assert data.startswith(b"\x89PNG")
    assert width == 340


def test_parity_shows_ev_per_atom_and_ev_per_angstrom(synthetic_contracts: Contracts) -> None:
    card: Any = synthetic_contracts["potential/potential_card.json"]
    figure = plotting.plot_parity(card)
    member_zero = next(line for line in figure.axes[0].lines if line.get_label() == "member 0")
    np.testing.assert_allclose(
        member_zero.get_ydata(), card.parity_predicted_energy[0] / constants.ELEMENTARY_CHARGE
    )
    difference = figure.axes[3].lines[0].get_ydata()
    expected = card.parity_predicted_force - card.parity_reference_force
    np.testing.assert_allclose(difference, expected / 1.602176634e-9, atol=1e-12)
    assert "3.2 meV" in figure.axes[0].get_title(loc="right")


def test_coverage_puts_rounds_side_by_side_and_the_training_to_their_right(
    synthetic_contracts: Contracts,
) -> None:
    history: Any = synthetic_contracts["learning/learning_history.json"]
    axes = plotting.plot_coverage(history).axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    first, last = (history.coverage[index] for index in (0, -1))
    for name, step in ((f"graded, round {step.round}", step) for step in (first, last)):
        np.testing.assert_allclose(lines[name].get_ydata(), 1e30 * step.visited_volume)
    learnt = first.queued_learnt == 1
    np.testing.assert_allclose(lines["queued and learnt"].get_ydata(), 1e30 * first.queued_volume[learnt])
    np.testing.assert_allclose(lines["queued"].get_ydata(), 1e30 * first.queued_volume[~learnt])
    training = lines["training, in the end"]
    np.testing.assert_allclose(training.get_ydata(), 1e30 * history.training_volume)
    shifts = [
        float(np.ptp(np.asarray(line.get_xdata()) - x)) < 1e-12
        for line, x in ((lines["graded, round 0"], first.visited_x), (training, history.training_x))
    ]
    assert all(shifts)
    spacing = 0.25
    offset = np.asarray(training.get_xdata())[0] - history.training_x[0]
    assert 0 < offset < 0.5 * spacing  # within the slot of its own x


def test_rounds_are_shown_with_grades_fractions_and_sizes(synthetic_contracts: Contracts) -> None:
    history: Any = synthetic_contracts["learning/learning_history.json"]
    figure = plotting.plot_learning_curve(history.steps, break_grade=10.0, save_grade=2.1)
    energy, force, grade, fractions = figure.axes
    np.testing.assert_allclose(
        energy.lines[0].get_ydata(),
        [1e3 * step.errors.energy_rmse / constants.ELEMENTARY_CHARGE for step in history.steps],
    )
    np.testing.assert_allclose(grade.lines[0].get_ydata(), [step.largest_grade for step in history.steps])
    np.testing.assert_allclose(
        [line.get_ydata() for line in fractions.lines],
        [
            [100 * step.above_save for step in history.steps],
            [100 * step.above_break for step in history.steps],
        ],
    )
    assert fractions.xaxis.get_major_formatter()(1, None) == "1\n84"
    assert force.get_ylabel() == "force RMSE (eV/Å)"


def test_volume_is_in_cubic_angstrom_with_the_band_of_all_members(synthetic_contracts: Contracts) -> None:
    table: Any = synthetic_contracts["thermodynamics/structure_table.json"]
    axes = plotting.plot_volume(table).axes[0]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), table.volume[0] * 1e30)
    edge = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert edge.min() == pytest.approx(table.volume.min() * 1e30)
    assert edge.max() == pytest.approx(table.volume.max() * 1e30)


def test_voltage_draws_the_plateau_and_the_homogeneous_curve(synthetic_contracts: Contracts) -> None:
    isotherm: Any = synthetic_contracts["thermodynamics/isotherm.json"]
    free_energy: Any = synthetic_contracts["thermodynamics/homogeneous_free_energy.json"]
    axes = plotting.plot_voltage(isotherm, free_energy).axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    theta = np.asarray(lines["homogeneous"].get_xdata())
    expected = -free_energy.chemical_potential(theta, 300.0) / constants.ELEMENTARY_CHARGE
    np.testing.assert_allclose(lines["homogeneous"].get_ydata(), expected)
    plateau = next(item for item in isotherm.plateaus if item.member == 0 and item.temperature == 300.0)
    assert any(list(line.get_xdata()) == [plateau.x_low, plateau.x_high] for line in axes.lines)


def test_free_energy_of_mixing_keeps_the_common_tangent_straight(synthetic_contracts: Contracts) -> None:
    """The tangent touches the fit at both ends and lies below it between them."""
    free_energy: Any = synthetic_contracts["thermodynamics/homogeneous_free_energy.json"]
    isotherm: Any = synthetic_contracts["thermodynamics/isotherm.json"]
    axes = plotting.plot_free_energy(free_energy, isotherm).axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    x, y = (np.asarray(values) for values in lines["common tangent"].get_data())
    fit_x, fit_y = (np.asarray(values) for values in lines["fit"].get_data())
    inside = (fit_x > x[0]) & (fit_x < x[1])
    assert np.all(fit_y[inside] >= np.interp(fit_x[inside], x, y) - 1e-6)
    np.testing.assert_allclose(np.interp(x, fit_x, fit_y), y, atol=0.01)
    assert fit_y[0] == pytest.approx(0.0, abs=1e-9)
    assert fit_y[-1] == pytest.approx(0.0, abs=1e-9)


def test_unreached_diffusivities_are_arrows_and_lines_are_isotropic(synthetic_contracts: Contracts) -> None:
    tracer: Any = synthetic_contracts["transport/tracer_diffusivity.json"]
    axes = plotting.plot_arrhenius(tracer).axes[0]
    bounds = [sample for sample in tracer.samples if sample.upper_bound]
    arrows = [text for text in axes.texts if getattr(text, "arrow_patch", None) is not None]
    assert len(arrows) == len(bounds) > 0
    line = axes.lines[0]
    kelvin = 1000 / float(np.asarray(line.get_xdata())[0])
    expected = tracer.isotropic(tracer.theta[0], kelvin)
    assert float(np.asarray(line.get_ydata())[0]) == pytest.approx(float(expected))


def test_slab_lines_start_at_twice_the_interface_energy(synthetic_contracts: Contracts) -> None:
    interfaces: Any = synthetic_contracts["interfaces/interface_energies.json"]
    line = plotting.plot_slab_energy(interfaces).axes[0].lines[0]
    assert float(np.asarray(line.get_xdata())[0]) == 0.0
    assert float(np.asarray(line.get_ydata())[0]) == pytest.approx(2e3 * interfaces.interface_energy[0, 0])


def test_discharge_ends_at_the_capacity_reached(synthetic_contracts: Contracts) -> None:
    host: Any = synthetic_contracts["host/host.json"]
    solution: Any = synthetic_contracts["electrode/solution_m0_c5.json"]
    axes = plotting.plot_discharge([solution], host).axes[0]
    filling = solution.fields["filling"].values
    capacity = (filling[-1] - filling[0]) * host.theoretical_capacity / 3600
    assert float(np.asarray(axes.lines[0].get_xdata())[-1]) == pytest.approx(capacity)
    assert axes.lines[0].get_label() == "5C"


def test_rates_are_shown_in_rising_order(synthetic_contracts: Contracts) -> None:
    rates = synthetic_contracts["electrode/rate_capability.json"]
    assert isinstance(rates, RateCapability)
    order = np.array([4, 0, 3, 1, 2])
    shuffled = rates.model_copy(
        update={
            "c_rate": rates.c_rate[order],
            "capacity": rates.capacity[:, order],
            "mean_voltage": rates.mean_voltage[:, order],
        }
    )
    for given in (rates, shuffled):
        line = plotting.plot_rate_capability(given).axes[0].lines[0]
        np.testing.assert_allclose(line.get_ydata(), rates.capacity[0] / 3600)


@pytest.mark.parametrize(("rate", "name"), [(0.1, "C/10"), (0.5, "C/2"), (1.0, "1C"), (5.0, "5C")])
def test_rate_names(rate: float, name: str) -> None:
    assert plotting.rate_name(rate) == name


def test_the_boundary_is_that_of_the_solution(synthetic_contracts: Contracts) -> None:
    """Depth from the separator in µm, position over the particle's radius."""
    solution: Any = synthetic_contracts["electrode/solution_m0_c1.json"]
    line = plotting.plot_boundary_position(solution).axes[0].lines[0]
    boundary, radius = (solution.fields[name].values for name in ("phase_boundary", "radius"))
    np.testing.assert_allclose(line.get_ydata(), boundary[:, 0, 0] / radius[-1])
    first = plotting.plot_phase_map(solution).axes[0]
    assert first.get_xlim() == pytest.approx((0.0, 60.0))
    assert [axes.get_title() for axes in plotting.plot_phase_map(solution, fillings=(0.5, 2.0)).axes[:2]] == [
        "50 % full",
        "90 % full",
    ]


def test_missing_field_is_named(synthetic_contracts: Contracts) -> None:
    solution: Any = synthetic_contracts["electrode/solution_m0_c1.json"]
    fields = {name: field for name, field in solution.fields.items() if name != "theta"}
    with pytest.raises(InputError, match=r"'theta' is missing .* run the electrode stage again"):
        plotting.plot_phase_map(solution.model_copy(update={"fields": fields}))


def test_a_fit_is_drawn_with_the_point_that_counts() -> None:
    figure = plotting.plot_fit([3.0, 2.0, 1.5], [5.0, 4.0, 4.5, 4.6])
    lines = {line.get_label(): line for line in figure.axes[0].get_lines()}
    assert lines["training"].get_xdata().tolist() == [1, 2, 3]
    assert (lines["chosen"].get_xdata()[0], lines["chosen"].get_ydata()[0]) == (1, 4.0)
    assert "validation" not in {line.get_label() for line in plotting.plot_fit([2.0]).axes[0].get_lines()}


def test_normals_are_named_without_noise() -> None:
    name = plotting.normal_name
    assert name(np.array([2.0, -9e-16, -1.9e-15])) == "[1 0 0]"
    assert name(np.array([-0.5, 0.0, 0.25])) == "[-1 0 0.5]"
    assert name(np.array([1.0, -0.0288, 0.0])) == "[1 -0.03 0]"
