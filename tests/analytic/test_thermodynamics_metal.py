"""Configurational free energy of harmonic crystals against exact results."""

from functools import partial
from typing import Any, ClassVar

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.phonons import Phonons
from ase.units import _amu, _e, _hbar
from scipy.integrate import quad

from scalebridge.foundation import ConvergenceError, InputError, constants
from scalebridge.thermodynamics import (
    ForceConstants,
    MetalSettings,
    force_constants,
    harmonic_free_energy,
    shifted_mesh,
    solve_metal,
)

STIFFNESS = 2.5
# ⟨ln Σ_δ (1 − cos q·δ)⟩ over the zone, the spanning-tree constants of the lattices
# [Rosengren 1987; Shrock and Wu, J. Phys. A 33, 3881 (2000), Table 1]: simple and body-centred cubic
SPANNING_TREES = {"sc": 1.6733893, "bcc": 1.9901914}


class Springs(Calculator):
    """Springs K|u_i − u_j|²/2 between nearest neighbours of the monatomic lattice ``cell``."""

    implemented_properties: ClassVar[list[str]] = ["energy", "forces"]

    def __init__(self, cell: np.ndarray, stiffness: float) -> None:
        super().__init__()
        self.primitive, self.stiffness = np.asarray(cell), stiffness
        span = np.array(np.meshgrid(*3 * [[-1, 0, 1]], indexing="ij")).reshape(3, -1).T
        length = np.linalg.norm(span @ self.primitive, axis=1)
        shortest = length[length > 0].min()
        self.neighbours = span[np.isclose(length, shortest)]

    def calculate(
        self, atoms: Atoms | None = None, properties: Any = None, system_changes: Any = all_changes
    ) -> None:
        super().calculate(atoms, properties, system_changes)
        assert atoms is not None
        repeat = np.rint(np.asarray(atoms.cell) @ np.linalg.inv(self.primitive)).astype(int).diagonal()
        lattice = np.rint(atoms.positions @ np.linalg.inv(self.primitive)).astype(int)
        displacement = atoms.positions - lattice @ self.primitive
        index = {tuple(point % repeat): number for number, point in enumerate(lattice)}
        forces = np.zeros_like(displacement)
        for step in self.neighbours:
            partner = [index[tuple((point + step) % repeat)] for point in lattice]
            forces -= self.stiffness * (displacement - displacement[partner])
        self.results = {"energy": -0.5 * float(np.sum(forces * displacement)), "forces": forces}


def lattice(name: str) -> Atoms:
    return bulk("Cu", name, a=3.0)


def test_einstein_crystal_equals_the_gaussian_integral() -> None:
    kelvin = np.array([200.0, 300.0, 700.0])
    einstein = ForceConstants(np.zeros((1, 3), dtype=int), STIFFNESS * np.eye(3)[None])
    mean_log = einstein.mean_log_stiffness(3)
    assert mean_log == pytest.approx(np.log(STIFFNESS), rel=1e-14)
    for temperature, energy in zip(kelvin, harmonic_free_energy(-1.5, mean_log, kelvin), strict=True):
        beta = 1 / (constants.BOLTZMANN_EV * temperature)
        integral, _ = quad(lambda u, b=beta: np.exp(-b * STIFFNESS * u * u / 2), -9, 9, epsabs=1e-13)
        assert energy == pytest.approx(-1.5 - 3 * np.log(integral) / beta, rel=1e-10)


