"""Normal modes by finite differences, first-order saddles, attempt frequencies after Vineyard."""

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
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
    if not translations:
        return np.linalg.eigh(dynamical)
    rigid = np.sqrt(np.repeat(masses / masses.sum(), 3))[:, None] * np.tile(np.eye(3), (len(masses), 1))
    # Project the rigid shifts out and lift them above all other modes, where they are cut off.
    dynamical = dynamical - rigid @ (rigid.T @ dynamical)
    dynamical = dynamical - (dynamical @ rigid) @ rigid.T
    top = 10 * float(np.linalg.norm(dynamical)) + 1.0
    values, vectors = np.linalg.eigh(dynamical + top * rigid @ rigid.T)
    return values[:-3], vectors[:, :-3]


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
    maximum_iterations: int = 80,
    maximum_step: float = 0.1,
    translations: bool = True,
) -> StationaryPoint:
    """Refine a minimum (``order`` 0) or saddle (``order`` 1) by eigenvector following.

    Newton steps in the modes of the Hessian; the ``order`` lowest modes are climbed, all others descended,
    whatever the sign of their curvature. The longest move of an atom is bounded. The Hessian comes from
    finite differences at the start, every 25 steps and at the end; between, forces update it (Bofill).

    Source: C. J. Cerjan and W. H. Miller, J. Chem. Phys. 75, 2800 (1981); J. M. Bofill,
    J. Comput. Chem. 15, 1 (1994).

    Raises
    ------
    ConvergenceError
        If forces stay above the tolerance or the number of unstable modes is not ``order``.
    """
    atoms = atoms.copy()
    calculator = make_calculator()
    masses = atoms.get_masses()
    exact_at: FloatArray | None = None
    hessian = np.zeros((3 * len(atoms), 3 * len(atoms)))
    values, modes = np.zeros(0), np.zeros((0, 0))
    largest, since = np.inf, 0
    forces = _forces(atoms, calculator)
    for _ in range(maximum_iterations):
        largest = float(np.linalg.norm(forces, axis=1).max())
        moved = np.inf if exact_at is None else float(np.abs(atoms.positions - exact_at).max())
        if since >= 25 or exact_at is None or (largest <= force_tolerance and moved > 0.02):
            hessian = solve_hessian(atoms, make_calculator)
            exact_at, since = atoms.get_positions(), 0
        values, modes = mode_eigenvalues(hessian, masses, translations=translations)
        if largest <= force_tolerance and int(np.sum(values <= 0)) == order:
            return StationaryPoint(*_finished(atoms, calculator), values, largest)
        move = _following_step(values, modes, masses, forces, order)
        if largest <= force_tolerance:
            # Stationary but of the wrong order: leave along the lowest mode that should not be unstable.
            move = (modes[:, order] / np.sqrt(np.repeat(masses, 3))).reshape(-1, 3)
            move *= maximum_step / float(np.linalg.norm(move, axis=1).max())
        move *= min(1.0, maximum_step / max(float(np.linalg.norm(move, axis=1).max()), 1e-12))
        atoms.set_positions(atoms.get_positions() + move, apply_constraint=False)
        after = _forces(atoms, calculator)
        hessian = updated_hessian(hessian, move.reshape(-1), (forces - after).reshape(-1))
        forces, since = after, since + 1
    raise ConvergenceError(
        f"after {maximum_iterations} eigenvector-following steps the largest force is {largest:.3g} eV/Å "
        f"with {int(np.sum(values <= 0))} unstable modes; a {'minimum' if order == 0 else 'saddle'} needs at "
        f"most {force_tolerance:g} eV/Å and {order}; start from a path with more images"
    )


def path_frequency(minimum: StationaryPoint, direction: FloatArray, make_calculator: MakeCalculator) -> float:
    """Return the frequency √(dᵀHd / dᵀMd)/2π [1/fs] of vibrating along ``direction`` (N, 3) at a minimum."""
    hessian = solve_hessian(minimum.atoms, make_calculator)
    flat = direction.reshape(-1)
    masses = np.repeat(minimum.atoms.get_masses(), 3)
    squared = float(flat @ hessian @ flat) / float(flat @ (masses * flat))
    if squared <= 0:
        raise ConvergenceError(
            f"the start of the path has ω² = {squared:.3g} eV/(Å² u) along the path, a minimum has it "
            "above 0; relax the ends with a lower force_tolerance"
        )
    return float(np.sqrt(squared) / (2 * np.pi) * constants.FEMTOSECOND)


def _forces(atoms: Atoms, calculator: Calculator) -> FloatArray:
    atoms.calc = calculator
    return np.asarray(atoms.get_forces(apply_constraint=False))


def _finished(atoms: Atoms, calculator: Calculator) -> tuple[Atoms, float]:
    atoms.calc = calculator
    energy = float(atoms.get_potential_energy())
    atoms.calc = None
    return atoms, energy


def _following_step(
    values: FloatArray, modes: FloatArray, masses: FloatArray, forces: FloatArray, order: int
) -> FloatArray:
    """Return the Newton move (N, 3) [Å] up the first ``order`` modes and down all others."""
    weights = 1 / np.sqrt(np.repeat(masses, 3))
    gradient = -(modes.T @ (forces.reshape(-1) * weights))
    sign = np.where(np.arange(len(values)) < order, -1.0, 1.0)
    floor = 1e-3 * float(np.median(np.abs(values)))
    move = modes @ (-sign * gradient / np.maximum(np.abs(values), floor))
    return np.asarray((move * weights).reshape(-1, 3))


def updated_hessian(hessian: FloatArray, move: FloatArray, change: FloatArray) -> FloatArray:
    """Return the Hessian after a move (3N,) that changed the gradient by ``change`` (3N,): Bofill's update.

    A mean of the symmetric rank-one and Powell updates; both satisfy the secant condition H·move = change
    and keep indefinite Hessians indefinite.
    """
    error = change - hessian @ move
    if np.linalg.norm(move) < 1e-10 or np.linalg.norm(error) < 1e-10:
        return hessian
    length = float(move @ move)
    along = float(error @ move)
    share = along**2 / (float(error @ error) * length)
    powell = (np.outer(error, move) + np.outer(move, error)) / length - along * np.outer(
        move, move
    ) / length**2
    rank_one = np.outer(error, error) / along if share > 1e-8 else np.zeros_like(hessian)
    return np.asarray(hessian + share * rank_one + (1 - share) * powell)
