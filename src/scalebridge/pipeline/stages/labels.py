"""Stage ``labels``: the first training set and the structures that no fit will see."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ase import Atoms

from scalebridge.contracts import Dataset, Host, Validity
from scalebridge.foundation import InputError, hash_file, random_stream
from scalebridge.oracle import CalculatorSpec, Labeller, LabelStore, relax
from scalebridge.pipeline.locations import correction_path, labels_path
from scalebridge.pipeline.recipe import Recipe
from scalebridge.pipeline.sections import OracleSection
from scalebridge.pipeline.stage import StageContext
from scalebridge.pipeline.stages.frames import LEVEL, write_frames
from scalebridge.pipeline.stages.given_labels import read_given
from scalebridge.pipeline.stages.relaxed_labels import reference_voltages, relaxed_labels
from scalebridge.potential import align_labels
from scalebridge.sampling import HostCell, Perturbation, ideal_structures

THINNING = 4
"""Every fourth step of a relaxation becomes a training structure."""
ALIGNING_CUTOFF = 5.0
"""Range of what one level of theory adds to another [Å]."""


def compute(context: StageContext) -> None:
    """Read the given labels; or relax the phases, perturb random arrangements, and label all."""
    host = context.load("host", Host)
    if context.recipe.labels.given is None:
        _label(context, host)
    else:
        _take_given(context, host, context.recipe.labels.given)


def _take_given(context: StageContext, host: Host, given: str) -> None:
    recipe, section = context.recipe, context.recipe.labels
    for remark in section.remarks:
        context.warn(remark)
    path = labels_path(given, recipe.host.name)
    labels = read_given(
        path, host, target=section.target, held_out_fraction=section.held_out_fraction, seed=recipe.seed
    )
    for text in labels.warnings:
        context.warn(text)
    if recipe.oracle is None and not labels.metal:
        raise InputError(
            f"{path}: no structure of {host.ion} alone, and the recipe has no [oracle]: the voltage "
            "needs its metal; add labels of the metal, or an [oracle] of the same level of theory"
        )
    check_level(path, labels.host, None if recipe.oracle is None else recipe.oracle.level)
    relaxed = relaxed_labels(labels.host, host)
    training = _aligned(context, labels.training, _species(host)) if section.align else labels.training
    context.save(
        Dataset(
            provenance=context.provenance(),
            validity=Validity(remarks=section.remarks),
            citations=("larsen2017", *(("ramakrishnan2015",) if section.align else ())),
            **write_sets(context, training, labels.held_out, labels.metal),
            species=_species(host),
            level_of_theory=section.level_of_theory or f"labels of {path.name}",
            calculator_hash=hash_file(path),
            failed=labels.left_out,
            target=section.target,
            relaxed=relaxed,
            reference_voltages=reference_voltages(relaxed, labels.metal, host),
        )
    )


def check_level(path: Path, frames: Sequence[Atoms], level: str | None) -> None:
    """Check that labels of the level that will be bought are among those given.

    Raises
    ------
    InputError
        If none is.
    """
    known = sorted({str(atoms.info[LEVEL]) for atoms in frames if LEVEL in atoms.info})
    if level is not None and level not in known:
        raise InputError(
            f"oracle.level '{level}' is no level of {path} ({', '.join(known) or 'it names none'}); "
            "name the one whose energies the calculator's are, or leave the key out"
        )


def _aligned(context: StageContext, frames: Sequence[Atoms], species: Sequence[str]) -> list[Atoms]:
    """Return the training structures with all labels moved onto the target's level."""
    target, seed = context.recipe.labels.target, context.recipe.seed
    better = [atoms for atoms in frames if atoms.info.get(LEVEL) == target]
    aligned = list(better)
    for level in sorted({str(atoms.info.get(LEVEL)) for atoms in frames} - {str(target)}):
        cheap = [atoms for atoms in frames if str(atoms.info.get(LEVEL)) == level]
        found = align_labels(cheap, better, cutoff=ALIGNING_CUTOFF, species=species, seed=seed)
        lost = f"; {found.left_out} are unlike those and left out" if found.left_out else ""
        context.warn(
            f"labels at the level '{level}' are moved by {1e3 * found.shift:.1f} meV/atom (root mean "
            f"square), learnt from {found.pairs} structures labelled at '{target}' too{lost}"
        )
        aligned += found.frames
    return aligned


