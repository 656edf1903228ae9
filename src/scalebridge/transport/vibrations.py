"""Normal modes by finite differences, first-order saddles, attempt frequencies after Vineyard."""

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from scalebridge.foundation import ConvergenceError, constants
from scalebridge.sampling import MakeCalculator

FloatArray = NDArray[np.float64]


def solve_hessian(atoms: Atoms, make_calculator: MakeCalculator, *, step: float = 0.01) -> FloatArray:
    """Return ∂²E/∂r∂r (3N, 3N) [eV/Å²] by central differences of forces over ±``step`` [Å]."""
    atoms = atoms.copy()
    atoms.calc = make_calculator()
    start = atoms.get_positions()
    hessian = np.empty((start.size, start.size))
    for k in range(start.size):
        sides = []
        for sign in (1, -1):
            moved = start.copy().reshape(-1)
            moved[k] += sign * step
            atoms.set_positions(moved.reshape(-1, 3), apply_constraint=False)
            sides.append(atoms.get_forces(apply_constraint=False).reshape(-1))
        hessian[k] = (sides[1] - sides[0]) / (2 * step)
    return np.asarray((hessian + hessian.T) / 2)


def mode_eigenvalues(
    hessian: FloatArray, masses: FloatArray, *, translations: bool = True
) -> tuple[FloatArray, FloatArray]:
    """Return ω² [eV/(Å² u)], ascending, and mass-weighted modes (columns), rigid translations projected out.

    Parameters
    ----------
    hessian
        (3N, 3N) [eV/Å²].
    masses
        (N,) [u].
    translations
        True where the energy does not change under a common shift: three modes are dropped.
    """
    weights = 1 / np.sqrt(np.repeat(masses, 3))
    dynamical = hessian * weights[:, None] * weights[None]
    if translations:
        rigid = np.sqrt(np.repeat(masses, 3))[:, None] * np.tile(np.eye(3), (len(masses), 1))
        full, _ = np.linalg.qr(np.hstack([rigid, np.eye(len(dynamical))]))
        internal = full[:, 3 : len(dynamical)]
        values, vectors = np.linalg.eigh(internal.T @ dynamical @ internal)
        return values, internal @ vectors
    values, vectors = np.linalg.eigh(dynamical)
    return values, vectors


def attempt_frequency(minimum: FloatArray, saddle: FloatArray) -> float:
    """Return ν = Π ν_i(minimum) / Π' ν_j(saddle) [1/fs] from ω² of the modes.

    Source: G. H. Vineyard, J. Phys. Chem. Solids 3, 121 (1957), eq. 13.

    Parameters
    ----------
    minimum, saddle
        ω² [eV/(Å² u)] of all internal modes; all positive, and exactly one negative.

    Raises
    ------
    ConvergenceError
        If the minimum has a negative mode or the saddle not exactly one.
    """
    if np.any(minimum <= 0):
        raise ConvergenceError(
            f"the initial state has {int(np.sum(minimum <= 0))} modes that are not stable (lowest ω² "
            f"{minimum.min():.3g} eV/(Å² u)); a minimum has none: relax it with a lower force_tolerance"
        )
    negative = int(np.sum(saddle <= 0))
    if negative != 1:
        raise ConvergenceError(
            f"the saddle has {negative} unstable modes where it needs exactly 1; "
            "use more images or a lower force_tolerance for the path"
        )
    logarithm = 0.5 * (np.log(minimum).sum() - np.log(saddle[saddle > 0]).sum())
    return float(np.exp(logarithm) / (2 * np.pi) * constants.FEMTOSECOND)


@dataclass(frozen=True)
class StationaryPoint:
    """A minimum or saddle: atoms, energy [eV], ω² of its modes [eV/(Å² u)], largest force [eV/Å]."""

    atoms: Atoms
    energy: float
    eigenvalues: FloatArray
    largest_force: float


def solve_stationary_point(
    atoms: Atoms,
    make_calculator: MakeCalculator,
    *,
    order: int,
    force_tolerance: float = 0.005,
    maximum_iterations: int = 15,
    maximum_step: float = 0.1,
    translations: bool = True,
) -> StationaryPoint:
    """Refine a minimum (``order`` 0) or saddle (``order`` 1) by eigenvector following.

    Newton steps in the modes of a finite-difference Hessian; the ``order`` lowest modes are climbed, all
    others descended, whatever the sign of their curvature. The longest move of an atom is bounded.

    Source: C. J. Cerjan and W. H. Miller, J. Chem. Phys. 75, 2800 (1981).

    Raises
    ------
    ConvergenceError
        If forces stay above the tolerance or the number of unstable modes is not ``order``.
    """
    atoms = atoms.copy()
    calculator = make_calculator()
    masses = atoms.get_masses()
    weights = 1 / np.sqrt(np.repeat(masses, 3))
    largest = np.inf
    negative = -1
    for _ in range(maximum_iterations):
        hessian = solve_hessian(atoms, make_calculator)
        values, modes = mode_eigenvalues(hessian, masses, translations=translations)
        negative = int(np.sum(values <= 0))
        atoms.calc = calculator
        forces = atoms.get_forces(apply_constraint=False)
        largest = float(np.linalg.norm(forces, axis=1).max())
        if largest <= force_tolerance and negative == order:
            energy = float(atoms.get_potential_energy())
            atoms.calc = None
            return StationaryPoint(atoms, energy, values, largest)
        gradient = -(modes.T @ (forces.reshape(-1) * weights))
        sign = np.where(np.arange(len(values)) < order, -1.0, 1.0)
        floor = 1e-3 * float(np.median(np.abs(values)))
        move = modes @ (-sign * gradient / np.maximum(np.abs(values), floor))
        if largest <= force_tolerance:
            # Stationary but of the wrong order: leave along the lowest mode that should not be unstable.
            move = modes[:, order] / np.abs(modes[:, order] * weights).max() * maximum_step
        move = (move * weights).reshape(-1, 3)
        length = float(np.linalg.norm(move, axis=1).max())
        atoms.set_positions(
            atoms.get_positions() + move * min(1.0, maximum_step / max(length, 1e-12)), apply_constraint=False
        )
    raise ConvergenceError(
        f"after {maximum_iterations} eigenvector-following steps the largest force is {largest:.3g} eV/Å "
        f"with {negative} unstable modes; a {'minimum' if order == 0 else 'saddle'} needs at most "
        f"{force_tolerance:g} eV/Å and {order}; start from a path with more images"
    )
