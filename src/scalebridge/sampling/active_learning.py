"""The active-learning loop: explore, select, label, refit, until no walker leaves what the potential knows.

The scheme of Podryabinkin and Shapeev, Comput. Mater. Sci. 140, 171 (2017), with walkers over all ion
contents: the round is the unit of work, its state goes in and comes out as plain objects. The loop has
converged when in one round every walker reached the other end of x and no structure it graded, trials that
were not taken included, lay above ``stop``.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from ase import Atoms

from scalebridge.foundation import SILENT, InputError, Progress
from scalebridge.potential import ActiveSet, ErrorReport, MomentTensorPotential, evaluate_errors, select
from scalebridge.sampling.exploration import (
    Exploration,
    ExplorationSettings,
    ExplorationTask,
    WalkerPlan,
    explore,
    tasks_for_round,
)
from scalebridge.sampling.grading import Grader
from scalebridge.sampling.model import EnergyModel, PotentialModel

Label = Callable[[Sequence[Atoms]], Sequence[Atoms]]
"""Returns labelled copies of structures; those that failed are left out."""
Refit = Callable[[Sequence[Atoms], MomentTensorPotential], MomentTensorPotential]
"""Fits to the training structures, starting from a potential."""
Map = Callable[[Callable[[ExplorationTask], Exploration], Iterable[ExplorationTask]], Iterable[Exploration]]
"""The built-in ``map``, or one that spreads walkers over processes."""


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
    exploration
        How walkers explore.
    """

    rounds: int = 10
    labels_per_round: int = 30
    labels: int = 300
    seconds: float = float("inf")
    exploration: ExplorationSettings = field(default_factory=ExplorationSettings)

    def __post_init__(self) -> None:
        if min(self.rounds, self.labels_per_round, self.labels) < 1 or self.seconds <= 0:
            raise InputError(
                f"a learning budget of {self.rounds} rounds, {self.labels_per_round} labels per round, "
                f"{self.labels} labels and {self.seconds:g} s holds nothing; every limit must be positive"
            )


@dataclass(frozen=True)
class LearningRound:
    """What one round did.

    Attributes
    ----------
    round
        From 0.
    training_size
        Structures behind the potential that explored.
    largest_grade
        Largest grade met by any walker.
    walkers, broken_walkers
        Walkers sent out, and those stopped by a grade above ``stop``.
    stuck_at
        Ion contents at which a walker's trials were all refused, one per such walker.
    queued, labelled, failed
        Structures queued by the walkers; labelled and added to the training; selected without getting a
        label.
    errors
        Of the potential that explored, on the held-out structures; None without any.
    seconds
        Wall time.
    """

    round: int
    training_size: int
    largest_grade: float
    walkers: int
    broken_walkers: int
    stuck_at: tuple[int, ...]
    queued: int
    labelled: int
    failed: int
    errors: ErrorReport | None
    seconds: float


@dataclass(frozen=True)
class LearningState:
    """Everything the loop needs to go on: potential, training structures (labelled), rounds so far."""

    potential: MomentTensorPotential
    training: tuple[Atoms, ...]
    history: tuple[LearningRound, ...] = ()
    wanted: tuple[Atoms, ...] = ()
    """Selected structures with nothing there to label them; ``info["grade"]`` is their grade."""
    converged: bool = False
    """True once in a full round all walkers came through and no grade lay above ``stop``."""
    reason: str = ""
    """Why the loop ended, a sentence; empty while it goes on."""

    @property
    def labels(self) -> int:
        """Labels added by the loop."""
        return sum(entry.labelled for entry in self.history)


@dataclass(frozen=True)
class PotentialTools:
    """The potential room's services, replaceable for other kinds of potentials."""

    model: Callable[[MomentTensorPotential], EnergyModel] = PotentialModel
    active_set: Callable[[MomentTensorPotential, Sequence[Atoms]], ActiveSet] = ActiveSet.from_frames
    grader: Callable[[ActiveSet, MomentTensorPotential], Grader] = ActiveSet.grader
    select: Callable[..., list[int]] = select
    evaluate: Callable[[MomentTensorPotential, Sequence[Atoms]], ErrorReport] = evaluate_errors


MTP_TOOLS = PotentialTools()


