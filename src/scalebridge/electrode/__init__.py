"""Porous electrode against the ion's metal."""

from scalebridge.electrode.discharge import CellSolution, solve_cell
from scalebridge.electrode.model import CellModel, Layer

__all__ = ["CellModel", "CellSolution", "Layer", "solve_cell"]
