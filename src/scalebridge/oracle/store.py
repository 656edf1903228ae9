"""Labels kept by the content of structure and calculator, in an ASE database (SQLite file or PostgreSQL)."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import ase.db
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.db.core import now
from ase.db.row import AtomsRow

from scalebridge.foundation import InputError, MissingDependencyError, StoreError, hash_bytes, hash_json
from scalebridge.oracle.calculators import CalculatorSpec
from scalebridge.oracle.evaluation import Outcome

RESOLUTION: Final = 1e-8
"""Positions and cells that agree to this [Å] are the same structure."""
KEY_LENGTH: Final = 32
SERVER: Final = "postgresql://"


def structure_key(atoms: Atoms, spec: CalculatorSpec) -> str:
    """Return the content hash of a structure together with its calculator, 32 hexadecimal digits.

    It covers atomic numbers and positions in their order, cell, periodicity and, where set, initial
    magnetic moments and charges; coordinates are rounded to 1e-8 Å.
    """
    lengths = np.vstack([atoms.positions, atoms.cell[:]]) / RESOLUTION
    parts = [atoms.numbers.astype("<i8"), np.rint(lengths).astype("<i8"), atoms.pbc.astype("<i8")]
    for extra in (atoms.get_initial_magnetic_moments(), atoms.get_initial_charges()):
        if np.any(extra):
            parts.append(np.rint(np.asarray(extra, dtype=float) / RESOLUTION).astype("<i8"))
    digests = [hash_bytes(np.ascontiguousarray(part).tobytes()) for part in parts]
    return hash_json([spec.content_hash, *digests])[:KEY_LENGTH]


@dataclass(frozen=True)
class StoredLabel:
    """What the store holds for one key."""

    key: str
    atoms: Atoms
    outcome: Outcome


class LabelStore:
    """A store of labels; every write is committed at once, and several processes may share a store.

    Parameters
    ----------
    location
        Path of an SQLite file (ending in ``.db``) or a ``postgresql://`` address.

    Raises
    ------
    InputError
        If the location is neither.
    StoreError
        If it cannot be opened or created.
    MissingDependencyError
        If the backend of a server address is not installed.
    """

    def __init__(self, location: str | Path) -> None:
        self.location = str(location)
        self._is_file = not self.location.startswith(SERVER)
        if self._is_file:
            if "://" in self.location or not self.location.endswith(".db"):
                raise InputError(
                    f"label store '{location}' is neither a file ending in .db nor a {SERVER} address; "
                    "rename it"
                )
            self.location = str(Path(self.location).absolute())
        with self._guard():
            if self._is_file and not Path(self.location).exists():
                _create(Path(self.location))
            self._connect().count()

    def find(self, keys: Iterable[str]) -> dict[str, StoredLabel]:
        """Return what is stored for those of ``keys`` that are known."""
        found = {}
        with self._guard():
            database = self._connect()
            for key in keys:
                for row in database.select(unique_id=key):
                    found[key] = _stored_label(row)
        return found

    def add(self, key: str, atoms: Atoms, spec: CalculatorSpec, outcome: Outcome) -> None:
        """Store an outcome, failed ones too; a failed one is replaced, a label never is."""
        frame = atoms.copy()
        frame.set_constraint()
        if not outcome.failed:
            frame.calc = SinglePointCalculator(frame, **_results(outcome))
        row = AtomsRow(frame)
        row.unique_id, row.ctime, row.user = key, now(), os.environ.get("USER", "")
        status = "failed" if outcome.failed else "labelled"
        data = {"calculator": spec.to_dict(), "reasons": list(outcome.reasons)}
        with self._guard():
            database = self._connect()
            stale = [old.id for old in database.select(unique_id=key, status="failed")]
            if stale:
                database.delete(stale)
            try:
                database.write(row, key_value_pairs={"status": status, "target": spec.target}, data=data)
            except Exception as error:
                if not _is_duplicate(error):  # another process may have stored the same label just now
                    raise

    def count(self, *, failed: bool = False) -> int:
        """Return the number of labels, or of failures."""
        with self._guard():
            return int(self._connect().count(status="failed" if failed else "labelled"))

    def _connect(self) -> Any:
        # SQLite locks by itself; ASE's lock file would outlive a killed run and block the next one
        return ase.db.connect(self.location, use_lock_file=False)

    @contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except ImportError as error:
            raise MissingDependencyError(
                f"label store '{self.location}' needs a database backend ({error}); "
                "run: python -m pip install ase-db-backends psycopg2-binary"
            ) from error
        except Exception as error:
            if not _is_of_store(error):
                raise
            raise StoreError(
                f"label store '{self.location}' cannot be read or written ({_one_line(error)}); "
                "name a file in a folder you can write to, or a store that is up, in the recipe"
            ) from error


def _create(path: Path) -> None:
    """Create an empty database that appears whole or not at all, also when two processes start together."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        fresh = Path(folder) / "new.db"
        ase.db.connect(fresh, use_lock_file=False).count()
        try:
            path.hardlink_to(fresh)
        except FileExistsError:
            return
        except OSError:  # a file system without hard links
            fresh.replace(path)


def _results(outcome: Outcome) -> dict[str, Any]:
    values = {"energy": outcome.energy, "forces": outcome.forces, "stress": outcome.stress}
    return {name: value for name, value in values.items() if value is not None}


def _stored_label(row: Any) -> StoredLabel:
    reasons = tuple(row.data.get("reasons", ()))
    if row.status == "failed":
        return StoredLabel(row.unique_id, row.toatoms(), Outcome(reasons=reasons))
    outcome = Outcome(
        energy=float(row.energy),
        forces=np.array(row.forces, dtype=np.float64),
        stress=np.array(row.stress, dtype=np.float64) if "stress" in row else None,
        reasons=reasons,
    )
    return StoredLabel(row.unique_id, row.toatoms(), outcome)


def _is_duplicate(error: Exception) -> bool:
    return type(error).__name__ in {"IntegrityError", "UniqueViolation"}


def _is_of_store(error: Exception) -> bool:
    """Whether the operating system or a database driver raised it: drivers derive all theirs from ``Error``.

    PEP 249 asks for that name, so that no driver has to be imported to know its errors.
    """
    return isinstance(error, OSError) or any(base.__name__ == "Error" for base in type(error).__mro__)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
