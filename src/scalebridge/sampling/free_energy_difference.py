"""Free-energy differences from works of forward and reverse attempts.

Works obey Crooks' relation P_F(w) = P_R(−w) exp(β(w − ΔF)); attempts of infinite work (refused paths)
count as attempts.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from scalebridge.foundation import ConvergenceError, InputError, constants

FloatArray = NDArray[np.float64]

MARGIN = 60.0
"""The root is bracketed this many kT beyond the works."""


class FreeEnergyDifference(NamedTuple):
    """ΔF and its standard error [eV]."""

    difference: float
    error: float


def bennett(insertion_work: ArrayLike, deletion_work: ArrayLike, temperature: float) -> FreeEnergyDifference:
    """Return F(N+1) − F(N) from works of insertion attempts at N and deletion attempts at N + 1.

    Solves Σ_F f(β(w_F − ΔF) + M) = Σ_R f(β(w_R + ΔF) − M), f(x) = 1/(1 + e^x), M = ln(n_F/n_R)
    [Bennett 1976, J. Comput. Phys. 22, 245; Shirts et al. 2003, PRL 91, 140601, Eqs. 7, 10]. The error is the
    asymptotic one with the number of attempts divided by the statistical inefficiency of f along each series,
    so the works must be given in the order in which they were sampled.

    Parameters
    ----------
    insertion_work, deletion_work
        Works [eV], (n,) and (m,); +inf for refused attempts.
    temperature
        [K].

    Raises
    ------
    InputError
        If one of the series is empty, holds NaN or −inf.
    ConvergenceError
        If all attempts of one direction were refused.
    """
    thermal = constants.BOLTZMANN_EV * temperature
    forward = _checked(insertion_work, "insertion") / thermal
    reverse = _checked(deletion_work, "deletion") / thermal
    ratio = np.log(len(forward) / len(reverse))

    def imbalance(shift: float) -> float:
        left = np.logaddexp.reduce(_log_fermi(forward - shift + ratio))
        right = np.logaddexp.reduce(_log_fermi(reverse + shift - ratio))
        return float(left - right)

    known = np.concatenate([forward[np.isfinite(forward)], -reverse[np.isfinite(reverse)]])
    low, high = known.min() - MARGIN - abs(ratio), known.max() + MARGIN + abs(ratio)
    shift = float(brentq(imbalance, low, high, xtol=1e-10))
    variance = sum(
        _relative_variance(np.exp(_log_fermi(argument)))
        for argument in (forward - shift + ratio, reverse + shift - ratio)
    )
    return FreeEnergyDifference(shift * thermal, float(np.sqrt(variance)) * thermal)


def transition_matrix(
    insertion_work: ArrayLike, deletion_work: ArrayLike, temperature: float, chemical_potential: float
) -> float:
    """Return F(N+1) − F(N) [eV] from the mean acceptance probabilities of the attempted moves at μ.

    Detailed balance between N and N + 1: Π(N+1)/Π(N) = ⟨a_up⟩/⟨a_down⟩ with a = min(1, e^{−β(w ∓ μ)})
    [Errington 2003, J. Chem. Phys. 118, 9915, Eqs. 6–8]. An estimate independent of Bennett's weighting; most
    precise at μ = ΔF.

    Raises
    ------
    InputError
        If one of the series is empty, holds NaN or −inf.
    ConvergenceError
        If all attempts of one direction were refused.
    """
    thermal = constants.BOLTZMANN_EV * temperature
    up = (_checked(insertion_work, "insertion") - chemical_potential) / thermal
    down = (_checked(deletion_work, "deletion") + chemical_potential) / thermal
    log_up = np.logaddexp.reduce(np.minimum(0.0, -up)) - np.log(len(up))
    log_down = np.logaddexp.reduce(np.minimum(0.0, -down)) - np.log(len(down))
    return float(chemical_potential - thermal * (log_up - log_down))


def statistical_inefficiency(series: ArrayLike) -> float:
    """Return 1 + 2 Σ_t (1 − t/n) C(t), summed to the first non-positive C(t); at least 1.

    The number of correlated samples worth one independent sample [Flyvbjerg and Petersen 1989; the
    truncation of Chodera et al. 2007].
    """
    values = np.asarray(series, dtype=np.float64)
    n = len(values)
    fluctuation = values - values.mean()
    variance = float(fluctuation @ fluctuation) / n if n else 0.0
    if n < 4 or variance <= 0:
        return 1.0
    inefficiency = 1.0
    for lag in range(1, n // 2):
        correlation = float(fluctuation[:-lag] @ fluctuation[lag:]) / ((n - lag) * variance)
        if correlation <= 0:
            break
        inefficiency += 2 * (1 - lag / n) * correlation
    return inefficiency


def _checked(work: ArrayLike, kind: str) -> FloatArray:
    values = np.asarray(work, dtype=np.float64)
    if values.size == 0 or np.any(np.isnan(values) | (values == -np.inf)):
        raise InputError(
            f"{values.size} {kind} works, of which {int(np.sum(~np.isfinite(values)))} not finite; each "
            "direction needs at least one attempt, and a work is a number or +inf"
        )
    if not np.any(np.isfinite(values)):
        raise ConvergenceError(
            f"all {values.size} {kind} attempts were refused; take more attempts, more switching steps or "
            "another width of the site density"
        )
    return values


def _log_fermi(argument: FloatArray) -> FloatArray:
    return -np.logaddexp(0.0, argument)


def _relative_variance(values: FloatArray) -> float:
    """Variance of the mean over its square, with correlated samples discounted."""
    spread = float(values.var()) / float(values.mean()) ** 2
    return spread * statistical_inefficiency(values) / len(values)
