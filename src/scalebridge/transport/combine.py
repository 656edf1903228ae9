"""Tracer and jump diffusivity of all members, from barriers and molecular dynamics."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from scalebridge.contracts import (
    DiffusivitySample,
    JumpDiffusivity,
    Provenance,
    TracerDiffusivity,
    Validity,
)
from scalebridge.foundation import ConvergenceError, constants
from scalebridge.transport.arrhenius import REFERENCE_TEMPERATURE, fit_arrhenius
from scalebridge.transport.calibrate import LEAST_HOPS, Calibration, fit_prefactor, state_calibration
from scalebridge.transport.chain import solve_diffusivity
from scalebridge.transport.correlation import solve_vacancy_tracer
from scalebridge.transport.displacement import DiffusivityEstimate
from scalebridge.transport.network import state_network
from scalebridge.transport.walker import walker_chain
from scalebridge.transport.work import BarrierResult, End, FailedTrajectory, TrajectoryResult

FloatArray = NDArray[np.float64]
Kind = Literal["tracer", "jump"]
AnyDiffusivity = TypeVar("AnyDiffusivity", TracerDiffusivity, JumpDiffusivity)

SQUARE_METRE_PER_SECOND = constants.ANGSTROM**2 * 1e15
"""1 Å²/fs [m²/s]."""
BARRIER_TEMPERATURES = np.array([250.0, 300.0, 350.0, 400.0])
"""Where the walker's D is evaluated to express it as D0 exp(−E/kT) [K]."""
LARGE_FACTOR = 10.0
"""Dynamics that multiply or divide the barriers' rates by more are warned of."""
BARRIER = "barrier"
"""Every method that starts so takes its activation energy from barriers."""


@dataclass(frozen=True)
class Line:
    """D(T) of one member at one composition.

    Attributes
    ----------
    log_prefactor
        ln D0 along the fastest direction, D0 in Å²/fs.
    energy
        E [eV].
    anisotropy
        (3, 3), largest eigenvalue 1.
    fit_covariance
        (2, 2) of (ln D0, E/(k · 300 K)) from the fit or the count of hops; zero for barriers alone.
    single_file
        True where D* is that of a finite block because ions cannot pass each other.
    """

    log_prefactor: float
    energy: float
    anisotropy: FloatArray
    fit_covariance: FloatArray
    single_file: bool = False


@dataclass(frozen=True)
class Column:
    """All members at one composition; ``lines`` holds only the members that have their own.

    ``doubts`` are remarks grave enough for a warning.
    """

    x: float
    theta: float
    phase: str
    method: str
    lines: dict[int, Line]
    doubts: tuple[str, ...] = ()


def combine(
    trajectories: Sequence[TrajectoryResult | FailedTrajectory],
    barriers: Sequence[BarrierResult],
    *,
    members: int,
    provenance: Provenance,
    warn: Callable[[str], None] = lambda text: None,
) -> tuple[TracerDiffusivity, JumpDiffusivity]:
    """Combine all runs into the two contracts.

    At a composition with hops at three temperatures or more, molecular dynamics decides (Arrhenius fit);
    the ends without it come from barriers: one ion in the empty host (D_J = D*), one vacancy in the full
    host (D_J/(1−θ) = D of the vacancy, D* = D_v times the correlation and the vacancy fraction). Where
    dynamics ran near such an end, its count of hops, zero included, sets the prefactor of the barriers
    (``fit_prefactor``). A member without its own result at a composition carries member 0's; a remark says
    so, and ``warn`` is called with it.

    Raises
    ------
    ConvergenceError
        If member 0 has no diffusivity at any composition.
    """
    results = (trajectories, barriers)
    return (
        _contract(TracerDiffusivity, "tracer", results, members=members, provenance=provenance, warn=warn),
        _contract(JumpDiffusivity, "jump", results, members=members, provenance=provenance, warn=warn),
    )


