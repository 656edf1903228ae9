"""``scalebridge status``: the state of every stage."""

import json
from pathlib import Path
from typing import Any, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from scalebridge.cli.durations import duration
from scalebridge.foundation import InputError
from scalebridge.pipeline import LADDER, RunFolder, StageState, inspect_run, load_recipe

COLOURS: Final = {
    "up to date": "green",
    "running": "cyan",
    "missing": "dim",
    "out of date": "yellow",
    "interrupted": "yellow",
    "failed": "red",
}


def show_status(path: Path, *, as_json: bool = False) -> None:
    """Print the table, or JSON.

    Raises
    ------
    InputError
        If ``path`` is no run folder.
    """
    folder = RunFolder(path)
    if not folder.recipe.is_file():
        raise InputError(f"{path}: no run folder (it holds no recipe.toml); give what 'run' got as --out")
    states = inspect_run(path, load_recipe(folder.recipe), LADDER)
    if as_json:
        typer.echo(json.dumps(_plain(folder, states), indent=1))
        return
    _print(Console(highlight=False), folder, states)


def _plain(folder: RunFolder, states: list[StageState]) -> dict[str, Any]:
    stages = {}
    for entry in states:
        manifest = entry.manifest
        stages[entry.stage.name] = {
            "state": entry.state,
            "sound": manifest.sound if manifest else None,
            "wall_time [s]": manifest.wall_time if manifest else None,
            "finished_units": entry.finished_units,
            "warnings": list(manifest.warnings) if manifest else [],
            "unsound": list(manifest.unsound) if manifest else [],
            "error": manifest.error if manifest else None,
        }
    report = str(folder.report) if folder.report.is_file() else None
    return {"run": str(folder.path), "in_use": folder.in_use(), "report": report, "stages": stages}


def _print(console: Console, folder: RunFolder, states: list[StageState]) -> None:
    table = Table(box=None, pad_edge=False)
    for title, side in (("stage", "left"), ("state", "left"), ("wall time", "right"), ("remarks", "left")):
        table.add_column(title, justify="right" if side == "right" else "left")
    for entry in states:
        colour = COLOURS[entry.state]
        spent = duration(entry.manifest.wall_time) if entry.manifest and entry.manifest.wall_time else ""
        table.add_row(entry.stage.name, f"[{colour}]{entry.state}[/{colour}]", spent, _remarks(entry))
    console.print(table)
    for entry in states:
        if entry.manifest is None:
            continue
        for text in entry.manifest.warnings:
            console.print(f"[yellow]warning[/yellow] {entry.stage.name}: {escape(text)}")
        for text in entry.manifest.unsound:
            console.print(f"[red]not sound[/red] {entry.stage.name}: {escape(text)}")
        if entry.manifest.error:
            console.print(
                f"[red]{entry.manifest.status}[/red] {entry.stage.name}: {escape(entry.manifest.error)}"
            )
    if folder.report.is_file():
        console.print(f"report: {escape(str(folder.report))}", soft_wrap=True)


def _remarks(entry: StageState) -> str:
    parts = []
    if entry.finished_units:
        parts.append(f"{entry.finished_units} units finished")
    if entry.manifest and entry.manifest.warnings:
        parts.append(f"{len(entry.manifest.warnings)} warnings")
    if entry.manifest and entry.manifest.unsound:
        parts.append("[red]not sound[/red]")
    return ", ".join(parts)
