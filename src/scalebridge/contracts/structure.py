"""Crystal structures inside contracts: SI lengths in the file, ASE atoms in the code."""

from typing import Annotated, Self

import numpy as np
from ase import Atoms

from scalebridge.contracts.base import Array, Record
from scalebridge.foundation import constants
from scalebridge.foundation.units import Axes, Unit


class Structure(Record):
    """A periodic structure."""

    symbols: tuple[str, ...]
    cell: Annotated[Array, Unit("m"), Axes("vector", "xyz")]
    """Cell vectors as rows."""
    scaled_positions: Annotated[Array, Unit("1"), Axes("atom", "xyz")]

    @classmethod
    def from_atoms(cls, atoms: Atoms) -> Self:
        """Convert ASE atoms (Å)."""
        return cls(
            symbols=tuple(atoms.get_chemical_symbols()),
            cell=np.asarray(atoms.cell) * constants.ANGSTROM,
            scaled_positions=atoms.get_scaled_positions(wrap=False),
        )

    def to_atoms(self) -> Atoms:
        """Return ASE atoms (Å), periodic in all directions."""
        return Atoms(
            symbols=list(self.symbols),
            cell=self.cell / constants.ANGSTROM,
            scaled_positions=self.scaled_positions,
            pbc=True,
        )
