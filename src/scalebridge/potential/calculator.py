"""The potential behind ASE's Calculator."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from scalebridge.foundation import InputError, hash_file
from scalebridge.potential._kernels import Configuration
from scalebridge.potential.model import MomentTensorPotential

SKIN = 0.6
"""Of neighbour lists that are kept [Å]."""
VOIGT = [0, 4, 8, 5, 2, 1]
"""Places of xx yy zz yz xz xy in a flat 3 × 3 matrix."""


class MTPCalculator(Calculator):  # type: ignore[misc]
    """Moment tensor potential as an ASE calculator.

    From the second question about the same atoms in the same cell on, the neighbour list has a skin and is
    kept until an atom has moved by half of it.

    Parameters
    ----------
    potential
        A potential or the path of its file.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "energies", "free_energy", "forces", "stress"]

    def __init__(self, potential: MomentTensorPotential | str | Path, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(potential, str | Path):
            potential = MomentTensorPotential.load(potential)
        self.potential = potential
        self._configuration: Configuration | None = None
        self._listed: tuple[int | bytes, ...] = ()
        self._skin = 0.0
        self._last: Atoms | None = None  # ASE's own `atoms` is gone when `calculate` is called

    def __getstate__(self) -> dict[str, Any]:
        """Leave the neighbour list behind: copies and other processes make their own."""
        own = None if self.atoms is None else self.atoms.copy()
        return {**self.__dict__, "atoms": own, "_configuration": None, "_listed": (), "_last": None}

    def _configure(self, atoms: Atoms) -> Configuration:
        """Return the configuration of atoms that may only have moved since the last call."""
        same = (id(self.potential), atoms.numbers.tobytes(), atoms.cell.array.tobytes(), atoms.pbc.tobytes())
        known = self._configuration if same == self._listed else None
        if known is not None and self._skin:
            self.potential.move(known, atoms)
            return known
        self._skin = 0.0 if known is None else SKIN
        self._configuration = self.potential.configure(atoms, skin=self._skin)
        self._listed = same
        return self._configuration

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """Return what changed since the last call, compared bit by bit: ASE's way takes as long as forces.

        Charges and magnetic moments do not count.
        """
        known = self.atoms
        if known is None:
            return list(all_changes)
        pairs = {
            "positions": (known.positions, atoms.positions),
            "numbers": (known.numbers, atoms.numbers),
            "cell": (known.cell.array, atoms.cell.array),
            "pbc": (known.pbc, atoms.pbc),
        }
        return [name for name, (old, new) in pairs.items() if old.tobytes() != new.tobytes()]

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Compute every property at once; stress only with full periodicity."""
        if atoms is not None and self._last is not None and list(system_changes) == ["positions"]:
            self.atoms = self._last  # a copy of everything would take a tenth of the forces' time
            self.atoms.positions[:] = atoms.positions
        else:
            super().calculate(atoms, list(properties), list(system_changes))
            self._last = self.atoms
        out = self.potential.compute(self.atoms, configuration=self._configure(self.atoms))
        self.results = {
            "energy": out.energy,
            "free_energy": out.energy,
            "energies": out.energies,
            "forces": out.forces,
        }
        if not np.isnan(out.stress[0, 0]):
            self.results["stress"] = out.stress.ravel()[VOIGT]


def correction(*, path: str, sha256: str) -> MTPCalculator:
    """Return a potential fitted to differences between two levels of theory: its moment tensors alone.

    Parameters
    ----------
    path
        The potential's file.
    sha256
        Of its content.

    Raises
    ------
    InputError
        If the file is not the one that was meant.
    """
    found = hash_file(Path(path))
    if found != sha256:
        raise InputError(
            f"{path}: its content changed (SHA-256 {found[:12]}…, expected {sha256[:12]}…) since the recipe "
            "was read; start the run again"
        )
    return MTPCalculator(MomentTensorPotential.load(path).polynomial())
