"""Δ-learning: labels minus a baseline, and the sum that gives them back."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones

from scalebridge.foundation import InputError, LabelError
from scalebridge.oracle import CalculatorSpec, Outcome, label_differences
from scalebridge.oracle.labelling import labelled

LENNARD_JONES = CalculatorSpec("ase.calculators.lj:LennardJones", {"sigma": 2.3, "epsilon": 0.1, "rc": 5.0})
EFFECTIVE_MEDIUM = CalculatorSpec("ase.calculators.emt:EMT")


def copper(seed):
    atoms = bulk("Cu", cubic=True) * (2, 2, 2)
    atoms.rattle(0.1, seed=seed)
    return atoms


def emt_label(atoms):
    atoms.calc = EMT()
    return labelled(
        atoms, Outcome(atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress(voigt=True))
    )


def test_differences_are_labels_minus_baseline_in_the_order_of_the_frames():
    frames = [emt_label(copper(seed)) for seed in range(3)]
    for frame, found in zip(frames, label_differences(frames, LENNARD_JONES), strict=True):
        bare = frame.copy()
        bare.calc = LennardJones(sigma=2.3, epsilon=0.1, rc=5.0)
        assert np.array_equal(found.positions, frame.positions)
        assert np.isclose(
            found.get_potential_energy() + bare.get_potential_energy(), frame.get_potential_energy()
        )
        assert np.allclose(found.get_forces() + bare.get_forces(), frame.get_forces(), atol=1e-12)
        assert np.allclose(found.get_stress() + bare.get_stress(), frame.get_stress(), atol=1e-14)


def test_a_sum_of_calculators_adds_every_property_and_has_its_own_hash():
    both = CalculatorSpec(EFFECTIVE_MEDIUM.target, plus=(LENNARD_JONES,))
    atoms = copper(5)
    parts = [emt_label(copper(5)), copper(5)]
    parts[1].calc = LENNARD_JONES.build()
    atoms.calc = both.build()
    for name in ("energy", "forces", "stress"):
        expected = sum(part.calc.get_property(name, part) for part in parts)
        assert np.allclose(atoms.calc.get_property(name, atoms), expected, rtol=1e-12, atol=1e-12)
    assert len({both.content_hash, EFFECTIVE_MEDIUM.content_hash, LENNARD_JONES.content_hash}) == 3
    assert "ase.calculators.emt:EMT + ase.calculators.lj:LennardJones" in str(both)


def test_locations_reach_the_factory_and_stay_out_of_the_hash():
    here = CalculatorSpec("m:C", {"a": 1}, {"path": "/here"})
    there = CalculatorSpec("m:C", {"a": 1}, {"path": "/there"})
    assert here.content_hash == there.content_hash
    with pytest.raises(InputError, match=r"unexpected keyword argument 'path'"):
        CalculatorSpec("oracle_calculators:Counting", locations={"path": "/here"}).build()


def test_structures_without_labels_and_a_failing_baseline_are_named():
    with pytest.raises(InputError, match="structure 0 has no energy and forces"):
        label_differences([copper(0)], LENNARD_JONES)
    frame = emt_label(copper(0))
    frame.numbers[0] = 92  # which EMT does not know
    with pytest.raises(LabelError, match=r"'ase.calculators.emt:EMT' failed on structure 0 .*leave it out"):
        label_differences([frame], EFFECTIVE_MEDIUM)
