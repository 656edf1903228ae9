"""exp(x) in plain arithmetic, so that compilers turn loops over it into vector instructions.

| step | source |
|---|---|
| exp(x) = 2ⁿ exp(r), n = round(x/ln 2), r = x − n ln 2 with ln 2 in two parts | Cody and Waite (1980) |
| exp(r) = 1 + 2 r P(r²)/(Q(r²) − r P(r²)) | Moshier, Cephes, ``exp.c`` |
"""

import numpy as np

from scalebridge.foundation.compiled import inlined_arithmetic

LARGEST = 708.0
"""Arguments beyond ± this count as this: 2ⁿ stays a normal number."""
PER_LN2 = 1.4426950408889634
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-1, 1.90821492927058770002e-10
P0, P1, P2 = 9.99999999999999999910e-1, 3.02994407707441961300e-2, 1.26177193074810590878e-4
Q0, Q1 = 2.00000000000000000009, 2.27265548208155028766e-1
Q2, Q3 = 2.52448340349684104192e-3, 3.00198505138664455042e-6
EXPONENT_BIAS, MANTISSA_BITS = 1023, 52


@inlined_arithmetic
def exponential(x: float) -> float:
    """Return exp(x) to one unit in the last place."""
    bounded = min(max(x, -LARGEST), LARGEST)
    n = np.floor(bounded * PER_LN2 + 0.5)
    r = (bounded - n * LN2_HIGH) - n * LN2_LOW
    square = r * r
    odd = r * (P0 + square * (P1 + square * P2))
    even = Q0 + square * (Q1 + square * (Q2 + square * Q3))
    power = np.int64((np.int64(n) + EXPONENT_BIAS) << MANTISSA_BITS).view(np.float64)
    value: float = (1.0 + 2.0 * odd / (even - odd)) * power
    return value
