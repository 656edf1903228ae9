"""Stage ``learning``: fit, explore all ion contents, label what is new, refit, until nothing is new."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from ase import Atoms

from scalebridge.contracts import Dataset, FileReference, Host, LearningHistory, Validity
from scalebridge.foundation import InputError, hash_file
from scalebridge.pipeline.locations import prior_path
from scalebridge.pipeline.recipe import Recipe
from scalebridge.pipeline.stage import StageContext
from scalebridge.pipeline.stages.bursts import burst_settings
from scalebridge.pipeline.stages.fits import fit_first, refit
from scalebridge.pipeline.stages.frames import LEVEL, read_frames, write_frames
from scalebridge.pipeline.stages.labels import make_labeller, state_failures, write_sets
from scalebridge.pipeline.stages.learning_record import (
    learning_cost,
    learning_coverage,
    learning_step,
    name_dead_ends,
    save_dead_ends,
    training_coverage,
    wanted_state,
)
from scalebridge.potential import FitReport, MomentTensorPotential, require_held_out
from scalebridge.sampling import (
    DeadEndLimits,
    Exploration,
    ExplorationSettings,
    ExplorationTask,
    LearningSettings,
    LearningState,
    SiteDensity,
    StoppingRule,
    WalkerPlan,
    explore,
    learn_round,
    spent,
    starting_cells,
    walker_plans,
)

POTENTIAL = "potential.mtp"
WANTED = "wanted.extxyz"
PRIOR = "prior.mtp"
FAILED_IN_ROUND = 0.5
"""Part of a round's labels that may fail: walkers go where calculators do not converge, and what fails is
kept as dead ends; a calculator that fails more often is not set up well."""


def compute(context: StageContext) -> None:
    """Run the loop round by round; every round is kept, so that a killed run repeats at most one."""
    recipe = context.recipe
    host = context.load("host", Host)
    dataset = context.load("labels", Dataset)
    folder = context.parent_folder("labels")
    training, held_out = read_frames(folder, dataset.training), read_frames(folder, dataset.held_out)
    # told now, before anything is labelled or fitted
    if recipe.potential.committee == "posterior":
        require_held_out(held_out)
    if recipe.oracle is not None:
        make_labeller(context, recipe).spec.build()
    prior = _prior(context)
    fit = partial(fit_first, context, training, dataset.species, prior)
    first: FitReport = context.checkpoint("first fit", fit)
    settings = learning_settings(recipe)
    learn = partial(_round, context, host, held_out=held_out, settings=settings, prior=prior)
    state = _loop(context, LearningState(first.potential, tuple(training)), settings, learn)

    failed = sum(entry.failed for entry in state.history)
    if failed:
        context.warn(f"{state_failures(failed)}; the label store keeps the reasons")
    for text in name_dead_ends(state):
        context.warn(text)
    _save_dataset(context, dataset, state, held_out, failed=failed)
    state.potential.save(context.folder / POTENTIAL)
    _save_history(context, host, state, settings)
    context.save(learning_cost(context.provenance(), state.history))


def _loop(
    context: StageContext,
    state: LearningState,
    settings: LearningSettings,
    learn: Callable[[LearningState], LearningState],
) -> LearningState:
    """Return the state after the last round; dead ends are on disk after every one."""
    save_dead_ends(context.folder, state)
    with context.progress.task("rounds of active learning", settings.rounds) as task:
        while not (state := spent(state, settings)).reason:
            state = context.checkpoint("round", partial(learn, state), key=len(state.history))
            save_dead_ends(context.folder, state)
            last = state.history[-1]
            task.advance(1, f"grade {last.largest_grade:.3g}, {last.labelled} new labels")
    return state


def _save_history(
    context: StageContext, host: Host, state: LearningState, settings: LearningSettings
) -> None:
    """Save what every round found, and the states that are still wanted."""
    section = context.recipe.learning
    wanted = write_frames(context.folder / WANTED, state.wanted) if state.wanted else None
    cell = starting_cells(host, section.repeats[0])[0]
    x, volume = training_coverage(state.training, cell)
    dead_ends, structures = save_dead_ends(context.folder, state)
    approximations = settings.exploration.approximations
    context.save(
        LearningHistory(
            provenance=context.provenance(),
            validity=Validity(
                temperature=(min(section.temperatures), max(section.temperatures)),
                composition=(0.0, float(host.sites_per_formula_unit)),
                remarks=tuple(f"walkers of active learning: {said}" for said in approximations),
            ),
            citations=(
                "podryabinkin2017",
                "goreinov2010",
                *settings.exploration.burst.citations,
                "nilmeier2011",
            ),
            steps=tuple(learning_step(entry, settings.exploration) for entry in state.history),
            coverage=tuple(learning_coverage(entry) for entry in state.history),
            training_x=x,
            training_volume=volume,
            dead_ends=dead_ends,
            dead_end_structures=structures,
            save_grade=settings.exploration.save,
            break_grade=settings.exploration.stop,
            converged=state.converged,
            reason=state.reason,
            potential=_reference(context.folder / POTENTIAL),
            prior=_reference(context.folder / PRIOR) if context.recipe.potential.prior else None,
            wanted=wanted,
            wanted_states=tuple(wanted_state(atoms, cell) for atoms in state.wanted),
        )
    )


def _reference(path: Path) -> FileReference:
    return FileReference(name=path.name, sha256=hash_file(path))


def _save_dataset(
    context: StageContext, first: Dataset, state: LearningState, held_out: Sequence[Atoms], *, failed: int
) -> None:
    """Save the first labels and those that were learnt."""
    folder = context.parent_folder("labels")
    metal = read_frames(folder, first.metal) if first.metal else []
    found = write_sets(context, state.training, held_out, metal, explored=state.explored)
    changes = {"provenance": context.provenance(), "failed": first.failed + failed, **found}
    context.save(first.model_copy(update=changes))


def learning_settings(recipe: Recipe) -> LearningSettings:
    """Return the loop's settings from the recipe."""
    section = recipe.learning
    return LearningSettings(
        rounds=section.rounds,
        labels_per_round=section.labels_per_round,
        labels=section.label_budget,
        oracle=recipe.oracle is not None,
        held_out_every=section.held_out_every,
        stopping=StoppingRule(
            broken_walkers=section.broken_walkers,
            few_selected=section.few_selected,
            flat_errors=section.flat_errors,
            stalled_rounds=section.stalled_rounds,
        ),
        exploration=ExplorationSettings(
            sweeps=section.sweeps,
            trials=section.trials,
            save=section.save_grade,
            stop=section.break_grade,
            extreme_strain=section.extreme_strain,
            retreats=section.retreats,
            limits=DeadEndLimits(
                closest_pair=section.closest_pair,
                volume_factor=section.volume_factor,
                bond_stretch=section.bond_stretch,
                broken_bonds=section.broken_bonds,
            ),
            density=SiteDensity(width=section.site_width, vacant_only=True),
            burst=burst_settings(section.bursts),
        ),
    )


