"""Multi-fidelity: a potential of many cheap labels, corrected with few of a better level of theory.

The cheap potential is the prior mean of the fit to the better labels [transfer by a Gaussian prior about the
cheap model, as in Bishop, Pattern Recognition and Machine Learning (2006), section 3.3]. How firmly it holds,
the ridge, is chosen by cross-validation on the better labels; offsets per species, in which levels of theory
differ by eV, are moved first and freely.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from ase import Atoms

from scalebridge.foundation import SILENT, InputError, Progress, random_stream
from scalebridge.potential._kernel_data import FloatArray
from scalebridge.potential.assessment import ErrorReport, evaluate_errors, merge_reports
from scalebridge.potential.fitting import FitReport, FitSettings, fit_report
from scalebridge.potential.model import MomentTensorPotential
from scalebridge.potential.training import FitWeights

RIDGES: Final = (1e-8, 1e-6, 1e-4, 1e-2)
"""Tried in turn: from labels that overrule the prior to a prior that they hardly move."""
PARTS: Final = 4
"""Of the cross-validation."""
CHOICE_ITERATIONS: Final = 10
"""Of the fits that only choose the ridge."""


@dataclass(frozen=True, eq=False)
class Correction:
    """A corrected potential and how it was chosen.

    Attributes
    ----------
    report : FitReport
        The fit to all better labels.
    ridge : float
        The chosen one.
    ridges, losses : (R,)
        Those tried and their loss on parts of the labels left out, per structure.
    errors : ErrorReport
        With the chosen ridge, on the parts left out.
    """

    report: FitReport
    ridge: float
    ridges: tuple[float, ...]
    losses: FloatArray
    errors: ErrorReport


def rebased(potential: MomentTensorPotential, frames: Sequence[Atoms]) -> MomentTensorPotential:
    """Return the potential with the offsets per species that bring its energies closest to labels.

    The change is that of minimum norm where compositions leave it open.
    """
    found = evaluate_errors(potential, frames)
    counts = np.array([[np.sum(atoms.symbols == symbol) for symbol in potential.species] for atoms in frames])
    shares = counts / counts.sum(axis=1, keepdims=True)
    missing = found.reference_energies - found.predicted_energies
    change = np.linalg.lstsq(shares, missing, rcond=1e-10)[0]
    return potential.with_parameters(offsets=potential.offsets + change)


def correct_potential(
    start: MomentTensorPotential,
    frames: Sequence[Atoms],
    *,
    groups: Sequence[object] | None = None,
    settings: FitSettings | None = None,
    ridges: Sequence[float] = RIDGES,
    seed: int = 0,
    progress: Progress = SILENT,
) -> Correction:
    """Draw a potential to labels of a better level of theory, as far as they bear it.

    Parameters
    ----------
    start
        Fitted to cheap labels, with all the species of ``frames``.
    frames
        Better labels.
    groups
        One name per structure: those of a group (steps of a relaxation) are left out together. By default
        every structure is a group.
    settings
        Of the fits; ``ridge`` and ``toward_start`` are replaced.
    ridges
        To choose from.
    seed
        Of the parts.

    Raises
    ------
    InputError
        If there are fewer groups than parts, or on unusable labels.
    """
    settings = replace(settings or FitSettings(), toward_start=True)
    near = rebased(start, frames)
    parts = _parts(list(range(len(frames))) if groups is None else list(groups), seed)
    short = replace(settings, max_iterations=min(CHOICE_ITERATIONS, settings.max_iterations))
    found: list[ErrorReport] = []
    with progress.task("firmness of the prior", len(ridges) * PARTS) as task:
        for ridge in ridges:
            reports = []
            for left_out in parts:
                kept = [atoms for n, atoms in enumerate(frames) if n not in left_out]
                fitted = fit_report(kept, start=near, settings=replace(short, ridge=ridge)).potential
                reports.append(evaluate_errors(fitted, [frames[n] for n in sorted(left_out)]))
                task.advance()
            found.append(merge_reports(reports))
    sizes = [len(atoms) for atoms in frames]
    losses = np.array([_loss(report, settings.weights, float(np.mean(sizes))) for report in found])
    best = int(np.argmin(losses))
    final = fit_report(frames, start=near, settings=replace(settings, ridge=ridges[best]), progress=progress)
    return Correction(final, ridges[best], tuple(ridges), losses, found[best])


def _parts(groups: list[object], seed: int) -> list[set[int]]:
    """Return the indices of each part; groups stay whole."""
    names = sorted(set(map(str, groups)))
    if len(names) < PARTS:
        raise InputError(
            f"{len(names)} independent labels cannot say how firmly the cheap potential holds; give {PARTS} "
            "or more"
        )
    order = random_stream(seed, "potential", "fidelity").permutation(len(names))
    part_of = {names[index]: number % PARTS for number, index in enumerate(order)}
    return [{n for n, group in enumerate(groups) if part_of[str(group)] == part} for part in range(PARTS)]


def _loss(report: ErrorReport, weights: FitWeights, atoms: float) -> float:
    """Return the fit's loss of energies and forces, from root mean square errors, per structure."""
    energy = weights.energy * atoms * report.energy_rmse**2
    return float(energy + 3 * atoms * weights.force * report.force_rmse**2)
