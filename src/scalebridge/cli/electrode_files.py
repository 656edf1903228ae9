"""Files that ``scalebridge electrode`` leaves: figures, NetCDF, animations."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from scalebridge.cli.bars import TaskBars
from scalebridge.cli.electrode_request import Request
from scalebridge.contracts import RateCapability, Solution
from scalebridge.electrode import write_netcdf
from scalebridge.foundation import InputError, optional_package

FRAMES = 80
"""Of an animation."""


def prepare(request: Request) -> None:
    """Make the folders and check the names of all files, before minutes of work.

    Raises
    ------
    InputError
        If a folder cannot be made, or an animation's name not be used.
    MissingDependencyError
        If xarray is wanted and not installed.
    """
    for folder, option in ((request.plots, "--plots"), (request.netcdf, "--netcdf")):
        if folder is None:
            continue
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"{folder}: cannot be written ({error.strerror}); give another {option} folder"
            ) from error
    if request.netcdf is not None:
        optional_package("xarray", "NetCDF files")
    if request.animation is not None:
        from scalebridge.plotting import check_animation_path  # noqa: PLC0415  # brings matplotlib

        check_animation_path(request.animation)


def draw(folder: Path, figures: Mapping[str, Any]) -> None:
    """Write figures as PNG and say where they are.

    Raises
    ------
    InputError
        If a file cannot be written.
    """
    from scalebridge.plotting import to_png  # noqa: PLC0415  # brings matplotlib

    try:
        for name, figure in figures.items():
            (folder / f"{name}.png").write_bytes(to_png(figure))
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written ({error.strerror}); give another --plots folder"
        ) from error
    _tell("figures", [folder / f"{name}.png" for name in figures])


def store(folder: Path, results: Mapping[str, Solution | RateCapability]) -> None:
    """Write results as NetCDF and say where they are.

    Raises
    ------
    InputError
        If a file cannot be written.
    MissingDependencyError
        If xarray is not installed.
    """
    _tell("NetCDF", [write_netcdf(result, folder / f"{name}.nc") for name, result in results.items()])


def animate(path: Path, solution: Solution) -> None:
    """Write a discharge or a protocol in motion and say where it is.

    Raises
    ------
    InputError
        If the solver failed in it, or the file cannot be written.
    """
    from scalebridge.plotting import write_animation  # noqa: PLC0415  # brings matplotlib

    if not solution.finished:
        raise InputError(
            f"{path}: nothing to show, {solution.status}; choose another member, rate or protocol"
        )
    with TaskBars(Console(stderr=True)) as bars:
        write_animation(solution, path, progress=bars)
    _tell("animation", [path])


def _tell(what: str, paths: list[Path]) -> None:
    typer.echo(f"{what}: {', '.join(map(str, paths))}", err=True)
