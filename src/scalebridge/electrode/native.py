"""A cell's residual, Jacobian, linear solution and events as callbacks of SUNDIALS' C interface.

`_solve_directly` takes the place of SUNDIALS' Krylov iteration. Where that cannot be done, the iteration is
preconditioned by the exact inverse P of the Jacobian J, so P⁻¹J is the identity: `_multiply` hands its vector
on, and the `_precondition` that follows gives it back.
"""

from typing import NamedTuple

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

from scalebridge.electrode._kernels import (
    CellArrays,
    ElectrodeArrays,
    cell_jacobian,
    cell_residual,
    cell_resolves_growth,
)
from scalebridge.electrode.events import cell_events
from scalebridge.electrode.system import Unknowns, empty_jacobian
from scalebridge.foundation.compiled import announce_compilation, c_callback, compiled_arithmetic
from scalebridge.foundation.memory import Stored, address_of, as_doubles, call_with_two, loader, word_at
from scalebridge.particle import (
    USER_WORD,
    Factors,
    Jacobian,
    Links,
    NativeCallbacks,
    ParticleArrays,
    Particles,
    block_factor,
    block_solve,
    data_offset,
    empty_factors,
    empty_group,
)

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

ASKED_TIME, ASKED_CJ, RESOLVED, SINCE, PASS_ON, TIME, CJ = range(7)
"""Entries of ``notes``: time and cj of the last question after stability, its answer and the steps since;
whether the next vector is to be given back; the last residual's time; cj."""
STATE, INTEGRATOR, CURRENT_CJ = range(3)
"""Entries of ``places``: the last residual's state, IDA's memory and its function that tells cj."""
USER_DATA = 8 * USER_WORD
"""Bytes from the start of a linear solver to the word with the callbacks' data."""
SHORTER_STEP = 805
"""SUNLS_PSOLVE_FAIL_REC of ``sundials_linearsolver.h``: IDA recovers by a shorter step."""
STEPS_TRUSTED = 4.0
"""For so many steps, none longer, an answer that all growth is resolved is taken to hold."""


class CellMemory(NamedTuple):
    """What the callbacks work on."""

    cell: CellArrays
    jacobian: Jacobian
    """At the last set-up."""
    factors: Factors
    salt: IntArray
    """Where the concentrations stand."""
    rules: FloatArray
    """(events, 3) see `cell_events`."""
    values: FloatArray
    """(events,)"""
    margins: FloatArray
    """(events,) values at the last step."""
    tolerances: FloatArray
    """(1 + size,) the relative one and the absolute ones."""
    notes: FloatArray
    places: IntArray
    size: int
    data_offset: int
    """From an N_Vector's content to its pointer to the data."""


def _example() -> CellMemory:
    """Return a memory of the right types and no meaning."""
    f1, f2, f3 = np.zeros(1), np.zeros((1, 1)), np.zeros((1, 1, 1))
    i1, i2 = (f.astype(np.int64) for f in (f1, f2))
    active = Particles(ParticleArrays(f1, f1, f1, 0.0, f2, f3, f2, *[0.0] * 13), 0, f1, f1, f2)
    electrode = ElectrodeArrays(active, 0, 1, 0, i1, i1, i1, f1, 0.0, 0.0)
    flows = (f3, 0.0, f1, f1, f1, f1, 0.0, 0.0, 0.0, 0.0)
    cell = CellArrays(electrode, electrode, i1, *flows, 0, 0.0, 0.0)
    group = empty_group(active, Links(i2, i2, f2))
    jacobian = Jacobian((group, group), f1, f2)
    return CellMemory(cell, jacobian, empty_factors(jacobian), i1, f2, f1, f1, f1, f1, i1, 0, 0)


announce_compilation(__file__, "the electrode")
_EXAMPLE = _example()
_load = loader(_EXAMPLE)
_ADDRESS = types.intp
_STATUS = types.int32


@compiled_arithmetic
def _vector(address: int, offset: int, size: int) -> FloatArray:
    """Return an N_Vector's data."""
    content = word_at(address)
    data: FloatArray = numba.carray(as_doubles(word_at(content + offset)), (size,))
    return data


@c_callback(_STATUS(types.float64, _ADDRESS, _ADDRESS, _ADDRESS, _ADDRESS))
def _residual(time: float, y: int, rates: int, out: int, user: int) -> int:
    m = _load(user)
    m.notes[TIME], m.places[STATE] = time, y
    offset, n = m.data_offset, m.size
    cell_residual(m.cell, _vector(y, offset, n), _vector(rates, offset, n), _vector(out, offset, n))
    return 0


@c_callback(_STATUS(types.float64, *[_ADDRESS] * 3, types.float64, _ADDRESS))
def _set_up(_time: float, y: int, _rates: int, _residual_now: int, cj: float, user: int) -> int:
    """Evaluate and factorise the Jacobian."""
    m = _load(user)
    cell_jacobian(m.cell, _vector(y, m.data_offset, m.size), m.jacobian)
    block_factor(m.jacobian, cj, m.factors)
    return 0


