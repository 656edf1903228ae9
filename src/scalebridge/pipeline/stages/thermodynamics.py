"""Stage ``thermodynamics``: ladders of every member, the metal's reference, g(x,T), isotherm, structures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from ase.calculators.calculator import Calculator

from scalebridge.contracts import Host, Isotherm, PotentialCard, StructureTable
from scalebridge.foundation import constants
from scalebridge.oracle import StoredCalculator
from scalebridge.pipeline.recipe import Recipe
from scalebridge.pipeline.remarks import merge_members
from scalebridge.pipeline.stage import StageContext
from scalebridge.pipeline.stages.bursts import burst_settings
from scalebridge.pipeline.stages.labels import make_labeller
from scalebridge.pipeline.stages.potential import load_graders, load_members
from scalebridge.potential import MomentTensorPotential, MTPCalculator
from scalebridge.sampling import (
    HostCell,
    Ladder,
    LadderSettings,
    LadderTask,
    PotentialModel,
    SiteDensity,
    SwitchSettings,
    ladder_tasks,
    merge_ladders,
    sample_ladder,
    starting_cells,
)
from scalebridge.thermodynamics import (
    FreeEnergySettings,
    MetalReference,
    fit_free_energy,
    solve_isotherm,
    solve_metal,
    tabulate_structures,
)

OUTLIER = 0.04
"""Volume off the members' median, relative, above which a member is named."""
POOR_OVERLAP = 1.0
"""Standard error of a step of the ladder, in kT, above which it is called poorly sampled."""


@dataclass(frozen=True)
class _LadderItem:
    """A ladder by member, temperature and walker, and where it keeps its state."""

    name: tuple[int, float, int]
    task: LadderTask
    checkpoint: Path | None = None


def compute(context: StageContext) -> None:
    """Save ``HomogeneousFreeEnergy``, ``Isotherm`` and ``StructureTable``.

    Structures are those of the temperature nearest to the electrode's.
    """
    recipe = context.recipe
    section = recipe.thermodynamics
    host = context.load("host", Host)
    card = context.load("potential", PotentialCard)
    starts = starting_cells(host, section.repeat)

    _warn_of_joined_phases(context, starts)
    ladders = _ladders(context, card, load_members(context, card), starts)
    _warn_of_poor_overlap(context, ladders)
    _warn_of_extrapolation(context, ladders, card.break_grade)
    metal = context.checkpoint("metal", partial(_metal, context, host, card))

    free_energy = fit_free_energy(
        {"homogeneous": ladders},
        metal.chemical_potential,
        sites_per_formula_unit=host.sites_per_formula_unit,
        ion_charge=host.ion_charge,
        provenance=context.provenance(),
        settings=FreeEnergySettings(maximum_order=section.fit_order),
    )
    context.save(free_energy)
    isotherm = solve_isotherm(
        free_energy,
        metal.chemical_potential,
        provenance=context.provenance({"host": host, "homogeneous_free_energy": free_energy}),
    )
    context.save(isotherm)
    _warn_of_disagreement(context, isotherm)
    structures = tabulate_structures(
        [_nearest(grid, recipe.temperature) for grid in ladders],
        [cell.phase for cell in starts],
        provenance=context.provenance(),
    )
    _warn_of_outliers(context, structures)
    context.save(structures)


def ladder_settings(recipe: Recipe) -> LadderSettings:
    """Return the settings of the ladders from the recipe."""
    section = recipe.thermodynamics
    burst = burst_settings(section.bursts)
    return LadderSettings(
        sweeps=section.sweeps,
        equilibration=section.equilibration,
        attempts=section.attempts,
        density=SiteDensity(width=section.site_width, vacant_only=True),
        switching=SwitchSettings(steps=section.switching_steps),
        burst=burst,
        cell_moves=0 if burst.moves_cell else LadderSettings.cell_moves,
    )


def _metal(context: StageContext, host: Host, card: PotentialCard) -> MetalReference:
    return solve_metal(
        host.metal.to_atoms(),
        _metal_calculator(context, card),
        context.recipe.thermodynamics.temperatures,
        progress=context.progress,
    )


def _metal_calculator(context: StageContext, card: PotentialCard) -> Callable[[], Calculator]:
    """Return what makes the metal's energy model: the potential of given labels, else the oracle."""
    if card.metal is not None:
        path = context.parent_folder("potential") / card.metal.name
        return lambda: MTPCalculator(path)
    labeller = make_labeller(context, context.recipe)
    return lambda: StoredCalculator(labeller.spec, labeller.store)


