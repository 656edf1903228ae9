"""Moment tensor potentials: kernels by level, scaling with the number of atoms, selection, a small fit."""

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from scalebridge.potential import ActiveSet, Grader, Kernel, MTPCalculator, fit, select

from .potentials import cases, potential_of


def frames(count: int, repeat: int) -> list[Atoms]:
    made = []
    for seed in range(count):
        atoms = bulk("Cu", cubic=True).repeat(repeat)
        atoms.rattle(0.1, seed=seed)
        atoms.calc = EMT()
        results = {
            "energy": atoms.get_potential_energy(),
            "forces": atoms.get_forces(),
            "stress": atoms.get_stress(),
        }
        atoms.calc = SinglePointCalculator(atoms, **results)
        made.append(atoms)
    return made


class Kernels:
    """One call on a neighbour list that exists, by structure, level and threads."""

    params = (tuple(cases()), (8, 12, 16, 20), (1, 2))
    param_names = ("case", "level", "threads")

    def setup(self, case: str, level: int, threads: int) -> None:
        species, self.atoms = cases()[case]
        self.potential = potential_of(level, species)
        self.kernel = Kernel(self.potential.kernel().parameters, threads=threads)
        self.arrays = (
            self.potential.types(self.atoms),
            self.atoms.positions,
            self.atoms.cell.array,
            self.atoms.pbc,
        )
        self.configuration = self.kernel.configure(*self.arrays)
        self.recording = self.kernel.record(self.configuration)
        random = np.random.default_rng(0)
        self.velocities = random.standard_normal(self.atoms.positions.shape)
        size = self.potential.radial[0].size + 1 + self.potential.xi.size
        self.grader = Grader(self.kernel, tuple(random.standard_normal((size, size)) for _ in species))
        self.grader.grades_of(self.configuration)

    def time_neighbours(self, case: str, level: int, threads: int) -> None:
        self.kernel.configure(*self.arrays)

    def time_energies(self, case: str, level: int, threads: int) -> None:
        self.kernel.atom_energies(self.configuration)

    def time_forces(self, case: str, level: int, threads: int) -> None:
        self.kernel.evaluate(self.configuration)

    def time_graded_forces(self, case: str, level: int, threads: int) -> None:
        self.grader.evaluate(self.configuration)

    def time_rows(self, case: str, level: int, threads: int) -> None:
        self.kernel.scalar_functions(self.configuration)

    def time_loss_gradient(self, case: str, level: int, threads: int) -> None:
        self.recording.loss_gradient(1.0, self.velocities, np.eye(3))


class Scaling:
    """Forces and list of silicon at level 16 by the number of atoms."""

    params = (2, 5, 11, 23)
    param_names = ("cells along each edge",)
    timeout = 300.0

    def setup(self, repeat: int) -> None:
        self.potential = potential_of(16, ("Si",))
        self.atoms = bulk("Si", cubic=True).repeat(repeat)
        self.atoms.rattle(0.05, seed=0)

    def time_compute(self, repeat: int) -> None:
        self.potential.compute(self.atoms)

    def peakmem_compute(self, repeat: int) -> None:
        self.potential.compute(self.atoms)


class Step:
    """Forces of atoms that moved, through the ASE calculator."""

    def setup(self) -> None:
        self.atoms = bulk("Si", cubic=True).repeat(3)
        self.atoms.calc = MTPCalculator(potential_of(16, ("Si",)))
        self.atoms.get_forces()

    def time_step(self) -> None:
        self.atoms.positions[0] += 1e-4
        self.atoms.get_forces()


class Selection:
    """An active set of 40 structures, and the choice among 40 others."""

    timeout = 300.0

    def setup(self) -> None:
        self.known = [bulk("Si", cubic=True).repeat(2) for _ in range(40)]
        self.others = [bulk("Si", cubic=True).repeat(2) for _ in range(40)]
        for n, atoms in enumerate([*self.known, *self.others]):
            atoms.rattle(0.1 + 0.002 * n, seed=n)
        self.potential = potential_of(12, ("Si",))
        self.active = ActiveSet.from_frames(self.potential, self.known)

    def time_active_set(self) -> None:
        ActiveSet.from_frames(self.potential, self.known)

    def time_select(self) -> None:
        select(self.potential, self.active, self.others)


class Fit:
    """Ten iterations over 16 structures of 32 atoms."""

    timeout = 300.0

    def setup(self) -> None:
        self.training = frames(16, 2)

    def time_fit(self) -> None:
        fit(self.training, level=10, max_iterations=10)
