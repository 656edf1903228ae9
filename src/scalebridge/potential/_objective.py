"""The loss as a function of the radial coefficients alone, ξ and offsets solved for, and its gradient."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from scalebridge.potential._kernel_data import FloatArray
from scalebridge.potential._kernels import Configuration, Kernel
from scalebridge.potential._linear import (
    LinearSystem,
    design_rows,
    fold,
    frame_weights,
    solve_linear,
)
from scalebridge.potential.model import MomentTensorPotential
from scalebridge.potential.training import FitWeights, Label


@dataclass(frozen=True, eq=False)
class Point:
    """The objective at one set of radial coefficients.

    Attributes
    ----------
    potential : MomentTensorPotential
        With the solved ξ and offsets.
    value, loss : float
        With and without the Tikhonov term.
    gradient : (S, S, M, K)
        Of ``value``.
    condition_number : float
        Of the linear problem.
    """

    potential: MomentTensorPotential
    value: float
    loss: float
    gradient: FloatArray
    condition_number: float


class Objective:
    """f(c) = min_x ‖X(c) x − y‖² + ridge Σ d² x² and its gradient, for fixed scales d.

    Parameters
    ----------
    start
        Gives the form of the potential and, by its column norms, the scales d; it must have no hard core.
    labels, multiplicities
        Training data and how often each frame counts (F,), times its own weight.
    weights, ridge
        Of the loss and of the Tikhonov term.
    """

    def __init__(
        self,
        start: MomentTensorPotential,
        labels: Sequence[Label],
        multiplicities: FloatArray,
        *,
        weights: FitWeights,
        ridge: float,
    ) -> None:
        self.start = start
        self._ridge = ridge
        counts = multiplicities * np.array([label.weight for label in labels])
        total = float(counts.sum())
        kernel = start.kernel()
        self._frames: list[tuple[Label, Configuration, tuple[float, float, float]]] = []
        used = [(label, float(count)) for label, count in zip(labels, counts, strict=True) if count > 0]
        for label, count in used:
            energy, force, stress = frame_weights(label, weights, total)
            factors = (count * energy, count * force, count * stress)
            self._frames.append((label, label.configure(kernel), factors))
        self._shift = reference_offsets(used, len(start.species))
        self.scales = self._system(kernel).column_norms

    def configurations(self) -> list[Configuration]:
        """Return the neighbour lists of the frames in use."""
        return [configuration for _, configuration, _ in self._frames]

    def _system(self, kernel: Kernel) -> LinearSystem:
        n_columns = len(kernel.parameters.xi) + len(kernel.parameters.offsets)
        blocks = (
            design_rows(kernel, configuration, self._shifted(label), factors)
            for label, configuration, factors in self._frames
        )
        return fold(blocks, n_columns)

    def _shifted(self, label: Label) -> Label:
        return replace(label, energy=label.energy - float(self._shift[label.types].sum()))

    def point(self, radial: FloatArray) -> Point:
        """Solve for ξ and the offsets at ``radial``; return value, gradient and the potential."""
        n_scalars = len(self.start.xi)
        kernel = self.start.with_parameters(radial=radial).kernel()
        solution = solve_linear(self._system(kernel), self._ridge, self.scales)
        x = solution.coefficients
        potential = self.start.with_parameters(
            radial=radial, xi=x[:n_scalars], offsets=x[n_scalars:] + self._shift
        )
        loss, gradient = self.loss_gradient(potential)
        value = loss + self._ridge * float(np.sum((self.scales * x) ** 2))
        return Point(potential, value, loss, gradient, solution.condition_number)

    def loss_gradient(self, potential: MomentTensorPotential) -> tuple[float, FloatArray]:
        """Return the loss and its derivative with respect to the radial coefficients at fixed ξ, offsets."""
        kernel = potential.kernel()
        loss, gradient = 0.0, np.zeros_like(potential.radial)
        for frame in self._frames:
            part, slope = _frame_loss(kernel, *frame)
            loss += part
            gradient += slope
        return loss, gradient


def _frame_loss(
    kernel: Kernel, label: Label, configuration: Configuration, factors: tuple[float, float, float]
) -> tuple[float, FloatArray]:
    energy, force, stress = factors
    out = kernel.record(configuration)
    error_energy = float(out.energies.sum()) - label.energy
    error_forces = out.forces - label.forces
    loss = energy * error_energy**2 + force * float(np.sum(error_forces**2))
    strain_rate = np.zeros((3, 3))
    if label.strain_derivative is not None:
        error_stress = -0.5 * (out.virial + out.virial.T) - label.strain_derivative
        loss += stress * float(np.sum(error_stress**2))
        strain_rate = 2.0 * stress * error_stress
    _, radial = out.loss_gradient(2.0 * energy * error_energy, -2.0 * force * error_forces, strain_rate)
    return loss, radial


def reference_offsets(labels: Sequence[tuple[Label, float]], n_species: int) -> FloatArray:
    """Return per-species energies that best explain the total energies of labels, each with its count.

    Of minimum norm where undetermined.
    """
    numbers = np.array([np.bincount(label.types, minlength=n_species) for label, _ in labels], dtype=float)
    energies = np.array([label.energy for label, _ in labels])
    factors = np.sqrt([count for _, count in labels]) / numbers.sum(axis=1)
    return np.asarray(np.linalg.lstsq(factors[:, None] * numbers, factors * energies, rcond=1e-10)[0])
