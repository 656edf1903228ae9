"""Implicit systems F(t, y, y′) = 0 of particles and what surrounds them, integrated by SUNDIALS IDA.

Variable-order, variable-step BDF (Hindmarsh et al., ACM TOMS 31, 363 (2005)).
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import splu
from sksundae.ida import IDA, IDAJacTimes, IDAPrecond

from scalebridge.foundation import ConvergenceError
from scalebridge.particle.direct import direct_solver
from scalebridge.particle.groups import Jacobian, SparseJacobian
from scalebridge.particle.native import NativeCallbacks, NativeOptions, available, integrate
from scalebridge.particle.quiet import silenced
from scalebridge.particle.sparse import sparse_matrices

FloatArray = NDArray[np.float64]


REFERENCE_TOLERANCE = 2e-5
"""Of IDA, relative to each unknown. It weighs errors by their root mean square over all unknowns, thousands:
where one shell of one particle changes phase, that forgives errors of a hundred tolerances, even site
fractions beyond 1, where no log-odds exist and no step, however small, goes on."""
RESTARTS = 20
"""Attempts to reach the next output time."""
MAX_STEPS = 20000
"""Steps to the next output time."""

MAX_FAILURES = 40
"""Of Newton's iteration in one step: from minutes to the growth time of an instability, by factors of 4."""

# SUNDIALS warns on stderr whenever Newton's iteration failed often between two output times; the step size
# control answers that already. The variable is read when a solver is made.
os.environ.setdefault("SUNLOGGER_WARNING_FILENAME", os.devnull)


@dataclass(frozen=True, eq=False)
class ImplicitSystem:
    """F(t, y, y′) = 0."""

    residual: Callable[[FloatArray, FloatArray, FloatArray], None]
    """residual(y, y′, out): time does not enter explicitly."""
    jacobian: Callable[[FloatArray], Jacobian | SparseJacobian]
    """jacobian(y): ∂F/∂y, in arrays that the next call overwrites."""
    differential: NDArray[np.bool_]
    """(size,) which unknowns have a time derivative."""
    absolute_tolerance: FloatArray
    """(size,) at a relative tolerance of `REFERENCE_TOLERANCE`; scales with it."""
    resolves: Callable[[FloatArray, float], bool]
    """resolves(y, cj): whether every particle's unstable modes grow slower than cj, see `resolves_growth`."""
    restore: Callable[[FloatArray], FloatArray]
    """restore(y): the state with site fractions that belong to its log-odds, the particles' ions kept."""
    native: NativeCallbacks | None = None
    """The same as machine code, events included; None: everything goes through Python."""


@dataclass(frozen=True, eq=False)
class ImplicitSolution:
    """What was reached."""

    time: FloatArray
    """(times,) [s]"""
    states: FloatArray
    """(times, size)"""
    event: int | None
    """Index of the event that ended the run."""
    failure: str | None
    """The solver's message if it stopped before the end, else None."""
    steps: int
    """Residual evaluations."""
    restarts: int
    """How often the integrator was started anew."""


def consistent_start(
    system: ImplicitSystem, guess: FloatArray, *, tolerance: float = 1e-10, iterations: int = 50
) -> tuple[FloatArray, FloatArray]:
    """Return (y, y′) with F = 0: differential unknowns of ``guess`` kept, the rest by damped Newton.

    Beside a site fraction that is full or empty to rounding no log-odds can be told from it. Where the
    iteration cannot end for that, it starts from the state whose fractions follow the log-odds
    (`ImplicitSystem.restore`).

    Raises
    ------
    ConvergenceError
        If Newton's iteration does not converge.
    """
    start, worst = _newton(system, guess, tolerance, iterations)
    if start is None:
        start, worst = _newton(system, system.restore(guess), tolerance, iterations)
    if start is None:
        raise ConvergenceError(
            f"no consistent start after {iterations} iterations (last change {worst:.3g} kT, must be below "
            f"{tolerance:.0e}); start closer to equilibrium or at a lower rate"
        )
    return start


