"""Thermal and strained structures around relaxed labels, as paths that label.py follows in small steps.

python thermal.py LABELS CORRECTION OUT [--strain] [--seed 1]

LABELS is the folder of label.py, with relaxed arrangements; CORRECTION a first fit to them. Molecular
dynamics with CHGNet and the correction gives displacements at 420 K; half of the snapshots displace the ions
further. Each file of OUT leads from a relaxed structure through two snapshots, in steps of 0.036 Å: larger
ones lose the electronic state.
"""

import argparse
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator
from ase.calculators.mixing import SumCalculator
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.optimize import BFGS
from numpy.typing import NDArray

from scalebridge.oracle.chgnet import CHGNet03
from scalebridge.potential import MomentTensorPotential, MTPCalculator

TEMPERATURE = 420.0
STEP = 0.036
"""Root-mean-square displacement per coordinate between two frames [Å]."""
ION_DISPLACEMENT = 0.12
STRAIN = 0.015
SPACING = 60
"""Steps of 2 fs between two snapshots."""


def relaxed(labels: Path) -> dict[str, Atoms]:
    """Return the last step of every relaxation, with initial moments as its charges ask, by name."""
    last: dict[str, Atoms] = {}
    for file in sorted(labels.glob("*_r*.extxyz"), key=lambda path: int(path.stem.rpartition("_r")[2])):
        atoms = ase.io.read(file)
        iron = np.array(atoms.symbols) == "Fe"
        reduced = atoms.get_magnetic_moments() < 3.95
        atoms.calc = None
        atoms.set_initial_magnetic_moments(np.where(iron, np.where(reduced, 4.0, 5.0), 0.0))
        last[file.stem.rpartition("_r")[0]] = atoms
    return last


def snapshots(
    atoms: Atoms, calculator: Calculator, rng: np.random.Generator, count: int
) -> list[NDArray[np.float64]]:
    """Return displacements from the calculator's own minimum, (atoms, 3) each [Å]."""
    moving = atoms.copy()
    moving.calc = calculator
    BFGS(moving, logfile=None).run(fmax=0.05, steps=80)
    minimum = moving.positions.copy()
    MaxwellBoltzmannDistribution(moving, temperature_K=1.5 * TEMPERATURE, rng=rng)
    dynamics = Langevin(moving, 2 * units.fs, temperature_K=TEMPERATURE, friction=0.03 / units.fs, rng=rng)
    found = []
    for index in range(count):
        dynamics.run(SPACING)
        displacement = moving.positions - minimum
        if index % 2:
            ions = np.array(moving.symbols) == "Li"
            displacement[ions] += rng.normal(0.0, ION_DISPLACEMENT, (ions.sum(), 3))
        found.append(displacement - displacement.mean(axis=0))
    return found


def path(start: Atoms, displacements: list[NDArray[np.float64]], name: str) -> list[Atoms]:
    """Return the start and small steps through all displacements from it."""
    frames, here = [start.copy()], start.positions
    for displacement in displacements:
        target = start.positions + displacement
        steps = int(np.ceil(np.sqrt(np.mean((target - here) ** 2)) / STEP))
        for step in range(1, steps + 1):
            frame = start.copy()
            frame.positions = here + (target - here) * step / steps
            frames.append(frame)
        here = target
    for index, frame in enumerate(frames):
        frame.info = {"name": f"{name}_{index}"}
    return frames


def main() -> None:
    """Write one file per arrangement."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("labels", type=Path)
    parser.add_argument("correction", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--strain", action="store_true", help="strain the cells at random along their axes")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    correction = MomentTensorPotential.load(asked.correction).without_hard_core()
    calculator = SumCalculator([CHGNet03(), MTPCalculator(correction)])
    rng = np.random.default_rng(asked.seed)
    for arrangement, atoms in relaxed(asked.labels).items():
        displacements = snapshots(atoms, calculator, rng, 2)
        name = f"{arrangement}_{'s' if asked.strain else 't'}{asked.seed}"
        if asked.strain:
            scale = np.diag(1 + rng.normal(0.0, STRAIN, 3))
            atoms.set_cell(atoms.cell.array @ scale, scale_atoms=True)
        frames = path(atoms, displacements, name)
        ase.io.write(asked.out / f"{name}.extxyz", frames)
        print(name, len(frames), "frames")


if __name__ == "__main__":
    main()
