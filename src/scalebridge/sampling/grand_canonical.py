"""A walker at constant chemical potential, pressure and temperature: a mixture of moves, exact by default."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from scalebridge.foundation import InputError
from scalebridge.sampling._density import pick
from scalebridge.sampling.configuration import Configuration
from scalebridge.sampling.exchange import Trial, deletion_trial, insertion_trial, relocation_trial
from scalebridge.sampling.moves import (
    BurstSettings,
    Ensemble,
    Move,
    accept,
    burst_move,
    displacement_move,
    strain_move,
    volume_move,
)
from scalebridge.sampling.switching import SwitchSettings

FloatArray = NDArray[np.float64]

MOVES = ("burst", "displacement", "volume", "strain", "exchange", "relocation")


@dataclass(frozen=True)
class GrandCanonicalSettings:
    """Relative weights of the moves and their sizes.

    Attributes
    ----------
    weights
        Probability of each of ``MOVES`` up to a factor; absent moves are not made. ``exchange`` is an
        insertion or a deletion with probability ½ each.
    burst, switching
        Trajectories.
    displacement
        Largest displacement of an atom along each direction [Å].
    volume_amplitude
        Half-width of the change of ln V.
    strain_amplitude
        Standard deviation of strain components.
    smallest_ions, largest_ions
        Deletions below and insertions above these contents are rejected; None: no limit.
    """

    weights: Mapping[str, float] = field(
        default_factory=lambda: MappingProxyType({"burst": 1.0, "exchange": 1.0})
    )
    burst: BurstSettings = field(default_factory=BurstSettings)
    switching: SwitchSettings = field(default_factory=SwitchSettings)
    displacement: float = 0.2
    volume_amplitude: float = 0.02
    strain_amplitude: float = 0.004
    smallest_ions: int = 0
    largest_ions: int | None = None

    def __post_init__(self) -> None:
        unknown = sorted(set(self.weights) - set(MOVES))
        if unknown or sum(self.weights.values()) <= 0 or min(self.weights.values()) < 0:
            raise InputError(
                f"move weights {dict(self.weights)} must be non-negative numbers for {', '.join(MOVES)} "
                "with a positive sum"
            )

    @property
    def changes_cells(self) -> bool:
        """Whether the cell moves, and the pressure with it is that of the ensemble."""
        bursts = self.weights.get("burst", 0) > 0 and self.burst.moves_cell
        return bursts or any(self.weights.get(name, 0) > 0 for name in ("volume", "strain"))

    @property
    def approximations(self) -> tuple[str, ...]:
        """What these moves do not sample exactly, in sentences."""
        approximate = self.weights.get("burst", 0) > 0 and not self.burst.exact
        return (self.burst.approximation,) if approximate else ()


@dataclass(frozen=True)
class MoveCount:
    """Attempts and acceptances of one kind of move."""

    attempted: int = 0
    accepted: int = 0

    def add(self, accepted: bool) -> "MoveCount":
        """Return the counts with one more attempt."""
        return MoveCount(self.attempted + 1, self.accepted + int(accepted))

    @property
    def rate(self) -> float:
        """Fraction accepted; 0 without attempts."""
        return self.accepted / self.attempted if self.attempted else 0.0


@dataclass(frozen=True)
class Attempt:
    """An attempted change of content from ``ions`` by ±1, and its cost w ∓ μ [eV], +inf if refused."""

    ions: int
    change: int
    cost: float


@dataclass(frozen=True)
class GrandCanonicalState:
    """A walker: its configuration, what its moves achieved by name, the last move if it was an exchange."""

    configuration: Configuration
    counts: Mapping[str, MoveCount] = field(default_factory=dict)
    attempt: Attempt | None = None


@dataclass(frozen=True)
class GrandCanonicalWalker:
    """Samples exp(β(μN − U − pV − w_N))/N! over positions and cells: ``init → state``, ``step → state``.

    Attributes
    ----------
    ensemble
        Model, temperature, pressure, masses, site density.
    chemical_potential
        μ [eV] of the ion with Λ = 1 Å.
    settings
        Mixture of moves.
    bias
        w_N [eV] from N = 0 on, for contents up to ``largest_ions``; None: no bias.
    """

    ensemble: Ensemble
    chemical_potential: float
    settings: GrandCanonicalSettings = field(default_factory=GrandCanonicalSettings)
    bias: FloatArray | None = None

    def init(self, configuration: Configuration) -> GrandCanonicalState:
        """Return the state that starts from ``configuration``."""
        return GrandCanonicalState(configuration)

    def step(self, state: GrandCanonicalState, rng: np.random.Generator) -> GrandCanonicalState:
        """Make one randomly chosen move."""
        weights = self.settings.weights
        name = tuple(weights)[pick(np.fromiter(weights.values(), dtype=np.float64), rng.random())]
        attempt: Attempt | None = None
        if name == "exchange":
            name, attempt, move = self._exchange(state.configuration, rng)
        else:
            move = self._move(name, state.configuration, rng)
        count = state.counts.get(name, MoveCount()).add(move.accepted)
        return GrandCanonicalState(move.configuration, {**state.counts, name: count}, attempt)

    def _move(self, name: str, configuration: Configuration, rng: np.random.Generator) -> Move:
        settings, ensemble = self.settings, self.ensemble
        if name == "burst":
            move = burst_move(configuration, ensemble, settings.burst, rng)
        elif name == "displacement":
            move = displacement_move(configuration, ensemble, settings.displacement, rng)
        elif name == "volume":
            move = volume_move(configuration, ensemble, settings.volume_amplitude, rng)
        elif name == "strain":
            move = strain_move(configuration, ensemble, settings.strain_amplitude, rng)
        else:
            trial = relocation_trial(configuration, ensemble, settings.switching, rng)
            move = self._decide(configuration, trial, trial.work, rng)
        return move

    def _exchange(
        self, configuration: Configuration, rng: np.random.Generator
    ) -> tuple[str, Attempt | None, Move]:
        settings, ensemble, ions = self.settings, self.ensemble, configuration.ions
        change = 1 if rng.random() < 0.5 else -1
        name, limit = (
            ("insertion", settings.largest_ions) if change > 0 else ("deletion", settings.smallest_ions)
        )
        if ions == limit:
            return name, None, Move(configuration, False)
        draw = insertion_trial if change > 0 else deletion_trial
        trial = draw(configuration, ensemble, settings.switching, rng)
        attempt = Attempt(ions, change, trial.work - change * self.chemical_potential)
        bias = 0.0 if self.bias is None else float(self.bias[ions + change] - self.bias[ions])
        return name, attempt, self._decide(configuration, trial, attempt.cost + bias, rng)

    def _decide(
        self, configuration: Configuration, trial: Trial, cost: float, rng: np.random.Generator
    ) -> Move:
        accepted = accept(cost, self.ensemble.thermal_energy, rng)
        if trial.configuration is None or not accepted:
            return Move(configuration, False)
        return Move(trial.configuration, True)
