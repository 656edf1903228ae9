"""Numbers as a reader wants them: rounded to their uncertainty, with it, in the field's units."""

import math
import re

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
ROUND_OFF = 1e-9
"""Relative errors below this are the arithmetic's, not the result's."""
UNKNOWN = "–"
"""Stands where there is no result."""

_COUNT = re.compile(r"(?<=[A-Za-z)\]])\d+")
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def spread(values: FloatArray) -> FloatArray:
    """Return the sample standard deviation over the leading member axis, member 0 included.

    Parameters
    ----------
    values
        (member, …) with at least two members.
    """
    return np.asarray(np.std(values, axis=0, ddof=1))


def with_error(value: float, error: float) -> str:
    """Return ``3.441 ± 0.021``: the error with two significant digits, the value to the same place."""
    if not error > ROUND_OFF * abs(value):
        return f"{value:.4g} ± 0"
    decimals = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{decimals}f} ± {error:.{decimals}f}"


def error_alone(error: float) -> str:
    """Return an error with two significant digits, ``unknown`` where it is infinite."""
    return f"{error:.2g}" if math.isfinite(error) else "unknown"


def member_value(values: FloatArray) -> str:
    """Return member 0 ± spread of a (member,) array; without a spread where there is one member alone."""
    if len(values) == 1:
        return f"{float(values[0]):.4g}"
    return with_error(float(values[0]), float(spread(values)))


def known_value(values: FloatArray, known: NDArray[np.bool_]) -> str:
    """Return member 0 ± spread over the members with a result, `UNKNOWN` if member 0 has none.

    Parameters
    ----------
    values, known
        (member,)
    """
    return member_value(values[known]) if known[0] else UNKNOWN


def scientific(value: float, digits: int = 2) -> str:
    """Return ``2.1 × 10⁻¹²``."""
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    mantissa = value / 10.0**exponent
    if round(abs(mantissa), digits - 1) >= 10:
        mantissa, exponent = mantissa / 10, exponent + 1
    powers = str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{mantissa:.{digits - 1}f} × 10{powers}"


def formula(text: str) -> str:
    """Return a chemical formula with subscripts: ``Na_x Mn[Fe(CN)6]`` becomes ``NaₓMn[Fe(CN)₆]``."""
    text = text.replace("_x ", "ₓ").replace("_x", "ₓ")
    return _COUNT.sub(lambda match: match[0].translate(_SUBSCRIPTS), text)


def duration(seconds: float) -> str:
    """Return a time in the unit that reads best: ``12 s``, ``3.4 min``, ``2.1 h``, ``5.0 d``."""
    for limit, unit, name in ((120.0, 1.0, "s"), (7200.0, 60.0, "min"), (172800.0, 3600.0, "h")):
        if abs(seconds) < limit:
            return f"{seconds / unit:.3g} {name}"
    days = seconds / 86400.0
    return f"{days:.3g} d" if days < 1e4 else f"{scientific(days)} d"