def _prior(context: StageContext) -> MomentTensorPotential | None:
    """Copy the potential that fits correct into the stage's folder, and return it."""
    section = context.recipe.potential
    if section.prior is None:
        return None
    prior = MomentTensorPotential.load(prior_path(section.prior, context.recipe.host.name))
    if prior.level != section.level or prior.cutoff != section.cutoff:
        raise InputError(
            f"potential.prior '{section.prior}' has level {prior.level} and cutoff {prior.cutoff:g} Å, the "
            f"recipe {section.level} and {section.cutoff:g} Å; a fit keeps the prior's form: write the same"
        )
    prior.save(context.folder / PRIOR)
    return prior


def _round(
    context: StageContext,
    host: Host,
    state: LearningState,
    *,
    held_out: list[Atoms],
    settings: LearningSettings,
    prior: MomentTensorPotential | None,
) -> LearningState:
    recipe = context.recipe

    def fit_again(frames: Sequence[Atoms], start: MomentTensorPotential) -> MomentTensorPotential:
        iterations = recipe.potential.refit_iterations
        return refit(context, frames, start, prior=prior, iterations=iterations).potential

    def map_walkers(function: object, tasks: Iterable[ExplorationTask]) -> list[Exploration]:
        return context.units(
            explore, list(tasks), description="walkers", key=lambda task: (task.round, task.walker)
        )

    return learn_round(
        state,
        plans_of(recipe, host),
        label=_label_with(context),
        refit=fit_again,
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


def _label_with(context: StageContext) -> Callable[[Sequence[Atoms]], Sequence[Atoms]]:
    """Return what labels structures: nothing where the recipe has no oracle."""
    section = context.recipe.oracle
    if section is None:
        return lambda frames: ()
    labeller = make_labeller(context, context.recipe)
    labeller = replace(labeller, max_failed_fraction=max(labeller.max_failed_fraction, FAILED_IN_ROUND))

    def label(frames: Sequence[Atoms]) -> Sequence[Atoms]:
        found = labeller.label(frames, progress=context.progress).frames
        for frame in found:
            frame.info |= {} if section.level is None else {LEVEL: section.level}
        return found

    return label
