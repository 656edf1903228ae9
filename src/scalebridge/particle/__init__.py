"""Phase field in one particle: Cahn–Hilliard reaction.

`ParticleModel` and `solve_particle` are for users; the kernels, the implicit solver and their types are for
the electrode, which puts many particles into one system.
"""

from scalebridge.particle._kernels import (
    Entries,
    ParticleArrays,
    Place,
    add,
    block_size,
    empty_entries,
    entry_count,
    particle_arrays,
    particle_entries,
    particle_residual,
    restore_particle,
    trimmed,
)
from scalebridge.particle.block_solver import BlockMap, BlockSolver, Factors, block_factor, block_solve
from scalebridge.particle.boundary import boundary_radius
from scalebridge.particle.implicit import (
    REFERENCE_TOLERANCE,
    ImplicitSolution,
    ImplicitSystem,
    consistent_start,
    solve_implicit,
)
from scalebridge.particle.measured import measured_particle
from scalebridge.particle.model import ParticleModel, shells_for
from scalebridge.particle.native import USER_WORD, NativeCallbacks, data_offset
from scalebridge.particle.pattern import SparsePattern, gather
from scalebridge.particle.solve import (
    POTENTIAL_TOLERANCE,
    THETA_TOLERANCE,
    ParticleSolution,
    solve_particle,
)
from scalebridge.particle.stability import resolves_growth
from scalebridge.particle.tables import evaluate, tabulate
from scalebridge.particle.widening import state_widening

__all__ = [
    "POTENTIAL_TOLERANCE",
    "REFERENCE_TOLERANCE",
    "THETA_TOLERANCE",
    "USER_WORD",
    "BlockMap",
    "BlockSolver",
    "Entries",
    "Factors",
    "ImplicitSolution",
    "ImplicitSystem",
    "NativeCallbacks",
    "ParticleArrays",
    "ParticleModel",
    "ParticleSolution",
    "Place",
    "SparsePattern",
    "add",
    "block_factor",
    "block_size",
    "block_solve",
    "boundary_radius",
    "consistent_start",
    "data_offset",
    "empty_entries",
    "entry_count",
    "evaluate",
    "gather",
    "measured_particle",
    "particle_arrays",
    "particle_entries",
    "particle_residual",
    "resolves_growth",
    "restore_particle",
    "shells_for",
    "solve_implicit",
    "solve_particle",
    "state_widening",
    "tabulate",
    "trimmed",
]
