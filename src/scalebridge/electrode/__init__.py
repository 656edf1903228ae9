"""Porous electrodes: half and full cells."""

from scalebridge.electrode.bpx_export import to_bpx, write_bpx
from scalebridge.electrode.bpx_import import BpxCell, BpxElectrode, read_bpx
from scalebridge.electrode.capability import (
    DischargeTask,
    rate_capability,
    resized,
    run_discharge,
    size_sweep,
)
from scalebridge.electrode.cycling import ProtocolSolution, StepResult, solve_protocol, solve_thermal_protocol
from scalebridge.electrode.datasets import to_dataset, write_netcdf
from scalebridge.electrode.discharge import CellSolution, solve_cell
from scalebridge.electrode.electrolytes import SaltSolution, dilute, named_electrolyte, named_electrolytes
from scalebridge.electrode.heat import HeatBalance
from scalebridge.electrode.impedance import Impedance, electrode_impedance, impedance_solution
from scalebridge.electrode.measures import (
    UNLIMITED,
    Limitation,
    active_fraction,
    limiting_process,
    mean_active_fraction,
    time_scales,
    voltage_hysteresis,
)
from scalebridge.electrode.model import CellModel, MetalFoil
from scalebridge.electrode.noise import solve_noisy_cell
from scalebridge.electrode.population import Population
from scalebridge.electrode.porous import Layer, PorousElectrode
from scalebridge.electrode.protocol import Limit, Protocol, Step, parse_step, read_profile
from scalebridge.electrode.protocol_results import protocol_solution
from scalebridge.electrode.pybamm_export import to_pybamm, write_pybamm
from scalebridge.electrode.results import MAP_TIMES, solve_discharge
from scalebridge.electrode.thermal import ThermalSolution, solve_thermal_cell

__all__ = [
    "MAP_TIMES",
    "UNLIMITED",
    "BpxCell",
    "BpxElectrode",
    "CellModel",
    "CellSolution",
    "DischargeTask",
    "HeatBalance",
    "Impedance",
    "Layer",
    "Limit",
    "Limitation",
    "MetalFoil",
    "Population",
    "PorousElectrode",
    "Protocol",
    "ProtocolSolution",
    "SaltSolution",
    "Step",
    "StepResult",
    "ThermalSolution",
    "active_fraction",
    "dilute",
    "electrode_impedance",
    "impedance_solution",
    "limiting_process",
    "mean_active_fraction",
    "named_electrolyte",
    "named_electrolytes",
    "parse_step",
    "protocol_solution",
    "rate_capability",
    "read_bpx",
    "read_profile",
    "resized",
    "run_discharge",
    "size_sweep",
    "solve_cell",
    "solve_discharge",
    "solve_noisy_cell",
    "solve_protocol",
    "solve_thermal_cell",
    "solve_thermal_protocol",
    "time_scales",
    "to_bpx",
    "to_dataset",
    "to_pybamm",
    "voltage_hysteresis",
    "write_bpx",
    "write_netcdf",
    "write_pybamm",
]
