"""Switching in the core against its NumPy twin with two force calls per step, and what makes it exact."""

from dataclasses import replace

import numpy as np
import pytest
from potential_cases import random_crystal, random_potential

from scalebridge.foundation import InputError
from scalebridge.potential import IN_FIRST, IN_SECOND, MomentTensorPotential, SwitchPath, follow_switch
from scalebridge.potential._kernels import Kernel
from scalebridge.sampling import PotentialModel, maxwell_velocities
from scalebridge.sampling._reference import follow_switch_reference

SPECIES = ("Na", "Mn", "O")
KINDS = {"insertion": (IN_SECOND,), "deletion": (IN_FIRST,), "relocation": (IN_FIRST, IN_SECOND)}


def soft(**ranges) -> MomentTensorPotential:
    """A random potential whose forces leave the atoms near where they start."""
    potential = random_potential(8, SPECIES)
    return replace(potential.with_parameters(xi=0.05 * potential.xi), **ranges)


def widest_places(atoms, count):
    """Positions in the first unit cell that are far from all atoms, and from each other."""
    cell, places = atoms.cell.array, []
    grid = np.random.default_rng(1).random((400, 3)) @ cell
    taken = atoms.positions
    for _ in range(count):
        scaled = (grid[:, None] - taken[None]) @ np.linalg.inv(cell)
        distance = np.linalg.norm((scaled - np.rint(scaled)) @ cell, axis=2).min(axis=1)
        places.append(grid[distance.argmax()])
        taken = np.vstack([taken, places[-1]])
    return np.array(places)


def problem(potential, kind, *, repeat=(2, 1, 1), steps=12, timestep=1.0):
    """Return types, positions, velocities and cell, and a path; its last atoms fade in or out."""
    atoms, random = random_crystal(SPECIES, seed=3, repeat=repeat), np.random.default_rng(5)
    count = len(KINDS[kind])
    free = widest_places(atoms, count)
    types = np.append(potential.types(atoms), np.arange(count, dtype=np.int32))
    positions = np.vstack([atoms.positions, free])
    n = len(atoms)
    roles = np.zeros(n + count, dtype=np.int32)
    roles[n:] = KINDS[kind]
    masses = np.full(n + count, 20.0)
    path = SwitchPath(
        roles=roles,
        ghosts=np.arange(n, n + count, dtype=np.int32),
        hooks=free - atoms.positions[: n - 2].mean(axis=0) + 0.1,
        stiffness=0.3,
        framework=n - 2,
        masses=masses,
        timestep=timestep,
        couplings=((np.arange(steps) + 0.5) / steps) ** 1.5,
    )
    velocities = maxwell_velocities(masses, 400.0, random)
    return (types, positions, velocities, atoms.cell.array), path


def compare(potential, arrays, path, kernel=None):
    model = PotentialModel(potential)
    found = follow_switch(kernel or potential.kernel(), *arrays, path=path)
    expected = follow_switch_reference(model.evaluate, *arrays, path=path)
    assert np.isfinite(expected.work)
    for name in ("work", "energy", "positions", "velocities", "slopes"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-9, atol=1e-9)
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("repeat", [(1, 1, 1), (2, 1, 1), (3, 3, 2)])
def test_the_core_equals_the_twin(kind, repeat):
    """Cells from half the cutoff, where an ion sees its own images, to those with atoms that see no ion."""
    potential = soft()
    end = compare(potential, *problem(potential, kind, repeat=repeat))
    assert abs(end.work) > 1e-3
    assert len(end.slopes) == 13


@pytest.mark.parametrize("kind", KINDS)
def test_repulsion_within_its_range_counts(kind):
    potential = soft(repulsion=np.full((3, 3), 2.3))
    arrays, path = problem(potential, kind)
    with_it = compare(potential, arrays, path)
    assert abs(with_it.work - compare(soft(), arrays, path).work) > 1e-3


