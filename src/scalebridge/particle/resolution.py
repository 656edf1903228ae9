"""How many shells an interface needs, and how wide it is where they are too few."""

from math import ceil

import numpy as np
from numpy.typing import NDArray

from scalebridge.particle.phases import interface_sharpness, unstable_interval

FloatArray = NDArray[np.float64]

SOLID_SOLUTION_SHELLS = 40
"""Shells of a particle without a miscibility gap, where no interface sets a length."""
SHELL_LIMIT = 160
"""Most shells chosen without being asked."""
SHELLS_PER_INTERFACE = 4.0
"""Shells chosen across the interface: its energy is then 0.6 % off, and the grid hardly pins it."""
ENERGY_ERROR = 0.1
"""Relative error of the interface energy over (h/ℓ)²: 0.60, 0.15, 0.04 % at h/ℓ = 1/4, 1/8, 1/16 of a regular
solution with Ω = 4 (tests/unit/particle/test_particle_direct.py)."""
WIDENED_SHELLS = 60
"""Shells of a particle whose interface is thinner than `SHELL_LIMIT` shells can resolve and is widened."""
SHELLS_PER_WIDENED_INTERFACE = 5.0
"""Shells across a widened interface: nothing speaks for a pinned one, whose every jump costs some sixty steps
(of LiFePO4 a third of the steps of three shells in fifty)."""


def shells_for(size: float, interface_length: float, *, limit: int = SHELL_LIMIT) -> int:
    """Return shells for `SHELLS_PER_INTERFACE` h ≤ ℓ, from ``SOLID_SOLUTION_SHELLS`` to ``limit``."""
    wanted = SHELLS_PER_INTERFACE * size / interface_length + 1 if interface_length > 0 else np.inf
    return max(SOLID_SOLUTION_SHELLS, ceil(min(limit, wanted)))


def chosen_shells(
    local: tuple[FloatArray, float], *, extent: float, length2: float, widen: bool
) -> tuple[int, float | None]:
    """Return the shells for an interface, and κ/ρkT where it is widened; ``local``: excess and B/ρkT."""
    if unstable_interval(*local) is None:
        return SOLID_SOLUTION_SHELLS, None
    sharpness = interface_sharpness(*local)
    width = sharpness * float(np.sqrt(length2))
    if widen and width < SHELLS_PER_INTERFACE * extent / (SHELL_LIMIT - 1):
        wide = SHELLS_PER_WIDENED_INTERFACE * extent / (WIDENED_SHELLS - 1)
        return WIDENED_SHELLS, (wide / sharpness) ** 2
    return shells_for(extent, width), None
