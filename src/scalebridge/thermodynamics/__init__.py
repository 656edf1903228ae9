"""Isotherm and voltage, structures and phases, homogeneous free energy."""

from scalebridge.thermodynamics.harmonic import ForceConstants, force_constants, shifted_mesh
from scalebridge.thermodynamics.metal import (
    MetalReference,
    MetalSettings,
    harmonic_free_energy,
    solve_metal,
)

__all__ = [
    "ForceConstants",
    "MetalReference",
    "MetalSettings",
    "force_constants",
    "harmonic_free_energy",
    "shifted_mesh",
    "solve_metal",
]
