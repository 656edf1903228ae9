"""Labelling: look in the store, compute the rest, keep what failed, and say so when too much fails."""

from collections.abc import Sequence
from dataclasses import dataclass

from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from scalebridge.foundation import SILENT, InputError, LabelError, Progress
from scalebridge.oracle.calculators import CalculatorSpec
from scalebridge.oracle.evaluation import DEFAULT_LIMITS, LabelLimits, Outcome, evaluate_all
from scalebridge.oracle.store import LabelStore, structure_key


@dataclass(frozen=True)
class LabelFailure:
    """A structure without a label.

    Attributes
    ----------
    index
        Position in the list given to ``label``.
    key
        Under which the store keeps the structure and the reasons.
    reasons
        One line per attempt.
    atoms
        The structure.
    """

    index: int
    key: str
    reasons: tuple[str, ...]
    atoms: Atoms


@dataclass(frozen=True)
class LabelBatch:
    """Labelled structures.

    Attributes
    ----------
    frames
        Copies of the structures with a ``SinglePointCalculator`` (energy, forces, stress), in their order.
    indices
        Position of each frame in the list given to ``label``.
    from_store, computed
        Labels found in the store, and computed now.
    retried
        Labels that came only at the second attempt.
    failures
        What was set aside.
    """

    frames: tuple[Atoms, ...]
    indices: tuple[int, ...]
    from_store: int
    computed: int
    retried: int
    failures: tuple[LabelFailure, ...]


@dataclass(frozen=True)
class Labeller:
    """A reference calculator with its store.

    Attributes
    ----------
    spec
        The calculator.
    store
        Where labels are kept.
    limits
        Sanity limits of a label.
    workers
        Processes; 1 computes in this one.
    max_failed_fraction
        Of a batch; beyond, ``label`` raises.
    tolerated_failures
        A batch with no more failures than this never raises, so that small batches are not judged by one.
    retry_failed
        Whether structures that the store holds as failed are tried again.
    """

    spec: CalculatorSpec
    store: LabelStore
    limits: LabelLimits = DEFAULT_LIMITS
    workers: int = 1
    max_failed_fraction: float = 0.1
    tolerated_failures: int = 1
    retry_failed: bool = False

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise InputError(f"workers = {self.workers}; at least one process is needed")
        if not 0 <= self.max_failed_fraction <= 1:
            raise InputError(f"max_failed_fraction = {self.max_failed_fraction}; it lies between 0 and 1")

    def label(self, structures: Sequence[Atoms], *, progress: Progress = SILENT) -> LabelBatch:
        """Label structures; each label is in the store as soon as it is known.

        Raises
        ------
        LabelError
            If more than ``max_failed_fraction`` of the structures have no label.
        StoreError
            If the store cannot be read or written.
        MissingDependencyError, InputError
            If the calculator cannot be built.
        """
        keys = [structure_key(atoms, self.spec) for atoms in structures]
        known = {key: label.outcome for key, label in self.store.find(dict.fromkeys(keys)).items()}
        if self.retry_failed:
            known = {key: outcome for key, outcome in known.items() if not outcome.failed}
        pending = {key: atoms for key, atoms in zip(keys, structures, strict=True) if key not in known}
        outcomes = dict(known)
        with progress.task("labels", total=len(known) + len(pending)) as task:
            task.advance(len(known), f"{len(known)} from the store")
            for key, outcome in evaluate_all(self.spec, pending, self.limits, workers=self.workers):
                self.store.add(key, pending[key], self.spec, outcome)
                outcomes[key] = outcome
                task.advance(1, "set aside" if outcome.failed else "")
        batch = _collect(structures, keys, outcomes, from_store=set(known))
        self._judge(batch, len(structures))
        return batch

    def _judge(self, batch: LabelBatch, total: int) -> None:
        failed = len(batch.failures)
        if failed <= self.tolerated_failures or failed <= self.max_failed_fraction * total:
            return
        first = batch.failures[0]
        raise LabelError(
            f"{failed} of {total} labels by '{self.spec.target}' failed, more than the limit of "
            f"{100 * self.max_failed_fraction:g} %; first: structure {first.index} "
            f"({first.atoms.get_chemical_formula()}): {first.reasons[-1]}; all are kept, with "
            f"status 'failed', in '{self.store.location}': correct the calculator's settings or structures, "
            "or, if it was the machine that failed, run again with oracle.retry_failed = true"
        )


def _collect(
    structures: Sequence[Atoms], keys: Sequence[str], outcomes: dict[str, Outcome], *, from_store: set[str]
) -> LabelBatch:
    frames, indices, failures = [], [], []
    for index, (atoms, key) in enumerate(zip(structures, keys, strict=True)):
        outcome = outcomes[key]
        if outcome.failed:
            failures.append(LabelFailure(index, key, outcome.reasons, atoms))
        else:
            frames.append(labelled(atoms, outcome))
            indices.append(index)
    good = {key for key, outcome in outcomes.items() if not outcome.failed}
    return LabelBatch(
        frames=tuple(frames),
        indices=tuple(indices),
        from_store=len(good & from_store),
        computed=len(good - from_store),
        retried=sum(bool(outcomes[key].reasons) for key in good - from_store),
        failures=tuple(failures),
    )


def labelled(atoms: Atoms, outcome: Outcome) -> Atoms:
    """Return a copy of a structure that carries its label."""
    frame = atoms.copy()
    results = {"energy": outcome.energy, "forces": outcome.forces}
    if outcome.stress is not None:
        results["stress"] = outcome.stress
    frame.calc = SinglePointCalculator(frame, **results)
    return frame
