"""``scalebridge electrode``: an electrode from a material card alone."""

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape

from scalebridge.cli.bars import TaskBars
from scalebridge.cli.tables import Rows, show_table
from scalebridge.contracts import ElectrodeDesign, MaterialCard, Provenance
from scalebridge.electrode import (
    Protocol,
    ProtocolSolution,
    impedance_solution,
    protocol_solution,
    rate_capability,
)
from scalebridge.foundation import InputError, constants
from scalebridge.materials import load_design
from scalebridge.pipeline import Executor, code_version, merge_members, parse_executor

HOUR = 3600.0
CM2 = 1e4
"""In a square metre."""
LONGEST_PATH = 255
"""Longer texts are no file names."""


@dataclass(frozen=True)
class Output:
    """What a command leaves behind."""

    as_json: bool
    plots: Path | None
    """Folder for figures; None: none are made."""


def discharge(
    card_path: Path, design: str, rates: str, *, shells: int | None, executor: str, output: Output
) -> None:
    """Discharge every member at every rate; print its remarks and a table, or the contract as JSON.

    Raises
    ------
    InputError
        If a file or a rate cannot be read.
    """
    c_rates = parse_rates(rates)
    card, loaded, provenance = _read(card_path, design)
    workers = parse_executor(executor)
    try:
        # the solver's library talks on stdout, which is the table's or the JSON's
        with TaskBars(Console(stderr=True)) as bars, contextlib.redirect_stdout(sys.stderr):
            summary, solutions = rate_capability(
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
    if output.plots is not None:
        from scalebridge.plotting import plot_discharge, plot_phase_map, plot_rate_capability  # noqa: PLC0415

        figures = {"discharge": plot_discharge(solutions, card.host)}
        figures["rate_capability"] = plot_rate_capability(summary, card.host)
        for solution in solutions:
            if solution.member == 0 and solution.finished:
                figures[f"phases_{solution.c_rate:g}C"] = plot_phase_map(solution)
        _draw(output.plots, figures)
    if output.as_json:
        typer.echo(summary.model_dump_json(indent=1))
        return
    from scalebridge.report import headline_table  # noqa: PLC0415  # brings matplotlib

    console = Console(highlight=False)
    _warn(console, summary.validity.remarks)
    show_table(console, headline_table(summary, card.host))


def lead(
    card_path: Path, design: str, protocol: str, *, member: int, shells: int | None, output: Output
) -> None:
    """Lead one member through a protocol; print a table of its steps, or the contract as JSON.

    Raises
    ------
    InputError
        If a file or a sentence cannot be read.
    """
    path = Path(protocol)
    # sentences have spaces; a path that looks like one is still found if it is there
    is_path = path.suffix in {".txt", ".protocol"} or (len(protocol) < LONGEST_PATH and path.is_file())
    steps = Protocol.load(path) if is_path else Protocol.parse(protocol)
    card, loaded, provenance = _read(card_path, design)
    with TaskBars(Console(stderr=True)) as bars, contextlib.redirect_stdout(sys.stderr):
        solution, solved = protocol_solution(
            card, loaded, steps, member=member, provenance=provenance, shells=shells, progress=bars
        )
    if output.plots is not None:
        from scalebridge.plotting import plot_protocol  # noqa: PLC0415

        _draw(output.plots, {"protocol": plot_protocol(solution, card.host)})
    if output.as_json:
        typer.echo(solution.model_dump_json(indent=1))
        return
    console = Console(highlight=False)
    _warn(console, solution.validity.remarks)
    show_table(console, _step_table(solved, card.host.theoretical_capacity))


def disturb(
    card_path: Path, design: str, filling: float, *, member: int, shells: int | None, output: Output
) -> None:
    """Take one member's impedance at rest; print a table, or the contract as JSON.

    Raises
    ------
    InputError
        If a file cannot be read, or the electrode does not rest at that filling.
    """
    card, loaded, provenance = _read(card_path, design)
    solution = impedance_solution(card, loaded, filling, member=member, provenance=provenance, shells=shells)
    if output.as_json:
        typer.echo(solution.model_dump_json(indent=1))
        return
    console = Console(highlight=False)
    _warn(console, solution.validity.remarks)
    names = ("frequency", "impedance_real", "impedance_imaginary")
    columns = (solution.fields[name].values for name in names)
    rows = tuple(
        (f"{frequency:.4g}", f"{real * CM2:.5g}", f"{-imaginary * CM2:.5g}")
        for frequency, real, imaginary in zip(*columns, strict=True)
    )
    header = ("frequency / Hz", "Re Z / Ω cm²", "−Im Z / Ω cm²")
    show_table(console, Rows(header, rows, solution.status))


def _step_table(solved: ProtocolSolution, capacity: float) -> Rows:
    header = ("step", "hours", "capacity / mAh/g", "energy / Wh/m²", "last voltage / V", "ended by")
    rows, begin = [], 0.0
    for step in solved.steps:
        end = float(step.solution.time[-1])
        rows.append(
            (
                step.text,
                f"{(end - begin) / HOUR:.4g}",
                f"{step.capacity * capacity / constants.MAH_PER_G:.2f}",
                f"{step.energy / HOUR:.3f}",
                f"{step.solution.voltage[-1]:.4f}",
                step.ended_by,
            )
        )
        begin = end
    caption = ""
    if solved.coulombic_efficiency == solved.coulombic_efficiency:  # something was taken up
        caption = (
            f"delivered over taken up: {solved.coulombic_efficiency:.2%} of the charge, "
            f"{solved.energy_efficiency:.2%} of the energy"
        )
    return Rows(header, tuple(rows), caption)


def _read(card_path: Path, design: str) -> tuple[MaterialCard, ElectrodeDesign, Provenance]:
    card = MaterialCard.load(card_path)
    loaded = read_design(design)
    parents = {"material_card": card.content_hash, "electrode_design": loaded.content_hash}
    provenance = Provenance(
        code_version=code_version(), recipe_hash=card.provenance.recipe_hash, parents=parents
    )
    return card, loaded, provenance


def _warn(console: Console, remarks: tuple[str, ...]) -> None:
    for text in merge_members(remarks):
        console.print(f"[yellow]warning[/yellow] {escape(text)}")


def _draw(folder: Path, figures: Mapping[str, Any]) -> None:
    """Write figures as PNG and say where they are."""
    from scalebridge.plotting import to_png  # noqa: PLC0415

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, figure in figures.items():
            (folder / f"{name}.png").write_bytes(to_png(figure))
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written ({error.strerror}); give another --plots folder"
        ) from error
    typer.echo(f"figures: {', '.join(str(folder / f'{name}.png') for name in figures)}", err=True)


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
