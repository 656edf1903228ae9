"""PBE+U labels of a queue of structures, through the oracle; stop it and start it again whenever you like.

python label.py QUEUE LABELS [--surrogate scalebridge.oracle.chgnet:CHGNet03]

QUEUE is an extxyz file. Each frame names itself (name) and its level of theory (level). Frames are taken in
order; the file is read again when it changes. A frame with relax = N is relaxed in N steps at most, each of
them a label NAME_rSTEP, with its cell or (hydrostatic) its volume. Labels are appended to LABELS, failures
with their reason to the file beside it that ends in .failed.extxyz; what is in either is not computed again.
Several processes may work one queue off: a frame that another one has in hand is passed over.
"""

import argparse
import fcntl
import os
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.singlepoint import SinglePointCalculator
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS
from ase.units import GPa
from numpy.typing import NDArray

from scalebridge.oracle import CalculatorSpec, LabelLimits

TARGET = "scalebridge.oracle.gpaw:GPAWPlusU"
RELAXED = 0.1
"""Largest force, and stress times volume per atom's share, of a relaxed structure [eV/Å]."""
LIMITS = LabelLimits()
PROBE = 0.01
"""Displacement for second derivatives [Å]."""
SOFTEST = 6.0
"""Smallest curvature that a relaxation starts with [eV/Å²]."""
QUEUE_KEYS = ("relax", "hydrostatic", "level")


class FailedError(Exception):
    """A label that could not be had; it is on file."""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time reads or appends to a file."""
    with path.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Campaign:
    """Calculators by level, and the files of labels and failures."""

    def __init__(self, labels: Path, levels: Path, surrogate: CalculatorSpec | None = None) -> None:
        self.labels, self.surrogate = labels, surrogate
        self.failures = labels.with_suffix(".failed.extxyz")
        tables = tomllib.loads(levels.read_text())
        self.specs = {
            level: CalculatorSpec(
                TARGET, arguments, {"txt": f"{labels.with_suffix('')}.{level}.{os.getpid()}.txt"}
            )
            for level, arguments in tables.items()
        }
        self.calculators: dict[str, Any] = {}
        self.frames: dict[tuple[str, str], Atoms] = {}
        self.failed: set[tuple[str, str]] = set()
        self.sizes: dict[Path, int] = {}
        self.read()

    def read(self) -> None:
        """Take in what is on file, from other processes as well."""
        for frame in self._grown(self.labels):
            self.frames[frame.info["name"], frame.info["level"]] = frame
        for frame in self._grown(self.failures):
            self.failed.add((frame.info["name"], frame.info["level"]))

    def _grown(self, path: Path) -> list[Atoms]:
        with locked(path):
            size = path.stat().st_size if path.exists() else 0
            if size == self.sizes.get(path, 0):
                return []
            self.sizes[path] = size
            return list(ase.io.read(path, index=":"))

    @staticmethod
    def _append(path: Path, frame: Atoms) -> None:
        with locked(path):
            ase.io.write(path, frame, append=True)

    @contextmanager
    def in_hand(self, atoms: Atoms, level: str) -> Iterator[bool]:
        """Keep other processes off a frame of the queue; false where one of them has it."""
        folder = self.labels.with_suffix(".in_hand")
        folder.mkdir(exist_ok=True)
        with (folder / f"{atoms.info['name']}.{level}").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # ends with the process, however it ends
            except BlockingIOError:
                yield False
                return
            self.read()
            yield True

    def label(self, atoms: Atoms, level: str) -> Atoms:
        """Return a label: from the file, or computed and appended to it."""
        key = (atoms.info["name"], level)
        if key in self.frames:
            return self.frames[key]
        if key in self.failed:
            raise FailedError
        began = time.monotonic()
        if level not in self.calculators:
            self.calculators[level] = self.specs[level].build()
        trial = atoms.copy()
        trial.calc = self.calculators[level]
        try:
            trial.get_potential_energy()
            results = dict(trial.calc.results)
            largest = np.linalg.norm(results["forces"], axis=1).max()
            if not largest <= LIMITS.max_force:
                raise ValueError(f"force of {largest:.1f} eV/Å exceeds {LIMITS.max_force:g} eV/Å")
        except Exception as error:  # whatever GPAW raises is a failed label, never the end of the queue
            self._fail(atoms, level, error, time.monotonic() - began)
            raise FailedError from None
        frame = self._frame(atoms, level, time.monotonic() - began)
        frame.calc = SinglePointCalculator(frame, **results)
        self.frames[key] = frame
        self._append(self.labels, frame)
        moments = [round(float(m), 2) for m in results["magmoms"] if abs(m) > 0.1]
        pressure = -results["stress"][:3].mean() / GPa
        print(
            f"{time.strftime('%H:%M:%S')} {key[0]} {level}: {results['energy']:.4f} eV, "
            f"V {frame.get_volume():.1f} Å³, F {largest:.2f} eV/Å, P {pressure:.1f} GPa, "
            f"{moments} μB, {frame.info['seconds']:.0f} s",
            flush=True,
        )
        return frame

    def relax(self, atoms: Atoms, level: str, steps: int, *, even: bool) -> None:
        """Relax positions and cell (evenly: its volume), from the last step that is on file."""
        name = atoms.info["name"]
        done = -1
        while (f"{name}_r{done + 1}", level) in self.frames:
            done += 1
        moving = atoms.copy()
        if done >= 0:
            last = self.frames[f"{name}_r{done}", level]
            moving.set_cell(last.cell)
            moving.positions = last.positions
        moving.calc = _Steps(self, name, level, max(done, 0))
        target = FrechetCellFilter(moving, hydrostatic_strain=even)
        if done >= steps or np.linalg.norm(target.get_forces(), axis=1).max() < RELAXED:
            return
        optimizer = BFGS(target, logfile=None, maxstep=0.12)
        if self.surrogate:
            optimizer.H0 = hessian(moving, self.surrogate.build(), even=even)
        optimizer.run(fmax=RELAXED, steps=steps - max(done, 0))

    def _frame(self, atoms: Atoms, level: str, seconds: float) -> Atoms:
        frame = atoms.copy()
        frame.info = {key: value for key, value in atoms.info.items() if key not in QUEUE_KEYS}
        frame.info |= {
            "level": level,
            "settings": self.specs[level].content_hash[:12],
            "gpaw": self.calculators[level].version,
            "seconds": round(seconds, 1),
        }
        return frame

    def _fail(self, atoms: Atoms, level: str, error: Exception, seconds: float) -> None:
        frame = self._frame(atoms, level, seconds)
        frame.info["reason"] = " ".join(f"{type(error).__name__.lstrip('_')}: {error}".split()).replace(
            '"', "'"
        )
        self._append(self.failures, frame)
        self.failed.add((frame.info["name"], level))
        print(
            f"{time.strftime('%H:%M:%S')} {frame.info['name']} {level} FAILED: {frame.info['reason']}",
            flush=True,
        )


class _Steps(Calculator):
    """Every call is the next step of a relaxation, and a label."""

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012  # as ASE has it

    def __init__(self, campaign: Campaign, name: str, level: str, step: int) -> None:
        super().__init__()
        self.campaign, self.base, self.level = campaign, name, level
        self.step = step

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = None) -> None:
        """Label the structure under the step's number."""
        super().calculate(atoms, properties, system_changes)
        trial = self.atoms.copy()
        trial.info = {**atoms.info, "name": f"{self.base}_r{self.step}"}
        self.step += 1
        found = self.campaign.label(trial, self.level)
        self.results = dict(found.calc.results) | {"free_energy": found.calc.results["energy"]}