def _contract(
    contract: type[AnyDiffusivity],
    kind: Kind,
    results: tuple[Sequence[TrajectoryResult | FailedTrajectory], Sequence[BarrierResult]],
    *,
    members: int,
    provenance: Provenance,
    warn: Callable[[str], None],
) -> AnyDiffusivity:
    """Return one contract in SI."""
    barriers = results[1]
    notes = [
        f"member {r.member}, x = {r.x:g}, {r.temperature:g} K: no dynamics ({r.problem})"
        for r in results[0]
        if isinstance(r, FailedTrajectory)
    ]
    trajectories = [r for r in results[0] if isinstance(r, TrajectoryResult)]
    notes += [
        f"member {r.member}, x = {r.x:g}, {r.temperature:g} K: {r.refused:.0%} of the bursts came closer "
        "than any pair in the training set; new velocities in their place slow the ions down"
        for r in trajectories
        if r.refused > 0.02
    ]
    columns = _columns(trajectories, barriers, kind, notes)
    for column in columns:
        for doubt in column.doubts:
            warn(doubt)
        without = [member for member in range(members) if member not in column.lines]
        if without:
            who = f"{len(without)} of {members} members ({', '.join(map(str, without))})"
            notes.append(
                f"x = {column.x:g} ({column.method}): {who} have no diffusivity of their own and carry "
                "member 0's; the spread over members leaves them out and is too narrow"
            )
            warn(notes[-1])
    table = [[column.lines.get(member, column.lines[0]) for column in columns] for member in range(members)]
    scale = np.log(SQUARE_METRE_PER_SECOND)
    return contract(
        provenance=provenance,
        validity=_validity(columns, trajectories, notes),
        citations=_citations(columns, kind),
        x=np.array([column.x for column in columns]),
        theta=np.array([column.theta for column in columns]),
        phases=tuple(column.phase for column in columns),
        methods=tuple(column.method for column in columns),
        prefactor=np.exp([[line.log_prefactor + scale for line in row] for row in table]),
        anisotropy=np.array([[line.anisotropy for line in row] for row in table]),
        activation_energy=np.array([[line.energy for line in row] for row in table]) * constants.EV,
        covariance=np.array([_covariance(column) for column in columns]),
        samples=_samples(trajectories, kind),
    )


def _columns(
    trajectories: Sequence[TrajectoryResult],
    barriers: Sequence[BarrierResult],
    kind: Kind,
    notes: list[str],
) -> list[Column]:
    """Return the compositions at which member 0 has a result, ascending in θ."""
    columns = _dynamics_columns(trajectories, kind, notes)
    ends: tuple[End, ...] = ("empty", "full")
    for end in ends:
        column = _barrier_column(barriers, trajectories, end, kind=kind, notes=notes)
        if column is not None:
            _add_column(columns, column, notes)
    columns = [column for column in columns if 0 in column.lines]
    if not columns:
        raise ConvergenceError(
            "member 0 has no diffusivity at any composition: fewer than 3 temperatures with "
            f"{LEAST_HOPS} hops and no barrier ({'; '.join(notes) or 'none was computed'}); "
            "run longer or hotter, or give barriers a larger repeat"
        )
    return sorted(columns, key=lambda column: column.theta)


def _add_column(columns: list[Column], column: Column, notes: list[str]) -> None:
    for other in columns:
        if abs(other.theta - column.theta) < 1e-9 and 0 in other.lines:
            both = [f"{c.method}: E = {c.lines[0].energy:.3f} eV" for c in (other, column) if 0 in c.lines]
            notes.append(f"x = {column.x:g}: {'; '.join(both)}; molecular dynamics is used")
            return
    columns.append(column)


def _dynamics_columns(trajectories: Sequence[TrajectoryResult], kind: Kind, notes: list[str]) -> list[Column]:
    """Return the compositions at which member 0 has hops at three temperatures or more."""
    groups: dict[float, dict[int, list[TrajectoryResult]]] = defaultdict(lambda: defaultdict(list))
    for result in trajectories:
        groups[round(result.theta, 9)][result.member].append(result)
    columns = []
    for theta, by_member in sorted(groups.items()):
        first = next(iter(by_member.values()))[0]
        lines = {}
        for member, results in sorted(by_member.items()):
            used = [r for r in results if r.hops >= LEAST_HOPS and r.tracer.mean > 0]
            if len({r.temperature for r in used}) >= 3:
                lines[member] = _dynamics_line(used, kind, notes)
            else:
                notes.append(
                    f"member {member}, x = {first.x:g}: fewer than 3 temperatures with {LEAST_HOPS} hops or "
                    "more; its molecular dynamics gives no activation energy, only counts of hops and bounds"
                )
        columns.append(Column(first.x, theta, first.phase, "molecular dynamics", lines))
    return columns


