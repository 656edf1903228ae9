"""Elastic stiffness with relaxed ions, from stresses at finite strains."""

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from scalebridge.foundation import ConvergenceError
from scalebridge.interfaces.strain import VOIGT
from scalebridge.sampling import MakeCalculator, RelaxationSettings, relax

FloatArray = NDArray[np.float64]


def solve_stiffness(
    atoms: Atoms,
    make_calculator: MakeCalculator,
    *,
    step: float = 0.005,
    settings: RelaxationSettings | None = None,
    what: str = "the crystal",
) -> FloatArray:
    """Return C (6, 6) [eV/Å³], order xx yy zz yz xz xy, symmetrised, ions relaxed at every strain.

    C_ab = (σ_a(+δ) − σ_a(−δ)) / 2δ with engineering shear strains (γ = 2ε), so that σ = C·(ε, γ).

    Parameters
    ----------
    atoms
        Relaxed crystal.
    step
        δ, strain of either sign.

    Raises
    ------
    ConvergenceError
        If ions do not relax, or C has an eigenvalue that is not positive: the crystal is not stable.
    """
    stiffness = np.empty((6, 6))
    for b, (i, j) in enumerate(VOIGT):
        stresses = []
        for sign in (1, -1):
            strain = np.zeros((3, 3))
            strain[i, j] += sign * step / 2
            strain[j, i] += sign * step / 2
            strained = atoms.copy()
            strained.set_cell(np.asarray(atoms.cell) @ (np.eye(3) + strain), scale_atoms=True)
            relaxed = relax(strained, make_calculator, settings=settings, what=f"{what} under strain").atoms
            relaxed.calc = make_calculator()
            stresses.append(relaxed.get_stress())
        stiffness[:, b] = (stresses[0] - stresses[1]) / (2 * step)
    stiffness = (stiffness + stiffness.T) / 2
    lowest = float(np.linalg.eigvalsh(stiffness).min())
    if lowest <= 0:
        raise ConvergenceError(
            f"{what}: the stiffness has the eigenvalue {lowest:.3g} eV/Å³, a stable crystal has none "
            "below 0; relax the cell further or add strained structures to the training set"
        )
    return stiffness
