"""The commands of ``scalebridge potential`` and their help."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from scalebridge.cli.options import Json

potential_app = typer.Typer(
    no_args_is_help=True,
    help="Moment tensor potentials on structure files: extended XYZ, or MLIP's .cfg with --species.",
)

Potential = Annotated[Path, typer.Argument(help="A potential: .mtp or .almtp.", show_default=False)]
Training = Annotated[
    Path | None,
    typer.Option(help="The structures the potential was fitted to; not needed if an .almtp knows them."),
]
Species = Annotated[
    str | None,
    typer.Option(help="Elements by number, for MLIP's files: Na,Mn,Fe,C,N.", show_default=False),
]


Plot = Annotated[Path | None, typer.Option(help="Write a parity plot: .svg or .png.", show_default=False)]


def _symbols(species: str | None) -> tuple[str, ...] | None:
    from scalebridge.cli.structure_files import parse_species  # noqa: PLC0415  # brings ASE

    return parse_species(species)


class Committee(StrEnum):
    """How members beside the best estimate are made."""

    bootstrap = "bootstrap"
    posterior = "posterior"


@potential_app.command()
def fit(
    training: Annotated[Path, typer.Argument(help="Labelled structures.", show_default=False)],
    out: Annotated[Path, typer.Argument(help="The potential to write: .mtp or .almtp.", show_default=False)],
    *,
    level: Annotated[
        int | None, typer.Option(min=2, help="Level of the basis, even.", show_default="12")
    ] = None,
    cutoff: Annotated[
        float | None, typer.Option(help="Range of the neighbourhood [Å].", show_default="5")
    ] = None,
    species: Species = None,
    held_out: Annotated[
        Path | None, typer.Option(help="Structures kept out of the fit, to measure errors on.")
    ] = None,
    validation: Annotated[
        Path | None, typer.Option(help="Structures kept out of the fit, to end it before it overfits.")
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            help="Fit the labels minus this ASE calculator, module:Class: a correction of it.",
            show_default=False,
        ),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(help="A potential to start from: it fixes level, cutoff and radial functions."),
    ] = None,
    toward_start: Annotated[
        bool, typer.Option("--toward-start", help="Let --ridge draw the coefficients to those of --start.")
    ] = False,
    starts: Annotated[
        int | None,
        typer.Option(min=1, help="Random starting points to try; the best goes on.", show_default="1"),
    ] = None,
    members: Annotated[int, typer.Option(min=0, help="Committee members to make beside it.")] = 0,
    committee: Annotated[
        Committee, typer.Option(help="How: refitted to resampled labels, or drawn to fit held-out errors.")
    ] = Committee.bootstrap,
    iterations: Annotated[int, typer.Option(min=0, help="Largest number of iterations.")] = 200,
    radial_size: Annotated[
        int | None,
        typer.Option(min=2, help="Polynomials per radial function.", show_default="8"),
    ] = None,
    radial_rank: Annotated[
        int | None,
        typer.Option(min=1, help="Radial shapes that all pairs of species share; default: own functions."),
    ] = None,
    repulsion: Annotated[
        bool, typer.Option("--repulsion", help="Let pairs closer than any label repel as screened nuclei.")
    ] = False,
    ridge: Annotated[
        float, typer.Option(help="Tikhonov term, relative to the squared column norms of the data.")
    ] = 1e-10,
    energy_weight: Annotated[float, typer.Option(min=0, help="Of energies in the loss.")] = 1.0,
    force_weight: Annotated[float, typer.Option(min=0, help="Of forces in the loss.")] = 0.01,
    stress_weight: Annotated[float, typer.Option(min=0, help="Of stresses in the loss.")] = 0.001,
    seed: Annotated[int, typer.Option(min=0, help="Of the first radial coefficients and the committee.")] = 0,
    plot: Plot = None,
    learning_curve: Annotated[
        Path | None, typer.Option(help="Write the loss against iterations: .svg or .png.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Fit a potential to labelled structures.

    Example: scalebridge potential fit train.extxyz pot.mtp --level 12 --held-out test.extxyz --members 4

    Few new labels for a potential that is good already:
    scalebridge potential fit new.extxyz out.mtp --start pot.mtp --toward-start --ridge 0.01

    A correction of CHGNet towards density-functional labels, for [oracle] correction in a recipe:
    scalebridge potential fit dft.extxyz out.mtp --baseline scalebridge.oracle.chgnet:CHGNet03 --level 8
    """
    from scalebridge.cli.potential_fit import FitJob, Form, fit_files  # noqa: PLC0415
    from scalebridge.potential import FitSettings, FitWeights  # noqa: PLC0415

    settings = FitSettings(
        max_iterations=iterations,
        radial_rank=radial_rank,
        repulsion=repulsion,
        ridge=ridge,
        weights=FitWeights(energy_weight, force_weight, stress_weight),
        toward_start=toward_start,
    )
    job = FitJob(
        training=training,
        out=out,
        form=Form(level=level, cutoff=cutoff, starts=starts, radial_size=radial_size),
        species=_symbols(species),
        held_out=held_out,
        validation=validation,
        baseline=baseline,
        start=start,
        members=members,
        committee=committee.value,
        settings=settings,
        seed=seed,
        plot=plot,
        learning_curve=learning_curve,
        as_json=as_json,
    )
    fit_files(job)