@pytest.mark.parametrize("instructions", ["baseline", "avx2", "avx512"])
def test_instruction_sets_and_threads(instructions):
    potential = soft()
    kernel = Kernel(potential.kernel().parameters, instructions=instructions, threads=3)
    try:
        kernel.compiled  # noqa: B018
    except InputError:
        pytest.skip(f"this processor has no {instructions}")
    compare(potential, *problem(potential, "relocation", repeat=(3, 2, 2)), kernel=kernel)


def test_long_moves_renew_the_neighbour_list():
    """Atoms travel more than the list's skin, through cell faces, and bounce off each other."""
    potential = soft(repulsion=np.full((3, 3), 2.0)).with_parameters(xi=1e-4 * soft().xi)
    (types, positions, velocities, cell), path = problem(potential, "insertion", steps=100, timestep=1.5)
    end = compare(potential, (types, positions, 2.5 * velocities, cell), path)
    assert np.median(np.linalg.norm(end.positions - positions, axis=1)) > 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_the_reverse_switch_retraces_the_path_with_the_opposite_work(kind):
    """What detailed balance rests on, at a time step that is far too long for energy conservation."""
    potential = soft()
    arrays, path = problem(potential, kind, timestep=6.0)
    there = follow_switch(potential.kernel(), *arrays, path=path)
    swapped = np.array([0, IN_SECOND, IN_FIRST], dtype=np.int32)[path.roles]
    back_path = replace(path, roles=swapped, couplings=1 - path.couplings[::-1])
    types, positions, velocities, cell = arrays
    back = follow_switch(potential.kernel(), types, there.positions, -there.velocities, cell, path=back_path)
    assert back.work == pytest.approx(-there.work, abs=1e-9)
    np.testing.assert_allclose(back.positions, positions, atol=1e-9)
    np.testing.assert_allclose(back.velocities, -velocities, atol=1e-9)


def test_work_at_fixed_coupling_is_the_change_of_the_end_energies():
    """At constant λ, H_λ is conserved to second order: W = H_1(end) − H_0(start) shrinks to X's average."""
    potential = soft()

    def drift(timestep):
        steps = round(16 / timestep)
        arrays, path = problem(potential, "insertion", steps=steps, timestep=timestep)
        end = follow_switch(potential.kernel(), *arrays, path=replace(path, couplings=np.full(steps, 0.4)))
        return abs(end.work - 0.4 * end.slopes[0] - 0.6 * end.slopes[-1])

    drifts = np.array([drift(timestep) for timestep in (2.0, 1.0, 0.5)])
    np.testing.assert_allclose(np.log2(drifts[:-1] / drifts[1:]), 2.0, atol=0.2)


def test_hard_cores_on_the_way_and_flights_are_refused():
    potential = soft(hard_core=np.full((3, 3), 1.2))
    (types, positions, velocities, cell), path = problem(potential, "insertion")
    onto = positions.copy()
    onto[-1] = onto[3] + 0.5
    refused = follow_switch(potential.kernel(), types, onto, velocities, cell, path=path)
    assert refused.work == refused.energy == np.inf
    assert len(refused.slopes) == 1
    fast = follow_switch(potential.kernel(), types, positions, 1e4 * velocities, cell, path=path)
    assert fast.work == np.inf


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"couplings": np.array([0.5, 1.5])}, r"coupling 1\.5\d* is not between 0 and 1"),
        ({"roles": np.zeros(3, dtype=np.int32)}, "roles shape"),
        ({"roles": np.full(17, 7, dtype=np.int32)}, "role 7 is not"),
        ({"ghosts": np.array([2], dtype=np.int32)}, "ghost 2 is no atom of one state alone"),
        ({"hooks": np.zeros((2, 3))}, "hooks must have shape"),
    ],
)
def test_mistakes(changes, message):
    potential = soft()
    arrays, path = problem(potential, "insertion")
    with pytest.raises(InputError, match=message):
        follow_switch(potential.kernel(), *arrays, path=replace(path, **changes))
