"""``scalebridge electrode``: an electrode from a material card alone."""

import contextlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape

from scalebridge.cli.bars import TaskBars
from scalebridge.cli.electrode_files import animate, draw, prepare, store
from scalebridge.cli.electrode_request import Request
from scalebridge.cli.tables import Rows, show_table
from scalebridge.contracts import ElectrodeDesign, MaterialCard, Provenance, RateCapability, Solution
from scalebridge.electrode import (
    MAP_TIMES,
    CellModel,
    Protocol,
    ProtocolSolution,
    impedance_solution,
    protocol_solution,
    rate_capability,
    write_bpx,
    write_pybamm,
)
from scalebridge.foundation import InputError, constants
from scalebridge.materials import load_design
from scalebridge.pipeline import Executor, code_version, merge_members, parse_executor

HOUR = 3600.0
CM2 = 1e4
"""In a square metre."""
LONGEST_PATH = 255
"""Longer texts are no file names."""
FRAMES = 80
"""Of an animation."""
FORMATS = {"bpx": "BPX", "pybamm": "for pybamm.ParameterValues.from_json"}


@dataclass(frozen=True)
class _Loaded:
    """What the files hold."""

    card: MaterialCard
    design: ElectrodeDesign
    provenance: Provenance


def run_electrode(request: Request) -> None:
    """Do what was asked; print a table, or JSON for machines. Where files lie is said on stderr.

    Raises
    ------
    InputError
        If a file or a number cannot be read, or the electrode cannot do what it should.
    """
    prepare(request)
    work = {
        "discharges": _discharge,
        "--protocol": _lead,
        "--impedance": _disturb,
        "--bpx or --pybamm": _export,
    }[request.kind]
    work(request)


def _discharge(request: Request) -> None:
    """Discharge every member at every rate."""
    c_rates = request.c_rates
    loaded = _read(request)
    _check_member(loaded.card, request.chosen_member)
    workers = parse_executor(request.executor)
    try:
        # the solver's library talks on stdout, which is the table's or the JSON's
        with TaskBars(Console(stderr=True)) as bars, contextlib.redirect_stdout(sys.stderr):
            summary, solutions = rate_capability(
                loaded.card,
                loaded.design,
                c_rates,
                provenance=loaded.provenance,
                map=_in_order(workers),
                shells=request.shells,
                progress=bars,
                map_times=MAP_TIMES if request.animation is None else FRAMES,
            )
    finally:
        workers.close()
    if request.netcdf is not None:
        results: dict[str, Solution | RateCapability] = {"rate_capability": summary}
        results |= {f"discharge_m{s.member}_{s.c_rate:g}C": s for s in solutions}
        store(request.netcdf, results)
    if request.animation is not None:
        (shown,) = (s for s in solutions if s.member == request.chosen_member)
        animate(request.animation, shown)
    if request.plots is not None:
        draw(request.plots, _discharge_figures(loaded.card, summary, solutions))
    if request.as_json:
        typer.echo(summary.model_dump_json(indent=1))
        return
    from scalebridge.report import headline_table  # noqa: PLC0415  # brings matplotlib

    console = Console(highlight=False)
    _warn(console, summary.validity.remarks)
    show_table(console, headline_table(summary, loaded.card.host))


def _discharge_figures(
    card: MaterialCard, summary: RateCapability, solutions: Sequence[Solution]
) -> dict[str, Any]:
    from scalebridge.plotting import (  # noqa: PLC0415  # brings matplotlib
        plot_active_fraction,
        plot_discharge,
        plot_phase_map,
        plot_rate_capability,
    )

    figures = {"discharge": plot_discharge(solutions, card.host)}
    figures["rate_capability"] = plot_rate_capability(summary, card.host)
    best = [solution for solution in solutions if solution.member == 0 and solution.finished]
    for solution in best:
        figures[f"phases_{solution.c_rate:g}C"] = plot_phase_map(solution)
    active = [solution for solution in best if solution.fields["transformed"].values[-1] > 0]
    if len(active) > 1:
        figures["active_fraction"] = plot_active_fraction(active)
    return figures


