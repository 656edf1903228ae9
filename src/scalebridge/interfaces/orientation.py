"""Cells whose first two vectors span a lattice plane: the repeat units of slabs."""

import itertools
import math

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from scalebridge.foundation import InputError
from scalebridge.sampling import HostCell

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def orientation_matrix(cell: FloatArray, miller: tuple[int, int, int], *, reach: int = 3) -> IntArray:
    """Return integer combinations (3, 3) of the cell vectors: two shortest in the plane (hkl), one across.

    The third vector leads to the next plane (h·w = 1) and is the most upright; the determinant is 1, so the
    new cell holds what the old one did.

    Parameters
    ----------
    cell
        (3, 3) vectors as rows.
    miller
        (hkl) with respect to ``cell``.
    reach
        Largest coefficient searched.

    Raises
    ------
    InputError
        If (hkl) is zero or has a common divisor, or no such cell lies within ``reach``.
    """
    if math.gcd(*miller) != 1:
        raise InputError(
            f"Miller indices {miller} must be integers without a common divisor, for example 1 1 0"
        )
    plane = np.array(miller)
    grid = np.array(list(itertools.product(range(-reach, reach + 1), repeat=3)), dtype=np.int64)
    lengths = np.linalg.norm(grid @ cell, axis=1)
    height = grid @ plane
    inside = grid[height == 0][np.argsort(lengths[height == 0], kind="stable")]
    normal = np.linalg.solve(cell, plane.astype(float))
    across = grid[height == 1]
    lean = np.linalg.norm(across @ cell - normal / (normal @ normal), axis=1)
    across = across[np.argsort(lean, kind="stable")]
    for first, second in itertools.combinations(inside[1:41], 2):
        for third in across[:40]:
            matrix = np.array([first, second, third])
            volume = round(float(np.linalg.det(matrix)))
            if abs(volume) == 1:
                matrix[0] *= volume
                return matrix
    raise InputError(
        f"no unit cell on the plane {miller} within {reach} lattice vectors; use smaller Miller indices"
    )


def oriented_cell(host: HostCell, matrix: IntArray) -> HostCell:
    """Return the host in the cell ``matrix`` @ cell, atoms and sites in the same order, inside the cell."""
    cell = matrix @ np.asarray(host.framework.cell)
    inverse = np.linalg.inv(matrix.astype(float))
    scaled = _inside(host.framework.get_scaled_positions(wrap=False) @ inverse)
    framework = Atoms(host.framework.get_chemical_symbols(), cell=cell, scaled_positions=scaled, pbc=True)
    return HostCell(framework, _inside(host.sites @ inverse), host.formula_units, host.ion, host.phase)


def _inside(scaled: FloatArray) -> FloatArray:
    return np.asarray(scaled - np.floor(scaled + 1e-6))