def hessian(atoms: Atoms, calculator: Calculator, *, even: bool) -> NDArray[np.float64]:
    """Return second derivatives in positions and cell by a fast calculator, (3N + 9, 3N + 9) [eV/Å²].

    A relaxation that starts with it takes a third of the steps. Its eigenvalues are at least ``SOFTEST``.
    """
    moving = atoms.copy()
    moving.calc = calculator
    target = FrechetCellFilter(moving, hydrostatic_strain=even)
    start = target.get_positions()
    columns = []
    for index in np.ndindex(start.shape):
        forces = []
        for step in (PROBE, -PROBE):
            shifted = start.copy()
            shifted[index] += step
            target.set_positions(shifted)
            forces.append(target.get_forces().ravel())
        columns.append((forces[1] - forces[0]) / (2 * PROBE))
    values, vectors = np.linalg.eigh((np.array(columns) + np.array(columns).T) / 2)
    return np.asarray(vectors * np.clip(np.abs(values), SOFTEST, None) @ vectors.T)


def one(campaign: Campaign, frame: Atoms) -> None:
    """Label or relax one frame of the queue; a failure is on file."""
    level, steps = frame.info["level"], int(frame.info.get("relax", 0))
    try:
        if steps:
            campaign.relax(frame, level, steps, even=bool(frame.info.get("hydrostatic", False)))
        else:
            campaign.label(frame, level)
    except FailedError:
        return


def work(campaign: Campaign, queue: Path, until: float) -> None:
    """Take the queue's frames in order; begin again from its head when the file has changed."""
    while True:
        stamp = queue.stat().st_mtime
        for frame in ase.io.read(queue, index=":"):
            with campaign.in_hand(frame, frame.info["level"]) as ours:
                if ours:
                    one(campaign, frame)
            if time.monotonic() > until:
                return
            if queue.stat().st_mtime != stamp:
                break
        else:
            return


def main() -> None:
    """Label what is asked for and not there yet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("queue", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--levels", type=Path, default=Path(__file__).with_name("levels.toml"))
    parser.add_argument("--hours", type=float, default=100.0, help="no new structure is begun after so long")
    parser.add_argument(
        "--surrogate", help="module:Class of a calculator for the first Hessian of relaxations"
    )
    asked = parser.parse_args()
    surrogate = CalculatorSpec(asked.surrogate) if asked.surrogate else None
    work(Campaign(asked.labels, asked.levels, surrogate), asked.queue, time.monotonic() + 3600 * asked.hours)


if __name__ == "__main__":
    main()
