"""Equations of a platelet's columns (`_kernels`) and their common drive, with a sparse Jacobian.

| equation | name here |
|---|---|
| μ_ik += (λ/h²) Σ_l C_kl θ_il, C the negative second difference along the length | ``coupling`` C |
| V_ik = V_k V_i/V², shares of columns and shells | ``volumes`` |
| V_ik θ_ik′ = −Σ K μ, of diffusion and reaction at a given drive | ``conductance`` K |
| V_ik μ_ik = Σ G θ, second derivatives of the free energy | ``stiffness`` G |
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import splu

from scalebridge.foundation.compiled import compiled_arithmetic
from scalebridge.particle._jacobian import particle_blocks
from scalebridge.particle._kernels import (
    Particles,
    Surface,
    block_size,
    chemical_potentials,
    particle_arrays,
    particle_places,
    particle_residual,
    particle_table,
    restore_particles,
    surface_rate,
)
from scalebridge.particle.groups import Group, Jacobian, Links, SparseJacobian, empty_group
from scalebridge.particle.implicit import ImplicitSystem
from scalebridge.particle.platelet import Platelet
from scalebridge.particle.solve import POTENTIAL_TOLERANCE, THETA_TOLERANCE
from scalebridge.particle.sparse import Entries, assembled, sparse_matrices
from scalebridge.particle.tables import evaluate_many

FloatArray = NDArray[np.float64]
LEAST_VACANT = 1e-12
"""Of θ(1−θ): outside (0, 1) θ is an error of the integrator."""


def platelet_columns(platelet: Platelet, rate_scale: float) -> Particles:
    """Return the columns as particles side by side, filling rates counted in ``rate_scale`` [1/s]."""
    line = platelet.depth_averaged
    length2, spacing = line.interface_length**2, line.grid.spacing
    arrays = particle_arrays(platelet.model, rate_scale)._replace(
        lateral=length2 / spacing**2, end_wetting=2 * length2 * platelet.end_gradient / spacing
    )
    return Particles(arrays, 0, np.ones(platelet.columns), np.zeros(platelet.columns))


def platelet_system(platelet: Platelet, g: Particles, held: tuple[str, float]) -> ImplicitSystem:
    """Return the columns and their drive, the last unknown; ``held``: ("rate" or "drive", its value)."""
    n, count = g.arrays.fractions.size, platelet.columns
    size = block_size(g.arrays) * count + 1
    shares = platelet.shares
    what, value = held
    group, outer = _linked(g, shares, fed=1.0 if what == "rate" else 0.0)

    def surface(state: FloatArray) -> Surface:
        return Surface(np.zeros(count), np.full(count, state[-1]))

    def residual(state: FloatArray, rates: FloatArray, out: FloatArray) -> None:
        particle_residual(g, surface(state), state, rates, out)
        now = state[-1] if what == "drive" else shares @ state[-1 - count : -1]
        out[-1] = now - value

    def jacobian(state: FloatArray) -> SparseJacobian:
        particle_blocks(g, surface(state), state, group.blocks)
        columns = sparse_matrices(outer)
        beside = assembled(_lateral_entries(group, surface(state), state), size)
        return SparseJacobian(columns.by_state + beside, columns.by_rate)

    def restore(state: FloatArray) -> FloatArray:
        restored = state.copy()
        restore_particles(g, restored)
        return restored

    places = particle_places(g)
    fractions = places[0 : 2 * n : 2].ravel()
    tolerance = np.full(size, POTENTIAL_TOLERANCE)
    differential = np.zeros(size, dtype=bool)
    tolerance[fractions] = tolerance[places[2 * n]] = THETA_TOLERANCE
    differential[fractions] = True
    return ImplicitSystem(
        residual=residual,
        jacobian=jacobian,
        differential=differential,
        absolute_tolerance=tolerance,
        resolves=_growth_check(platelet, g, surface),
        restore=restore,
    )


def _linked(g: Particles, shares: FloatArray, *, fed: float) -> tuple[Group, Jacobian]:
    """Return columns that see the one drive and feed its equation with ``fed``, and their Jacobian."""
    first = np.zeros((1, shares.size), np.int64)
    group = empty_group(g, Links(first, first, fed * shares[None]))
    group.surroundings[1] = 1.0
    return group, Jacobian((group,), stored=np.zeros(1), band=np.full((1, 1), 1.0 - fed))


def coupling(columns: int) -> tuple[NDArray[np.int64], FloatArray]:
    """Return which columns enter C θ of each, and their factors; both (3, columns)."""
    beside = np.clip(np.arange(columns) + np.array([[-1], [0], [1]]), 0, columns - 1)
    factors = np.tile([[-1.0], [2.0], [-1.0]], columns)
    factors[:, 0], factors[:, -1] = (0.0, 2.0, -2.0), (-2.0, 2.0, 0.0)
    return beside, factors


def _lateral_entries(group: Group, surface: Surface, state: FloatArray) -> Entries:
    """Return the entries of the gradient energy along the length in ∂F/∂y."""
    g, b = group.particles, group.blocks
    n, count = b.slope.shape
    place = particle_places(g)
    theta, odds, rate = place[0 : 2 * n : 2], place[1 : 2 * n : 2], place[2 * n + 1]
    beside, factors = coupling(count)
    shells = np.clip(np.arange(n)[:, None] + np.arange(-1, 2), 0, n - 1)
    # ∂μ/∂y = 1, so that derivatives by log-odds are those by potentials
    slopes = g.arrays.lateral * b.by_odds[:, :, None] * factors
    by_activity = np.empty(count)
    activity_slopes(g, surface, state, by_activity)
    return [
        (odds[:, None, None], theta[shells][:, :, beside], slopes),
        (rate, theta[-1][beside], -g.arrays.lateral * by_activity * factors),
    ]


@compiled_arithmetic
def activity_slopes(g: Particles, surface: Surface, state: FloatArray, out: FloatArray) -> None:
    """Write the slopes of the filling rates by the potential of the last shell, (columns,), over kT."""
    p, y = g.arrays, particle_table(g, state)
    n = p.fractions.size
    potential = chemical_potentials(p, y, g.shrink)
    for k in range(g.shrink.size):
        found = surface_rate(
            p, surface.log_electrolyte[k], surface.drive[k], potential[n - 1, k], y[2 * n - 1, k]
        )
        out[k] = p.rate * found[3]


def _growth_check(
    platelet: Platelet, g: Particles, surface: Callable[[FloatArray], Surface]
) -> Callable[[FloatArray, float], bool]:
    """Return whether no mode at fixed filling and drive grows faster than cj, as a function of (y, cj).

    A longer implicit step would damp the mode instead of following it. The symmetric matrix of (θ, μ),
    [[G, −V], [−V, −K/cj]], bordered by V for the fixed filling, has one negative eigenvalue more than cells
    and one more for every such mode; the signs of its pivots count them (Sylvester's law of inertia). The
    slopes of mobility and exchange current are left out.
    """
    p = g.arrays
    n, count = p.fractions.size, platelet.columns
    cells = np.arange(n * count).reshape(n, count)
    volumes = (p.fractions[:, None] * platelet.shares).ravel()
    fixed = _stiffness_entries(platelet, g, cells)
    fixed += [(cells.ravel(), n * count + cells.ravel(), -volumes)]
    fixed += [(n * count + cells.ravel(), cells.ravel(), -volumes)]
    by_activity = np.empty(count)

    def resolves(state: FloatArray, cj: float) -> bool:
        theta = particle_table(g, state)[0 : 2 * n : 2]
        slope = evaluate_many(p.excess, theta.ravel())[1]
        curvature = slope + 1.0 / np.maximum(theta * (1 - theta), LEAST_VACANT).ravel()
        if curvature.min() >= 0:
            return True
        activity_slopes(g, surface(state), state, by_activity)
        reaction = -p.rate_scale * platelet.shares * by_activity
        matrix = assembled(
            [
                *fixed,
                (cells.ravel(), cells.ravel(), volumes * curvature),
                *_conductance_entries(platelet, g, theta, n * count + cells, 1 / cj),
                (n * count + cells[-1], n * count + cells[-1], -reaction / cj),
            ],
            2 * n * count,
        )
        return _growing_modes(matrix, volumes) == 0

    return resolves


def _stiffness_entries(platelet: Platelet, g: Particles, cells: NDArray[np.int64]) -> Entries:
    """Return the constant entries of G, those of the gradient energy."""
    p = g.arrays
    inward = (p.gradient * p.face_areas / p.spacing)[:, None] * platelet.shares
    sideways = np.broadcast_to(p.fractions[:, None] * p.lateral / (platelet.columns - 1), cells[:, 1:].shape)
    return _spring_entries(cells[:-1], cells[1:], inward) + _spring_entries(
        cells[:, :-1], cells[:, 1:], sideways
    )


def _conductance_entries(
    platelet: Platelet, g: Particles, theta: FloatArray, cells: NDArray[np.int64], scale: float
) -> Entries:
    """Return −K ``scale`` of diffusion along the depth."""
    p = g.arrays
    middle = 0.5 * (theta[1:] + theta[:-1])
    diffusivity = evaluate_many(p.diffusivity, middle.ravel())[0].reshape(middle.shape)
    mobile = np.maximum(diffusivity * middle * (1 - middle), 0.0)
    conductance = mobile * (p.face_areas / p.spacing)[:, None] * platelet.shares
    return _spring_entries(cells[:-1], cells[1:], -scale * conductance)


def _spring_entries(one: NDArray[np.int64], other: NDArray[np.int64], strength: FloatArray) -> Entries:
    """Return the entries of ½ Σ strength (x_one − x_other)²."""
    return [
        (one, one, strength),
        (other, other, strength),
        (one, other, -strength),
        (other, one, -strength),
    ]


def _growing_modes(matrix: Any, volumes: FloatArray) -> int:
    """Return how many negative eigenvalues a matrix bordered by ``volumes`` has beyond its cells and one."""
    factors = splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    border = np.concatenate([volumes, np.zeros_like(volumes)])
    negative = int(np.count_nonzero(factors.U.diagonal() < 0))
    return negative + int(border @ factors.solve(border) > 0) - volumes.size - 1
