"""Finished units of work on disk: what a killed run does not have to do again.

Units are pickles. That is acceptable here and only here: they are an internal cache of one run folder,
written and read by the same installation on behalf of the same user, never exchanged, never read by
``status`` or ``report``; each names the key it was made for (stage key, code version, function, item) and is
ignored where that differs; and they are deleted when their stage is done. What leaves a stage is JSON.
"""

import os
import pickle
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from scalebridge.foundation import StoreError, content_key

FOLDER: Final = "units"
_OWNER: Final = "stage_key"


@dataclass(frozen=True)
class FinishedUnit:
    """A result and what it took."""

    key: str
    seconds: float
    result: Any


@dataclass(frozen=True)
class UnitStore:
    """The units of one stage; they survive only as long as the stage's key."""

    folder: Path
    stage_key: str

    def open(self) -> int:
        """Drop units of another stage key; return how many are left to be reused."""
        owner = self.folder / _OWNER
        if self.folder.exists() and (not owner.exists() or owner.read_text() != self.stage_key):
            shutil.rmtree(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        owner.write_text(self.stage_key)
        return count_units(self.folder)

    def key(self, name: str, content: Any) -> str:
        """Return the key of a unit of this stage: ``name`` says which work, ``content`` on what."""
        return content_key((self.stage_key, name, content))

    def load(self, key: str) -> FinishedUnit | None:
        """Return the finished unit, or None if it was never finished or cannot be read."""
        path = self._path(key)
        try:
            with path.open("rb") as file:
                unit = pickle.load(file)
        except FileNotFoundError:
            return None
        except Exception:  # a damaged pickle may raise anything; the unit is then computed again
            path.unlink(missing_ok=True)
            return None
        return unit if isinstance(unit, FinishedUnit) and unit.key == key else None

    def file(self, key: str) -> Path:
        """Return the path of the file in which the unit may keep its state while it runs."""
        return self.folder / f"{key[:32]}.state"

    def save(self, unit: FinishedUnit) -> None:
        """Write the unit; it appears whole or not at all. Its state is removed."""
        path = self._path(unit.key)
        temporary = path.with_suffix(f".part{os.getpid()}")
        try:
            with temporary.open("wb") as file:
                pickle.dump(unit, file, protocol=pickle.HIGHEST_PROTOCOL)
            temporary.replace(path)
            self.file(unit.key).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(
                f"{path.parent}: cannot be written ({error.strerror}); free space or permissions, "
                "then run again to resume"
            ) from error

    def close(self) -> None:
        """Remove all units: their stage is done."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key[:32]}.pickle"


def count_units(folder: Path) -> int:
    """Return the number of finished units in ``folder``."""
    return len(list(folder.glob("*.pickle")))
