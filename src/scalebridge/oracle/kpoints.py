"""Meshes of k-points: as dense in small cells as in large ones, the same points in a cell and its double."""

from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from scalebridge.foundation import InputError


def mesh_size(atoms: Atoms, density: float) -> tuple[int, int, int]:
    """Return the points along each reciprocal vector: ⌈density·|b_i|⌉, one where the cell is not periodic.

    Parameters
    ----------
    atoms
        The structure.
    density
        Points per reciprocal length [Å], |b_i| with its factor 2π.

    Raises
    ------
    InputError
        If the density is not positive.
    """
    if not density > 0:
        raise InputError(f"k-point density {density:g} Å; above 0 is needed, 1.5 Å is usual for an insulator")
    lengths = 2 * np.pi * np.linalg.norm(atoms.cell.reciprocal()[:], axis=1)
    sizes = [
        max(1, int(np.ceil(density * length - 1e-9))) if periodic else 1
        for length, periodic in zip(lengths, atoms.pbc, strict=True)
    ]
    return sizes[0], sizes[1], sizes[2]


def k_points(atoms: Atoms, setting: Any, *, mean_value: bool = False) -> NDArray[np.float64]:
    """Return the k-points of a structure, (K, 3) in units of the reciprocal vectors, all of equal weight.

    Meshes are shifted by half a step, k = (r + ½)/n: for even n those of Monkhorst and Pack [Phys. Rev. B 13,
    5188 (1976)], and, unlike theirs, the same points when a cell is doubled and n halved.

    Parameters
    ----------
    atoms
        The structure.
    setting
        A density [Å], a mesh ``[n1, n2, n3]``, or points ``[[k1, k2, k3], ...]``.
    mean_value
        Only the first point, as the zone's mean value [Baldereschi, Phys. Rev. B 7, 5212 (1973)].

    Raises
    ------
    InputError
        If the setting is none of these.
    """
    points = _points(atoms, setting)
    return points[:1] if mean_value else points


def _points(atoms: Atoms, setting: Any) -> NDArray[np.float64]:
    if isinstance(setting, int | float) and not isinstance(setting, bool):
        return _half_shifted(atoms, mesh_size(atoms, float(setting)))
    try:
        values = np.array(setting, dtype=float)
    except (TypeError, ValueError):
        values = np.zeros(0)
    if values.shape == (3,) and np.all(values >= 1) and np.all(values == values.round()):
        return _half_shifted(atoms, (int(values[0]), int(values[1]), int(values[2])))
    if values.ndim == 2 and values.shape[1] == 3 and len(values):
        return values
    raise InputError(
        f"k-points {setting!r} are not understood; give a density in Å (1.5), a mesh ([2, 2, 2]) or points "
        "([[0.25, 0.25, 0.25]])"
    )


def _half_shifted(atoms: Atoms, size: tuple[int, int, int]) -> NDArray[np.float64]:
    axes = [
        (np.arange(count) + 0.5) / count if periodic else np.zeros(1)
        for count, periodic in zip(size, atoms.pbc, strict=True)
    ]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    return points - (points > 0.5 + 1e-9)
