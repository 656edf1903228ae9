"""Thermal noise of particles during a run (Cahn–Hilliard–Cook).

Beside the current of ions that its forces drive, every way on which ions move carries a random one
(H. E. Cook, Acta Metall. 18, 297 (1970)), as strong as detailed balance asks:

| way | random current ζ, per site of the particle and time | name here |
|---|---|---|
| face between shells, flux (A M/h) Δμ | ⟨ζ(t) ζ(t′)⟩ = (2/N) (A M/h) δ(t − t′) | ``_face_strengths`` |
| reaction, rate f − b | ⟨ζ(t) ζ(t′)⟩ = (f + b) δ(t − t′)/N | ``shot_noise`` |
| film of resistance r (kT/(z e) per filling rate) | ⟨V(t) V(t′)⟩ = (2 r/N) δ(t − t′) | ``shot_noise`` |

N: sites of the particle; areas and volumes over its volume. With them the equation of the fractions'
probability has the stationary solution exp(−N F/kT) at fixed filling, of covariance (N G)⁻¹ as in
`fluctuations`. Reactions obey local detailed balance, f/b = exp(A) with the affinity
A = ln a₊ − Δ̃ − ln a, so f + b = j coth(A/2): twice the exchange current at equilibrium, the
shot noise of |j| far from it.

Time is cut into slices of Δt. Within one the standard normal numbers are constant and ζ = √(strength/N Δt)
times them, white noise averaged over the slice: a mode that relaxes at the rate ω keeps the share
tanh(½ωΔt)/(½ωΔt) of its variance at the ends of slices, 1 − (ωΔt)²/12 where slices are short. The strength is
that of the state where the slice begins (Itô). What the multiplicative noise would add to the drift then
(the slope of the mobility over the sites of a shell) falls as 1/N and is left out.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalebridge.foundation import InputError, random_stream
from scalebridge.foundation.compiled import compiled_arithmetic
from scalebridge.particle._kernels import (
    ParticleArrays,
    Particles,
    Surface,
    chemical_potentials,
    direct_rate,
    mobility,
    particle_table,
    surface_rate,
)
from scalebridge.particle.fluctuations import platelet_sites
from scalebridge.particle.model import ParticleModel

FloatArray = NDArray[np.float64]

NEAR_EQUILIBRIUM = 1e-4
"""Affinity below which f + b is twice the linear response: the quotient would be rounding."""


@dataclass(frozen=True, kw_only=True)
class ThermalNoise:
    """Thermal noise of one particle during a run.

    Raises
    ------
    InputError
        If interval or sites are not positive.
    """

    interval: float
    """Δt over which random numbers stay [s]: slower modes fluctuate as at equilibrium, faster ones less."""
    seed: int
    sites: float | None = None
    """N; None: `particle_sites`."""

    def __post_init__(self) -> None:
        check_interval(self.interval)
        if self.sites is not None and not self.sites > 0:
            raise InputError(f"thermal noise of {self.sites:g} sites, which must be positive; change them")


def check_interval(interval: float) -> None:
    """Raise an `InputError` where a noise interval [s] is not positive."""
    if not 0 < interval < np.inf:
        raise InputError(
            f"noise interval {interval:g} s must be positive; choose a tenth of the time in which the "
            "instability grows that the noise is to start, or leave it out for a run without noise"
        )


def particle_sites(model: ParticleModel) -> float:
    """Return N = ρV of a sphere, a cylinder as long as wide, a cube (``plate``) or a square platelet."""
    if model.length is not None:
        return platelet_sites(model)
    volumes = {"sphere": 4 / 3 * np.pi, "cylinder": 2 * np.pi, "plate": 8.0}
    return float(model.site_density * volumes[model.shape] * model.size**3)


def noise_stream(seed: int, *names: str | int) -> np.random.Generator:
    """Return the random stream of a particle named by its place."""
    return random_stream(seed, "thermal noise", *names)


def thermal_noise(
    g: Particles, surface: Surface, state: FloatArray, scales: FloatArray, normal: FloatArray
) -> FloatArray:
    """Return `Particles.noise` (shells, particles) of a slice [1/s].

    Parameters
    ----------
    state
        Of all unknowns, where the slice begins.
    scales
        (particles,) √(N Δt) [√s].
    normal
        (shells, particles) standard normal numbers.
    """
    return np.ascontiguousarray(np.sqrt(noise_strengths(g, surface, state)) * normal / scales)


@compiled_arithmetic
def noise_strengths(g: Particles, surface: Surface, state: FloatArray) -> FloatArray:
    """Return N ∫⟨ζ(0) ζ(t)⟩ dt of every way (module table) (shells, particles) [1/s]."""
    p, y = g.arrays, particle_table(g, state)
    n, count = p.fractions.size, g.shrink.size
    strengths = np.empty((n, count))
    potential = chemical_potentials(p, y, g.shrink)
    if p.direct > 0.0:
        for i in range(n):
            for k in range(count):
                scale = p.rate * g.shrink[k]
                seen = surface.log_electrolyte[k], surface.drive[k], g.film[k] * scale
                rate = direct_rate(p, seen, potential[i, k], y[2 * i + 1, k])[0]
                own = seen[0], seen[1] + seen[2] * rate, seen[2]
                shot, share = shot_noise(p, own, potential[i, k], y[2 * i + 1, k])
                # the kernels add it to what the film lets through
                strengths[i, k] = p.fractions[i] * scale * p.rate_scale * shot * share * share
        return strengths
    _face_strengths(g, y, strengths)
    for k in range(count):
        film = g.film[k] * y[2 * n + 1, k]
        scale = p.rate * g.shrink[k]
        own = surface.log_electrolyte[k], surface.drive[k] + film, g.film[k] * scale
        shot = shot_noise(p, own, potential[n - 1, k], y[2 * n - 1, k])[0]
        strengths[n - 1, k] = scale * p.rate_scale * shot
    return strengths


@compiled_arithmetic
def _face_strengths(g: Particles, y: FloatArray, strengths: FloatArray) -> None:
    """Write the strengths of the faces between shells."""
    p = g.arrays
    for i in range(p.fractions.size - 1):
        for k in range(g.shrink.size):
            m = mobility(p.diffusivity, 0.5 * (y[2 * i, k] + y[2 * i + 2, k]))[0]
            conductance = p.face_areas[i] / p.spacing * g.shrink[k] * g.shrink[k] * m
            strengths[i, k] = 2.0 * max(conductance, 0.0)


@compiled_arithmetic
def shot_noise(
    p: ParticleArrays, seen: tuple[float, float, float], log_activity: float, y: float
) -> tuple[float, float]:
    """Return (f + b + film's noise)/k0 of a reaction and the share of it that the film lets through.

    ``seen``: ln a₊, Δ̃ less the film's voltage, and the film's voltage at j/k0 = 1.
    """
    log_electrolyte, drive, film = seen
    value, _, by_drive, _, _ = surface_rate(p, log_electrolyte, drive, log_activity, y)
    affinity = log_electrolyte - drive - log_activity
    both = -2.0 * by_drive
    if abs(affinity) > NEAR_EQUILIBRIUM:
        both = value / np.tanh(0.5 * affinity)
    return both + 2.0 * film * by_drive * by_drive, 1.0 / (1.0 - film * by_drive)
