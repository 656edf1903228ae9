"""From a protocol to the contract `Solution`."""

import numpy as np

from scalebridge.contracts import ElectrodeDesign, Field, MaterialCard, Provenance, Solution
from scalebridge.electrode.cycling import ProtocolSolution, solve_protocol
from scalebridge.electrode.model import CellModel
from scalebridge.electrode.protocol import Protocol
from scalebridge.electrode.results import card_validity, citations, field
from scalebridge.foundation import SILENT, Progress
from scalebridge.particle import REFERENCE_TOLERANCE


def protocol_solution(
    card: MaterialCard,
    design: ElectrodeDesign,
    protocol: Protocol,
    *,
    member: int = 0,
    provenance: Provenance,
    shells: int | None = None,
    relative_tolerance: float = REFERENCE_TOLERANCE,
    progress: Progress = SILENT,
) -> tuple[Solution, ProtocolSolution]:
    """Lead one member's half cell through a protocol; return what is stored, and everything.

    Fields along ``time``: ``time``, ``voltage``, ``current`` (positive discharges), ``filling``, ``capacity``
    (discharged less charged), ``step`` (from 0); along ``step``: ``step_capacity``, ``step_energy``,
    ``step_end``. The status names what ended each step.

    Raises
    ------
    ValidityError
        If the temperature is outside the card's range.
    InputError
        If the design does not fit the card, see `CellModel` and `ParticleModel`.
    ConvergenceError
        If a step finds no consistent start.
    """
    cell = CellModel.from_card(card, design, member=member, shells=shells)
    solved = solve_protocol(cell, protocol, relative_tolerance=relative_tolerance, progress=progress)
    return (
        Solution(
            provenance=provenance,
            validity=card_validity(card, design, {member: cell.particle}),
            citations=citations(cell),
            fields=_fields(solved, card.host.theoretical_capacity),
            status="; ".join(f"{step.text}: {step.ended_by}" for step in solved.steps),
            termination=solved.whole.termination,
            member=member,
        ),
        solved,
    )


def _fields(solved: ProtocolSolution, theoretical_capacity: float) -> dict[str, Field]:
    whole, along, steps = solved.whole, ("time",), ("step",)
    numbers = np.concatenate([np.full(s.solution.time.size, k) for k, s in enumerate(solved.steps)])
    capacities = np.array([step.capacity for step in solved.steps])
    return {
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
