"""Stage ``potential``: the best estimate, its committee, and their errors on structures no fit saw."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from scalebridge.contracts import (
    CompositionErrors,
    Dataset,
    ErrorSummary,
    FileReference,
    Host,
    LearningHistory,
    PotentialCard,
)
from scalebridge.foundation import constants, hash_file, random_stream
from scalebridge.pipeline.sections import PotentialSection
from scalebridge.pipeline.stage import StageContext
from scalebridge.pipeline.stages.fits import correction, fit_settings, refit
from scalebridge.pipeline.stages.frames import LEVEL, read_frames
from scalebridge.pipeline.stages.metal import fit_metal
from scalebridge.potential import (
    ActiveSet,
    ErrorReport,
    FitReport,
    FitSettings,
    Grader,
    Label,
    LinearPosterior,
    MomentTensorPotential,
    calibrate_committee,
    evaluate_errors,
    fit_member,
    labels_of,
    linear_posterior,
)
from scalebridge.sampling import HostCell, place

_FORCE = constants.EV / constants.ANGSTROM
PARITY_FORCES = 2000
"""Force components kept for the parity plot."""
LARGE_ERROR = 0.01
"""Root mean square error of energies above which is warned [eV/atom]."""


@dataclass(frozen=True)
class _MemberTask:
    labels: tuple[Label, ...]
    start: MomentTensorPotential
    member: int
    seed: int
    settings: FitSettings


def compute(context: StageContext) -> None:
    """Fit, save the members and describe them in a ``PotentialCard``."""
    section = context.recipe.potential
    host = context.load("host", Host)
    dataset = context.load("learning", Dataset)
    history = context.load("learning", LearningHistory)
    folder = context.parent_folder("learning")
    training, held_out = read_frames(folder, dataset.training), read_frames(folder, dataset.held_out)
    best = _best(context, dataset, history, training)
    members, posterior = _committee(context, best.potential, training, held_out)
    files = [_save(context.folder / f"member_{number}.mtp", member) for number, member in enumerate(members)]
    selections = _selections(context, members, training)
    reports = [evaluate_errors(member, held_out) for member in members]
    explored = read_frames(folder, dataset.explored) if dataset.explored else []
    explored_reports = [evaluate_errors(member, explored) for member in members if explored]
    _warn(context, reports[0], history)
    _warn_of_explored(context, explored_reports)
    remarks = (*dataset.validity.remarks, *history.validity.remarks, *context.warnings)
    coverage = calibrate_committee(reports).coverage if posterior is None else posterior.coverage
    context.save(
        PotentialCard(
            **_metal(context, dataset),
            provenance=context.provenance(),
            validity=history.validity.model_copy(
                update={"remarks": (*remarks, *_state_posterior(posterior))}
            ),
            citations=(
                "shapeev2016",
                "novikov2021",
                "podryabinkin2023",
                "golub1973",
                "goreinov2010",
                *_multi_fidelity(section, history),
            ),
            members=tuple(files),
            species=best.potential.species,
            level=best.potential.level,
            cutoff=best.potential.cutoff * constants.ANGSTROM,
            min_distance=best.potential.min_distance * constants.ANGSTROM,
            condition_number=best.condition_number,
            selections=selections,
            errors=tuple(error_summary(report) for report in reports),
            errors_by_x=_errors_by_x(members[0], held_out, host),
            explored_errors=tuple(error_summary(report) for report in explored_reports),
            explored_errors_by_x=_errors_by_x(members[0], explored, host),
            learning=history.steps,
            break_grade=history.break_grade,
            converged=history.converged,
            committee_coverage=coverage,
            **_parity(reports, context.seed),
        )
    )


def _parity(reports: list[ErrorReport], seed: int) -> dict[str, Any]:
    """Return the card's pairs of reference and prediction: all energies, a sample of member 0's forces."""
    best = reports[0]
    chosen = _sample(best, seed)
    return {
        "parity_reference_energy": best.reference_energies * constants.EV,
        "parity_predicted_energy": np.array([report.predicted_energies for report in reports]) * constants.EV,
        "parity_reference_force": best.reference_forces.ravel()[chosen] * _FORCE,
        "parity_predicted_force": best.predicted_forces.ravel()[chosen] * _FORCE,
    }


def _best(
    context: StageContext, dataset: Dataset, history: LearningHistory, training: list[Atoms]
) -> FitReport:
    """Fit the best estimate to all labels and, where the recipe says so, draw it to those of the target."""
    section, folder = context.recipe.potential, context.parent_folder("learning")
    start = MomentTensorPotential.load(folder / history.potential.name)
    prior = MomentTensorPotential.load(folder / history.prior.name) if history.prior else None
    best: FitReport = context.checkpoint(
        "best", partial(refit, context, training, start, prior=prior, iterations=section.iterations)
    )
    if dataset.target is None or not section.correct:
        return best
    aimed_at = [atoms for atoms in training if atoms.info.get(LEVEL) == dataset.target]
    draw = partial(correction, context, aimed_at, best.potential, iterations=section.iterations)
    return context.checkpoint("corrected", draw)


def _errors_by_x(
    best: MomentTensorPotential, held_out: Sequence[Atoms], host: Host
) -> tuple[CompositionErrors, ...]:
    cell = HostCell.from_phase(host.phases[0], host.ion)
    by_x: dict[float, list[Atoms]] = {}
    for atoms in held_out:
        found = place(atoms, cell)
        if found is not None:
            by_x.setdefault(round(found[0], 6), []).append(atoms)
    return tuple(
        CompositionErrors(x=x, errors=error_summary(evaluate_errors(best, frames)))
        for x, frames in sorted(by_x.items())
    )


def _multi_fidelity(section: PotentialSection, history: LearningHistory) -> tuple[str, ...]:
    """Return what to cite where a fit corrects another."""
    return ("bishop2006",) if section.correct or history.prior is not None else ()


def _metal(context: StageContext, dataset: Dataset) -> dict[str, Any]:
    """Fit and save the metal's potential where its labels are given; return what the card says of it."""
    if dataset.metal is None:
        return {}
    frames = read_frames(context.parent_folder("learning"), dataset.metal)
    potential, errors = fit_metal(frames, seed=context.seed)
    return {
        "metal": _save(context.folder / "metal.mtp", potential),
        "metal_errors": error_summary(errors),
    }


