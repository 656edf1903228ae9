"""What ``scalebridge potential …`` does, the fit aside."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import typer
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.stress import full_3x3_to_voigt_6_stress
from rich.console import Console

from scalebridge.cli.potential_output import check_figure, draw_parity, error_numbers, error_rows, print_json
from scalebridge.cli.structure_files import (
    POTENTIAL_SUFFIXES,
    check_target,
    load_potential,
    read_frames,
    write_frames,
)
from scalebridge.cli.tables import Rows, show_table
from scalebridge.foundation import FormatError, InputError
from scalebridge.oracle import CalculatorSpec
from scalebridge.potential import (
    ActiveSet,
    MomentTensorPotential,
    MTPCalculator,
    check_conformance,
    evaluate_errors,
    extrapolation_grades,
    select,
)

Species = Sequence[str] | None


def evaluate_files(
    potential: Path, frames: Path, *, species: Species, out: Path | None, plot: Path | None, as_json: bool
) -> None:
    """Compare a potential with labels; write its predictions and a parity plot on request.

    Raises
    ------
    InputError
        If a file cannot be read, or there is neither a label to compare with nor a file to write.
    """
    check_figure("--plot", plot)
    if out is not None:
        check_target(out)
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
        print_json({"structures": len(structures), "labelled": len(labelled), "errors": numbers})
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
        print_json({"grades": grades})
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
            {"rule": c.rule, "deviation": c.deviation, "passed": c.passed, "problem": c.problem}
            for c in checks
        ]
        print_json({"tolerance": tolerance, "passed": passed, "checks": found})
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
    check_target(out)
    loaded = load_potential(potential, species)
    known = species or loaded.species
    structures = read_frames(candidates, known)
    active = _active_set(potential, loaded, training)
    chosen = select(loaded, active, structures, threshold=threshold, limit=limit)
    if chosen:
        write_frames(out, [structures[index] for index in chosen], known)
    if as_json:
        print_json({"selected": [int(index) for index in chosen], "candidates": len(structures)})
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
        typer.echo(f"wrote {target}{_convert_potential(source, target, training, species)}")
        return
    frames = read_frames(source, species)
    known = species or sorted({symbol for atoms in frames for symbol in atoms.symbols})
    write_frames(target, frames, known)
    numbers = f", elements by number: {','.join(known)}" if target.suffix == ".cfg" else ""
    typer.echo(f"wrote {len(frames)} structures to {target}{numbers}")


def _convert_potential(source: Path, target: Path, training: Path | None, species: Species) -> str:
    """Convert a potential with its selection state, if any; return what became of that."""
    loaded = load_potential(source, species)
    if training is not None:
        frames = read_frames(training, loaded.species)
        ActiveSet.from_frames(loaded, frames, kind="shared").save(target, loaded)
        return " with a selection state for MLIP-3 and LAMMPS"
    if not ActiveSet.is_in(source):
        loaded.save(target)
        return ""
    if target.suffix != ".almtp":
        loaded.save(target)
        return f" without the selection state of {source}, which goes in .almtp only"
    active, loaded = ActiveSet.load(source, species=loaded.species)
    active.save(target, loaded)
    return f" with the selection state of {source} (kind {active.kind})"


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
