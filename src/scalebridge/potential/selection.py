"""Which candidates to label: those whose rows enlarge the active set."""

import hashlib
from collections.abc import Sequence

import numpy as np
from ase import Atoms

from scalebridge.foundation import InputError
from scalebridge.potential._kernel_data import FloatArray
from scalebridge.potential.active_set import ActiveSet, Kind, rows_of
from scalebridge.potential.model import MomentTensorPotential


def extrapolation_grades(
    potential: MomentTensorPotential, active: ActiveSet, frames: Sequence[Atoms]
) -> FloatArray:
    """Return the largest grade of each frame (F,)."""
    return np.array([active.grade(potential, atoms) for atoms in frames])


def select(
    potential: MomentTensorPotential,
    active: ActiveSet,
    candidates: Sequence[Atoms],
    *,
    threshold: float = 1.1,
    limit: int | None = None,
) -> list[int]:
    """Return the indices of the candidates whose rows enter the active set.

    Rows enter while they raise the volume by more than ``threshold``; a candidate equal to a selected or
    known structure has grade 1 and is never taken.

    Parameters
    ----------
    potential, active
        The active set must belong to the potential.
    candidates
        Structures, unlabelled.
    threshold
        At least 1; larger takes fewer.
    limit
        Keep at most this many: those of the largest grades with respect to ``active``.

    Raises
    ------
    InputError
        If ``threshold`` is below 1 or the set belongs to another potential.
    """
    if threshold < 1.0:
        raise InputError(
            f"threshold {threshold} is below 1, where every known structure would be selected again"
        )
    if not candidates:
        return []
    unique = _without_copies(potential, candidates, active.kind)
    first = 1 + max(active.members, default=-1)
    after = active.updated(
        potential,
        [candidates[n] for n in unique],
        first_index=first,
        tolerance=max(threshold, 1.0 + 1e-6),
    )
    chosen = [unique[n - first] for n in after.members if n >= first]
    if limit is not None and len(chosen) > limit:
        grades = extrapolation_grades(potential, active, [candidates[n] for n in chosen])
        chosen = sorted(chosen[n] for n in np.argsort(-grades, kind="stable")[:limit])
    return chosen


def _without_copies(potential: MomentTensorPotential, frames: Sequence[Atoms], kind: Kind) -> list[int]:
    """Return the indices of the frames whose rows equal those of no earlier frame."""
    seen: set[str] = set()
    out = []
    for n, atoms in enumerate(frames):
        digest = hashlib.sha256()
        for rows, _ in rows_of(potential, atoms, kind):
            digest.update(np.ascontiguousarray(rows[np.lexsort(rows.T)]).tobytes())
        if digest.hexdigest() not in seen:
            seen.add(digest.hexdigest())
            out.append(n)
    return out
