"""Averages over arrangements of the ions, against a lattice gas whose every arrangement is counted by hand.

Two ions on the four sites of the cell, two in each plane (002), make six arrangements: in four of them each
plane holds one ion, and 4 bonds across planes gain 4 J; in two both ions share a plane, and 4 bonds within
it gain 4 J'. Against the full host γ a² = J (2 − n₁)(2 − n₂) with n₁, n₂ ions in the planes: J and 0.
"""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from interfaces_models import (
    ACROSS,
    ION,
    LATTICE,
    PLANE,
    PROVENANCE,
    WITHIN,
    LatticeGas,
    make_host,
    make_isotherm,
    phase,
)

from scalebridge.contracts import Host, InterfaceEnergies, InterfaceSample, Isotherm, StructureTable
from scalebridge.foundation import constants, random_stream
from scalebridge.interfaces import (
    PhaseTask,
    SlabEnergies,
    SlabSettings,
    candidate_arrangements,
    draw_arrangement,
    mean_slabs,
    relax_phase,
    run_phase,
    solve_slabs,
)
from scalebridge.pipeline.sections import InterfacesSection
from scalebridge.pipeline.stages import interfaces as stage
from scalebridge.sampling import HostCell, RelaxationSettings

GAMMA = ACROSS / LATTICE**2
"""γ of an ion in each plane [eV/Å²]; that of two in one plane is 0."""
COLD, HOT = 1.0, 1e7
"""kT far below and far above 4 (J − J')."""


def _task(**more):
    settings = {"temperature": 300.0, "displacement": 0.0} | more
    return PhaseTask(0, LatticeGas, "low", phase(), ION, 2, **settings)


def _in_one_plane(occupied):
    return len({PLANE[site] for site in occupied}) == 1


def test_energies_of_all_arrangements_and_the_draws_at_both_ends_of_the_scale():
    cold = [run_phase(_task(temperature=COLD, arrangement=number)) for number in range(4)]
    gain = np.sort(cold[0].energies - cold[0].energies.min()) / (4 * (ACROSS - WITHIN))
    np.testing.assert_allclose(gain, [0, 0, 0, 0, 1, 1], atol=1e-6)
    assert not any(_in_one_plane(result.phase.occupied) for result in cold)
    for result in cold:  # the bulk energy is that of the arrangement drawn
        assert result.phase.energy == pytest.approx(result.energies.min(), abs=1e-6)


def test_start_off_the_ideal_places_comes_back_where_they_are_a_minimum():
    tight = RelaxationSettings(force_tolerance=1e-4, maximum_steps=2000)
    ideal = run_phase(_task(relaxation=tight))
    shaken = run_phase(_task(displacement=0.03, relaxation=tight))
    np.testing.assert_allclose(np.sort(shaken.energies), np.sort(ideal.energies), atol=1e-5)


def test_arrangements_are_different_reproducible_and_complete_where_few():
    assert candidate_arrangements(4, 0, 6, 1) == [()]
    assert candidate_arrangements(4, 4, 6, 1) == [(0, 1, 2, 3)]
    assert len(candidate_arrangements(4, 2, 9, 1)) == 6
    many = candidate_arrangements(16, 8, 9, 1)
    assert len(set(many)) == 9 and many == candidate_arrangements(16, 8, 9, 1)
    assert many != candidate_arrangements(16, 8, 9, 2)
    assert many != candidate_arrangements(16, 8, 9, 1, 0, 1)


