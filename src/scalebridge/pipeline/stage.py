"""A stage of the run and what its computation gets to work with."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, final

from scalebridge.contracts import Contract, Provenance
from scalebridge.foundation import SILENT, Progress
from scalebridge.pipeline.executors import Executor, SerialExecutor
from scalebridge.pipeline.manifest import code_version
from scalebridge.pipeline.recipe import Recipe
from scalebridge.pipeline.units import FinishedUnit, UnitStore

Item = TypeVar("Item")
Result = TypeVar("Result")
AnyContract = TypeVar("AnyContract", bound=Contract)


@dataclass(frozen=True)
class Stage:
    """One step of the ladder: what it needs and what it computes.

    Its result is computed again when a section it lists, its version, or a parent changed.
    """

    name: str
    """Also the name of its folder in the run folder."""
    compute: Callable[["StageContext"], None]
    """Loads the parents' contracts, computes, saves its own."""
    parents: tuple[str, ...] = ()
    """Stages whose outputs it loads."""
    sections: tuple[str, ...] = ()
    """Sections of the recipe it reads (``seed`` and ``temperature`` count as such)."""
    version: int = 1
    """Raise it when the computation changes so that old results are wrong."""
    title: str = ""
    """What it does, in a few plain words."""
    weight: float = 1.0
    """Expected wall time [s] of the quick profile on two cores: the first guess of what is left."""


@final
@dataclass
class StageContext:
    """What a stage's computation sees: the recipe, its folder, its parents, helpers for long work."""

    stage: Stage
    recipe: Recipe
    """Only the sections the stage lists are there: any other would escape the cache's key."""
    recipe_hash: str
    folder: Path
    """The stage's own folder; every file left in it is an output."""
    run_folder: Path
    unit_store: UnitStore
    executor: Executor = field(default_factory=SerialExecutor)
    progress: Progress = SILENT
    warnings: list[str] = field(default_factory=list)
    unsound_reasons: list[str] = field(default_factory=list)
    reused_units: int = 0
    _loaded: dict[str, Contract] = field(default_factory=dict)
    _loads_end: bool = False

    @property
    def seed(self) -> int:
        """The recipe's seed; list ``seed`` among the stage's sections."""
        return self.recipe.seed

    def load(self, stage: str, contract: type[AnyContract], name: str | None = None) -> AnyContract:
        """Load a contract of a parent stage.

        Parameters
        ----------
        stage
            One of the stage's parents.
        contract
            Its type; ``Host`` is read from ``host.json``, ``PotentialCard`` from ``potential_card.json``.
        name
            File name without ``.json`` where it is not the type's.
        """
        file = name or contract_name(contract)
        if self._loads_end:
            raise LookupError(
                f"stage '{self.stage.name}' loads {stage}/{file} after it took a provenance of all loaded; "
                "load first, or name the parents"
            )
        loaded = contract.load(self.parent_folder(stage) / f"{file}.json")
        self._loaded[file if file == stage else f"{stage}/{file}"] = loaded
        return loaded

    def parent_folder(self, stage: str) -> Path:
        """Return a parent's folder, for the files beside its contracts."""
        if stage not in self.stage.parents:
            raise LookupError(f"stage '{self.stage.name}' reads '{stage}', which is not among its parents")
        return self.run_folder / stage

    def save(self, contract: Contract, name: str | None = None) -> Path:
        """Save a contract under its type's name in snake case, or under ``name``."""
        return contract.save(self.folder / f"{name or contract_name(type(contract))}.json")

    def provenance(self, parents: Mapping[str, Contract] | None = None) -> Provenance:
        """Return a provenance: code version, recipe hash, parents' hashes.

        Parameters
        ----------
        parents
            What the contract is made from, by name. Left out: all that the stage loads, which it must have
            loaded by then; a later ``load`` is refused.
        """
        if parents is None:
            parents, self._loads_end = self._loaded, True
        hashes = {name: contract.content_hash for name, contract in parents.items()}
        return Provenance(code_version=code_version(), recipe_hash=self.recipe_hash, parents=hashes)

    def warn(self, text: str) -> None:
        """Record, once, what a reader of the results must know; the stage stays sound."""
        if text not in self.warnings:
            self.warnings.append(text)
            self.progress.message(f"{self.stage.name}: {text}")

    def unsound(self, text: str) -> None:
        """Record why the results must not be trusted: the run goes on and ends with exit code 2."""
        if text not in self.unsound_reasons:
            self.unsound_reasons.append(text)
            self.progress.message(f"{self.stage.name}: NOT SOUND: {text}")

    def units(
        self,
        function: Callable[[Item], Result],
        items: Sequence[Item],
        *,
        description: str = "",
        key: Callable[[Item], Any] | None = None,
        own_file: Callable[[Item, Path], Item] | None = None,
    ) -> list[Result]:
        """Map a function over items through the executor; each finished unit is on disk at once.

        Parameters
        ----------
        function
            Top-level function of one picklable argument (a frozen dataclass holds several), or a partial of
            one.
        items
            Its arguments.
        description
            Shown at the bar.
        key
            Plain data that identify an item, where hashing it whole (:func:`content_key`) takes too long.
        own_file
            For units of hours: returns the item with the path of a file in which it may keep its state. The
            file is there again when a stopped run resumes and removed when the unit is finished.

        Returns
        -------
        results
            In the order of ``items``; those finished by a stopped run are read, not computed.
        """
        keys = [self.unit_store.key("unit", (function, key(item) if key else item)) for item in items]
        found = [self.unit_store.load(unit_key) for unit_key in keys]
        results: list[Any] = [unit.result if unit else None for unit in found]
        missing = [index for index, unit in enumerate(found) if unit is None]
        with self.progress.task(description or self.stage.name, len(items)) as task:
            if reused := len(items) - len(missing):
                self.reused_units += reused
                task.advance(reused, "from the stopped run")
            left = [
                own_file(items[index], self.unit_store.file(keys[index])) if own_file else items[index]
                for index in missing
            ]
            for outcome in self.executor.outcomes(function, left):
                index = missing[outcome.index]
                self.unit_store.save(FinishedUnit(keys[index], outcome.seconds, outcome.result))
                results[index] = outcome.result
                task.advance()
        return results

    def checkpoint(self, name: str, compute: Callable[[], Result], *, key: Any = None) -> Result:
        """Return ``compute()``, run in this process and kept on disk until the stage is done.

        For the steps of a sequence (refit after refit) that must not be repeated after a kill. ``name`` and
        ``key`` (plain data) identify the step within the stage.
        """
        unit_key = self.unit_store.key(f"checkpoint {name}", key)
        if (unit := self.unit_store.load(unit_key)) is not None:
            self.reused_units += 1
            kept: Result = unit.result
            return kept
        start = time.perf_counter()
        result = compute()
        self.unit_store.save(FinishedUnit(unit_key, time.perf_counter() - start, result))
        return result


def contract_name(contract: type[Contract]) -> str:
    """Return a contract type's file name: ``PotentialCard`` gives ``potential_card``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", contract.__name__).lower()


def one_line(error: BaseException) -> str:
    """Return an exception as one line; its type is named where the message alone would not explain it."""
    text = " ".join(str(error).split())
    known = type(error).__module__.startswith("scalebridge")
    return text if known and text else f"{type(error).__name__}: {text}"
