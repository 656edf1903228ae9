"""SUNDIALS IDA from scikit-sundae's own libraries, with callbacks that are machine code.

Between two output times no Python runs. The functions are those of SUNDIALS' public C interface; where
scikit-sundae does not expose them, `available` says no and its Python interface is used instead.
"""

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import POINTER, byref, c_double, c_int, c_long, c_void_p
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from scalebridge.foundation import MissingDependencyError
from scalebridge.particle.vector_operations import replace_operations

FloatArray = NDArray[np.float64]

NORMAL = 1
TINY = 1e-300
"""Absolute tolerance of an event's time [s]: the relative one, of rounding, decides."""
WEIGHTS_FAILED = -22
"""IDA_ILL_INPUT of ``ida.h``: what a run ends with that `NativeCallbacks.weights` stopped."""
LEFT, KRYLOV_DIMENSION = 1, 5
TABLE_LENGTH = 12
"""Functions of a SUNLinearSolver looked through: the wanted ones are the ninth to eleventh."""
USER_WORD = 8
"""Where the callbacks' data stand in a linear solver made here."""
FRESH = 0.02
"""Relative change of cj from which on the Jacobian is evaluated anew. SUNDIALS' own 0.25 is for costly ones;
here a fresh one costs three residuals, and saves more than a third of Newton's iterations."""
LENGTHENED = 1.25
"""IDA lengthens a step where its error allows a longer one by this factor. SUNDIALS' own 2 spares set-ups
but keeps steps far below their allowed length: half as many again, at the same accuracy."""
MESSAGES = {
    -1: "Could not reach the next output time in the allowed number of steps",
    -2: "the asked accuracy cannot be reached",
    -3: "error tests failed repeatedly, or with the smallest step",
    -4: "Newton's iteration failed repeatedly, or with the smallest step",
    -9: "the residual cannot be evaluated",
    -10: "the residual cannot be evaluated at any step",
    WEIGHTS_FAILED: "the tolerances or the next output time are out of range",
}


@dataclass(frozen=True, eq=False)
class NativeCallbacks:
    """Addresses of C functions as ``ida.h`` and ``ida_ls.h`` declare them, and of their data."""

    residual: int
    set_up: int
    solve: int
    multiply: int
    weights: int
    """Fills the weights of errors, and stops the run after a step in which an event has fallen through zero.
    SUNDIALS' own search would interpolate state and rates at every step."""
    solve_directly: int
    """The ``solve`` of a SUNLinearSolver; it finds ``data`` in the solver's word `USER_WORD`."""
    one: int
    """A function int f(void *) that returns 1."""
    places: NDArray[np.int64]
    """(2,) filled with the addresses of IDA's memory and of ``IDAGetCurrentCj``."""
    tolerances: FloatArray
    """(1 + size,) filled with the relative tolerance and the absolute ones."""
    margins: FloatArray
    """(events,) values at the last step; not a number before the first."""
    data: int
    keep: tuple[Any, ...]
    """What must outlive them."""


@dataclass(frozen=True, eq=False)
class NativeOptions:
    """How `integrate` is to go about it."""

    relative_tolerance: float
    absolute_tolerance: FloatArray
    differential: NDArray[np.bool_]
    events: Callable[[FloatArray], FloatArray]
    """Of a state: a value that falls to zero ends the run there."""
    max_steps: int
    max_failures: int


_WEIGHTS = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p)
_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "SUNContext_Create": (c_int, (c_int, POINTER(c_void_p))),
    "SUNContext_Free": (c_int, (POINTER(c_void_p),)),
    "SUNContext_ClearErrHandlers": (c_int, (c_void_p,)),
    "N_VGetArrayPointer": (c_void_p, (c_void_p,)),
    "N_VDestroy": (None, (c_void_p,)),
    "SUNLinSol_SPGMR": (c_void_p, (c_void_p, c_int, c_int, c_void_p)),
    "SUNLinSolFree": (c_int, (c_void_p,)),
    "SUNLinSolNumIters_SPGMR": (c_int, (c_void_p,)),
    "SUNLinSolSolve_SPGMR": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p, c_double)),
    "IDACreate": (c_void_p, (c_void_p,)),
    "IDAFree": (None, (POINTER(c_void_p),)),
    "IDAInit": (c_int, (c_void_p, c_void_p, c_double, c_void_p, c_void_p)),
    "IDAWFtolerances": (c_int, (c_void_p, c_void_p)),
    "IDASetUserData": (c_int, (c_void_p, c_void_p)),
    "IDASetId": (c_int, (c_void_p, c_void_p)),
    "IDASetMaxNumSteps": (c_int, (c_void_p, c_long)),
    "IDASetMaxConvFails": (c_int, (c_void_p, c_int)),
    "IDASetLinearSolver": (c_int, (c_void_p, c_void_p, c_void_p)),
    "IDASetPreconditioner": (c_int, (c_void_p, c_void_p, c_void_p)),
    "IDASetJacTimes": (c_int, (c_void_p, c_void_p, c_void_p)),
    "IDASetDeltaCjLSetup": (c_int, (c_void_p, c_double)),
    "IDASetEtaFixedStepBounds": (c_int, (c_void_p, c_double, c_double)),
    "IDASolve": (c_int, (c_void_p, c_double, POINTER(c_double), c_void_p, c_void_p, c_int)),
    "IDAGetDky": (c_int, (c_void_p, c_double, c_int, c_void_p)),
    "IDAGetCurrentTime": (c_int, (c_void_p, POINTER(c_double))),
    "IDAGetLastStep": (c_int, (c_void_p, POINTER(c_double))),
    "IDAGetCurrentCj": (c_int, (c_void_p, POINTER(c_double))),
    "IDAGetNumResEvals": (c_int, (c_void_p, POINTER(c_long))),
}


