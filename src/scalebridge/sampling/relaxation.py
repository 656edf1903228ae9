"""Relaxation of atoms and cell at zero temperature, with any ASE calculator, in bounded steps."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.filters import Filter, UnitCellFilter
from ase.optimize import FIRE, LBFGS
from numpy.typing import NDArray

from scalebridge.foundation import ConvergenceError

FloatArray = NDArray[np.float64]
MakeCalculator = Callable[[], Calculator]
"""Makes a calculator; picklable, for example ``functools.partial(MTPCalculator, potential)``."""
FreeCell = Literal["none", "all", "third vector"]


@dataclass(frozen=True)
class RelaxationSettings:
    """When to stop and how far to step.

    Attributes
    ----------
    force_tolerance
        Largest force left on any atom [eV/Å]; with a free cell also −∂E/∂strain over ``strain_scale``.
    loose_tolerance
        Forces up to this are accepted after the last step, with ``Relaxed.converged`` false; 0: none.
    maximum_steps
        Steps before giving up.
    maximum_step
        Longest move of any atom per step [Å].
    """

    force_tolerance: float = 0.01
    loose_tolerance: float = 0.0
    maximum_steps: int = 500
    maximum_step: float = 0.1


@dataclass(frozen=True)
class Relaxed:
    """A relaxed structure.

    Attributes
    ----------
    atoms
        Without calculator.
    energy
        [eV].
    largest_force
        Left on any coordinate [eV/Å].
    steps
        Taken.
    converged
        Whether ``force_tolerance`` was reached, not only ``loose_tolerance``.
    """

    atoms: Atoms
    energy: float
    largest_force: float
    steps: int
    converged: bool


class ThirdVectorFilter(Filter):  # type: ignore[misc]  # ASE ships no types
    """Atoms and the third cell vector are free; the first two vectors stay: a slab on a fixed base.

    At fixed scaled coordinates dE = V tr(σ A⁻¹ dA), so ∂E/∂a_3 = V (A⁻ᵀ σ)_3. The coordinate of the
    vector is ``strain_scale`` over its length times as long, so that it is as stiff as atoms are.
    """

    def __init__(self, atoms: Atoms) -> None:
        super().__init__(atoms, mask=[True] * len(atoms))
        self._reference = np.array(atoms.cell)
        self._scale = strain_scale(atoms) / float(np.linalg.norm(atoms.cell[2]))

    def __len__(self) -> int:
        return len(self.atoms) + 1

    def _deformation(self) -> FloatArray:
        return np.asarray(np.linalg.solve(self._reference, np.array(self.atoms.cell)))

    def get_positions(self) -> FloatArray:
        """Return positions taken back to the first cell, and the scaled third vector (N + 1, 3)."""
        back = self.atoms.positions @ np.linalg.inv(self._deformation())
        return np.vstack([back, self.atoms.cell[2] * self._scale])

    def set_positions(self, positions: FloatArray, **_: object) -> None:
        """Set the third vector, then the atoms from their places in the first cell."""
        cell = np.array(self.atoms.cell)
        cell[2] = positions[-1] / self._scale
        self.atoms.set_cell(cell, scale_atoms=False)
        self.atoms.set_positions(positions[:-1] @ self._deformation())

    def get_forces(self, **_: object) -> FloatArray:
        """Return −∂E/∂ of the coordinates (N + 1, 3)."""
        stress = self.atoms.get_stress(voigt=False)
        inverse = np.linalg.inv(np.array(self.atoms.cell))
        gradient = self.atoms.get_volume() * (inverse.T @ stress)[2]
        return np.vstack([self.atoms.get_forces() @ self._deformation().T, -gradient / self._scale])


def strain_scale(atoms: Atoms) -> float:
    """Return d √N [Å], d³ the volume per atom: coordinates scale × strain are as stiff as atoms are.

    The curvature of the energy in a strain is V C; atoms on springs k have V C/N ≈ k d².
    """
    n = len(atoms)
    return float((atoms.get_volume() / n) ** (1 / 3) * np.sqrt(n))


def relax(
    atoms: Atoms,
    make_calculator: MakeCalculator,
    *,
    cell: FreeCell = "none",
    settings: RelaxationSettings | None = None,
    what: str = "the structure",
) -> Relaxed:
    """Relax positions and, where ``cell`` asks for it, the cell.

    FIRE (Bitzek et al. 2006) until forces are below ten times the tolerance, then L-BFGS; both in bounded
    steps.

    Parameters
    ----------
    atoms
        Start; not changed.
    make_calculator
        Makes the energy model.
    cell
        Which part of the cell is free.
    what
        Name in error messages.

    Raises
    ------
    ConvergenceError
        If forces stay above the tolerance, or the volume changed by more than a factor 2.
    """
    settings = settings or RelaxationSettings()
    atoms = atoms.copy()
    atoms.calc = make_calculator()
    volume = atoms.get_volume()
    target: Atoms | Filter = atoms
    if cell == "all":
        target = UnitCellFilter(atoms, cell_factor=strain_scale(atoms))
    elif cell == "third vector":
        target = ThirdVectorFilter(atoms)
    steps = 0
    for method, factor in ((FIRE, 10.0), (LBFGS, 1.0)):
        optimizer = method(target, logfile=None, maxstep=settings.maximum_step)
        left = settings.maximum_steps - steps
        for _ in optimizer.irun(fmax=factor * settings.force_tolerance, steps=left):
            _check_volume(atoms, volume, what)
        steps += int(optimizer.nsteps)
    largest = float(np.linalg.norm(target.get_forces(), axis=1).max())
    if not largest <= max(settings.force_tolerance, settings.loose_tolerance):
        raise ConvergenceError(
            f"relaxing {what}: largest force {largest:.3g} eV/Å after {settings.maximum_steps} steps is "
            f"above {settings.force_tolerance:g} eV/Å; raise maximum_steps or force_tolerance"
        )
    energy = float(atoms.get_potential_energy())
    atoms.calc = None
    return Relaxed(atoms, energy, largest, steps, largest <= settings.force_tolerance)


def _check_volume(atoms: Atoms, start: float, what: str) -> None:
    if not 0.5 < atoms.get_volume() / start < 2:
        raise ConvergenceError(
            f"relaxing {what}: the volume went from {start:.1f} to {atoms.get_volume():.1f} Å³, more than a "
            "factor 2; the potential does not hold this structure, add it to the training set"
        )
