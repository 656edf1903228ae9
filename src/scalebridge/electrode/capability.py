"""Sweeps of discharges over rates, committee members and particle sizes."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from scalebridge.contracts import (
    ElectrodeDesign,
    ListedSizes,
    LognormalSizes,
    MaterialCard,
    Provenance,
    RateCapability,
    Solution,
    Sourced,
    Validity,
)
from scalebridge.electrode.discharge import NO_SALT
from scalebridge.electrode.model import CellModel
from scalebridge.electrode.results import MAP_TIMES, citations, solve_discharge
from scalebridge.electrode.slices import OUT_OF_RANGE
from scalebridge.foundation import SILENT, InputError, Progress
from scalebridge.particle import state_resolution


@dataclass(frozen=True, eq=False)
class DischargeTask:
    """One unit of work: plain and picklable."""

    card: MaterialCard
    design: ElectrodeDesign
    c_rate: float
    member: int
    provenance: Provenance
    shells: int | None = None
    map_times: int = MAP_TIMES


Map = Callable[[Callable[[DischargeTask], Solution], Iterable[DischargeTask]], Iterable[Solution]]


def rate_capability(
    card: MaterialCard,
    design: ElectrodeDesign,
    c_rates: Sequence[float],
    *,
    provenance: Provenance,
    members: Sequence[int] | None = None,
    map: Map = map,
    shells: int | None = None,
    map_times: int = MAP_TIMES,
    progress: Progress = SILENT,
) -> tuple[RateCapability, tuple[Solution, ...]]:
    """Discharge every member at every rate.

    Parameters
    ----------
    members
        None: all of the card.
    map
        How the units (`run_discharge` on `DischargeTask`) are executed, in order; for example the ``map`` of
        a process pool.

    Returns
    -------
    Summary (members, rates) and all solutions, member by member, rates ascending as given.

    Raises
    ------
    InputError
        If there is no rate or one is not positive, or the design does not fit the card.
    ValidityError
        If the temperature is outside the card's range.
    """
    (found,) = _sweep(
        card,
        (design,),
        c_rates,
        provenance=provenance,
        members=members,
        map=map,
        shells=shells,
        map_times=map_times,
        progress=progress,
    )
    return found


def size_sweep(
    card: MaterialCard,
    design: ElectrodeDesign,
    sizes: Sequence[float],
    c_rates: Sequence[float],
    *,
    provenance: Provenance,
    members: Sequence[int] | None = None,
    map: Map = map,
    shells: int | None = None,
    map_times: int = MAP_TIMES,
    progress: Progress = SILENT,
) -> tuple[tuple[RateCapability, tuple[Solution, ...]], ...]:
    """Discharge an electrode of particles of several sizes: every size, member and rate side by side.

    Parameters
    ----------
    sizes
        That take the place of the design's size [m], see `resized`.
    members, map
        As of `rate_capability`.

    Returns
    -------
    What `rate_capability` returns, size by size.

    Raises
    ------
    InputError, ValidityError
        As `rate_capability`; or if there is no size, or one is not positive.
    """
    if not sizes or min(sizes) <= 0:
        raise InputError(f"particle sizes {tuple(sizes)} m must be one or more positive numbers")
    return _sweep(
        card,
        [resized(design, size) for size in sizes],
        c_rates,
        provenance=provenance,
        members=members,
        map=map,
        shells=shells,
        map_times=map_times,
        progress=progress,
    )


def resized(design: ElectrodeDesign, size: float) -> ElectrodeDesign:
    """Return the design with particles of another size [m].

    That is the mean by number of a lognormal distribution and the mean by volume of a list, whose other sizes
    change in proportion, as a platelet's length does.
    """
    particles = design.particles
    spread = particles.distribution
    ratio = size / (_mean(spread) if isinstance(spread, ListedSizes) else float(particles.size))
    changes: dict[str, object] = {"size": _scaled(particles.size, ratio)}
    if particles.length is not None:
        changes["length"] = _scaled(particles.length, ratio)
    if isinstance(spread, LognormalSizes):
        deviation = _scaled(spread.standard_deviation, ratio)
        changes["distribution"] = spread.model_copy(update={"standard_deviation": deviation})
    if isinstance(spread, ListedSizes):
        scaled = tuple(ratio * one for one in spread.sizes)
        changes["distribution"] = spread.model_copy(update={"sizes": scaled})
    return design.model_copy(update={"particles": particles.model_copy(update=changes)})


def _mean(listed: ListedSizes) -> float:
    """Return the mean by volume [m]."""
    return float(np.average(listed.sizes, weights=listed.volume_shares))


def _scaled(number: Sourced, ratio: float) -> Sourced:
    return number.model_copy(update={"value": ratio * number.value})


def _sweep(
    card: MaterialCard,
    designs: Sequence[ElectrodeDesign],
    c_rates: Sequence[float],
    *,
    provenance: Provenance,
    members: Sequence[int] | None,
    map: Map,
    shells: int | None,
    map_times: int,
    progress: Progress,
) -> tuple[tuple[RateCapability, tuple[Solution, ...]], ...]:
    """Discharge every design's cells; all are made, and so checked, before the first runs."""
    if not c_rates or min(c_rates) <= 0:
        raise InputError(f"C-rates {tuple(c_rates)} must be one or more positive numbers")
    chosen = tuple(range(card.members)) if members is None else tuple(members)
    cells = [
        [CellModel.from_card(card, design, member=member, shells=shells) for member in chosen]
        for design in designs
    ]
    tasks = [
        DischargeTask(card, design, rate, member, provenance, shells, map_times)
        for design in designs
        for member in chosen
        for rate in c_rates
    ]
    solutions: list[Solution] = []
    with progress.task("discharges", len(tasks)) as task:
        for solution in map(run_discharge, tasks):
            solutions.append(solution)
            task.advance(1, f"member {solution.member}, {solution.c_rate:g}C")
    each = len(chosen) * len(c_rates)
    parts = [tuple(solutions[k : k + each]) for k in range(0, len(solutions), each)]
    return tuple(
        (_summary(card, design, own, part, provenance), part)
        for design, own, part in zip(designs, cells, parts, strict=True)
    )


