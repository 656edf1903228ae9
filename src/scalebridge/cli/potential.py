"""What ``scalebridge potential …`` does."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import typer
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.stress import full_3x3_to_voigt_6_stress
from rich.console import Console

from scalebridge.cli.bars import TaskBars
from scalebridge.cli.failures import INTERRUPTED
from scalebridge.cli.structure_files import read_frames, write_frames
from scalebridge.cli.tables import Rows, show_table
from scalebridge.foundation import FormatError, InputError, StoreError, constants
from scalebridge.oracle import CalculatorSpec, label_differences
from scalebridge.potential import (
    ActiveSet,
    ErrorReport,
    FitReport,
    FitSettings,
    LinearPosterior,
    MomentTensorPotential,
    MTPCalculator,
    check_conformance,
    evaluate_errors,
    extrapolation_grades,
    fit_committee,
    fit_report,
    linear_posterior,
    select,
)

POTENTIAL_SUFFIXES: Final = (".mtp", ".almtp")
GIGAPASCAL: Final = constants.EV_PER_ANGSTROM3 / 1e9
"""1 eV/Å³ [GPa]."""
COMMITTEE_ITERATIONS: Final = 30
"""Members start from the best estimate, perturbed: they need fewer iterations than it did."""
Species = Sequence[str] | None


def fit_files(
    training: Path,
    out: Path,
    *,
    level: int,
    cutoff: float,
    species: Species,
    held_out: Path | None,
    validation: Path | None,
    baseline: str | None,
    start: Path | None,
    members: int,
    committee: str,
    settings: FitSettings,
    seed: int,
    plot: Path | None,
    learning_curve: Path | None,
    as_json: bool,
) -> None:
    """Fit a potential, and a committee on request, to labelled structures.

    The best potential so far is kept in ``NAME.part`` beside ``out`` until the fit ends.

    Raises
    ------
    InputError
        If a file cannot be read or a setting breaks a rule.
    """
    if out.suffix not in POTENTIAL_SUFFIXES:
        raise InputError(f"{out}: a potential's file ends in .mtp or .almtp; name it so")
    frames = read_frames(training, species)
    others = read_frames(held_out, species) if held_out else None
    unseen = read_frames(validation, species) if validation else []
    warm = load_potential(start, species) if start else None
    part = out.with_stem(f"{out.stem}.part")
    with TaskBars(Console(stderr=True)) as bars:
        if baseline is not None:
            spec = CalculatorSpec(baseline)
            frames = label_differences(frames, spec, progress=bars)
            others = label_differences(others, spec, progress=bars) if others is not None else None
            unseen = label_differences(unseen, spec, progress=bars)
        with _resumable(part):
            report = fit_report(
                frames,
                level=level,
                cutoff=cutoff,
                species=species,
                start=warm,
                seed=seed,
                settings=settings,
                validation=unseen,
                save=lambda potential: potential.save(part),
                progress=bars,
            )
        report.potential.save(out)
        part.unlink(missing_ok=True)
        posterior: LinearPosterior | None = None
        drawn: Sequence[MomentTensorPotential] = ()
        if members and committee == "posterior":
            posterior = linear_posterior(
                frames, potential=report.potential, held_out=others or (), settings=settings
            )
            drawn = posterior.draw(members, seed=seed)
        elif members:
            short = replace(settings, max_iterations=min(COMMITTEE_ITERATIONS, settings.max_iterations))
            drawn = fit_committee(
                frames, start=report.potential, members=members, seed=seed, settings=short, progress=bars
            )
    files = [out, *_save_members(out, drawn)]
    errors = {"training": evaluate_errors(report.potential, frames)}
    if others is not None:
        errors["held out"] = evaluate_errors(report.potential, others)
    if plot is not None:
        draw_parity(errors["training" if others is None else "held out"], plot)
    if learning_curve is not None:
        _draw_fit(report, learning_curve)
    if as_json:
        numbers = {name: error_numbers(found) for name, found in errors.items()}
        _print_json(_fit_numbers(report, posterior, files) | {"errors": numbers})
        return
    show_table(Console(highlight=False), error_rows(errors))
    if posterior is not None:
        typer.echo(_state_width(posterior))
    typer.echo(f"ended after {len(report.losses)} iterations, {report.seconds:.0f} s: {report.reason}")
    typer.echo("wrote " + ", ".join(str(path) for path in files))


def _fit_numbers(
    report: FitReport, posterior: LinearPosterior | None, files: Sequence[Path]
) -> dict[str, object]:
    """Return a fit's numbers for machines."""
    width = None
    if posterior is not None:
        width = {"scale": posterior.scale, "coverage": _number(posterior.coverage)}
    return {
        "files": [str(path) for path in files],
        "loss": report.loss,
        "losses": list(report.losses),
        "validation_losses": list(report.validation_losses),
        "condition_number": report.condition_number,
        "posterior": width,
        "wall_time [s]": report.seconds,
        "ended": report.reason,
    }