def _dynamics_line(results: list[TrajectoryResult], kind: Kind, notes: list[str]) -> Line:
    estimates = [_measured(result, kind, notes) for result in results]
    values = np.array([estimate.mean for estimate in estimates])
    errors = np.array([estimate.error for estimate in estimates])
    fit = fit_arrhenius(np.array([r.temperature for r in results]), values, errors)
    weights = (values / errors) ** 2
    shape = np.einsum("t,tab->ab", weights, [e.tensor / e.mean for e in estimates]) / weights.sum()
    largest, anisotropy = _largest(shape)
    return Line(fit.log_prefactor + float(np.log(largest)), fit.energy, anisotropy, fit.covariance)


def _measured(result: TrajectoryResult, kind: Kind, notes: list[str]) -> DiffusivityEstimate:
    """Return D* or D_J/(1−θ); the error is at least that of counting the hops."""
    floor = result.tracer.mean / np.sqrt(max(result.hops, 1))
    tracer = replace(result.tracer, error=max(result.tracer.error, floor))
    if kind == "tracer":
        return tracer
    vacant = 1 - result.theta
    jump = result.jump
    if vacant <= 0 or result.upper_bound:
        return tracer
    if not jump.mean > 2 * jump.error:
        notes.append(
            f"member {result.member}, x = {result.x:g}, {result.temperature:g} K: the collective "
            "displacement does not resolve D_J; the tracer diffusivity stands for it (Haven ratio 1)"
        )
        jump = tracer
    return DiffusivityEstimate(jump.tensor / vacant, jump.mean / vacant, jump.error / vacant)


def _barrier_column(
    barriers: Sequence[BarrierResult],
    trajectories: Sequence[TrajectoryResult],
    end: End,
    *,
    kind: Kind,
    notes: list[str],
) -> Column | None:
    here = [result for result in barriers if result.end == end]
    if not here:
        return None
    lines = _barrier_lines(here, end, kind, notes)
    first, method, doubts = here[0], BARRIER, []
    notes += state_network(first.network, end)
    if any(line.single_file for line in lines.values()):
        method += ", single file"
        doubts.append(
            f"{end} host: ions in one file do not pass each other, so D* vanishes in a large crystal; "
            "the D* given is that of a finite block (the electrode uses D_J, which this does not touch)"
        )
    calibration = fit_prefactor(trajectories, here)
    if calibration is not None:
        lines = {member: _calibrated(line, calibration, member) for member, line in lines.items()}
        notes.append(state_calibration(calibration, end))
        if calibration.hops < LEAST_HOPS or any(
            not 1 / LARGE_FACTOR <= factor <= LARGE_FACTOR for factor in calibration.factors.values()
        ):
            doubts.append(notes[-1])
        method += ", prefactor bounded by " if calibration.bound else ", prefactor from hops seen in "
        method += "dynamics"
    elif trajectories:
        notes.append(
            f"{end} host: no dynamics of the same phase near x = {first.x:g} lasted until a hop was to be "
            "expected; the prefactor is that of harmonic vibrations, unchecked"
        )
    return Column(first.x, first.theta, first.phase, method, lines, tuple(doubts))


def _calibrated(line: Line, calibration: Calibration, member: int) -> Line:
    covariance = line.fit_covariance.copy()
    covariance[0, 0] += calibration.variances[member]
    log_prefactor = line.log_prefactor + float(np.log(calibration.factors[member]))
    return replace(line, log_prefactor=log_prefactor, fit_covariance=covariance)


def _barrier_lines(here: list[BarrierResult], end: End, kind: Kind, notes: list[str]) -> dict[int, Line]:
    """Return every member's line from its barriers alone."""
    lines = {}
    for member in sorted({result.member for result in here}):
        classes = sorted((r for r in here if r.member == member), key=lambda r: r.hop_class)
        problems = [r.problem for r in classes if r.energies is None]
        if problems:
            notes.append(f"no barrier for member {member} in the {end} host: {problems[0]}")
            continue
        if any(r.barrier is not None and r.barrier.metastable for r in classes):
            notes.append(
                f"member {member}, {end} host: the path has a minimum between two sites; the highest "
                "saddle is used, so the tensor is an estimate"
            )
        if any(r.barrier is not None and not r.barrier.refined for r in classes):
            notes.append(
                f"member {member}, {end} host: no first-order saddle near the top of the elastic band; its "
                "highest energy and the frequency along the path stand for them, an estimate"
            )
        lines[member] = _barrier_line(classes, kind, notes)
    return lines


