"""What reference labels and trained potentials leave behind."""

from typing import Annotated

from pydantic import Field

from scalebridge.contracts.base import Array, Contract, Record
from scalebridge.foundation.units import Axes, Unit


class FileReference(Record):
    """A file beside the contract's JSON."""

    name: str
    sha256: str


class Dataset(Contract):
    """Labelled structures."""

    training: FileReference
    """extxyz with energies [eV], forces [eV/Å] and stresses [eV/Å³]."""
    training_size: int
    held_out: FileReference
    held_out_size: int
    species: tuple[str, ...]
    level_of_theory: str
    """The calculator as named in the recipe, with its arguments."""
    calculator_hash: str
    """Of the calculator, or of the file of given labels."""
    failed: int
    """Structures set aside because their calculation failed twice."""
    target: str | None = None
    """Level of theory (``level`` in the files) that is aimed at; None where all labels are of one."""
    metal: FileReference | None = None
    """Labelled structures of the ion's metal, where no calculator is there for them."""


class ErrorSummary(Record):
    """Root mean square and mean absolute errors on structures that no fit saw."""

    energy_rmse: Annotated[float, Unit("J")]
    """Per atom."""
    energy_mae: Annotated[float, Unit("J")]
    """Per atom."""
    force_rmse: Annotated[float, Unit("J.m-1")]
    """Per component."""
    force_mae: Annotated[float, Unit("J.m-1")]
    """Per component."""
    stress_rmse: Annotated[float, Unit("Pa")]
    structures: int


class LearningStep(Record):
    """One round of active learning."""

    round: int
    training_size: int
    largest_grade: Annotated[float, Unit("1")]
    """Largest extrapolation grade met by a walker in the round that followed."""
    broken_walkers: int
    errors: ErrorSummary
    """On the held-out structures."""


class WantedState(Record):
    """A sampled state that an oracle should label, where there was none to do so."""

    x: Annotated[float, Unit("1")]
    volume: Annotated[float, Unit("m3")]
    """Per formula unit."""
    atoms: int
    grade: Annotated[float, Unit("1")]
    """Extrapolation grade."""


class LearningHistory(Contract):
    """What active learning did, and the potential it ended with."""

    steps: tuple[LearningStep, ...]
    break_grade: Annotated[float, Unit("1")]
    """Extrapolation grade above which walkers stopped."""
    converged: bool
    """True if all walkers came through a full round and met nothing above that grade, trials included."""
    reason: str
    """Why it ended, in plain words."""
    potential: FileReference
    """The last potential, the start of the final fits."""
    wanted: FileReference | None = None
    """Structures (extxyz) that active learning chose for a label, where the recipe has no oracle."""
    wanted_states: tuple[WantedState, ...] = ()
    """What they are, in the file's order."""


class VerificationRun(Record):
    """One run of molecular dynamics with the best estimate, in a cell larger than any labelled one."""

    x: Annotated[float, Unit("1")]
    temperature: Annotated[float, Unit("K")]
    atoms: int
    duration: Annotated[float, Unit("s")]
    largest_grade: Annotated[float, Unit("1")]
    median_grade: Annotated[float, Unit("1")]
    fraction_above: Annotated[float, Unit("1")]
    """Of the states, with a grade above the break grade."""
    volume: Annotated[float, Unit("m3")]
    """Per formula unit, mean over the second half."""


class VerificationRuns(Contract):
    """Whether the potential knows what it meets in large cells."""

    runs: tuple[VerificationRun, ...]
    largest_labelled_cell: int
    """Atoms."""
    break_grade: Annotated[float, Unit("1")]
    worst: FileReference
    """State of the largest grade of each run (extxyz), in the runs' order."""


class PotentialCard(Contract):
    """A committee of moment tensor potentials."""

    members: Annotated[tuple[FileReference, ...], Field(min_length=2)]
    """Member 0 is the best estimate; the others are the committee."""
    species: tuple[str, ...]
    level: int
    cutoff: Annotated[float, Unit("m")]
    min_distance: Annotated[float, Unit("m")]
    """Shortest pair distance of the training data; configurations below are refused."""
    condition_number: Annotated[float, Unit("1")]
    """Of the regularised linear problem of member 0."""
    selection: FileReference
    """Labelled structures the extrapolation grade refers to (the active set)."""
    metal: FileReference | None = None
    """A potential of the ion's metal, fitted to given labels of it; None where a calculator was there."""
    metal_errors: ErrorSummary | None = None
    """Its errors on the labels it was fitted to, each left out in turn in one of five parts."""
    errors: tuple[ErrorSummary, ...]
    """One per member."""
    learning: tuple[LearningStep, ...]
    break_grade: Annotated[float, Unit("1")]
    """Extrapolation grade above which walkers stopped."""
    converged: bool
    """True if all walkers came through a full round and met nothing above that grade, trials included."""
    committee_coverage: Annotated[float, Unit("1")]
    """Fraction of held-out energy errors inside the committee's 90 % band."""
    parity_reference_energy: Annotated[Array, Unit("J"), Axes("held_out")]
    """Per atom."""
    parity_predicted_energy: Annotated[Array, Unit("J"), Axes("member", "held_out")]
    """Per atom."""
    parity_reference_force: Annotated[Array, Unit("J.m-1"), Axes("force")]
    """A random sample of force components."""
    parity_predicted_force: Annotated[Array, Unit("J.m-1"), Axes("force")]
    """The same components by member 0."""
