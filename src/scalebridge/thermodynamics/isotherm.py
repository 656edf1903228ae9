"""Equilibrium isotherm: common tangents and spinodals of the homogeneous free energy, and the voltage.

Compositions are handled as log-odds u = ln(θ/(1−θ)), in which the ideal part of the chemical potential is
exactly kT u: binodals far below the grid and below the resolution of 1 − θ keep their relative precision.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, root
from scipy.special import expit, logit

from scalebridge.contracts import HomogeneousFreeEnergy, Isotherm, Plateau, Provenance, Spinodal
from scalebridge.foundation import ConvergenceError, InputError, constants
from scalebridge.thermodynamics.metal import METAL_CITATIONS

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int_]

HULL_LIMIT = 14.0
"""Largest |u| of the hull's grid, θ = 8e-7: far below it the curvature of g drowns in rounding."""
HULL_POINTS = 4001
LARGEST_LOG_ODDS = 700.0
TANGENT_TOLERANCE = 1e-9
"""Mismatch of potentials and intercepts of a common tangent [kT]."""
GRID_POINTS = 199
"""Compositions of the isotherm, uniform in θ, the ends left out."""


@dataclass(frozen=True)
class CommonTangent:
    """Two coexisting phases: site fractions, branches, and μ [J] against the metal."""

    theta_low: float
    theta_high: float
    branch_low: int
    branch_high: int
    chemical_potential: float


@dataclass(frozen=True)
class _Slice:
    """A free energy at one temperature and member, per branch as functions of u; energies in kT."""

    free_energy: HomogeneousFreeEnergy
    temperature: float
    member: int

    @property
    def thermal(self) -> float:
        return constants.BOLTZMANN * self.temperature

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

    The lower convex hull on a grid in u finds the gaps; Newton's method on equal potentials and equal
    intercepts in (u_low, u_high) polishes each.
    """
    part = _Slice(free_energy, temperature, member)
    u = np.linspace(-HULL_LIMIT, HULL_LIMIT, HULL_POINTS)
    energies = np.array([part.energy(u, branch) for branch in range(len(free_energy.branches))])
    lowest = np.argmin(energies, axis=0)
    theta, energy = expit(u), energies.min(axis=0)
    # a chord through the ends is taken out: it moves no tangent and keeps the digits of small energies
    energy = energy - energy[0] - (energy[-1] - energy[0]) * (theta - theta[0]) / (theta[-1] - theta[0])
    hull = lower_hull(theta, energy)
    gaps = [(a, b) for a, b in pairwise(hull) if b > a + 1]
    return tuple(_polished(part, u, lowest, gap) for gap in gaps)


def lower_hull(x: FloatArray, y: FloatArray) -> list[int]:
    """Return the indices of the lower convex hull of points sorted in x (Andrew's monotone chain)."""
    hull: list[int] = []
    for i in range(len(x)):
        while len(hull) > 1:
            a, b = hull[-2], hull[-1]
            if (x[b] - x[a]) * (y[i] - y[a]) > (x[i] - x[a]) * (y[b] - y[a]):
                break
            hull.pop()
        hull.append(i)
    return hull


def _polished(part: _Slice, u: FloatArray, lowest: IntArray, gap: tuple[int, int]) -> CommonTangent:
    low, high = int(lowest[gap[0]]), int(lowest[gap[1]])
    start = np.array([u[gap[0]], u[gap[1]]])
    ends = expit(start)
    chord = float((part.energy(start[1:], high) - part.energy(start[:1], low))[0] / (ends[1] - ends[0]))
    # at the grid's ends the binodal lies outside: ideal behaviour there gives it from the chord
    if gap[0] == 0:
        start[0] = min(start[0], chord - float(part.potential(start[:1], low)[0] - start[0]))
    if gap[1] == len(u) - 1:
        start[1] = max(start[1], chord - float(part.potential(start[1:], high)[0] - start[1]))

    def mismatch(pair: FloatArray) -> FloatArray:
        pair = np.clip(pair, -LARGEST_LOG_ODDS, LARGEST_LOG_ODDS)
        left, right = float(part.potential(pair[:1], low)[0]), float(part.potential(pair[1:], high)[0])
        rise = float(part.energy(pair[1:], high)[0] - part.energy(pair[:1], low)[0])
        theta = expit(pair)
        return np.array([right - left, rise - 0.5 * (left + right) * float(theta[1] - theta[0])])

    pair = np.asarray(root(mismatch, start, tol=1e-13).x)
    if not (np.max(np.abs(mismatch(pair))) < TANGENT_TOLERANCE and pair[0] < pair[1]):
        raise ConvergenceError(
            f"common tangent near θ = {ends[0]:.4g} … {ends[1]:.4g} at {part.temperature:g} K (member "
            f"{part.member}) was not found to {TANGENT_TOLERANCE:g} kT; lower the maximum order of the fit"
        )
    return CommonTangent(
        theta_low=float(expit(pair[0])),
        theta_high=float(expit(pair[1])),
        branch_low=low,
        branch_high=high,
        chemical_potential=float(part.potential(pair[:1], low)[0]) * part.thermal,
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
