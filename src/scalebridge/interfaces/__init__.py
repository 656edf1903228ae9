"""Interface and strain energies, gradient energy, eigenstrain, elastic constants."""

from scalebridge.interfaces.arrangements import (
    candidate_arrangements,
    draw_arrangement,
    mean_slabs,
)
from scalebridge.interfaces.combine import (
    combine,
)
from scalebridge.interfaces.diffuse import state_diffuse_interfaces
from scalebridge.interfaces.elastic import (
    solve_stiffness,
)
from scalebridge.interfaces.gradient import (
    gradient_energy,
    interface_energy_from_gradient,
    interface_width,
)
from scalebridge.interfaces.orientation import (
    orientation_matrix,
    oriented_cell,
)
from scalebridge.interfaces.pair import (
    PhasePair,
    choose_pair,
)
from scalebridge.interfaces.slab import (
    RelaxedPhase,
    SlabEnergies,
    SlabSettings,
    build_slab,
    oriented_phase,
    relax_phase,
    solve_slabs,
)
from scalebridge.interfaces.strain import (
    VOIGT,
    Transformation,
    coherency_modulus,
    eigenstrain,
    rotate_stiffness,
    solve_transformation,
    voigt_to_tensor,
)
from scalebridge.interfaces.work import (
    ElasticResult,
    ElasticTask,
    End,
    PhaseResult,
    PhaseTask,
    SlabResult,
    SlabTask,
    run_elastic,
    run_phase,
    run_slabs,
)

__all__ = [
    "VOIGT",
    "ElasticResult",
    "ElasticTask",
    "End",
    "PhasePair",
    "PhaseResult",
    "PhaseTask",
    "RelaxedPhase",
    "SlabEnergies",
    "SlabResult",
    "SlabSettings",
    "SlabTask",
    "Transformation",
    "build_slab",
    "candidate_arrangements",
    "choose_pair",
    "coherency_modulus",
    "combine",
    "draw_arrangement",
    "eigenstrain",
    "gradient_energy",
    "interface_energy_from_gradient",
    "interface_width",
    "mean_slabs",
    "orientation_matrix",
    "oriented_cell",
    "oriented_phase",
    "relax_phase",
    "rotate_stiffness",
    "run_elastic",
    "run_phase",
    "run_slabs",
    "solve_slabs",
    "solve_stiffness",
    "solve_transformation",
    "state_diffuse_interfaces",
    "voigt_to_tensor",
]
