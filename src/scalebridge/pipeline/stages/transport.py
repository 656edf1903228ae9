"""Stage ``transport``: dynamics where ions move, barriers at both ends of the composition range."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from scalebridge.contracts import Host, PotentialCard, StructureTable
from scalebridge.foundation import constants, random_stream
from scalebridge.pipeline.recipe_checks import mobile_ions
from scalebridge.pipeline.remarks import merge_members
from scalebridge.pipeline.stage import StageContext
from scalebridge.pipeline.stages.potential import load_graders, load_members
from scalebridge.potential import MomentTensorPotential, MTPCalculator
from scalebridge.sampling import Grader, PotentialModel, RelaxationSettings, relax, starting_cells
from scalebridge.transport import (
    BarrierSettings,
    BarrierTask,
    DynamicsSettings,
    End,
    FailedTrajectory,
    TrajectoryResult,
    TrajectoryTask,
    combine,
    hop_network,
    run_barrier,
    run_trajectory,
)

FEMTOSECONDS = 1000.0
"""In a picosecond."""
START = RelaxationSettings(force_tolerance=0.3, loose_tolerance=5.0, maximum_steps=200)
"""Ions on ideal sites are moved to where forces are thermal before dynamics starts."""


def compute(context: StageContext) -> None:
    """Save ``TracerDiffusivity`` and ``JumpDiffusivity``."""
    host = context.load("host", Host)
    card = context.load("potential", PotentialCard)
    structures = context.load("thermodynamics", StructureTable)
    members = load_members(context, card)
    barriers = context.units(run_barrier, _barrier_tasks(context, host, members), description="barriers")
    trajectories = context.units(
        run_trajectory,
        _trajectory_tasks(context, host, members, structures, graders=load_graders(context, card)),
        description="molecular dynamics",
    )
    for problem in merge_members(barrier.problem for barrier in barriers if barrier.problem):
        context.warn(f"barrier not found: {problem}")
    _warn_of_failures(context, trajectories)
    for text in extrapolations(trajectories, card.break_grade):
        context.warn(text)
    tracer, jump = combine(
        trajectories,
        barriers,
        members=len(members),
        provenance=context.provenance(),
        warn=context.warn,
    )
    context.save(tracer)
    context.save(jump)


def _warn_of_failures(
    context: StageContext, trajectories: Sequence[TrajectoryResult | FailedTrajectory]
) -> None:
    failed = [run for run in trajectories if isinstance(run, FailedTrajectory)]
    if failed:
        context.warn(
            f"{len(failed)} of {len(trajectories)} runs of molecular dynamics failed; barriers decide "
            f"where no three temperatures are left; first: {failed[0].problem}"
        )


def extrapolations(trajectories: Sequence[TrajectoryResult | FailedTrajectory], limit: float) -> list[str]:
    """Return a sentence for every member whose dynamics left what its potential was fitted to."""
    texts = []
    runs = [run for run in trajectories if isinstance(run, TrajectoryResult)]
    for member in sorted({run.member for run in runs}):
        own = [run for run in runs if run.member == member and len(run.grades)]
        above = [run for run in own if run.grades.max() > limit]
        if above:
            grades = np.concatenate([run.grades for run in own])
            worst = max(above, key=lambda run: float(run.grades.max()))
            texts.append(
                f"dynamics of member {member}: {np.mean(grades > limit):.1%} of the states lie above the "
                f"break grade {limit:g} (largest {grades.max():.3g} at x = {worst.x:g}, "
                f"{worst.temperature:g} K): its potential extrapolates there, and its diffusivity with it"
            )
    return texts


def _barrier_tasks(
    context: StageContext, host: Host, members: Sequence[MomentTensorPotential]
) -> list[BarrierTask]:
    """Return every class of hops at the empty and the full end, for every member."""
    section = context.recipe.transport
    ends: tuple[tuple[End, float], ...] = (("empty", 0.0), ("full", float(host.sites_per_formula_unit)))
    return [
        BarrierTask(
            member=number,
            make_calculator=partial(MTPCalculator, member),
            phase=host.nearest_phase(x),
            ion=host.ion,
            repeat=section.repeat,
            end=end,
            hop_class=hop_class,
            settings=BarrierSettings(images=section.images, seed=context.seed),
        )
        for number, member in enumerate(members)
        for end, x in ends
        for hop_class in range(len(hop_network(host.nearest_phase(x), host.ion).representatives))
    ]


def _trajectory_tasks(
    context: StageContext,
    host: Host,
    members: Sequence[MomentTensorPotential],
    structures: StructureTable,
    *,
    graders: Sequence[Grader],
) -> list[TrajectoryTask]:
    section = context.recipe.transport
    starts = starting_cells(host, section.repeat)
    settings = DynamicsSettings(
        timestep=section.timestep_fs,
        duration=section.picoseconds * FEMTOSECONDS,
        equilibration=section.equilibration_ps * FEMTOSECONDS,
    )
    tasks: list[TrajectoryTask] = []
    for number, member in enumerate(members):
        for x in section.compositions:
            ions = mobile_ions(host, section.repeat, x)
            cell = starts[ions]
            rng = random_stream(context.seed, "transport", "start", number, ions)
            start = cell.random_atoms(ions, rng)
            start.set_cell(_mean_cell(context, structures, number, x), scale_atoms=True)
            start = relax(start, partial(MTPCalculator, member), settings=START).atoms
            tasks += [
                TrajectoryTask(
                    member=number,
                    model=PotentialModel(member),
                    cell=cell,
                    start=start,
                    temperature=temperature,
                    seed=context.seed,
                    settings=settings,
                    grader=graders[number],
                )
                for temperature in section.temperatures
            ]
    return tasks


def _mean_cell(context: StageContext, structures: StructureTable, member: int, x: float) -> np.ndarray:
    """Return the sampled mean cell at x [Å], scaled from the thermodynamic to the transport repeat."""
    cells = np.asarray(structures.cell)[member].reshape(len(structures.x), 9)
    mean = np.array([np.interp(x, structures.x, column) for column in cells.T]).reshape(3, 3)
    ratio = np.array(context.recipe.transport.repeat) / np.array(context.recipe.thermodynamics.repeat)
    return np.asarray(mean * ratio[:, None] / constants.ANGSTROM)
