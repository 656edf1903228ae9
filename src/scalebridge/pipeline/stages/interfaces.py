"""Stage ``interfaces``: stiffness and lattice of both ends, coherent slabs between them."""

from functools import partial

from scalebridge.contracts import Host, HostPhase, PotentialCard, StructureTable
from scalebridge.interfaces import ElasticTask, End, SlabSettings, SlabTask, combine, run_elastic, run_slabs
from scalebridge.pipeline.remarks import merge_members
from scalebridge.pipeline.stage import StageContext
from scalebridge.pipeline.stages.potential import load_members
from scalebridge.potential import MTPCalculator
from scalebridge.sampling import RelaxationSettings

LOOSE = 5.0
"""A relaxation that ends within this many tolerances is used, and said to be loose."""


def compute(context: StageContext) -> None:
    """Save ``InterfaceEnergies``."""
    section = context.recipe.interfaces
    host = context.load("host", Host)
    card = context.load("potential", PotentialCard)
    structures = context.load("thermodynamics", StructureTable)
    members = load_members(context, card)
    empty, full = host.nearest_phase(0.0), host.nearest_phase(float(host.sites_per_formula_unit))
    relaxation = RelaxationSettings(
        force_tolerance=section.max_force,
        loose_tolerance=LOOSE * section.max_force,
        maximum_steps=section.max_steps,
    )

    ends: tuple[tuple[End, HostPhase], ...] = (("empty", empty), ("full", full))
    elastic_tasks = [
        ElasticTask(number, partial(MTPCalculator, member), phase, host.ion, end, relaxation=relaxation)
        for number, member in enumerate(members)
        for end, phase in ends
    ]
    slab_tasks = [
        SlabTask(
            number,
            partial(MTPCalculator, member),
            empty,
            full,
            host.ion,
            miller,
            settings=SlabSettings(counts=section.slab_cells, relaxation=relaxation),
            cell_relaxation=relaxation,
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
        sites_per_formula_unit=host.sites_per_formula_unit,
        structures=structures,
    )
    unstable = int((energies.gradient_energy <= 0).any(axis=1).sum())
    if unstable:
        context.warn(
            f"{unstable} of {len(members)} members have an interface energy that is not positive: κ is 0"
        )
    context.save(energies)
