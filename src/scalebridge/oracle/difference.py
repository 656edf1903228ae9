"""Labels minus what another calculator says, to which a correction of that calculator is fitted."""

from collections.abc import Sequence

from ase import Atoms

from scalebridge.foundation import SILENT, InputError, LabelError, Progress
from scalebridge.oracle.calculators import CalculatorSpec
from scalebridge.oracle.evaluation import DEFAULT_LIMITS, Outcome, evaluate_all
from scalebridge.oracle.labelling import labelled


def label_differences(
    frames: Sequence[Atoms], baseline: CalculatorSpec, *, workers: int = 1, progress: Progress = SILENT
) -> list[Atoms]:
    """Return copies of labelled structures whose labels are differences to a baseline (Δ-learning).

    A potential fitted to them, added to the baseline, reproduces the labels at the baseline's cost
    [Ramakrishnan et al., J. Chem. Theory Comput. 11, 2087 (2015)].

    Parameters
    ----------
    frames
        Structures with energy [eV], forces [eV/Å] and, where known, stress [eV/Å³].
    baseline
        The calculator to subtract.
    workers
        Processes.

    Raises
    ------
    InputError
        If a structure has no label.
    LabelError
        If the baseline fails on a structure.
    """
    for index, atoms in enumerate(frames):
        if not {"energy", "forces"} <= set(getattr(atoms.calc, "results", None) or {}):
            raise InputError(f"structure {index} has no energy and forces to subtract from; label it first")
    structures = {str(index): atoms for index, atoms in enumerate(frames)}
    differences: dict[int, Atoms] = {}
    with progress.task("baseline", total=len(frames)) as task:
        for key, outcome in evaluate_all(baseline, structures, DEFAULT_LIMITS, workers=workers):
            if outcome.failed:
                raise LabelError(
                    f"'{baseline}' failed on structure {key} ({structures[key].get_chemical_formula()}): "
                    f"{outcome.reasons[-1]}; leave it out"
                )
            differences[int(key)] = _difference(structures[key], outcome)
            task.advance()
    return [differences[index] for index in range(len(frames))]


def _difference(atoms: Atoms, baseline: Outcome) -> Atoms:
    own = atoms.calc.results
    stress = None
    if own.get("stress") is not None and baseline.stress is not None:
        stress = own["stress"] - baseline.stress
    return labelled(atoms, Outcome(own["energy"] - baseline.energy, own["forces"] - baseline.forces, stress))
