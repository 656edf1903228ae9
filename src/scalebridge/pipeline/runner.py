"""Run the stages of a recipe in one folder: skip what is up to date, compute the rest, keep what is done."""

import contextlib
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from scalebridge.foundation import SILENT, InputError, Progress, ScalebridgeError, StoreError
from scalebridge.pipeline.executors import Executor, SerialExecutor
from scalebridge.pipeline.manifest import FILE as MANIFEST_FILE
from scalebridge.pipeline.manifest import Manifest, collect_outputs, package_versions
from scalebridge.pipeline.recipe import Recipe
from scalebridge.pipeline.run_folder import LOGGER, RunFolder, StageState, inspect_run, now, stage_key
from scalebridge.pipeline.stage import Stage, StageContext, one_line
from scalebridge.pipeline.units import FOLDER as UNITS_FOLDER
from scalebridge.pipeline.units import UnitStore


class StageError(ScalebridgeError):
    """A stage could not be computed; the message names the stage and what it said."""


class RunMonitor(Protocol):
    """Watches a run; what it shows is the caller's business."""

    def plan(self, states: Sequence[StageState]) -> None:
        """See the stages, as they are found, before anything is computed."""

    def started(self, stage: Stage) -> Progress:
        """See a stage begin; return where its progress goes."""

    def skipped(self, stage: Stage, manifest: Manifest) -> None:
        """See that a stage is up to date."""

    def finished(self, stage: Stage, manifest: Manifest) -> None:
        """See a stage end: done, failed or interrupted."""


class SilentMonitor:
    """Shows nothing."""

    def plan(self, states: Sequence[StageState]) -> None:
        """Show nothing."""

    def started(self, stage: Stage) -> Progress:
        """Report progress nowhere."""
        return SILENT

    def skipped(self, stage: Stage, manifest: Manifest) -> None:
        """Show nothing."""

    def finished(self, stage: Stage, manifest: Manifest) -> None:
        """Show nothing."""


@dataclass(frozen=True)
class RunResult:
    """What a run left, stage by stage."""

    folder: Path
    manifests: dict[str, Manifest]
    computed: tuple[str, ...]
    """Stages computed by this run, the others were up to date."""

    @property
    def sound(self) -> bool:
        """Whether every stage is sound."""
        return all(manifest.sound for manifest in self.manifests.values())

    @property
    def warnings(self) -> tuple[str, ...]:
        """All warnings, each after its stage's name."""
        return tuple(f"{name}: {text}" for name, entry in self.manifests.items() for text in entry.warnings)

    @property
    def unsound(self) -> tuple[str, ...]:
        """All reasons not to trust the results, each after its stage's name."""
        return tuple(f"{name}: {text}" for name, entry in self.manifests.items() for text in entry.unsound)


_SERIAL: Final = SerialExecutor()


def run_stages(
    recipe: Recipe,
    path: Path,
    stages: Sequence[Stage],
    *,
    until: str | None = None,
    executor: Executor = _SERIAL,
    monitor: RunMonitor | None = None,
) -> RunResult:
    """Bring a run folder up to date with a recipe.

    Parameters
    ----------
    recipe
        The resolved recipe; a copy is kept in the folder.
    path
        The run folder; made if it is not there.
    stages
        In an order in which parents come first.
    until
        Last stage to compute (default: all).
    executor
        Where units of work run; the caller closes it.
    monitor
        Watches the run.

    Raises
    ------
    InputError
        If ``until`` names no stage.
    StoreError
        If the folder cannot be written or is in use.
    StageError
        If a stage fails; finished stages and finished units stay.
    """
    chosen = _chosen(stages, until)
    monitor = monitor or SilentMonitor()
    folder = RunFolder(path)
    folder.create()
    with folder.lock(), folder.logging():
        recipe.save(folder.recipe)
        monitor.plan(inspect_run(path, recipe, chosen))
        LOGGER.info("run %s, recipe %s", path, recipe.hash[:12])
        current: dict[str, Manifest] = {}
        computed: list[str] = []
        for stage in chosen:
            manifest = _valid_manifest(folder, stage, recipe, current)
            if manifest is not None:
                monitor.skipped(stage, manifest)
                LOGGER.info("%s: up to date", stage.name)
            else:
                manifest = _compute(folder, stage, recipe, current, executor=executor, monitor=monitor)
                computed.append(stage.name)
            current[stage.name] = manifest
    return RunResult(path, current, tuple(computed))


