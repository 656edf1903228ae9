"""Butler–Volmer kinetics with activities, vectorised (Bazant, Acc. Chem. Res. 46, 1144 (2013))."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalebridge.contracts import RateLaw
from scalebridge.foundation import InputError
from scalebridge.foundation.compiled import compiled
from scalebridge.kinetics._kernels import reaction_rate

FloatArray = NDArray[np.float64]


def exchange_current(
    law: RateLaw, theta: ArrayLike, log_activity: ArrayLike, log_electrolyte: ArrayLike = 0.0
) -> FloatArray:
    """Return the exchange current density j0 = k0 a₊^{1−α} a^α / γ_‡ [A/m²].

    Parameters
    ----------
    law
        Rate constant, transfer coefficient and transition state.
    theta
        Site fraction at the surface, 0 < θ < 1, any shape that broadcasts with the others.
    log_activity
        ln a = (μ − μ°)/kT of the inserted ion.
    log_electrolyte
        ln a₊ of the ion in the electrolyte.

    Raises
    ------
    InputError
        If a site fraction is outside (0, 1).
    """
    alpha = law.transfer_coefficient
    exponent = (1 - alpha) * np.asarray(log_electrolyte) + alpha * np.asarray(log_activity)
    return np.asarray(law.rate_constant * np.exp(exponent + _log_transition(law, theta, log_activity)))


def current_density(
    law: RateLaw,
    drive: ArrayLike,
    theta: ArrayLike,
    log_activity: ArrayLike,
    log_electrolyte: ArrayLike = 0.0,
) -> FloatArray:
    """Return j = j0 [exp(−α η̃) − exp((1−α) η̃)] with η̃ = drive + ln a − ln a₊ [A/m²]; j > 0 inserts ions.

    Parameters
    ----------
    law
        Rate constant, transfer coefficient and transition state.
    drive
        z e (φ_s − φ_e)/kT counted from the standard potential −μ°/(z e).
    theta, log_activity, log_electrolyte
        As in `exchange_current`.

    Raises
    ------
    InputError
        If a site fraction is outside (0, 1).
    """
    electrolyte, driving, activity, transition = np.broadcast_arrays(
        np.asarray(log_electrolyte, dtype=np.float64),
        np.asarray(drive, dtype=np.float64),
        np.asarray(log_activity, dtype=np.float64),
        _log_transition(law, theta, log_activity),
    )
    rates = _rates(
        electrolyte.ravel(), driving.ravel(), activity.ravel(), transition.ravel(), law.transfer_coefficient
    )
    return np.asarray(law.rate_constant * rates.reshape(driving.shape))


def overpotential(current: ArrayLike, exchange: ArrayLike, transfer_coefficient: float = 0.5) -> FloatArray:
    """Return η̃ at which j0 [exp(−α η̃) − exp((1−α) η̃)] equals ``current``, in units of kT/(z e).

    Newton's iteration on arsinh(j/2j0), started from Tafel's slope.

    Raises
    ------
    InputError
        If the exchange current is not positive, or α is outside (0, 1).
    """
    scale = np.asarray(exchange, dtype=np.float64)
    if np.any(scale <= 0) or not 0 < transfer_coefficient < 1:
        raise InputError(
            f"exchange current {scale.min():g} and transfer coefficient {transfer_coefficient} must obey "
            "j0 > 0 and 0 < α < 1; check the rate law"
        )
    alpha = transfer_coefficient
    ratio = np.asarray(current, dtype=np.float64) / scale
    reference = np.arcsinh(ratio / 2)
    eta = -reference * np.where(ratio > 0, 1 / alpha, 1 / (1 - alpha))
    for _ in range(60):
        rate = -np.exp(-alpha * eta) * np.expm1(eta)
        slope = -alpha * np.exp(-alpha * eta) - (1 - alpha) * np.exp((1 - alpha) * eta)
        # in the variable arsinh(rate/2) the problem is close to linear, so Newton cannot overshoot far
        eta = eta - (np.arcsinh(rate / 2) - reference) * 2 * np.hypot(1, rate / 2) / slope
    return np.asarray(eta)


def _log_transition(law: RateLaw, theta: ArrayLike, log_activity: ArrayLike) -> FloatArray:
    """Return −ln γ_‡."""
    filling = np.asarray(theta, dtype=np.float64)
    if np.any(filling <= 0) or np.any(filling >= 1):
        raise InputError(
            f"site fraction {filling.min():g} … {filling.max():g} must lie inside (0, 1); activities diverge "
            "at the ends"
        )
    if law.transition_state == "none":
        return np.zeros_like(filling)
    vacancy = np.log1p(-filling)
    if law.transition_state == "site exclusion":
        return vacancy
    coefficient = np.asarray(log_activity) - np.log(filling) + vacancy
    return np.asarray(vacancy - law.transfer_coefficient * coefficient)


@compiled
def _rates(
    log_electrolyte: FloatArray,
    drive: FloatArray,
    log_activity: FloatArray,
    log_transition: FloatArray,
    transfer: float,
) -> FloatArray:
    rates = np.empty_like(drive)
    for i in range(drive.size):
        rates[i] = reaction_rate(log_electrolyte[i], drive[i], log_activity[i], log_transition[i], transfer)[
            0
        ]
    return rates
