"""Phase field in one particle: Cahn–Hilliard or Allen–Cahn reaction, or one homogeneous filling.

`ParticleModel` and `solve_particle` are for users; the kernels, the implicit solver and their types are for
the electrode, which puts many particles into one system.
"""

from scalebridge.particle._jacobian import empty_blocks, particle_blocks
from scalebridge.particle._kernels import (
    ParticleArrays,
    Particles,
    Surface,
    block_size,
    particle_arrays,
    particle_places,
    particle_residual,
    particle_table,
    phase_places,
    restore_particles,
)
from scalebridge.particle.block_solver import block_factor, block_solve
from scalebridge.particle.boundary import boundary_radius
from scalebridge.particle.card_inputs import scaled_length
from scalebridge.particle.fluctuations import platelet_sites, thermal_profile
from scalebridge.particle.grid import Kind
from scalebridge.particle.groups import (
    Factors,
    Group,
    GroupFactors,
    Jacobian,
    Links,
    empty_factors,
    empty_group,
)
from scalebridge.particle.implicit import (
    REFERENCE_TOLERANCE,
    ImplicitSolution,
    ImplicitSystem,
    consistent_start,
    solve_implicit,
)
from scalebridge.particle.measured import measured_particle
from scalebridge.particle.model import ParticleModel
from scalebridge.particle.native import USER_WORD, NativeCallbacks, data_offset
from scalebridge.particle.noise import (
    ThermalNoise,
    check_interval,
    check_phases,
    noise_stream,
    noise_strengths,
    particle_sites,
    thermal_noise,
)
from scalebridge.particle.order import PhaseOrder, phase_fractions
from scalebridge.particle.platelet import Platelet
from scalebridge.particle.platelet_solve import PlateletSolution, solve_platelet
from scalebridge.particle.resolution import shells_for
from scalebridge.particle.resolution_remarks import state_resolution
from scalebridge.particle.slices import START_TOLERANCE, Events, solve_slices
from scalebridge.particle.solve import (
    POTENTIAL_TOLERANCE,
    THETA_TOLERANCE,
    ParticleSolution,
    solve_particle,
)
from scalebridge.particle.sparse import sparse_matrices
from scalebridge.particle.stability import resolves_growth
from scalebridge.particle.tables import evaluate, tabulate

__all__ = [
    "POTENTIAL_TOLERANCE",
    "REFERENCE_TOLERANCE",
    "START_TOLERANCE",
    "THETA_TOLERANCE",
    "USER_WORD",
    "Events",
    "Factors",
    "Group",
    "GroupFactors",
    "ImplicitSolution",
    "ImplicitSystem",
    "Jacobian",
    "Kind",
    "Links",
    "NativeCallbacks",
    "ParticleArrays",
    "ParticleModel",
    "ParticleSolution",
    "Particles",
    "PhaseOrder",
    "Platelet",
    "PlateletSolution",
    "Surface",
    "ThermalNoise",
    "block_factor",
    "block_size",
    "block_solve",
    "boundary_radius",
    "check_interval",
    "check_phases",
    "consistent_start",
    "data_offset",
    "empty_blocks",
    "empty_factors",
    "empty_group",
    "evaluate",
    "measured_particle",
    "noise_stream",
    "noise_strengths",
    "particle_arrays",
    "particle_blocks",
    "particle_places",
    "particle_residual",
    "particle_sites",
    "particle_table",
    "phase_fractions",
    "phase_places",
    "platelet_sites",
    "resolves_growth",
    "restore_particles",
    "scaled_length",
    "shells_for",
    "solve_implicit",
    "solve_particle",
    "solve_platelet",
    "solve_slices",
    "sparse_matrices",
    "state_resolution",
    "tabulate",
    "thermal_noise",
    "thermal_profile",
]