def _committee(
    context: StageContext, best: MomentTensorPotential, training: list[Atoms], held_out: list[Atoms]
) -> tuple[list[MomentTensorPotential], LinearPosterior | None]:
    """Return the members, the best estimate first, and the posterior where they are drawn from one."""
    section = context.recipe.potential
    if section.committee == "bootstrap":
        return [best, *_bootstrap(context, best, training)], None
    posterior = linear_posterior(
        training, potential=best, held_out=held_out, settings=fit_settings(section, 0)
    )
    return [best, *posterior.draw(section.members, seed=context.seed)], posterior


def _selections(
    context: StageContext, members: list[MomentTensorPotential], training: list[Atoms]
) -> tuple[FileReference, ...]:
    """Save the active sets: that of member 0 serves all that share its radial functions.

    Rows of a posterior's members differ from those of member 0 in the derivatives to radial coefficients
    alone, in which a member knows neither more nor less than member 0: it was never fitted in them.
    """
    shared = all(np.array_equal(member.radial, members[0].radial) for member in members)
    tasks = [(number, member, training) for number, member in enumerate(members[:1] if shared else members)]
    sets = context.units(_select, tasks, description="active sets", key=lambda task: task[0])
    files = []
    for (number, member, _), active in zip(tasks, sets, strict=True):
        path = context.folder / f"selection_{number}.almtp"
        active.save(path, member)
        files.append(FileReference(name=path.name, sha256=hash_file(path)))
    return tuple(files)


def _select(task: tuple[int, MomentTensorPotential, list[Atoms]]) -> ActiveSet:
    return ActiveSet.from_frames(task[1], task[2])


def _bootstrap(
    context: StageContext, best: MomentTensorPotential, training: list[Atoms]
) -> list[MomentTensorPotential]:
    section = context.recipe.potential
    labels = tuple(labels_of(training, best.species))
    settings = fit_settings(section, section.refit_iterations)
    tasks = [
        _MemberTask(labels, best, member, context.seed, settings) for member in range(1, section.members + 1)
    ]
    committee = context.units(_fit_member, tasks, description="committee", key=lambda task: task.member)
    return [report.potential for report in committee]


def _state_posterior(posterior: LinearPosterior | None) -> list[str]:
    if posterior is None:
        return []
    return [
        f"committee drawn from the linear posterior, widened {posterior.scale:.3g} times to fit held-out "
        "energies; its coverage counts each structure with the width that all others ask for"
    ]


def error_summary(report: ErrorReport) -> ErrorSummary:
    """Convert errors to a contract's record."""
    return ErrorSummary(
        energy_rmse=report.energy_rmse * constants.EV,
        energy_mae=report.energy_mae * constants.EV,
        force_rmse=report.force_rmse * _FORCE,
        force_mae=report.force_mae * _FORCE,
        stress_rmse=report.stress_rmse * constants.EV_PER_ANGSTROM3,
        structures=len(report.reference_energies),
    )


def load_graders(context: StageContext, card: PotentialCard) -> list[Grader]:
    """Load the extrapolation grades of each member; a single active set serves all."""
    folder = context.parent_folder("potential")
    sets = [ActiveSet.load(folder / reference.name) for reference in card.selections]
    graders = [active.grader(potential) for active, potential in sets]
    return graders if len(graders) > 1 else graders * len(card.members)


def load_members(context: StageContext, card: PotentialCard) -> list[MomentTensorPotential]:
    """Load the committee, member 0 first."""
    folder = context.parent_folder("potential")
    return [MomentTensorPotential.load(folder / reference.name) for reference in card.members]


def _fit_member(task: _MemberTask) -> FitReport:
    return fit_member(task.labels, task.start, task.member, seed=task.seed, settings=task.settings)


def _save(path: Path, member: MomentTensorPotential) -> FileReference:
    member.save(path)
    return FileReference(name=path.name, sha256=hash_file(path))


def _sample(report: ErrorReport, seed: int) -> NDArray[np.int64]:
    total = report.reference_forces.size
    return random_stream(seed, "parity").choice(total, size=min(PARITY_FORCES, total), replace=False)


def _warn(context: StageContext, errors: ErrorReport, history: LearningHistory) -> None:
    if not history.converged:
        context.warn(
            f"active learning is not converged: {history.reason}; results rest on extrapolation in places"
        )
    if errors.energy_rmse > LARGE_ERROR:
        context.warn(
            f"held-out energy error {1e3 * errors.energy_rmse:.0f} meV/atom is above "
            f"{1e3 * LARGE_ERROR:g} meV/atom; voltages and free energies inherit it (raise "
            "potential.level or the labels)"
        )


def _warn_of_explored(context: StageContext, reports: Sequence[ErrorReport]) -> None:
    if reports and reports[0].energy_rmse > LARGE_ERROR:
        context.warn(
            f"held-out energy error {1e3 * reports[0].energy_rmse:.0f} meV/atom on "
            f"{len(reports[0].reference_energies)} structures that walkers found is above "
            f"{1e3 * LARGE_ERROR:g} meV/atom: the potential is used where these lie"
        )
