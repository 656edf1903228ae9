"""PBE+U labels of one arrangement with GPAW: along its relaxation, of displaced atoms, of strained cells.

python label.py BASES LABELS NAME [--relax N] [--thermal N] [--strain a+25 v-20 ...]

Strains are in thousandths, along one axis or along all (v). Steps that are in LABELS
already are not computed again.
"""

import argparse
import time
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.optimize import BFGS
from gpaw import GPAW, PW, FermiDirac, MixerSum

HUBBARD = 5.3
CUTOFF = 600
DISPLACEMENT = 0.03
"""Standard deviation of displaced atoms [Å]."""


class Labeller:
    """Keeps the density between structures with one cell, and every label in a file."""

    def __init__(self, folder: Path, name: str, moments: np.ndarray) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.name, self.moments = folder, name, moments
        self.calculator: GPAW | None = None
        self.cell = np.zeros((3, 3))

    def path(self, step: str) -> Path:
        """Return the file of a step."""
        return self.folder / f"{self.name}_{step}.extxyz"

    def label(self, atoms: Atoms, step: str) -> None:
        """Compute and write a label."""
        began = time.monotonic()
        atoms.set_initial_magnetic_moments(self.moments)
        if self.calculator is None or not np.allclose(self.cell, atoms.cell, atol=1e-9):
            self.calculator, self.cell = self._new(step), atoms.cell.array.copy()
        atoms.calc = self.calculator
        results = {
            "energy": atoms.get_potential_energy(),
            "forces": atoms.get_forces(),
            "stress": atoms.get_stress(),
            "magmoms": atoms.get_magnetic_moments(),
        }
        frame = atoms.copy()
        frame.calc = SinglePointCalculator(frame, **results)
        iron = np.array(atoms.symbols) == "Fe"
        frame.info = {
            "name": f"{self.name}_{step}",
            "iron_moments": results["magmoms"][iron].round(3).tolist(),
        }
        ase.io.write(self.path(step), frame)
        largest = np.abs(results["forces"]).max()
        print(f"{frame.info['name']} {results['energy']:.4f} eV, force {largest:.2f} eV/Å,", end=" ")
        print(frame.info["iron_moments"], f"{time.monotonic() - began:.0f} s", flush=True)

    def _new(self, step: str) -> GPAW:
        return GPAW(
            mode=PW(CUTOFF),
            xc="PBE",
            setups={"Fe": f":d,{HUBBARD}"},
            kpts=[(0.25, 0.25, 0.25)],
            symmetry="off",
            spinpol=True,
            occupations=FermiDirac(0.02),
            mixer=MixerSum(0.2, 8, 1),
            maxiter=150,
            convergence={"energy": 1e-5, "density": 3e-4, "eigenstates": 1e-6},
            txt=str(self.path(step).with_suffix(".txt")),
        )


def strained(atoms: Atoms, text: str) -> Atoms:
    """Return a copy strained along an axis (a, b, c) or along all (v) by so many thousandths."""
    strain = np.zeros(3)
    strain[slice(None) if text[0] == "v" else "abc".index(text[0])] = float(text[1:]) / 1000
    copy = atoms.copy()
    copy.set_cell(copy.cell.array @ np.diag(1 + strain), scale_atoms=True)
    return copy


def main() -> None:
    """Label what is asked for and not there yet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bases", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("name")
    parser.add_argument("--relax", type=int, default=5)
    parser.add_argument("--thermal", type=int, default=0)
    parser.add_argument("--strain", nargs="*", default=[])
    asked = parser.parse_args()
    atoms = ase.io.read(asked.bases / f"{asked.name}.extxyz")
    labeller = Labeller(asked.labels, asked.name, atoms.get_initial_magnetic_moments())
    done = sorted(
        asked.labels.glob(f"{asked.name}_r*.extxyz"), key=lambda path: int(path.stem.split("_r")[-1])
    )
    if done:
        atoms = ase.io.read(done[-1])
    else:
        atoms.rattle(0.02, seed=2)  # a minority electron must be free to leave a wrong orbital
    if len(done) < asked.relax:
        labeller.label(atoms, f"r{max(len(done) - 1, 0)}")
        optimizer = BFGS(atoms, logfile=None, maxstep=0.1)
        for step in range(max(len(done), 1), asked.relax):
            optimizer.step()
            labeller.label(atoms, f"r{step}")
    others = {f"m{seed}": atoms.copy() for seed in range(asked.thermal)}
    for seed, other in enumerate(others.values()):
        other.rattle(DISPLACEMENT, seed=seed)
    others |= {f"s{text}": strained(atoms, text) for text in asked.strain}
    for step, other in others.items():
        if not labeller.path(step).exists():
            labeller.label(other, step)


if __name__ == "__main__":
    main()
