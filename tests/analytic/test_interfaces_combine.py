"""From tasks to the contract, with caged ions in a Lennard-Jones framework."""

import pickle
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from interfaces_models import ION, LATTICE, CagedIons, phase

from scalebridge.contracts import InterfaceEnergies, Provenance, StructureTable
from scalebridge.foundation import ConvergenceError, InputError
from scalebridge.interfaces import (
    ElasticTask,
    PhasePair,
    PhaseTask,
    SlabSettings,
    SlabTask,
    coherency_modulus,
    combine,
    run_elastic,
    run_phase,
    run_slabs,
)
from scalebridge.sampling import RelaxationSettings

PROVENANCE = Provenance(code_version="test", recipe_hash="0")
RELAXATION = RelaxationSettings(force_tolerance=2e-3, maximum_steps=1000)
MAKE = partial(CagedIons, 0.04)


PAIR = PhasePair(phase(), phase(), 0, 4)


def phase_tasks(relaxation=RELAXATION, member=0):
    return [
        PhaseTask(member, MAKE, end, phase(), ION, ions, 300.0, relaxation=relaxation)
        for end, ions in (("low", 0), ("high", 4))
    ]


@pytest.fixture(scope="module")
def results():
    phases = [run_phase(pickle.loads(pickle.dumps(task))).phase for task in phase_tasks()]
    slab = SlabTask(0, MAKE, *phases, (0, 0, 1), settings=SlabSettings(counts=(1, 2), relaxation=RELAXATION))
    ends = [
        ElasticTask(0, MAKE, end, relaxed, relaxation=RELAXATION)
        for end, relaxed in zip(("low", "high"), phases, strict=True)
    ]
    return run_slabs(pickle.loads(pickle.dumps(slab))), [run_elastic(task) for task in ends]


def _combine(slabs, elastic, **more):
    settings = {"members": 1, "provenance": PROVENANCE, "pair": PAIR} | more
    return combine(slabs, elastic, **settings)


def test_contract_is_in_si_and_survives_a_file(results):
    slab, elastic = results
    contract = _combine([slab], elastic)
    again = InterfaceEnergies.from_json(contract.model_dump_json())
    assert again.content_hash == contract.content_hash
    assert contract.interface_energy[0, 0] == pytest.approx(
        slab.slabs.interface_energy * 1.602176634e-19 / 1e-20
    )
    assert contract.gradient_energy[0, 0] == pytest.approx(
        max(2 * contract.interface_energy[0, 0] * slab.slabs.spacing * 1e-10, 0.0)
    )
    assert 1e9 < contract.stiffness[0, 0, 0, 0] < 1e12
    stretch = np.diag(contract.eigenstrain[0, 1])
    np.testing.assert_allclose(contract.stretches[0], 1 + stretch, atol=1e-9)
    np.testing.assert_allclose(contract.eigenstrain[0, 0], 0, atol=1e-12)
    modulus = coherency_modulus(
        contract.stiffness[0].mean(axis=0), contract.eigenstrain[0, 1], np.array([0, 0, 1.0])
    )
    assert contract.coherency_modulus[0, 0] == pytest.approx(modulus, rel=1e-9)
    assert contract.coherency_modulus[0, 0] > 0
    np.testing.assert_allclose(contract.normals, [[0, 0, 1]], atol=1e-6)


def test_an_interface_without_energy_has_no_gradient_energy(results):
    slab, elastic = results
    below = slab.slabs.energies - 2 * (slab.slabs.interface_energy + 0.01)
    changed = replace(slab.slabs, energies=below, converged=False)
    contract = _combine([replace(slab, slabs=changed)], elastic)
    assert contract.gradient_energy[0, 0] == 0
    assert any("upper estimates" in remark for remark in contract.validity.remarks)
    assert any("no stable interface" in remark for remark in contract.validity.remarks)


def test_failed_parts_are_named_and_member_zero_must_not_fail(results):
    slab, elastic = results
    failed = replace(slab, member=1, slabs=None, problem="the slab fell apart")
    soft = [replace(elastic[0], member=1, stiffness=None, problem="soft"), replace(elastic[1], member=1)]
    warned = []
    contract = _combine([slab, failed], [*elastic, *soft], members=2, warn=warned.append)
    remarks = " ".join(contract.validity.remarks)
    assert "the slab fell apart" in remarks and "carries member 0's stiffness (soft)" in remarks
    narrow = "of their own and carry another member's; the spread over members is too narrow"
    assert warned == [
        f"1 of 2 members (1) have no slabs along plane (0, 0, 1) {narrow}",
        f"1 of 2 members (1) have no stiffness of the low phase {narrow}",
    ]
    assert set(warned) <= set(contract.validity.remarks)
    warned.clear()
    _combine([slab], [replace(elastic[0], stiffness=None), elastic[1]], warn=warned.append)
    assert warned == ["no member has a stiffness of the low phase: that of the high phase is used"]
    warned.clear()
    _combine([slab], elastic, warn=warned.append)
    assert warned == []
    with pytest.raises(ConvergenceError, match="fell apart"):
        _combine([replace(failed, member=0)], elastic)
    with pytest.raises(ConvergenceError, match="no cell of the high phase"):
        _combine([slab], elastic[:1])
    with pytest.raises(InputError, match="at least one direction"):
        _combine([], elastic)