def _state_width(posterior: LinearPosterior) -> str:
    """Say how far a posterior was widened, or that it was not."""
    if math.isnan(posterior.coverage):
        return "posterior not calibrated, as a rule many times too narrow; give --held-out structures"
    return (
        f"posterior widened {posterior.scale:.3g} times; {posterior.coverage:.0%} of held-out energies "
        "inside its 90 % band"
    )


def evaluate_files(
    potential: Path, frames: Path, *, species: Species, out: Path | None, plot: Path | None, as_json: bool
) -> None:
    """Compare a potential with labels; write its predictions and a parity plot on request.

    Raises
    ------
    InputError
        If a file cannot be read, or there is neither a label to compare with nor a file to write.
    """
    loaded = load_potential(potential, species)
    structures = read_frames(frames, species or loaded.species)
    if out is not None:
        write_frames(out, _predicted(loaded, structures), loaded.species)
    labelled = [atoms for atoms in structures if _is_labelled(atoms)]
    if not labelled and out is None:
        raise InputError(
            f"{frames}: no structure has energy and forces to compare with; label them, or write "
            "predictions with --out FILE"
        )
    errors = {frames.name: evaluate_errors(loaded, labelled)} if labelled else {}
    if plot is not None and errors:
        draw_parity(errors[frames.name], plot)
    if as_json:
        numbers = {name: error_numbers(found) for name, found in errors.items()}
        _print_json({"structures": len(structures), "labelled": len(labelled), "errors": numbers})
        return
    if errors:
        show_table(Console(highlight=False), error_rows(errors))
    if out is not None:
        typer.echo(f"wrote {len(structures)} predictions to {out}")


def grade_files(
    potential: Path, frames: Path, training: Path | None, *, species: Species, as_json: bool
) -> None:
    """Print the extrapolation grade of every structure."""
    loaded = load_potential(potential, species)
    structures = read_frames(frames, species or loaded.species)
    active = _active_set(potential, loaded, training)
    grades = [float(grade) for grade in extrapolation_grades(loaded, active, structures)]
    if as_json:
        _print_json({"grades": grades})
        return
    for index, grade in enumerate(grades):
        typer.echo(f"{index}\t{grade:.4g}")


def check_calculator(
    calculator: str, frames: Path, *, species: Species, tolerance: float, as_json: bool
) -> bool:
    """Show how far a calculator is from each rule that potentials obey; return whether it obeys all.

    Raises
    ------
    InputError
        If the potential or the structure cannot be used.
    """
    make = _maker(calculator, species)
    checks = check_conformance(make, read_frames(frames, species)[0], tolerance=tolerance)
    passed = all(check.passed for check in checks)
    if as_json:
        found = [
            {"rule": c.rule, "deviation": _number(c.deviation), "passed": c.passed, "problem": c.problem}
            for c in checks
        ]
        _print_json({"tolerance": tolerance, "passed": passed, "checks": found})
        return passed
    rows = tuple(
        (c.rule, c.problem or f"{c.deviation:.1e}", "obeyed" if c.passed else "NOT OBEYED") for c in checks
    )
    show_table(Console(highlight=False), Rows(("rule", "relative deviation", f"at {tolerance:.0e}"), rows))
    return passed