def _ladders(
    context: StageContext,
    card: PotentialCard,
    members: Sequence[MomentTensorPotential],
    starts: Sequence[HostCell],
) -> list[list[Ladder]]:
    """Sample and grade every member at every temperature; returns ladders by member, then temperature."""
    section = context.recipe.thermodynamics
    settings = ladder_settings(context.recipe)
    graders = load_graders(context, card)
    items = [
        _LadderItem((number, temperature, walker), task)
        for number, member in enumerate(members)
        for temperature in section.temperatures
        for walker in range(section.walkers)
        for task in ladder_tasks(
            PotentialModel(member),
            starts,
            temperature,
            settings=settings,
            seed=context.seed + number * section.walkers + walker,
            grader=graders[number],
        )
    ]
    parts = context.units(
        _sample,
        items,
        description="free-energy ladders",
        key=lambda item: item.name,
        own_file=lambda item, path: replace(item, checkpoint=path),
    )
    merged = [merge_ladders(parts[i : i + section.walkers]) for i in range(0, len(parts), section.walkers)]
    count = len(section.temperatures)
    return [merged[start : start + count] for start in range(0, len(merged), count)]


def _sample(item: _LadderItem) -> Ladder:
    return sample_ladder(item.task, checkpoint=item.checkpoint)


def _nearest(grid: Sequence[Ladder], temperature: float) -> Ladder:
    return min(grid, key=lambda ladder: abs(ladder.temperature - temperature))


def _warn_of_joined_phases(context: StageContext, starts: Sequence[HostCell]) -> None:
    """Rungs of different frameworks give a true difference only if their walkers reach the same one."""
    for ions, (fewer, more) in enumerate(pairwise(starts)):
        if fewer.phase != more.phase:
            context.warn(
                f"from {ions} to {ions + 1} of {fewer.n_sites} ions the walkers start in '{fewer.phase}' and "
                f"'{more.phase}', and g(x) has one branch for both: around there it holds only if one turns "
                "into the other within thermodynamics.equilibration"
            )


def _warn_of_poor_overlap(context: StageContext, ladders: Sequence[Sequence[Ladder]]) -> None:
    texts: list[str] = []
    for number, grid in enumerate(ladders):
        for ladder in grid:
            errors = np.array([step.error for step in ladder.free_energy_differences()])
            poor = np.flatnonzero(errors > POOR_OVERLAP * constants.BOLTZMANN_EV * ladder.temperature)
            texts += [
                f"{ladder.temperature:g} K, {index} to {index + 1} ions, member {number}: insertions and "
                f"deletions hardly overlap (error above {POOR_OVERLAP:g} kT), so g(x) is uncertain there; "
                "raise thermodynamics.sweeps or switching_steps"
                for index in poor
            ]
    for text in merge_members(texts):
        context.warn(text)


def _warn_of_extrapolation(context: StageContext, ladders: Sequence[Sequence[Ladder]], limit: float) -> None:
    """Name every member whose walkers left what its potential was fitted to."""
    for number, grid in enumerate(ladders):
        grades = np.concatenate([rung.grade for ladder in grid for rung in ladder.rungs])
        fraction = float(np.mean(grades > limit))
        if fraction > 0:
            context.warn(
                f"member {number}: {fraction:.1%} of the sampled states lie above the break grade {limit:g} "
                f"(largest {grades.max():.3g}): its potential extrapolates there; raise learning.rounds or "
                "learning.temperatures, for labels of such states"
            )


def _warn_of_outliers(context: StageContext, structures: StructureTable) -> None:
    """Name members whose volume is far from the others'."""
    volume = structures.volume
    relative = volume / np.median(volume, axis=0) - 1
    for member, row in enumerate(relative):
        worst = int(np.argmax(np.abs(row)))
        if abs(row[worst]) > OUTLIER:
            context.warn(
                f"member {member}'s volume at x = {structures.x[worst]:.3g} lies {row[worst]:+.1%} off the "
                "median: its walkers left what its potential was fitted to, and its g(x) with them"
            )


def _warn_of_disagreement(context: StageContext, isotherm: Isotherm) -> None:
    gaps = {plateau.member for plateau in isotherm.plateaus}
    members = isotherm.voltage.shape[0]
    if 0 < len(gaps) < members:
        context.warn(f"{len(gaps)} of {members} members have a miscibility gap: a plateau is uncertain")