def _label(context: StageContext, host: Host) -> None:
    recipe, section = context.recipe, oracle_section(context.recipe)
    for remark in section.remarks:
        context.warn(remark)
    labeller = make_labeller(context, recipe)
    batch = labeller.label(
        [*_relaxation_steps(context, host, labeller), *_perturbed(recipe, host)], progress=context.progress
    )
    order = random_stream(recipe.seed, "held out").permutation(len(batch.frames))
    n_held_out = max(2, round(recipe.labels.held_out_fraction * len(order)))
    held_out = [batch.frames[index] for index in sorted(order[:n_held_out])]
    training = [batch.frames[index] for index in sorted(order[n_held_out:])]
    if batch.failures:
        context.warn(f"{state_failures(len(batch.failures))}; first: {batch.failures[0].reasons[-1]}")
    context.save(
        Dataset(
            provenance=context.provenance(),
            validity=Validity(remarks=section.remarks),
            citations=("larsen2017", "bitzek2006", *labeller.spec.citations),
            **write_sets(context, training, held_out),
            species=_species(host),
            level_of_theory=str(labeller.spec),
            calculator_hash=labeller.spec.content_hash,
            failed=len(batch.failures),
            relaxed=relaxed_labels([*training, *held_out], host),
        )
    )


def _species(host: Host) -> tuple[str, ...]:
    return tuple(sorted({host.ion, *host.phases[0].framework.symbols}))


def write_sets(
    context: StageContext,
    training: Sequence[Atoms],
    held_out: Sequence[Atoms],
    metal: Sequence[Atoms] = (),
    *,
    explored: Sequence[Atoms] = (),
) -> dict[str, Any]:
    """Write the structures into the stage's folder; return what a ``Dataset`` says of them."""
    folder = context.folder
    return {
        "training": write_frames(folder / "training.extxyz", training),
        "training_size": len(training),
        "held_out": write_frames(folder / "held_out.extxyz", held_out),
        "held_out_size": len(held_out),
        "metal": write_frames(folder / "metal.extxyz", metal) if metal else None,
        "explored": write_frames(folder / "held_out_explored.extxyz", explored) if explored else None,
        "explored_size": len(explored),
    }


def oracle_section(recipe: Recipe) -> OracleSection:
    """Return the section ``oracle``.

    Raises
    ------
    InputError
        If the recipe has none.
    """
    if recipe.oracle is None:
        raise InputError(
            "the recipe has neither an [oracle] nor labels.given: nothing to learn from; add one"
        )
    return recipe.oracle


def make_labeller(context: StageContext, recipe: Recipe) -> Labeller:
    """Return the recipe's calculator with its store; a relative store lies in the run folder."""
    section = oracle_section(recipe)
    local = "://" not in section.store
    store = LabelStore(str(context.run_folder / section.store) if local else section.store)
    return Labeller(
        spec=_reference(section, recipe.host.name),
        store=store,
        workers=section.workers,
        max_failed_fraction=section.max_failed_fraction,
        retry_failed=section.retry_failed,
    )


def _reference(section: OracleSection, host: str) -> CalculatorSpec:
    if section.correction is None:
        return CalculatorSpec(section.calculator, section.arguments)
    path = correction_path(section.correction, host)
    correction = CalculatorSpec(
        "scalebridge.potential.calculator:correction", {"sha256": hash_file(path)}, {"path": str(path)}
    )
    return CalculatorSpec(section.calculator, section.arguments, plus=(correction,))


def state_failures(count: int) -> str:
    """Say how many calculations gave no label."""
    return f"reference calculations that failed twice and were set aside: {count}"


def _relaxation_steps(context: StageContext, host: Host, labeller: Labeller) -> list[Atoms]:
    """Relax every phase at its own composition; return a part of the steps."""
    steps: list[Atoms] = []
    for phase in host.phases:
        cell = HostCell.from_phase(phase, host.ion)
        ions = round(phase.composition / host.sites_per_formula_unit * cell.n_sites)
        rng = random_stream(context.seed, "relaxation", phase.name)
        start = Perturbation(displacement=0.01, strain=0.0).apply(cell.random_atoms(ions, rng), host.ion, rng)
        relaxation = relax(
            start, labeller.spec, store=labeller.store, max_steps=context.recipe.labels.relaxation_steps,
            progress=context.progress,
        )  # fmt: skip
        steps += [*relaxation.frames[:-1:THINNING], relaxation.relaxed]
    return steps


def _perturbed(recipe: Recipe, host: Host) -> list[Atoms]:
    section = recipe.labels
    perturbation = Perturbation(section.displacement, section.ion_displacement, section.strain)
    rng = random_stream(recipe.seed, "perturbation")
    ideal = ideal_structures(
        host,
        section.compositions or (),
        section.structures_per_composition,
        repeat=section.repeat,
        seed=recipe.seed,
    )
    return [perturbation.apply(atoms, host.ion, rng) for _, atoms in ideal]
