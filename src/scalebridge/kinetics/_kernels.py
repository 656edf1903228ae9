"""Rate laws for one surface element, with derivatives: the only copy of this physics.

| symbol | name here | meaning |
|---|---|---|
| η̃ | ``drive + log_activity − log_electrolyte`` | overpotential in units of kT/(z e) |
| a | exp(``log_activity``) | activity of the inserted ion |
| a₊ | exp(``log_electrolyte``) | activity of the ion in the electrolyte |
| Δ̃ | ``drive`` | z e (φ_s − φ_e)/kT, counted from the standard potential |
| α | ``transfer`` | transfer coefficient |
| 1/γ_‡ | exp(``log_transition``) | see `RateLaw.transition_state` |

j/k0 = (1/γ_‡) a₊^{1−α} a^α [exp(−α η̃) − exp((1−α) η̃)]
     = exp(ln a₊ − α Δ̃ − ln γ_‡) − exp(ln a + (1−α) Δ̃ − ln γ_‡); positive j inserts ions.
"""

import numpy as np

from scalebridge.foundation.compiled import compiled_arithmetic

LINEAR_FROM = 60.0
"""Exponent beyond which exp is continued by its tangent: no current is that large, and nothing overflows."""

LEVELS = 40
"""Electrons' levels on either side of those that react most, in kT."""
FARTHEST = 300.0
"""Formal overpotential beyond which nothing changes any more."""


@compiled_arithmetic
def bounded_exponential(x: float) -> tuple[float, float]:
    """Return exp(x) and its derivative, continued linearly above ``LINEAR_FROM``."""
    if x > LINEAR_FROM:
        top = np.exp(LINEAR_FROM)
        return top * (1.0 + x - LINEAR_FROM), top
    value = np.exp(x)
    return value, value


@compiled_arithmetic
def reaction_rate(
    log_electrolyte: float, drive: float, log_activity: float, log_transition: float, transfer: float
) -> tuple[float, float, float, float, float]:
    """Return j/k0 and its derivatives by the first four arguments (module table)."""
    forward, forward_slope = bounded_exponential(log_electrolyte - transfer * drive + log_transition)
    backward, backward_slope = bounded_exponential(log_activity + (1.0 - transfer) * drive + log_transition)
    overpotential = drive + log_activity - log_electrolyte
    difference = -forward * np.expm1(overpotential) if abs(overpotential) < 1.0 else forward - backward
    by_drive = -transfer * forward_slope - (1.0 - transfer) * backward_slope
    return difference, forward_slope, by_drive, -backward_slope, forward_slope - backward_slope


@compiled_arithmetic
def _levels(x: float, reorganisation: float) -> tuple[float, float]:
    """Return ∫ exp[−(e − x)²/4λ − x/2]/(2 cosh(e/2)) de and its slope by x.

    The trapezoidal rule with step 1 converges exponentially: what the poles of 1/cosh at ±iπ and a Gaussian
    of λ ≥ 1 leave is 1e-7. The window follows the integrand's maximum.
    """
    middle = np.rint(max(abs(x) - reorganisation, 0.0) * np.sign(x))
    total, slope = 0.0, 0.0
    for k in range(-LEVELS, LEVELS + 1):
        e = middle + k
        away = (e - x) / (2.0 * reorganisation)
        term = np.exp(-0.5 * (away * (e - x) + x + abs(e))) / (1.0 + np.exp(-abs(e)))
        total += term
        slope += (away - 0.5) * term
    return total, slope


@compiled_arithmetic
def transfer_constant(x: float, reorganisation: float) -> tuple[float, float]:
    """Return k(x)/k(0) of Marcus, Hush and Chidsey and its slope; x is the formal overpotential, λ in kT.

    k ∝ ∫ exp[−(e − λ − x)²/4λ]/(1 + eᵉ) de over the electrons' levels (Chidsey, Science 251, 919 (1991)),
    which is e^{−x/2} times an even function of x: k(x) = e⁻ˣ k(−x).
    """
    value, slope = _levels(x, reorganisation)
    scale = 1.0 / _levels(0.0, reorganisation)[0]
    return scale * value, scale * slope


@compiled_arithmetic
def electron_transfer_rate(
    log_electrolyte: float, formal: float, log_theta: float, log_transition: float, reorganisation: float
) -> tuple[float, float, float, float]:
    """Return j/k0 = [a₊ k(η_f) − θ k(−η_f)]/γ_‡ and its derivatives by ln a₊, η_f and ln θ.

    η_f = Δ̃ + ln a − ln θ is the overpotential counted from the formal potential; λ in kT.
    """
    x = min(max(formal, -FARTHEST), FARTHEST)
    forward, forward_slope = transfer_constant(x, reorganisation)
    backward = np.exp(x) * forward
    backward_slope = -backward - np.exp(x) * forward_slope
    if x != formal:
        forward_slope, backward_slope = 0.0, 0.0
    inserting = np.exp(min(log_electrolyte, LINEAR_FROM) + log_transition)
    leaving = np.exp(log_theta + log_transition)
    by_formal = inserting * forward_slope + leaving * backward_slope
    difference = inserting * forward - leaving * backward
    return difference, inserting * forward, by_formal, -leaving * backward
