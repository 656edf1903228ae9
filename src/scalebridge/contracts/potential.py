"""What reference labels and trained potentials leave behind."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from scalebridge.contracts.base import Array, Contract, Record
from scalebridge.foundation.units import Axes, Unit


class FileReference(Record):
    """A file beside the contract's JSON."""

    name: str
    sha256: str


class RelaxedLabel(Record):
    """A labelled structure at rest: what the reference itself says of the host, before any potential."""

    x: Annotated[float, Unit("1")]
    phase: str
    """As the labels name it; empty where they do not."""
    level: str
    """Level of theory, as the labels name it; empty where they do not."""
    space_group: str
    """International symbol."""
    symmetry_tolerance: Annotated[float, Unit("m")]
    volume: Annotated[float, Unit("m3")]
    """Per formula unit."""
    energy: Annotated[float, Unit("J")]
    """Per formula unit, zero as the reference calculator's."""
    largest_force: Annotated[float, Unit("J.m-1")]
    pressure: Annotated[float | None, Unit("Pa")]
    """None where the label has no stress."""


class ReferenceVoltage(Record):
    """Mean voltage between the lowest labelled structures at rest of two ion contents, at 0 K."""

    level: str
    x_low: Annotated[float, Unit("1")]
    x_high: Annotated[float, Unit("1")]
    voltage: Annotated[float, Unit("V")]
    """Against the lowest label of the ion's metal."""


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
    """Structures set aside: their calculation failed twice, or the given label breaks the limits."""
    target: str | None = None
    """Level of theory (``level`` in the files) of the held-out structures; None where all are of one."""
    metal: FileReference | None = None
    """Labelled structures of the ion's metal, where no calculator is there for them."""
    relaxed: tuple[RelaxedLabel, ...] = ()
    """The lowest labelled structure at rest of every level, content and phase."""
    reference_voltages: tuple[ReferenceVoltage, ...] = ()
    """Between them, where the metal is labelled too."""
    explored: FileReference | None = None
    """Held-out structures that walkers of active learning found; no fit sees them either."""
    explored_size: int = 0


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


class CompositionErrors(Record):
    """Errors of the best estimate at one ion content."""

    x: Annotated[float, Unit("1")]
    errors: ErrorSummary


class LearningStep(Record):
    """One round of active learning."""

    round: int
    training_size: int
    """Structures behind the potential that explored in this round."""
    largest_grade: Annotated[float, Unit("1")]
    """Largest extrapolation grade met by a walker, trials that were not taken and cell extremes included."""
    above_save: Annotated[float, Unit("1")]
    """Fraction of the graded structures above the grade from which they are queued."""
    above_break: Annotated[float, Unit("1")]
    """Fraction of the graded structures above the grade at which walkers stop."""
    graded: int
    """Structures graded."""
    walkers: int
    restarted_walkers: int
    """Those of them that went on from the last safe state of a walk that broke in the round before."""
    broken_walkers: int
    """Stopped by a grade above ``break``."""
    lost_walkers: int
    """Ended in a dead end."""
    stuck_walkers: int
    """Found no way to the next ion content."""
    queued: int
    selected: int
    """By D-optimality, of the queued structures."""
    labelled: int
    failed: int
    """Selected structures for which the calculator gave no label."""
    dead_ends: int
    released: int = 0
    """Regions that had been given up and that this round's potential knows."""
    held_out: int = 0
    """New labels that are never trained on."""
    errors: ErrorSummary
    """On the held-out structures."""
    explored_errors: ErrorSummary | None = None
    """On the structures held out of what walkers found in earlier rounds."""


class WantedState(Record):
    """A sampled state that an oracle should label, where there was none to do so."""

    x: Annotated[float, Unit("1")]
    volume: Annotated[float, Unit("m3")]
    """Per formula unit."""
    atoms: int
    grade: Annotated[float, Unit("1")]
    """Extrapolation grade."""


