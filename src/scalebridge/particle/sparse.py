"""Jacobians of particles and what surrounds them as sparse matrices."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix

from scalebridge.particle._kernels import particle_places, phase_places
from scalebridge.particle.groups import Group, Jacobian

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Entries = list[tuple[Any, Any, Any]]
"""(rows, columns, values), which broadcast and add up."""


def sparse_matrices(jacobian: Jacobian) -> tuple[Any, Any]:
    """Return ∂F/∂y and ∂F/∂y′ as ``scipy.sparse.csc_matrix``."""
    inside = sum(particle_places(group.particles).size for group in jacobian.groups)
    outer, half = len(jacobian.band), jacobian.band.shape[1] // 2
    diagonals = np.arange(outer)[:, None] + np.arange(-half, half + 1)
    rows = inside + np.arange(outer)
    entries = [(rows[:, None], inside + np.clip(diagonals, 0, outer - 1), jacobian.band)]
    rates: Entries = [(rows, rows, jacobian.stored)]
    for group in jacobian.groups:
        place = particle_places(group.particles)
        entries += _group_entries(group, place, inside)
        shells = 2 * len(group.blocks.slope)
        rates.append((place[1:shells:2], place[0:shells:2], 1.0))
        rates.append((phase_places(group.particles), phase_places(group.particles), 1.0))
    return _assembled(entries, inside + outer), _assembled(rates, inside + outer)


def _group_entries(group: Group, place: IntArray, inside: int) -> Entries:
    """Return the entries of one group in ∂F/∂y; outer unknowns start at ``inside``."""
    g, links, b = group.particles, group.links, group.blocks
    n = len(b.slope)
    theta, odds, mean, rate = place[0 : 2 * n : 2], place[1 : 2 * n : 2], place[2 * n], place[2 * n + 1]
    entries = [
        (theta, theta, 1.0),
        (theta, odds, b.slope),
        (odds[-1], rate, -g.arrays.rate_scale / g.arrays.fractions[-1]),
        (mean, mean, 1.0),
        (mean, theta, -g.arrays.fractions[:, None]),
        (inside + links.fed, rate, links.feedback),
    ]
    near = np.arange(n)[:, None]
    fifth, third = (np.clip(near + np.arange(-w, w + 1), 0, n - 1) for w in (2, 1))
    local = [(odds[:, None], theta[fifth], b.by_theta), (odds[:, None], odds[third], b.by_odds)]
    entries += _phase_rows(group, theta)
    phases = phase_places(g)
    by_potential = b.exchange[:, 3:] * np.array([0.0, 1.0, 0.0])[:, None] if g.arrays.direct else b.by_odds
    for c, by_phase in enumerate(np.moveaxis(_potential_by_phases(group), 1, 0)):
        local.append((odds[:, None], phases[third, c], by_potential * by_phase[third]))
        if not g.arrays.direct:
            entries.append((rate, phases[-1, c], b.reaction[5] * by_phase[-1]))
    if g.arrays.direct:
        return entries + _direct_entries(group, place, inside, local)
    ends = np.stack([rate, theta[-2], theta[-1], odds[-1], mean])
    slopes = b.by_electrolyte * group.surroundings[0] + b.by_drive * group.surroundings[1]
    return [*entries, *local, (rate, ends, b.reaction[:5]), (rate, inside + links.seen, slopes)]


def _potential_by_phases(group: Group) -> FloatArray:
    """Return ∂μ_i/∂z_b = η_b (Δg_b′ − Σ_c η_c Δg_c′), shape (n, B − 1, particles), empty without phases."""
    more = group.particles.arrays.differences.shape[0]
    eta, pulls = group.blocks.phases[..., 1 : more + 1], group.blocks.phases[..., more + 1 :]
    mean = np.sum(eta * pulls, axis=-1, keepdims=True)
    return np.moveaxis(eta * (pulls - mean), 2, 1)


def _phase_rows(group: Group, theta: IntArray) -> Entries:
    """Return the rows of the phases' log-odds."""
    p, b = group.particles.arrays, group.blocks
    phases = phase_places(group.particles)
    more = phases.shape[1]
    if more == 0:
        return []
    eta, pulls = np.split(np.moveaxis(b.phases, 2, 1), [more + 1], axis=1)
    by_odds = p.barrier * (eta[:, 1:] - eta[:, :1])[:, :, None] * eta[:, None, 1:]
    own = np.eye(more)[None, :, :, None]
    by_odds = p.relaxation * (by_odds + own * (1.0 - p.barrier * eta[:, 1:, None]))
    return [
        (phases, theta[:, None], p.relaxation * pulls),
        (phases[:, :, None], phases[:, None], by_odds),
    ]


def _direct_entries(group: Group, place: IntArray, inside: int, local: Entries) -> Entries:
    """Return those of cells that react by themselves: a cell's enter its balance and the filling rate's row.

    The last cell's balance has what the others leave of the filling rate instead of its own reaction.
    """
    p, b = group.particles.arrays, group.blocks
    n = len(b.slope)
    mean, rate = place[2 * n], place[2 * n + 1]
    odds = place[1 : 2 * n : 2]
    seen = (inside + group.links.seen)[None]
    slopes = np.einsum("ick,cmk->imk", b.exchange[:, :2], group.surroundings)
    cells = [*local, (odds[:, None], seen, slopes), (odds[:, None], mean[None, None], b.exchange[:, 2:3])]
    own = np.where(np.arange(n) < n - 1, 1.0, 0.0)[:, None, None]
    share = p.fractions[:, None, None]
    entries: Entries = [(rate, rate, 1.0)]
    for rows, columns, values in cells:
        entries.append((rows, columns, own * values))
        entries.append((odds[-1], columns, -own * share / p.fractions[-1] * values))
        entries.append((rate, columns, share / p.rate_scale * values))
    return entries


def _assembled(entries: Entries, size: int) -> Any:
    """Return the matrix of entries."""
    rows, columns, values = (
        np.concatenate([np.broadcast_to(part[k], np.broadcast(*part).shape).ravel() for part in entries])
        for k in range(3)
    )
    return coo_matrix((values, (rows, columns)), shape=(size, size)).tocsc()
