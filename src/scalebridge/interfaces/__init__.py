"""Interface and strain energies, gradient energy, eigenstrain, elastic constants."""

from scalebridge.interfaces.elastic import (
    solve_stiffness,
)
from scalebridge.interfaces.gradient import (
    gradient_energy,
    interface_energy_from_gradient,
    interface_width,
)
from scalebridge.interfaces.slab import (
    RelaxedPhase,
    SlabEnergies,
    SlabSettings,
    build_slab,
    relax_phase,
    solve_slabs,
)
from scalebridge.interfaces.strain import (
    VOIGT,
    Transformation,
    coherency_modulus,
    eigenstrain,
    solve_transformation,
    voigt_to_tensor,
)

__all__ = [
    "VOIGT",
    "RelaxedPhase",
    "SlabEnergies",
    "SlabSettings",
    "Transformation",
    "build_slab",
    "coherency_modulus",
    "eigenstrain",
    "gradient_energy",
    "interface_energy_from_gradient",
    "interface_width",
    "relax_phase",
    "solve_slabs",
    "solve_stiffness",
    "solve_transformation",
    "voigt_to_tensor",
]