def _maker(calculator: str, species: Species) -> Callable[[], Any]:
    """Return what builds the calculator of a file or of ``module:Class``."""
    if Path(calculator).suffix in POTENTIAL_SUFFIXES:
        loaded = load_potential(Path(calculator), species)
        return lambda: MTPCalculator(loaded)
    return CalculatorSpec(calculator).build


def select_files(
    potential: Path,
    candidates: Path,
    training: Path | None,
    *,
    out: Path,
    threshold: float,
    limit: int | None,
    species: Species,
    as_json: bool,
) -> None:
    """Write the candidates that are worth a label."""
    loaded = load_potential(potential, species)
    known = species or loaded.species
    structures = read_frames(candidates, known)
    active = _active_set(potential, loaded, training)
    chosen = select(loaded, active, structures, threshold=threshold, limit=limit)
    if chosen:
        write_frames(out, [structures[index] for index in chosen], known)
    if as_json:
        _print_json({"selected": [int(index) for index in chosen], "candidates": len(structures)})
        return
    where = f"in {out}" if chosen else "(no file written)"
    typer.echo(f"selected {len(chosen)} of {len(structures)} candidates {where}")


def _active_set(path: Path, potential: MomentTensorPotential, training: Path | None) -> ActiveSet:
    """Return the active set of the training structures, or that in the potential's file."""
    if training is not None:
        return ActiveSet.from_frames(potential, read_frames(training, potential.species))
    try:
        return ActiveSet.load(path, species=potential.species)[0]
    except FormatError as error:
        raise InputError(f"{error}, or name the training structures with --training") from None


def convert_file(source: Path, target: Path, *, training: Path | None, species: Species) -> None:
    """Convert a potential (.mtp, .almtp) or a structure file (.cfg, extended XYZ).

    Raises
    ------
    InputError
        If one is a potential and the other is not, or a selection state is asked for in anything but .almtp.
    """
    if training is not None and target.suffix != ".almtp":
        raise InputError(f"{target}: a selection state goes with a potential in .almtp only; name it so")
    kinds = [path.suffix in POTENTIAL_SUFFIXES for path in (source, target)]
    if kinds[0] != kinds[1]:
        raise InputError(
            f"{source} → {target}: a potential ({', '.join(POTENTIAL_SUFFIXES)}) and a structure file cannot "
            "become each other; give two files of one kind"
        )
    if kinds[0]:
        loaded = load_potential(source, species)
        if training is None:
            loaded.save(target)
        else:
            frames = read_frames(training, loaded.species)
            ActiveSet.from_frames(loaded, frames, kind="shared").save(target, loaded)
        typer.echo(f"wrote {target}")
        return
    frames = read_frames(source, species)
    known = species or sorted({symbol for atoms in frames for symbol in atoms.symbols})
    write_frames(target, frames, known)
    numbers = f", elements by number: {','.join(known)}" if target.suffix == ".cfg" else ""
    typer.echo(f"wrote {len(frames)} structures to {target}{numbers}")


