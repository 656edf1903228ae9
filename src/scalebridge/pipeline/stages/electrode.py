"""Stage ``electrode``: discharge the porous electrode with every member at every rate."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TypeVar

from scalebridge.contracts import ElectrodeDesign, MaterialCard, Solution
from scalebridge.electrode import rate_capability
from scalebridge.materials import load_design
from scalebridge.particle import ParticleModel, state_widening
from scalebridge.pipeline.locations import design_path
from scalebridge.pipeline.stage import StageContext

Item = TypeVar("Item")
Result = TypeVar("Result")


def compute(context: StageContext) -> None:
    """Save the ``ElectrodeDesign``, a ``Solution`` per member and rate, and the ``RateCapability``."""
    section = context.recipe.electrode
    card = context.load("card", MaterialCard)
    path = design_path(section.design, context.recipe.host.name)
    design = load_design(path, context.provenance({}))  # the user's: made from nothing computed
    _warn_of_widening(context, card, design)

    def map_units(function: Callable[[Item], Result], tasks: Iterable[Item]) -> list[Result]:
        return context.units(function, list(tasks), description="discharges")

    summary, solutions = rate_capability(
        card,
        design,
        section.c_rates,
        provenance=context.provenance({"card/material_card": card, "electrode_design": design}),
        map=map_units,
        shells=section.shells,
    )
    context.save(design)
    context.save(summary)
    failed: dict[int, list[Solution]] = defaultdict(list)
    for solution in solutions:
        context.save(solution, f"solution_m{solution.member}_c{solution.c_rate:g}")
        if not solution.finished:
            failed[solution.member].append(solution)
    for member, group in failed.items():
        rates = ", ".join(f"{solution.c_rate:g}C" for solution in group)
        context.unsound(f"member {member}: the solver failed at {rates}; first: {group[0].status}")


def _warn_of_widening(context: StageContext, card: MaterialCard, design: ElectrodeDesign) -> None:
    shells = context.recipe.electrode.shells
    particles = {
        member: ParticleModel.from_card(card, design, member=member, shells=shells)
        for member in range(len(card.site_density))
    }
    for sentence in state_widening(particles):
        context.warn(sentence)
