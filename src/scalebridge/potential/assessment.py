"""Errors of a potential on labelled structures, with what a parity plot needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from scalebridge.potential._kernel_data import FloatArray
from scalebridge.potential.model import MomentTensorPotential
from scalebridge.potential.training import labels_of


@dataclass(frozen=True, eq=False)
class ErrorReport:
    """Errors on F frames.

    Attributes
    ----------
    energy_rmse, energy_mae : float
        eV/atom.
    force_rmse, force_mae : float
        eV/Å per Cartesian component.
    stress_rmse : float
        eV/Å³ per tensor component; NaN if no frame has a stress.
    reference_energies, predicted_energies : (F,)
        eV/atom.
    reference_forces, predicted_forces : (sum of N, 3)
        eV/Å.
    reference_stresses, predicted_stresses : (frames with stress, 3, 3)
        eV/Å³.
    symbols : (sum of N,)
        Chemical symbol of each row of the forces.
    """

    energy_rmse: float
    energy_mae: float
    force_rmse: float
    force_mae: float
    stress_rmse: float
    reference_energies: FloatArray
    predicted_energies: FloatArray
    reference_forces: FloatArray
    predicted_forces: FloatArray
    reference_stresses: FloatArray
    predicted_stresses: FloatArray
    symbols: NDArray[np.str_]

    @property
    def force_rmse_by_species(self) -> dict[str, float]:
        """Force RMSE [eV/Å] of the atoms of each species, in the order of their symbols."""
        difference = self.predicted_forces - self.reference_forces
        return {str(symbol): _rmse(difference[self.symbols == symbol]) for symbol in np.unique(self.symbols)}


def _rmse(difference: FloatArray) -> float:
    return float(np.sqrt(np.mean(difference**2))) if difference.size else float("nan")


def evaluate_errors(potential: MomentTensorPotential, frames: Sequence[Atoms]) -> ErrorReport:
    """Compare ``potential`` with the labels of ``frames``.

    Hard cores are left out: a label inside one is compared with the smooth energy.

    Raises
    ------
    InputError
        If frames are missing, unlabelled or of other species.
    """
    labels = labels_of(frames, potential.species)
    kernel = potential.without_hard_core().kernel()
    energies, forces, stresses = [], [], []
    for label in labels:
        atom_energies, atom_forces, virial = kernel.evaluate(label.configure(kernel))
        energies.append((label.energy / label.n_atoms, float(atom_energies.mean())))
        forces.append((label.forces, atom_forces))
        if label.strain_derivative is not None:
            volume = abs(float(np.linalg.det(label.cell)))
            stresses.append((label.strain_derivative / volume, -0.5 * (virial + virial.T) / volume))
    e, p = np.array(energies).T
    reference_forces, predicted_forces = (np.vstack(part) for part in zip(*forces, strict=True))
    return _report(
        reference_energies=e,
        predicted_energies=p,
        reference_forces=reference_forces,
        predicted_forces=predicted_forces,
        reference_stresses=np.array([pair[0] for pair in stresses]).reshape(-1, 3, 3),
        predicted_stresses=np.array([pair[1] for pair in stresses]).reshape(-1, 3, 3),
        symbols=np.array(potential.species)[np.concatenate([label.types for label in labels])],
    )


def merge_reports(reports: Sequence[ErrorReport]) -> ErrorReport:
    """Return the errors of several reports, such as the parts of a cross-validation, as one."""
    return _report(
        **{name: np.concatenate([getattr(report, name) for report in reports]) for name in _ARRAYS}
    )


_ARRAYS = (
    "reference_energies",
    "predicted_energies",
    "reference_forces",
    "predicted_forces",
    "reference_stresses",
    "predicted_stresses",
    "symbols",
)


def _report(**arrays: Any) -> ErrorReport:
    energy = arrays["predicted_energies"] - arrays["reference_energies"]
    force = arrays["predicted_forces"] - arrays["reference_forces"]
    return ErrorReport(
        energy_rmse=_rmse(energy),
        energy_mae=float(np.mean(np.abs(energy))),
        force_rmse=_rmse(force),
        force_mae=float(np.mean(np.abs(force))),
        stress_rmse=_rmse(arrays["predicted_stresses"] - arrays["reference_stresses"]),
        **arrays,
    )
