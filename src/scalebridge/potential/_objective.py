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

Factors = tuple[float, float, float]
"""Of ΔE², |ΔF|² and (VΔσ)² of a frame in the loss."""


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
    """f(c) = min_x ‖X(c) x − y‖² + ridge Σ d² (x − x₀)² and its gradient, for fixed scales d.

    Parameters
    ----------
    start
        Gives the form of the potential and, by its column norms, the scales d; it must have no hard core.
    labels, multiplicities
        Training data and how often each frame counts (F,), times its own weight.
    weights, ridge
        Of the loss and of the Tikhonov term.
    toward_start
        x₀ is the start's (ξ, offsets), and ridge Σ D² (c − c₀)² is added, D the norms of the energies'
        derivatives by the start's radial coefficients c₀; otherwise x₀ = 0 and c is free.
    """

    def __init__(
        self,
        start: MomentTensorPotential,
        labels: Sequence[Label],
        multiplicities: FloatArray,
        *,
        weights: FitWeights,
        ridge: float,
        toward_start: bool = False,
    ) -> None:
        self.start = start
        self._ridge = ridge
        counts = multiplicities * np.array([label.weight for label in labels])
        kernel = start.kernel()
        used = [(label, float(count)) for label, count in zip(labels, counts, strict=True) if count > 0]
        self._frames = _weighted(kernel, used, weights)
        self._shift = reference_offsets(used, len(start.species))
        self.scales = self._system(kernel).column_norms
        self._center, self._stiffness = np.zeros(len(self.scales)), np.zeros_like(start.radial)
        if toward_start:
            self._center = np.concatenate([start.xi, start.offsets - self._shift])
            self._stiffness = self._radial_stiffness(kernel)

    def configurations(self) -> list[Configuration]:
        """Return the neighbour lists of the frames in use."""
        return [configuration for _, configuration, _ in self._frames]

    def _radial_stiffness(self, kernel: Kernel) -> FloatArray:
        """Return Σ w_E (∂E/∂c)²/N over the frames."""
        stiffness = np.zeros_like(self.start.radial)
        for label, configuration, (energy, _, _) in self._frames:
            _, rows = kernel.scalar_functions(configuration)
            for z in range(len(stiffness)):
                stiffness[z] += energy * np.square(rows[label.types == z].sum(axis=0))
        return stiffness

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
        solution = solve_linear(self._system(kernel), self._ridge, self.scales, self._center)
        x = solution.coefficients
        potential = self.start.with_parameters(
            radial=radial, xi=x[:n_scalars], offsets=x[n_scalars:] + self._shift
        )
        loss, gradient = self.loss_gradient(potential)
        moved = radial - self.start.radial
        pull = float(np.sum((self.scales * (x - self._center)) ** 2) + np.sum(self._stiffness * moved**2))
        gradient += 2.0 * self._ridge * self._stiffness * moved
        return Point(potential, loss + self._ridge * pull, loss, gradient, solution.condition_number)

    def precision_factor(self, radial: FloatArray) -> FloatArray:
        """Return the upper triangular factor of XᵀX + ridge d² at ``radial``, shape (n, n)."""
        system = self._system(self.start.with_parameters(radial=radial).kernel())
        stacked = np.vstack([system.factor, np.diag(np.sqrt(self._ridge) * self.scales)])
        return np.asarray(np.linalg.qr(stacked, mode="r"))

    def loss_gradient(self, potential: MomentTensorPotential) -> tuple[float, FloatArray]:
        """Return the loss and its derivative with respect to the radial coefficients at fixed ξ, offsets."""
        kernel = potential.kernel()
        loss, gradient = 0.0, np.zeros_like(potential.radial)
        for frame in self._frames:
            part, slope = _frame_loss(kernel, *frame)
            loss += part
            gradient += slope
        return loss, gradient


class ValidationLoss:
    """The loss on structures that the fit does not see."""

    def __init__(self, form: MomentTensorPotential, labels: Sequence[Label], weights: FitWeights) -> None:
        self._frames = _weighted(form.kernel(), [(label, label.weight) for label in labels], weights)

    def loss(self, potential: MomentTensorPotential) -> float:
        """Return the loss of a potential of this form."""
        kernel = potential.kernel()
        return sum(
            _misfit(_errors(label, *kernel.evaluate(configuration)), factors)
            for label, configuration, factors in self._frames
        )


def _weighted(
    kernel: Kernel, counted: Sequence[tuple[Label, float]], weights: FitWeights
) -> list[tuple[Label, Configuration, Factors]]:
    """Return each label with its neighbour list and the factors of its errors in the mean loss."""
    total = sum(count for _, count in counted)
    frames = []
    for label, count in counted:
        energy, force, stress = frame_weights(label, weights, total)
        frames.append((label, label.configure(kernel), (count * energy, count * force, count * stress)))
    return frames


def _frame_loss(
    kernel: Kernel, label: Label, configuration: Configuration, factors: Factors
) -> tuple[float, FloatArray]:
    energy, force, stress = factors
    out = kernel.record(configuration)
    error_energy, error_forces, error_stress = _errors(label, out.energies, out.forces, out.virial)
    _, radial = out.loss_gradient(
        2.0 * energy * error_energy, -2.0 * force * error_forces, 2.0 * stress * error_stress
    )
    return _misfit((error_energy, error_forces, error_stress), factors), radial


def _errors(
    label: Label, energies: FloatArray, forces: FloatArray, virial: FloatArray
) -> tuple[float, FloatArray, FloatArray]:
    """Return ΔE, ΔF and VΔσ, the last zero where the label lacks a stress."""
    error_stress = np.zeros((3, 3))
    if label.strain_derivative is not None:
        error_stress = -0.5 * (virial + virial.T) - label.strain_derivative
    return float(energies.sum()) - label.energy, forces - label.forces, error_stress


def _misfit(errors: tuple[float, FloatArray, FloatArray], factors: Factors) -> float:
    return sum(float(f * np.sum(np.asarray(error) ** 2)) for f, error in zip(factors, errors, strict=True))


def reference_offsets(labels: Sequence[tuple[Label, float]], n_species: int) -> FloatArray:
    """Return per-species energies that best explain the total energies of labels, each with its count.

    Of minimum norm where undetermined.
    """
    numbers = np.array([np.bincount(label.types, minlength=n_species) for label, _ in labels], dtype=float)
    energies = np.array([label.energy for label, _ in labels])
    factors = np.sqrt([count for _, count in labels]) / numbers.sum(axis=1)
    return np.asarray(np.linalg.lstsq(factors[:, None] * numbers, factors * energies, rcond=1e-10)[0])
