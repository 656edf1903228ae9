"""ln Π(N) from the acceptance probabilities of all attempted exchanges: transition-matrix bookkeeping.

Every attempted insertion or deletion, accepted or not, adds its unbiased acceptance probability
min(1, e^{−β(w ∓ μ)}) to the sums of its content. Detailed balance gives
Π(N+1)/Π(N) = ⟨a(N → N+1)⟩/⟨a(N+1 → N)⟩, whatever bias the walkers had [Errington 2003, J. Chem. Phys. 118,
9915, Eqs. 6–8; Shell, Debenedetti, Panagiotopoulos 2003, J. Chem. Phys. 119, 9406].
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from scalebridge.foundation import ConvergenceError, constants

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TransitionSums:
    """Sums over attempts, per block of the run and per step N → N + 1 of the content.

    Attributes
    ----------
    up, down
        Sums of min(1, e^{−β cost}) of insertions at N and of deletions at N + 1, (blocks, steps).
    up_attempts, down_attempts
        Numbers of attempts, (blocks, steps).
    """

    up: FloatArray
    down: FloatArray
    up_attempts: FloatArray
    down_attempts: FloatArray

    @classmethod
    def zeros(cls, blocks: int, steps: int) -> Self:
        """Return empty sums."""
        return cls(*(np.zeros((blocks, steps)) for _ in range(4)))

    def add(self, block: int, step: int, *, upwards: bool, probability: float) -> None:
        """Count one attempt."""
        sums, attempts = (self.up, self.up_attempts) if upwards else (self.down, self.down_attempts)
        sums[block, step] += probability
        attempts[block, step] += 1

    def log_ratios(self, blocks: IndexArray) -> FloatArray:
        """Return ln[Π(N+1)/Π(N)] (steps,) of some blocks; NaN where a direction was never accepted."""
        up, down, up_attempts, down_attempts = (
            values[blocks].sum(axis=0)
            for values in (self.up, self.down, self.up_attempts, self.down_attempts)
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = np.log(up / up_attempts) - np.log(down / down_attempts)
        return np.where(np.isfinite(ratios), ratios, np.nan)


@dataclass(frozen=True, eq=False)
class MacrostateDistribution:
    """The distribution of the ion content at one temperature.

    Attributes
    ----------
    temperature
        [K].
    chemical_potential
        μ [eV] at which the walkers ran.
    first
        Smallest content.
    sums
        Transition sums of every step from ``first`` on.
    energies, visits, volumes
        Sums of the potential energy [eV], numbers of samples and sums of the cell's volume [Å³] per block and
        content, (blocks, contents).
    pressure
        [eV/Å³] of the walkers that changed their cells, so that Π is at N, p, T; else the cell was constant.
    approximations
        What was not sampled exactly, in sentences; empty: all moves were exact.
    """

    temperature: float
    chemical_potential: float
    first: int
    sums: TransitionSums
    energies: FloatArray
    visits: FloatArray
    volumes: FloatArray
    pressure: float | None = None
    approximations: tuple[str, ...] = ()

    @property
    def ions(self) -> IndexArray:
        """Contents N, (contents,)."""
        return np.arange(self.first, self.first + self.sums.up.shape[1] + 1)

    def log_probability(self, chemical_potential: float | None = None) -> FloatArray:
        """Return ln Π(N) at μ [eV], by default that of the run, normalised to Σ Π = 1, (contents,).

        Raises
        ------
        ConvergenceError
            If no insertion or no deletion was ever accepted with a probability above 0 at some content.
        """
        return self._normalised(self._checked(np.arange(len(self.sums.up))), chemical_potential)

    def log_probability_error(self, chemical_potential: float | None = None) -> FloatArray:
        """Return the standard error of ln Π(N) (contents,), leaving out each block in turn (jackknife)."""
        return _jackknife_error(self._jackknife(chemical_potential))

    def mean_ions(self, chemical_potential: float) -> tuple[float, float]:
        """Return ⟨N⟩ at μ [eV] and its standard error."""
        mean = float(np.exp(self.log_probability(chemical_potential)) @ self.ions)
        samples = np.exp(self._jackknife(chemical_potential)) @ self.ions.astype(np.float64)
        return mean, float(_jackknife_error(samples))

    def mean_energy(self) -> tuple[FloatArray, FloatArray]:
        """Return the mean potential energy at each content and its standard error [eV], (contents,).

        NaN where a content, or all but one block of it, was never visited.
        """
        return self._mean(self.energies)

    def mean_volume(self) -> tuple[FloatArray, FloatArray]:
        """Return the mean volume of the cell at each content and its standard error [Å³], as the energy's."""
        return self._mean(self.volumes)

    def _mean(self, sums: FloatArray) -> tuple[FloatArray, FloatArray]:
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = sums.sum(axis=0) / self.visits.sum(axis=0)
            samples = (sums.sum(axis=0) - sums) / (self.visits.sum(axis=0) - self.visits)
        return mean, _jackknife_error(samples)

    def free_energy(self) -> FloatArray:
        """Return F(N) − F(first) [eV], (contents,): −kT ln Π(N) + μN."""
        values = -constants.BOLTZMANN_EV * self.temperature * self.log_probability()
        values = values + self.chemical_potential * self.ions
        return np.asarray(values - values[0])

    def _jackknife(self, chemical_potential: float | None) -> FloatArray:
        blocks = np.arange(len(self.sums.up))
        return np.array(
            [self._normalised(self._checked(np.delete(blocks, n)), chemical_potential) for n in blocks]
        )

    def _checked(self, blocks: IndexArray) -> FloatArray:
        ratios = self.sums.log_ratios(blocks)
        missing = self.ions[:-1][np.isnan(ratios)]
        if len(missing):
            raise ConvergenceError(
                f"no acceptable insertion at N = {missing[0]} or deletion at N = {missing[0] + 1} was "
                "attempted; sample longer, in narrower windows, or switch trial ions over more steps"
            )
        return ratios

    def _normalised(self, ratios: FloatArray, chemical_potential: float | None) -> FloatArray:
        shift = 0.0 if chemical_potential is None else chemical_potential - self.chemical_potential
        values = np.concatenate([[0.0], np.cumsum(ratios)])
        values = values + shift * self.ions / (constants.BOLTZMANN_EV * self.temperature)
        return np.asarray(values - np.logaddexp.reduce(values))


def _jackknife_error(samples: FloatArray) -> FloatArray:
    """Return the standard error from estimates that leave out one block each, (blocks, …)."""
    return np.asarray(np.sqrt((len(samples) - 1) * np.mean((samples - samples.mean(axis=0)) ** 2, axis=0)))
