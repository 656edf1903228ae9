"""Flat-histogram sampling of the ion content: walkers in windows of N, biased by what they have seen.

Each window's walker is grand canonical with a bias w_N = kT ln Π(N) from the transition sums of all windows
so far, so that it visits all contents alike [Errington 2003, J. Chem. Phys. 118, 9915]. With volume or strain
moves Π is that at the ensemble's pressure, Π(N; p, T), without them that of the cell as it is. After each
round the bias is renewed, and walkers of neighbouring windows that are both in the overlap change places,
which their common bias always accepts. The sums of the last rounds, in blocks, give ln Π(N) with errors. A
run is a loop over rounds whose state goes to a checkpoint; it resumes bit for bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from scalebridge.foundation import SILENT, InputError, Progress, content_key, random_stream
from scalebridge.sampling.checkpoint import CHECKPOINT_SECONDS, Checkpoint
from scalebridge.sampling.configuration import Configuration
from scalebridge.sampling.flat_histogram_state import Run, Window, restore, snapshot
from scalebridge.sampling.grand_canonical import GrandCanonicalSettings, GrandCanonicalWalker
from scalebridge.sampling.macrostates import MacrostateDistribution, TransitionSums
from scalebridge.sampling.moves import Ensemble
from scalebridge.sampling.pilot import optimise_schedule
from scalebridge.sampling.schedule import Schedule

FloatArray = NDArray[np.float64]
CITATIONS: Final = ("errington2003",)


@dataclass(frozen=True)
class FlatHistogramSettings:
    """How ln Π(N) is sampled.

    Attributes
    ----------
    rounds
        Rounds that count, a multiple of ``blocks``; the bias is renewed after each.
    equilibration
        Rounds before, whose sums serve the bias alone.
    moves_per_round
        Of each walker.
    blocks
        Blocks of rounds for the standard errors.
    moves
        Mixture of moves of all walkers; must have exchanges.
    tune_schedule
        Find the schedule of switches with a pilot run after the equilibration (``optimise_schedule``).
    """

    rounds: int = 80
    equilibration: int = 8
    moves_per_round: int = 500
    blocks: int = 8
    moves: GrandCanonicalSettings = field(default_factory=GrandCanonicalSettings)
    tune_schedule: bool = True

    def __post_init__(self) -> None:
        if min(self.rounds, self.moves_per_round) < 1 or self.blocks < 2 or self.rounds % self.blocks:
            raise InputError(
                f"{self.rounds} rounds of {self.moves_per_round} moves in {self.blocks} blocks; use at least "
                "two blocks, a multiple of them as rounds, and at least one move"
            )
        if not self.moves.weights.get("exchange"):
            raise InputError(
                "the moves have no exchanges, without which the ion content stays; give them weight"
            )


def even_windows(first: int, last: int, count: int) -> tuple[tuple[int, int], ...]:
    """Return ``count`` windows from content ``first`` to ``last``; neighbours share two contents.

    Raises
    ------
    InputError
        If the range is too short for as many.
    """
    if count < 1 or last - first < 2 * count:
        raise InputError(
            f"{count} windows do not fit between N = {first} and {last}; use at most "
            f"{max(1, (last - first) // 2)}"
        )
    edges = np.rint(np.linspace(first, last, count + 1)).astype(int).tolist()
    return tuple((low, min(high + 1, last)) for low, high in pairwise(edges))


def sample_flat_histogram(
    ensemble: Ensemble,
    chemical_potential: float,
    windows: Sequence[tuple[int, int]],
    starts: Sequence[Configuration],
    *,
    settings: FlatHistogramSettings | None = None,
    seed: int = 0,
    checkpoint: Path | None = None,
    progress: Progress = SILENT,
) -> MacrostateDistribution:
    """Sample ln Π(N) at one temperature.

    Parameters
    ----------
    ensemble
        Model, temperature, pressure, proposal density.
    chemical_potential
        μ [eV] of the ion with Λ = 1 Å; the result can be reweighted to any other.
    windows
        Ranges (smallest N, largest N), each beginning inside the one before.
    starts
        One configuration per window, with a content inside it.
    settings
        Length and moves.
    seed
        Of all random numbers.
    checkpoint
        A file that is written every minute; if it is there, the run goes on from it as if never stopped.

    Raises
    ------
    InputError
        If windows leave a gap or a start lies outside its window; if the checkpoint is of another run.
    """
    settings = settings or FlatHistogramSettings()
    run = _begin(windows, starts, settings.blocks, seed)
    kept = None
    if checkpoint is not None:
        identity = _identity(ensemble, chemical_potential, windows, starts, settings=settings, seed=seed)
        kept = Checkpoint(checkpoint, identity, CHECKPOINT_SECONDS)
        if (saved := kept.read()) is not None:
            restore(run, saved)
    total = settings.equilibration + settings.rounds
    with progress.task("contents", total=total) as bar:
        bar.advance(run.rounds)
        while run.rounds < total:
            if run.rounds == settings.equilibration and settings.tune_schedule:
                _find_schedule(run, ensemble, settings, seed)
            _round(run, ensemble, chemical_potential, _scheduled(settings, run.schedule))
            bar.advance()
            if kept is not None:
                kept.write(partial(snapshot, run), last=run.rounds == total)
    energies, visits, volumes = run.sampled
    return MacrostateDistribution(
        ensemble.temperature,
        chemical_potential,
        run.windows[0].lowest,
        run.sums,
        energies,
        visits,
        volumes,
        pressure=ensemble.pressure if settings.moves.changes_cells else None,
        approximations=settings.moves.approximations,
    )


def _identity(
    ensemble: Ensemble,
    chemical_potential: float,
    windows: Sequence[tuple[int, int]],
    starts: Sequence[Configuration],
    *,
    settings: FlatHistogramSettings,
    seed: int,
) -> dict[str, Any]:
    """Return what makes a run this one and no other, for its checkpoint."""
    return {
        "model": content_key(ensemble.model),
        "windows": [list(window) for window in windows],
        "settings": repr(settings),
        "ensemble": [ensemble.temperature, ensemble.pressure, chemical_potential, repr(ensemble.density)],
        "masses": ensemble.masses.tolist(),
        "starts": [
            content_key((start.template, start.positions, start.cell, start.velocities)) for start in starts
        ],
        "seed": seed,
    }


def _begin(
    windows: Sequence[tuple[int, int]], starts: Sequence[Configuration], blocks: int, seed: int
) -> Run:
    if not windows or len(windows) != len(starts):
        raise InputError(
            f"{len(starts)} starts for {len(windows)} windows; give one for each, and at least one"
        )
    for (low, high), start in zip(windows, starts, strict=True):
        if not low <= start.ions <= high or low >= high:
            raise InputError(
                f"the start with {start.ions} ions is not inside its window from {low} to {high}, which "
                "needs two contents at least"
            )
    for (_, high), (low, _) in pairwise(windows):
        if low > high:
            raise InputError(f"no window covers the step from {high} to {low} ions; let them overlap")
    steps = windows[-1][1] - windows[0][0]
    return Run(
        windows=[
            Window(low, high, start, random_stream(seed, "sampling", "flat histogram", number))
            for number, ((low, high), start) in enumerate(zip(windows, starts, strict=True))
        ],
        templates=[start.template for start in starts],
        sums=TransitionSums.zeros(blocks, steps),
        bias_sums=TransitionSums.zeros(1, steps),
        sampled=np.zeros((3, blocks, steps + 1)),
    )


def _find_schedule(run: Run, ensemble: Ensemble, settings: FlatHistogramSettings, seed: int) -> None:
    """Measure the friction of switching where the walkers are."""
    rng = random_stream(seed, "sampling", "flat histogram", "schedule")
    chosen = [window.configuration for window in run.windows]
    run.schedule = optimise_schedule(chosen, ensemble, settings.moves.switching, rng).schedule


def _scheduled(settings: FlatHistogramSettings, schedule: Schedule | None) -> FlatHistogramSettings:
    if schedule is None:
        return settings
    switching = replace(settings.moves.switching, schedule=schedule)
    return replace(settings, moves=replace(settings.moves, switching=switching))


def _round(run: Run, ensemble: Ensemble, chemical_potential: float, settings: FlatHistogramSettings) -> None:
    bias = _bias(run, ensemble.thermal_energy)
    counted = run.rounds - settings.equilibration
    for window in run.windows:
        _walk(run, window, ensemble, chemical_potential, settings, bias=bias, counted=counted)
    for lower, upper in pairwise(run.windows):
        inside = all(upper.lowest <= w.configuration.ions <= lower.highest for w in (lower, upper))
        if inside:
            lower.configuration, upper.configuration = upper.configuration, lower.configuration
    run.rounds += 1


def _walk(
    run: Run,
    window: Window,
    ensemble: Ensemble,
    chemical_potential: float,
    settings: FlatHistogramSettings,
    *,
    bias: FloatArray,
    counted: int,
) -> None:
    moves = replace(settings.moves, smallest_ions=window.lowest, largest_ions=window.highest)
    walker = GrandCanonicalWalker(ensemble, chemical_potential, moves, bias)
    # a copy knows nothing of its atoms' energies: a run that resumes here goes on with the same last bits
    state, first = walker.init(replace(window.configuration)), run.windows[0].lowest
    block = counted * settings.blocks // settings.rounds
    for _ in range(settings.moves_per_round):
        state = walker.step(state, window.rng)
        if state.attempt is not None:
            upwards = state.attempt.change > 0
            step = state.attempt.ions - first - (not upwards)
            probability = float(np.exp(-max(0.0, state.attempt.cost) / ensemble.thermal_energy))
            run.bias_sums.add(0, step, upwards=upwards, probability=probability)
            if counted >= 0:
                run.sums.add(block, step, upwards=upwards, probability=probability)
        if counted >= 0:
            now = state.configuration
            run.sampled[:, block, now.ions - first] += (now.energy, 1.0, now.volume)
    window.configuration = state.configuration


def _bias(run: Run, thermal_energy: float) -> FloatArray:
    """Return w_N = kT ln Π(N) from all sums so far, level beyond what was seen; from N = 0 on [eV]."""
    ratios = run.bias_sums.log_ratios(np.zeros(1, dtype=np.int64))
    known = np.where(np.isnan(ratios), 0.0, ratios)
    return np.concatenate([np.zeros(run.windows[0].lowest + 1), thermal_energy * np.cumsum(known)])
