"""Fit of moment tensor potentials by variable projection.

For fixed radial coefficients c the loss is a linear least-squares problem in ξ and the offsets, solved
exactly (``_linear``). What is left, f(c) = min_x loss(c, x), is minimised by preconditioned L-BFGS
(``_descent``); its gradient is the partial derivative of the loss at the solution (Golub & Pereyra, Inverse
Problems 19, R1 (2003), eq. 12), computed by tangent-over-reverse in the compiled kernel.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from ase import Atoms

from scalebridge.foundation import SILENT, ConvergenceError, InputError, Progress, random_stream
from scalebridge.potential._basis import generate_basis
from scalebridge.potential._descent import COLD_ITERATIONS, Descent, Limits, Watch
from scalebridge.potential._kernel_data import FloatArray
from scalebridge.potential._kernels import REPULSION_WHOLE_SHARE
from scalebridge.potential._objective import Objective, Point, ValidationLoss
from scalebridge.potential.assessment import evaluate_errors
from scalebridge.potential.model import MomentTensorPotential
from scalebridge.potential.training import (
    OBSERVED_FRACTION,
    Distances,
    FitWeights,
    Label,
    labels_of,
    measure_distances,
)

RIDGE: Final = 1e-10
"""Tikhonov parameter relative to the squared column norms."""
DEFAULT_WEIGHTS: Final = FitWeights()
UNWATCHED: Final = Watch()


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
    starts
        Random starting points that are tried for a dozen iterations each; the best goes on. A fit with a
        ``start`` of its own has one.
    radial_rank
        Radial shapes that all pairs of species share and mix, at most; None: every pair has its own. For many
        species and few labels.
    repulsion
        Whether pairs closer than any in the labels repel as screened nuclei, see ``MomentTensorPotential``.
    toward_start
        The Tikhonov term draws all coefficients to those of ``start``, the prior mean, instead of the linear
        ones to zero: with a ridge of 1e-4 … 1, few labels change the start only where they speak.
    """

    max_iterations: int = 200
    max_seconds: float = math.inf
    tolerance: float = 1e-3
    ridge: float = RIDGE
    radial_size: int = 8
    weights: FitWeights = DEFAULT_WEIGHTS
    starts: int = 1
    radial_rank: int | None = None
    repulsion: bool = False
    toward_start: bool = False

    def __post_init__(self) -> None:
        sound = math.isfinite(self.ridge) and self.ridge > 0
        if self.max_iterations < 0 or self.radial_size < 2 or not sound or self.starts < 1:
            raise InputError(
                f"max_iterations {self.max_iterations}, radial_size {self.radial_size}, ridge {self.ridge}, "
                f"starts {self.starts} must be at least 0, at least 2, positive and finite, and at least 1; "
                "the defaults are sensible"
            )
        if self.radial_rank is not None and self.radial_rank < 1:
            raise InputError(
                f"radial_rank {self.radial_rank} must be at least 1; leave it out for functions of every pair"
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
    validation_losses : tuple of float
        At the start and after each iteration; empty without validation structures.
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
    validation_losses: tuple[float, ...]
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
    n = len(distances.species)
    low = min(distances.min_distance, 0.9 * cutoff)
    return MomentTensorPotential(
        species=distances.species, level=level, basis=basis, min_distance=low, cutoff=cutoff,
        scaling=0.5 / (cutoff - low) ** 2, radial=_first_radial((n, n, basis.n_radial, radial_size), seed, 0),
        xi=np.zeros(len(basis.scalars)), offsets=np.zeros(n), hard_core=np.zeros((n, n)),
    )  # fmt: skip


def short_range(distances: Distances, cutoff: float, *, repel: bool) -> tuple[FloatArray, FloatArray]:
    """Return hard cores and ranges of the repulsion [Å], (S, S) each.

    The repulsion ends at the shortest distance of the labels, which it thus leaves as they are; the hard core
    then begins where it is whole.
    """
    core = np.minimum(distances.hard_core(), 0.95 * cutoff)
    if not repel:
        return core, np.zeros_like(core)
    outer = np.minimum(distances.repulsion(), 0.95 * cutoff)
    return np.minimum(core, REPULSION_WHOLE_SHARE * outer), outer


def _with_short_range(
    start: MomentTensorPotential, distances: Distances, *, repel: bool
) -> MomentTensorPotential:
    """Return ``start`` with the hard cores and ranges of new labels and of those it was itself fitted to.

    A start with a hard core but no range has no labels closer than core / 0.9 (`Distances.hard_core`).
    """
    core, outer = short_range(distances, start.cutoff, repel=repel or bool(start.repulsion.any()))
    known = np.where(start.repulsion > 0.0, start.repulsion, start.hard_core / OBSERVED_FRACTION)
    outer = np.where(known > 0.0, np.minimum(outer, known), outer)
    core = np.where(start.hard_core > 0.0, np.minimum(core, start.hard_core), core)
    if outer.any():
        core = np.minimum(core, REPULSION_WHOLE_SHARE * outer)
    return replace(start, hard_core=core, repulsion=outer)


def _first_radial(shape: tuple[int, ...], seed: int, number: int) -> FloatArray:
    """Return the radial coefficients of the ``number``-th starting point."""
    names = ("potential", "radial") if number == 0 else ("potential", "radial", number)
    radial = 0.1 * random_stream(seed, *names).standard_normal(shape)
    for mu in range(min(shape[-2:])):
        radial[:, :, mu, mu] += 1.0
    return radial


def fit_labels(
    labels: Sequence[Label],
    start: MomentTensorPotential,
    settings: FitSettings,
    *,
    multiplicities: FloatArray,
    others: Sequence[FloatArray] = (),
    watch: Watch = UNWATCHED,
    progress: Progress = SILENT,
) -> FitReport:
    """Fit from ``start`` to plain labels, each counted ``multiplicities`` (F,) times.

    ``others`` are the radial coefficients of further starting points.
    """
    began = time.monotonic()
    smooth = start.polynomial()
    objective = Objective(
        smooth, labels, multiplicities, weights=settings.weights, ridge=settings.ridge,
        toward_start=settings.toward_start,
    )  # fmt: skip
    limits = Limits(
        settings.max_iterations, began + settings.max_seconds, settings.tolerance, settings.radial_rank
    )
    radial, warm = smooth.radial, bool(np.any(start.xi))
    if others:
        radial, warm = _best_start(objective, [radial, *others], limits, progress), True
    with progress.task("fit", settings.max_iterations) as task:
        descent = Descent(objective, limits, task, watch)
        descent.run(radial, warm=warm)
    chosen = descent.chosen
    if chosen is None:
        raise ConvergenceError(
            "the loss is not finite at the start of the fit; check the labels and the cutoff"
        )
    return FitReport(
        potential=replace(chosen.potential, hard_core=start.hard_core, repulsion=start.repulsion),
        loss=chosen.loss,
        losses=tuple(descent.losses),
        validation_losses=tuple(descent.validation_losses),
        condition_number=chosen.condition_number,
        seconds=time.monotonic() - began,
        reason=descent.reason,
    )


def _best_start(
    objective: Objective, starts: Sequence[FloatArray], limits: Limits, progress: Progress
) -> FloatArray:
    """Return the best radial coefficients that a few iterations from each start reach."""
    short = replace(limits, iterations=min(COLD_ITERATIONS, limits.iterations))
    best: Point | None = None
    with progress.task("starting points", len(starts) * short.iterations) as task:
        for radial in starts:
            descent = Descent(objective, short, task, UNWATCHED)
            descent.run(radial, warm=False)
            reached = descent.best
            if reached is not None and (best is None or reached.value < best.value):
                best = reached
    return starts[0] if best is None else best.potential.radial


def fit_report(
    train_frames: Sequence[Atoms],
    *,
    level: int = 12,
    cutoff: float = 5.0,
    species: Sequence[str] | None = None,
    start: MomentTensorPotential | None = None,
    seed: int = 0,
    settings: FitSettings | None = None,
    validation: Sequence[Atoms] = (),
    save: Callable[[MomentTensorPotential], None] | None = None,
    progress: Progress = SILENT,
) -> FitReport:
    """Fit a potential and report how; further arguments are those of ``fit``.

    Parameters
    ----------
    validation
        Early stopping: the fit ends when the loss on these structures has not fallen for ten iterations, and
        returns the potential with the least. They are seen by this choice, so errors on them are no test.
    save
        Is handed the best potential so far every `SAVE_SECONDS`.

    Raises
    ------
    InputError
        On unusable labels or settings; ``toward_start`` without a fitted ``start`` among them.
    ConvergenceError
        If the loss is not finite at the start.
    """
    settings = settings or FitSettings()
    if settings.toward_start and (start is None or not np.any(start.xi)):
        raise InputError("toward_start needs a fitted potential to stay close to; give start")
    if start is not None:
        species = start.species
    elif species is None:
        species = tuple(sorted({symbol for atoms in train_frames for symbol in atoms.get_chemical_symbols()}))
    labels = labels_of(train_frames, tuple(species))
    distances = measure_distances(labels, tuple(species), start.cutoff if start else cutoff)
    others: list[FloatArray] = []
    if start is None:
        start = initial_potential(distances, level, cutoff, radial_size=settings.radial_size, seed=seed)
        others = [_first_radial(start.radial.shape, seed, number) for number in range(1, settings.starts)]
    start = _with_short_range(start, distances, repel=settings.repulsion)
    loss = None
    if validation:
        unseen = labels_of(validation, start.species)
        loss = ValidationLoss(start.polynomial(), unseen, settings.weights)

    def keep(potential: MomentTensorPotential) -> None:
        if save is not None:
            save(replace(potential, hard_core=start.hard_core, repulsion=start.repulsion))

    return fit_labels(
        labels, start, settings, multiplicities=np.ones(len(labels)), others=others,
        watch=Watch(loss, keep), progress=progress,
    )  # fmt: skip


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
