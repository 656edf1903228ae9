"""Moment tensor potentials: time per evaluation of a 108-atom cell, and of a small fit."""

from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from scalebridge.potential import MomentTensorPotential, fit


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


class Evaluation:
    """Energy, forces and stress by level."""

    params = (8, 12, 16)
    param_names = ("level",)

    def setup(self, level: int) -> None:
        self.potential: MomentTensorPotential = fit(frames(4, 2), level=level, max_iterations=0)
        self.atoms = frames(1, 3)[0]

    def time_compute(self, level: int) -> None:
        self.potential.compute(self.atoms)

    def time_energy(self, level: int) -> None:
        self.potential.compute_energy(self.atoms)

    def time_rows(self, level: int) -> None:
        self.potential.rows(self.atoms)


class Fit:
    """Ten iterations over 16 structures of 32 atoms."""

    timeout = 300.0

    def setup(self) -> None:
        self.training = frames(16, 2)

    def time_fit(self) -> None:
        fit(self.training, level=10, max_iterations=10)
