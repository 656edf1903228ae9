"""Relaxation of atoms and cell at zero temperature, with any ASE calculator, in bounded steps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.filters import UnitCellFilter
from ase.optimize import FIRE

from scalebridge.foundation import ConvergenceError, InputError

MakeCalculator = Callable[[], Calculator]
"""Makes a calculator; picklable, for example ``functools.partial(MTPCalculator, potential)``."""


@dataclass(frozen=True)
class RelaxationSettings:
    """When to stop and how far to step.

    Attributes
    ----------
    force_tolerance
        Largest force left on any atom [eV/Å]; with a free cell also the largest virial per atom [eV].
    maximum_steps
        Steps before giving up.
    maximum_step
        Longest move of any atom per step [Å].
    """

    force_tolerance: float = 0.01
    maximum_steps: int = 500
    maximum_step: float = 0.1


@dataclass(frozen=True)
class Relaxed:
    """A relaxed structure: atoms without calculator, energy [eV], largest force left [eV/Å], steps taken."""

    atoms: Atoms
    energy: float
    largest_force: float
    steps: int


def relax(
    atoms: Atoms,
    make_calculator: MakeCalculator,
    *,
    cell: bool | Sequence[bool] = False,
    settings: RelaxationSettings | None = None,
    what: str = "the structure",
) -> Relaxed:
    """Relax positions and, where ``cell`` asks for it, strains (FIRE; Bitzek et al. 2006).

    Parameters
    ----------
    atoms
        Start; not changed.
    make_calculator
        Makes the energy model.
    cell
        True frees the whole cell, False none; six flags (xx, yy, zz, yz, xz, xy) free single strains.
    what
        Name in error messages.

    Raises
    ------
    ConvergenceError
        If forces stay above the tolerance, or the volume changed by more than a factor 2.
    InputError
        If ``cell`` is a sequence of another length than 6.
    """
    settings = settings or RelaxationSettings()
    atoms = atoms.copy()
    atoms.calc = make_calculator()
    volume = atoms.get_volume()
    mask = _cell_mask(cell)
    target = atoms if mask is None else UnitCellFilter(atoms, mask=mask)
    optimizer = FIRE(target, logfile=None, maxstep=settings.maximum_step)
    for _ in optimizer.irun(fmax=settings.force_tolerance, steps=settings.maximum_steps):
        if not 0.5 < atoms.get_volume() / volume < 2:
            raise ConvergenceError(
                f"relaxing {what}: the volume went from {volume:.1f} to {atoms.get_volume():.1f} Å³, more "
                "than a factor 2; the potential does not hold this structure, add it to the training set"
            )
    largest = float(np.linalg.norm(target.get_forces(), axis=1).max())
    if not largest <= settings.force_tolerance:
        raise ConvergenceError(
            f"relaxing {what}: largest force {largest:.3g} eV/Å after {settings.maximum_steps} steps is "
            f"above {settings.force_tolerance:g} eV/Å; raise maximum_steps or force_tolerance"
        )
    energy = float(atoms.get_potential_energy())
    steps = int(optimizer.nsteps)
    atoms.calc = None
    return Relaxed(atoms, energy, largest, steps)


def _cell_mask(cell: bool | Sequence[bool]) -> list[bool] | None:
    if isinstance(cell, bool):
        return [True] * 6 if cell else None
    if len(cell) != 6:
        raise InputError(f"{len(cell)} strain flags given; give six (xx, yy, zz, yz, xz, xy) or True/False")
    return [bool(flag) for flag in cell]