def _barrier_line(classes: list[BarrierResult], kind: Kind, notes: list[str]) -> Line:
    """Express the walker's D at a few temperatures around 300 K as D0 exp(−E/kT)."""
    result = classes[0]
    energies = tuple(r.energies for r in classes if r.energies is not None)
    tensors = []
    single_file = False
    for temperature in BARRIER_TEMPERATURES:
        chain = walker_chain(result.network, energies, float(temperature))
        if kind == "tracer" and result.end == "full":
            tracer = solve_vacancy_tracer(result.network.cell, chain)
            vanishing = tracer.correlation_factor < 1e-3
            single_file = single_file or vanishing
            tensors.append((tracer.finite if vanishing else tracer.tracer_per_vacancy) / result.n_sites)
            if temperature == REFERENCE_TEMPERATURE:
                notes.append(_correlation_note(result.member, tracer.correlation_factor))
        else:
            tensors.append(solve_diffusivity(chain))
    largest = np.array([float(np.linalg.eigvalsh(tensor).max()) for tensor in tensors])
    fit = fit_arrhenius(BARRIER_TEMPERATURES, largest, largest)
    at_reference = int(np.argmin(np.abs(BARRIER_TEMPERATURES - REFERENCE_TEMPERATURE)))
    _, anisotropy = _largest(tensors[at_reference])
    return Line(fit.log_prefactor, fit.energy, anisotropy, np.zeros((2, 2)), single_file)


def _correlation_note(member: int, factor: float) -> str:
    text = f"member {member}, full host: correlation factor of the vacancy mechanism {factor:.4f}"
    if factor < 1e-3:
        text += ": ions in one file do not pass each other; D* is that of the finite block solved"
    return text


def _largest(tensor: FloatArray) -> tuple[float, FloatArray]:
    """Return the largest eigenvalue and the tensor over it, negative (noise) eigenvalues set to 0."""
    values, vectors = np.linalg.eigh((tensor + tensor.T) / 2)
    values = np.maximum(values, 0.0)
    largest = float(values.max())
    return largest, np.asarray((vectors * (values / largest)) @ vectors.T)


def _covariance(column: Column) -> FloatArray:
    """Return the covariance between members with their own result plus the mean one of the fits."""
    unit = constants.BOLTZMANN_EV * REFERENCE_TEMPERATURE
    points = np.array([[line.log_prefactor, line.energy / unit] for line in column.lines.values()])
    fits = np.mean([line.fit_covariance for line in column.lines.values()], axis=0)
    between = np.cov(points.T) if len(points) > 1 else np.zeros((2, 2))
    return np.asarray(between + fits)


UNRESOLVED_ERRORS = 2.0
"""A displacement that does not grow bounds the diffusivity by this many standard errors."""


def _samples(trajectories: Sequence[TrajectoryResult], kind: Kind) -> tuple[DiffusivitySample, ...]:
    samples = []
    for result in trajectories:
        estimate = _measured(result, kind, [])
        resolved = estimate.mean > 0
        value = estimate.mean if resolved else UNRESOLVED_ERRORS * estimate.error
        samples.append(
            DiffusivitySample(
                member=result.member,
                x=result.x,
                temperature=result.temperature,
                diffusivity=value * SQUARE_METRE_PER_SECOND,
                error=estimate.error * SQUARE_METRE_PER_SECOND,
                hops=result.hops,
                upper_bound=result.upper_bound or not resolved,
                largest_grade=result.largest_grade,
            )
        )
    return tuple(samples)


def _validity(columns: list[Column], trajectories: Sequence[TrajectoryResult], notes: list[str]) -> Validity:
    temperatures = [*(t.temperature for t in trajectories)]
    if any(column.method.startswith(BARRIER) for column in columns):
        temperatures += [float(BARRIER_TEMPERATURES.min()), float(BARRIER_TEMPERATURES.max())]
    elif min(temperatures) > REFERENCE_TEMPERATURE:
        notes.append(
            f"the coldest molecular dynamics ran at {min(temperatures):g} K; values at 300 K are extrapolated"
        )
    x = [column.x for column in columns]
    return Validity(
        temperature=(min(temperatures), max(temperatures)),
        composition=(min(x), max(x)),
        remarks=tuple(dict.fromkeys(notes)),
    )


def _citations(columns: list[Column], kind: Kind) -> tuple[str, ...]:
    methods = {column.method for column in columns}
    keys = ["vanderven2001"] if kind == "jump" else []
    if any(method.startswith(BARRIER) for method in methods):
        keys += ["henkelman2000tangent", "henkelman2000climbing", "vineyard1957"]
    if "molecular dynamics" in methods:
        keys.append("bussi2007")
    return tuple(keys)
