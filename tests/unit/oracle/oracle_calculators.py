"""Calculators that misbehave in known ways, importable in worker processes."""

import os
import time
from pathlib import Path

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT


class Counting(EMT):
    """EMT that leaves one file per calculation in a folder."""

    def __init__(self, folder: str, delay: float = 0.0) -> None:
        super().__init__()
        self.folder, self.delay = Path(folder), delay

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        super().calculate(atoms, list(properties), list(system_changes))
        time.sleep(self.delay)
        (self.folder / f"{time.time_ns()}-{os.getpid()}").touch()


class FailsFirst(EMT):
    """EMT whose first instance per folder raises."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        mark = Path(folder) / "built"
        self.broken = not mark.exists()
        mark.touch()

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        if self.broken:
            raise RuntimeError("scratch file\nlost")
        super().calculate(atoms, list(properties), list(system_changes))


class FailsForGold(EMT):
    """EMT that gives NaN forces where there is gold, and ends the process where there is silver."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        super().calculate(atoms, list(properties), list(system_changes))
        symbols = self.atoms.get_chemical_symbols()
        if "Au" in symbols:
            self.results["forces"] = np.full_like(self.results["forces"], np.nan)
        if "Ag" in symbols:
            os._exit(3)


class HugeForces(Calculator):
    """Forces of 1000 eV/Å."""

    implemented_properties = ("energy", "forces", "stress")

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        super().calculate(atoms, list(properties), list(system_changes))
        forces = np.zeros((len(self.atoms), 3))
        forces[-1, 0] = 1000.0
        self.results = {"energy": 0.0, "forces": forces, "stress": np.zeros(6)}


def needs_absent_module() -> None:
    """Build nothing: the import fails."""
    import no_such_reference_code  # noqa: F401