def run_discharge(task: DischargeTask) -> Solution:
    """Execute one unit of work."""
    return solve_discharge(
        task.card,
        task.design,
        task.c_rate,
        member=task.member,
        provenance=task.provenance,
        shells=task.shells,
        map_times=task.map_times,
    )


def _summary(
    card: MaterialCard,
    design: ElectrodeDesign,
    cells: list[CellModel],
    solutions: tuple[Solution, ...],
    provenance: Provenance,
) -> RateCapability:
    shape = (len(cells), len(solutions) // len(cells))
    capacity = np.array([s.fields["capacity"].values[-1] for s in solutions]).reshape(shape)
    voltage = np.array([_mean_voltage(s) for s in solutions]).reshape(shape)
    terminations = [s.termination for s in solutions]
    members = [solution.member for solution in solutions[:: shape[1]]]
    particles = dict(zip(members, (cell.particle for cell in cells), strict=True))
    remarks = [*card.validity.remarks, *state_resolution(particles)]
    remarks += [
        f"member {s.member}, {s.status}" for s in solutions if s.termination in (NO_SALT, OUT_OF_RANGE)
    ]
    remarks += _warmest(solutions)
    remarks += [
        f"not a result: member {s.member}, {s.status}; its capacity, mean voltage and energy here cover only "
        "what was reached"
        for s in solutions
        if not s.finished
    ]
    rates = shape[1]
    return RateCapability(
        provenance=provenance,
        validity=Validity(temperature=(float(design.temperature),) * 2, remarks=tuple(remarks)),
        citations=citations(cells[0], design),
        c_rate=np.array([s.c_rate for s in solutions[:rates]]),
        one_c_current=np.array([cell.one_c_current for cell in cells]),
        capacity=capacity,
        mean_voltage=voltage,
        energy=capacity * voltage,
        terminations=tuple(tuple(terminations[k : k + rates]) for k in range(0, len(terminations), rates)),
        diffusion_time=np.array([cell.cathode.diffusion_time() for cell in cells]),
        reaction_time=np.array([cell.cathode.reaction_time() for cell in cells]),
        electrolyte_time=cells[0].electrolyte_time(),
        members=tuple(int(member) for member in members),
    )


def _warmest(solutions: tuple[Solution, ...]) -> list[str]:
    """Return a sentence on the temperatures of cells that warm."""
    warmth = [s.fields["temperature"].values for s in solutions if "temperature" in s.fields]
    if not warmth:
        return []
    low, high = min(w.min() for w in warmth), max(w.max() for w in warmth)
    return [f"the cells have temperatures of their own, from {low:.1f} to {high:.1f} K"]


def _mean_voltage(solution: Solution) -> float:
    """Return ∫V dq/q, or the only voltage where no charge passed."""
    charge, voltage = solution.fields["capacity"].values, solution.fields["voltage"].values
    passed = charge[-1] - charge[0]
    return float(np.trapezoid(voltage, charge) / passed) if passed > 0 else float(voltage[-1])
