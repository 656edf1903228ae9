"""Butler–Volmer with activities for one surface element, with derivatives: the only copy of this physics.

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
