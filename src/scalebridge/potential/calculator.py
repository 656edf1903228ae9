"""The potential behind ASE's Calculator."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from scalebridge.potential.model import MomentTensorPotential


class MTPCalculator(Calculator):  # type: ignore[misc]
    """Moment tensor potential as an ASE calculator.

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

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Compute every property at once; stress only with full periodicity."""
        super().calculate(atoms, list(properties), list(system_changes))
        out = self.potential.compute(self.atoms)
        self.results = {
            "energy": out.energy,
            "free_energy": out.energy,
            "energies": out.energies,
            "forces": out.forces,
        }
        if self.atoms.pbc.all():
            self.results["stress"] = full_3x3_to_voigt_6_stress(out.stress)