@pytest.mark.parametrize("temperature", [300.0, 1000.0, HOT])
def test_the_mean_of_draws_is_the_thermal_mean(temperature):
    """⟨γ⟩ = γ₁ · 4/(4 + 2 exp(−4 (J − J')/kT)); five standard errors, passed by chance 1 − 6e-7."""
    energies = 4 * (ACROSS - WITHIN) * np.array([0, 1, 0, 0, 1, 0])
    gammas = np.where(energies == 0, GAMMA, 0.0)
    random = random_stream(1, "test", "draws", f"{temperature:g}")
    draws = gammas[[draw_arrangement(energies - 500, temperature, random) for _ in range(20000)]]
    weight = np.exp(-4 * (ACROSS - WITHIN) / (constants.BOLTZMANN_EV * temperature))
    probability = 4 / (4 + 2 * weight)
    error = GAMMA * np.sqrt(probability * (1 - probability) / len(draws))
    assert draws.mean() == pytest.approx(GAMMA * probability, abs=5 * error)
    # Hot: vacancies of one cell pair up v (v − 1)/S (S − 1), not (v/S)² as in the mean field: 2/3 of it.
    if temperature == HOT:
        mean_field = ACROSS * (2 - 1) ** 2 / LATTICE**2
        assert draws.mean() == pytest.approx(mean_field * (1 - 1 / 2) / (1 - 1 / 4), abs=5 * error)


def test_another_arrangement_s_bulk_energy_would_count_as_coherency():
    cell = HostCell.from_phase(phase(), ION)
    split, layer, full = (
        relax_phase(cell, LatticeGas, occupied=sites) for sites in ((0, 1), (0, 3), range(4))
    )
    settings = SlabSettings(counts=(1, 2))
    own = solve_slabs(split, full, LatticeGas, settings=settings)
    mixed = solve_slabs(replace(split, energy=layer.energy), full, LatticeGas, settings=settings)
    assert own.interface_energy == pytest.approx(GAMMA, abs=1e-6)
    assert own.slope == pytest.approx(0, abs=1e-6)
    assert mixed.slope == pytest.approx(-4 * (ACROSS - WITHIN) / LATTICE**2, abs=1e-6)


def test_the_line_through_means_has_the_mean_slope_and_intercept():
    def line(gamma, slope, spacing):
        return SlabEnergies(
            np.array([0, 0, 1.0]),
            np.array([1, 2]),
            2 * gamma + slope * np.array([1.0, 2]),
            8.0,
            spacing,
            0.5,
            True,
        )

    mean = mean_slabs([line(0.03, 0.01, 1.0), line(-0.01, 0.02, 3.0)])
    assert mean.interface_energy == pytest.approx(0.01)
    assert mean.slope == pytest.approx(0.015)
    # κ of the mean γ: one arrangement below 0 takes its part and is not cut off before.
    assert mean.gradient_energy == pytest.approx(2 * 0.01 * 2.0 / 0.5**2)


def _run_stage(monkeypatch, temperature, arrangements, *, members=2, plateau=(0.5, 1.0)):
    """Compute the stage with the lattice gas for every member's potential; return what it saves."""
    monkeypatch.setattr(stage, "load_members", lambda context, card: [None] * members)
    monkeypatch.setattr(stage, "MTPCalculator", lambda member: LatticeGas())
    monkeypatch.setattr(stage, "state_diffuse_interfaces", lambda *contracts: ["diffuse"])
    # Ideal places are minima of this model: no need to start off them.
    monkeypatch.setattr(stage, "run_phase", lambda task: run_phase(replace(task, displacement=0.0)))
    cells = np.tile(np.eye(3) * LATTICE * 1e-10, (members, 2, 1, 1))
    table = StructureTable(
        provenance=PROVENANCE,
        temperature=temperature,
        x=np.array([0.5, 1.0]),
        phases=("a", "b"),
        space_groups=("Fm-3m",) * 2,
        symmetry_tolerance=1e-11,
        cell=cells,
        volume=np.linalg.det(cells) / 4,
        volume_error=np.zeros((members, 2)),
        largest_grade=np.zeros((members, 2)),
    )
    isotherm = make_isotherm((0, 300.0, *plateau), (0, 400.0, *plateau))
    parents = {Host: make_host(), Isotherm: isotherm, StructureTable: table}
    saved = []
    section = InterfacesSection(
        normals=((0, 0, 1),), slab_cells=(1, 2), arrangements=arrangements, max_force=1e-3
    )
    stage.compute(
        SimpleNamespace(
            recipe=SimpleNamespace(interfaces=section),
            seed=1,
            load=lambda name, contract: parents.get(contract),
            units=lambda function, tasks, description: [function(task) for task in tasks],
            warn=lambda text: None,
            provenance=lambda: PROVENANCE,
            save=saved.append,
        )
    )
    (contract,) = saved
    assert isinstance(contract, InterfaceEnergies)
    assert contract.validity.remarks[-1] == "diffuse"
    return contract