@compiled_arithmetic
def _resolved(m: CellMemory, time: float, cj: float, state: FloatArray) -> bool:
    """Return the answer of `resolves_growth`, asked again where the step grew or some steps were taken."""
    if m.notes[ASKED_TIME] == time and m.notes[ASKED_CJ] == cj:
        return bool(m.notes[RESOLVED] == 1.0)
    m.notes[ASKED_TIME] = time
    m.notes[SINCE] += 1.0
    if m.notes[RESOLVED] == 1.0 and cj >= m.notes[ASKED_CJ] and m.notes[SINCE] < STEPS_TRUSTED:
        return True
    m.notes[ASKED_CJ], m.notes[SINCE] = cj, 0.0
    resolved = cell_resolves_growth(m.cell, state, cj)
    m.notes[RESOLVED] = 1.0 if resolved else 0.0
    return resolved


@compiled_arithmetic
def _solve(m: CellMemory, cj: float, right: FloatArray, solution: FloatArray) -> None:
    """Solve with the last Jacobian; its part in y′ follows every change of cj, which conserves ions."""
    if cj != m.factors.cj[0]:
        block_factor(m.jacobian, cj, m.factors)
    block_solve(m.jacobian, m.factors, right, solution)


@c_callback(_STATUS(types.float64, *[_ADDRESS] * 5, types.float64, types.float64, _ADDRESS))
def _precondition(  # noqa: PLR0917
    time: float, y: int, _r: int, _f: int, right: int, out: int, cj: float, _delta: float, user: int
) -> int:
    """Solve with the Jacobian; a positive status makes the step shorter, see `resolves_growth`."""
    m = _load(user)
    offset, n = m.data_offset, m.size
    given, solution = _vector(right, offset, n), _vector(out, offset, n)
    if m.notes[PASS_ON] == 1.0:
        m.notes[PASS_ON] = 0.0
        solution[:] = given
        return 0
    if not _resolved(m, time, cj, _vector(y, offset, n)):
        return 1
    _solve(m, cj, given, solution)
    return 0


@c_callback(_STATUS(_ADDRESS, _ADDRESS, _ADDRESS, _ADDRESS, types.float64))
def _solve_directly(solver: int, _matrix: int, out: int, right: int, _tolerance: float) -> int:
    """Solve with the Jacobian, as the ``solve`` of a SUNLinearSolver."""
    m = _load(word_at(solver + USER_DATA))
    offset, n = m.data_offset, m.size
    call_with_two(m.places[CURRENT_CJ], m.places[INTEGRATOR], address_of(m.notes) + 8 * CJ)
    cj = m.notes[CJ]
    if not _resolved(m, m.notes[TIME], cj, _vector(m.places[STATE], offset, n)):
        return SHORTER_STEP
    _solve(m, cj, _vector(right, offset, n), _vector(out, offset, n))
    return 0


@c_callback(_STATUS(types.float64, *[_ADDRESS] * 5, types.float64, *[_ADDRESS] * 3))
def _multiply(
    _t: float, _y: int, _r: int, _f: int, vector: int, out: int, _cj: float, user: int, _a: int, _b: int
) -> int:
    m = _load(user)
    _vector(out, m.data_offset, m.size)[:] = _vector(vector, m.data_offset, m.size)
    m.notes[PASS_ON] = 1.0
    return 0


@compiled_arithmetic
def _error_weights(state: FloatArray, relative: float, absolute: FloatArray, weights: FloatArray) -> None:
    for i in range(state.size):
        weights[i] = 1.0 / (relative * abs(state[i]) + absolute[i])


@c_callback(_STATUS(_ADDRESS, _ADDRESS, _ADDRESS))
def _weights(y: int, out: int, user: int) -> int:
    """Write 1/(rtol |y| + atol); the status tells whether an event has fallen through zero."""
    m = _load(user)
    state, weights = _vector(y, m.data_offset, m.size), _vector(out, m.data_offset, m.size)
    _error_weights(state, m.tolerances[0], m.tolerances[1:], weights)
    cell_events(m.cell, state, m.salt, m.rules, m.values)
    for k in range(m.values.size):
        if m.margins[k] > 0.0 >= m.values[k]:
            return -1
        m.margins[k] = m.values[k]
    return 0


@c_callback(_STATUS(_ADDRESS))
def _one(_solver: int) -> int:
    return 1


def native_callbacks(arrays: CellArrays, unknowns: Unknowns, rules: FloatArray) -> NativeCallbacks:
    """Return the callbacks of one cell: not to be used by two integrations at a time."""
    jacobian = empty_jacobian(arrays)
    memory = CellMemory(
        cell=arrays,
        jacobian=jacobian,
        factors=empty_factors(jacobian),
        salt=np.ascontiguousarray(unknowns.concentration, dtype=np.int64),
        rules=np.ascontiguousarray(rules, dtype=np.float64),
        values=np.zeros(len(rules)),
        margins=np.zeros(len(rules)),
        tolerances=np.zeros(1 + unknowns.size),
        notes=np.array([np.nan, np.nan, 0.0, 0.0, 0.0, 0.0, 0.0]),
        places=np.zeros(3, np.int64),
        size=unknowns.size,
        data_offset=data_offset(),
    )
    stored = Stored(memory, _EXAMPLE)
    return NativeCallbacks(
        residual=_residual.address,
        set_up=_set_up.address,
        solve=_precondition.address,
        multiply=_multiply.address,
        weights=_weights.address,
        solve_directly=_solve_directly.address,
        one=_one.address,
        places=memory.places[INTEGRATOR:],
        tolerances=memory.tolerances,
        margins=memory.margins,
        data=stored.address,
        keep=(stored, memory),
    )