def load_potential(path: Path, species: Species) -> MomentTensorPotential:
    """Read a potential; ``species`` serve files that do not name their elements."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a potential (.mtp or .almtp)")
    return MomentTensorPotential.load(path, species=tuple(species) if species else None)


def draw_parity(errors: ErrorReport, path: Path) -> None:
    """Write a parity plot, see `_write_figure`."""
    from scalebridge import plotting  # noqa: PLC0415  # brings matplotlib

    _write_figure("--plot", path, lambda: plotting.plot_evaluation(errors))


def _draw_fit(report: FitReport, path: Path) -> None:
    from scalebridge import plotting  # noqa: PLC0415  # brings matplotlib

    _write_figure(
        "--learning-curve", path, lambda: plotting.plot_fit(report.losses, report.validation_losses)
    )


def _write_figure(option: str, path: Path, draw: Callable[[], Any]) -> None:
    """Write a figure, SVG or PNG by the file's name.

    Raises
    ------
    InputError
        If the name says neither.
    StoreError
        If the file cannot be written.
    """
    from scalebridge import plotting  # noqa: PLC0415  # brings matplotlib

    formats = {".svg": plotting.to_svg, ".png": plotting.to_png}
    if path.suffix not in formats:
        raise InputError(f"{option} {path}: a figure ends in {' or '.join(formats)}; name it so")
    try:
        path.write_bytes(formats[path.suffix](draw()))
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror}); choose another file") from None


def error_numbers(errors: ErrorReport) -> dict[str, float | None]:
    """Return the errors under keys with their units; None where there was nothing to compare."""
    numbers = {
        "energy_rmse [eV/atom]": errors.energy_rmse,
        "energy_mae [eV/atom]": errors.energy_mae,
        "force_rmse [eV/Å]": errors.force_rmse,
        "force_mae [eV/Å]": errors.force_mae,
        "stress_rmse [eV/Å³]": errors.stress_rmse,
    }
    by_species = {
        f"force_rmse_{symbol} [eV/Å]": value for symbol, value in errors.force_rmse_by_species.items()
    }
    return {key: None if math.isnan(value) else value for key, value in (numbers | by_species).items()}


def error_rows(errors: dict[str, ErrorReport]) -> Rows:
    """Return a table of errors in the units of the field."""
    header = (
        "structures", "energy RMSE (meV/atom)", "energy MAE", "force RMSE (eV/Å)", "force MAE",
        "stress RMSE (GPa)",
    )  # fmt: skip
    rows = tuple(
        (
            f"{name} ({len(found.reference_energies)})",
            f"{1e3 * found.energy_rmse:.3g}",
            f"{1e3 * found.energy_mae:.3g}",
            f"{found.force_rmse:.3g}",
            f"{found.force_mae:.3g}",
            "" if math.isnan(found.stress_rmse) else f"{GIGAPASCAL * found.stress_rmse:.3g}",
        )
        for name, found in errors.items()
    )
    by_species = list(errors.values())[-1].force_rmse_by_species
    shares = ", ".join(f"{symbol} {value:.3g}" for symbol, value in by_species.items())
    last = (
        f" Force RMSE on {list(errors)[-1]} structures by element: {shares}." if len(by_species) > 1 else ""
    )
    return Rows(header, rows, f"Forces per Cartesian component.{last}")


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


@contextmanager
def _resumable(part: Path) -> Iterator[None]:
    """Say how a fit that is stopped goes on, where it left something to go on from."""
    try:
        yield
    except KeyboardInterrupt:
        if not part.is_file():
            raise
        typer.secho(f"stopped; go on from the best so far with --start {part}", fg="yellow", err=True)
        raise typer.Exit(INTERRUPTED) from None


def _save_members(out: Path, members: Sequence[MomentTensorPotential]) -> list[Path]:
    """Save member n beside the best estimate as ``NAME_member_n``."""
    names = [out.with_stem(f"{out.stem}_member_{n}") for n in range(1, len(members) + 1)]
    for path, potential in zip(names, members, strict=True):
        potential.save(path)
    return names


def _predicted(potential: MomentTensorPotential, frames: list[Atoms]) -> list[Atoms]:
    predicted = []
    for atoms in frames:
        found = potential.compute(atoms)
        copy = atoms.copy()
        stress = full_3x3_to_voigt_6_stress(found.stress) if copy.pbc.all() else None
        copy.calc = SinglePointCalculator(copy, energy=found.energy, forces=found.forces, stress=stress)
        predicted.append(copy)
    return predicted


def _is_labelled(atoms: Atoms) -> bool:
    results = getattr(atoms.calc, "results", None) or {}
    return {"energy", "forces"} <= set(results)


def _print_json(content: Any) -> None:
    typer.echo(json.dumps(content, indent=1, ensure_ascii=False))
