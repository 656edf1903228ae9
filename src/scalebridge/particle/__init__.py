"""Phase field in one particle: Cahn–Hilliard reaction."""

from scalebridge.particle.model import ParticleModel, shells_for
from scalebridge.particle.solve import ParticleSolution, solve_particle

__all__ = ["ParticleModel", "ParticleSolution", "shells_for", "solve_particle"]
