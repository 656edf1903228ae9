"""Minimisation over the radial coefficients: L-BFGS in the variables of ``_coordinates``.

The metric depends on ξ, so the descent is restarted with a fresh one every few iterations. A cold start
first takes some steps with a large δ: near the arbitrary first point the metric says little and its long
steps end in poor minima.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import minimize

from scalebridge.foundation.progress import Task
from scalebridge.potential._coordinates import coordinates, halves
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
    """Iterations, monotonic time of the end [s], least relative gain over ten iterations, radial rank."""

    iterations: int
    end: float
    tolerance: float
    rank: int | None = None


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
        if self._limits.rank is not None:
            mixing, shapes = halves(radial, self._limits.rank)
            radial = (mixing @ shapes).reshape(radial.shape)
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
        metric = metric_blocks(self._objective, origin)
        variables = coordinates(origin.potential.radial, metric, damping, self._limits.rank)

        def value_gradient(y: FloatArray) -> tuple[float, FloatArray]:
            point = self._evaluate(variables.radial(y))
            if not math.isfinite(point.value):
                return 1e300, np.zeros_like(y)
            return point.value, variables.pull(y, point.gradient)

        minimize(
            value_gradient,
            np.zeros(variables.size),
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


def metric_blocks(objective: Objective, point: Point) -> FloatArray:
    """Return the metric of each central species at mean diagonal one, shape (S, S·M·K, S·M·K)."""
    radial = point.potential.radial
    metric = np.zeros((len(radial), radial[0].size, radial[0].size))
    kernel = point.potential.kernel()
    for configuration in objective.configurations():
        _, rows = kernel.scalar_functions(configuration)
        flat = rows.reshape(len(rows), -1)
        for z in range(len(radial)):
            chosen = flat[configuration.types == z]
            metric[z] += chosen.T @ chosen
    sizes = np.trace(metric, axis1=1, axis2=2) / radial[0].size
    return np.asarray(metric / np.where(sizes > 0.0, sizes, 1.0)[:, None, None])
