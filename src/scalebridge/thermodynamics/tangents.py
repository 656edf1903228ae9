"""Common tangents of any free energy of mixing, by the lower convex hull and Newton's method.

Compositions are handled as log-odds u = ln(θ/(1−θ)), in which the ideal part of the chemical potential is
exactly kT u: binodals far below the grid and below the resolution of 1 − θ keep their relative precision.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import root
from scipy.special import expit

from scalebridge.foundation import ConvergenceError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int_]

HULL_LIMIT = 14.0
"""Largest |u| of the hull's grid, θ = 8e-7: far below it the curvature of g drowns in rounding."""
HULL_POINTS = 4001
LARGEST_LOG_ODDS = 700.0
TANGENT_TOLERANCE = 1e-9
"""Mismatch of potentials and intercepts of a common tangent [kT]."""


@dataclass(frozen=True)
class CommonTangent:
    """Two coexisting phases."""

    theta_low: float
    theta_high: float
    branch_low: int
    branch_high: int
    chemical_potential: float
    """From `solve_common_tangents` against the metal [J], from `common_tangents` in its mixture's unit."""

    @property
    def middle(self) -> float:
        """Site fraction half way between the phases: where the boundary between them is drawn."""
        return 0.5 * (self.theta_low + self.theta_high)


class Mixture(Protocol):
    """A free energy per site over kT, per branch as functions of u = ln(θ/(1−θ))."""

    @property
    def branches(self) -> int:
        """How many."""

    @property
    def label(self) -> str:
        """What errors call it, as in 'common tangent near θ = … of LABEL'."""

    def energy(self, u: FloatArray, branch: int) -> FloatArray:
        """Return g/kT."""

    def potential(self, u: FloatArray, branch: int) -> FloatArray:
        """Return (∂g/∂θ)/kT."""


def common_tangents(mixture: Mixture, *, least_barrier: float = 0.0) -> tuple[CommonTangent, ...]:
    """Return all common tangents of the lowest branches of any free energy, rising in θ.

    The lower convex hull on a grid in u finds the gaps; Newton's method on equal potentials and equal
    intercepts in (u_low, u_high) polishes each.

    Parameters
    ----------
    least_barrier
        Gaps in which the free energy rises no higher than this above its hull are passed over [kT].

    Raises
    ------
    ConvergenceError
        If a common tangent cannot be polished.
    """
    u = np.linspace(-HULL_LIMIT, HULL_LIMIT, HULL_POINTS)
    energies = np.array([mixture.energy(u, branch) for branch in range(mixture.branches)])
    lowest = np.argmin(energies, axis=0)
    theta, energy = expit(u), energies.min(axis=0)
    # a chord through the ends is taken out: it moves no tangent and keeps the digits of small energies
    energy = energy - energy[0] - (energy[-1] - energy[0]) * (theta - theta[0]) / (theta[-1] - theta[0])
    hull = lower_hull(theta, energy)
    above = energy - np.interp(theta, theta[hull], energy[hull])
    gaps = [(a, b) for a, b in pairwise(hull) if b > a + 1 and above[a : b + 1].max() > least_barrier]
    return tuple(_polished(mixture, u, lowest, gap) for gap in gaps)


def lower_hull(x: FloatArray, y: FloatArray) -> list[int]:
    """Return the indices of the lower convex hull of points sorted in x (Andrew's monotone chain)."""
    hull: list[int] = []
    across, up = x.tolist(), y.tolist()  # Python's own numbers: five times faster one by one
    for i in range(len(across)):
        while len(hull) > 1:
            a, b = hull[-2], hull[-1]
            if (across[b] - across[a]) * (up[i] - up[a]) > (across[i] - across[a]) * (up[b] - up[a]):
                break
            hull.pop()
        hull.append(i)
    return hull


def _polished(part: Mixture, u: FloatArray, lowest: IntArray, gap: tuple[int, int]) -> CommonTangent:
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
            f"common tangent near θ = {ends[0]:.4g} … {ends[1]:.4g} of {part.label} was not found to "
            f"{TANGENT_TOLERANCE:g} kT; lower the maximum order of the fit"
        )
    return CommonTangent(
        theta_low=float(expit(pair[0])),
        theta_high=float(expit(pair[1])),
        branch_low=low,
        branch_high=high,
        chemical_potential=float(part.potential(pair[:1], low)[0]),
    )
