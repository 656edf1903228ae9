import math
import pickle
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from potential_cases import random_crystal, random_potential

from scalebridge.foundation import InputError
from scalebridge.potential._reference import compute_reference

SPECIES = (("Si",), ("Na", "Mn", "O"))


@pytest.mark.parametrize("species", SPECIES)
@pytest.mark.parametrize("level", [2, 6, 10, 14])
def test_kernel_equals_the_numpy_reference(level, species):
    potential = random_potential(level, species)
    atoms = random_crystal(species, seed=level)
    fast, slow = potential.compute(atoms), compute_reference(potential, atoms)
    np.testing.assert_allclose(fast.energies, slow.energies, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(fast.forces, slow.forces, rtol=1e-12, atol=1e-12 * np.abs(slow.forces).max())
    np.testing.assert_allclose(fast.stress, slow.stress, rtol=1e-12, atol=1e-12 * np.abs(slow.stress).max())


@pytest.mark.parametrize(
    ("level", "species", "cutoff", "scale"),
    [
        (20, ("Li", "Na", "Mn", "Fe", "C", "N", "O", "P"), 5.0, 1.0),
        (24, ("Si",), 5.0, 1.0),
        pytest.param(28, ("Si",), 5.0, 1.0, marks=pytest.mark.slow),
        (12, ("Na", "Mn"), 10.0, 0.45),  # 1950 neighbours of each atom
    ],
)
def test_the_largest_potentials_equal_the_numpy_reference(level, species, cutoff, scale):
    potential = random_potential(level, species, cutoff=cutoff)
    atoms = random_crystal(species, seed=2, repeat=(1, 1, 1))
    atoms.set_cell(scale * atoms.cell.array, scale_atoms=True)
    fast, slow = potential.compute(atoms), compute_reference(potential, atoms)
    np.testing.assert_allclose(fast.energies, slow.energies, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(fast.forces, slow.forces, rtol=1e-12, atol=1e-12 * np.abs(slow.forces).max())


@pytest.mark.parametrize(
    ("pbc", "cell"),
    [
        ((True, True, False), np.diag([6.0, 5.0, 9.0])),
        ((False, True, False), np.array([[0.0, 0, 0], [1.0, 4.0, 0.5], [0, 0, 0]])),
        ((False, False, False), np.zeros((3, 3))),
        ((True, True, True), np.array([[3.0, 0, 0], [2.5, 3.5, 0], [-1.0, 2.0, 2.9]])),
    ],
)
def test_open_directions_and_small_cells(pbc, cell):
    random = np.random.default_rng(5)
    atoms = Atoms("SiOSi", positions=[[0, 0, 0], [1.9, 0.3, 0.2], [-0.4, 2.0, 0.9]], cell=cell, pbc=pbc)
    atoms.positions += 0.1 * random.standard_normal((3, 3))
    potential = random_potential(8, ("O", "Si"))
    fast, slow = potential.compute(atoms), compute_reference(potential, atoms)
    np.testing.assert_allclose(fast.energies, slow.energies, rtol=1e-12)
    np.testing.assert_allclose(fast.forces, slow.forces, atol=1e-12 * max(1.0, np.abs(slow.forces).max()))
    assert np.isnan(fast.stress).all() == (not all(pbc))


@pytest.mark.parametrize("species", SPECIES)
@pytest.mark.parametrize("level", [8, 12, 16])
def test_forces_and_stress_are_derivatives_of_the_energy(level, species):
    potential = random_potential(level, species)
    atoms = random_crystal(species, seed=7)
    out = potential.compute(atoms)
    random = np.random.default_rng(level)

    def central(displace, step):
        energies = []
        for sign in (1.0, -1.0):
            moved = atoms.copy()
            displace(moved, sign * step)
            energies.append(potential.compute_energy(moved))
        return (energies[0] - energies[1]) / (2.0 * step)

    def richardson(displace, step=1e-3):
        return (4.0 * central(displace, step / 2) - central(displace, step)) / 3.0

    direction = random.standard_normal(atoms.positions.shape)
    slope = richardson(lambda a, h: a.set_positions(a.positions + h * direction))
    scale = np.abs(out.forces).max()
    assert slope == pytest.approx(-np.sum(out.forces * direction), abs=1e-7 * scale * direction.size)
    strain = random.standard_normal((3, 3))
    strain += strain.T
    slope = richardson(
        lambda a, h: a.set_cell(a.cell.array @ (np.eye(3) + h * strain), scale_atoms=True), 3e-4
    )
    expected = atoms.get_volume() * np.sum(out.stress * strain)
    assert slope == pytest.approx(expected, rel=1e-6, abs=1e-6 * scale)


def test_symmetries_of_the_energy():
    species = ("Na", "Mn", "O")
    potential = random_potential(14, species)
    atoms = random_crystal(species, seed=3)
    out = potential.compute(atoms)
    random = np.random.default_rng(0)
    shifted = atoms.copy()
    shifted.positions += (
        random.standard_normal(3) + random.integers(-3, 4, (len(atoms), 3)) @ atoms.cell.array
    )
    np.testing.assert_allclose(potential.compute(shifted).energies, out.energies, rtol=1e-11)
    rotation = np.linalg.qr(random.standard_normal((3, 3)))[0]
    rotated = atoms.copy()
    rotated.set_cell(atoms.cell.array @ rotation.T, scale_atoms=True)
    turned = potential.compute(rotated)
    np.testing.assert_allclose(turned.energies, out.energies, rtol=1e-11)
    np.testing.assert_allclose(turned.forces, out.forces @ rotation.T, atol=1e-11 * np.abs(out.forces).max())
    order = random.permutation(len(atoms))
    np.testing.assert_allclose(potential.compute(atoms[order]).energies, out.energies[order], rtol=1e-11)
    large = potential.compute(atoms * (2, 3, 1))
    assert large.energy == pytest.approx(6 * out.energy, rel=1e-12)
    np.testing.assert_allclose(large.stress, out.stress, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(out.forces.sum(axis=0), 0.0, atol=1e-10 * np.abs(out.forces).max())


def test_an_isolated_atom_has_its_offset_exactly():
    potential = random_potential(12, ("Na", "Mn", "O"))
    for z, symbol in enumerate(potential.species):
        assert potential.compute_energy(Atoms(symbol)) == potential.offsets[z]
        far = Atoms([symbol], cell=np.eye(3) * 11.0, pbc=True)
        out = potential.compute(far)
        assert out.energy == potential.offsets[z]
        assert (out.forces == 0.0).all() and (out.stress == 0.0).all()


def test_energy_and_forces_go_smoothly_to_zero_at_the_cutoff():
    potential = random_potential(10, ("Si",))
    for gap in (1e-3, 1e-5):
        pair = Atoms("Si2", positions=[[0, 0, 0], [0, 0, potential.cutoff - gap]])
        out = potential.compute(pair)
        assert abs(out.energy - 2 * potential.offsets[0]) < 100 * gap**2
        assert np.abs(out.forces).max() < 100 * gap


def test_rows_are_derivatives_with_respect_to_the_parameters():
    species = ("Na", "O")
    potential = random_potential(10, species)
    atoms = random_crystal(species, seed=4)
    rows = potential.rows(atoms)
    assert rows.shape == (len(atoms), potential.n_parameters)
    theta = np.concatenate([potential.radial.ravel(), potential.offsets, potential.xi])
    # every B is a polynomial in the radial coefficients, linear in the rest
    random = np.random.default_rng(8)
    direction = random.standard_normal(theta.size)

    def energies(step):
        radial, rest = np.split(theta + step * direction, [potential.radial.size])
        offsets, xi = rest[: len(species)], rest[len(species) :]
        moved = potential.with_parameters(
            radial=radial.reshape(potential.radial.shape), xi=xi, offsets=offsets
        )
        return moved.compute(atoms).energies

    def central(step):
        return (energies(step) - energies(-step)) / (2 * step)

    step = 2e-4
    numeric = (4 * central(step / 2) - central(step)) / 3
    np.testing.assert_allclose(rows @ direction, numeric, rtol=1e-7, atol=1e-7 * np.abs(numeric).max())


def test_design_matrix_reproduces_energy_forces_and_virial():
    species = ("Na", "Mn", "O")
    potential = random_potential(12, species)
    atoms = random_crystal(species)
    kernel, configuration = potential.kernel(), potential.configure(atoms)
    values, gradients, virials = kernel.design(configuration)
    energies, forces, virial = kernel.evaluate(configuration)
    offsets = potential.offsets[configuration.types].sum()
    assert values @ potential.xi + offsets == pytest.approx(energies.sum(), rel=1e-12)
    np.testing.assert_allclose(-gradients @ potential.xi, forces, atol=1e-11 * np.abs(forces).max())
    np.testing.assert_allclose(virials @ potential.xi, virial, atol=1e-11 * np.abs(virial).max())


def test_hard_core_is_an_exact_function_of_the_configuration():
    potential = random_potential(8, ("Si",), hard_core=1.8)
    near, far = (Atoms("Si2", positions=[[0, 0, 0], [0, 0, d]]) for d in (1.799999, 1.800001))
    assert potential.compute(near).energy == math.inf
    assert potential.compute_energy(near) == math.inf
    free = potential.without_hard_core()
    assert math.isfinite(free.compute_energy(near))
    assert potential.compute_energy(far) == free.compute_energy(far)
    image = Atoms("Si", cell=np.diag([1.7, 8.0, 8.0]), pbc=True)
    assert potential.compute_energy(image) == math.inf
    on_top = Atoms("Si2", positions=np.zeros((2, 3)))
    assert free.compute_energy(on_top) == math.inf


def test_bad_input_is_refused_with_the_reason():
    potential = random_potential(8, ("Si",))
    with pytest.raises(InputError, match="species O unknown"):
        potential.compute(molecule("O2"))
    kernel = potential.kernel()
    with pytest.raises(InputError, match="not finite"):
        kernel.energy([0], [[np.nan, 0, 0]], np.eye(3), [False] * 3)
    with pytest.raises(InputError, match="linearly dependent or zero"):
        kernel.energy([0], [[0, 0, 0]], np.zeros((3, 3)), [True] * 3)
    with pytest.raises(InputError, match=r"type 3 of atom 0 is outside 0\.\.0"):
        kernel.energy([3], [[0, 0, 0]], np.eye(3), [False] * 3)
    with pytest.raises(InputError, match=r"positions must have shape \(N, 3\)"):
        kernel.energy([0, 0], [[0, 0, 0]], np.eye(3), [False] * 3)
    with pytest.raises(InputError, match="images of a cell with 1 atoms; use a larger cell"):
        kernel.energy([0], [[0, 0, 0]], 1e-3 * np.eye(3), [True] * 3)
    with pytest.raises(InputError, match="min_distance"):
        replace(potential, cutoff=1.0)
    with pytest.raises(InputError, match="radial has shape"):
        replace(potential, radial=np.zeros((2, 2, 1, 8)))


def test_potential_and_kernel_cross_process_borders():
    potential = random_potential(8, ("Si",))
    atoms = random_crystal(("Si",))
    energy = potential.compute_energy(atoms)
    assert pickle.loads(pickle.dumps(potential)).compute_energy(atoms) == energy
    kernel = pickle.loads(pickle.dumps(potential.kernel()))
    assert kernel.energy(potential.types(atoms), atoms.positions, atoms.cell.array, atoms.pbc) == energy


def test_results_do_not_depend_on_repetition():
    potential = random_potential(12, ("Na", "Mn", "O"))
    atoms = random_crystal(("Na", "Mn", "O"))
    first, second = potential.compute(atoms), potential.compute(atoms)
    assert first.energy == second.energy
    assert (first.forces == second.forces).all()


def test_cell_list_agrees_with_images_in_large_cells():
    """The energy per atom of a perfect crystal is that of its primitive cell."""
    potential = random_potential(8, ("Si",))
    primitive = bulk("Si")
    large = bulk("Si", cubic=True) * (4, 3, 5)
    energy = potential.compute_energy(primitive) / len(primitive)
    assert potential.compute_energy(large) / len(large) == pytest.approx(energy, rel=1e-12)


def test_a_configuration_of_another_potential_is_refused():
    two, three = (random_potential(4, species) for species in (("Na", "O"), ("Na", "Mn", "O")))
    atoms = random_crystal(("Na", "Mn", "O"))
    kernel, configuration = two.kernel(), three.configure(atoms)
    message = r"made by a potential of 3 species and cutoff 5\.0+; configure it with this one"
    for ask in (kernel.evaluate, kernel.atom_energies, kernel.scalar_functions, kernel.design, kernel.record):
        with pytest.raises(InputError, match=message):
            ask(configuration)
    wider = random_potential(4, ("Na", "Mn", "O"), cutoff=6.0)
    with pytest.raises(InputError, match=message):
        wider.compute(atoms, configuration=configuration)
    with pytest.raises(InputError, match=r"skin -0\.1"):
        three.configure(atoms, skin=-0.1)
    rows = np.zeros((2, 2))
    for name, bad in (("hard_core", -0.1), ("repulsion", np.nan), ("repulsion", 5.5)):
        table = rows.copy()
        table[0, 0] = bad
        with pytest.raises(InputError, match=f"{name} .* must be a symmetric table of distances"):
            replace(two, **{name: table})
    with pytest.raises(InputError, match="must be a symmetric table"):
        replace(two, repulsion=np.array([[0.0, 2.0], [0.0, 0.0]]))


@pytest.mark.parametrize("pbc", [False, (True, False, False)])
def test_atoms_far_from_all_others_change_no_neighbours(pbc):
    """A cluster beside a few atoms at up to 1e5 Å: bins along the whole extent would hold all at once."""
    potential = random_potential(6, ("Na", "O"))
    cluster = random_crystal(("Na", "O"), seed=1, repeat=(3, 3, 3))
    cluster.pbc = pbc
    near = cluster.copy()
    far = cluster + Atoms("Na3", positions=[[0, 1e5, 3e4], [0, -7e4, 20], [0, 30, 5e4]])
    far.pbc = pbc
    one, two = potential.compute(near), potential.compute(far)
    np.testing.assert_allclose(two.energies[: len(near)], one.energies, rtol=1e-12)
    np.testing.assert_allclose(two.forces[: len(near)], one.forces, atol=1e-11)
    assert potential.configure(far).n_pairs == potential.configure(near).n_pairs
