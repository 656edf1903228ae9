"""What ``scalebridge potential fit`` does."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final

import typer
from ase import Atoms
from rich.console import Console

from scalebridge.cli.bars import TaskBars
from scalebridge.cli.failures import INTERRUPTED
from scalebridge.cli.potential_output import (
    check_figure,
    draw_fit,
    draw_parity,
    error_numbers,
    error_rows,
    print_json,
)
from scalebridge.cli.structure_files import POTENTIAL_SUFFIXES, check_target, load_potential, read_frames
from scalebridge.cli.tables import show_table
from scalebridge.foundation import InputError, Progress
from scalebridge.oracle import CalculatorSpec, label_differences
from scalebridge.potential import (
    FEWEST_HELD_OUT,
    Calibration,
    ErrorReport,
    FitReport,
    FitSettings,
    LinearPosterior,
    MomentTensorPotential,
    calibrate_committee,
    evaluate_errors,
    fit_committee,
    fit_report,
    labels_of,
    linear_posterior,
    require_held_out,
)

COMMITTEE_ITERATIONS: Final = 30
"""Members start from the best estimate, perturbed: they need fewer iterations than it did."""
Potentials = Sequence[MomentTensorPotential]


@dataclass(frozen=True)
class Form:
    """The form of a new potential and how its first coefficients are found; None where nothing was said.

    Attributes as the options; ``cutoff`` in Å.
    """

    level: int | None = None
    cutoff: float | None = None
    starts: int | None = None
    radial_size: int | None = None


@dataclass(frozen=True)
class FitJob:
    """The options of the command; attributes as there."""

    training: Path
    out: Path
    form: Form
    species: Sequence[str] | None
    held_out: Path | None
    validation: Path | None
    baseline: str | None
    start: Path | None
    members: int
    committee: str
    settings: FitSettings
    seed: int
    plot: Path | None
    learning_curve: Path | None
    as_json: bool


@dataclass(frozen=True)
class _Data:
    """Structures for the three purposes."""

    training: Sequence[Atoms]
    held_out: Sequence[Atoms]
    validation: Sequence[Atoms]


@dataclass
class _Stop:
    """What is left when the user stops the command."""

    advice: str = "stopped before anything was saved; begin again"


@dataclass(frozen=True)
class _Committee:
    """Members beside the best estimate, and how wide they are."""

    members: Potentials = ()
    posterior: LinearPosterior | None = None
    calibration: Calibration | None = None
    files: list[Path] = field(default_factory=list)


def fit_files(job: FitJob) -> None:
    """Fit a potential, and a committee on request, to labelled structures.

    The best potential so far is kept in ``NAME.part`` beside ``out`` until the fit ends. What would fail at
    the end is looked at before the beginning.

    Raises
    ------
    InputError
        If a file cannot be read or a setting breaks a rule.
    """
    _check_targets(job)
    with _stoppable() as stop, TaskBars(Console(stderr=True)) as bars:
        start = load_potential(job.start, job.species) if job.start else None
        data = _read(job, start, bars)
        report = _fit(job, data, start, stop, bars)
        committee = _make_committee(job, data, report.potential, bars)
    errors = {"training": evaluate_errors(report.potential, data.training)}
    if data.held_out:
        errors["held out"] = evaluate_errors(report.potential, data.held_out)
    if job.plot is not None:
        draw_parity(list(errors.values())[-1], job.plot)
    if job.learning_curve is not None:
        draw_fit(report, job.learning_curve)
    _show(job, report, committee, errors)


def _check_targets(job: FitJob) -> None:
    """Refuse what could not be written or would have no effect."""
    if job.out.suffix not in POTENTIAL_SUFFIXES:
        raise InputError(f"{job.out}: a potential's file ends in .mtp or .almtp; name it so")
    check_target(job.out)
    check_figure("--plot", job.plot)
    check_figure("--learning-curve", job.learning_curve)
    given = [f"--{name.replace('_', '-')}" for name, value in asdict(job.form).items() if value is not None]
    if job.start is not None and given:
        raise InputError(
            f"{', '.join(given)} have no effect with --start, which fixes the form; leave them out"
        )


def _read(job: FitJob, start: MomentTensorPotential | None, progress: Progress) -> _Data:
    """Read all structures and see that the fit, its test and its committee can use them."""
    training = read_frames(job.training, job.species)
    held_out = read_frames(job.held_out, job.species) if job.held_out else []
    validation = read_frames(job.validation, job.species) if job.validation else []
    species = start.species if start else job.species
    known = species or sorted({symbol for atoms in training for symbol in atoms.get_chemical_symbols()})
    for path, frames in ((job.training, training), (job.held_out, held_out), (job.validation, validation)):
        try:
            labels_of(frames, known) if frames else []
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
    if job.held_out and job.members and job.committee == "posterior":
        require_held_out(held_out)
    if job.baseline is None:
        return _Data(training, held_out, validation)
    spec = CalculatorSpec(job.baseline)
    return _Data(
        *(
            label_differences(frames, spec, progress=progress) if frames else []
            for frames in (training, held_out, validation)
        )
    )


def _fit(
    job: FitJob, data: _Data, start: MomentTensorPotential | None, stop: _Stop, progress: Progress
) -> FitReport:
    """Fit and save the best estimate."""
    part = job.out.with_stem(f"{job.out.stem}.part")

    def save(potential: MomentTensorPotential) -> None:
        potential.save(part)
        stop.advice = f"stopped; go on from the best so far with --start {part}"

    report = fit_report(
        data.training,
        level=job.form.level or 12,
        cutoff=5.0 if job.form.cutoff is None else job.form.cutoff,
        species=job.species,
        start=start,
        seed=job.seed,
        settings=replace(job.settings, starts=job.form.starts or 1, radial_size=job.form.radial_size or 8),
        validation=data.validation,
        save=save,
        progress=progress,
    )
    report.potential.save(job.out)
    part.unlink(missing_ok=True)
    stop.advice = f"stopped; {job.out} is written, its committee and errors are not"
    return report


def _make_committee(job: FitJob, data: _Data, best: MomentTensorPotential, progress: Progress) -> _Committee:
    """Draw or fit the members, save them and hold their spread against held-out errors."""
    if not job.members:
        return _Committee()
    if job.committee == "posterior":
        posterior = linear_posterior(
            data.training, potential=best, held_out=data.held_out, settings=job.settings
        )
        drawn: Potentials = posterior.draw(job.members, seed=job.seed)
        return _Committee(drawn, posterior, None, _save_members(job.out, drawn))
    short = replace(job.settings, max_iterations=min(COMMITTEE_ITERATIONS, job.settings.max_iterations))
    drawn = fit_committee(
        data.training, start=best, members=job.members, seed=job.seed, settings=short, progress=progress
    )
    files = _save_members(job.out, drawn)
    if job.members == 1 or len(data.held_out) < FEWEST_HELD_OUT:
        return _Committee(drawn, None, None, files)
    found = calibrate_committee([evaluate_errors(member, data.held_out) for member in (best, *drawn)])
    return _Committee(drawn, None, found, files)


def _show(job: FitJob, report: FitReport, committee: _Committee, errors: dict[str, ErrorReport]) -> None:
    files = [job.out, *committee.files]
    if job.as_json:
        numbers = {name: error_numbers(found) for name, found in errors.items()}
        print_json(_fit_numbers(report, committee, files) | {"errors": numbers})
        return
    show_table(Console(highlight=False), error_rows(errors))
    if committee.members:
        typer.echo(_state_width(committee))
    typer.echo(f"ended after {len(report.losses)} iterations, {report.seconds:.0f} s: {report.reason}")
    typer.echo("wrote " + ", ".join(str(path) for path in files))


def _fit_numbers(report: FitReport, committee: _Committee, files: Sequence[Path]) -> dict[str, object]:
    """Return a fit's numbers for machines."""
    posterior, calibration = committee.posterior, committee.calibration
    return {
        "files": [str(path) for path in files],
        "loss": report.loss,
        "losses": report.losses,
        "validation_losses": report.validation_losses,
        "condition_number": report.condition_number,
        "posterior": posterior and {"scale": posterior.scale, "coverage": posterior.coverage},
        "committee": calibration and asdict(calibration),
        "wall_time [s]": report.seconds,
        "ended": report.reason,
    }


