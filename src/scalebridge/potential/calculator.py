"""The potential behind ASE's Calculator."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from scalebridge.foundation import InputError, hash_file
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


def correction(*, path: str, sha256: str) -> MTPCalculator:
    """Return a potential fitted to differences between two levels of theory, without its hard core.

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
    return MTPCalculator(MomentTensorPotential.load(path).without_hard_core())
