"""``scalebridge electrode``: an electrode from a material card alone."""

import contextlib
import json
import sys
from pathlib import Path

import typer
from rich.console import Console

from scalebridge.cli.bars import TaskBars
from scalebridge.cli.electrode_discharge import discharge
from scalebridge.cli.electrode_files import FRAMES, animate, draw, prepare, store
from scalebridge.cli.electrode_inputs import read_inputs, warn
from scalebridge.cli.electrode_request import Request
from scalebridge.cli.tables import Rows, show_table
from scalebridge.electrode import (
    CellModel,
    Protocol,
    ProtocolSolution,
    impedance_solution,
    protocol_solution,
    write_bpx,
    write_pybamm,
)
from scalebridge.foundation import constants

HOUR = 3600.0
CM2 = 1e4
"""In a square metre."""
LONGEST_PATH = 255
"""Longer texts are no file names."""
CLOSED = 1e-3
"""Change of the filling up to which a protocol counts as a closed cycle."""
FORMATS = {"bpx": "BPX", "pybamm": "for pybamm.ParameterValues.from_json"}


def run_electrode(request: Request) -> None:
    """Do what was asked; print a table, or JSON for machines. Where files lie is said on stderr.

    Raises
    ------
    InputError
        If a file or a number cannot be read, or the electrode cannot do what it should.
    """
    prepare(request)
    work = {
        "discharges": discharge,
        "--protocol": _lead,
        "--impedance": _disturb,
        "--bpx or --pybamm": _export,
    }[request.kind]
    work(request)


def _lead(request: Request) -> None:
    """Lead one member through a protocol."""
    text = str(request.protocol)
    path = Path(text)
    # sentences have spaces; a path that looks like one is still found if it is there
    is_path = path.suffix in {".txt", ".protocol"} or (len(text) < LONGEST_PATH and path.is_file())
    steps = Protocol.load(path) if is_path else Protocol.parse(text)
    loaded = read_inputs(request)
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
    stopped = () if solved.finished else (solved.whole.status,)
    warn(console, (*solution.validity.remarks, *stopped))
    show_table(console, _step_table(solved, loaded.card.host.theoretical_capacity))


def _disturb(request: Request) -> None:
    """Take one member's impedance at rest."""
    frequencies = request.frequency_points
    loaded = read_inputs(request)
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
    warn(console, solution.validity.remarks)
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
    loaded = read_inputs(request)
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
    warn(console, loaded.card.validity.remarks)
    for name, path in written.items():
        typer.echo(f"wrote {title} to {path} ({FORMATS[name]})")


def _step_table(solved: ProtocolSolution, capacity: float) -> Rows:
    warm = () if solved.temperature is None else ("hottest / K",)
    header = ("step", "hours", "capacity / mAh/g", "energy / Wh/m²", "last voltage / V", *warm, "ended by")
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
                *(() if step.temperature is None else (f"{step.temperature.max():.2f}",)),
                step.solution.termination,
            )
        )
        begin = end
    caption = ""
    if solved.coulombic_efficiency == solved.coulombic_efficiency:  # something was taken up
        caption = (
            f"delivered over taken up: {solved.coulombic_efficiency:.2%} of the charge, "
            f"{solved.energy_efficiency:.2%} of the energy"
        )
        net = solved.whole.filling[-1] - solved.whole.filling[0]
        if abs(net) > CLOSED:
            caption += f"; no closed cycle: the filling ends {net:+.3f} from its start"
    return Rows(header, tuple(rows), caption)
