"""Extrapolation grades inside the compiled core, alone or on the way of a force call."""

from functools import cached_property
from typing import Any

import numpy.typing as npt

from scalebridge.potential._kernel_data import FloatArray
from scalebridge.potential._kernels import Configuration, Kernel, Periodicity, refusing


class Grader:
    """Grades of plain arrays, for walkers in other processes; picklable, immutable.

    The product of rows and inverses is done in single precision: grades are right to about 1e-4, which
    thresholds of 2 and 10 do not notice. Selection itself (``ActiveSet``) is done in double precision. Atoms
    whose energy is not finite, as in a hard core, have an infinite grade; pairs below the range of a
    repulsion are graded as the polynomial is told of them, at 0.95 of it and more.

    Parameters
    ----------
    kernel
        Of the potential.
    inverses : tuple of (P, P)
        A⁻¹ of each species' active set, for rows (∂E_i/∂c, 1, B_α).
    """

    def __init__(self, kernel: Kernel, inverses: tuple[FloatArray, ...]) -> None:
        self.kernel = kernel
        self.inverses = inverses

    def __getstate__(self) -> tuple[Kernel, tuple[FloatArray, ...]]:
        return self.kernel, self.inverses

    def __setstate__(self, state: tuple[Kernel, tuple[FloatArray, ...]]) -> None:
        self.kernel, self.inverses = state

    @cached_property
    def _matrices(self) -> Any:
        return refusing(self.kernel.compiled.grade_matrices, list(self.inverses))

    def grades(
        self, types: npt.ArrayLike, positions: npt.ArrayLike, cell: npt.ArrayLike, pbc: Periodicity
    ) -> FloatArray:
        """Return the grade of every atom (N,)."""
        return self.grades_of(self.kernel.configure(types, positions, cell, pbc))

    def grade(
        self, types: npt.ArrayLike, positions: npt.ArrayLike, cell: npt.ArrayLike, pbc: Periodicity
    ) -> float:
        """Return the largest grade of the configuration; 0 without atoms."""
        return float(self.grades(types, positions, cell, pbc).max(initial=0.0))

    def grades_of(self, configuration: Configuration) -> FloatArray:
        """Return the grade of every atom (N,) of a configuration of the kernel."""
        out: FloatArray = refusing(self.kernel.compiled.grades, configuration._compiled, self._matrices)
        return out

    def evaluate(self, configuration: Configuration) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return energies, forces and virial as ``Kernel.evaluate`` does, and the grades (N,)."""
        energies, forces, virial, grades = refusing(
            self.kernel.compiled.graded_forces, configuration._compiled, self._matrices
        )
        return energies, forces, virial, grades
