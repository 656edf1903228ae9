import math

import numpy as np
import pytest
from ase import units
from ase.md.verlet import VelocityVerlet
from potential_cases import random_crystal, random_potential

from scalebridge.potential import MTPCalculator


def _start(seed=0):
    """Atoms near a minimum of a random potential that binds."""
    potential = random_potential(6, ("Si", "O"), seed=3)
    weak = potential.with_parameters(xi=0.2 * np.abs(potential.xi))
    atoms = random_crystal(("Si", "O"), seed=seed)
    random = np.random.default_rng(seed)
    velocities = 0.01 * random.standard_normal(atoms.positions.shape)
    return weak, atoms, velocities


def _burst(potential, atoms, velocities, timestep, steps):
    return potential.kernel().velocity_verlet(
        potential.types(atoms), atoms.positions, velocities, atoms.get_masses(), atoms.cell.array, atoms.pbc,
        timestep, steps,
    )  # fmt: skip


def test_burst_equals_ase_velocity_verlet():
    potential, atoms, velocities = _start()
    out = _burst(potential, atoms, velocities, 0.5, 60)
    atoms.calc = MTPCalculator(potential)
    atoms.set_velocities(velocities)
    VelocityVerlet(atoms, 0.5 * units.fs).run(60)
    np.testing.assert_allclose(out.positions, atoms.positions, atol=1e-8)
    np.testing.assert_allclose(out.velocities, atoms.get_velocities(), atol=1e-8)
    assert out.energy == pytest.approx(atoms.get_potential_energy(), rel=1e-10)
    assert out.steps_done == 60


def test_energy_error_is_of_second_order_in_the_time_step():
    potential, atoms, velocities = _start()
    masses = atoms.get_masses()[:, None]

    def error(timestep):
        steps = round(24.0 / timestep)
        out = _burst(potential, atoms, velocities, timestep, steps)
        before = potential.compute_energy(atoms) + 0.5 * np.sum(masses * velocities**2)
        return abs(out.energy + 0.5 * np.sum(masses * out.velocities**2) - before)

    errors = [error(timestep) for timestep in (1.0, 0.5, 0.25)]
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(orders, 2.0, atol=0.15)


def test_bursts_are_reversible_and_compose():
    potential, atoms, velocities = _start(1)
    whole = _burst(potential, atoms, velocities, 0.5, 40)
    half = _burst(potential, atoms, velocities, 0.5, 20)
    middle = atoms.copy()
    middle.positions = half.positions
    rest = _burst(potential, middle, half.velocities, 0.5, 20)
    np.testing.assert_allclose(rest.positions, whole.positions, atol=1e-9)
    end = atoms.copy()
    end.positions = whole.positions
    back = _burst(potential, end, -whole.velocities, 0.5, 40)
    np.testing.assert_allclose(back.positions, atoms.positions, atol=1e-8)


def test_no_steps_evaluate_only():
    potential, atoms, velocities = _start()
    out = _burst(potential, atoms, velocities, 1.0, 0)
    reference = potential.compute(atoms)
    np.testing.assert_array_equal(out.positions, atoms.positions)
    assert out.energy == pytest.approx(reference.energy, rel=1e-13)
    positions, _, energy, forces, virial = out
    assert positions is out.positions and energy == out.energy
    np.testing.assert_allclose(forces, reference.forces, atol=1e-11 * np.abs(reference.forces).max())
    np.testing.assert_allclose(-virial / atoms.get_volume(), reference.stress, atol=1e-9)


def test_a_burst_that_ends_in_a_hard_core_or_blows_up_has_infinite_energy():
    potential = random_potential(6, ("Si",), hard_core=1.8)
    positions = np.array([[0.0, 0.0, 0.0], [2.5, 0.0, 0.0]])
    velocities = np.array([[0.5, 0.0, 0.0], [-0.5, 0.0, 0.0]])
    kernel = potential.kernel()
    out = kernel.velocity_verlet(
        [0, 0], positions, velocities, [28.0, 28.0], np.eye(3), [False] * 3, 1.0, 200
    )
    assert out.energy == math.inf
    assert 0 < out.steps_done < 200
    fast = kernel.velocity_verlet(
        [0, 0], positions, 1e6 * velocities, [28.0, 28.0], np.eye(3), [False] * 3, 1.0, 5
    )
    assert fast.energy == math.inf
