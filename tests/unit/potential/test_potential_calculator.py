"""The potential behind ASE's interface, as a correction of another calculator."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from scalebridge.foundation import InputError, hash_file
from scalebridge.potential import MomentTensorPotential, MTPCalculator, fit
from scalebridge.potential.calculator import correction


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
