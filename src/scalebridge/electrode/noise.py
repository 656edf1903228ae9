"""Discharge of a cell whose particles fluctuate during the run, see `scalebridge.particle.noise`.

What resists outside the particles (electrolyte, solid, chains, foil) carries no noise.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from scalebridge.electrode._kernels import CellArrays, ElectrodeArrays, outer_size, surface
from scalebridge.electrode.arrays import cell_arrays
from scalebridge.electrode.discharge import (
    CellSolution,
    asked_times,
    discharge_rules,
    discharged,
    runnable,
)
from scalebridge.electrode.model import CellModel, MetalFoil
from scalebridge.electrode.porous import PorousElectrode
from scalebridge.electrode.system import Unknowns, rest_state
from scalebridge.foundation import InputError
from scalebridge.particle import (
    REFERENCE_TOLERANCE,
    ImplicitSystem,
    consistent_start,
    noise_stream,
    solve_slices,
    thermal_noise,
)

FloatArray = NDArray[np.float64]


def solve_noisy_cell(
    model: CellModel,
    c_rate: float,
    *,
    times: FloatArray | None = None,
    relative_tolerance: float = REFERENCE_TOLERANCE,
) -> CellSolution:
    """Discharge (> 0) or charge (< 0) at constant current a cell whose electrodes have a noise interval.

    Parameters
    ----------
    times
        Output times from 0 [s], as of `solve_cell`.

    Raises
    ------
    InputError
        If the rate is 0, or negative without ``times``, or no electrode has a noise interval.
    ConvergenceError
        If no consistent start exists at time 0.
    """
    asked = asked_times(model, c_rate, times)
    interval = model.noise_interval
    if interval is None:
        raise InputError("no electrode of the cell has a noise interval; give one, or use solve_cell")
    arrays = cell_arrays(model, target=c_rate)
    unknowns = Unknowns.of(arrays)
    noises = _Noise.of(model.cathode, "cathode"), _Noise.of(model.anode, "anode")
    rules = discharge_rules(model)

    def stirred(state: FloatArray) -> tuple[ImplicitSystem, Callable[[FloatArray], FloatArray]]:
        noisy = _with_noise(arrays, noises, state)
        return runnable(model, noisy, unknowns, rules)

    system, _ = runnable(model, arrays, unknowns, rules)
    start, _ = consistent_start(system, rest_state(model, arrays, unknowns, c_rate))
    result = solve_slices(stirred, asked, start, interval, relative_tolerance=relative_tolerance)
    return discharged(model, unknowns, c_rate, result)


@dataclass(frozen=True, eq=False)
class _Noise:
    """The noise of an electrode's particles."""

    streams: tuple[np.random.Generator, ...]
    """One per particle."""
    sites: FloatArray
    """(particles,)"""
    interval: float
    """[s]"""

    @classmethod
    def of(cls, electrode: PorousElectrode | MetalFoil, name: str) -> Self | None:
        """Return that of an electrode, None without a noise interval."""
        if isinstance(electrode, MetalFoil) or electrode.noise_interval is None:
            return None
        assert electrode.seed is not None  # checked by the electrode
        places = np.ndindex(electrode.particle_sizes.shape)
        return cls(
            streams=tuple(noise_stream(electrode.seed, name, *place) for place in places),
            sites=electrode.particle_sites.ravel(),
            interval=electrode.noise_interval,
        )

    def drawn(self, e: ElectrodeArrays, state: FloatArray, outer: FloatArray) -> ElectrodeArrays:
        """Return the electrode's arrays with the random currents of the next slice."""
        shells = e.active.arrays.fractions.size
        normal = np.stack([stream.standard_normal(shells) for stream in self.streams], axis=1)
        noise = thermal_noise(
            e.active, surface(e, outer), state, normal, sites=self.sites, interval=self.interval
        )
        return e._replace(active=e.active._replace(noise=noise))


def _with_noise(
    arrays: CellArrays, noises: tuple[_Noise | None, _Noise | None], state: FloatArray
) -> CellArrays:
    """Return a cell's arrays with the random currents of a slice that begins at ``state``."""
    outer = state[state.size - outer_size(arrays) :]
    cathode, anode = (
        e if noise is None else noise.drawn(e, state, outer)
        for noise, e in zip(noises, (arrays.cathode, arrays.anode), strict=True)
    )
    return arrays._replace(cathode=cathode, anode=anode)
