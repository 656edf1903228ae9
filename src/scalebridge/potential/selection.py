"""Which candidates to label: those whose rows enlarge the active set."""

import math
from collections.abc import Sequence

import numpy as np
from ase import Atoms

from scalebridge.foundation import InputError
from scalebridge.potential._kernel_data import FloatArray
from scalebridge.potential.active_set import ActiveSet
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

    Rows enter while they raise the volume by more than ``threshold``. Candidates of no larger grade are not
    considered, known structures among them, and of equal candidates (moved, turned, renumbered, repeated)
    only the first.

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
        If ``threshold`` is below 1 or not finite, ``limit`` is negative or the set belongs to another
        potential.
    """
    if threshold < 1.0:
        raise InputError(
            f"threshold {threshold} is below 1, where every known structure would be selected again; give 1.1"
        )
    if not math.isfinite(threshold):
        raise InputError(f"threshold {threshold} is not a finite number; give one from 1 up, usually 1.1")
    if limit is not None and limit < 0:
        raise InputError(f"limit {limit} is negative; give at least 0, or leave it out to take all")
    threshold = max(threshold, 1.0 + 1e-6)
    grades = extrapolation_grades(potential, active, candidates)
    fresh = np.flatnonzero(grades > threshold).tolist()
    if not fresh:
        return []
    first = 1 + max(active.members, default=-1)
    after = active.updated(potential, [candidates[n] for n in fresh], first_index=first, tolerance=threshold)
    chosen = [fresh[n - first] for n in after.members if n >= first]
    if limit is not None and len(chosen) > limit:
        chosen = sorted(sorted(chosen, key=lambda n: -grades[n])[:limit])
    return chosen
