"""Interface and strain energies, gradient energy, eigenstrain, elastic constants."""

from scalebridge.interfaces.combine import (
    combine,
)
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
    rotate_stiffness,
    solve_transformation,
    voigt_to_tensor,
)
from scalebridge.interfaces.work import (
    ElasticResult,
    ElasticTask,
    End,
    SlabResult,
    SlabTask,
    run_elastic,
    run_slabs,
)

__all__ = [
    "VOIGT",
    "ElasticResult",
    "ElasticTask",
    "End",
    "RelaxedPhase",
    "SlabEnergies",
    "SlabResult",
    "SlabSettings",
    "SlabTask",
    "Transformation",
    "build_slab",
    "coherency_modulus",
    "combine",
    "eigenstrain",
    "gradient_energy",
    "interface_energy_from_gradient",
    "interface_width",
    "orientation_matrix",
    "oriented_cell",
    "relax_phase",
    "rotate_stiffness",
    "run_elastic",
    "run_slabs",
    "solve_slabs",
    "solve_stiffness",
    "solve_transformation",
    "voigt_to_tensor",
]
