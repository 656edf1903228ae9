"""``scalebridge init``: a recipe and a design to edit."""

from pathlib import Path

import typer

from scalebridge.foundation import InputError, StoreError
from scalebridge.pipeline import bundled_recipes
from scalebridge.pipeline.locations import DESIGN_FILE, RECIPE_FILE


def write_study(folder: Path, host: str) -> None:
    """Copy a bundled recipe and its electrode design, comments and all.

    Raises
    ------
    InputError
        If the host is not bundled or a file is already there.
    StoreError
        If the folder cannot be written.
    """
    bundled = bundled_recipes()
    if host not in bundled:
        raise InputError(f"--host {host}: not bundled; choose one of {', '.join(bundled)}")
    source = bundled[host].parent
    for name in (RECIPE_FILE, DESIGN_FILE):
        if (folder / name).exists():
            raise InputError(f"{folder / name} is already there; choose another folder or remove the file")
    recipe = bundled[host].read_text(encoding="utf-8")
    recipe = recipe.replace('design = "bundled" ', f'design = "{DESIGN_FILE}"')
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RECIPE_FILE).write_text(recipe, encoding="utf-8")
        (folder / DESIGN_FILE).write_text(
            (source / DESIGN_FILE).read_text(encoding="utf-8"), encoding="utf-8"
        )
    except OSError as error:
        raise StoreError(f"{folder}: cannot be written ({error.strerror}); choose another folder") from None
    typer.echo(f"{folder / RECIPE_FILE}  what to compute, and how well")
    typer.echo(f"{folder / DESIGN_FILE}  the electrode: geometry, electrolyte, rate constant")
    typer.echo(f"Edit them, then: scalebridge run {folder / RECIPE_FILE}")
