"""Minimisation over the radial coefficients: L-BFGS in variables that the data find equally stiff.

The metric of central species z is H_z = mean of g gᵀ + δ·1, g = ∂E_i/∂c over the neighbourhoods of z, scaled
to mean diagonal one. With H_z = L Lᵀ the variables are y = Lᵀ c. The metric depends on ξ, so the descent is
restarted with a fresh one every few iterations. A cold start first takes some steps with a large δ: near the
arbitrary first point the metric says little and its long steps end in poor minima.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.linalg import solve_triangular
from scipy.optimize import minimize

from scalebridge.foundation.progress import Task
from scalebridge.potential._kernel_data import FloatArray
from scalebridge.potential._objective import Objective, Point, ValidationLoss
from scalebridge.potential.model import MomentTensorPotential

_DAMPING: Final = 1e-3
_COLD_DAMPING: Final = 1e-1
COLD_ITERATIONS: Final = 12
_RESTART: Final = 30
_PATIENCE: Final = 10
_MEMORY: Final = 30
SAVE_SECONDS: Final = 20.0
"""Between two calls of ``Watch.save``."""


@dataclass(frozen=True)
class Limits:
    """Iterations, monotonic time of the end [s], and the least relative gain over ten iterations."""

    iterations: int
    end: float
    tolerance: float


@dataclass(frozen=True)
class Watch:
    """What looks at the fit after every iteration.

    Attributes
    ----------
    validation : ValidationLoss or None
        The fit ends when this loss has not fallen for ten iterations; the point where it was least counts.
    save : callable or None
        Is handed the point that counts, at most every `SAVE_SECONDS`.
    """

    validation: ValidationLoss | None = None
    save: Callable[[MomentTensorPotential], None] | None = None


class Descent:
    """Keeps the best point met, the losses and the reason of the end."""

    def __init__(self, objective: Objective, limits: Limits, task: Task, watch: Watch) -> None:
        self.best: Point | None = None
        self.losses: list[float] = []
        self.validation_losses: list[float] = []
        self.reason = "linear coefficients only"
        self._objective = objective
        self._limits = limits
        self._task = task
        self._watch = watch
        self._chosen: Point | None = None
        self._saved = time.monotonic()
        self._done = False

    @property
    def chosen(self) -> Point | None:
        """The point that counts: ``best``, or that of the least validation loss."""
        return self.best if self._watch.validation is None else self._chosen

    def run(self, radial: FloatArray, *, warm: bool) -> None:
        """Descend from ``radial``; ``warm`` if it is already fitted."""
        point = self._evaluate(radial)
        self._look()
        damping, block = (_DAMPING, _RESTART) if warm else (_COLD_DAMPING, COLD_ITERATIONS)
        while self.best is not None and not self._done and len(self.losses) < self._limits.iterations:
            before = len(self.losses)
            self._block(self.best, damping, min(block, self._limits.iterations - before))
            if len(self.losses) == before:
                self._stop("no descent direction left")
            damping, block = _DAMPING, _RESTART
        if not self._done and self.losses:
            self._stop("iteration limit")
        elif not math.isfinite(point.value):
            self._stop("the loss is not finite")

    def _stop(self, reason: str) -> None:
        self._done, self.reason = True, reason

    def _evaluate(self, radial: FloatArray) -> Point:
        point = self._objective.point(radial)
        if math.isfinite(point.value) and (self.best is None or point.value < self.best.value):
            self.best = point
        return point

    def _block(self, origin: Point, damping: float, iterations: int) -> None:
        radial = origin.potential.radial
        factors = metric_factors(self._objective, origin, damping)

        def change(y: FloatArray) -> FloatArray:
            rows = y.reshape(len(radial), -1)
            steps = [
                solve_triangular(L, row, lower=True, trans="T") for L, row in zip(factors, rows, strict=True)
            ]
            return np.asarray(steps).reshape(radial.shape)

        def value_gradient(y: FloatArray) -> tuple[float, FloatArray]:
            point = self._evaluate(radial + change(y))
            if not math.isfinite(point.value):
                return 1e300, np.zeros_like(y)
            rows = point.gradient.reshape(len(radial), -1)
            steps = [solve_triangular(L, row, lower=True) for L, row in zip(factors, rows, strict=True)]
            return point.value, np.concatenate(steps)

        minimize(
            value_gradient,
            np.zeros(radial.size),
            jac=True,
            method="L-BFGS-B",
            callback=lambda xk: self._iteration(),
            options={"maxiter": iterations, "maxcor": _MEMORY, "gtol": 0.0, "ftol": 1e-13},
        )

    def _iteration(self) -> None:
        """Record one iteration; raise StopIteration when enough is done."""
        if self.best is None:
            raise StopIteration
        self.losses.append(self.best.loss)
        note = self._look()
        self._task.advance(note=f"loss {self.best.loss:.4g}{note}")
        if time.monotonic() > self._limits.end:
            self._stop("time limit")
        if len(self.losses) > _PATIENCE:
            earlier = self.losses[-1 - _PATIENCE]
            if earlier - self.losses[-1] < self._limits.tolerance * earlier:
                self._stop("loss no longer falls")
        seen = self.validation_losses
        if len(seen) > _PATIENCE and min(seen[-_PATIENCE:]) >= min(seen[:-_PATIENCE]):
            self._stop("the validation loss no longer falls")
        if self._done:
            raise StopIteration

    def _look(self) -> str:
        """Show the best point to the watch; return what is to be said of it."""
        if self.best is None:
            return ""
        note = ""
        if self._watch.validation is not None:
            loss = self._watch.validation.loss(self.best.potential)
            if self._chosen is None or loss < min(self.validation_losses):
                self._chosen = self.best
            self.validation_losses.append(loss)
            note = f", validation {loss:.4g}"
        if self._watch.save is not None and time.monotonic() - self._saved > SAVE_SECONDS:
            self._watch.save((self._chosen or self.best).potential)
            self._saved = time.monotonic()
        return note


def metric_factors(objective: Objective, point: Point, damping: float) -> list[FloatArray]:
    """Return the lower Cholesky factors of the metric, one (S·M·K, S·M·K) per central species."""
    radial = point.potential.radial
    metric = np.zeros((len(radial), radial[0].size, radial[0].size))
    kernel = point.potential.kernel()
    for configuration in objective.configurations():
        _, rows = kernel.scalar_functions(configuration)
        flat = rows.reshape(len(rows), -1)
        for z in range(len(radial)):
            chosen = flat[configuration.types == z]
            metric[z] += chosen.T @ chosen
    out = []
    for block in metric:
        size = float(np.trace(block)) / len(block)
        scaled = block / size if size > 0.0 else np.zeros_like(block)
        out.append(np.asarray(np.linalg.cholesky(scaled + damping * np.eye(len(block))), dtype=np.float64))
    return out
