"""Discharges of ``scalebridge electrode``: every member at every rate, with particles of every size."""

import contextlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import typer
from rich.console import Console

from scalebridge.cli.bars import TaskBars
from scalebridge.cli.electrode_files import FRAMES, animate, draw, store
from scalebridge.cli.electrode_inputs import Loaded, read_inputs, warn
from scalebridge.cli.electrode_request import NANOMETRES, Request
from scalebridge.cli.tables import Rows, show_table
from scalebridge.contracts import MaterialCard, RateCapability, Solution
from scalebridge.electrode import MAP_TIMES, size_sweep
from scalebridge.foundation import InputError
from scalebridge.pipeline import Executor, parse_executor

Found = tuple[RateCapability, tuple[Solution, ...]]


def discharge(request: Request) -> None:
    """Discharge every member at every rate; with ``--sizes``, particles of every size."""
    loaded = read_inputs(request)
    _check_member(loaded.card, request.chosen_member)
    asked = request.particle_sizes
    sizes = asked or (float(loaded.design.particles.size),)
    found = _discharged(request, loaded, sizes)
    labels = [f"{size * NANOMETRES:.12g}nm" if asked else "" for size in sizes]
    by_label = dict(zip(labels, found, strict=True))
    if request.netcdf is not None:
        results: dict[str, Solution | RateCapability] = {}
        for label, (summary, solutions) in by_label.items():
            results[_name("rate_capability", label)] = summary
            results |= {_name(f"discharge_m{s.member}_{s.c_rate:g}C", label): s for s in solutions}
        store(request.netcdf, results)
    if request.animation is not None:
        (shown,) = (s for _, solutions in found for s in solutions if s.member == request.chosen_member)
        animate(request.animation, shown)
    if request.plots is not None:
        figures = _size_figures(sizes, found) if asked else {}
        for label, (summary, solutions) in by_label.items():
            drawn = _discharge_figures(loaded.card, summary, solutions)
            figures |= {_name(name, label): figure for name, figure in drawn.items()}
        draw(request.plots, figures)
    if request.as_json:
        typer.echo(_as_json(asked, found))
    else:
        _print_table(loaded.card, by_label)


def _discharged(request: Request, loaded: Loaded, sizes: tuple[float, ...]) -> tuple[Found, ...]:
    """Return summary and solutions of every size."""
    workers = parse_executor(request.executor)
    try:
        # the solver's library talks on stdout, which is the table's or the JSON's
        with TaskBars(Console(stderr=True)) as bars, contextlib.redirect_stdout(sys.stderr):
            return size_sweep(
                loaded.card,
                loaded.design,
                sizes,
                request.c_rates,
                provenance=loaded.provenance,
                map=_in_order(workers),
                shells=request.shells,
                progress=bars,
                map_times=MAP_TIMES if request.animation is None else FRAMES,
            )
    finally:
        workers.close()


def _name(name: str, label: str) -> str:
    return f"{name}_{label}" if label else name


def _as_json(asked: tuple[float, ...] | None, found: Sequence[Found]) -> str:
    """Return the rate capability; where sizes were asked for, a list of one for each."""
    if asked is None:
        return found[0][0].model_dump_json(indent=1)
    entries = [
        {"size [m]": size, "rate_capability": json.loads(summary.model_dump_json())}
        for size, (summary, _) in zip(asked, found, strict=True)
    ]
    return json.dumps(entries, indent=1)


def _print_table(card: MaterialCard, by_label: dict[str, Found]) -> None:
    """Print a row for every rate, of all sizes one below the other."""
    from scalebridge.report import headline_table  # noqa: PLC0415  # brings matplotlib

    console = Console(highlight=False)
    warn(console, tuple(dict.fromkeys(t for s, _ in by_label.values() for t in s.validity.remarks)))
    tables = {label: headline_table(summary, card.host) for label, (summary, _) in by_label.items()}
    if "" in tables:
        show_table(console, tables[""])
        return
    rows = [(label.replace("nm", " nm"), *row) for label, table in tables.items() for row in table.rows]
    any_table = next(iter(tables.values()))
    show_table(console, Rows(("size", *any_table.header), tuple(rows), any_table.caption))


def _size_figures(sizes: tuple[float, ...], found: Sequence[Found]) -> dict[str, Any]:
    from scalebridge.plotting import plot_sizes  # noqa: PLC0415  # brings matplotlib

    return {"sizes": plot_sizes(sizes, [summary for summary, _ in found])}


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