def _newton(
    system: ImplicitSystem, guess: FloatArray, tolerance: float, iterations: int
) -> tuple[tuple[FloatArray, FloatArray] | None, float]:
    """Return (y, y′), or None where the iteration does not converge, and its last change."""
    state, rates = guess.copy(), np.zeros_like(guess)
    residual = np.empty_like(guess)
    worst = np.inf
    for _ in range(iterations):
        system.residual(state, rates, residual)
        by_state, by_rate = sparse_matrices(system.jacobian(state))
        columns = np.where(system.differential, 0.0, 1.0)
        matrix = by_state.multiply(columns) + by_rate.multiply(1.0 - columns)
        step = splu(matrix.tocsc()).solve(-residual)
        algebraic = np.where(system.differential, 0.0, step)
        worst = float(np.max(np.abs(algebraic)))
        algebraic *= min(1.0, 2.0 / max(worst, 1e-300))
        state += algebraic
        rates += np.where(system.differential, step, 0.0)
        if worst < tolerance:
            system.residual(state, rates, residual)
            return (state, rates), worst
    return None, worst


class _LinearSolver:
    """Preconditioner of IDA's Krylov iteration that solves exactly: the iteration ends after one step.

    The Jacobian keeps the state of the last set-up; its part in y′ follows every change of cj, so the linear
    invariants of the equations survive to rounding.
    """

    def __init__(self, system: ImplicitSystem, start: FloatArray) -> None:
        self._system = system
        self._state_now = start.copy()
        self._vector = start.copy()
        self._jacobian = system.jacobian(start)
        self._direct = direct_solver(self._jacobian)
        self._matrices = sparse_matrices(self._jacobian)
        self._asked = (np.nan, b"")
        self._resolved = True

    def set_up(self, _t: float, y: FloatArray, _r: FloatArray, _f: FloatArray, cj: float) -> None:
        """Evaluate and factorise the Jacobian."""
        self._state_now[:] = y
        self._jacobian = self._system.jacobian(self._state_now)
        self._matrices = sparse_matrices(self._jacobian)
        self._direct.factorise(self._jacobian, cj)

    def solve(
        self,
        _t: float,
        y: FloatArray,
        _r: FloatArray,
        _f: FloatArray,
        right: FloatArray,
        out: FloatArray,
        cj: float,
        _delta: float,
    ) -> None:
        """Fill the solution for the right-hand side."""
        if cj != self._direct.cj:
            self._direct.factorise(self._jacobian, cj)
        # not a number makes the step fail, so that the step size falls until the unstable mode is followed
        solution = np.full_like(self._vector, np.nan)
        if self._resolves(y, cj):
            self._vector[:] = right
            self._direct.solve(self._vector, solution)
        out[:] = solution

    def multiply(
        self,
        _t: float,
        _y: FloatArray,
        _r: FloatArray,
        _f: FloatArray,
        vector: FloatArray,
        out: FloatArray,
        cj: float,
    ) -> None:
        """Fill Jacobian × vector."""
        by_state, by_rate = self._matrices
        out[:] = by_state @ vector + cj * (by_rate @ vector)

    def _resolves(self, y: FloatArray, cj: float) -> bool:
        """Ask at every state, since the integrator keeps a Jacobian as long as steps stay equal, but once."""
        asked = (cj, y.tobytes())
        if asked != self._asked:
            self._state_now[:] = y
            self._asked, self._resolved = asked, self._system.resolves(self._state_now, cj)
        return self._resolved


