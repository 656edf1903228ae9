"""Gradient energy: from a sharp interface, and back to the diffuse one."""

from dataclasses import dataclass

import numpy as np
from scipy.integrate import quad
from scipy.optimize import minimize_scalar

from scalebridge.contracts import HomogeneousFreeEnergy
from scalebridge.foundation import InputError


def gradient_energy(interface_energy: float, spacing: float, difference: float = 1.0) -> float:
    """Return κ [γ unit × length] of an interface that is sharp in θ: κ = 2 γ d / (Δθ)².

    Derivation: F/A = ∫ ½ κ (dθ/dx)² dx on successive site planes a distance d apart is the sum
    Σ_p ½ κ ((θ_{p+1} − θ_p)/d)² d. In a relaxed slab θ is 0 on one side and 1 on the other: one term is left,
    γ = ½ κ (Δθ)²/d. In a lattice gas with mean-field energy E = −½ Σ_{pq} J_{pq} θ_p θ_q the energy of a
    profile against its local density is ¼ Σ_{pq} J_{pq} (θ_p − θ_q)², so a sharp interface costs
    ½ z_n J (Δθ)² per site with z_n bonds of each site across it, and κ = z_n J d / A_site: both agree when
    the bonds reach the next plane only (J. W. Cahn and J. E. Hilliard, J. Chem. Phys. 28, 258 (1958)).
    Bonds reaching m planes weigh m in γ but m² in κ, so κ from the sharp interface is then a lower bound.

    An interface without positive energy gives κ = 0.

    Parameters
    ----------
    interface_energy
        γ of the slab.
    spacing
        d, distance of successive site planes along the normal.
    difference
        Δθ across the interface.
    """
    if spacing <= 0 or difference == 0:
        raise InputError(
            f"plane spacing {spacing:g} and composition step {difference:g} must be above 0 and nonzero"
        )
    return max(2 * interface_energy * spacing / difference**2, 0.0)


def interface_energy_from_gradient(
    free_energy: HomogeneousFreeEnergy,
    gradient: float,
    site_density: float,
    temperature: float,
    *,
    binodal: tuple[float, float],
    member: int = 0,
    branch: int = 0,
) -> float:
    """Return γ = ∫ √(2 κ Δf) dθ [J/m²] of the diffuse interface between two coexisting phases.

    Δf = ρ_s [g(θ) − common tangent], κ in F = ∫ [f + ½ κ |∇θ|²] dV.

    Source: J. W. Cahn and J. E. Hilliard, J. Chem. Phys. 28, 258 (1958), eq. 2.19 (their κ is half of ours).

    Parameters
    ----------
    gradient
        κ [J/m], not negative.
    site_density
        ρ_s [1/m³].
    temperature
        [K].
    binodal
        θ of the two phases, for example from a plateau of the isotherm.

    Raises
    ------
    InputError
        If κ is negative or g − tangent is negative between the phases: they do not coexist.
    """
    excess = _ExcessEnergy(free_energy, temperature, binodal, member, branch)
    _check(gradient, excess)
    middle = 0.5 * (binodal[0] + binodal[1])

    def integrand(theta: float) -> float:
        return float(np.sqrt(2 * gradient * site_density * max(excess(theta), 0.0)))

    halves = [quad(integrand, *ends, limit=200)[0] for ends in ((binodal[0], middle), (middle, binodal[1]))]
    return float(sum(halves))


def interface_width(
    free_energy: HomogeneousFreeEnergy,
    gradient: float,
    site_density: float,
    temperature: float,
    *,
    binodal: tuple[float, float],
    member: int = 0,
    branch: int = 0,
) -> float:
    """Return the width [m] of the diffuse interface: Δθ over its steepest slope √(2 Δf_max/κ).

    Parameters and errors are those of ``interface_energy_from_gradient``.
    """
    excess = _ExcessEnergy(free_energy, temperature, binodal, member, branch)
    _check(gradient, excess)
    grid = np.linspace(*binodal, 401)
    top = grid[int(np.argmax([excess(theta) for theta in grid]))]
    reach = grid[1] - grid[0]
    best = minimize_scalar(
        lambda theta: -excess(theta), bounds=(top - reach, top + reach), options={"xatol": 1e-12}
    )
    slope = np.sqrt(2 * site_density * -float(best.fun) / gradient) if gradient > 0 else np.inf
    return float((binodal[1] - binodal[0]) / slope)


@dataclass(frozen=True)
class _ExcessEnergy:
    """g(θ) above the line through both phases, per site [J]."""

    free_energy: HomogeneousFreeEnergy
    temperature: float
    binodal: tuple[float, float]
    member: int
    branch: int

    def __call__(self, theta: float) -> float:
        low, high = self.binodal
        points = np.array([low, theta, high])
        g = self.free_energy.energy(points, self.temperature, member=self.member, branch=self.branch)
        return float(g[1] - (g[0] * (high - theta) + g[2] * (theta - low)) / (high - low))


def _check(gradient: float, excess: _ExcessEnergy) -> None:
    low, high = excess.binodal
    lowest = min(excess(theta) for theta in np.linspace(low, high, 101))
    scale = max(excess(theta) for theta in np.linspace(low, high, 101))
    if gradient < 0 or not 0 <= low < high <= 1 or lowest < -1e-3 * abs(scale):
        raise InputError(
            f"gradient energy {gradient:.3g} J/m, phases θ = {low:.4g} and {high:.4g}, lowest g − tangent "
            f"{lowest:.3g} J; κ must not be negative and g must lie above the tangent: use a plateau's ends"
        )
