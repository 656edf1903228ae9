"""Force constants of a crystal from finite displacements, interpolated to any wave vector."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from numpy.typing import NDArray

from scalebridge.foundation import ConvergenceError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int_]

SAME_DISTANCE = 1e-4
"""Periodic images whose distances differ by less [Å] share a force constant equally."""


@dataclass(frozen=True)
class ForceConstants:
    """Real-space force constants of a crystal, ready for Fourier interpolation.

    Attributes
    ----------
    translations
        Lattice translations T in units of the cell vectors, (m, 3).
    matrices
        Φ_{0i,Tj} [eV/Å²], (m, 3n, 3n) for n atoms per cell.
    """

    translations: IntArray
    matrices: FloatArray

    @property
    def atoms(self) -> int:
        """Atoms per cell."""
        return int(self.matrices.shape[1]) // 3

    def eigenvalues(self, wave_vectors: FloatArray) -> FloatArray:
        """Return the eigenvalues (points, 3n) [eV/Å²] of Σ_T Φ(T) exp(2πi q·T); q (points, 3) reduced."""
        phases = np.exp(2j * np.pi * (wave_vectors @ self.translations.T))
        dynamical = np.tensordot(phases, self.matrices, axes=(1, 0))
        hermitian = (dynamical + np.conj(np.swapaxes(dynamical, 1, 2))) / 2
        return np.asarray(np.linalg.eigvalsh(hermitian), dtype=np.float64)

    def repeated(self, repeat: Sequence[int]) -> FloatArray:
        """Return the force-constant matrix of the periodic cell repeated as by ``Atoms.repeat``."""
        size = np.array(repeat)
        origins = np.array(list(product(*(range(k) for k in repeat))))
        n = self.matrices.shape[1]
        matrix = np.zeros((len(origins), n, len(origins), n))
        for translation, block in zip(self.translations, self.matrices, strict=True):
            partner = np.ravel_multi_index(tuple(((origins + translation) % size).T), tuple(size.tolist()))
            for row, column in enumerate(partner):
                matrix[row, :, column, :] += block
        flat = matrix.reshape(len(origins) * n, -1)
        return np.asarray((flat + flat.T) / 2)

    def mean_log_stiffness(self, mesh: int | Sequence[int], *, floor: float = 0.0) -> float:
        """Return ⟨ln(k / (eV/Å²))⟩ over branches and a mesh of wave vectors shifted off Γ.

        Eigenvalues below ``floor`` [eV/Å²] are raised to it, if it is positive.

        Raises
        ------
        ConvergenceError
            If an eigenvalue is not positive: the lattice is not a minimum of its energy.
        """
        stiffness = self.eigenvalues(shifted_mesh(mesh))
        if floor > 0:
            stiffness = np.maximum(stiffness, floor)
        if stiffness.min() <= 0:
            raise ConvergenceError(
                f"the lattice is unstable: lowest force-constant eigenvalue {stiffness.min():.3g} eV/Å², "
                f"{np.mean(stiffness <= 0):.1%} of the modes not positive; relax it further, enlarge the "
                "repeated cell, or give the structure that is stable with this calculator"
            )
        return float(np.mean(np.log(stiffness)))


def shifted_mesh(mesh: int | Sequence[int]) -> FloatArray:
    """Return reduced wave vectors (points, 3) at (i + ½)/mesh along each axis [Monkhorst and Pack 1976]."""
    numbers = [mesh] * 3 if isinstance(mesh, int) else list(mesh)
    axes = [(np.arange(n) + 0.5) / n for n in numbers]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def force_constants(
    atoms: Atoms, calculator: Calculator, repeat: Sequence[int], *, displacement: float = 0.02
) -> ForceConstants:
    """Compute force constants by central differences of the forces in a repeated cell.

    Every atom of the cell is displaced along ± x, y, z; the translational sum rule is imposed. A pair that
    is equally far through several periodic images of the repeated cell is shared among them, which makes the
    interpolation to any wave vector well defined.

    Parameters
    ----------
    atoms
        Periodic structure with vanishing forces, n atoms.
    calculator
        Any ASE calculator.
    repeat
        Repetitions along the three cell vectors.
    displacement
        [Å].
    """
    supercell = atoms.repeat(tuple(repeat))
    supercell.calc = calculator
    n, cells = len(atoms), len(supercell) // len(atoms)
    rest = supercell.get_positions()
    rows = np.empty((3 * n, 3 * n * cells))
    for row, (atom, axis) in enumerate(product(range(n), range(3))):
        forces = []
        for sign in (1, -1):
            displaced = rest.copy()
            displaced[atom, axis] += sign * displacement
            supercell.set_positions(displaced)
            forces.append(supercell.get_forces())
        rows[row] = (forces[1] - forces[0]).ravel() / (2 * displacement)
    blocks = rows.reshape(n, 3, cells, n, 3)
    total = blocks.sum(axis=(2, 3))
    for atom in range(n):
        blocks[atom, :, 0, atom, :] -= total[atom]
    return _shared_images(atoms, blocks, np.array(repeat))


def from_repeated(atoms: Atoms, matrix: FloatArray, repeat: Sequence[int]) -> ForceConstants:
    """Return the force constants behind a repeated cell's matrix (3N, 3N), the inverse of ``repeated``."""
    n = len(atoms)
    rows = np.asarray(matrix)[: 3 * n]
    return _shared_images(atoms, rows.reshape(n, 3, len(matrix) // (3 * n), n, 3), np.array(repeat))


def _shared_images(atoms: Atoms, blocks: FloatArray, repeat: IntArray) -> ForceConstants:
    """Distribute Φ_{0i,Rj} of the periodic supercell over the nearest images of each pair."""
    n = len(atoms)
    cell, positions = np.asarray(atoms.cell), atoms.get_positions()
    origins = np.array(list(product(*(range(k) for k in repeat))))
    images = np.array(list(product(range(-2, 3), repeat=3))) * repeat
    found: dict[tuple[int, ...], FloatArray] = {}
    for c, i, j in product(range(len(origins)), range(n), range(n)):
        translations = origins[c] + images
        distances = np.linalg.norm(translations @ cell + positions[j] - positions[i], axis=1)
        nearest = translations[distances < distances.min() + SAME_DISTANCE]
        for translation in nearest.tolist():
            matrix = found.setdefault(tuple(translation), np.zeros((3 * n, 3 * n)))
            matrix[3 * i : 3 * i + 3, 3 * j : 3 * j + 3] += blocks[i, :, c, j, :] / len(nearest)
    keys = sorted(found)
    return ForceConstants(np.array(keys), np.array([found[key] for key in keys]))
