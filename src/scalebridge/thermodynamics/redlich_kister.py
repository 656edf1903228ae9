"""Least-squares fit of Redlich–Kister series to free-energy increments, with the sampled stability imposed.

All energies here are in units of kT. Per ion site,

    g(θ) = e0 + e1 θ + m(θ) + Σ_k L_k φ_k(θ),  m = θ ln θ + (1−θ) ln(1−θ),  φ_k = θ(1−θ)(1−2θ)^k

[Redlich and Kister 1948]. Sampling gives the increments of the excess part between neighbouring contents.
They are chords, [g_ex(θ'') − g_ex(θ')]/(θ'' − θ') = e1 + Σ_k L_k [φ_k(θ'') − φ_k(θ')]/(θ'' − θ'), linear in
e1 and L and, unlike g itself, with independent errors.

A polynomial may oscillate where the data do not and invent a miscibility gap. Chord slopes of g, mixing
included, fall across an unstable region. Where no pair of chords falls by more than ``confidence`` standard
errors, nor in the next interval on either side (a spinodal may hide there), the fit must not be concave:
∂²g/∂θ² ≥ 0 is linear in L, and the constrained least squares is solved exactly as a least-distance problem
[Lawson and Hanson 1974, Solving Least Squares Problems, chapter 23].
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.special import xlogy

from scalebridge.foundation import ConvergenceError, InputError

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

POINTS_PER_INTERVAL = 24
"""Points at which convexity is imposed between two neighbouring chords."""
LARGEST_DISPERSION = 4.0
"""Square of the factor by which standard errors of the increments may be too small."""
CONVEXITY_MARGIN = 0.02
"""Least curvature there over the ideal mixture's 1/(θ(1−θ)), so that none dips between points."""


@dataclass(frozen=True)
class Increments:
    """Excess free energy per ion added between neighbouring site fractions [kT].

    Attributes
    ----------
    theta
        Site fractions, rising, (m + 1,).
    value, error
        Chord slopes of g_ex and their standard errors (positive), (m,).
    """

    theta: FloatArray
    value: FloatArray
    error: FloatArray

    def __post_init__(self) -> None:
        shapes = (self.theta.shape, self.value.shape, self.error.shape)
        if len(self.theta) < 2 or shapes != ((len(self.value) + 1,), self.value.shape, self.value.shape):
            raise InputError(f"increments of shapes {shapes}; give m + 1 fractions, m values, m errors")
        if np.any(np.diff(self.theta) <= 0) or np.any(self.error <= 0):
            raise InputError("site fractions must rise and errors be positive; check the order of the rungs")

    @property
    def chord_of_mixing(self) -> FloatArray:
        """Slopes of the ideal free energy of mixing over the same chords, (m,)."""
        mixing = xlogy(self.theta, self.theta) + xlogy(1 - self.theta, 1 - self.theta)
        return np.asarray(np.diff(mixing) / np.diff(self.theta))

    def convex(self, confidence: float) -> BoolArray:
        """Return between which neighbouring chords the data show no instability, (m − 1,)."""
        slope = self.value + self.chord_of_mixing
        unstable = np.zeros(len(slope) - 1, dtype=bool)
        for i in range(len(slope) - 1):
            falls = slope[i] - slope[i + 1 :] > confidence * np.hypot(self.error[i], self.error[i + 1 :])
            if falls.any():
                unstable[i : i + 1 + int(np.flatnonzero(falls)[-1])] = True
        around = np.concatenate([[False], unstable, [False]])
        return np.asarray(~(around[:-2] | unstable | around[2:]))


@dataclass(frozen=True)
class SeriesFit:
    """A fitted series [kT].

    Attributes
    ----------
    slope
        e1.
    interaction
        L_k, (orders,).
    chi_square
        Σ (residual/error)² of the increments.
    constrained
        True if the convexity constraints changed the fit.
    """

    slope: float
    interaction: FloatArray
    chi_square: float
    constrained: bool

    def excess(self, theta: FloatArray) -> FloatArray:
        """Return e1 θ + Σ L_k φ_k(θ)."""
        return np.asarray(self.slope * theta + series(theta, len(self.interaction)) @ self.interaction)


def series(theta: FloatArray, orders: int) -> FloatArray:
    """Return φ_k(θ) for k < ``orders``, (points, orders)."""
    y = 1 - 2 * np.asarray(theta)[:, None]
    return np.asarray((1 - y**2) / 4 * y ** np.arange(orders))


def series_curvature(theta: FloatArray, orders: int) -> FloatArray:
    """Return ∂²φ_k/∂θ² = k(k−1) y^(k−2) − (k+2)(k+1) y^k with y = 1 − 2θ, (points, orders)."""
    y = 1 - 2 * np.asarray(theta)[:, None]
    k = np.arange(orders)
    return np.asarray(k * (k - 1) * y ** np.maximum(k - 2, 0) - (k + 2) * (k + 1) * y**k)


