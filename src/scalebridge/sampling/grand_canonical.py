"""A walker at constant chemical potential, pressure and temperature: a mixture of exact moves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from scalebridge.foundation import InputError
from scalebridge.sampling.configuration import Configuration
from scalebridge.sampling.exchange import Trial, deletion_trial, insertion_trial, relocation_trial
from scalebridge.sampling.moves import (
    BurstSettings,
    Ensemble,
    Move,
    accept,
    hybrid_burst,
    strain_move,
    volume_move,
)
from scalebridge.sampling.switching import SwitchSettings

MOVES = ("burst", "volume", "strain", "exchange", "relocation")


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
    volume_amplitude
        Half-width of the change of ln V.
    strain_amplitude
        Standard deviation of strain components.
    largest_ions
        Insertions above this content are rejected; None: no limit.
    """

    weights: Mapping[str, float] = field(
        default_factory=lambda: MappingProxyType({"burst": 1.0, "exchange": 1.0})
    )
    burst: BurstSettings = field(default_factory=BurstSettings)
    switching: SwitchSettings = field(default_factory=SwitchSettings)
    volume_amplitude: float = 0.02
    strain_amplitude: float = 0.004
    largest_ions: int | None = None

    def __post_init__(self) -> None:
        unknown = sorted(set(self.weights) - set(MOVES))
        if unknown or sum(self.weights.values()) <= 0 or min(self.weights.values()) < 0:
            raise InputError(
                f"move weights {dict(self.weights)} must be non-negative numbers for {', '.join(MOVES)} "
                "with a positive sum"
            )


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
class GrandCanonicalState:
    """A walker: its configuration and what its moves achieved so far, by name of the move."""

    configuration: Configuration
    counts: Mapping[str, MoveCount] = field(default_factory=dict)


@dataclass(frozen=True)
class GrandCanonicalWalker:
    """Samples exp(β(μN − U − pV))/N! over positions and cells; ``init → state``, ``step(state) → state``.

    Attributes
    ----------
    ensemble
        Model, temperature, pressure, masses, site density.
    chemical_potential
        μ [eV] of the ion with Λ = 1 Å.
    settings
        Mixture of moves.
    """

    ensemble: Ensemble
    chemical_potential: float
    settings: GrandCanonicalSettings = field(default_factory=GrandCanonicalSettings)

    def init(self, configuration: Configuration) -> GrandCanonicalState:
        """Return the state that starts from ``configuration``."""
        return GrandCanonicalState(configuration)

    def step(self, state: GrandCanonicalState, rng: np.random.Generator) -> GrandCanonicalState:
        """Make one randomly chosen move."""
        names = list(self.settings.weights)
        weights = np.array([self.settings.weights[name] for name in names])
        name = names[int(rng.choice(len(names), p=weights / weights.sum()))]
        name, move = self._move(name, state.configuration, rng)
        count = state.counts.get(name, MoveCount()).add(move.accepted)
        return GrandCanonicalState(move.configuration, {**state.counts, name: count})

    def _move(self, name: str, configuration: Configuration, rng: np.random.Generator) -> tuple[str, Move]:
        settings, ensemble = self.settings, self.ensemble
        if name == "exchange":
            return self._exchange(configuration, rng)
        if name == "burst":
            move = hybrid_burst(configuration, ensemble, settings.burst, rng)
        elif name == "volume":
            move = volume_move(configuration, ensemble, settings.volume_amplitude, rng)
        elif name == "strain":
            move = strain_move(configuration, ensemble, settings.strain_amplitude, rng)
        else:
            trial = relocation_trial(configuration, ensemble, settings.switching, rng)
            move = self._decide(configuration, trial, 0.0, rng)
        return name, move

    def _exchange(self, configuration: Configuration, rng: np.random.Generator) -> tuple[str, Move]:
        settings, ensemble = self.settings, self.ensemble
        if rng.random() < 0.5:
            if configuration.ions == settings.largest_ions:
                return "insertion", Move(configuration, False)
            trial = insertion_trial(configuration, ensemble, settings.switching, rng)
            return "insertion", self._decide(configuration, trial, -self.chemical_potential, rng)
        trial = deletion_trial(configuration, ensemble, settings.switching, rng)
        return "deletion", self._decide(configuration, trial, self.chemical_potential, rng)

    def _decide(
        self, configuration: Configuration, trial: Trial, offset: float, rng: np.random.Generator
    ) -> Move:
        accepted = accept(trial.work + offset, self.ensemble.thermal_energy, rng)
        if trial.configuration is None or not accepted:
            return Move(configuration, False)
        return Move(trial.configuration, True)