def solve_implicit(
    system: ImplicitSystem,
    times: FloatArray,
    start: tuple[FloatArray, FloatArray],
    *,
    events: Callable[[FloatArray], FloatArray] | None = None,
    relative_tolerance: float = REFERENCE_TOLERANCE,
) -> ImplicitSolution:
    """Integrate over ``times``, which are the output times; a falling zero of ``events(y)`` ends the run.

    Where the integrator stops before the end, as it may while an unstable particle decomposes, the state it
    reached is put back inside its bounds (`ImplicitSystem.restore`), made consistent and integrated further
    from a fresh first step; the integrator's clock starts at 0 again, so that steps of picoseconds do not
    vanish beside hours. A run that does not reach its next output time in `RESTARTS` attempts ends, and
    ``failure`` says why.
    """
    found_times, found_states = [times[:1]], [start[0][None, :]]
    now, begin, evaluations, restarts, attempts = float(times[0]), start, 0, 0, 0
    while True:
        ahead = times[times > now]
        piece = _integrate(system, ahead - now, begin, events, relative_tolerance)
        evaluations += piece.steps
        stopped = piece.failure is not None
        kept = piece.time.size - (1 if stopped else 0)
        attempts = 1 if kept else attempts + 1
        found_times.append(
            np.where(
                piece.time == ahead[: piece.time.size] - now, ahead[: piece.time.size], piece.time + now
            )[:kept]
        )
        found_states.append(piece.states[:kept])
        now += float(piece.time[-1])
        failure = piece.failure
        if stopped and attempts <= RESTARTS:
            try:
                begin = consistent_start(system, system.restore(piece.states[-1]))
                restarts += 1
                continue
            except ConvergenceError as error:
                failure = f"{failure} {error}"
        if stopped:
            found_times.append(np.array([now]))
            found_states.append(piece.states[-1:])
        return ImplicitSolution(
            time=np.concatenate(found_times),
            states=np.concatenate(found_states),
            event=piece.event,
            failure=failure,
            steps=evaluations,
            restarts=restarts,
        )


def _integrate(
    system: ImplicitSystem,
    times: FloatArray,
    start: tuple[FloatArray, FloatArray],
    events: Callable[[FloatArray], FloatArray] | None,
    relative_tolerance: float,
) -> ImplicitSolution:
    """Integrate from 0 to ``times``; the start itself is not among the returned times."""
    if system.native is not None and events is not None and available():
        options = NativeOptions(
            relative_tolerance=relative_tolerance,
            absolute_tolerance=system.absolute_tolerance * relative_tolerance / REFERENCE_TOLERANCE,
            differential=system.differential,
            events=events,
            max_steps=MAX_STEPS,
            max_failures=MAX_FAILURES,
        )
        reached, states, event, failure, evaluations = integrate(system.native, times, start, options)
        return ImplicitSolution(reached, states, event, failure, evaluations, restarts=0)
    return _integrate_through_python(system, times, start, events, relative_tolerance)


def _integrate_through_python(
    system: ImplicitSystem,
    times: FloatArray,
    start: tuple[FloatArray, FloatArray],
    events: Callable[[FloatArray], FloatArray] | None,
    relative_tolerance: float,
) -> ImplicitSolution:
    linear = _LinearSolver(system, start[0])
    # SUNDIALS hands out read-only arrays, a type of its own to the compiled kernels: copy instead of
    # compiling everything twice
    state, state_rates = np.empty(start[0].size), np.empty(start[0].size)

    def residual(_: float, y: FloatArray, rates: FloatArray, out: FloatArray) -> None:
        state[:], state_rates[:] = y, rates
        system.residual(state, state_rates, out)

    options: dict[str, Any] = {}
    if events is not None:
        count = events(start[0]).size

        def eventsfn(_: float, y: FloatArray, _r: FloatArray, out: FloatArray) -> None:
            out[:] = events(y)

        vars(eventsfn).update(terminal=[True] * count, direction=[-1] * count)
        options = {"eventsfn": eventsfn, "num_events": count}
    solver = IDA(
        residual,
        linsolver="gmres",
        krylov_dim=5,
        precond=IDAPrecond(linear.set_up, linear.solve),
        jactimes=IDAJacTimes(None, linear.multiply),
        algebraic_idx=np.flatnonzero(~system.differential),
        rtol=relative_tolerance,
        atol=system.absolute_tolerance * relative_tolerance / REFERENCE_TOLERANCE,
        max_num_steps=MAX_STEPS,
        max_conv_fails=MAX_FAILURES,
        **options,
    )
    # with two times the solver would return all its steps
    skipped = 2 if times.size == 1 else 1
    asked = np.concatenate([[0.0], 0.5 * times if skipped == 2 else [], times])
    with silenced():
        result = solver.solve(asked, *start)
    reached = np.array(result.t)
    skipped = min(skipped, reached.size - 1)
    return ImplicitSolution(
        time=reached[skipped:],
        states=np.array(result.y)[skipped:],
        event=None if result.i_events is None else int(np.flatnonzero(result.i_events[-1])[0]),
        failure=None if result.success else str(result.message),
        steps=int(result.nfev),
        restarts=0,
    )
