"""How fast the interaction of a trial ion is switched: at constant thermodynamic speed.

Slow switching of λ loses the work ∫ ζ(λ) (dλ/dt)² dt, with the friction ζ(λ) = β ∫_0^∞ ⟨δX(0) δX(t)⟩_λ dt
of X = ∂H/∂λ at fixed λ; in a given time it is least where dλ/dt ∝ ζ(λ)^{−1/2} [Sivak and Crooks 2012, PRL
108, 190602]. A short pilot run at fixed strengths measures ζ.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scalebridge.foundation import InputError

FloatArray = NDArray[np.float64]
CITATIONS: Final = ("sivak2012",)

KNOTS = 33
"""Times at which a schedule is tabulated."""
UNIFORM_SHARE = 0.1
"""Of the time that is spread evenly over the path, whatever friction was measured."""


@dataclass(frozen=True)
class Schedule:
    """Strengths of the interaction of a trial ion at evenly spaced times from 0 to 1, linear in between.

    Attributes
    ----------
    exchange
        Of an insertion, rising from 0 to 1; a deletion goes back the same way.
    relocation
        Of the ion that fades in while the other fades out with 1 − strength; its own reverse.
    """

    exchange: tuple[float, ...]
    relocation: tuple[float, ...]

    def __post_init__(self) -> None:
        for name, knots in (("exchange", self.exchange), ("relocation", self.relocation)):
            values = np.array(knots)
            if len(knots) < 2 or knots[0] != 0 or knots[-1] != 1 or not np.all(np.diff(values) >= 0):
                raise InputError(
                    f"the schedule of {name} must rise from 0 to 1 over two strengths at least, not {knots}"
                )
        if not np.allclose(self.relocation, 1 - np.array(self.relocation[::-1]), atol=1e-12):
            raise InputError(
                "the schedule of relocations is not its own reverse; make those at t and 1 − t add up to 1"
            )

    def strengths(self, times: FloatArray, *, relocation: bool = False) -> FloatArray:
        """Return the strengths at ``times`` 0 … 1."""
        knots = self.relocation if relocation else self.exchange
        return np.asarray(np.interp(times, np.linspace(0, 1, len(knots)), knots))


def constant_speed(edges: FloatArray, friction: FloatArray, knots: int = KNOTS) -> FloatArray:
    """Return the strengths (knots,) at even times for which friction × speed² is constant.

    Parameters
    ----------
    edges
        Strengths that bound the bins, rising from 0 to 1, (bins + 1,).
    friction
        ζ within each bin, (bins,), up to a factor.
    knots
        Number of times.

    Raises
    ------
    InputError
        If no friction is positive or one is not finite.
    """
    if not (np.all(np.isfinite(friction)) and np.all(friction >= 0) and np.any(friction > 0)):
        raise InputError(f"frictions {friction.tolist()} must be finite, not negative, and one above 0")
    duration = np.sqrt(friction) * np.diff(edges)
    times = np.concatenate([[0.0], np.cumsum(duration)]) / duration.sum()
    times = (1 - UNIFORM_SHARE) * times + UNIFORM_SHARE * np.linspace(0, 1, len(edges))
    strengths = np.interp(np.linspace(0, 1, knots), times, edges)
    strengths[[0, -1]] = 0.0, 1.0
    return np.asarray(strengths)


def schedule_from_friction(edges: FloatArray, friction: FloatArray) -> Schedule:
    """Return the schedule of exchanges and of relocations, in which one ion fades in and one fades out.

    The two ions are far from each other, so their frictions add: ζ(λ) + ζ(1 − λ).
    """
    every = np.unique(np.concatenate([edges, 1 - edges]))
    every = np.concatenate([every[:-1][np.diff(every) > 1e-12], [1.0]])
    middle = 0.5 * (every[1:] + every[:-1])
    both = _of_bin(edges, friction, middle) + _of_bin(edges, friction, 1 - middle)
    relocation = constant_speed(every, both)
    relocation = 0.5 * (relocation + 1 - relocation[::-1])  # its own reverse to the last bit
    return Schedule(tuple(constant_speed(edges, friction).tolist()), tuple(relocation.tolist()))


def _of_bin(edges: FloatArray, values: FloatArray, at: FloatArray) -> FloatArray:
    return np.asarray(values[np.clip(np.searchsorted(edges, at) - 1, 0, len(values) - 1)])
