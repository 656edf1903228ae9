"""``scalebridge run``: climb the ladder, write the report, show what came out."""

from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape

from scalebridge.cli.bars import RunBars
from scalebridge.cli.durations import duration
from scalebridge.cli.tables import show_table
from scalebridge.contracts import Host, Provenance, RateCapability
from scalebridge.materials import load_design, load_host
from scalebridge.pipeline import (
    LADDER,
    Recipe,
    RunFolder,
    RunResult,
    check_recipe,
    design_path,
    load_recipe,
    parse_executor,
    recipe_path,
    run_stages,
)

NOT_SOUND: Final = 2


def run_recipe(
    recipe: str,
    out: Path | None,
    *,
    until: str | None = None,
    executor: str = "processes",
    profile: str | None = None,
    seed: int | None = None,
) -> int:
    """Run a recipe and return the exit code: 0 if every stage is sound, else 2.

    Raises
    ------
    ScalebridgeError
        If the recipe, the folder or a stage fails.
    """
    console = Console(highlight=False)
    path = recipe_path(recipe)
    chosen = load_recipe(path, profile=profile, seed=seed)
    _check(chosen)
    folder = out or _default_folder(path, chosen)
    console.print(f"{escape(chosen.host.name)}, profile {escape(chosen.profile)}, in {escape(str(folder))}")
    workers = parse_executor(executor)
    try:
        with RunBars(console) as bars:
            result = run_stages(chosen, folder, LADDER, until=until, executor=workers, monitor=bars)
    finally:
        workers.close()
    return _conclude(console, result, complete=len(result.manifests) == len(LADDER))


def _check(recipe: Recipe) -> None:
    unmade = Provenance(code_version="", recipe_hash="")
    design = design_path(recipe.electrode.design, recipe.host.name)
    host = load_host(recipe.host.name, unmade, structures=recipe.host.structures)
    check_recipe(recipe, host, load_design(design, unmade))


def _default_folder(path: Path, recipe: Recipe) -> Path:
    if RunFolder(path.parent).lock_file.exists():  # a run folder's own recipe: go on there
        return path.parent
    variant = path.stem.removeprefix("recipe") if path.stem.startswith("recipe-") else ""
    return Path("runs") / f"{Path(recipe.host.name).name}{variant}-{recipe.profile}"


def _conclude(console: Console, result: RunResult, *, complete: bool) -> int:
    spent = sum(result.manifests[name].wall_time for name in result.computed)
    console.print(f"{len(result.computed)} of {len(result.manifests)} stages computed in {duration(spent)}")
    for text in _warnings(result.folder) if complete else result.warnings:
        console.print(f"[yellow]warning[/yellow] {escape(text)}")
    for text in result.unsound:
        console.print(f"[red]not sound[/red] {escape(text)}")
    if complete:
        from scalebridge.report import write_report  # noqa: PLC0415  # brings matplotlib

        report = write_report(result.folder)
        show_rates(console, result.folder)
        console.print(f"report: {escape(str(report))}", soft_wrap=True)
    return 0 if result.sound else NOT_SOUND


def _warnings(folder: Path) -> list[str]:
    """Return what the report warns of: the stages' warnings and what the numbers say."""
    from scalebridge.report import collect_warnings, read_run_folder  # noqa: PLC0415  # brings matplotlib

    return [
        f"{item.place}: {item.text}" for item in collect_warnings(read_run_folder(folder)) if not item.grave
    ]


def show_rates(console: Console, folder: Path) -> None:
    """Print capacity and mean voltage at each rate, best estimate ± spread over members."""
    from scalebridge.report import headline_table  # noqa: PLC0415  # brings matplotlib

    electrode = folder / "electrode" / "rate_capability.json"
    host = Host.load(folder / "host" / "host.json")
    show_table(console, headline_table(RateCapability.load(electrode), host))
