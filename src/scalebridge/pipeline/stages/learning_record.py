"""What the stage ``learning`` keeps of its rounds: contracts, and the structures of dead ends."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import ase.io
import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from scalebridge.contracts import (
    ErrorSummary,
    FileReference,
    LearningCost,
    LearningCoverage,
    LearningDeadEnd,
    LearningStep,
    Provenance,
    WantedState,
)
from scalebridge.foundation import constants, hash_file
from scalebridge.pipeline.stages.potential import error_summary
from scalebridge.sampling import DeadEnd, ExplorationSettings, HostCell, LearningRound, LearningState, place

FloatArray = NDArray[np.float64]

DEAD_ENDS: Final = "dead_ends.extxyz"
MOST_VISITED: Final = 400
"""Graded structures of a round that are kept for the map of x and volume."""
VOLUME: Final = constants.ANGSTROM**3


def learning_step(entry: LearningRound, settings: ExplorationSettings) -> LearningStep:
    """Return a round in numbers."""
    assert entry.errors is not None  # there are always held-out structures
    errors: ErrorSummary = error_summary(entry.errors)
    return LearningStep(
        round=entry.round,
        training_size=entry.training_size,
        largest_grade=entry.largest_grade,
        above_save=entry.above(settings.save),
        above_break=entry.above(settings.stop),
        graded=len(entry.visited.grade),
        walkers=entry.walkers,
        restarted_walkers=entry.restarted,
        broken_walkers=entry.broken_walkers,
        lost_walkers=entry.lost_walkers,
        stuck_walkers=len(entry.stuck_at),
        queued=entry.queued,
        selected=entry.selected,
        labelled=entry.labelled,
        failed=entry.failed,
        dead_ends=len(entry.dead_ends),
        released=len(entry.released),
        held_out=entry.held_out,
        errors=errors,
        explored_errors=None if entry.explored_errors is None else error_summary(entry.explored_errors),
    )


def learning_coverage(entry: LearningRound) -> LearningCoverage:
    """Return where a round's structures lie; of many visited ones an even choice with the largest grade."""
    visited, queue = entry.visited, entry.queue
    kept = np.arange(len(visited.grade))
    if len(kept) > MOST_VISITED:
        even = np.linspace(0, len(kept) - 1, MOST_VISITED - 1).round().astype(int)
        kept = np.unique([*even, int(visited.grade.argmax())])
    return LearningCoverage(
        round=entry.round,
        visited_x=visited.x[kept],
        visited_volume=visited.volume[kept] * VOLUME,
        visited_grade=visited.grade[kept],
        queued_x=queue.x,
        queued_volume=queue.volume * VOLUME,
        queued_grade=queue.grade,
        queued_learnt=entry.learnt.astype(np.float64),
    )


def training_coverage(training: Sequence[Atoms], cell: HostCell) -> tuple[FloatArray, FloatArray]:
    """Return x and volume per formula unit [m³] of the training structures that hold framework."""
    places = [found for atoms in training if (found := place(atoms, cell)) is not None]
    x, volume = np.array(places, dtype=np.float64).reshape(-1, 2).T
    return x, volume * VOLUME


def wanted_state(atoms: Atoms, cell: HostCell) -> WantedState:
    """Return what a structure that should be labelled is."""
    found = place(atoms, cell)
    assert found is not None  # walkers keep the framework
    return WantedState(x=found[0], volume=found[1] * VOLUME, atoms=len(atoms), grade=atoms.info["grade"])


def learning_cost(provenance: Provenance, history: Sequence[LearningRound]) -> LearningCost:
    """Return the rounds' wall times."""
    return LearningCost(
        provenance=provenance,
        total=np.array([entry.cost.total for entry in history]),
        exploring=np.array([entry.cost.exploring for entry in history]),
        labelling=np.array([entry.cost.labelling for entry in history]),
        fitting=np.array([entry.cost.fitting for entry in history]),
    )


def save_dead_ends(
    folder: Path, state: LearningState
) -> tuple[tuple[LearningDeadEnd, ...], FileReference | None]:
    """Write the structures of all dead ends so far, and return the contract's records and file."""
    if not state.dead_ends:
        return (), None
    path = folder / DEAD_ENDS
    ase.io.write(path, [_described(end) for end in state.dead_ends], format="extxyz")
    records = tuple(
        LearningDeadEnd(
            kind=end.kind,
            reason=end.reason,
            round=end.round,
            walker=end.walker,
            temperature=end.temperature,
            x=end.x,
            recovered=end.recovered,
        )
        for end in state.dead_ends
    )
    return records, FileReference(name=DEAD_ENDS, sha256=hash_file(path))


def name_dead_ends(state: LearningState) -> list[str]:
    """Say what the loop did not get past: walkers lost in its last round, and regions given up."""
    last = len(state.history) - 1
    lost = [end for end in state.dead_ends if end.round == last and not end.recovered]
    given_up = list(state.given_up.values())
    texts = []
    if lost:
        first = lost[0]
        texts.append(
            f"{len(lost)} walkers of the last round of active learning were lost in dead ends; first, at "
            f"{first.temperature:g} K and x = {first.x:.3g}: {first.reason} (structures in {DEAD_ENDS})"
        )
    if given_up:
        texts.append(
            f"labels do not help in {len(given_up)} regions, where the potential extrapolates for ever; "
            f"first, {given_up[0].reason} (structures in {DEAD_ENDS}; raise potential.level)"
        )
    return texts


def _described(end: DeadEnd) -> Atoms:
    """Return the structure with what is known of it."""
    atoms = Atoms(end.atoms.symbols, positions=end.atoms.positions, cell=end.atoms.cell, pbc=True)
    atoms.info = {
        "kind": end.kind,
        "reason": end.reason,
        "round": end.round,
        "walker": end.walker,
        "temperature": end.temperature,
        "x": end.x,
        "recovered": end.recovered,
    }
    return atoms
