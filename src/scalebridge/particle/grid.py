"""Finite volumes around nodes r_i = i h: half shells at centre and surface, so the surface is a node."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from scalebridge.foundation import InputError

FloatArray = NDArray[np.float64]
Shape = Literal["sphere", "cylinder", "plate"]
Kind = Literal["cahn-hilliard", "allen-cahn", "homogeneous"]
_DIMENSION: dict[str, int] = {"plate": 1, "cylinder": 2, "sphere": 3}
LEAST_SHELLS = 4


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
    """Reacting surface over volume [1/m]: d/size for dimension d (``size`` is half a plate's thickness)."""
    wetted: tuple[float, float]
    """Area over volume that bounds the first and the last node, on which wetting acts [1/m]."""


def shell_grid(shape: Shape, size: float, shells: int) -> ShellGrid:
    """Return the shells of a sphere, cylinder or plate.

    Raises
    ------
    InputError
        If the shape is unknown, the size not positive, or there are fewer than 4 shells.
    """
    if shape not in _DIMENSION:
        raise InputError(f"particle shape '{shape}' is unknown; choose one of {', '.join(_DIMENSION)}")
    if size <= 0 or shells < LEAST_SHELLS:
        raise InputError(
            f"particle size {size:g} m and {shells} shells must obey size > 0 and "
            f"shells ≥ {LEAST_SHELLS}; change the design"
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
        wetted=(0.0, dimension / size),
    )


def line_grid(half_thickness: float, length: float, cells: int) -> ShellGrid:
    """Return the cells along the length of a platelet, depth-averaged: both of its faces react everywhere.

    Raises
    ------
    InputError
        If half thickness or length is not positive, or there are fewer than 4 cells.
    """
    if half_thickness <= 0:
        raise InputError(f"half thickness {half_thickness:g} m must be positive; change the design")
    line = shell_grid("plate", length, cells)
    return replace(line, surface_area=1.0 / half_thickness, wetted=(1.0 / length, 1.0 / length))


def single_cell(shape: Shape, size: float) -> ShellGrid:
    """Return a sphere, cylinder or plate as one cell.

    Raises
    ------
    InputError
        If the shape is unknown or the size not positive.
    """
    area = shell_grid(shape, size, LEAST_SHELLS).surface_area
    one = np.ones(1)
    return ShellGrid(
        nodes=size * one,
        spacing=size,
        fractions=one,
        face_areas=np.zeros(0),
        surface_area=area,
        wetted=(0.0, 0.0),
    )