@potential_app.command()
def evaluate(
    potential: Potential,
    frames: Annotated[Path, typer.Argument(help="Structures.", show_default=False)],
    *,
    species: Species = None,
    out: Annotated[Path | None, typer.Option(help="Write structures with predicted labels.")] = None,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Compare a potential with labels, or predict them.

    Example: scalebridge potential evaluate pot.mtp test.extxyz --json
    """
    from scalebridge.cli.potential import evaluate_files  # noqa: PLC0415

    evaluate_files(potential, frames, species=_symbols(species), out=out, plot=plot, as_json=as_json)


@potential_app.command()
def grade(
    potential: Potential,
    frames: Annotated[Path, typer.Argument(help="Structures to grade.", show_default=False)],
    *,
    training: Training = None,
    species: Species = None,
    as_json: Json = False,
) -> None:
    """Print how far each structure lies outside the training data: above 2 label it, above 10 distrust it.

    Example: scalebridge potential grade pot.mtp trajectory.extxyz --training train.extxyz
    """
    from scalebridge.cli.potential import grade_files  # noqa: PLC0415

    grade_files(potential, frames, training, species=_symbols(species), as_json=as_json)


@potential_app.command()
def check(
    calculator: Annotated[
        str,
        typer.Argument(help="A potential's file, or any ASE calculator, module:Class.", show_default=False),
    ],
    frames: Annotated[
        Path, typer.Argument(help="A periodic structure; the first counts.", show_default=False)
    ],
    *,
    species: Species = None,
    tolerance: Annotated[
        float, typer.Option(help="Largest relative deviation; single precision: 1e-2.")
    ] = 1e-6,
    as_json: Json = False,
) -> None:
    """Check what every potential must obey: invariances, derivatives, additivity; exit code 1 if it does not.

    Example: scalebridge potential check pot.mtp cell.extxyz

    A calculator of your own: scalebridge potential check ase.calculators.emt:EMT copper.xyz
    """
    from scalebridge.cli.potential import check_calculator  # noqa: PLC0415

    passed = check_calculator(
        calculator, frames, species=_symbols(species), tolerance=tolerance, as_json=as_json
    )
    raise typer.Exit(0 if passed else 1)


@potential_app.command()
def select(
    potential: Potential,
    candidates: Annotated[Path, typer.Argument(help="Structures to choose from.", show_default=False)],
    out: Annotated[Path, typer.Argument(help="Where to write the chosen ones.", show_default=False)],
    *,
    training: Training = None,
    threshold: Annotated[float, typer.Option(min=1, help="Larger takes fewer.")] = 1.1,
    limit: Annotated[int | None, typer.Option(min=1, help="At most this many.")] = None,
    species: Species = None,
    as_json: Json = False,
) -> None:
    """Choose the structures that are worth a label.

    Example: scalebridge potential select pot.mtp md.extxyz chosen.extxyz --training train.extxyz --limit 50
    """
    from scalebridge.cli.potential import select_files  # noqa: PLC0415

    select_files(
        potential,
        candidates,
        training,
        out=out,
        threshold=threshold,
        limit=limit,
        species=_symbols(species),
        as_json=as_json,
    )


@potential_app.command()
def convert(
    source: Annotated[Path, typer.Argument(help=".mtp, .almtp, .cfg or extended XYZ.", show_default=False)],
    target: Annotated[Path, typer.Argument(help="The same kind in another format.", show_default=False)],
    *,
    training: Annotated[
        Path | None,
        typer.Option(
            help="Training structures: adds the selection state for MLIP-3 and LAMMPS to an .almtp."
        ),
    ] = None,
    species: Species = None,
) -> None:
    """Convert a potential or a structure file.

    Example: scalebridge potential convert train.extxyz train.cfg --species Na,Mn,Fe,C,N

    For MLIP-3's and LAMMPS's grades: scalebridge potential convert pot.mtp pot.almtp --training train.extxyz
    """
    from scalebridge.cli.potential import convert_file  # noqa: PLC0415

    convert_file(source, target, training=training, species=_symbols(species))
