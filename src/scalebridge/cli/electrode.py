"""``scalebridge electrode``: an electrode from a material card alone."""

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape

from scalebridge.cli.bars import TaskBars
from scalebridge.cli.tables import show_table
from scalebridge.contracts import ElectrodeDesign, MaterialCard, Provenance
from scalebridge.electrode import rate_capability
from scalebridge.foundation import InputError
from scalebridge.materials import load_design
from scalebridge.pipeline import Executor, code_version, merge_members, parse_executor


def discharge(
    card_path: Path, design: str, rates: str, *, shells: int | None, executor: str, as_json: bool
) -> None:
    """Discharge every member at every rate; print its remarks and a table, or the contract as JSON.

    Raises
    ------
    InputError
        If a file or a rate cannot be read.
    """
    c_rates = parse_rates(rates)
    card = MaterialCard.load(card_path)
    loaded = read_design(design)
    parents = {"material_card": card.content_hash, "electrode_design": loaded.content_hash}
    provenance = Provenance(
        code_version=code_version(), recipe_hash=card.provenance.recipe_hash, parents=parents
    )
    workers = parse_executor(executor)
    try:
        # the solver's library talks on stdout, which is the table's or the JSON's
        with TaskBars(Console(stderr=True)) as bars, contextlib.redirect_stdout(sys.stderr):
            summary, _ = rate_capability(
                card,
                loaded,
                c_rates,
                provenance=provenance,
                map=_in_order(workers),
                shells=shells,
                progress=bars,
            )
    finally:
        workers.close()
    if as_json:
        typer.echo(summary.model_dump_json(indent=1))
        return
    from scalebridge.report import headline_table  # noqa: PLC0415  # brings matplotlib

    console = Console(highlight=False)
    for text in merge_members(summary.validity.remarks):
        console.print(f"[yellow]warning[/yellow] {escape(text)}")
    show_table(console, headline_table(summary, card.host))


def parse_rates(text: str) -> tuple[float, ...]:
    """Return the C-rates of ``0.1,1,5``, ascending.

    Raises
    ------
    InputError
        If one is no positive number.
    """
    try:
        rates = sorted(float(word) for word in text.split(","))
    except ValueError:
        raise InputError(f"--rates {text}: not numbers; write them like 0.1,1,5") from None
    if not 0 < rates[0] <= rates[-1] < float("inf"):
        raise InputError(f"--rates {text}: C-rates must be positive; write them like 0.1,1,5")
    return tuple(rates)


def read_design(design: str) -> ElectrodeDesign:
    """Read a design: JSON as a run leaves it, TOML as people write it, or a bundled host's by name."""
    if design.endswith(".json"):
        return ElectrodeDesign.load(Path(design))
    return load_design(design, Provenance(code_version=code_version(), recipe_hash=""))


def _in_order(executor: Executor) -> Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]:
    """Return a ``map`` that runs on ``executor`` and yields results in the order of the items."""

    def ordered(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        waiting: dict[int, Any] = {}
        following = 0
        for outcome in executor.outcomes(function, list(items)):
            waiting[outcome.index] = outcome.result
            while following in waiting:
                yield waiting.pop(following)
                following += 1

    return ordered