def test_an_arrangement_that_fails_is_left_out_of_the_mean_and_named(results):
    slab, elastic = results
    higher = replace(slab, slabs=replace(slab.slabs, energies=slab.slabs.energies + 0.02))
    failed = replace(slab, slabs=None, problem="the slab fell apart")
    contract = _combine([slab, higher, failed], elastic)
    mean = (slab.slabs.interface_energy + 0.005) * 1.602176634e-19 / 1e-20
    assert contract.interface_energy[0, 0] == pytest.approx(mean)
    assert len(contract.samples) == 2
    # Two values 0.01 eV/Å² apart: standard error half of that.
    assert contract.interface_energy_error[0, 0] == pytest.approx(0.005 * 1.602176634e-19 / 1e-20)
    assert any("1 of 3 arrangements" in text and "fell apart" in text for text in contract.validity.remarks)


def _table(x, scales):
    cells = np.array([[np.eye(3) * LATTICE * 1e-10 * scale for scale in scales]])
    return StructureTable(
        provenance=PROVENANCE,
        temperature=300.0,
        x=np.array(x),
        phases=("cubic",) * len(x),
        space_groups=("Fm-3m",) * len(x),
        symmetry_tolerance=1e-11,
        cell=cells,
        volume=np.linalg.det(cells) / 4,
        volume_error=np.zeros((1, len(x))),
        largest_grade=np.zeros((1, len(x))),
    )


def test_eigenstrain_follows_the_sampled_lattice(results):
    slab, elastic = results
    contract = _combine([slab], elastic, structures=_table([0.0, 0.5, 1.0], [1.0, 1.01, 1.03]))
    np.testing.assert_allclose(contract.eigenstrain[0, :, 0, 0], [0, 0.01, 0.03], atol=1e-12)
    partial_table = _combine([slab], elastic, structures=_table([0.2, 0.5], [1.0, 1.01]))
    assert any("counts from x = 0.2" in remark for remark in partial_table.validity.remarks)
    # Stretches and B(n) stay those of the relaxed pair, as the slabs' strain energy is.
    relaxed = _combine([slab], elastic)
    np.testing.assert_allclose(contract.stretches, relaxed.stretches)
    np.testing.assert_allclose(contract.coherency_modulus, relaxed.coherency_modulus)


def test_strain_energies_of_b_and_of_the_slabs_are_compared(results):
    """Equal parts of both phases store ⅛B(Δθ)²: within a factor of 2 here, not with the slope tripled."""
    slab, elastic = results
    said = []
    whole = _combine([slab], elastic, warn=said.append)
    ratio = whole.coherency_modulus[0, 0] / 8 / whole.coherency_energy_density[0, 0]
    assert 0.5 < ratio < 2
    assert said == []
    steeper = replace(slab.slabs, energies=slab.slabs.energies + 2 * slab.slabs.slope * slab.slabs.counts)
    _combine([replace(slab, slabs=steeper)], elastic, warn=said.append)
    (text,) = said
    assert "differ by more than a factor 2 in members 0 (" in text


def test_b_counts_per_unit_of_site_fraction(results):
    slab, elastic = results
    whole = _combine([slab], elastic)
    half = _combine([slab], elastic, pair=PhasePair(phase(), phase(), 2, 4, "half full"))
    assert (half.theta_low, half.theta_high) == (0.5, 1.0)
    np.testing.assert_allclose(half.stretches, whole.stretches)
    # The same strain over half the step: ½ B (Δθ)² stays.
    np.testing.assert_allclose(half.coherency_modulus * 0.25, whole.coherency_modulus, rtol=1e-12)
    assert any("x = 0.5 (cubic) and x = 1 (cubic); half full" in text for text in half.validity.remarks)


def test_a_stiffness_no_member_has_is_replaced_by_the_other_phase_s(results):
    slab, elastic = results
    contract = _combine([slab], [replace(elastic[0], stiffness=None, problem="soft"), elastic[1]])
    np.testing.assert_allclose(contract.stiffness[0, 0], contract.stiffness[0, 1])
    assert any("no member has a stiffness of the low phase" in text for text in contract.validity.remarks)
    with pytest.raises(ConvergenceError, match="of either phase"):
        _combine([slab], [replace(result, stiffness=None) for result in elastic])


def test_a_phase_that_does_not_relax_is_reported():
    short = RelaxationSettings(force_tolerance=1e-6, maximum_steps=3)
    result = run_phase(phase_tasks(short, member=3)[1])
    assert result.phase is None
    assert "member 3, high phase" in result.problem and "raise maximum_steps" in result.problem
