"""Thermal noise of particles during a run (Cahn–Hilliard–Cook).

Beside the current of ions that its forces drive, every way on which ions move carries a random one
(H. E. Cook, Acta Metall. 18, 297 (1970)), as strong as detailed balance asks:

| way | random current ζ, per site of the particle and time | name here |
|---|---|---|
| face between shells, flux (A M/h) Δμ | ⟨ζ(t) ζ(t′)⟩ = (2/N) (A M/h) δ(t − t′) | ``_face_strengths`` |
| reaction, rate f − b | ⟨ζ(t) ζ(t′)⟩ = (f + b) δ(t − t′)/N | ``reaction_noise`` |
| film of resistance r (kT/(z e) per filling rate) | ⟨V(t) V(t′)⟩ = (2 r/N) δ(t − t′) | ``reaction_noise`` |

N: sites of the particle; areas and volumes over its volume. With them the equation of the fractions'
probability has the stationary solution exp(−N F/kT) at fixed filling, of covariance (N G)⁻¹ as in
`fluctuations`. Reactions obey local detailed balance, f/b = exp(A) with the affinity
A = ln a₊ − Δ̃ − ln a, so f + b = j coth(A/2): twice the exchange current at equilibrium, the
shot noise of |j| far from it.

Time is cut into slices of Δt. Within one the standard normal numbers are constant and ζ = √(strength/N Δt)
times them, white noise averaged over the slice: a mode that relaxes at the rate ω keeps the share
tanh(½ωΔt)/(½ωΔt) of its variance at the ends of slices, 1 − (ωΔt)²/12 where slices are short.

Strengths are those of the state where the slice begins. Through faces acts a random force ζ h/(A M), constant
over the slice, beside Δμ, while the mobility M follows the state: a shell that empties takes its noise with
it, and as Δt → 0 this is the equation of the Onsager coefficients' full drift, ∂M/∂θ/N included (E. Wong and
M. Zakai, Ann. Math. Stat. 36, 1560 (1965), σσ′/2 of σ = M √(2/M₀N)). The reactions' random rates are
constant over the slice (Itô); what their own multiplicative noise would add to the drift falls as 1/N and is
left out.
"""

from dataclasses import dataclass
from typing import NamedTuple

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

SMALLEST = 1e-290
"""Conductance of a face between empty shells [1/s], which no current passes."""
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


