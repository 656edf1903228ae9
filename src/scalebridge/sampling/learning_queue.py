"""What the walkers of a round queued: who found it, what was chosen of it, what got a label."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from scalebridge.sampling.dead_ends import DeadEnd, Kind
from scalebridge.sampling.exploration_data import Coverage, Exploration, ExplorationTask
from scalebridge.sampling.learning_data import LearningRound
from scalebridge.sampling.stopping import Region, regions

UNLABELLED = "the reference calculator gave no label; the label store keeps its reasons"


@dataclass(frozen=True, eq=False)
class Queue:
    """Structures, the tasks that found them, and where they lie."""

    atoms: tuple[Atoms, ...]
    finders: tuple[ExplorationTask, ...]
    places: Coverage

    @classmethod
    def from_walks(cls, walks: Sequence[Exploration], tasks: Sequence[ExplorationTask]) -> Self:
        """Put the queues of all walkers one after the other."""
        return cls(
            tuple(atoms for walk in walks for atoms in walk.queue),
            tuple(task for walk, task in zip(walks, tasks, strict=True) for _ in walk.queue),
            Coverage.joined([walk.queued for walk in walks]),
        )

    @cached_property
    def regions(self) -> list[Region]:
        """Region of x and volume of each structure."""
        return regions(self.places)

    def mask(self, chosen: Iterable[int]) -> NDArray[np.bool_]:
        """Return which structures are among ``chosen``, (n,)."""
        mask = np.zeros(len(self.atoms), dtype=bool)
        mask[list(chosen)] = True
        return mask

    def dead_end(self, index: int, kind: Kind, reason: str) -> DeadEnd:
        """Return a structure as a dead end."""
        task = self.finders[index]
        return DeadEnd(
            kind=kind,
            reason=reason,
            atoms=self.atoms[index],
            round=task.round,
            walker=task.walker,
            temperature=task.plan.temperature,
            x=float(self.places.x[index]),
            recovered=True,
        )

    def stalled(self, reasons: dict[Region, str]) -> dict[Region, DeadEnd]:
        """Return the structure of the largest grade of each stalled region."""
        worst = {self.regions[index]: int(index) for index in np.argsort(self.places.grade)}
        return {
            region: self.dead_end(worst[region], "extrapolation", reason)
            for region, reason in reasons.items()
        }

    def labelled(
        self, entry: LearningRound, chosen: Sequence[int], new: Sequence[Atoms], *, oracle: bool
    ) -> LearningRound:
        """Return the round with what got a label, and what a calculator left without one as dead ends."""
        waiting, found = list(chosen), []
        for atoms in new:
            index = next((n for n in waiting if _same(self.atoms[n], atoms)), None)
            if index is not None:
                waiting.remove(index)
                found.append(index)
        failed = tuple(self.dead_end(index, "label", UNLABELLED) for index in waiting if oracle)
        return replace(entry, learnt=self.mask(found), dead_ends=(*entry.dead_ends, *failed))


def _same(one: Atoms, other: Atoms) -> bool:
    return (
        np.array_equal(one.numbers, other.numbers)
        and np.allclose(one.positions, other.positions, rtol=0, atol=1e-6)
        and np.allclose(one.cell.array, other.cell.array, rtol=0, atol=1e-6)
    )
