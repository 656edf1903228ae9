"""Equilibrium isotherm: common tangents and spinodals of the homogeneous free energy, and the voltage.

Compositions are handled as log-odds u = ln(θ/(1−θ)), see `common_tangents`.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit

from scalebridge.contracts import HomogeneousFreeEnergy, Isotherm, Plateau, Provenance, Spinodal
from scalebridge.foundation import InputError, constants
from scalebridge.thermodynamics.metal import METAL_CITATIONS
from scalebridge.thermodynamics.tangents import HULL_LIMIT, HULL_POINTS, CommonTangent, common_tangents

FloatArray = NDArray[np.float64]

GRID_POINTS = 199
"""Compositions of the isotherm, uniform in θ, the ends left out."""


@dataclass(frozen=True)
class _Slice:
    """A free energy at one temperature and member, per branch as functions of u; energies in kT."""

    free_energy: HomogeneousFreeEnergy
    temperature: float
    member: int

    @property
    def thermal(self) -> float:
        return constants.BOLTZMANN * self.temperature

    @property
    def branches(self) -> int:
        return len(self.free_energy.branches)

    @property
    def label(self) -> str:
        return f"member {self.member} at {self.temperature:g} K"

    def energy(self, u: FloatArray, branch: int) -> FloatArray:
        energy = self.free_energy.energy(expit(u), self.temperature, member=self.member, branch=branch)
        return np.asarray(energy / self.thermal)

    def potential(self, u: FloatArray, branch: int) -> FloatArray:
        excess = self.free_energy.excess_chemical_potential(
            expit(u), self.temperature, member=self.member, branch=branch
        )
        return np.asarray(u + excess / self.thermal)

    def scaled_curvature(self, u: FloatArray, branch: int) -> FloatArray:
        """Return ∂μ/∂u = θ(1−θ) ∂²g/∂θ², of the sign of the curvature and finite for every u."""
        theta = expit(u)
        curvature = self.free_energy.curvature(theta, self.temperature, member=self.member, branch=branch)
        return np.asarray(theta * (1 - theta) * curvature / self.thermal)


def solve_spinodals(
    free_energy: HomogeneousFreeEnergy, temperature: float, *, member: int = 0, branch: int = 0
) -> tuple[tuple[float, float], ...]:
    """Return the intervals of θ in which ∂²g/∂θ² < 0, rising; empty if the branch is convex."""
    part = _Slice(free_energy, temperature, member)
    grid = np.linspace(-HULL_LIMIT, HULL_LIMIT, HULL_POINTS)
    sign = part.scaled_curvature(grid, branch) < 0
    changes = np.flatnonzero(sign[1:] != sign[:-1])
    roots = [
        float(brentq(lambda u: float(part.scaled_curvature(u, branch)), grid[i], grid[i + 1], xtol=1e-14))
        for i in changes
    ]
    bounds = [0.0] * bool(sign[0]) + [float(expit(u)) for u in roots] + [1.0] * bool(sign[-1])
    return tuple(zip(bounds[::2], bounds[1::2], strict=True))


def solve_common_tangents(
    free_energy: HomogeneousFreeEnergy, temperature: float, *, member: int = 0
) -> tuple[CommonTangent, ...]:
    """Return all common tangents of the lowest branches at ``temperature``, rising in θ.

    Raises
    ------
    ConvergenceError
        See `common_tangents`.
    """
    part = _Slice(free_energy, temperature, member)
    return tuple(
        replace(tangent, chemical_potential=tangent.chemical_potential * part.thermal)
        for tangent in common_tangents(part)
    )


def solve_isotherm(
    free_energy: HomogeneousFreeEnergy,
    metal_chemical_potential: ArrayLike,
    *,
    provenance: Provenance,
    points: int = GRID_POINTS,
) -> Isotherm:
    """Return the convexified isotherm of every member at every sampled temperature.

    V = −[μ − μ_metal]/(z e) per electron [Aydinol et al. 1997]; inside a gap μ is the common tangent's.

    Parameters
    ----------
    free_energy
        Relative to the metal.
    metal_chemical_potential
        μ_metal [eV] as subtracted in ``free_energy``, (temperature,) or (member, temperature).
    provenance
        Of the new contract.
    points
        Compositions, uniform in θ and inside (0, 1).

    Raises
    ------
    InputError
        If the branches were sampled at different temperatures.
    ConvergenceError
        If a common tangent cannot be polished.
    """
    kelvin = np.asarray(free_energy.branches[0].temperature)
    if any(not np.array_equal(branch.temperature, kelvin) for branch in free_energy.branches):
        raise InputError("the branches were sampled at different temperatures; sample all at the same")
    theta = np.arange(1, points + 1) / (points + 1)
    shape = (free_energy.members, len(kelvin))
    metal = np.broadcast_to(np.asarray(metal_chemical_potential, dtype=np.float64), shape) * constants.EV
    relative = np.empty((*shape, points))
    plateaus: list[Plateau] = []
    spinodals: list[Spinodal] = []
    for member in range(shape[0]):
        for index, temperature in enumerate(kelvin.tolist()):
            tangents = solve_common_tangents(free_energy, temperature, member=member)
            relative[member, index] = _equilibrium(free_energy, tangents, theta, temperature, member)
            plateaus += [_plateau(free_energy, tangent, temperature, member) for tangent in tangents]
            spinodals += _spinodals(free_energy, temperature, member)
    return Isotherm(
        provenance=provenance,
        validity=free_energy.validity,
        citations=(*free_energy.citations, "aydinol1997", *METAL_CITATIONS),
        temperature=kelvin,
        x=theta * free_energy.sites_per_formula_unit,
        chemical_potential=relative + metal[..., None],
        metal_chemical_potential=metal,
        voltage=-relative / (free_energy.ion_charge * constants.ELEMENTARY_CHARGE),
        plateaus=tuple(plateaus),
        spinodals=tuple(spinodals),
    )


def _equilibrium(
    free_energy: HomogeneousFreeEnergy,
    tangents: tuple[CommonTangent, ...],
    theta: FloatArray,
    temperature: float,
    member: int,
) -> FloatArray:
    """Return μ [J] against the metal of the equilibrium state at each θ."""
    part = _Slice(free_energy, temperature, member)
    u = np.asarray(logit(theta))
    branches = range(len(free_energy.branches))
    lowest = np.argmin([part.energy(u, branch) for branch in branches], axis=0)
    potential = np.choose(lowest, [part.potential(u, branch) for branch in branches]) * part.thermal
    for tangent in tangents:
        inside = (theta > tangent.theta_low) & (theta < tangent.theta_high)
        potential[inside] = tangent.chemical_potential
    return np.asarray(potential)


def _plateau(
    free_energy: HomogeneousFreeEnergy, tangent: CommonTangent, temperature: float, member: int
) -> Plateau:
    charge = free_energy.ion_charge * constants.ELEMENTARY_CHARGE
    return Plateau(
        member=member,
        temperature=temperature,
        x_low=tangent.theta_low * free_energy.sites_per_formula_unit,
        x_high=tangent.theta_high * free_energy.sites_per_formula_unit,
        voltage=-tangent.chemical_potential / charge,
    )


def _spinodals(free_energy: HomogeneousFreeEnergy, temperature: float, member: int) -> list[Spinodal]:
    sites = free_energy.sites_per_formula_unit
    return [
        Spinodal(member=member, temperature=temperature, x_low=low * sites, x_high=high * sites)
        for branch in range(len(free_energy.branches))
        for low, high in solve_spinodals(free_energy, temperature, member=member, branch=branch)
    ]
