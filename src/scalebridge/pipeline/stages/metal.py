"""A potential of the ion's metal from given labels: the zero of the voltage where there is no oracle."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from ase import Atoms

from scalebridge.foundation import InputError, random_stream
from scalebridge.potential import (
    ErrorReport,
    FitSettings,
    MomentTensorPotential,
    evaluate_errors,
    fit_report,
    merge_reports,
)

LEVEL: Final = 6
"""Of the potential's basis: one element near its equilibrium."""
CUTOFF: Final = 6.0
"""Its range [Å]: beyond the second neighbours of the alkali metals."""
PARTS: Final = 5
"""Of the cross-validation."""
ITERATIONS: Final = 100


def fit_metal(frames: Sequence[Atoms], *, seed: int) -> tuple[MomentTensorPotential, ErrorReport]:
    """Fit to all labels of the metal; the errors are those of fits without a part of them, on that part.

    Raises
    ------
    InputError
        If there are fewer labels than parts.
    """
    if len(frames) < PARTS:
        raise InputError(
            f"{len(frames)} given labels of the metal fit no potential; give {PARTS} or more, of several "
            "volumes and with displaced atoms, or an [oracle]"
        )
    order = random_stream(seed, "metal").permutation(len(frames))
    reports = []
    for part in np.array_split(order, PARTS):
        rest = [frames[index] for index in sorted(set(order.tolist()) - set(part.tolist()))]
        reports.append(evaluate_errors(_fit(rest, seed), [frames[index] for index in part]))
    return _fit(frames, seed), merge_reports(reports)


def _fit(frames: Sequence[Atoms], seed: int) -> MomentTensorPotential:
    settings = FitSettings(max_iterations=ITERATIONS)
    return fit_report(frames, level=LEVEL, cutoff=CUTOFF, seed=seed, settings=settings).potential
