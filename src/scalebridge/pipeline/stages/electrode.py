"""Stage ``electrode``: discharge the porous electrode with every member at every rate."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from scalebridge.contracts import ElectrodeDesign, MaterialCard, Solution
from scalebridge.electrode import rate_capability
from scalebridge.foundation import InterfaceError
from scalebridge.materials import load_design
from scalebridge.particle import ParticleModel, state_resolution
from scalebridge.pipeline.locations import design_path
from scalebridge.pipeline.stage import StageContext

LEAST_FILLED = 0.01
"""Site fraction below which a discharge is said to have ended at once."""
HYSTERESIS = 20.0
"""Mean voltage below equilibrium that is told, at the lowest rate [mV]."""
Item = TypeVar("Item")
Result = TypeVar("Result")


def compute(context: StageContext) -> None:
    """Save the ``ElectrodeDesign``, a ``Solution`` per member and rate, and the ``RateCapability``."""
    section = context.recipe.electrode
    card = context.load("card", MaterialCard)
    path = design_path(section.design, context.recipe.host.name)
    design = load_design(path, context.provenance({}))  # the user's: made from nothing computed
    particles = _particles(context, card, design)
    for sentence in state_resolution(particles):
        context.warn(sentence)
    _warn_of_unstable_start(context, particles, float(design.initial_theta))

    def map_units(function: Callable[[Item], Result], tasks: Iterable[Item]) -> list[Result]:
        return context.units(function, list(tasks), description="discharges")

    summary, solutions = rate_capability(
        card,
        design,
        section.c_rates,
        provenance=context.provenance({"card/material_card": card, "electrode_design": design}),
        members=tuple(particles),
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
    _warn_of_early_ends(context, solutions)
    _warn_of_hysteresis(context, solutions, particles)
    for member, group in failed.items():
        rates = ", ".join(f"{solution.c_rate:g}C" for solution in group)
        context.unsound(f"member {member}: the solver failed at {rates}; first: {group[0].status}")


def _particles(
    context: StageContext, card: MaterialCard, design: ElectrodeDesign
) -> dict[int, ParticleModel]:
    """Return the members' particles; members whose phases separate without an interface are left out.

    Raises
    ------
    InterfaceError
        If member 0 is one of them: its results are the best estimate.
    """
    found: dict[int, ParticleModel] = {}
    left_out: list[str] = []
    for member in range(len(card.site_density)):
        try:
            found[member] = ParticleModel.from_card(
                card, design, member=member, shells=context.recipe.electrode.shells
            )
        except InterfaceError:
            if member == 0:
                raise
            left_out.append(str(member))
    if left_out:
        context.warn(
            f"members {', '.join(left_out)} are left out: their free energy has a miscibility gap and the "
            "card no gradient energy (κ = 0), so nothing sets the width of an interface between the phases; "
            "without shells in the recipe's [electrode] it is widened to one that is resolved"
        )
    return found


def _warn_of_unstable_start(
    context: StageContext, particles: Mapping[int, ParticleModel], theta: float
) -> None:
    inside = []
    for member, particle in particles.items():
        gap = particle.unstable_interval()
        if gap is not None and gap[0] < theta < gap[1]:
            inside.append(f"{member} ({gap[0]:.3g} … {gap[1]:.3g})")
    if inside:
        context.warn(
            f"the design's initial_theta {theta:g} is unstable in members {', '.join(inside)}: all particles "
            "separate at once when the current starts; choose one outside"
        )


def _warn_of_early_ends(context: StageContext, solutions: Sequence[Solution]) -> None:
    early = []
    for solution in solutions:
        filling = solution.fields["filling"].values
        if solution.finished and filling[-1] - filling[0] < LEAST_FILLED:
            early.append(f"{solution.member} at {solution.c_rate:g}C")
    if early:
        context.warn(
            f"less than {LEAST_FILLED:.0%} was filled until the cutoff in members {', '.join(early)}: "
            "capacity and energy there are those of the first instant, and widen the spread over members"
        )


def _warn_of_hysteresis(
    context: StageContext, solutions: Sequence[Solution], particles: Mapping[int, ParticleModel]
) -> None:
    """Compare the mean voltage at the lowest rate with that of equilibrium over the same fillings."""
    lowest = min(context.recipe.electrode.c_rates)
    missing, spinodals = [], []
    for solution in solutions:
        particle = particles[solution.member or 0]
        gap = particle.unstable_interval()
        if solution.c_rate != lowest or not solution.finished or gap is None:
            continue
        filling, voltage = solution.fields["filling"].values, solution.fields["voltage"].values
        passed = filling[-1] - filling[0]
        if passed < LEAST_FILLED:
            continue
        mean = float(np.trapezoid(voltage, filling) / passed)
        spinodals.append(gap[0])
        missing.append(1e3 * (particle.average_voltage(filling[0], filling[-1]) - mean))
    if missing and max(missing) > HYSTERESIS:
        context.warn(
            f"at {lowest:g}C the mean voltage of separating particles lies {min(missing):.0f} … "
            f"{max(missing):.0f} mV below equilibrium: without a nucleus each goes to its spinodal, "
            f"θ = {min(spinodals):.2g} … {max(spinodals):.2g}, which the fit of the free energy places"
        )
