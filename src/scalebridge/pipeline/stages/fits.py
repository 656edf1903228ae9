"""Fits as the recipe wants them: from scratch, from the last potential, or as corrections of a prior."""

from collections.abc import Sequence

from ase import Atoms

from scalebridge.pipeline.sections import PotentialSection
from scalebridge.pipeline.stage import StageContext
from scalebridge.pipeline.stages.frames import group_of
from scalebridge.potential import (
    FitReport,
    FitSettings,
    FitWeights,
    MomentTensorPotential,
    correct_potential,
    fit_report,
)


def fit_settings(section: PotentialSection, iterations: int) -> FitSettings:
    """Return the settings of a fit with the recipe's weights."""
    weights = FitWeights(
        energy=section.energy_weight, force=section.force_weight, stress=section.stress_weight
    )
    return FitSettings(max_iterations=iterations, weights=weights, repulsion=section.repulsion)


def fit_first(
    context: StageContext,
    frames: Sequence[Atoms],
    species: tuple[str, ...],
    prior: MomentTensorPotential | None,
) -> FitReport:
    """Fit the potential that explores first; with a prior, a correction of it."""
    section = context.recipe.potential
    if prior is not None:
        return correction(context, frames, prior, iterations=section.iterations)
    return fit_report(
        frames,
        level=section.level,
        cutoff=section.cutoff,
        species=species,
        seed=context.seed,
        settings=fit_settings(section, section.iterations),
        progress=context.progress,
    )


def refit(
    context: StageContext,
    frames: Sequence[Atoms],
    start: MomentTensorPotential,
    *,
    prior: MomentTensorPotential | None,
    iterations: int,
) -> FitReport:
    """Go on from the last potential; with a prior, correct it anew."""
    if prior is not None:
        return correction(context, frames, prior, iterations=iterations)
    settings = fit_settings(context.recipe.potential, iterations)
    return fit_report(frames, start=start, settings=settings, progress=context.progress)


def correction(
    context: StageContext, frames: Sequence[Atoms], start: MomentTensorPotential, *, iterations: int
) -> FitReport:
    """Draw a potential to better labels, as far as they bear it."""
    return correct_potential(
        start,
        frames,
        groups=[group_of(atoms, number) for number, atoms in enumerate(frames)],
        settings=fit_settings(context.recipe.potential, iterations),
        seed=context.seed,
        progress=context.progress,
    ).report
