"""The checks of a potential: ours and others obey them, and each finds the potential that breaks its rule."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from potential_cases import random_crystal, random_potential

from scalebridge.foundation import InputError
from scalebridge.oracle import CalculatorSpec, StoredCalculator
from scalebridge.potential import (
    FitSettings,
    MTPCalculator,
    check_conformance,
    fit_committee,
    fit_report,
    linear_posterior,
)

SPECIES = ("Na", "O")


def failed(checks):
    return {check.rule for check in checks if not check.passed}


def copper():
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.1, seed=1)
    return atoms


@pytest.mark.parametrize("level", [6, 12])
def test_moment_tensor_potentials_obey_all(level):
    potential = random_potential(level, SPECIES, seed=1).without_hard_core()
    checks = check_conformance(lambda: MTPCalculator(potential), random_crystal(SPECIES, seed=3))
    assert len(checks) == 13
    assert max(check.deviation for check in checks) < 1e-9


def test_members_of_both_kinds_of_committee_obey_all_and_differ():
    truth = random_potential(8, SPECIES, seed=1).without_hard_core()
    frames = []
    for seed in range(8):
        atoms = random_crystal(SPECIES, seed=seed)
        out = truth.compute(atoms)
        atoms.calc = SinglePointCalculator(atoms, energy=out.energy, forces=out.forces, stress=out.stress)
        frames.append(atoms)
    settings = FitSettings(max_iterations=3)
    best = fit_report(frames, level=6, settings=settings).potential
    refitted = fit_committee(frames, start=best, members=2, settings=settings)
    drawn = linear_posterior(frames, potential=best, settings=settings).draw(2)
    atoms = random_crystal(SPECIES, seed=20)
    energies = []
    for member in (best, *refitted, *drawn):
        checks = check_conformance(
            lambda member=member: MTPCalculator(member.without_hard_core()), atoms, tolerance=1e-8
        )
        assert failed(checks) == set()
        energies.append(member.without_hard_core().compute(atoms).energy)
    assert np.diff(np.sort(energies)).min() > 1e-6


def test_the_oracle_s_wrapper_hands_on_what_its_calculator_obeys():
    spec = CalculatorSpec("ase.calculators.emt:EMT")
    checks = check_conformance(lambda: StoredCalculator(spec, None), copper())
    # a label is of a periodic structure: two isolated atoms are refused by the wrapper, not by EMT
    assert failed(checks) <= {"isolated atoms add up"}
    assert failed(check_conformance(EMT, copper())) == set()


class Broken(Calculator):
    """EMT with one rule broken."""

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, wrong):
        super().__init__()
        self.wrong = wrong

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        super().calculate(atoms, properties, system_changes)
        own = self.atoms.copy()
        own.calc = EMT()
        stress = own.get_stress() if own.pbc.all() else np.zeros(6)
        self.results = {"energy": own.get_potential_energy(), "forces": own.get_forces(), "stress": stress}
        self.wrong(self.atoms, self.results, atoms)


def shift_energy(measure):
    def wrong(atoms, results, _):
        results["energy"] += 1e-2 * measure(atoms)

    return wrong


def weak_forces(atoms, results, _):
    results["forces"] = results["forces"] * 0.99


def weak_stress(atoms, results, _):
    results["stress"] = results["stress"] * 0.99


def constant_force(atoms, results, _):
    results["forces"] = results["forces"] + 0.01


def moved_input(atoms, results, given):
    given.positions += 1e-3


def fails_on_one(atoms, results, _):
    if len(atoms) == 1:
        raise ZeroDivisionError("one atom has no neighbour")


@pytest.mark.parametrize(
    ("wrong", "rules"),
    [
        (shift_energy(lambda atoms: atoms.positions[:, 0].max()), {"translation", "rotation"}),
        (
            shift_energy(lambda atoms: np.linalg.det(atoms.positions[1:4] - atoms.positions[0])),
            {"reflection"},
        ),
        (shift_energy(lambda atoms: atoms.positions[0] @ atoms.positions[1]), {"permutation"}),
        (
            shift_energy(lambda atoms: np.ptp(atoms.positions)),
            {"lattice translations of single atoms"},
        ),
        (shift_energy(lambda atoms: atoms.cell.lengths().max()), {"another choice of cell vectors"}),
        (shift_energy(lambda atoms: len(atoms) ** 2), {"supercell", "isolated atoms add up"}),
        (weak_forces, {"forces are derivatives"}),
        (weak_stress, {"stress is a derivative"}),
        (constant_force, {"forces are derivatives", "forces sum to zero", "one atom"}),
        (moved_input, {"input is not changed"}),
        (fails_on_one, {"one atom", "isolated atoms add up"}),
    ],
)
def test_each_broken_rule_is_found(wrong, rules):
    checks = check_conformance(lambda: Broken(wrong), copper())
    assert rules <= failed(checks)
    if wrong is fails_on_one:
        assert failed(checks) == rules
        assert all("ZeroDivisionError" in check.problem for check in checks if not check.passed)


def test_open_structures_are_refused():
    with pytest.raises(InputError, match="periodic in all directions"):
        check_conformance(EMT, Atoms("Cu"))


def test_atoms_that_cross_the_cutoff_are_no_fault():
    """A large cell, where some pair is always about to: the stress of a sound potential passes."""
    atoms = random_crystal(("Si",), seed=5, repeat=(2, 2, 2))
    potential = random_potential(8, ("Si",))
    checks = check_conformance(lambda: MTPCalculator(potential), atoms)
    assert [check.rule for check in checks if not check.passed] == []
