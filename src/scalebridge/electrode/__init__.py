"""Porous electrode against the ion's metal."""

from scalebridge.electrode.discharge import CellSolution, solve_cell
from scalebridge.electrode.electrolytes import SaltSolution, dilute, named_electrolyte, named_electrolytes
from scalebridge.electrode.model import CellModel, Layer
from scalebridge.electrode.population import Population
from scalebridge.electrode.results import DischargeTask, rate_capability, run_discharge, solve_discharge

__all__ = [
    "CellModel",
    "CellSolution",
    "DischargeTask",
    "Layer",
    "Population",
    "SaltSolution",
    "dilute",
    "named_electrolyte",
    "named_electrolytes",
    "rate_capability",
    "run_discharge",
    "solve_cell",
    "solve_discharge",
]
