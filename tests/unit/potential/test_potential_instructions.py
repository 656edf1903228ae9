"""Every instruction set against the NumPy reference and finite differences, in every kind of batch."""

from collections.abc import Callable

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from potential_cases import random_crystal, random_potential

from scalebridge.foundation import InputError
from scalebridge.potential import MomentTensorPotential
from scalebridge.potential._kernel_data import FloatArray
from scalebridge.potential._kernels import Configuration, Kernel
from scalebridge.potential._reference import compute_reference

INSTRUCTIONS = ("baseline", "avx2", "avx512")
NINE = ("H", "Li", "O", "Na", "Mn", "Fe", "Ni", "Si", "P")


@pytest.fixture(params=INSTRUCTIONS)
def instructions(request: pytest.FixtureRequest) -> str:
    kernel = Kernel(random_potential(2, ("Si",)).kernel().parameters, instructions=request.param)
    try:
        assert kernel.instructions == request.param
    except InputError:
        pytest.skip(f"{request.param} is not supported by this processor")
    return str(request.param)


def _kernel(potential: MomentTensorPotential, instructions: str) -> Kernel:
    return Kernel(potential.kernel().parameters, instructions=instructions)


def _configure(kernel: Kernel, potential: MomentTensorPotential, atoms: Atoms) -> Configuration:
    return kernel.configure(potential.types(atoms), atoms.positions, atoms.cell.array, atoms.pbc)


def _assert_equals_reference(potential: MomentTensorPotential, atoms: Atoms, instructions: str) -> None:
    kernel = _kernel(potential, instructions)
    energies, forces, virial = kernel.evaluate(_configure(kernel, potential, atoms))
    slow = compute_reference(potential, atoms)
    np.testing.assert_allclose(energies, slow.energies, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(forces, slow.forces, rtol=0, atol=1e-12 * np.abs(slow.forces).max())
    expected = -slow.stress * atoms.get_volume()
    symmetric = 0.5 * (virial + virial.T)
    np.testing.assert_allclose(symmetric, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("species", [("Si",), ("Na", "Mn", "O"), NINE])
@pytest.mark.parametrize("level", [2, 8, 16])
def test_energies_forces_and_virial_equal_the_reference(instructions, species, level):
    potential = random_potential(level, species)
    _assert_equals_reference(potential, random_crystal(species, seed=level), instructions)


def test_high_levels_equal_the_reference(instructions):
    atoms = bulk("Si")
    atoms.positions[1] += (0.2, -0.1, 0.3)
    _assert_equals_reference(random_potential(20, ("Si",), cutoff=4.0), atoms, instructions)


def test_thousands_of_neighbours_and_long_cutoffs(instructions):
    dense = bulk("Si", a=2.4)
    dense.positions[1] += (0.1, 0.05, -0.1)
    potential = random_potential(4, ("Si",), cutoff=10.0)
    assert potential.configure(dense).n_pairs > 2000 * len(dense)
    _assert_equals_reference(potential, dense, instructions)


def _richardson(value: Callable[[float], FloatArray], step: float) -> FloatArray:
    def central(h: float) -> FloatArray:
        return (value(h) - value(-h)) / (2.0 * h)

    return (4.0 * central(step / 2) - central(step)) / 3.0


@pytest.mark.parametrize("species", [("Si",), ("Na", "Mn", "O"), NINE])
def test_loss_gradient_is_the_derivative_with_respect_to_every_parameter(instructions, species):
    potential = random_potential(12, species)
    atoms = random_crystal(species, seed=2)
    random = np.random.default_rng(3)
    velocities, rate = random.standard_normal((len(atoms), 3)), random.standard_normal((3, 3))
    d_radial = random.standard_normal(potential.radial.shape)
    d_xi = random.standard_normal(potential.xi.shape)
    weight = 0.7

    def along(d_radial: FloatArray | float, d_xi: FloatArray | float) -> Callable[[float], FloatArray]:
        def value(step: float) -> FloatArray:
            moved = potential.with_parameters(
                radial=potential.radial + step * d_radial, xi=potential.xi + step * d_xi
            )
            kernel = _kernel(moved, instructions)
            energies, forces, virial = kernel.evaluate(_configure(kernel, moved, atoms))
            return np.asarray(weight * energies.sum() - np.sum(velocities * forces) - np.sum(rate * virial.T))

        return value

    kernel = _kernel(potential, instructions)
    recording = kernel.record(_configure(kernel, potential, atoms))
    linear, radial = recording.loss_gradient(weight, velocities, rate)
    numeric = _richardson(along(d_radial, 0.0), 1e-3)
    assert np.sum(radial * d_radial) == pytest.approx(float(numeric), rel=1e-8)
    numeric = _richardson(along(0.0, d_xi), 1e-3)
    assert linear @ d_xi == pytest.approx(float(numeric), rel=1e-8)


def test_a_recording_holds_what_an_evaluation_returns(instructions):
    potential = random_potential(10, ("Na", "Mn", "O"))
    kernel = _kernel(potential, instructions)
    configuration = _configure(kernel, potential, random_crystal(("Na", "Mn", "O")))
    first, again = kernel.record(configuration), kernel.record(configuration)
    energies, forces, virial = kernel.evaluate(configuration)
    assert (first.energies == energies).all()
    assert (first.forces == forces).all()
    assert (first.virial == virial).all()
    velocities = np.random.default_rng(0).standard_normal(forces.shape)
    results = [r.loss_gradient(1.0, velocities, np.eye(3)) for r in (first, again, first)]
    for linear, radial in results[1:]:
        assert (linear == results[0][0]).all()
        assert (radial == results[0][1]).all()


def test_rows_and_design_agree_with_each_other_and_the_forces(instructions):
    species = ("Na", "Mn", "O")
    potential = random_potential(12, species)
    atoms = random_crystal(species, seed=1)
    kernel = _kernel(potential, instructions)
    configuration = _configure(kernel, potential, atoms)
    values, radial = kernel.scalar_functions(configuration)
    sums, gradients, virials = kernel.design(configuration)
    energies, forces, virial = kernel.evaluate(configuration)
    recording = kernel.record(configuration)
    np.testing.assert_allclose(
        values @ potential.xi + potential.offsets[configuration.types], energies, rtol=1e-12
    )
    np.testing.assert_allclose(values.sum(axis=0), sums, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(-gradients @ potential.xi, forces, atol=1e-12 * np.abs(forces).max())
    np.testing.assert_allclose(virials @ potential.xi, virial, atol=1e-12 * np.abs(virial).max())
    linear, total = recording.loss_gradient(1.0, np.zeros_like(forces), np.zeros((3, 3)))
    np.testing.assert_allclose(linear, sums, rtol=1e-12, atol=1e-12)
    by_centre = np.zeros_like(potential.radial)
    np.add.at(by_centre, configuration.types, radial)
    np.testing.assert_allclose(by_centre, total, atol=1e-12 * np.abs(total).max())
