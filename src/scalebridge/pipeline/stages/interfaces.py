"""Stage ``interfaces``: stiffness and lattice of the two coexisting phases, coherent slabs between them."""

from collections.abc import Sequence
from functools import partial

from scalebridge.contracts import HomogeneousFreeEnergy, Host, Isotherm, PotentialCard, StructureTable
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
    state_diffuse_interfaces,
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
    isotherm = context.load("thermodynamics", Isotherm)
    free_energy = context.load("thermodynamics", HomogeneousFreeEnergy)
    pair = choose_pair(host, isotherm, float(structures.temperature))
    members = load_members(context, card)
    relaxation = RelaxationSettings(
        force_tolerance=section.max_force,
        loose_tolerance=LOOSE * section.max_force,
        maximum_steps=section.max_steps,
    )
    phases = _relax(context, host.ion, pair, members, float(structures.temperature), relaxation=relaxation)
    elastic_tasks = [
        ElasticTask(
            number, partial(MTPCalculator, member), end, min(drawn, key=_energy), relaxation=relaxation
        )
        for number, member in enumerate(members)
        for end, drawn in zip(ENDS, phases[number], strict=True)
    ]
    slab_tasks = [
        SlabTask(
            number,
            partial(MTPCalculator, member),
            low,
            high,
            miller,
            settings=SlabSettings(counts=section.slab_cells, relaxation=relaxation),
        )
        for number, member in enumerate(members)
        for miller in section.normals
        for low, high in zip(*phases[number], strict=False)
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
        warn=context.warn,
    )
    unstable = int((energies.gradient_energy <= 0).any(axis=1).sum())
    if unstable:
        context.warn(
            f"{unstable} of {len(members)} members have an interface energy that is not positive: κ is 0"
        )
    diffuse = state_diffuse_interfaces(energies, free_energy, isotherm, structures)
    validity = energies.validity.model_copy(update={"remarks": (*energies.validity.remarks, *diffuse)})
    context.save(energies.model_copy(update={"validity": validity}))


def _relax(
    context: StageContext,
    ion: str,
    pair: PhasePair,
    members: Sequence[MomentTensorPotential],
    temperature: float,
    *,
    relaxation: RelaxationSettings,
) -> list[tuple[list[RelaxedPhase], list[RelaxedPhase]]]:
    """Return every member's draws of the low and of the high phase; those at one place share slabs.

    An empty or a full phase has one arrangement: it relaxes once and stands beside every draw of the other.
    """
    section = context.recipe.interfaces
    fillings = ((pair.low, pair.low_ions), (pair.high, pair.high_ions))
    draws = [section.arrangements if 0 < ions < len(phase.sites) else 1 for phase, ions in fillings]
    tasks = [
        PhaseTask(
            number,
            partial(MTPCalculator, member),
            end,
            phase,
            ion,
            ions,
            temperature,
            arrangement=arrangement,
            candidates=section.candidates,
            seed=context.seed,
            relaxation=relaxation,
        )
        for number, member in enumerate(members)
        for end, (phase, ions), count in zip(ENDS, fillings, draws, strict=True)
        for arrangement in range(count)
    ]
    results = context.units(run_phase, tasks, description="relaxed phases")
    low_repeat, high_repeat = (max(draws) // count for count in draws)
    return [
        (
            _drawn(context, results, number, "low") * low_repeat,
            _drawn(context, results, number, "high") * high_repeat,
        )
        for number in range(len(members))
    ]


def _drawn(
    context: StageContext, results: Sequence[PhaseResult], member: int, end: End
) -> list[RelaxedPhase]:
    """Return the member's draws of one phase that relaxed, or member 0's where none did."""
    own = [result for result in results if (result.member, result.end) == (member, end)]
    relaxed = [result.phase for result in own if result.phase is not None]
    problem = next((result.problem for result in own if result.phase is None), "")
    if not relaxed and member == 0:
        raise ConvergenceError(
            f"the {end} phase did not relax for member 0 ({problem}); raise interfaces.max_steps or "
            "interfaces.candidates"
        )
    if not relaxed:
        context.warn(f"member {member} starts from member 0's {end} phase: {problem}")
        return _drawn(context, results, 0, end)
    if len(relaxed) < len(own):
        context.warn(
            f"member {member} draws {len(relaxed)} of {len(own)} arrangements of the {end} phase: {problem}"
        )
    return relaxed


def _energy(phase: RelaxedPhase) -> float:
    return phase.energy