def _state_width(committee: _Committee) -> str:
    """Say how wide a committee is next to held-out errors, or that nobody knows."""
    posterior, calibration = committee.posterior, committee.calibration
    if calibration is not None:
        return (
            f"{calibration.coverage:.0%} of held-out energies inside the committee's 90 % band; widened "
            f"{calibration.scale:.3g} times it would hold {calibration.widened_coverage:.0%}"
        )
    if posterior is None:
        return (
            "committee's 90 % band not compared with errors; give 2 or more --members and "
            f"{FEWEST_HELD_OUT} or more --held-out structures"
        )
    if math.isnan(posterior.coverage):
        return "posterior not calibrated, as a rule many times too narrow; give --held-out structures"
    return (
        f"posterior widened {posterior.scale:.3g} times; {posterior.coverage:.0%} of held-out energies "
        "inside its 90 % band"
    )


@contextmanager
def _stoppable() -> Iterator[_Stop]:
    """Say what is left, and how to go on, where the user stops the command."""
    stop = _Stop()
    try:
        yield stop
    except KeyboardInterrupt:
        typer.secho(stop.advice, fg="yellow", err=True)
        raise typer.Exit(INTERRUPTED) from None


def _save_members(out: Path, members: Potentials) -> list[Path]:
    """Save member n beside the best estimate as ``NAME_member_n``."""
    names = [out.with_stem(f"{out.stem}_member_{n}") for n in range(1, len(members) + 1)]
    for path, potential in zip(names, members, strict=True):
        potential.save(path)
    return names
