"""What a stage leaves behind about itself: ``stage.json``."""

import importlib.metadata
import platform
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, ValidationError

from scalebridge.contracts import Record, first_problem
from scalebridge.foundation import StoreError, hash_file
from scalebridge.foundation.units import Unit
from scalebridge.pipeline.units import FOLDER as UNITS_FOLDER

FILE: Final = "stage.json"
_PACKAGES: Final = (
    "scalebridge",
    "numpy",
    "scipy",
    "ase",
    "spglib",
    "numba",
    "scikit-sundae",
    "chgnet",
    "torch",
)

Status = Literal["running", "done", "failed", "interrupted"]


class Manifest(Record):
    """State of one stage of one run folder."""

    stage: str
    key: str
    """Hash of the recipe's sections, the stage's version and the parents' keys and tokens."""
    token: str
    """Fresh whenever the stage is computed: children of another token are out of date."""
    status: Status
    started: str
    """ISO 8601, UTC."""
    wall_time: Annotated[float, Unit("s")] = 0.0
    """Of the last attempt."""
    expected_time: Annotated[float | None, Unit("s")] = None
    """Wall time of the last attempt that ran to its end, for estimates."""
    reused_units: int = 0
    """Units taken over from an attempt that was stopped."""
    warnings: tuple[str, ...] = ()
    """What the reader must know; the stage is sound."""
    unsound: tuple[str, ...] = ()
    """Why the stage's results must not be trusted; the run ends with exit code 2."""
    error: str | None = None
    outputs: dict[str, str] = Field(default_factory=dict)
    """File in the stage folder → SHA-256."""
    parents: dict[str, str] = Field(default_factory=dict)
    """Parent stage → its token."""
    recipe_hash: str = ""
    versions: dict[str, str] = Field(default_factory=dict)

    @property
    def sound(self) -> bool:
        """Whether the stage ended, with results that can be trusted."""
        return self.status == "done" and not self.unsound

    def save(self, folder: Path) -> None:
        """Write ``stage.json`` into the stage's folder, whole or not at all."""
        path = folder / FILE
        temporary = path.with_suffix(".part")
        try:
            temporary.write_text(self.model_dump_json(indent=1) + "\n")
            temporary.replace(path)
        except OSError as error:
            raise StoreError(f"{path}: cannot be written ({error.strerror}); choose another --out") from error

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """Return the manifest of a stage folder, or None if there is none."""
        path = folder / FILE
        try:
            return cls.model_validate_json(path.read_text())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except ValidationError as error:
            raise StoreError(
                f"{path}: damaged or of another version ({first_problem(error)}); "
                f"delete the folder {folder} to compute the stage again"
            ) from None

    def outputs_intact(self, folder: Path) -> bool:
        """Whether every output is there and unchanged."""
        files = ((folder / name, digest) for name, digest in self.outputs.items())
        return all(path.is_file() and hash_file(path) == digest for path, digest in files)


def collect_outputs(folder: Path) -> dict[str, str]:
    """Return relative path → SHA-256 of every output in a stage folder."""
    outputs = {}
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if path.is_file() and relative.parts[0] not in (UNITS_FOLDER, FILE) and path.suffix != ".part":
            outputs[relative.as_posix()] = hash_file(path)
    return outputs


@cache
def code_version() -> str:
    """Return the installed version of scalebridge."""
    return importlib.metadata.version("scalebridge")


def package_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that decide numbers, as far as installed."""
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