def learn(
    state: LearningState,
    plans: Sequence[WalkerPlan],
    *,
    label: Label | None,
    refit: Refit,
    held_out: Sequence[Atoms] = (),
    settings: LearningSettings | None = None,
    seed: int = 0,
    map_walkers: Map = map,
    on_round: Callable[[LearningState], None] = lambda state: None,
    tools: PotentialTools = MTP_TOOLS,
    progress: Progress = SILENT,
) -> LearningState:
    """Run rounds until one is converged, or the budget ends; ``converged`` and ``reason`` say which.

    Parameters
    ----------
    state
        Start, or what ``on_round`` last kept: a loop that died continues from it.
    plans
        Walkers of every round (``walker_plans``).
    label, refit
        See ``Label``, ``Refit``. Without ``label`` nothing can be learnt: the loop ends after a round, with
        the structures that should be labelled in ``wanted``.
    held_out
        Labelled structures that no fit sees.
    settings
        Budget and exploration.
    seed
        Random numbers depend on it, the round and the walker only.
    map_walkers
        Maps ``explore`` over tasks.
    on_round
        Called with the state after every round.
    tools
        Model, active set, selection and errors of the potential.
    progress
        Where to report.

    Raises
    ------
    InputError
        Without walkers or training structures.
    """
    if not plans or not state.training:
        raise InputError(
            f"active learning with {len(plans)} walkers and {len(state.training)} training structures; give "
            "both"
        )
    settings = settings or LearningSettings()
    began = time.monotonic()
    with progress.task("active learning", total=settings.rounds) as bar:
        while not state.reason:
            state = spent(state, settings, time.monotonic() - began)
            if state.reason:
                break
            state = learn_round(
                state,
                plans,
                label=label,
                refit=refit,
                held_out=held_out,
                settings=settings,
                seed=seed,
                map_walkers=map_walkers,
                tools=tools,
            )
            last = state.history[-1]
            note = f"largest grade {last.largest_grade:.3g}, {last.broken_walkers} stopped"
            bar.advance(note=f"{note}, {last.labelled} labels")
            on_round(state)
    return state


def spent(state: LearningState, settings: LearningSettings, seconds: float = 0.0) -> LearningState:
    """Return the state with the reason to end if a budget is used up."""
    for used, budget in (
        (len(state.history) >= settings.rounds, f"{settings.rounds} rounds"),
        (state.labels >= settings.labels, f"{settings.labels} labels"),
        (seconds > settings.seconds, f"{settings.seconds:g} s"),
    ):
        if used:
            last = f"; {_met(state.history[-1])}" if state.history else ""
            return replace(state, reason=f"the budget of {budget} ended{last}")
    return state


def _met(last: LearningRound) -> str:
    """Return in words how far a round was from convergence."""
    words = f"its last round met grades up to {last.largest_grade:.3g}"
    if last.broken_walkers:
        words += f", {last.broken_walkers} of {last.walkers} walkers were stopped"
    if last.stuck_at:
        places = ", ".join(str(ions) for ions in sorted(set(last.stuck_at)))
        words += f", {len(last.stuck_at)} of {last.walkers} found no way past {places} ions in the cell"
    return words


def learn_round(
    state: LearningState,
    plans: Sequence[WalkerPlan],
    *,
    label: Label | None,
    refit: Refit,
    held_out: Sequence[Atoms],
    settings: LearningSettings,
    seed: int,
    map_walkers: Map,
    tools: PotentialTools = MTP_TOOLS,
) -> LearningState:
    """Run one round; the arguments are those of ``learn``."""
    began = time.monotonic()
    number = len(state.history)
    potential = state.potential
    active = tools.active_set(potential, state.training)
    tasks = tasks_for_round(
        tools.model(potential),
        tools.grader(active, potential),
        plans,
        settings.exploration,
        seed=seed,
        round=number,
    )
    walks = list(map_walkers(explore, tasks))
    largest = max(walk.largest_grade for walk in walks)
    known = largest <= settings.exploration.stop and all(walk.end != "stopped" for walk in walks)
    converged = known and all(walk.end == "through" for walk in walks)
    queue = [atoms for walk in walks for atoms in walk.queue]
    chosen: list[int] = []
    if queue and not converged:
        limit = min(settings.labels_per_round, settings.labels - state.labels)
        chosen = tools.select(potential, active, queue, limit=limit)
    asked = [queue[index] for index in chosen]
    new = list(label(asked)) if asked and label else []
    training = (*state.training, *new)
    entry = LearningRound(
        round=number,
        training_size=len(state.training),
        largest_grade=largest,
        walkers=len(walks),
        broken_walkers=sum(walk.end == "stopped" for walk in walks),
        stuck_at=tuple(walk.contents[-1] for walk in walks if walk.end == "stuck"),
        queued=len(queue),
        labelled=len(new),
        failed=len(chosen) - len(new) if label else 0,
        errors=tools.evaluate(potential, held_out) if held_out else None,
        seconds=0.0,
    )
    reason = ""
    if converged:
        reason = "all walkers came through and met no grade above that at which they stop, in a full round"
    elif label is None:
        reason = (
            f"there is nothing to label with; {_met(entry)}, and {len(asked)} structures should be labelled"
        )
    elif new:
        potential = refit(training, potential)
    elif not known:
        reason = f"no new structure could be labelled; {_met(entry)}"
    # Where walkers were only stuck, with nothing to learn, the next round's random numbers may find a way.
    entry = replace(entry, seconds=time.monotonic() - began)
    wanted = () if label else tuple(asked)
    return LearningState(potential, training, (*state.history, entry), wanted, converged, reason)
