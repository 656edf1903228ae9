"""What the active-learning loop is told, and what it keeps of every round."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from scalebridge.foundation import InputError
from scalebridge.potential import ErrorReport, MomentTensorPotential
from scalebridge.sampling.dead_ends import DeadEnd
from scalebridge.sampling.exploration_data import Coverage, ExplorationSettings, WalkerPlan


@dataclass(frozen=True)
class StoppingRule:
    """When the potential knows enough: a quiet round that selects little and follows flat errors, or nothing.

    Attributes
    ----------
    broken_walkers
        A round is quiet when at most this many walkers did not come through or met a grade above ``stop``,
        trials that were not taken included.
    few_selected
        The quiet round that ends the loop selects fewer structures than this; 0: not asked.
    flat_errors
        Held-out errors of energies and forces both changed by no more than this fraction over the two rounds
        before it; 0: not asked, nor where nothing is held out.
    stalled_rounds
        A region of x and volume whose grades stayed above ``stop`` in this many rounds and did not fall,
        though labels were added there in each, gets no more labels (``stopping.stalled``).
    """

    broken_walkers: int = 0
    few_selected: int = 20
    flat_errors: float = 0.05
    stalled_rounds: int = 5

    def __post_init__(self) -> None:
        if min(self.broken_walkers, self.few_selected, self.flat_errors) < 0 or self.stalled_rounds < 2:
            raise InputError(
                f"a stopping rule of {self.broken_walkers} broken walkers, {self.few_selected} selected, "
                f"flat errors within {self.flat_errors:g} and {self.stalled_rounds} stalled rounds; give at "
                "least 0, 0, 0 and 2"
            )


@dataclass(frozen=True)
class LearningSettings:
    """Budget of the loop.

    Attributes
    ----------
    rounds
        At most this many rounds.
    labels_per_round
        At most this many new labels in a round.
    labels
        At most this many new labels in all.
    seconds
        No new round starts after this wall time; infinite by default.
    stopping
        When the loop has converged, and where labels are of no use.
    oracle
        Whether there is a reference calculator. Without one, what was selected is handed to ``label`` too,
        but a structure that comes back without a label is no dead end.
    held_out_every
        Of so many new labels one, drawn at random, is never trained on: it judges what the walkers explore.
        0: none.
    exploration
        How walkers explore.
    """

    rounds: int = 10
    labels_per_round: int = 30
    labels: int = 300
    seconds: float = float("inf")
    stopping: StoppingRule = field(default_factory=StoppingRule)
    oracle: bool = True
    held_out_every: int = 10
    exploration: ExplorationSettings = field(default_factory=ExplorationSettings)

    def __post_init__(self) -> None:
        if min(self.rounds, self.labels_per_round, self.labels) < 1 or self.seconds <= 0:
            raise InputError(
                f"a learning budget of {self.rounds} rounds, {self.labels_per_round} labels per round, "
                f"{self.labels} labels and {self.seconds:g} s holds nothing; every limit must be positive"
            )
        if self.held_out_every < 0 or self.held_out_every == 1:
            raise InputError(
                f"held_out_every {self.held_out_every} leaves no label to learn from; give 0 or at least 2"
            )


@dataclass(frozen=True)
class Cost:
    """Wall times of a round [s]: of all, and of exploring, labelling and fitting."""

    total: float = 0.0
    exploring: float = 0.0
    labelling: float = 0.0
    fitting: float = 0.0


@dataclass(frozen=True, eq=False)
class LearningRound:
    """What one round did.

    Attributes
    ----------
    round
        From 0.
    training_size
        Structures behind the potential that explored.
    visited
        All structures the walkers graded.
    queue
        Structures queued by the walkers.
    chosen, learnt
        Which of the queue were selected, and which of them got a label, (n_queued,) each.
    walkers, restarted, broken_walkers, lost_walkers
        Walkers sent out; those of them that went on from the safe state of a walk that broke; those
        stopped by a grade above ``stop``, and those lost in a dead end.
    loud_walkers
        Those that did not come through, or met a grade above ``stop``.
    stuck_at
        Ion contents at which a walker's trials were all refused, one per such walker.
    errors
        Of the potential that explored, on the held-out structures; None without any.
    explored_errors
        The same on the held-out structures that walkers found in earlier rounds.
    dead_ends
        Structures from which there was no way on.
    held_out
        Number of new labels that no fit sees.
    released
        Regions given up before that the potential of this round knows, as their dead ends.
    cost
        Wall times.
    """

    round: int
    training_size: int
    visited: Coverage
    queue: Coverage
    chosen: NDArray[np.bool_]
    learnt: NDArray[np.bool_]
    walkers: int
    restarted: int
    broken_walkers: int
    lost_walkers: int
    loud_walkers: int
    stuck_at: tuple[int, ...]
    errors: ErrorReport | None
    explored_errors: ErrorReport | None = None
    dead_ends: tuple[DeadEnd, ...] = ()
    released: tuple[DeadEnd, ...] = ()
    held_out: int = 0
    cost: Cost = Cost()

    @property
    def largest_grade(self) -> float:
        """Largest grade met by any walker."""
        return float(self.visited.grade.max(initial=0.0))

    @property
    def queued(self) -> int:
        """Number of structures queued by the walkers."""
        return len(self.chosen)

    @property
    def selected(self) -> int:
        """Number of them that were selected for labelling."""
        return int(self.chosen.sum())

    @property
    def labelled(self) -> int:
        """Number of new labels."""
        return int(self.learnt.sum())

    @property
    def failed(self) -> int:
        """Number of structures that a reference calculator left without a label."""
        return sum(end.kind == "label" for end in self.dead_ends)

    def above(self, grade: float) -> float:
        """Return the fraction of graded structures above a grade."""
        return float(np.mean(self.visited.grade > grade)) if len(self.visited.grade) else 0.0


@dataclass(frozen=True)
class LearningState:
    """Everything the loop needs to go on: potential, training structures (labelled), rounds so far."""

    potential: MomentTensorPotential
    training: tuple[Atoms, ...]
    history: tuple[LearningRound, ...] = ()
    wanted: tuple[Atoms, ...] = ()
    """Selected structures with no oracle to label them; ``info["grade"]`` is their grade."""
    converged: bool = False
    """True once a quiet round met the stopping rule."""
    reason: str = ""
    """Why the loop ended, a sentence; empty while it goes on."""
    restarts: tuple[tuple[int, WalkerPlan], ...] = ()
    """Walks that broke in the last round, as number of their plan and plan from their last safe state."""
    given_up: Mapping[tuple[float, int], DeadEnd] = field(default_factory=dict)
    """Regions (``stopping``) in which no more labels are bought, as they do not lower the grades there, each
    with its worst structure."""
    explored: tuple[Atoms, ...] = ()
    """Labelled structures that walkers found and no fit sees."""

    @property
    def labels(self) -> int:
        """Labels added by the loop."""
        return sum(entry.labelled for entry in self.history)

    @property
    def dead_ends(self) -> tuple[DeadEnd, ...]:
        """All dead ends so far."""
        return tuple(dead_end for entry in self.history for dead_end in entry.dead_ends)
