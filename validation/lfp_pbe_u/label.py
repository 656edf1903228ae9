"""PBE+U labels with GPAW: of every frame of a file, or along a relaxation from its first.

python label.py LABELS FILE ... [--relax N]

Frames carry their name, one for each label, and the initial moments. Frames with one cell are taken in turn
by one calculator, which keeps its density: order them so that each is a small step from the last. Labels that
are there already are not computed again.
"""

import argparse
import time
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.optimize import BFGS
from gpaw import GPAW, PW, FermiDirac, KohnShamConvergenceError, MixerSum

HUBBARD = 5.3
CUTOFF = 600
REDUCED = 3.95
"""Iron with a smaller moment is Fe2+ [μB]."""


class Labeller:
    """Keeps the density between structures with one cell, and every label in a file."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.calculator: GPAW | None = None
        self.cell = np.zeros((3, 3))

    def path(self, name: str) -> Path:
        """Return the file of a label."""
        return self.folder / f"{name}.extxyz"

    def label(self, atoms: Atoms, name: str) -> None:
        """Compute and write a label; one that does not converge, or with the wrong charges, is only told."""
        began = time.monotonic()
        if self.calculator is None or not np.allclose(self.cell, atoms.cell, atol=1e-9):
            self.calculator, self.cell = self._new(name), atoms.cell.array.copy()
        atoms.calc = self.calculator
        try:
            results = {
                "energy": atoms.get_potential_energy(),
                "forces": atoms.get_forces(),
                "stress": atoms.get_stress(),
                "magmoms": atoms.get_magnetic_moments(),
            }
        except KohnShamConvergenceError:
            self.calculator = None
            print(f"{name}: not converged, {time.monotonic() - began:.0f} s", flush=True)
            return
        moments = results["magmoms"][np.array(atoms.symbols) == "Fe"]
        sound = np.sum(moments < REDUCED) == atoms.symbols.count("Li")
        print(f"{name}: {results['energy']:.4f} eV,", end=" ")
        print(
            f"largest force {np.abs(results['forces']).max():.2f} eV/Å, moments {moments.round(2)}", end=" "
        )
        print(f"{'' if sound else '(wrong charges) '}{time.monotonic() - began:.0f} s", flush=True)
        if sound:
            frame = atoms.copy()
            frame.calc = SinglePointCalculator(frame, **results)
            frame.info = {"name": name, "iron_moments": moments.round(3).tolist()}
            ase.io.write(self.path(name), frame)
        else:
            self.calculator = None

    def relax(self, atoms: Atoms, steps: int) -> None:
        """Label a structure and so many steps of its relaxation at a fixed cell."""
        name = atoms.info["name"]
        done = [step for step in range(steps) if self.path(f"{name}_r{step}").exists()]
        if done:
            moments = atoms.get_initial_magnetic_moments()
            atoms = ase.io.read(self.path(f"{name}_r{done[-1]}"))
            atoms.set_initial_magnetic_moments(moments)
        else:
            atoms.rattle(0.02, seed=2)  # a minority electron must be free to leave a wrong orbital
        optimizer = BFGS(atoms, logfile=None, maxstep=0.1)
        for step in range(len(done), steps):
            if step:
                optimizer.step()
            self.label(atoms, f"{name}_r{step}")

    def _new(self, name: str) -> GPAW:
        return GPAW(
            mode=PW(CUTOFF),
            xc="PBE",
            setups={"Fe": f":d,{HUBBARD}"},
            kpts=[(0.25, 0.25, 0.25)],
            symmetry="off",
            spinpol=True,
            occupations=FermiDirac(0.02),
            mixer=MixerSum(0.2, 8, 1),
            eigensolver="rmm-diis",
            maxiter=60,
            convergence={"energy": 4e-5, "density": 2.5e-4, "eigenstates": 6e-5},
            txt=str(self.path(name).with_suffix(".txt")),
        )


def main() -> None:
    """Label what is asked for and not there yet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("labels", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--relax", type=int, default=0, help="steps of relaxation of each file's first frame")
    asked = parser.parse_args()
    for file in asked.files:
        labeller = Labeller(asked.labels)
        if asked.relax:
            labeller.relax(ase.io.read(file, index=0), asked.relax)
            continue
        for atoms in ase.io.read(file, index=":"):
            if not labeller.path(atoms.info["name"]).exists():
                labeller.label(atoms, atoms.info["name"])


if __name__ == "__main__":
    main()