def _check_member(card: MaterialCard, member: int) -> None:
    """Refuse a member that the card does not have, before minutes of work."""
    if member >= card.members:
        raise InputError(f"--member {member}: the card has members 0 … {card.members - 1}; choose one")


def _lead(request: Request) -> None:
    """Lead one member through a protocol."""
    text = str(request.protocol)
    path = Path(text)
    # sentences have spaces; a path that looks like one is still found if it is there
    is_path = path.suffix in {".txt", ".protocol"} or (len(text) < LONGEST_PATH and path.is_file())
    steps = Protocol.load(path) if is_path else Protocol.parse(text)
    loaded = _read(request)
    with TaskBars(Console(stderr=True)) as bars, contextlib.redirect_stdout(sys.stderr):
        solution, solved = protocol_solution(
            loaded.card,
            loaded.design,
            steps,
            member=request.chosen_member,
            provenance=loaded.provenance,
            shells=request.shells,
            map_times=None if request.animation is None else FRAMES,
            progress=bars,
        )
    if request.netcdf is not None:
        store(request.netcdf, {"protocol": solution})
    if request.animation is not None:
        animate(request.animation, solution)
    if request.plots is not None:
        from scalebridge.plotting import plot_protocol  # noqa: PLC0415

        draw(request.plots, {"protocol": plot_protocol(solution, loaded.card.host)})
    if request.as_json:
        typer.echo(solution.model_dump_json(indent=1))
        return
    console = Console(highlight=False)
    _warn(console, solution.validity.remarks)
    show_table(console, _step_table(solved, loaded.card.host.theoretical_capacity))


def _disturb(request: Request) -> None:
    """Take one member's impedance at rest."""
    frequencies = request.frequency_points
    loaded = _read(request)
    solution = impedance_solution(
        loaded.card,
        loaded.design,
        float(request.impedance or 0.0),
        frequencies,
        member=request.chosen_member,
        provenance=loaded.provenance,
        shells=request.shells,
        double_layer=request.double_layer or 0.0,
        counter_double_layer=request.counter_double_layer or 0.0,
    )
    if request.netcdf is not None:
        store(request.netcdf, {"impedance": solution})
    if request.plots is not None:
        from scalebridge.plotting import plot_impedance  # noqa: PLC0415

        draw(request.plots, {"impedance": plot_impedance(solution)})
    if request.as_json:
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


def _export(request: Request) -> None:
    """Write one member's half cell for other programs."""
    loaded = _read(request)
    cell = CellModel.from_card(
        loaded.card, loaded.design, member=request.chosen_member, shells=request.shells
    )
    title = f"{loaded.design.name}, member {request.chosen_member}"
    written = {}
    if request.bpx is not None:
        written["bpx"] = str(write_bpx(cell, request.bpx, title=title))
    if request.pybamm is not None:
        written["pybamm"] = str(write_pybamm(cell, request.pybamm))
    if request.as_json:
        typer.echo(json.dumps(written, indent=1))
        return
    console = Console(highlight=False)
    _warn(console, loaded.card.validity.remarks)
    for name, path in written.items():
        typer.echo(f"wrote {title} to {path} ({FORMATS[name]})")


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


def _read(request: Request) -> _Loaded:
    card = MaterialCard.load(request.card)
    loaded = read_design(request.design)
    parents = {"material_card": card.content_hash, "electrode_design": loaded.content_hash}
    provenance = Provenance(
        code_version=code_version(), recipe_hash=card.provenance.recipe_hash, parents=parents
    )
    return _Loaded(card, loaded, provenance)


def _warn(console: Console, remarks: tuple[str, ...]) -> None:
    for text in merge_members(remarks):
        console.print(f"[yellow]warning[/yellow] {escape(text)}")


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
