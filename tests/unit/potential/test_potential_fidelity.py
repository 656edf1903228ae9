"""Correction of a cheap potential: on two made-up levels of theory, told apart on labels that no fit saw."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from scalebridge.foundation import InputError
from scalebridge.potential import (
    FitSettings,
    correct_potential,
    evaluate_errors,
    fit_report,
    rebased,
)

SETTINGS = FitSettings(max_iterations=15)


class Better(Calculator):
    """The effective-medium theory, scaled, with a longer lattice constant and other energies of atoms."""

    implemented_properties = ("energy", "forces", "stress")

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        super().calculate(atoms, properties, system_changes)
        shrunk = self.atoms.copy()
        shrunk.set_cell(0.98 * shrunk.cell, scale_atoms=True)
        shrunk.calc = EMT()
        gold = np.sum(self.atoms.symbols == "Au")
        self.results = {
            "energy": 1.2 * shrunk.get_potential_energy() - 7.0 * len(self.atoms) + 3.0 * gold,
            "forces": 1.2 * 0.98 * shrunk.get_forces(),
            "stress": 1.2 * 0.98**3 * shrunk.get_stress(),
        }


def labels(calculator: Calculator, count: int, seed: int) -> list[Atoms]:
    rng = np.random.default_rng(seed)
    frames = []
    for number in range(count):
        atoms = bulk("Cu", a=rng.uniform(3.7, 4.1), cubic=True)
        atoms.symbols[: number % 4] = "Au"
        atoms.positions += rng.normal(0, 0.1, (4, 3))
        atoms.calc = calculator
        results = {key: calculator.get_property(key, atoms) for key in ("energy", "forces", "stress")}
        atoms.calc = SinglePointCalculator(atoms, **results)
        frames.append(atoms)
    return frames


@pytest.fixture(scope="module")
def cheap():
    return fit_report(labels(EMT(), 80, seed=1), level=8, cutoff=5.0, settings=SETTINGS).potential


@pytest.mark.parametrize("count", [8, 20])
def test_few_better_labels_correct_a_cheap_potential_better_than_they_fit_one(cheap, count):
    few, unseen = labels(Better(), count, seed=2), labels(Better(), 40, seed=3)
    alone = fit_report(few, level=8, cutoff=5.0, species=cheap.species, settings=SETTINGS).potential
    corrected = correct_potential(cheap, few, settings=SETTINGS)
    errors = [
        evaluate_errors(potential, unseen)
        for potential in (corrected.report.potential, alone, rebased(cheap, few))
    ]
    assert errors[0].force_rmse < 0.75 * min(errors[1].force_rmse, errors[2].force_rmse)
    assert errors[0].energy_rmse < min(errors[1].energy_rmse, errors[2].energy_rmse)


def test_many_better_labels_overrule_the_prior_and_none_is_lost(cheap):
    """With labels enough the chosen ridge is a small one, and the errors approach those of the fit alone."""
    many, unseen = labels(Better(), 60, seed=4), labels(Better(), 40, seed=5)
    corrected = correct_potential(cheap, many, settings=SETTINGS)
    assert corrected.ridge < 1e-2
    assert corrected.ridge == corrected.ridges[int(np.argmin(corrected.losses))]
    alone = fit_report(many, level=8, cutoff=5.0, species=cheap.species, settings=SETTINGS).potential
    found, fitted = (evaluate_errors(p, unseen) for p in (corrected.report.potential, alone))
    assert found.force_rmse < 1.2 * fitted.force_rmse
    left_out = corrected.errors
    assert len(left_out.reference_energies) == len(many)
    assert left_out.force_rmse == pytest.approx(found.force_rmse, rel=0.5)


def test_energies_of_atoms_move_freely(cheap):
    """Offsets of −7 and −4 eV per atom are found from two compositions."""
    frames = labels(EMT(), 6, seed=6)
    for atoms in frames:
        gold = np.sum(atoms.symbols == "Au")
        atoms.calc.results["energy"] += -7.0 * len(atoms) + 3.0 * gold
    moved = rebased(cheap, frames)
    change = dict(zip(cheap.species, moved.offsets - cheap.offsets, strict=True))
    assert change["Cu"] == pytest.approx(-7.0, abs=0.05)
    assert change["Au"] == pytest.approx(-4.0, abs=0.05)


def test_too_few_independent_labels_are_refused(cheap):
    frames = labels(Better(), 8, seed=7)
    with pytest.raises(InputError, match="2 independent labels cannot say how firmly"):
        correct_potential(cheap, frames, groups=["a"] * 4 + ["b"] * 4, settings=SETTINGS)
