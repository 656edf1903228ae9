"""The commands, their options and their help; what they do is imported when they are called."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from scalebridge.cli.failures import Debugging, fail, is_usage
from scalebridge.cli.options import Executor, Folder, Json
from scalebridge.cli.potential_app import potential_app

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class _Group(TyperGroup):
    """Turns errors of the project into one line; shows the rest only with --debug."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, Exception) as error:
            if is_usage(error):
                raise
            raise typer.Exit(fail(error)) from None


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="From a crystal structure to the rate capability of an insertion electrode.\n\n"
    "[bold]Begin[/bold] with: scalebridge init study --host mnhcf, then scalebridge run study/recipe.toml",
)
app.add_typer(potential_app, name="potential")


def main() -> None:
    """Entry point: one thread per process unless the user says otherwise, then the command."""
    for name in THREAD_VARIABLES:  # several processes share the cores; more threads slow each other down
        os.environ.setdefault(name, "1")
    try:
        app()
    except KeyboardInterrupt as error:
        sys.exit(fail(error))


def _version(show: bool) -> None:
    if show:
        from importlib.metadata import version  # noqa: PLC0415  # only where it is used

        typer.echo(version("scalebridge"))
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show full tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    Debugging.enabled = debug


@app.command()
def doctor() -> None:
    """Say what is installed, and what each missing part would add.

    Example: scalebridge doctor
    """
    from scalebridge.cli.doctor import examine  # noqa: PLC0415

    raise typer.Exit(examine())


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to make.", show_default=False)],
    host: Annotated[str, typer.Option(help="A bundled recipe: mnhcf, mnhcf-chgnet or lfp.")] = "mnhcf",
) -> None:
    """Write a recipe and an electrode design to edit.

    Example: scalebridge init study --host lfp
    """
    from scalebridge.cli.init import write_study  # noqa: PLC0415

    write_study(folder, host)


@app.command()
def run(
    recipe: Annotated[
        str,
        typer.Argument(help="A recipe file, a run folder, or a bundled recipe: mnhcf, mnhcf-chgnet, lfp."),
    ],
    *,
    out: Annotated[Path | None, typer.Option(help="Run folder.", show_default="runs/HOST-PROFILE")] = None,
    until: Annotated[str | None, typer.Option(metavar="STAGE", help="Last stage to compute.")] = None,
    executor: Executor = "processes",
    profile: Annotated[str | None, typer.Option(help="A profile of the recipe: quick, standard.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Replaces the recipe's seed.")] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show full tracebacks.")] = False,
) -> None:
    """Climb from the host to the electrode. Stop it and run it again: finished work is kept.

    Exit code: 0 if every stage is sound, 2 if a stage says its results must not be trusted (the report says
    why), 1 if a stage fails, 130 if stopped.

    Examples: scalebridge run mnhcf
              scalebridge run study/recipe.toml --profile standard --out runs/paper --executor processes:8
              scalebridge run study/recipe.toml --until potential
    """
    from scalebridge.cli.run import run_recipe  # noqa: PLC0415

    Debugging.enabled = Debugging.enabled or debug
    code = run_recipe(recipe, out, until=until, executor=executor, profile=profile, seed=seed)
    raise typer.Exit(code)


@app.command()
def status(folder: Folder, as_json: Json = False) -> None:
    """Show the state of every stage of a run folder.

    Example: scalebridge status runs/mnhcf-quick
    """
    from scalebridge.cli.status import show_status  # noqa: PLC0415

    show_status(folder, as_json=as_json)


@app.command()
def report(folder: Folder) -> None:
    """Write report.html again, from the run folder alone.

    Example: scalebridge report runs/mnhcf-quick
    """
    from scalebridge.report import write_report  # noqa: PLC0415

    typer.echo(str(write_report(folder)))


@app.command()
def electrode(
    card: Annotated[Path, typer.Argument(help="A material card (card/material_card.json of a run).")],
    design: Annotated[
        str, typer.Argument(help="An electrode design (.toml, .json) or mnhcf, lfp, mnhcf-full, lfp-full.")
    ],
    *,
    rates: Annotated[str | None, typer.Option(help="C-rates, comma between.", show_default="0.1,1,5")] = None,
    sizes: Annotated[
        str | None,
        typer.Option(
            metavar="NM,NM…",
            help="Particle sizes [nm], a discharge of each, instead of the design's.",
            show_default=False,
        ),
    ] = None,
    shells: Annotated[
        int | None,
        typer.Option(
            min=5, help="Finite volumes along a particle.", show_default="from the interface's width"
        ),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(help="Steps in words, or a file of them, instead of discharges.", show_default=False),
    ] = None,
    impedance: Annotated[
        float | None,
        typer.Option(metavar="THETA", help="Impedance at rest at this site fraction.", show_default=False),
    ] = None,
    frequencies: Annotated[
        str | None,
        typer.Option(
            metavar="LOW,HIGH[,N]", help="Of the impedance [Hz], N per decade.", show_default="1e-5,1e5,5"
        ),
    ] = None,
    double_layer: Annotated[
        float | None,
        typer.Option(metavar="F/M2", help="Of the particles' surface, for the impedance.", show_default="0"),
    ] = None,
    counter_double_layer: Annotated[
        float | None,
        typer.Option(metavar="F/M2", help="Of the metal, or the anode's particles.", show_default="0"),
    ] = None,
    bpx: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the cell as BPX, run nothing.", show_default=False),
    ] = None,
    pybamm: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write PyBaMM's parameter values, run nothing.", show_default=False
        ),
    ] = None,
    member: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Committee member, where one is shown or written; not of discharges.",
            show_default="0",
        ),
    ] = None,
    plots: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for figures.", show_default=False)
    ] = None,
    netcdf: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for all results as NetCDF files.", show_default=False),
    ] = None,
    animation: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The phases of one discharge, or of the protocol, in motion (.gif, .html).",
            show_default=False,
        ),
    ] = None,
    executor: Executor = "processes",
    as_json: Json = False,
) -> None:
    """Discharge an electrode from a card alone, lead it through a protocol, take its impedance or export it.

    Examples: scalebridge electrode runs/mnhcf-quick/card/material_card.json design.toml --rates 0.1,1,5
              scalebridge electrode card.json lfp --rates 0.1,1,5 --sizes 50,100,200 --plots figures
              scalebridge electrode card.json lfp --rates 1 --plots figures --animation phases.gif
              scalebridge electrode card.json lfp --protocol "Discharge at C/5 until 3.0 V; Rest for 1 hour"
              scalebridge electrode card.json lfp --impedance 0.02 --double-layer 0.1 --plots figures
              scalebridge electrode card.json lfp --rates 0.1,1 --netcdf results
              scalebridge electrode card.json mnhcf --bpx half_cell.json --pybamm values.json
    """
    from scalebridge.cli.electrode_request import Request  # noqa: PLC0415

    request = Request(
        card=card,
        design=design,
        rates=rates,
        sizes=sizes,
        shells=shells,
        protocol=protocol,
        impedance=impedance,
        frequencies=frequencies,
        double_layer=double_layer,
        counter_double_layer=counter_double_layer,
        bpx=bpx,
        pybamm=pybamm,
        member=member,
        plots=plots,
        netcdf=netcdf,
        animation=animation,
        executor=executor,
        as_json=as_json,
    )
    from scalebridge.cli.electrode import run_electrode  # noqa: PLC0415  # loads the kernels

    run_electrode(request)
