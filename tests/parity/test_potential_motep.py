"""Energies, forces and stresses against motep, an independent implementation, through our .mtp files."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.data import atomic_numbers
from ase.stress import full_3x3_to_voigt_6_stress

from scalebridge.potential import MomentTensorPotential, read_cfg, write_cfg
from scalebridge.potential._basis import generate_basis

motep_io = pytest.importorskip("motep.io.mlip.mtp")
motep_cfg = pytest.importorskip("motep.io.mlip.cfg")
motep_calculator = pytest.importorskip("motep.calculator")

SPECIES = (("Si",), ("Na", "Mn", "O"), ("Na", "Mn", "Fe", "C", "N"))


def _potential(level: int, species: tuple[str, ...]) -> MomentTensorPotential:
    basis = generate_basis(level)
    random = np.random.default_rng([level, len(species)])
    n = len(species)
    radial = random.uniform(-0.5, 0.5, (n, n, basis.n_radial, 8))
    xi, offsets = random.uniform(-1, 1, len(basis.scalars)), random.uniform(-3, 3, n)
    return MomentTensorPotential(
        species, level, basis, 1.7, 5.2, 0.01, radial, xi, offsets, np.full((n, n), 0.5)
    )


def _structures(species: tuple[str, ...]) -> list[Atoms]:
    random = np.random.default_rng(len(species))
    triclinic = bulk("Si", cubic=True)
    triclinic.set_cell(
        triclinic.cell.array @ (np.eye(3) + 0.1 * random.standard_normal((3, 3))), scale_atoms=True
    )
    primitive = bulk("Si") * (1, 1, 2)
    out = []
    for atoms in (triclinic, primitive):
        atoms.positions += 0.1 * random.standard_normal(atoms.positions.shape)
        atoms.symbols = [species[n % len(species)] for n in range(len(atoms))]
        out.append(atoms)
    return out


@pytest.mark.parametrize("species", SPECIES)
@pytest.mark.parametrize("level", range(2, 26, 2))
def test_energy_forces_and_stress_equal_motep(tmp_path, level, species):
    potential = _potential(level, species)
    potential.save(tmp_path / "x.mtp")
    data = motep_io.read_mtp(tmp_path / "x.mtp")
    data.species = [atomic_numbers[symbol] for symbol in species]
    ours = MomentTensorPotential.load(tmp_path / "x.mtp")
    for atoms in _structures(species):
        out = ours.compute(atoms)
        atoms.calc = motep_calculator.MTP(data, engine="cext")
        assert out.energy == pytest.approx(atoms.get_potential_energy(), rel=1e-10)
        for mine, theirs in ((out.forces, atoms.get_forces()), (out.stress, atoms.get_stress(voigt=False))):
            np.testing.assert_allclose(mine, theirs, rtol=1e-10, atol=1e-10 * np.abs(theirs).max())


def test_files_written_by_motep_are_read(tmp_path):
    species = ("Na", "Mn", "O")
    potential = _potential(8, species)
    potential.save(tmp_path / "x.mtp")
    data = motep_io.read_mtp(tmp_path / "x.mtp")
    atoms = _structures(species)[0]
    energy = potential.compute_energy(atoms)
    for legacy in (True, False):
        data.potential_tag = ""
        motep_io.write_mtp(tmp_path / "y.mtp", data, legacy=legacy)
        again = MomentTensorPotential.load(tmp_path / "y.mtp", species=species)
        assert again.compute_energy(atoms) == pytest.approx(energy, rel=1e-13)


def test_cfg_files_agree_with_motep(tmp_path):
    species = ("Na", "Mn", "O")
    potential = _potential(6, species)
    frames = []
    for atoms in _structures(species):
        out = potential.compute(atoms)
        labelled = atoms.copy()
        stress = full_3x3_to_voigt_6_stress(out.stress)
        labelled.calc = SinglePointCalculator(labelled, energy=out.energy, forces=out.forces, stress=stress)
        frames.append(labelled)
    write_cfg(tmp_path / "x.cfg", frames, species=species)
    theirs = motep_cfg.read_cfg(tmp_path / "x.cfg", index=":", species=list(species))
    ours = read_cfg(tmp_path / "x.cfg", species=species)
    for mine, their in zip(ours, theirs, strict=True):
        assert str(mine.symbols) == str(their.symbols)
        np.testing.assert_allclose(mine.positions, their.positions)
        assert mine.get_potential_energy() == their.get_potential_energy()
        np.testing.assert_allclose(mine.get_forces(), their.get_forces())
        np.testing.assert_allclose(mine.get_stress(), their.get_stress(), rtol=1e-10, atol=1e-14)
