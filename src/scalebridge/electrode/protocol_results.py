"""From a protocol to the contract `Solution`."""

import numpy as np
from numpy.typing import NDArray

from scalebridge.contracts import ElectrodeDesign, Field, MaterialCard, Provenance, Solution
from scalebridge.electrode.cycling import ProtocolSolution, solve_protocol, solve_thermal_protocol
from scalebridge.electrode.discharge import CellSolution
from scalebridge.electrode.heat import HeatBalance, cells_at
from scalebridge.electrode.model import CellModel
from scalebridge.electrode.protocol import Protocol
from scalebridge.electrode.results import (
    card_validity,
    citations,
    field,
    map_fields,
    thin,
    warm_validity,
    warmth_fields,
)
from scalebridge.foundation import SILENT, InputError, Progress
from scalebridge.particle import REFERENCE_TOLERANCE

FloatArray = NDArray[np.float64]


def protocol_solution(
    card: MaterialCard,
    design: ElectrodeDesign,
    protocol: Protocol,
    *,
    member: int = 0,
    provenance: Provenance,
    shells: int | None = None,
    map_times: int | None = None,
    relative_tolerance: float = REFERENCE_TOLERANCE,
    progress: Progress = SILENT,
) -> tuple[Solution, ProtocolSolution]:
    """Lead one member's half cell through a protocol; return what is stored, and everything.

    Fields along ``time``: ``time``, ``voltage``, ``current`` (positive discharges), ``filling``, ``capacity``
    (discharged less charged), ``step`` (from 0); along ``step``: ``step_capacity``, ``step_energy``,
    ``step_end``. The status names what ended each step. A design with ``thermal`` adds ``temperature`` and
    ``heat_release`` (per electrode area) along ``time`` and the largest temperature of each step,
    ``step_temperature``; see `solve_thermal_protocol`.

    Parameters
    ----------
    map_times
        Largest number of times of the maps that `solve_discharge` stores as well; None: no maps. Half of
        their spacing is time, so that a rest is seen, and half is charge, passed in either direction.

    Raises
    ------
    ValidityError
        If the temperature is outside the card's range; where a cell leaves it later, the protocol ends there.
    InputError
        If the design does not fit the card, see `CellModel` and `ParticleModel`; or for fewer than 2 times.
    ConvergenceError
        If the first step finds no consistent start.
    """
    if map_times is not None and map_times < 2:
        raise InputError(f"{map_times} times in the maps must be at least 2; ask for more")
    cell = CellModel.from_card(card, design, member=member, shells=shells)
    if design.thermal is None:
        solved = solve_protocol(cell, protocol, relative_tolerance=relative_tolerance, progress=progress)
    else:
        solved = solve_thermal_protocol(
            cells_at(card, design, cell, member),
            protocol,
            HeatBalance.from_design(design),
            temperature=cell.particle.temperature,
            relative_tolerance=relative_tolerance,
            progress=progress,
        )
    whole, warmth = solved.whole, solved.temperature
    validity = card_validity(card, design, {member: cell.particle})
    status = "; ".join(f"{step.text}: {step.ended_by}" for step in solved.steps)
    if warmth is not None:
        validity = warm_validity(validity, warmth)
        status = f"{status}; {warmth.min():.1f} … {warmth.max():.1f} K"
    maps = {} if map_times is None else map_fields(whole, cell, thin(_way(whole), map_times))
    return (
        Solution(
            provenance=provenance,
            validity=validity,
            citations=citations(cell, design),
            fields=_fields(solved, card.host.theoretical_capacity) | maps,
            status=status,
            termination=whole.termination,
            member=member,
        ),
        solved,
    )


def _way(whole: CellSolution) -> FloatArray:
    """Return time and charge passed in either direction, each from 0 to 1, added up."""
    passed = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(whole.filling)))])
    way: FloatArray = whole.time / max(whole.time[-1], 1e-300) + passed / max(passed[-1], 1e-300)
    return way


def _fields(solved: ProtocolSolution, theoretical_capacity: float) -> dict[str, Field]:
    whole, along, steps = solved.whole, ("time",), ("step",)
    numbers = np.concatenate([np.full(s.solution.time.size, k) for k, s in enumerate(solved.steps)])
    capacities = np.array([step.capacity for step in solved.steps])
    found = {
        "time": field("s", along, whole.time),
        "voltage": field("V", along, whole.voltage),
        "current": field("A.m-2", along, whole.current),
        "filling": field("1", along, whole.filling),
        "capacity": field("C.kg-1", along, (whole.filling - whole.filling[0]) * theoretical_capacity),
        "step": field("1", along, numbers.astype(float)),
        "step_capacity": field("C.kg-1", steps, capacities * theoretical_capacity),
        "step_energy": field("J.m-2", steps, np.array([step.energy for step in solved.steps])),
        "step_end": field("s", steps, np.array([step.solution.time[-1] for step in solved.steps])),
    }
    if solved.temperature is None or solved.heat is None:
        return found
    hottest = np.array([step.temperature.max() for step in solved.steps if step.temperature is not None])
    return (
        found
        | warmth_fields(solved.temperature, solved.heat)
        | {"step_temperature": field("K", steps, hottest)}
    )
