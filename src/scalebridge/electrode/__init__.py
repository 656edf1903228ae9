"""Porous electrode against the ion's metal."""

from scalebridge.electrode.cycling import ProtocolSolution, StepResult, solve_protocol
from scalebridge.electrode.discharge import CellSolution, solve_cell
from scalebridge.electrode.electrolytes import SaltSolution, dilute, named_electrolyte, named_electrolytes
from scalebridge.electrode.impedance import Impedance, electrode_impedance, impedance_solution
from scalebridge.electrode.model import CellModel, Layer
from scalebridge.electrode.population import Population
from scalebridge.electrode.protocol import Limit, Protocol, Step, parse_step, read_profile
from scalebridge.electrode.protocol_results import protocol_solution
from scalebridge.electrode.results import DischargeTask, rate_capability, run_discharge, solve_discharge

__all__ = [
    "CellModel",
    "CellSolution",
    "DischargeTask",
    "Impedance",
    "Layer",
    "Limit",
    "Population",
    "Protocol",
    "ProtocolSolution",
    "SaltSolution",
    "Step",
    "StepResult",
    "dilute",
    "electrode_impedance",
    "impedance_solution",
    "named_electrolyte",
    "named_electrolytes",
    "parse_step",
    "protocol_solution",
    "rate_capability",
    "read_profile",
    "run_discharge",
    "solve_cell",
    "solve_discharge",
    "solve_protocol",
]
