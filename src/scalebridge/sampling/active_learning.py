"""The active-learning loop: explore, select, label, refit, until no walker leaves what the potential knows.

The scheme of Podryabinkin and Shapeev, Comput. Mater. Sci. 140, 171 (2017), with walkers over all ion
contents: the round is the unit of work, its state goes in and comes out as plain objects. A round is quiet
when every walker reached the other end of x and no structure it graded, trials that were not taken and cell
extremes included, lay above ``stop``. The loop has converged with a quiet round that selects few new
structures, or with which the held-out errors stayed as they were for two rounds (``StoppingRule``).

One new label of every ten is never trained on: it judges the potential on what walkers explore.

Walks that broke are taken up in the next round, by the new potential, from their last safe state, beside the
walkers from the ends. What stays without label, and regions where labels do not help, are kept as dead ends;
a region is opened again once a refit knows its worst structure.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from ase import Atoms

from scalebridge.foundation import SILENT, InputError, Progress
from scalebridge.potential import ActiveSet, ErrorReport, MomentTensorPotential, evaluate_errors, select
from scalebridge.sampling.dead_ends import DeadEnd, known_structures
from scalebridge.sampling.exploration import explore
from scalebridge.sampling.exploration_data import (
    Coverage,
    Exploration,
    ExplorationTask,
    WalkerPlan,
    tasks_for_round,
)
from scalebridge.sampling.grading import Grader
from scalebridge.sampling.held_out import split_labels
from scalebridge.sampling.learning_data import Cost, LearningRound, LearningSettings, LearningState
from scalebridge.sampling.learning_queue import Queue
from scalebridge.sampling.model import EnergyModel, PotentialModel
from scalebridge.sampling.stopping import converged, nothing_learnt, spent, stalled

Label = Callable[[Sequence[Atoms]], Sequence[Atoms]]
"""Returns labelled copies of structures, in their order; those that failed are left out."""
Refit = Callable[[Sequence[Atoms], MomentTensorPotential], MomentTensorPotential]
"""Fits to the training structures, starting from a potential."""
Map = Callable[[Callable[[ExplorationTask], Exploration], Iterable[ExplorationTask]], Iterable[Exploration]]
"""The built-in ``map``, or one that spreads walkers over processes."""


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
    label: Label,
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
        See ``Label``, ``Refit``.
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


def learn_round(
    state: LearningState,
    plans: Sequence[WalkerPlan],
    *,
    label: Label,
    refit: Refit,
    held_out: Sequence[Atoms],
    settings: LearningSettings,
    seed: int,
    map_walkers: Map,
    tools: PotentialTools = MTP_TOOLS,
) -> LearningState:
    """Run one round; the arguments are those of ``learn``."""
    clock = _Clock()
    active = tools.active_set(state.potential, state.training)
    grader = tools.grader(active, state.potential)
    model = tools.model(state.potential)
    state, released = _released(state, grader, model.species, settings.exploration.stop)
    tasks = _tasks(state, plans, model, grader, settings=settings, seed=seed)
    walks = list(map_walkers(explore, tasks))
    clock.lap("exploring")
    queue = Queue.from_walks(walks, tasks)
    entry = _summary(state, walks, queue.places, stop=settings.exploration.stop)
    errors, explored = (
        tools.evaluate(state.potential, frames) if frames else None for frames in (held_out, state.explored)
    )
    entry = replace(entry, errors=errors, explored_errors=explored, released=released)
    state, entry = _given_up(state, entry, queue, settings)
    limit = min(settings.labels_per_round, settings.labels - state.labels)
    chosen = _choose(state, queue, active, limit=limit, tools=tools)
    entry = replace(entry, chosen=queue.mask(chosen))
    clock.lap("selecting")
    reason = converged(
        (*state.history, entry), settings.stopping, limit=limit, stop=settings.exploration.stop
    )
    if reason:
        history = (*state.history, replace(entry, cost=clock.cost()))
        return replace(state, history=history, converged=True, reason=reason, restarts=())
    asked = [queue.atoms[index] for index in chosen]
    new = list(label(asked)) if asked else []
    clock.lap("labelling")
    entry = queue.labelled(entry, chosen, new, oracle=settings.oracle)
    taught, unseen = split_labels(new, first=state.labels, every=settings.held_out_every, seed=seed)
    entry = replace(entry, held_out=len(unseen))
    training = (*state.training, *taught)
    potential = refit(training, state.potential) if taught else state.potential
    clock.lap("fitting")
    history = (*state.history, replace(entry, cost=clock.cost()))
    reason = "" if new else nothing_learnt(history, settings, state.given_up.values())
    restarts = _restarts(plans, tasks, walks)
    return replace(
        state,
        potential=potential,
        training=training,
        explored=(*state.explored, *unseen),
        history=history,
        wanted=() if settings.oracle else tuple(asked),
        reason=reason,
        restarts=restarts,
    )


class _Clock:
    """Wall times of the parts of a round."""

    def __init__(self) -> None:
        self._began = self._last = time.monotonic()
        self._parts: dict[str, float] = defaultdict(float)

    def lap(self, part: str) -> None:
        """Count the time since the last lap for ``part``."""
        now = time.monotonic()
        self._parts[part] += now - self._last
        self._last = now

    def cost(self) -> Cost:
        """Return the times so far."""
        parts = self._parts
        total = time.monotonic() - self._began
        return Cost(total, parts["exploring"], parts["labelling"], parts["fitting"])


def _tasks(
    state: LearningState,
    plans: Sequence[WalkerPlan],
    model: EnergyModel,
    grader: Grader,
    *,
    settings: LearningSettings,
    seed: int,
) -> list[ExplorationTask]:
    known = known_structures(
        state.training,
        [plan.start for plan in plans],
        model.species,
        strains=[plan.strain for plan in plans],
    )
    head = ExplorationTask(model, grader, plans[0], settings.exploration, seed, len(state.history), 0, known)
    return tasks_for_round(head, plans, state.restarts)


def _summary(
    state: LearningState,
    walks: Sequence[Exploration],
    queue: Coverage,
    *,
    stop: float,
) -> LearningRound:
    """Return the round as it stands before selection."""
    nothing = np.zeros(len(queue.grade), dtype=bool)
    return LearningRound(
        round=len(state.history),
        training_size=len(state.training),
        visited=Coverage.joined([walk.visited for walk in walks]),
        queue=queue,
        chosen=nothing,
        learnt=nothing,
        walkers=len(walks),
        restarted=len(state.restarts),
        broken_walkers=sum(walk.end == "stopped" for walk in walks),
        lost_walkers=sum(walk.end == "lost" for walk in walks),
        loud_walkers=sum(walk.end != "through" or walk.largest_grade > stop for walk in walks),
        stuck_at=tuple(walk.contents[-1] for walk in walks if walk.end == "stuck"),
        errors=None,
        dead_ends=tuple(end for walk in walks for end in walk.dead_ends),
    )


def _given_up(
    state: LearningState, entry: LearningRound, queue: Queue, settings: LearningSettings
) -> tuple[LearningState, LearningRound]:
    """Give up the regions in which labels do not help, each with a structure as a dead end."""
    helpless = stalled(state.history, entry.visited, settings.stopping, settings.exploration.stop)
    helpless = {region: text for region, text in helpless.items() if region in set(queue.regions)}
    found = queue.stalled({region: text for region, text in helpless.items() if region not in state.given_up})
    return (
        replace(state, given_up={**state.given_up, **found}),
        replace(entry, dead_ends=(*entry.dead_ends, *found.values())),
    )


def _released(
    state: LearningState, grader: Grader, species: tuple[str, ...], stop: float
) -> tuple[LearningState, tuple[DeadEnd, ...]]:
    """Open the regions whose worst structure the present potential knows: its grade is below ``stop``."""

    def known(end: DeadEnd) -> bool:
        types = np.array([species.index(symbol) for symbol in end.atoms.symbols], dtype=np.int32)
        cell = np.asarray(end.atoms.cell, dtype=np.float64)
        return grader.grade(types, end.atoms.positions, cell, (True, True, True)) < stop

    released = {region: end for region, end in state.given_up.items() if known(end)}
    kept = {region: end for region, end in state.given_up.items() if region not in released}
    return replace(state, given_up=kept), tuple(released.values())


def _choose(
    state: LearningState, queue: Queue, active: ActiveSet, *, limit: int, tools: PotentialTools
) -> list[int]:
    """Return which queued structures to label: D-optimal, no copies, none from regions given up."""
    open_to = [index for index, region in enumerate(queue.regions) if region not in state.given_up]
    if not open_to:
        return []
    candidates = [queue.atoms[index] for index in open_to]
    return [open_to[index] for index in tools.select(state.potential, active, candidates, limit=limit)]


def _restarts(
    plans: Sequence[WalkerPlan], tasks: Sequence[ExplorationTask], walks: Sequence[Exploration]
) -> tuple[tuple[int, WalkerPlan], ...]:
    """Return for every plan whose walks broke the safe state of the one that went farthest."""
    found: dict[int, WalkerPlan] = {}
    for task, walk in zip(tasks, walks, strict=True):
        if walk.end not in ("stopped", "lost") or walk.safe is None:
            continue
        origin, plan = task.walker % len(plans), task.plan
        ions = len(walk.safe) - len(plan.start.framework)
        known = found.get(origin)
        if known is None or (ions > known.ions) == plan.filling:
            found[origin] = replace(plans[origin], ions=ions, structure=walk.safe)
    return tuple(sorted(found.items(), key=lambda item: item[0]))
