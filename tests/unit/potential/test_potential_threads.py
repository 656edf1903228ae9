"""Threads, moving neighbour lists and lists in odd cells."""

import threading

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list
from potential_cases import random_crystal, random_potential

from scalebridge.foundation import InputError
from scalebridge.potential._kernels import Configuration, Kernel

SPECIES = ("Na", "Mn", "O")


def _kernel(threads: int, level: int = 10) -> Kernel:
    return Kernel(random_potential(level, SPECIES).kernel().parameters, threads=threads)


def _configure(kernel: Kernel, atoms: Atoms, skin: float = 0.0) -> Configuration:
    types = [SPECIES.index(symbol) for symbol in atoms.symbols]
    return kernel.configure(types, atoms.positions, atoms.cell.array, atoms.pbc, skin=skin)


@pytest.mark.parametrize("repeat", [(1, 1, 1), (3, 2, 4)])
@pytest.mark.parametrize("threads", [2, 3, 7])
def test_results_do_not_depend_on_the_number_of_threads(threads, repeat):
    atoms = random_crystal(SPECIES, repeat=repeat)
    velocities = np.random.default_rng(0).standard_normal((len(atoms), 3))
    results = []
    for kernel in (_kernel(1), _kernel(threads)):
        configuration = _configure(kernel, atoms)
        recording = kernel.record(configuration)
        results.append(
            (
                kernel.atom_energies(configuration),
                *kernel.evaluate(configuration),
                *kernel.scalar_functions(configuration),
                *kernel.design(configuration),
                *recording.loss_gradient(0.3, velocities, np.eye(3)),
            )
        )
    for one, many in zip(*results, strict=True):
        np.testing.assert_allclose(many, one, rtol=0, atol=1e-12 * np.abs(one).max())


def test_the_number_of_threads_comes_from_the_argument_or_the_environment(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    parameters = random_potential(4, SPECIES).kernel().parameters
    assert Kernel(parameters).threads == 3
    monkeypatch.setenv("SCALEBRIDGE_THREADS", "2")
    assert Kernel(parameters).threads == 2
    assert Kernel(parameters, threads=4).threads == 4
    monkeypatch.delenv("SCALEBRIDGE_THREADS")
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert Kernel(parameters).threads == 1
    with pytest.raises(InputError, match="threads is 0; use at least 1"):
        assert Kernel(parameters, threads=0).threads


def test_calls_from_several_threads_at_once_agree():
    kernel, atoms = _kernel(2), random_crystal(SPECIES, repeat=(2, 2, 2))
    expected = kernel.evaluate(_configure(kernel, atoms))
    found: list[bool] = []

    def work() -> None:
        for _ in range(20):
            again = kernel.evaluate(_configure(kernel, atoms))
            found.append(all((a == b).all() for a, b in zip(again, expected, strict=True)))

    callers = [threading.Thread(target=work) for _ in range(3)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert found == [True] * 60


def test_a_moved_list_gives_what_a_new_one_gives():
    kernel, atoms = _kernel(1), random_crystal(SPECIES, repeat=(2, 2, 1))
    random = np.random.default_rng(1)
    configuration = _configure(kernel, atoms, skin=0.5)
    pairs = configuration.n_pairs
    lists = set()
    for _ in range(12):
        atoms.positions += 0.08 * random.standard_normal(atoms.positions.shape)
        kernel.move(configuration, atoms.positions)
        lists.add(configuration.n_pairs)
        fresh = kernel.evaluate(_configure(kernel, atoms))
        for mine, other in zip(kernel.evaluate(configuration), fresh, strict=True):
            np.testing.assert_allclose(mine, other, rtol=0, atol=1e-12 * np.abs(other).max())
    assert len(lists | {pairs}) > 2, "the walk is long enough for new lists"
    assert len(lists) < 12, "and short enough for a list to serve several steps"
    with pytest.raises(InputError, match=r"positions must have shape \(N, 3\) with N = 32"):
        kernel.move(configuration, np.zeros((3, 3)))


def test_a_recording_outlives_a_move_of_its_configuration():
    kernel, atoms = _kernel(1), random_crystal(SPECIES)
    configuration = _configure(kernel, atoms)
    recording = kernel.record(configuration)
    velocities = np.ones_like(atoms.positions) * np.arange(len(atoms))[:, None]
    before = recording.loss_gradient(1.0, velocities, np.eye(3))
    kernel.move(configuration, 2.0 * atoms.positions)
    after = recording.loss_gradient(1.0, velocities, np.eye(3))
    assert all((a == b).all() for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("pbc", [(True, True, True), (True, False, True), (False, False, False)])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("scale", [0.7, 3.0])
def test_pairs_are_those_of_an_independent_list(pbc, threads, scale):
    random = np.random.default_rng(6)
    cell = scale * (4.0 * np.eye(3) + random.uniform(-1.5, 1.5, (3, 3)))
    atoms = Atoms("NaMnO" * 60, cell=cell, pbc=pbc)
    atoms.positions = random.uniform(-1.0, 2.0, (180, 3)) @ cell  # not wrapped
    atoms = atoms[:6] if scale < 1.0 else atoms
    kernel = _kernel(threads, level=4)
    cutoff = kernel.parameters.cutoff
    assert _configure(kernel, atoms).n_pairs == len(neighbor_list("i", atoms, cutoff))