def check_phases(model: ParticleModel) -> None:
    """Raise an `InputError` of phases with a rate of their own, whose populations would need noise too."""
    if model.order is not None:
        raise InputError(
            "thermal noise of particles whose phases have a rate of their own is not modelled; leave "
            "phase_relaxation_time or the noise out"
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


class NoiseStrengths(NamedTuple):
    """Of the random currents of particles, (shells, particles) [1/s]; ways as in `Particles.noise`."""

    strength: FloatArray
    """N ∫⟨ζ(0) ζ(t)⟩ dt."""
    inwards: FloatArray
    """Of what a way carries by itself, the part that ``thermal_noise`` may add inwards."""
    outwards: FloatArray


def thermal_noise(
    g: Particles,
    surface: Surface,
    state: FloatArray,
    normal: FloatArray,
    *,
    sites: FloatArray,
    interval: float,
) -> FloatArray:
    """Return `Particles.noise` (shells, particles) of a slice of Δt [1/s].

    Where a shell holds some ten ions or vacancies or fewer, large currents are cut: by no way may it lose
    more than a quarter of them in the slice beyond what flows back meanwhile.

    Parameters
    ----------
    state
        Of all unknowns, where the slice begins.
    normal
        (shells, particles) standard normal numbers.
    sites
        (particles,) N.
    interval
        Δt [s].
    """
    strengths = noise_strengths(g, surface, state)
    drawn = np.sqrt(strengths.strength / (sites * interval)) * normal
    theta = np.clip(particle_table(g, state)[0 : 2 * len(normal) : 2], 0.0, 1.0)
    weights = g.arrays.fractions[:, None] / (4.0 * interval)
    ions, vacancies = weights * theta, weights * (1.0 - theta)
    inwards, outwards = vacancies.copy(), ions.copy()
    if g.arrays.direct == 0.0:
        # what passes a face leaves the shell on its other side
        inwards[:-1] = np.minimum(inwards[:-1], ions[1:])
        outwards[:-1] = np.minimum(outwards[:-1], vacancies[1:])
    noise = np.clip(drawn, -outwards - strengths.outwards, inwards + strengths.inwards)
    if g.arrays.direct == 0.0:
        noise[:-1] /= np.maximum(0.5 * strengths.strength[:-1], SMALLEST)
    return noise


@compiled_arithmetic
def noise_strengths(g: Particles, surface: Surface, state: FloatArray) -> NoiseStrengths:
    """Return the strengths of the random currents at a state."""
    p, y = g.arrays, particle_table(g, state)
    n, count = p.fractions.size, g.shrink.size
    s = NoiseStrengths(np.empty((n, count)), np.empty((n, count)), np.empty((n, count)))
    potential = chemical_potentials(p, y, g.shrink)
    for i in range(0 if p.direct > 0.0 else n - 1, n):
        for k in range(count):
            scale = p.rate * g.shrink[k]
            film, drive = g.film[k] * scale, surface.drive[k]
            seen = surface.log_electrolyte[k], drive, film
            if p.direct > 0.0:
                drive += film * direct_rate(p, seen, potential[i, k], y[2 * i + 1, k])[0]
            else:
                drive += g.film[k] * y[2 * n + 1, k]
            seen = surface.log_electrolyte[k], drive, film
            forward, backward, johnson, share = reaction_noise(p, seen, potential[i, k], y[2 * i + 1, k])
            scale *= p.rate_scale
            if p.direct > 0.0:
                # the kernels add noise to what the film has let through
                scale *= p.fractions[i] * share
            else:
                share = 1.0
            s.strength[i, k] = scale * share * (forward + backward + johnson)
            s.inwards[i, k], s.outwards[i, k] = 0.5 * scale * backward, 0.5 * scale * forward
    if p.direct == 0.0:
        _face_strengths(g, y, s)
    return s


@compiled_arithmetic
def _face_strengths(g: Particles, y: FloatArray, s: NoiseStrengths) -> None:
    """Write the strengths of the faces between shells."""
    p = g.arrays
    for i in range(p.fractions.size - 1):
        for k in range(g.shrink.size):
            m = mobility(p.diffusivity, 0.5 * (y[2 * i, k] + y[2 * i + 2, k]))[0]
            conductance = p.face_areas[i] / p.spacing * g.shrink[k] * g.shrink[k] * max(m, 0.0)
            s.strength[i, k] = 2.0 * conductance
            # back flows what a difference of 2 kT drives
            s.inwards[i, k] = s.outwards[i, k] = 2.0 * conductance


@compiled_arithmetic
def reaction_noise(
    p: ParticleArrays, seen: tuple[float, float, float], log_activity: float, y: float
) -> tuple[float, float, float, float]:
    """Return f, b and the film's noise over k0, and the share of a current that the film lets through.

    ``seen``: ln a₊, Δ̃ less the film's voltage, and the film's voltage at j/k0 = 1.
    """
    log_electrolyte, drive, film = seen
    value, _, by_drive, _, _ = surface_rate(p, log_electrolyte, drive, log_activity, y)
    affinity = log_electrolyte - drive - log_activity
    both = -2.0 * by_drive
    if abs(affinity) > NEAR_EQUILIBRIUM:
        both = value / np.tanh(0.5 * affinity)
    johnson = 2.0 * film * by_drive * by_drive
    return 0.5 * (both + value), 0.5 * (both - value), johnson, 1.0 / (1.0 - film * by_drive)