@cache
def _library() -> tuple[Any, int] | None:
    """Return the libraries and how far behind an N_Vector's content its data stand, or None."""
    try:
        from sksundae import _cy_ida  # noqa: PLC0415  # its dependencies are SUNDIALS' libraries

        # a name is looked up in the module's dependencies as well
        library = ctypes.CDLL(_cy_ida.__file__)
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, list(arguments)
        library.N_VMake_Serial.restype = c_void_p
    except (ImportError, AttributeError, OSError):
        return None
    for index in (ctypes.c_int32, ctypes.c_int64):
        offset = _data_offset(library, index)
        if offset is not None:
            library.N_VMake_Serial.argtypes = [index, c_void_p, c_void_p]
            return library, offset
    return None


def _data_offset(library: Any, index: Any) -> int | None:
    """Return where an N_Vector's content {length, owns data, data} holds the data, for a type of index."""
    library.N_VMake_Serial.argtypes = [index, c_void_p, c_void_p]
    values = np.zeros(3)
    with _context(library) as context:
        vector = library.N_VMake_Serial(3, values.ctypes.data, context)
        content = ctypes.cast(vector, POINTER(c_void_p))[0]
        expected = 8 if index is ctypes.c_int32 else 16
        fits = ctypes.cast(content, POINTER(index))[0] == 3
        fits = fits and ctypes.cast(content + expected, POINTER(c_void_p))[0] == values.ctypes.data
        library.N_VDestroy(vector)
    return expected if fits else None


def available() -> bool:
    """Return whether SUNDIALS' C interface can be reached."""
    return _library() is not None


def data_offset() -> int:
    """Return how many bytes behind an N_Vector's content the pointer to its data stands."""
    found = _library()
    return 0 if found is None else found[1]


@contextmanager
def _context(library: Any) -> Iterator[Any]:
    context = c_void_p()
    library.SUNContext_Create(0, byref(context))
    library.SUNContext_ClearErrHandlers(context)
    try:
        yield context
    finally:
        library.SUNContext_Free(byref(context))


class _Vectors:
    """N_Vectors over arrays."""

    def __init__(self, library: Any, context: Any, data_offset: int) -> None:
        self._library, self._context, self._data_offset = library, context, data_offset
        self.made: list[Any] = []
        self._arrays: list[FloatArray] = []

    def over(self, array: FloatArray) -> Any:
        """Return a vector whose data are those of a contiguous array."""
        self._arrays.append(array)
        self.made.append(self._library.N_VMake_Serial(array.size, array.ctypes.data, self._context))
        replace_operations(self._library, self.made[-1], self._data_offset)
        return self.made[-1]

    def free(self) -> None:
        """Give the vectors back; the arrays stay."""
        for vector in self.made:
            self._library.N_VDestroy(vector)


def integrate(
    callbacks: NativeCallbacks,
    times: FloatArray,
    start: tuple[FloatArray, FloatArray],
    options: NativeOptions,
) -> tuple[FloatArray, FloatArray, int | None, str | None, int]:
    """Integrate from 0 to ``times``.

    Returns
    -------
    Times reached and states there (the start is not among them), the index of the event that ended the run or
    None, the failure that ended it or None, and the number of residual evaluations.

    Raises
    ------
    MissingDependencyError
        If SUNDIALS' C interface is out of reach, see `available`.
    """
    found = _library()
    if found is None:
        raise MissingDependencyError(
            "SUNDIALS' C interface is not in this installation of scikit-sundae; integrate through its "
            "Python interface (particle.implicit)"
        )
    library, offset = found
    state, rates = start[0].copy(), start[1].copy()
    with _context(library) as context:
        vectors = _Vectors(library, context, offset)
        y, y_rate = vectors.over(state), vectors.over(rates)
        callbacks.tolerances[0], callbacks.tolerances[1:] = (
            options.relative_tolerance,
            options.absolute_tolerance,
        )
        callbacks.margins[:] = np.nan
        fallen = partial(_WEIGHTS(callbacks.weights), y, vectors.over(np.empty(state.size)), callbacks.data)
        kinds = vectors.over(options.differential.astype(np.float64))
        memory = c_void_p(library.IDACreate(context))
        linear = library.SUNLinSol_SPGMR(y, LEFT, KRYLOV_DIMENSION, context)
        try:
            library.IDAInit(memory, callbacks.residual, 0.0, y, y_rate)
            library.IDAWFtolerances(memory, callbacks.weights)
            library.IDASetUserData(memory, callbacks.data)
            library.IDASetId(memory, kinds)
            library.IDASetMaxNumSteps(memory, options.max_steps)
            library.IDASetMaxConvFails(memory, options.max_failures)
            direct = _direct(library, linear, (memory, context), callbacks)
            library.IDASetLinearSolver(memory, linear if direct is None else direct.ctypes.data, None)
            library.IDASetPreconditioner(memory, callbacks.set_up, callbacks.solve)
            library.IDASetDeltaCjLSetup(memory, FRESH)
            library.IDASetEtaFixedStepBounds(memory, 1.0, LENGTHENED)
            library.IDASetJacTimes(memory, None, callbacks.multiply)
            return _run(_Run(library, memory, options.events, fallen, state, y, y_rate), times)
        finally:
            library.IDAFree(byref(memory))
            library.SUNLinSolFree(linear)
            vectors.free()


