"""A run folder: where things lie, its lock, its log, and the state of its stages."""

import contextlib
import fcntl
import logging
import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from scalebridge.foundation import StoreError, hash_json
from scalebridge.pipeline.manifest import Manifest, code_version
from scalebridge.pipeline.recipe import Recipe
from scalebridge.pipeline.stage import Stage
from scalebridge.pipeline.units import FOLDER as UNITS_FOLDER
from scalebridge.pipeline.units import count_units

LOGGER: Final = logging.getLogger("scalebridge.pipeline")

State = Literal["up to date", "missing", "out of date", "running", "interrupted", "failed"]


@dataclass(frozen=True)
class RunFolder:
    """Paths of a run."""

    path: Path

    @property
    def recipe(self) -> Path:
        """The resolved recipe."""
        return self.path / "recipe.toml"

    @property
    def log(self) -> Path:
        """Everything that happened, tracebacks included."""
        return self.path / "log.txt"

    @property
    def report(self) -> Path:
        """The report."""
        return self.path / "report.html"

    @property
    def lock_file(self) -> Path:
        """Held by the process that runs in this folder."""
        return self.path / ".lock"

    def stage(self, name: str) -> Path:
        """Return a stage's folder."""
        return self.path / name

    def units(self, name: str) -> Path:
        """Return the folder of a stage's finished units."""
        return self.stage(name) / UNITS_FOLDER

    def create(self) -> None:
        """Make the folder.

        Raises
        ------
        StoreError
            If it cannot be made or written to.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.lock_file.touch()
        except OSError as error:
            raise StoreError(
                f"run folder {self.path} cannot be written ({error.strerror}); choose another with --out"
            ) from None

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other runs out. The system drops the lock of a process that dies, so none goes stale.

        Raises
        ------
        StoreError
            If another process runs in this folder.
        """
        with self.lock_file.open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise StoreError(
                    f"run folder {self.path} is in use by {_owner(self.lock_file)}; wait for that run, stop "
                    "it, or choose another folder with --out"
                ) from None
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()} since {now()}\n")
            file.flush()
            yield

    def in_use(self) -> bool:
        """Whether a process runs in this folder now."""
        try:
            with self.lock_file.open() as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False

    @contextlib.contextmanager
    def logging(self) -> Iterator[None]:
        """Append this run's messages, and Python's warnings, to ``log.txt`` instead of the terminal."""
        handler = logging.FileHandler(self.log, encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        loggers = (LOGGER, logging.getLogger("py.warnings"))
        for logger in loggers:
            logger.addHandler(handler)
            logger.propagate = False
        LOGGER.setLevel(logging.INFO)
        logging.captureWarnings(True)
        try:
            yield
        finally:
            logging.captureWarnings(False)
            for logger in loggers:
                logger.removeHandler(handler)
                logger.propagate = True
            handler.close()


@dataclass(frozen=True)
class StageState:
    """What is known of one stage of a run folder."""

    stage: Stage
    state: State
    manifest: Manifest | None
    finished_units: int = 0


def inspect_run(path: Path, recipe: Recipe, stages: Sequence[Stage]) -> list[StageState]:
    """Return the state of every stage; computes and changes nothing."""
    folder = RunFolder(path)
    running = folder.in_use()
    found: list[StageState] = []
    current: dict[str, Manifest] = {}
    for stage in stages:
        manifest = Manifest.load(folder.stage(stage.name))
        state = _state(folder, stage, manifest, stage_key(stage, recipe, current), running=running)
        if manifest is not None and state == "up to date":
            current[stage.name] = manifest
        found.append(StageState(stage, state, manifest, count_units(folder.units(stage.name))))
    return found


def stage_key(stage: Stage, recipe: Recipe, parents: dict[str, Manifest]) -> str | None:
    """Return the hash of all a stage depends on, or None while a parent is not up to date."""
    if any(name not in parents for name in stage.parents):
        return None
    return hash_json(
        {
            "stage": stage.name,
            "version": stage.version,
            "code": code_version(),
            "recipe": recipe.part(stage.sections),
            "parents": {name: [parents[name].key, parents[name].token] for name in stage.parents},
        }
    )


def _state(
    folder: RunFolder, stage: Stage, manifest: Manifest | None, key: str | None, *, running: bool
) -> State:
    if manifest is None:
        return "missing"
    if manifest.status == "running":
        return "running" if running else "interrupted"
    if manifest.status != "done":
        return manifest.status
    if manifest.key != key:
        return "out of date"
    return "up to date" if manifest.outputs_intact(folder.stage(stage.name)) else "missing"


def now() -> str:
    """Return the time, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _owner(path: Path) -> str:
    return path.read_text().strip() or "another process"
