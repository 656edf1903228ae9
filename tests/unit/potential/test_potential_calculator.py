"""The potential behind ASE's interface, as a correction of another calculator."""

import pickle
from copy import copy, deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from potential_cases import random_crystal, random_potential

from scalebridge.foundation import InputError, hash_file
from scalebridge.potential import MomentTensorPotential, MTPCalculator, fit
from scalebridge.potential._kernels import Configuration
from scalebridge.potential.calculator import SKIN, correction


def labelled(seed: int) -> object:
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.1, seed=seed)
    atoms.calc = EMT()
    atoms.get_potential_energy()
    atoms.get_stress()
    return atoms


@pytest.fixture(scope="module")
def potential() -> MomentTensorPotential:
    fitted = fit([labelled(seed) for seed in range(8)], level=2, cutoff=5.0, max_iterations=5)
    return replace(fitted, hard_core=np.full((1, 1), 3.0))


def test_a_correction_has_no_hard_core_and_the_energy_of_its_potential(
    potential: MomentTensorPotential, tmp_path: Path
) -> None:
    path = tmp_path / "delta.mtp"
    potential.save(path)
    atoms = bulk("Cu", cubic=True)
    atoms.calc = MTPCalculator(potential)
    assert atoms.get_potential_energy() == np.inf
    atoms.calc = correction(path=str(path), sha256=hash_file(path))
    smooth = potential.without_hard_core().compute(atoms)
    assert np.isclose(atoms.get_potential_energy(), smooth.energy, rtol=1e-12)


def test_a_correction_that_changed_since_the_recipe_was_read_is_refused(
    potential: MomentTensorPotential, tmp_path: Path
) -> None:
    path = tmp_path / "delta.mtp"
    potential.save(path)
    with pytest.raises(InputError, match=r"delta.mtp: its content changed .* start the run again"):
        correction(path=str(path), sha256="0" * 64)


def test_a_kept_neighbour_list_changes_nothing_whatever_the_atoms_do(
    potential: MomentTensorPotential, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small steps, a long one, wrapping, another cell: as if asked for the first time."""
    smooth = potential.without_hard_core()
    atoms = bulk("Cu", cubic=True).repeat(2)
    atoms.calc = MTPCalculator(smooth)
    random = np.random.default_rng(0)
    built: list[float] = []
    configure = MomentTensorPotential.configure

    def counted(self: MomentTensorPotential, of: Atoms, *, skin: float = 0.0) -> Configuration:
        built.append(skin)
        return configure(self, of, skin=skin)

    def same() -> bool:
        fresh = smooth.compute(atoms.copy())
        return bool(
            np.isclose(atoms.get_potential_energy(), fresh.energy, rtol=1e-12)
            and np.allclose(atoms.get_forces(), fresh.forces, atol=1e-10)
            and np.allclose(atoms.get_stress(voigt=False), fresh.stress, atol=1e-12)
        )

    for _ in range(12):
        atoms.positions += 0.03 * random.standard_normal(atoms.positions.shape)
        assert same()
    atoms.positions[3] += [0.0, 1.5, 0.0]
    assert same()
    atoms.wrap()
    assert same()
    atoms.set_cell(1.02 * atoms.cell, scale_atoms=True)
    assert same()
    atoms.pbc = (True, True, False)
    assert np.allclose(atoms.get_forces(), smooth.compute(atoms.copy()).forces, atol=1e-10)

    monkeypatch.setattr(MomentTensorPotential, "configure", counted)
    atoms.calc = MTPCalculator(smooth)
    for _ in range(5):
        atoms.positions += 0.01
        atoms.get_forces()
    assert built == [0.0, SKIN]
    forces = atoms.get_forces()
    shallow = copy(atoms.calc)
    elsewhere = atoms.copy()
    elsewhere.positions[0] += 0.05
    shallow.get_forces(elsewhere)
    atoms.positions[0] += 0.05
    atoms.get_forces()
    atoms.positions[0] -= 0.05
    assert np.allclose(shallow.get_forces(elsewhere), smooth.compute(elsewhere).forces, atol=1e-10)
    assert np.allclose(atoms.get_forces(), forces, atol=1e-10)
    atoms.calc.potential = smooth.with_parameters(xi=2 * smooth.xi)
    atoms.calc.reset()
    assert np.allclose(atoms.get_forces(), 2 * forces, atol=1e-10)
    atoms.calc.potential = smooth
    atoms.calc.reset()
    atoms.get_forces()
    for copied in (deepcopy(atoms.calc), pickle.loads(pickle.dumps(atoms.calc))):
        assert np.allclose(copied.get_forces(atoms), forces, atol=1e-12)
    atoms.set_initial_charges(np.ones(len(atoms)))
    assert atoms.calc.check_state(atoms) == []


def test_atoms_that_became_others_are_computed_anew() -> None:
    two = random_potential(6, ("Na", "O")).without_hard_core()
    atoms = random_crystal(("Na", "O"))
    atoms.calc = MTPCalculator(two)
    before = atoms.get_potential_energy()
    atoms.numbers[:2] = atoms.numbers[1::-1]
    assert atoms.calc.check_state(atoms) == ["numbers"]
    assert atoms.get_potential_energy() != before
    assert np.isclose(atoms.get_potential_energy(), two.compute(atoms.copy()).energy, rtol=1e-12)
    atoms.symbols[2:4] = "O"
    assert np.allclose(atoms.get_forces(), two.compute(atoms.copy()).forces, atol=1e-10)
