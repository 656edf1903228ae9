"""Committees: potentials fitted to resampled data, whose spread estimates the error of what they predict.

Each member sees a bootstrap sample of the frames and starts from perturbed radial coefficients, then
re-optimises them [query by committee; Musil et al., J. Chem. Theory Comput. 15, 906 (2019)].
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from ase import Atoms

from scalebridge.foundation import SILENT, InputError, Progress, random_stream
from scalebridge.potential._kernel_data import FloatArray
from scalebridge.potential.fitting import FitReport, FitSettings, fit_labels
from scalebridge.potential.model import MomentTensorPotential
from scalebridge.potential.training import Label, labels_of

PERTURBATION: Final = 0.05
"""Relative size of the random change of a member's radial coefficients before they are optimised."""
DEFAULT_SETTINGS: Final = FitSettings(max_iterations=30)


def bootstrap(n_frames: int, seed: int, member: int) -> FloatArray:
    """Return how often each frame is drawn when ``n_frames`` are drawn with replacement."""
    drawn = random_stream(seed, "potential", "bootstrap", member).integers(0, n_frames, n_frames)
    return np.bincount(drawn, minlength=n_frames).astype(np.float64)


def fit_member(
    labels: Sequence[Label],
    start: MomentTensorPotential,
    member: int,
    *,
    seed: int = 0,
    settings: FitSettings = DEFAULT_SETTINGS,
    progress: Progress = SILENT,
) -> FitReport:
    """Fit one committee member; a plain function of picklable arguments for process pools.

    Parameters
    ----------
    labels
        All training data (``labels_of``); the member draws its own sample.
    start
        Member 0.
    member
        1, 2, …: names the random streams.
    seed
        The recipe's seed.
    settings
        Limits of the radial optimisation.
    progress
        Where to report.
    """
    if member < 1:
        raise InputError(
            f"member {member} is not a committee member; members count from 1, 0 is the best estimate"
        )
    noise = random_stream(seed, "potential", "perturbation", member).standard_normal(start.radial.shape)
    size = np.sqrt(np.mean(start.radial**2, axis=(-1, -2), keepdims=True))
    perturbed = replace(start, radial=start.radial + PERTURBATION * size * noise)
    return fit_labels(
        labels, perturbed, settings, multiplicities=bootstrap(len(labels), seed, member), progress=progress
    )


def fit_committee(
    train_frames: Sequence[Atoms],
    *,
    start: MomentTensorPotential,
    members: int = 4,
    seed: int = 0,
    settings: FitSettings = DEFAULT_SETTINGS,
    progress: Progress = SILENT,
) -> tuple[MomentTensorPotential, ...]:
    """Fit ``members`` committee members one after the other.

    Parameters
    ----------
    train_frames
        Labelled structures.
    start
        Member 0, not included in the result.
    members
        How many; at least 1.
    seed, settings, progress
        As in ``fit_member``.
    """
    if members < 1:
        raise InputError(
            f"members {members} is not positive; a committee needs at least one member, usually 4"
        )
    labels = labels_of(train_frames, start.species)
    reports = (
        fit_member(labels, start, member, seed=seed, settings=settings, progress=progress)
        for member in range(1, members + 1)
    )
    return tuple(report.potential for report in reports)
