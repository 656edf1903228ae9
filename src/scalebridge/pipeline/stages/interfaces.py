"""Stage ``interfaces``: stiffness and lattice of the two coexisting phases, coherent slabs between them."""

from collections.abc import Sequence
from functools import partial

from scalebridge.contracts import Host, Isotherm, PotentialCard, StructureTable
from scalebridge.foundation import ConvergenceError
from scalebridge.interfaces import (
    ElasticTask,
    End,
    PhasePair,
    PhaseResult,
    PhaseTask,
    RelaxedPhase,
    SlabSettings,
    SlabTask,
    choose_pair,
    combine,
    run_elastic,
    run_phase,
    run_slabs,
)
from scalebridge.pipeline.remarks import merge_members
from scalebridge.pipeline.stage import StageContext
from scalebridge.pipeline.stages.potential import load_members
from scalebridge.potential import MomentTensorPotential, MTPCalculator
from scalebridge.sampling import RelaxationSettings

LOOSE = 5.0
"""A relaxation that ends within this many tolerances is used, and said to be loose."""


ENDS: tuple[End, End] = ("low", "high")
"""Of the pair, in the order of every array."""


def compute(context: StageContext) -> None:
    """Save ``InterfaceEnergies``."""
    section = context.recipe.interfaces
    host = context.load("host", Host)
    card = context.load("potential", PotentialCard)
    structures = context.load("thermodynamics", StructureTable)
    pair = choose_pair(host, context.load("thermodynamics", Isotherm), float(structures.temperature))
    members = load_members(context, card)
    relaxation = RelaxationSettings(
        force_tolerance=section.max_force,
        loose_tolerance=LOOSE * section.max_force,
        maximum_steps=section.max_steps,
    )
    phases = _relax(context, host.ion, pair, members, relaxation)
    elastic_tasks = [
        ElasticTask(number, partial(MTPCalculator, member), end, phase, relaxation=relaxation)
        for number, member in enumerate(members)
        for end, phase in zip(ENDS, phases[number], strict=True)
    ]
    slab_tasks = [
        SlabTask(
            number,
            partial(MTPCalculator, member),
            *phases[number],
            miller,
            settings=SlabSettings(counts=section.slab_cells, relaxation=relaxation),
        )
        for number, member in enumerate(members)
        for miller in section.normals
    ]
    elastic = context.units(run_elastic, elastic_tasks, description="stiffness")
    slabs = context.units(run_slabs, slab_tasks, description="two-phase slabs")
    problems = [*(result.problem for result in elastic), *(result.problem for result in slabs)]
    for problem in merge_members(filter(None, problems)):
        context.warn(f"relaxation failed: {problem}")
    energies = combine(
        slabs,
        elastic,
        members=len(members),
        provenance=context.provenance(),
        pair=pair,
        structures=structures,
    )
    unstable = int((energies.gradient_energy <= 0).any(axis=1).sum())
    if unstable:
        context.warn(
            f"{unstable} of {len(members)} members have an interface energy that is not positive: κ is 0"
        )
    context.save(energies)


def _relax(
    context: StageContext,
    ion: str,
    pair: PhasePair,
    members: Sequence[MomentTensorPotential],
    relaxation: RelaxationSettings,
) -> list[tuple[RelaxedPhase, RelaxedPhase]]:
    """Return both relaxed phases of every member, partly filled ones in their lowest arrangement."""
    tasks = [
        PhaseTask(
            number,
            partial(MTPCalculator, member),
            end,
            phase,
            ion,
            ions,
            arrangements=context.recipe.interfaces.arrangements,
            seed=context.seed,
            relaxation=relaxation,
        )
        for number, member in enumerate(members)
        for end, phase, ions in zip(ENDS, (pair.low, pair.high), (pair.low_ions, pair.high_ions), strict=True)
    ]
    results = context.units(run_phase, tasks, description="relaxed phases")
    relaxed = [_own(context, result, results[number % 2]) for number, result in enumerate(results)]
    return list(zip(relaxed[::2], relaxed[1::2], strict=True))


def _own(context: StageContext, own: PhaseResult, first: PhaseResult) -> RelaxedPhase:
    """Return the member's phase, or member 0's where none of its own relaxed."""
    if own.phase is not None:
        return own.phase
    if first.phase is None:
        raise ConvergenceError(
            f"the {first.end} phase did not relax for member 0 ({first.problem}); raise interfaces.max_steps "
            "or interfaces.arrangements"
        )
    context.warn(f"member {own.member} starts from member 0's {own.end} phase: {own.problem}")
    return first.phase
