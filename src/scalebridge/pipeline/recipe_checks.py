"""Checks of a recipe that need the host: compositions, the potential's range against the cells."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from scalebridge.contracts import ElectrodeDesign, Host
from scalebridge.foundation import InputError
from scalebridge.pipeline.recipe import Recipe
from scalebridge.pipeline.sections import LabelsSection, LearningSection, Repeat, TransportSection
from scalebridge.potential import FEWEST_HELD_OUT
from scalebridge.sampling import HostCell

IMAGE_LIMIT: Final = 2
"""The cutoff may reach this many half cells: one whole cell, its nearest images and no others."""


def check_recipe(recipe: Recipe, host: Host, design: ElectrodeDesign) -> None:
    """Check a whole recipe against its host and electrode, before anything is computed.

    Raises
    ------
    InputError
        If an x lies outside the host's sites or is no whole number of ions where ions are followed, a cell
        that is sampled is too small for the cutoff, the electrode's temperature is none of those of the free
        energy, levels of theory would be mixed, grades are not in order, or too few structures are held out
        to calibrate the committee.
    """
    temperature, sampled = float(design.temperature), recipe.thermodynamics.temperatures
    if not min(sampled) <= temperature <= max(sampled):
        raise InputError(
            f"thermodynamics.temperatures {', '.join(f'{value:g}' for value in sampled)} K do not reach the "
            f"electrode's temperature of {temperature:g} K; add it, or change the design's temperature"
        )
    _check_levels(recipe)
    _check_grades(recipe.learning)
    if recipe.labels.given is None:
        _check_random_labels(recipe)
    check_compositions(host, labels=recipe.labels, transport=recipe.transport)
    for x in recipe.transport.compositions:
        mobile_ions(host, recipe.transport.repeat, x)
    cutoff, primitive = recipe.potential.cutoff, recipe.learning.cell == "primitive"
    for repeat in recipe.learning.repeats:
        check_cutoff(host, cutoff, primitive=primitive, learning=repeat)
    check_cutoff(
        host,
        cutoff,
        verification=recipe.verification.repeat,
        thermodynamics=recipe.thermodynamics.repeat,
        transport=recipe.transport.repeat,
    )


def _check_levels(recipe: Recipe) -> None:
    labels, oracle = recipe.labels, recipe.oracle
    if not labels.align:
        return
    if labels.given is None or labels.target is None:
        raise InputError(
            "labels.align moves labels onto the level labels.target of the file labels.given; name both, or "
            "leave it out"
        )
    if oracle is not None and oracle.level != labels.target:
        raise InputError(
            f"labels.align moves the given labels onto the level '{labels.target}', not those that the loop "
            f"buys at oracle.level '{oracle.level}'; write oracle.level = '{labels.target}' with the "
            "arguments of that level, or leave labels.align out"
        )


def _check_grades(learning: LearningSection) -> None:
    if learning.save_grade > learning.break_grade:
        raise InputError(
            f"learning.save {learning.save_grade:g} exceeds learning.break {learning.break_grade:g}: walkers "
            "would stop before anything is queued; write for example 2.1 and 10"
        )


def _check_random_labels(recipe: Recipe) -> None:
    labels = recipe.labels
    if recipe.oracle is None:
        raise InputError(
            "the recipe has neither an [oracle] nor labels.given, and so nothing to learn from; name a "
            "calculator, or a file of labelled structures"
        )
    if labels.compositions is None:
        raise InputError(
            "labels.compositions: this key is required without labels.given; x of the structures"
        )
    count = len(labels.compositions) * labels.structures_per_composition
    held_out = round(labels.held_out_fraction * count)
    if recipe.potential.committee == "posterior" and held_out < FEWEST_HELD_OUT:
        raise InputError(
            f"labels: {labels.held_out_fraction:g} of {count} structures holds out {held_out}, and "
            f"potential.committee 'posterior' needs {FEWEST_HELD_OUT} to calibrate; label more, or choose "
            "'bootstrap'"
        )


def check_compositions(host: Host, **sections: LabelsSection | TransportSection) -> None:
    """Check that every x of the named sections lies within the host's sites.

    Raises
    ------
    InputError
        If one does not.
    """
    for name, section in sections.items():
        for x in section.compositions or ():
            if not 0 <= x <= host.sites_per_formula_unit:
                raise InputError(
                    f"{name}.compositions: x = {x:g} is outside 0 … {host.sites_per_formula_unit}, the sites "
                    f"per formula unit of {host.name}; choose x within"
                )


def mobile_ions(host: Host, repeat: Repeat, x: float) -> int:
    """Return the number of ions at x in the repeated cell in which ions are followed.

    Raises
    ------
    InputError
        If it is not whole, or leaves no ion or no vacancy to hop into.
    """
    sites = len(host.phases[0].sites) * int(np.prod(repeat))
    ions = x / host.sites_per_formula_unit * sites
    if abs(ions - round(ions)) > 1e-6 or not 0 < round(ions) < sites:
        raise InputError(
            f"transport.compositions: x = {x:g} is {ions:g} of {sites} ions in this cell; choose x with a "
            "whole number of ions, at least one ion and one vacancy, or a larger transport.repeat"
        )
    return round(ions)


def check_cutoff(host: Host, cutoff: float, *, primitive: bool = False, **repeats: Repeat) -> None:
    """Check the potential's range [Å] against the cells of the named sections, for every phase.

    The cell repeated is the host's, or each phase's primitive one.

    Raises
    ------
    InputError
        If a cell is too small.
    """
    for name, repeat in repeats.items():
        for phase in host.phases:
            cell = HostCell.from_phase(phase, host.ion)
            heights = cell_heights(cell.primitive() if primitive else cell)
            if cutoff > IMAGE_LIMIT * (heights * np.array(repeat)).min() / 2:
                raise InputError(_cutoff_message(name, phase.name, heights, repeat, cutoff))


def cell_heights(cell: HostCell) -> NDArray[np.float64]:
    """Return the distances between opposite faces of the cell [Å], shape (3,)."""
    return np.asarray(1 / np.linalg.norm(np.linalg.inv(cell.framework.cell.array), axis=0))


def _cutoff_message(
    name: str, phase: str, heights: NDArray[np.float64], repeat: Repeat, cutoff: float
) -> str:
    half = (heights * np.array(repeat)).min() / 2
    enough = "×".join(str(int(np.ceil(2 * cutoff / IMAGE_LIMIT / height))) for height in heights)
    return (
        f"potential.cutoff {cutoff:.1f} Å exceeds half the shortest cell height {half:.1f} Å of phase "
        f"'{phase}' in {name}.repeat times the image limit {IMAGE_LIMIT}; use {name}.repeat of at least "
        f"{enough} or a cutoff below {half * IMAGE_LIMIT:.1f} Å"
    )