def _chosen(stages: Sequence[Stage], until: str | None) -> Sequence[Stage]:
    names = [stage.name for stage in stages]
    for index, stage in enumerate(stages):
        if missing := set(stage.parents) - set(names[:index]):
            raise LookupError(f"stage '{stage.name}' needs {sorted(missing)} before it")
    if until is None:
        return stages
    if until not in names:
        raise InputError(f"--until {until}: no such stage; choose one of {', '.join(names)}")
    return stages[: names.index(until) + 1]


def _key(stage: Stage, recipe: Recipe, current: dict[str, Manifest]) -> str:
    key = stage_key(stage, recipe, current)
    if key is None:
        raise LookupError(f"stage '{stage.name}' ran before its parents")
    return key


def _valid_manifest(
    folder: RunFolder, stage: Stage, recipe: Recipe, current: dict[str, Manifest]
) -> Manifest | None:
    stage_folder = folder.stage(stage.name)
    manifest = Manifest.load(stage_folder)
    if manifest is None or manifest.status != "done" or manifest.key != _key(stage, recipe, current):
        return None
    return manifest if manifest.outputs_intact(stage_folder) else None


def _compute(
    folder: RunFolder,
    stage: Stage,
    recipe: Recipe,
    current: dict[str, Manifest],
    *,
    executor: Executor,
    monitor: RunMonitor,
) -> Manifest:
    key = _key(stage, recipe, current)
    stage_folder = folder.stage(stage.name)
    previous = Manifest.load(stage_folder)
    _clear(stage_folder)
    units = UnitStore(folder.units(stage.name), key)
    if left := units.open():
        LOGGER.info("%s: %d finished units from a stopped run", stage.name, left)
    manifest = Manifest(
        stage=stage.name,
        key=key,
        token=secrets.token_hex(16),
        status="running",
        started=now(),
        expected_time=previous.expected_time if previous else None,
        parents={name: current[name].token for name in stage.parents},
        recipe_hash=recipe.hash,
        versions=package_versions(),
    )
    manifest.save(stage_folder)
    context = StageContext(
        stage=stage,
        recipe=recipe.view(stage.sections),
        recipe_hash=recipe.hash,
        folder=stage_folder,
        run_folder=folder.path,
        unit_store=units,
        executor=executor,
        progress=monitor.started(stage),
    )
    with _recorded(context, manifest, monitor):
        stage.compute(context)
    done = Manifest.load(stage_folder)
    if done is None:
        raise StoreError(f"{stage_folder / MANIFEST_FILE} vanished during the run; run again")
    return done


@contextlib.contextmanager
def _recorded(context: StageContext, manifest: Manifest, monitor: RunMonitor) -> Iterator[None]:
    """Write the manifest of a computation, however it ends."""
    name, start = context.stage.name, time.perf_counter()
    try:
        yield
    except BaseException as error:
        status = "failed" if isinstance(error, Exception) else "interrupted"
        ended = _ended(context, manifest, time.perf_counter() - start)
        ended = ended.model_copy(update={"status": status, "error": one_line(error)})
        LOGGER.error("%s: %s", name, status, exc_info=error)
        with contextlib.suppress(StoreError):  # the first error is the one to show
            ended.save(context.folder)
        monitor.finished(context.stage, ended)
        if isinstance(error, Exception):
            raise StageError(
                f"stage '{name}': {one_line(error)} [finished work is kept; details in "
                f"{context.run_folder / 'log.txt'}]"
            ) from error
        raise
    wall_time = time.perf_counter() - start
    context.unit_store.close()
    ended = _ended(context, manifest, wall_time)
    ended = ended.model_copy(
        update={
            "status": "done",
            "expected_time": wall_time if not context.reused_units else manifest.expected_time,
            "outputs": collect_outputs(context.folder),
        }
    )
    ended.save(context.folder)
    LOGGER.info("%s: done in %.1f s, sound: %s", name, wall_time, ended.sound)
    monitor.finished(context.stage, ended)


def _ended(context: StageContext, manifest: Manifest, wall_time: float) -> Manifest:
    for text in context.warnings:
        LOGGER.warning("%s: %s", context.stage.name, text)
    for text in context.unsound_reasons:
        LOGGER.error("%s: not sound: %s", context.stage.name, text)
    return manifest.model_copy(
        update={
            "wall_time": wall_time,
            "reused_units": context.reused_units,
            "warnings": tuple(context.warnings),
            "unsound": tuple(context.unsound_reasons),
        }
    )


def _clear(stage_folder: Path) -> None:
    """Remove a stage's old outputs; its units stay."""
    try:
        stage_folder.mkdir(parents=True, exist_ok=True)
        for path in stage_folder.iterdir():
            if path.name == UNITS_FOLDER:
                continue
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    except OSError as error:
        raise StoreError(
            f"{stage_folder}: cannot be written ({error.strerror}); choose another folder with --out"
        ) from None