def fit_series(increments: Increments, orders: int, *, confidence: float = 2.0) -> SeriesFit:
    """Fit e1 and ``orders`` coefficients L_k by weighted least squares, convex where the data are.

    Raises
    ------
    InputError
        If there are fewer increments than parameters.
    """
    if orders < 1 or len(increments.value) < orders + 1:
        raise InputError(
            f"{orders} coefficients and a slope cannot be fitted to {len(increments.value)} increments; use "
            f"1 … {len(increments.value) - 1} coefficients"
        )
    chords = np.diff(series(increments.theta, orders), axis=0) / np.diff(increments.theta)[:, None]
    design = np.column_stack([np.ones(len(chords)), chords]) / increments.error[:, None]
    target = increments.value / increments.error
    free = np.asarray(np.linalg.lstsq(design, target, rcond=None)[0], dtype=np.float64)
    points = _convex_points(increments, confidence)
    curvature = np.column_stack([np.zeros(len(points)), series_curvature(points, orders)])
    curvature *= (points * (1 - points))[:, None]
    bound = np.full(len(points), CONVEXITY_MARGIN - 1)
    violated = bool(np.any(curvature @ free < bound - 1e-9))
    found = _least_distance(design, target, curvature, bound) if violated else free
    residual = design @ found - target
    return SeriesFit(float(found[0]), found[1:], float(residual @ residual), violated)


def _convex_points(increments: Increments, confidence: float) -> FloatArray:
    """Return the θ at which the fit must be convex; the outermost intervals reach to the ends of [0, 1]."""
    convex = increments.convex(confidence)
    middles = (increments.theta[1:] + increments.theta[:-1]) / 2
    edges = middles.copy()
    if len(edges) > 1:
        edges[0] = 0.0 if increments.theta[0] <= 0 else edges[0]
        edges[-1] = 1.0 if increments.theta[-1] >= 1 else edges[-1]
    fractions = (np.arange(POINTS_PER_INTERVAL) + 0.5) / POINTS_PER_INTERVAL
    points = edges[:-1, None] + np.diff(edges)[:, None] * fractions
    return np.asarray(points[convex].ravel())


def _least_distance(
    design: FloatArray, target: FloatArray, left: FloatArray, right: FloatArray
) -> FloatArray:
    """Minimise |design·c − target|² subject to left·c ≥ right, by QR and non-negative least squares."""
    q, r = np.linalg.qr(design)
    start = q.T @ target
    matrix = np.linalg.solve(r.T, left.T).T
    bound = right - matrix @ start
    norms = np.maximum(np.linalg.norm(matrix, axis=1), 1e-300)
    system = np.vstack([matrix.T / norms, bound / norms])
    unit = np.zeros(len(system))
    unit[-1] = 1.0
    multipliers, _ = nnls(system, unit)
    distance = system @ multipliers - unit
    if not distance[-1] < -1e-14:
        raise ConvergenceError("the convexity constraints of the free-energy fit contradict each other")
    return np.asarray(np.linalg.solve(r, start - distance[:-1] / distance[-1]))


def choose_orders(data: Sequence[Increments], maximum: int, *, confidence: float = 2.0) -> int:
    """Return the number of coefficients with the lowest corrected Akaike criterion, common to all ``data``.

    Σ [χ²/ĉ + 2p + 2p(p+1)/(m − p − 1)] over the data sets, p = coefficients + 1 [Hurvich and Tsai 1989]. The
    dispersion ĉ, Σχ²/Σ(m − p) of the richest series within 1 … ``LARGEST_DISPERSION``, allows for standard
    errors that are too small; beyond, the misfit is structure that more coefficients follow better.

    Raises
    ------
    InputError
        If ``maximum`` is below 1 or a data set has fewer than 4 increments.
    """
    shortest = min(len(item.value) for item in data)
    if maximum < 1 or shortest < 4:
        raise InputError(
            f"at most {maximum} coefficients for {shortest} increments; allow 1 or more and sample at least 4"
        )
    candidates = range(1, min(maximum, shortest - 3) + 1)
    chi_square = {
        orders: [fit_series(item, orders, confidence=confidence).chi_square for item in data]
        for orders in candidates
    }
    richest = candidates[-1]
    freedom = sum(len(item.value) - richest - 1 for item in data)
    dispersion = float(np.clip(sum(chi_square[richest]) / freedom, 1.0, LARGEST_DISPERSION))

    def criterion(orders: int) -> float:
        p = orders + 1
        penalty = sum(2 * p + 2 * p * (p + 1) / (len(item.value) - p - 1) for item in data)
        return sum(chi_square[orders]) / dispersion + penalty

    return min(candidates, key=criterion)
