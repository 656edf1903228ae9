"""Prefactors of barriers from the hops that molecular dynamics counts with the same potential."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scalebridge.transport.walker import walker_chain
from scalebridge.transport.work import BarrierResult, TrajectoryResult

LEAST_HOPS = 5
"""Fewer hops are no measurement of their own."""
NEIGHBOUR = 0.25
"""Dynamics within this site fraction of a barrier's composition overlaps with it."""


@dataclass(frozen=True)
class Calibration:
    """What multiplies the rates of the barriers at one end.

    Attributes
    ----------
    x
        Composition of the dynamics.
    factors
        Of every member with a barrier; the same for all where ``pooled``.
    variances
        Of ln r, by counting and by the disagreement of pooled members; the same keys.
    hops, expected
        Seen in all trajectories, and what the barriers alone let expect.
    pooled
        True if a member alone has fewer than ``LEAST_HOPS`` hops.
    """

    x: float
    factors: dict[int, float]
    variances: dict[int, float]
    hops: int
    expected: float
    pooled: bool

    @property
    def bound(self) -> bool:
        """True if no hop was seen: the factor is what one hop would have given, an upper bound."""
        return self.hops == 0


def expected_hops(barriers: Sequence[BarrierResult], trajectory: TrajectoryResult) -> float:
    """Return how many hops of ions the barriers alone let expect in a trajectory.

    The walker of the barriers (an ion, or a vacancy) leaves its site at the mean rate Γ = Σ_i p_i Σ_j Γ_ij
    of its chain. Of n sites with N ions any neighbour of an ion is vacant with probability
    (n − N)/(n − 1), so N (n − N)/(n − 1) Γ t hops are expected in the time t; exact for one ion and for one
    vacancy, without interactions between.

    Parameters
    ----------
    barriers
        All classes of one member at one end, each with energies.
    trajectory
        Its ``ions``, ``theta``, ``duration`` and ``temperature`` count.
    """
    classes = sorted(barriers, key=lambda result: result.hop_class)
    energies = tuple(result.energies for result in classes if result.energies is not None)
    chain = walker_chain(classes[0].network, energies, trajectory.temperature)
    weights = chain.weights / chain.weights.sum()
    rate = float(weights[chain.start] @ chain.rates)
    sites = round(trajectory.ions / trajectory.theta)
    pairs = trajectory.ions * (sites - trajectory.ions) / max(sites - 1, 1)
    return pairs * rate * trajectory.duration


def fit_prefactor(
    trajectories: Sequence[TrajectoryResult], barriers: Sequence[BarrierResult]
) -> Calibration | None:
    """Fit the factor r on the barriers' rates by which the hops in overlapping dynamics become likeliest.

    Harmonic transition state theory takes the well for one parabola, the saddle for another, and every
    crossing for a hop. An ion that moves among many minima of a wide cage, a narrow window and recrossings
    all change the rate by a factor that depends on temperature far less than exp(−E/kT). The counts h of all
    trajectories, those without a hop included, are Poisson numbers of mean r λ, λ from ``expected_hops``:

        ln L = Σ (h ln rλ − rλ) + const,   ∂L/∂r = 0:   r = Σ h / Σ λ,   var(ln r) = 1/Σ h

    (−∂² ln L/∂(ln r)² = r Σ λ = Σ h). Without any hop r < 1/Σ λ is what one hop would have given: an upper
    bound, used only where it lowers the rate. E stays the barrier's. Where a member alone has fewer than
    ``LEAST_HOPS`` hops, hops and expectations of all members are summed before they are divided: choosing
    member by member would favour those that happened to hop. One factor may fit the members badly (their ν
    differ by more than their rates do): Pearson's χ² over its freedom, where above 1, multiplies var(ln r).

    Dynamics overlaps with the barriers in the same phase, at the nearest composition within ``NEIGHBOUR``.

    Source: the transmission factor, D. Chandler, J. Chem. Phys. 68, 2959 (1978); counts of a Poisson
    process, D. R. Cox and P. A. W. Lewis, The Statistical Analysis of Series of Events (1966), chapter 2;
    overdispersion, P. McCullagh and J. A. Nelder, Generalized Linear Models (1989), section 6.2.

    Parameters
    ----------
    trajectories
        Of all members, compositions and temperatures.
    barriers
        Of all members at one end.

    Returns
    -------
    Calibration or None
        None where no dynamics overlaps, or where no hop was seen and none was to be expected.
    """
    solved = {member: _solved(barriers, member) for member in sorted({r.member for r in barriers})}
    solved = {member: classes for member, classes in solved.items() if classes}
    runs = [run for run in _overlapping(trajectories, barriers) if run.member in solved]
    hops = dict.fromkeys(solved, 0)
    expected = dict.fromkeys(solved, 0.0)
    for run in runs:
        hops[run.member] += run.hops
        expected[run.member] += expected_hops(solved[run.member], run)
    seen, total = sum(hops.values()), sum(expected.values())
    if total <= 0 or (seen == 0 and total <= 1):
        return None
    if min(hops.values()) >= LEAST_HOPS and min(expected.values()) > 0:
        factors = {member: hops[member] / expected[member] for member in solved}
        variances = {member: 1 / hops[member] for member in solved}
        return Calibration(runs[0].x, factors, variances, seen, total, pooled=False)
    counted = max(seen, 1)
    dispersion = _dispersion(hops, expected) if seen else 1.0
    return Calibration(
        runs[0].x,
        dict.fromkeys(solved, counted / total),
        dict.fromkeys(solved, dispersion / counted),
        seen,
        total,
        pooled=True,
    )