class LearningCoverage(Record):
    """Where the structures of one round lie."""

    round: int
    visited_x: Annotated[Array, Unit("1"), Axes("visited")]
    """Of graded structures, ions per formula unit; evenly thinned where there are many."""
    visited_volume: Annotated[Array, Unit("m3"), Axes("visited")]
    """Per formula unit."""
    visited_grade: Annotated[Array, Unit("1"), Axes("visited")]
    queued_x: Annotated[Array, Unit("1"), Axes("queued")]
    queued_volume: Annotated[Array, Unit("m3"), Axes("queued")]
    queued_grade: Annotated[Array, Unit("1"), Axes("queued")]
    queued_learnt: Annotated[Array, Unit("1"), Axes("queued")]
    """1 where the queued structure was labelled, else 0."""


class LearningDeadEnd(Record):
    """A structure from which there was no way on; the structure itself is in a file of the history."""

    kind: Literal["contact", "cell", "framework", "label", "extrapolation"]
    """An atom fell into another's place, the cell ran away, the framework melted, the calculator gave no
    label, more labels did not lower the grades."""
    reason: str
    """In plain words."""
    round: int
    walker: int
    temperature: Annotated[float, Unit("K")]
    x: Annotated[float, Unit("1")]
    recovered: bool
    """Whether the walker, or the loop, could go on from there."""


class LearningHistory(Contract):
    """What active learning did, and the potential it ended with."""

    SCHEMA_VERSION: ClassVar[int] = 2
    schema_version: int = 2

    steps: tuple[LearningStep, ...]
    coverage: tuple[LearningCoverage, ...]
    """One per step."""
    training_x: Annotated[Array, Unit("1"), Axes("training")]
    """Of the final training structures that hold framework, in their order: first those the loop began with,
    then those of each round."""
    training_volume: Annotated[Array, Unit("m3"), Axes("training")]
    """Per formula unit."""
    dead_ends: tuple[LearningDeadEnd, ...]
    dead_end_structures: FileReference | None = None
    """extxyz, one structure per dead end with what is known of it; None without any."""
    save_grade: Annotated[float, Unit("1")]
    """Extrapolation grade above which structures were queued."""
    break_grade: Annotated[float, Unit("1")]
    """Extrapolation grade above which walkers stopped."""
    converged: bool
    """True if the stopping rule was met: a round without a break that selected little or left errors flat."""
    reason: str
    """Why it ended, in plain words."""
    potential: FileReference
    """The last potential, the start of the final fits."""
    prior: FileReference | None = None
    """The potential of cheaper labels that all fits correct."""
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


class LearningCost(Contract):
    """Wall times of active learning by round; not in the history, whose hash they would change every time."""

    total: Annotated[Array, Unit("s"), Axes("round")]
    exploring: Annotated[Array, Unit("s"), Axes("round")]
    labelling: Annotated[Array, Unit("s"), Axes("round")]
    fitting: Annotated[Array, Unit("s"), Axes("round")]


class PotentialCard(Contract):
    """A committee of moment tensor potentials."""

    SCHEMA_VERSION: ClassVar[int] = 2
    schema_version: int = 2

    members: Annotated[tuple[FileReference, ...], Field(min_length=2)]
    """Member 0 is the best estimate; the others are the committee."""
    species: tuple[str, ...]
    level: int
    cutoff: Annotated[float, Unit("m")]
    min_distance: Annotated[float, Unit("m")]
    """Shortest pair distance of the training data; configurations below are refused."""
    condition_number: Annotated[float, Unit("1")]
    """Of the regularised linear problem of member 0."""
    selections: Annotated[tuple[FileReference, ...], Field(min_length=1)]
    """Labelled structures the extrapolation grade refers to (the active sets): one per member, or a single
    one for all members, where they share the radial functions of member 0."""
    metal: FileReference | None = None
    """A potential of the ion's metal, fitted to given labels of it; None where a calculator was there."""
    metal_errors: ErrorSummary | None = None
    """Its errors on the labels it was fitted to, each left out in turn in one of five parts."""
    errors: tuple[ErrorSummary, ...]
    """One per member."""
    errors_by_x: tuple[CompositionErrors, ...] = ()
    """Of member 0, by ion content."""
    explored_errors: tuple[ErrorSummary, ...] = ()
    """One per member, on the structures held out of what walkers found; empty without any."""
    explored_errors_by_x: tuple[CompositionErrors, ...] = ()
    """The same of member 0, by ion content."""
    learning: tuple[LearningStep, ...]
    break_grade: Annotated[float, Unit("1")]
    """Extrapolation grade above which walkers stopped."""
    converged: bool
    """True if active learning met its stopping rule."""
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
