"""What ends a step of a protocol: functions of the state that fall to zero there."""

import numpy as np
from numpy.typing import NDArray

from scalebridge.electrode._kernels import CellArrays, metal_concentration, outer_size
from scalebridge.foundation.compiled import compiled_arithmetic
from scalebridge.particle import particle_table

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

VOLTAGE_EVENT, CURRENT_EVENT, SALT_EVENT, FILLING_EVENT = range(4)
"""Kinds: V less the cathode's standard potential in kT/e; |I| in 1C; least c in 1000 mol/m³; mean site
fraction of the cathode."""


@compiled_arithmetic
def cell_events(a: CellArrays, state: FloatArray, salt: IntArray, rules: FloatArray, out: FloatArray) -> None:
    """Write sign · (quantity − level) of every rule (kind, level, sign)."""
    last, first = state.size - 1, state.size - outer_size(a)
    for k in range(rules.shape[0]):
        kind = int(rules[k, 0])
        value = 0.0
        if kind == VOLTAGE_EVENT:
            value = state[salt[salt.size - 1] - 1] - a.drop * state[last]
        elif kind == CURRENT_EVENT:
            value = abs(state[last])
        elif kind == SALT_EVENT:
            value = state[salt[0]]
            if a.anode.volumes == 0:
                value = metal_concentration(a, state[first], state[first + 1])
            for i in range(salt.size):
                value = min(value, state[salt[i]])
        else:
            value = mean_filling(a, state)
        out[k] = rules[k, 2] * (value - rules[k, 1])


@compiled_arithmetic
def mean_filling(a: CellArrays, state: FloatArray) -> float:
    """Return the cathode's mean site fraction."""
    filling = particle_table(a.cathode.active, state)[2 * a.cathode.active.arrays.fractions.size]
    total = 0.0
    for j in range(filling.size):
        total += a.cathode.share[j] * filling[j]
    return total
