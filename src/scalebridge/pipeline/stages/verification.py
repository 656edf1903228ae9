"""Stage ``verification``: dynamics in cells larger than any labelled one, graded on the way."""

from collections.abc import Sequence
from itertools import product

import numpy as np

from scalebridge.contracts import Dataset, Host, PotentialCard, Validity, VerificationRun, VerificationRuns
from scalebridge.foundation import constants
from scalebridge.pipeline.stage import StageContext
from scalebridge.pipeline.stages.frames import read_frames, write_frames
from scalebridge.pipeline.stages.potential import load_graders, load_members
from scalebridge.sampling import PotentialModel, Verification, VerificationTask, starting_cells, verify

WORST = "worst.extxyz"
PICOSECOND = 1e-12
"""In seconds."""


def compute(context: StageContext) -> None:
    """Run every x and temperature with the best estimate; keep the state of the largest grade of each."""
    section = context.recipe.verification
    host = context.load("host", Host)
    card = context.load("potential", PotentialCard)
    dataset = context.load("learning", Dataset)
    grader = load_graders(context, card)[0]
    model = PotentialModel(load_members(context, card)[0])
    starts = starting_cells(host, section.repeat)
    contents = np.unique(np.linspace(0, len(starts) - 1, section.compositions).round().astype(int))
    tasks = [
        VerificationTask(
            model=model,
            grader=grader,
            start=starts[ions],
            ions=int(ions),
            temperature=temperature,
            picoseconds=section.picoseconds,
            seed=context.seed,
        )
        for ions, temperature in product(contents, section.temperatures)
    ]
    runs = context.units(
        verify, tasks, description="verification runs", key=lambda task: (task.ions, task.temperature)
    )
    labelled = read_frames(context.parent_folder("learning"), dataset.training)
    _warn(context, runs, card.break_grade)
    context.save(
        VerificationRuns(
            provenance=context.provenance(),
            validity=Validity(
                temperature=(min(section.temperatures), max(section.temperatures)),
                composition=(0.0, float(host.sites_per_formula_unit)),
            ),
            citations=("podryabinkin2017",),
            runs=tuple(_record(run, card.break_grade) for run in runs),
            largest_labelled_cell=max(len(atoms) for atoms in labelled),
            break_grade=card.break_grade,
            worst=write_frames(context.folder / WORST, [run.worst for run in runs]),
        )
    )


def _record(run: Verification, limit: float) -> VerificationRun:
    return VerificationRun(
        x=run.x,
        temperature=run.temperature,
        atoms=run.atoms,
        duration=run.picoseconds * PICOSECOND,
        largest_grade=float(run.grades.max()),
        median_grade=float(np.median(run.grades)),
        fraction_above=float(np.mean(run.grades > limit)),
        volume=float(run.volumes[len(run.volumes) // 2 :].mean()) * constants.ANGSTROM**3,
    )


def _warn(context: StageContext, runs: Sequence[Verification], limit: float) -> None:
    above = [run for run in runs if run.grades.max() > limit]
    if above:
        worst = max(above, key=lambda run: float(run.grades.max()))
        context.warn(
            f"verification: {len(above)} of {len(runs)} runs met grades above the break grade {limit:g}, the "
            f"largest {worst.grades.max():.3g} at x = {worst.x:g}, {worst.temperature:g} K: the potential "
            f"extrapolates in the large cell; their states are in verification/{WORST}"
        )
