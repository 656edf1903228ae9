"""Finite volumes around nodes r_i = i h: half shells at centre and surface, so the surface is a node."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from scalebridge.foundation import InputError

FloatArray = NDArray[np.float64]
Shape = Literal["sphere", "cylinder", "plate"]
_DIMENSION: dict[str, int] = {"plate": 1, "cylinder": 2, "sphere": 3}


@dataclass(frozen=True, eq=False)
class ShellGrid:
    """One particle's shells; volumes are fractions of the particle's volume."""

    nodes: FloatArray
    """(shells,) radius, or distance from a plate's middle [m]."""
    spacing: float
    """h [m]."""
    fractions: FloatArray
    """(shells,) volume of a shell over the particle's volume."""
    face_areas: FloatArray
    """(shells − 1,) inner face area over the particle's volume [1/m]."""
    surface_area: float
    """Surface over volume [1/m]: d/size for dimension d (``size`` is half a plate's thickness)."""


def shell_grid(shape: Shape, size: float, shells: int) -> ShellGrid:
    """Return the shells of a sphere, cylinder or plate.

    Raises
    ------
    InputError
        If the shape is unknown, the size not positive, or there are fewer than 4 shells.
    """
    if shape not in _DIMENSION:
        raise InputError(f"particle shape '{shape}' is unknown; choose one of {', '.join(_DIMENSION)}")
    if size <= 0 or shells < 4:
        raise InputError(
            f"particle size {size:g} m and {shells} shells must obey size > 0 and "
            "shells ≥ 4; change the design"
        )
    dimension = _DIMENSION[shape]
    nodes = np.linspace(0.0, 1.0, shells)
    faces = 0.5 * (nodes[1:] + nodes[:-1])
    volumes = np.diff(np.concatenate([[0.0], faces**dimension, [1.0]]))
    return ShellGrid(
        nodes=nodes * size,
        spacing=size / (shells - 1),
        fractions=volumes,
        face_areas=dimension * faces ** (dimension - 1) / size,
        surface_area=dimension / size,
    )
