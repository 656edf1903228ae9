"""What the commands of ``scalebridge potential`` show: tables, JSON and figures."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import typer

from scalebridge.cli.structure_files import check_target
from scalebridge.cli.tables import Rows
from scalebridge.foundation import InputError, StoreError, constants
from scalebridge.potential import ErrorReport, FitReport

GIGAPASCAL: Final = constants.EV_PER_ANGSTROM3 / 1e9
"""1 eV/Å³ [GPa]."""
FIGURE_SUFFIXES: Final = (".svg", ".png")


def draw_parity(errors: ErrorReport, path: Path) -> None:
    """Write a parity plot, see `_write_figure`."""
    from scalebridge import plotting  # noqa: PLC0415  # brings matplotlib

    _write_figure(path, lambda: plotting.plot_evaluation(errors))


def draw_fit(report: FitReport, path: Path) -> None:
    """Write the losses of a fit, see `_write_figure`."""
    from scalebridge import plotting  # noqa: PLC0415  # brings matplotlib

    _write_figure(path, lambda: plotting.plot_fit(report.losses, report.validation_losses))


def check_figure(option: str, path: Path | None) -> None:
    """Refuse a figure that could not be written, before anything is computed.

    Raises
    ------
    InputError
        If the name ends in neither .svg nor .png, or its folder does not exist.
    """
    if path is None:
        return
    if path.suffix not in FIGURE_SUFFIXES:
        raise InputError(f"{option} {path}: a figure ends in {' or '.join(FIGURE_SUFFIXES)}; name it so")
    check_target(path)


def _write_figure(path: Path, draw: Callable[[], Any]) -> None:
    """Write a figure, SVG or PNG by the file's name.

    Raises
    ------
    StoreError
        If the file cannot be written.
    """
    from scalebridge import plotting  # noqa: PLC0415  # brings matplotlib

    to_bytes = plotting.to_svg if path.suffix == ".svg" else plotting.to_png
    try:
        path.write_bytes(to_bytes(draw()))
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror}); choose another file") from None


def error_numbers(errors: ErrorReport) -> dict[str, float]:
    """Return the errors under keys with their units; NaN where there was nothing to compare."""
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
    return numbers | by_species


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


def print_json(content: Any) -> None:
    """Print JSON; numbers that are not finite, which it has none for, become null."""
    typer.echo(json.dumps(_finite(content), indent=1, ensure_ascii=False, allow_nan=False))


def _finite(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, float):
        return float(content) if math.isfinite(content) else None
    if isinstance(content, Sequence) and not isinstance(content, str):
        return [_finite(value) for value in content]
    return content
