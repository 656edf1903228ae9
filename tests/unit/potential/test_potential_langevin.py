"""Langevin bursts of the core against their twin, and where they end early."""

import math
from dataclasses import replace

import numpy as np
import pytest
from potential_cases import random_crystal, random_potential

from scalebridge.foundation import InputError
from scalebridge.potential import CellBath, LangevinPath, follow_langevin
from scalebridge.sampling import Evaluation
from scalebridge.sampling._reference import follow_langevin_reference

STEPS, EVERY = 12, 4


def problem(cell=None, seed=0):
    """A potential that binds weakly, its atoms, and a path of a few steps."""
    potential = random_potential(6, ("Si", "O"), seed=3)
    weak = potential.with_parameters(xi=0.2 * np.abs(potential.xi))
    atoms, random = random_crystal(("Si", "O"), seed=seed), np.random.default_rng(seed)
    velocities = 0.01 * random.standard_normal(atoms.positions.shape)
    path = LangevinPath(
        masses=atoms.get_masses(),
        timestep=0.8,
        friction=0.05,
        thermal_energy=0.03,
        noise=random.standard_normal((STEPS, len(atoms), 3)),
        cell=cell,
    )
    return weak, (weak.types(atoms), atoms.positions, velocities, atoms.cell.array), path


def bath(*, isotropic, pressure=0.01):
    noise = np.random.default_rng(5).standard_normal((STEPS // EVERY, 6))
    return CellBath(isotropic=isotropic, every=EVERY, rate=0.02, pressure=pressure, noise=noise)


def twin(potential, arrays, path):
    kernel = potential.kernel()

    def evaluate(types, positions, cell):
        energies, forces, virial = kernel.energy_forces_virial(types, positions, cell, [True] * 3)
        return Evaluation(float(energies.sum()), forces, virial)

    return follow_langevin_reference(evaluate, *arrays, path=path)


@pytest.mark.parametrize("cell", [None, bath(isotropic=True), bath(isotropic=False)])
def test_core_equals_its_twin(cell):
    potential, arrays, path = problem(cell)
    found = follow_langevin(potential.kernel(), *arrays, path=path)
    expected = twin(potential, arrays, path)
    np.testing.assert_allclose(found.positions, expected.positions, atol=1e-10)
    np.testing.assert_allclose(found.velocities, expected.velocities, atol=1e-10)
    np.testing.assert_allclose(found.cell, expected.cell, atol=1e-10)
    assert found.energy == pytest.approx(expected.energy, rel=1e-10)
    moved = np.abs(found.cell - arrays[3]).max()
    assert moved > 1e-3 if cell is not None else moved == 0.0


def test_an_isotropic_bath_keeps_the_shape_and_a_full_one_does_not():
    shapes = []
    for isotropic in (True, False):
        potential, arrays, path = problem(bath(isotropic=isotropic))
        end = follow_langevin(potential.kernel(), *arrays, path=path).cell
        ratio = end @ np.linalg.inv(arrays[3])
        shapes.append(np.abs(ratio / np.cbrt(np.linalg.det(ratio)) - np.eye(3)).max())
    assert shapes[0] < 1e-12
    assert shapes[1] > 1e-4


def test_bursts_compose():
    potential, arrays, path = problem(bath(isotropic=False))
    whole = follow_langevin(potential.kernel(), *arrays, path=path)
    cut, kernel = 2 * EVERY, potential.kernel()
    first, rest = (
        replace(path, noise=path.noise[part], cell=replace(path.cell, noise=path.cell.noise[rescalings]))
        for part, rescalings in ((slice(cut), slice(2)), (slice(cut, None), slice(2, None)))
    )
    middle = follow_langevin(kernel, *arrays, path=first)
    end = follow_langevin(kernel, arrays[0], middle.positions, middle.velocities, middle.cell, path=rest)
    np.testing.assert_allclose(end.positions, whole.positions, atol=1e-9)
    np.testing.assert_allclose(end.cell, whole.cell, atol=1e-9)


@pytest.mark.parametrize("pressure", [-50.0, 50.0])
def test_a_cell_that_runs_away_has_infinite_energy(pressure):
    potential, arrays, path = problem(bath(isotropic=True, pressure=pressure))
    end = follow_langevin(potential.kernel(), *arrays, path=path)
    assert end.energy == math.inf
    assert np.all(np.isfinite(end.positions))
    assert 0.1 < np.linalg.det(end.cell) / np.linalg.det(arrays[3]) < 10


def test_a_trajectory_that_blows_up_has_infinite_energy():
    potential, (types, positions, velocities, cell), path = problem()
    end = follow_langevin(potential.kernel(), types, positions, 1e4 * velocities, cell, path=path)
    assert end.energy == math.inf


def test_wrong_shapes_are_refused():
    potential, arrays, path = problem(bath(isotropic=True))
    kernel = potential.kernel()
    with pytest.raises(InputError, match=r"shape \(steps, N, 3\)"):
        follow_langevin(kernel, *arrays, path=replace(path, noise=path.noise[:, :-1]))
    with pytest.raises(InputError, match=r"shape \(12 // every, 6\) with every = 3"):
        follow_langevin(kernel, *arrays, path=replace(path, cell=replace(path.cell, every=3)))