def _direct(
    library: Any, linear: int, handles: tuple[Any, Any], callbacks: NativeCallbacks
) -> NDArray[np.uint64] | None:
    """Return a linear solver whose ``solve`` is the callbacks' own, None where its place cannot be found.

    A SUNLinearSolver ends with {…, table of functions, context}. The new one shares its words with ``linear``
    and has the callbacks' data in a word of its own behind them; in the table, which belongs to ``linear``
    alone, SUNLinSolSolve_SPGMR and SUNLinSolNumIters_SPGMR (without an iteration IDA would take the residual
    for the solution) give way. ``handles``: IDA's memory, the context.
    """
    memory, context = handles
    replaced = {"SUNLinSolSolve_SPGMR": callbacks.solve_directly, "SUNLinSolNumIters_SPGMR": callbacks.one}
    own = {ctypes.cast(getattr(library, name), c_void_p).value: ours for name, ours in replaced.items()}
    words = ctypes.cast(linear, POINTER(c_void_p))
    last = next((k for k in (2, 3) if words[k] == context.value), None)
    if last is None or not words[last - 1]:
        return None
    table = ctypes.cast(words[last - 1], POINTER(c_void_p))
    slots = {k: own[table[k]] for k in range(TABLE_LENGTH) if table[k] in own}
    if len(slots) < len(own):
        return None
    for slot, ours in slots.items():
        table[slot] = ours
    callbacks.places[0] = memory.value
    callbacks.places[1] = ctypes.cast(library.IDAGetCurrentCj, c_void_p).value or 0
    solver = np.zeros(USER_WORD + 1, dtype=np.uint64)
    solver[: last + 1] = [words[k] or 0 for k in range(last + 1)]
    solver[USER_WORD] = callbacks.data
    return solver


@dataclass(frozen=True, eq=False)
class _Run:
    """IDA, and where it writes."""

    library: Any
    memory: Any
    events: Callable[[FloatArray], FloatArray]
    fallen: Callable[[], int]
    """Not 0 where an event of ``state`` has fallen since the last step; a fifth of the time of ``events``."""
    state: FloatArray
    y: Any
    """``state`` as a vector."""
    y_rate: Any

    def state_at(self, time: float) -> FloatArray:
        """Return the state at a time within the last step."""
        self.library.IDAGetDky(self.memory, time, 0, self.y)
        return self.state.copy()

    def first_event(self, since: float, now: float) -> tuple[float, int] | None:
        """Return time and index of the event that fell first from ``since`` to ``now``, in the last step."""
        end, length = c_double(0.0), c_double(0.0)
        self.library.IDAGetCurrentTime(self.memory, byref(end))
        self.library.IDAGetLastStep(self.memory, byref(length))
        begin = max(since, end.value - length.value)
        before, after = self.events(self.state_at(begin)), self.events(self.state_at(now))

        def margin(time: float, index: int) -> float:
            return float(self.events(self.state_at(time))[index])

        crossings = [
            (float(brentq(margin, begin, now, args=(index,), xtol=TINY)), int(index))
            for index in np.flatnonzero((before > 0) & (after <= 0))
        ]
        return min(crossings, default=None)


def _run(run: _Run, times: FloatArray) -> tuple[FloatArray, FloatArray, int | None, str | None, int]:
    """Step from output to output."""
    library, memory = run.library, run.memory
    reached = np.empty(times.size)
    states = np.empty((times.size, run.state.size))
    event: int | None = None
    failure: str | None = None
    now, evaluations = c_double(0.0), c_long(0)
    since, count = 0.0, 0
    for time in times:
        flag = library.IDASolve(memory, float(time), byref(now), run.y, run.y_rate, NORMAL)
        reached[count], states[count] = now.value, run.state
        count += 1
        if flag == WEIGHTS_FAILED or run.fallen():
            found = run.first_event(since, now.value)
            if found is not None:
                reached[count - 1], event = found
                states[count - 1] = run.state_at(reached[count - 1])
                break
        if flag < 0:
            failure = MESSAGES.get(flag, f"SUNDIALS' IDA gave up with code {flag}")
            break
        since = now.value
    library.IDAGetNumResEvals(memory, byref(evaluations))
    return reached[:count], states[:count], event, failure, int(evaluations.value)
