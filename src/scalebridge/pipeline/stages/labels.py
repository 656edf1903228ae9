"""Stage ``labels``: the first training set and the structures that no fit will see."""

from ase import Atoms

from scalebridge.contracts import Dataset, Host, Validity
from scalebridge.foundation import hash_file, random_stream
from scalebridge.oracle import CalculatorSpec, Labeller, LabelStore, relax
from scalebridge.pipeline.locations import correction_path
from scalebridge.pipeline.recipe import Recipe
from scalebridge.pipeline.stage import StageContext
from scalebridge.pipeline.stages.frames import write_frames
from scalebridge.sampling import HostCell, Perturbation, ideal_structures

THINNING = 4
"""Every fourth step of a relaxation becomes a training structure."""


def compute(context: StageContext) -> None:
    """Relax the phases, perturb random arrangements, label all, split off the held-out structures."""
    recipe = context.recipe
    host = context.load("host", Host)
    for remark in recipe.oracle.remarks:
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
    save_dataset(context, host, training, held_out, failed=len(batch.failures))


def make_labeller(context: StageContext, recipe: Recipe) -> Labeller:
    """Return the recipe's calculator with its store; a relative store lies in the run folder."""
    section = recipe.oracle
    local = "://" not in section.store
    store = LabelStore(str(context.run_folder / section.store) if local else section.store)
    return Labeller(
        spec=_reference(recipe),
        store=store,
        workers=section.workers,
        max_failed_fraction=section.max_failed_fraction,
    )


def _reference(recipe: Recipe) -> CalculatorSpec:
    section = recipe.oracle
    if section.correction is None:
        return CalculatorSpec(section.calculator, section.arguments)
    path = correction_path(section.correction, recipe.host.name)
    correction = CalculatorSpec(
        "scalebridge.potential.calculator:correction", {"sha256": hash_file(path)}, {"path": str(path)}
    )
    return CalculatorSpec(section.calculator, section.arguments, plus=(correction,))


def state_failures(count: int) -> str:
    """Say how many calculations gave no label."""
    return f"reference calculations that failed twice and were set aside: {count}"


def save_dataset(
    context: StageContext, host: Host, training: list[Atoms], held_out: list[Atoms], *, failed: int
) -> None:
    """Write the frames and their ``Dataset``."""
    spec = make_labeller(context, context.recipe).spec
    context.save(
        Dataset(
            provenance=context.provenance(),
            validity=Validity(remarks=context.recipe.oracle.remarks),
            citations=("larsen2017", "bitzek2006", *spec.citations),
            training=write_frames(context.folder / "training.extxyz", training),
            training_size=len(training),
            held_out=write_frames(context.folder / "held_out.extxyz", held_out),
            held_out_size=len(held_out),
            species=tuple(sorted({host.ion, *host.phases[0].framework.symbols})),
            level_of_theory=str(spec),
            calculator_hash=spec.content_hash,
            failed=failed,
        )
    )


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
        section.compositions,
        section.structures_per_composition,
        repeat=section.repeat,
        seed=recipe.seed,
    )
    return [perturbation.apply(atoms, host.ion, rng) for _, atoms in ideal]