def _dispersion(hops: dict[int, int], expected: dict[int, float]) -> float:
    """Return Pearson's χ² of the members' hops against the common factor over its freedom, at least 1."""
    members = [member for member in hops if expected[member] > 0]
    seen = np.array([hops[member] for member in members])
    mean = np.array([expected[member] for member in members])
    mean *= seen.sum() / mean.sum()
    return max(1.0, float(((seen - mean) ** 2 / mean).sum()) / max(len(members) - 1, 1))


def _solved(barriers: Sequence[BarrierResult], member: int) -> list[BarrierResult]:
    """Return a member's classes, or none if one of them has no barrier."""
    classes = [result for result in barriers if result.member == member]
    return classes if all(result.energies is not None for result in classes) else []


def _overlapping(
    trajectories: Sequence[TrajectoryResult], barriers: Sequence[BarrierResult]
) -> list[TrajectoryResult]:
    """Return the trajectories of the same phase at the composition nearest to the barriers'."""
    if not barriers:
        return []
    first = barriers[0]
    away = [abs(run.theta - first.theta) for run in trajectories]
    near = [d for run, d in zip(trajectories, away, strict=True) if run.phase == first.phase]
    if not near or min(near) > NEIGHBOUR + 1e-9:
        return []
    return [
        run
        for run, d in zip(trajectories, away, strict=True)
        if run.phase == first.phase and d < min(near) + 1e-9
    ]


def state_calibration(calibration: Calibration, end: str) -> str:
    """Return the remark that goes with a calibrated end."""
    where = f"{end} host: dynamics at x = {calibration.x:g} saw"
    kept = "the activation energies are the barriers'"
    if calibration.bound:
        return (
            f"{where} no hop where the barriers expect {calibration.expected:.3g}; all rates are multiplied "
            f"by {1 / calibration.expected:.2g}, what one hop would have given: an upper bound; {kept}"
        )
    seen = "1 hop" if calibration.hops == 1 else f"{calibration.hops} hops"
    counts = f"{seen} where the barriers expect {calibration.expected:.3g}"
    if calibration.pooled:
        factor = calibration.hops / calibration.expected
        error = np.exp(np.sqrt(next(iter(calibration.variances.values()))))
        return (
            f"{where} {counts}; the hops of all members together multiply every rate by {factor:.2g} "
            f"(standard error a factor {error:.2g}); {kept}, each member's own"
        )
    low, high = min(calibration.factors.values()), max(calibration.factors.values())
    return f"{where} {counts}; every member's own hops multiply its rates by {low:.2g} to {high:.2g}; {kept}"
