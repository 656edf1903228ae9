"""Fit of moment tensor potentials by variable projection.

For fixed radial coefficients c the loss is a linear least-squares problem in ξ and the offsets, solved
exactly (``_linear``). What is left, f(c) = min_x loss(c, x), is minimised by preconditioned L-BFGS
(``_descent``); its gradient is the partial derivative of the loss at the solution (Golub & Pereyra, Inverse
Problems 19, R1 (2003), eq. 12), computed by tangent-over-reverse in the compiled kernel.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from ase import Atoms

from scalebridge.foundation import SILENT, ConvergenceError, InputError, Progress, random_stream
from scalebridge.potential._basis import generate_basis
from scalebridge.potential._descent import Descent, Limits
from scalebridge.potential._kernel_data import FloatArray
from scalebridge.potential._objective import Objective
from scalebridge.potential.assessment import evaluate_errors
from scalebridge.potential.model import MomentTensorPotential
from scalebridge.potential.training import Distances, FitWeights, Label, labels_of, measure_distances

RIDGE: Final = 1e-10
"""Tikhonov parameter relative to the squared column norms."""
DEFAULT_WEIGHTS: Final = FitWeights()


@dataclass(frozen=True)
class FitSettings:
    """How a fit is run.

    Attributes
    ----------
    max_iterations
        L-BFGS iterations over the radial coefficients; 0 solves the linear problem only.
    max_seconds
        Wall-clock limit; the best point so far is returned.
    tolerance
        Stop when ten iterations lower the loss by less than this fraction.
    ridge
        Tikhonov parameter relative to the squared column norms.
    radial_size
        Chebyshev polynomials per radial function.
    weights
        Of the loss.
    """

    max_iterations: int = 200
    max_seconds: float = math.inf
    tolerance: float = 1e-3
    ridge: float = RIDGE
    radial_size: int = 8
    weights: FitWeights = DEFAULT_WEIGHTS

    def __post_init__(self) -> None:
        if self.max_iterations < 0 or self.radial_size < 2 or self.ridge <= 0:
            raise InputError(
                f"max_iterations {self.max_iterations}, radial_size {self.radial_size}, ridge {self.ridge} "
                "must be at least 0, at least 2 and positive; the defaults are sensible"
            )


@dataclass(frozen=True, eq=False)
class FitReport:
    """A fitted potential and how it was reached.

    Attributes
    ----------
    potential : MomentTensorPotential
    loss : float
        Without the Tikhonov term, per frame.
    losses : tuple of float
        After each iteration.
    condition_number : float
        Of the regularised, column-normalised linear problem.
    seconds : float
        Wall-clock time.
    reason : str
        Why the iteration ended.
    """

    potential: MomentTensorPotential
    loss: float
    losses: tuple[float, ...]
    condition_number: float
    seconds: float
    reason: str


def initial_potential(
    distances: Distances, level: int, cutoff: float, *, radial_size: int = 8, seed: int = 0
) -> MomentTensorPotential:
    """Return a starting point: f_mu near the mu-th Chebyshev polynomial, varied a little per species pair.

    The scaling makes Q_0 of order one at half the cutoff, so that moments keep a healthy size.
    """
    basis = generate_basis(level)
    n, functions = len(distances.species), basis.n_radial
    low = min(distances.min_distance, 0.9 * cutoff)
    random = random_stream(seed, "potential", "radial")
    radial = 0.1 * random.standard_normal((n, n, functions, radial_size))
    for mu in range(min(functions, radial_size)):
        radial[:, :, mu, mu] += 1.0
    hard_core = np.minimum(distances.hard_core(), 0.95 * cutoff)
    return MomentTensorPotential(
        species=distances.species, level=level, basis=basis, min_distance=low, cutoff=cutoff,
        scaling=0.5 / (cutoff - low) ** 2, radial=radial, xi=np.zeros(len(basis.scalars)),
        offsets=np.zeros(n), hard_core=hard_core,
    )  # fmt: skip


def fit_labels(
    labels: Sequence[Label],
    start: MomentTensorPotential,
    settings: FitSettings,
    *,
    multiplicities: FloatArray,
    progress: Progress = SILENT,
) -> FitReport:
    """Fit from ``start`` to plain labels, each counted ``multiplicities`` (F,) times."""
    began = time.monotonic()
    smooth = start.without_hard_core()
    objective = Objective(smooth, labels, multiplicities, weights=settings.weights, ridge=settings.ridge)
    limits = Limits(settings.max_iterations, began + settings.max_seconds, settings.tolerance)
    with progress.task("fit", settings.max_iterations) as task:
        descent = Descent(objective, limits, task)
        descent.run(warm=bool(np.any(start.xi)))
    best = descent.best
    if best is None:
        raise ConvergenceError(
            "the loss is not finite at the start of the fit; check the labels and the cutoff"
        )
    potential = replace(best.potential, hard_core=start.hard_core)
    seconds = time.monotonic() - began
    return FitReport(
        potential, best.loss, tuple(descent.losses), best.condition_number, seconds, descent.reason
    )


def fit_report(
    train_frames: Sequence[Atoms],
    *,
    level: int = 12,
    cutoff: float = 5.0,
    species: Sequence[str] | None = None,
    start: MomentTensorPotential | None = None,
    seed: int = 0,
    settings: FitSettings | None = None,
    progress: Progress = SILENT,
) -> FitReport:
    """Fit a potential and report how; the arguments are those of ``fit``."""
    settings = settings or FitSettings()
    if start is not None:
        species = start.species
    elif species is None:
        species = tuple(sorted({symbol for atoms in train_frames for symbol in atoms.get_chemical_symbols()}))
    labels = labels_of(train_frames, tuple(species))
    distances = measure_distances(labels, tuple(species), start.cutoff if start else cutoff)
    if start is None:
        start = initial_potential(distances, level, cutoff, radial_size=settings.radial_size, seed=seed)
    else:
        start = replace(start, hard_core=np.minimum(distances.hard_core(), 0.95 * start.cutoff))
    return fit_labels(labels, start, settings, multiplicities=np.ones(len(labels)), progress=progress)


def fit(
    train_frames: Sequence[Atoms],
    *,
    level: int = 12,
    cutoff: float = 5.0,
    species: Sequence[str] | None = None,
    held_out: Sequence[Atoms] | None = None,
    start: MomentTensorPotential | None = None,
    seed: int = 0,
    max_iterations: int = 200,
    max_seconds: float = math.inf,
    weights: FitWeights = DEFAULT_WEIGHTS,
    progress: Progress = SILENT,
) -> MomentTensorPotential:
    """Fit a moment tensor potential to labelled structures.

    Parameters
    ----------
    train_frames
        Structures with a ``SinglePointCalculator`` that holds energy [eV], forces [eV/Å] and, where known,
        stress [eV/Å³]; a missing stress drops that frame's stress term.
    level, cutoff, species
        Form of the potential; ignored when ``start`` is given. Species default to those met, sorted.
    held_out
        Structures kept out of the fit; their errors are shown as a message.
    start
        Warm start.
    seed
        Of the initial radial coefficients.
    max_iterations, max_seconds
        Limits on the radial optimisation.
    weights
        Of energy, force and stress in the loss.
    progress
        Where to report.

    Returns
    -------
    MomentTensorPotential

    Raises
    ------
    InputError
        On unusable labels or settings.
    ConvergenceError
        If the loss is not finite at the start.
    """
    settings = FitSettings(max_iterations=max_iterations, max_seconds=max_seconds, weights=weights)
    report = fit_report(
        train_frames, level=level, cutoff=cutoff, species=species, start=start, seed=seed, settings=settings,
        progress=progress,
    )  # fmt: skip
    if held_out:
        errors = evaluate_errors(report.potential, held_out)
        progress.message(
            f"held-out errors: {1e3 * errors.energy_rmse:.2f} meV/atom, {errors.force_rmse:.3f} eV/Å "
            f"(root mean squares, {len(held_out)} structures)"
        )
    return report.potential