def test_periodic_chain_is_exact_at_any_mesh() -> None:
    # k(q) = 4K sin²(πq) and Π_j 2 sin(π(j+½)/n) = 2, so ⟨ln k⟩ = ln K + 2 ln 2/n on the shifted mesh
    translations = np.array([[0, 0, 0], [1, 0, 0], [-1, 0, 0]])
    matrices = STIFFNESS * np.array([2.0, -1.0, -1.0])[:, None, None] * np.eye(3)
    chain = ForceConstants(translations, matrices)
    for points in (1, 2, 7, 32):
        expected = np.log(STIFFNESS) + 2 * np.log(2) / points
        assert chain.mean_log_stiffness((points, 1, 1)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", ["sc", "bcc"])
def test_spring_lattices_have_their_spanning_tree_constant(name: str) -> None:
    crystal = lattice(name)
    found = force_constants(crystal, Springs(np.asarray(crystal.cell), STIFFNESS), (3, 3, 3))
    errors = []
    for mesh in (12, 24):
        errors.append(found.mean_log_stiffness(mesh) - np.log(STIFFNESS) - SPANNING_TREES[name])
    # the integrable singularity at Γ leaves an error ∝ (mesh spacing)³
    assert errors[0] / errors[1] == pytest.approx(8, rel=0.05)
    extrapolated = errors[1] + (errors[1] - errors[0]) / 7
    assert abs(extrapolated) < 2e-5
    assert abs(errors[0]) < 1e-3


@pytest.mark.parametrize("repeat", [(2, 2, 2), (3, 3, 3), (4, 3, 2)])
def test_shared_images_reproduce_commensurate_wave_vectors(repeat: tuple[int, int, int]) -> None:
    """At wave vectors of the supercell the interpolation is the supercell's own force-constant matrix."""
    crystal = bulk("Cu", "fcc", a=3.6)
    found = force_constants(crystal, EMT(), repeat)
    supercell = crystal.repeat(repeat)
    points = np.array(np.meshgrid(*[np.arange(n) / n for n in repeat], indexing="ij")).reshape(3, -1).T
    whole = force_constants(supercell, EMT(), (1, 1, 1))
    expected = np.sort(whole.eigenvalues(np.zeros((1, 3)))[0])
    assert np.sort(found.eigenvalues(points).ravel()) == pytest.approx(expected, abs=2e-4)


def test_wave_vectors_agree_with_ase_phonons(tmp_path: Any) -> None:
    crystal = bulk("Cu", "fcc", a=3.6)
    phonons = Phonons(crystal, EMT(), supercell=(5, 5, 5), delta=0.02, name=str(tmp_path / "phonons"))
    phonons.run()
    phonons.read(acoustic=True, symmetrize=3)
    points = np.array([[0.5, 0, 0], [0.5, 0.5, 0], [0.13, 0.31, -0.22]])
    frequency = np.asarray(phonons.band_structure(points)) * _e / _hbar
    expected = crystal.get_masses()[0] * _amu * frequency**2 / constants.EV_PER_ANGSTROM2
    found = force_constants(crystal, EMT(), (5, 5, 5)).eigenvalues(points)
    assert np.sort(found) == pytest.approx(np.sort(expected), rel=2e-3)


def test_supercell_convergence_of_a_metal() -> None:
    temperatures = [300.0]
    potentials = []
    for length in (5.0, 9.0, 13.0):
        settings = MetalSettings(minimum_length=length, mesh=12, samples=0)
        potentials.append(solve_metal(bulk("Cu", "fcc", a=3.6), EMT, temperatures, settings=settings))
    values = np.array([reference.chemical_potential[0] for reference in potentials])
    assert abs(values[2] - values[1]) < 2e-4
    assert abs(values[1] - values[0]) < 5e-3
    assert potentials[0].energy == pytest.approx(values[2], abs=0.2)


def test_cell_choice_does_not_matter() -> None:
    settings = MetalSettings(minimum_length=9.0, mesh=12, samples=0)
    primitive = solve_metal(bulk("Cu", "fcc", a=3.6), EMT, [300.0, 500.0], settings=settings)
    cubic = solve_metal(bulk("Cu", "fcc", a=3.6, cubic=True), EMT, [300.0, 500.0], settings=settings)
    assert cubic.energy == pytest.approx(primitive.energy, abs=1e-6)
    assert cubic.chemical_potential == pytest.approx(primitive.chemical_potential, abs=4e-4)


def test_quasi_harmonic_free_energy_is_lower_and_the_metal_expands() -> None:
    crystal = bulk("Cu", "fcc", a=3.6)
    kelvin = [100.0, 300.0, 600.0]
    plain = solve_metal(crystal, EMT, kelvin, settings=MetalSettings(minimum_length=9.0, mesh=8, samples=0))
    strains = (-0.005, 0.0, 0.005, 0.01, 0.015, 0.02)
    strained = MetalSettings(minimum_length=9.0, mesh=8, strains=strains, samples=0)
    relaxed = solve_metal(crystal, EMT, kelvin, settings=strained)
    assert np.all(np.diff([0.0, *relaxed.strain]) > 0)
    gain = plain.chemical_potential - relaxed.chemical_potential
    assert np.all(np.diff([0.0, *gain]) > 0)
    # classical: strain and gain vanish as T and T²
    assert relaxed.strain[1] / relaxed.strain[0] == pytest.approx(3, rel=0.1)
    assert gain[1] / gain[0] == pytest.approx(9, rel=0.25)


def test_gibbs_helmholtz() -> None:
    """Classical harmonic: −T² ∂(F/T)/∂T = U0 + 3kT/2 per atom, equipartition of the potential energy."""
    step = 0.1
    kelvin = np.array([300.0 - step, 300.0 + step])
    over_t = harmonic_free_energy(-2.0, 0.7, kelvin) / kelvin
    energy = -(300.0**2) * (over_t[1] - over_t[0]) / (2 * step)
    assert energy == pytest.approx(-2.0 + 1.5 * constants.BOLTZMANN_EV * 300.0, rel=1e-5)


def test_mesh_avoids_the_zone_centre() -> None:
    mesh = shifted_mesh(4)
    assert mesh.shape == (64, 3)
    assert np.linalg.norm(mesh - np.rint(mesh), axis=1).min() == pytest.approx(np.sqrt(3) / 8)


def test_unstable_lattice_is_refused() -> None:
    # simple cubic copper in EMT has soft shear modes
    crystal = bulk("Cu", "sc", a=2.4)
    found = force_constants(crystal, EMT(), (4, 4, 4))
    with pytest.raises(ConvergenceError, match=r"unstable: lowest .* give the structure that is stable"):
        found.mean_log_stiffness(6)


def test_bad_settings_are_refused() -> None:
    with pytest.raises(InputError, match="give none or at least 4"):
        MetalSettings(strains=(0.0, 0.01))
    with pytest.raises(InputError, match=r"use 0 \(harmonic\) or 2 and more"):
        MetalSettings(samples=1)
    with pytest.raises(InputError, match="must all be positive"):
        MetalSettings(displacement=0.0)
    with pytest.raises(InputError, match="must be positive; give at least one"):
        solve_metal(lattice("bcc"), partial(EMT), [0.0])
