"""Rate laws with activities, vectorised (Bazant, Acc. Chem. Res. 46, 1144 (2013))."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalebridge.contracts import RateLaw
from scalebridge.foundation import InputError, constants
from scalebridge.foundation.compiled import compiled
from scalebridge.kinetics._kernels import electron_transfer_rate, reaction_rate

FloatArray = NDArray[np.float64]

LEAST_REORGANISATION = 1.0
"""In kT: from where the sum over the electrons' levels is exact to 1e-7."""


def exchange_current(
    law: RateLaw,
    theta: ArrayLike,
    log_activity: ArrayLike,
    log_electrolyte: ArrayLike = 0.0,
    *,
    temperature: float | None = None,
) -> FloatArray:
    """Return the exchange current density [A/m²]: of Butler–Volmer j0 = k0 a₊^{1−α} a^α / γ_‡.

    Of electron transfer, what flows in either direction at equilibrium.

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
    temperature
        Of electron transfer, for λ/kT [K].

    Raises
    ------
    InputError
        If a site fraction is outside (0, 1), or electron transfer has no temperature.
    """
    if law.form != "butler-volmer":
        plus, filling = np.broadcast_arrays(
            np.asarray(log_electrolyte, dtype=np.float64), np.asarray(theta, dtype=np.float64)
        )
        transition = np.broadcast_to(_log_transition(law, filling, log_activity), filling.shape)
        flows = [
            electron_transfer_rate(a, a - t, t, g, reorganisation_over_kt(law, temperature))[1]
            for a, t, g in zip(plus.ravel(), np.log(filling).ravel(), transition.ravel(), strict=True)
        ]
        return np.asarray(law.rate_constant * np.array(flows).reshape(filling.shape))
    alpha = law.transfer_coefficient
    exponent = (1 - alpha) * np.asarray(log_electrolyte) + alpha * np.asarray(log_activity)
    return np.asarray(law.rate_constant * np.exp(exponent + _log_transition(law, theta, log_activity)))


def current_density(
    law: RateLaw,
    drive: ArrayLike,
    theta: ArrayLike,
    log_activity: ArrayLike,
    log_electrolyte: ArrayLike = 0.0,
    *,
    temperature: float | None = None,
) -> FloatArray:
    """Return the current density [A/m²], positive inserting ions; see `RateLaw` for the laws.

    Of Butler–Volmer j = j0 [exp(−α η̃) − exp((1−α) η̃)] with η̃ = drive + ln a − ln a₊.

    Parameters
    ----------
    law
        Rate constant, transfer coefficient and transition state.
    drive
        z e (φ_s − φ_e)/kT counted from the standard potential −μ°/(z e).
    theta, log_activity, log_electrolyte, temperature
        As in `exchange_current`.

    Raises
    ------
    InputError
        If a site fraction is outside (0, 1), or electron transfer has no temperature.
    """
    electrolyte, driving, activity, transition = np.broadcast_arrays(
        np.asarray(log_electrolyte, dtype=np.float64),
        np.asarray(drive, dtype=np.float64),
        np.asarray(log_activity, dtype=np.float64),
        _log_transition(law, theta, log_activity),
    )
    if law.form != "butler-volmer":
        activity_now, filling = (
            np.broadcast_to(activity, driving.shape),
            np.broadcast_to(theta, driving.shape),
        )
        flows = [
            electron_transfer_rate(p, d + a - t, t, g, reorganisation_over_kt(law, temperature))[0]
            for p, d, a, t, g in zip(
                electrolyte.ravel(),
                driving.ravel(),
                activity_now.ravel(),
                np.log(filling).ravel(),
                transition.ravel(),
                strict=True,
            )
        ]
        return np.asarray(law.rate_constant * np.array(flows).reshape(driving.shape))
    rates = _rates(
        electrolyte.ravel(), driving.ravel(), activity.ravel(), transition.ravel(), law.transfer_coefficient
    )
    return np.asarray(law.rate_constant * rates.reshape(driving.shape))


def reorganisation_over_kt(law: RateLaw, temperature: float | None) -> float:
    """Return λ/kT of a law of electron transfer, 0 of Butler–Volmer.

    Raises
    ------
    InputError
        If electron transfer has no temperature, or λ is too small beside kT.
    """
    if law.reorganisation_energy is None:
        return 0.0
    if temperature is None or temperature <= 0:
        raise InputError(
            f"temperature {temperature} must be positive for the rate law '{law.form}', whose λ is compared "
            "with kT; give the temperature in K"
        )
    ratio = law.reorganisation_energy / (constants.BOLTZMANN * temperature)
    if ratio < LEAST_REORGANISATION:
        raise InputError(
            f"reorganisation energy of {ratio:.3g} kT must be at least {LEAST_REORGANISATION:g} kT; check "
            "the rate law"
        )
    return ratio


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
    if law.form == "marcus-hush-chidsey" or (law.form == "butler-volmer" and law.transition_state == "none"):
        return np.zeros_like(filling)
    vacancy = np.log1p(-filling)
    if law.form != "butler-volmer" or law.transition_state == "site exclusion":
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