def test_cold_every_draw_is_the_lowest_arrangement_and_gamma_is_exact(monkeypatch):
    contract = _run_stage(monkeypatch, COLD, 2)
    exact = GAMMA * constants.EV_PER_ANGSTROM2
    np.testing.assert_allclose(contract.interface_energy, exact, rtol=1e-3)
    np.testing.assert_allclose(contract.interface_energy_error, 0, atol=1e-3 * exact)


def test_hot_gamma_is_the_mean_over_different_arrangements_with_its_error(monkeypatch):
    """Draws are γ₁ or 0; a single one can be no mean of both. Eight alike: 4 %, so the seed is fixed."""
    draws = 8
    contract = _run_stage(monkeypatch, HOT, draws)
    exact = GAMMA * constants.EV_PER_ANGSTROM2
    values = np.array([sample.interface_energy for sample in contract.samples]).reshape(2, draws) / exact
    counted = np.round(values)
    np.testing.assert_allclose(values, counted, atol=2e-3)
    fraction = counted.mean(axis=1)
    assert set(counted.ravel()) == {0, 1} and np.all((fraction > 0) & (fraction < 1))
    assert not np.array_equal(counted[0], counted[1])  # each member draws its own
    np.testing.assert_allclose(contract.interface_energy[:, 0] / exact, fraction, atol=2e-3)
    spread = np.sqrt(fraction * (1 - fraction) / (draws - 1))
    np.testing.assert_allclose(contract.interface_energy_error[:, 0] / exact, spread, rtol=1e-2)
    # Every arrangement against its own bulk: no slope; κ of the mean, d = a/2, Δθ = ½.
    scale = 4 * (ACROSS - WITHIN) / (2 * LATTICE**3) * constants.EV_PER_ANGSTROM3
    np.testing.assert_allclose(contract.coherency_energy_density / scale, 0, atol=1e-2)
    kappa = 2 * contract.interface_energy * (LATTICE / 2 * constants.ANGSTROM) / 0.5**2
    np.testing.assert_allclose(contract.gradient_energy, kappa, rtol=1e-3)


def test_between_empty_and_full_host_there_is_one_arrangement_without_error(monkeypatch):
    contract = _run_stage(monkeypatch, HOT, 3, members=2, plateau=(0.0, 1.0))
    assert [(sample.member, sample.direction) for sample in contract.samples] == [(0, 0), (1, 0)]
    np.testing.assert_allclose(
        contract.interface_energy, 4 * GAMMA * constants.EV_PER_ANGSTROM2, rtol=1e-3
    )  # all four sites vacant: γ a² = J · 2 · 2
    assert np.all(contract.interface_energy_error == 0)


def test_an_error_is_zero_only_where_there_is_one_arrangement(monkeypatch):
    contract = _run_stage(monkeypatch, COLD, 2, members=1)
    alone = contract.model_copy(update={"samples": contract.samples[:1]})
    assert np.isinf(alone.interface_energy_error).all()
    whole = alone.model_copy(update={"theta_low": 0.0})
    assert np.all(whole.interface_energy_error == 0)
    values = (0.010, 0.016, 0.022, 0.016)
    samples = tuple(InterfaceSample(member=0, direction=0, interface_energy=value) for value in values)
    four = contract.model_copy(update={"samples": samples})
    assert four.interface_energy_error[0, 0] == pytest.approx(np.sqrt(72e-6 / 3 / 4))
