"""Isotherm and voltage, structures and phases, homogeneous free energy."""

from scalebridge.thermodynamics.anharmonic import (
    Perturbation,
    Reference,
    exponential_average,
    perturb_harmonic,
    self_consistent_reference,
)
from scalebridge.thermodynamics.free_energy import (
    FreeEnergySettings,
    SampledFreeEnergy,
    fit_free_energy,
    sampled_free_energy,
)
from scalebridge.thermodynamics.harmonic import ForceConstants, force_constants, from_repeated, shifted_mesh
from scalebridge.thermodynamics.isotherm import solve_common_tangents, solve_isotherm, solve_spinodals
from scalebridge.thermodynamics.metal import (
    MetalReference,
    MetalSettings,
    harmonic_free_energy,
    solve_metal,
)
from scalebridge.thermodynamics.redlich_kister import Increments, SeriesFit, choose_orders, fit_series
from scalebridge.thermodynamics.structures import (
    GroundStates,
    block_error,
    relax_structures,
    space_group,
    tabulate_ground_states,
    tabulate_structures,
)
from scalebridge.thermodynamics.tangents import CommonTangent, Mixture, common_tangents, lower_hull

__all__ = [
    "CommonTangent",
    "ForceConstants",
    "FreeEnergySettings",
    "GroundStates",
    "Increments",
    "MetalReference",
    "MetalSettings",
    "Mixture",
    "Perturbation",
    "Reference",
    "SampledFreeEnergy",
    "SeriesFit",
    "block_error",
    "choose_orders",
    "common_tangents",
    "exponential_average",
    "fit_free_energy",
    "fit_series",
    "force_constants",
    "from_repeated",
    "harmonic_free_energy",
    "lower_hull",
    "perturb_harmonic",
    "relax_structures",
    "sampled_free_energy",
    "self_consistent_reference",
    "shifted_mesh",
    "solve_common_tangents",
    "solve_isotherm",
    "solve_metal",
    "solve_spinodals",
    "space_group",
    "tabulate_ground_states",
    "tabulate_structures",
]
