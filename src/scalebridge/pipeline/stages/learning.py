"""Stage ``learning``: fit, explore all ion contents, label what is new, refit, until nothing is new."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import numpy as np
from ase import Atoms

from scalebridge.contracts import (
    Dataset,
    FileReference,
    Host,
    LearningHistory,
    LearningStep,
    Validity,
    WantedState,
)
from scalebridge.foundation import constants, hash_file
from scalebridge.pipeline.recipe import Recipe
from scalebridge.pipeline.stage import StageContext
from scalebridge.pipeline.stages.frames import LEVEL, read_frames, write_frames
from scalebridge.pipeline.stages.labels import make_labeller, state_failures, write_sets
from scalebridge.pipeline.stages.potential import error_summary, fit_settings
from scalebridge.potential import FitReport, MomentTensorPotential, fit_report
from scalebridge.sampling import (
    Exploration,
    ExplorationSettings,
    ExplorationTask,
    LearningRound,
    LearningSettings,
    LearningState,
    SiteDensity,
    WalkerPlan,
    explore,
    learn_round,
    spent,
    starting_cells,
    walker_plans,
)

POTENTIAL = "potential.mtp"
WANTED = "wanted.extxyz"


def compute(context: StageContext) -> None:
    """Run the loop round by round; every round is kept, so that a killed run repeats at most one."""
    recipe = context.recipe
    host = context.load("host", Host)
    dataset = context.load("labels", Dataset)
    folder = context.parent_folder("labels")
    training, held_out = read_frames(folder, dataset.training), read_frames(folder, dataset.held_out)

    first: FitReport = context.checkpoint("first fit", lambda: _first_fit(context, training, dataset.species))
    state = LearningState(first.potential, tuple(training))
    settings = learning_settings(recipe)
    with context.progress.task("rounds of active learning", settings.rounds) as task:
        while not (state := spent(state, settings)).reason:
            advance = partial(_round, context, host, state, held_out, settings)
            state = context.checkpoint("round", advance, key=len(state.history))
            last = state.history[-1]
            task.advance(1, f"grade {last.largest_grade:.3g}, {last.labelled} new labels")

    failed = sum(entry.failed for entry in state.history)
    if failed:
        context.warn(f"{state_failures(failed)}; the label store keeps the reasons")
    _save_dataset(context, dataset, state, held_out, failed=failed)
    state.potential.save(context.folder / POTENTIAL)
    wanted = write_frames(context.folder / WANTED, state.wanted) if state.wanted else None
    context.save(
        LearningHistory(
            provenance=context.provenance(),
            validity=Validity(
                temperature=(min(recipe.learning.temperatures), max(recipe.learning.temperatures)),
                composition=(0.0, float(host.sites_per_formula_unit)),
            ),
            citations=("podryabinkin2017", "goreinov2010", "duane1987", "nilmeier2011"),
            steps=tuple(_step(entry) for entry in state.history),
            break_grade=settings.exploration.stop,
            converged=state.converged,
            reason=state.reason,
            potential=FileReference(name=POTENTIAL, sha256=hash_file(context.folder / POTENTIAL)),
            wanted=wanted,
            wanted_states=tuple(_wanted_state(atoms, host) for atoms in state.wanted),
        )
    )


def _save_dataset(
    context: StageContext, first: Dataset, state: LearningState, held_out: Sequence[Atoms], *, failed: int
) -> None:
    """Save the first labels and those that were learnt."""
    folder = context.parent_folder("labels")
    metal = read_frames(folder, first.metal) if first.metal else []
    found = write_sets(context, state.training, held_out, metal)
    changes = {"provenance": context.provenance(), "failed": first.failed + failed, **found}
    context.save(first.model_copy(update=changes))


def _wanted_state(atoms: Atoms, host: Host) -> WantedState:
    framework = host.phases[0]
    ions = int(np.sum(atoms.symbols == host.ion))
    units = (len(atoms) - ions) * framework.formula_units / len(framework.framework.symbols)
    return WantedState(
        x=ions / units,
        volume=atoms.get_volume() / units * constants.ANGSTROM**3,
        atoms=len(atoms),
        grade=atoms.info["grade"],
    )


def learning_settings(recipe: Recipe) -> LearningSettings:
    """Return the loop's settings from the recipe."""
    section = recipe.learning
    return LearningSettings(
        rounds=section.rounds,
        labels_per_round=section.labels_per_round,
        labels=section.label_budget,
        exploration=ExplorationSettings(
            sweeps=section.sweeps,
            trials=section.trials,
            save=section.save_grade,
            stop=section.break_grade,
            density=SiteDensity(width=section.site_width, vacant_only=True),
        ),
    )


def _first_fit(context: StageContext, training: list[Atoms], species: tuple[str, ...]) -> FitReport:
    section = context.recipe.potential
    return fit_report(
        training,
        level=section.level,
        cutoff=section.cutoff,
        species=species,
        seed=context.seed,
        settings=fit_settings(section, section.iterations),
        progress=context.progress,
    )


def _round(
    context: StageContext, host: Host, state: LearningState, held_out: list[Atoms], settings: LearningSettings
) -> LearningState:
    recipe = context.recipe

    def refit(frames: Sequence[Atoms], start: MomentTensorPotential) -> MomentTensorPotential:
        settings = fit_settings(recipe.potential, recipe.potential.refit_iterations)
        return fit_report(frames, start=start, settings=settings, progress=context.progress).potential

    def map_walkers(function: object, tasks: Iterable[ExplorationTask]) -> list[Exploration]:
        return context.units(
            explore, list(tasks), description="walkers", key=lambda task: (task.round, task.walker)
        )

    return learn_round(
        state,
        plans_of(recipe, host),
        label=_label_with(context),
        refit=refit,
        held_out=held_out,
        settings=settings,
        seed=context.seed,
        map_walkers=map_walkers,
    )


def plans_of(recipe: Recipe, host: Host) -> tuple[WalkerPlan, ...]:
    """Return the walkers of every round, in all cells that the recipe repeats."""
    section = recipe.learning
    return tuple(
        plan
        for repeat in section.repeats
        for plan in walker_plans(
            starting_cells(host, repeat, primitive=section.cell == "primitive"),
            section.temperatures,
            strains=section.strains,
        )
    )


def _label_with(context: StageContext) -> Callable[[Sequence[Atoms]], Sequence[Atoms]] | None:
    """Return what labels structures; None where the recipe has no oracle."""
    section = context.recipe.oracle
    if section is None:
        return None
    labeller = make_labeller(context, context.recipe)

    def label(frames: Sequence[Atoms]) -> Sequence[Atoms]:
        found = labeller.label(frames, progress=context.progress).frames
        for frame in found:
            frame.info |= {} if section.level is None else {LEVEL: section.level}
        return found

    return label


def _step(entry: LearningRound) -> LearningStep:
    assert entry.errors is not None  # there are always held-out structures
    return LearningStep(
        round=entry.round,
        training_size=entry.training_size,
        largest_grade=entry.largest_grade,
        broken_walkers=entry.broken_walkers,
        errors=error_summary(entry.errors),
    )
