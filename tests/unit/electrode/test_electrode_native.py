"""Callbacks in machine code: the same physics and the same solution as through Python."""

import ctypes
from collections import namedtuple

import numba
import numpy as np
import pytest

from particle_models import cell, particle, with_changes
from scalebridge.electrode import (
    CellModel,
    CellSolution,
    Layer,
    Population,
    Protocol,
    Step,
    discharge,
    solve_cell,
    solve_protocol,
)
from scalebridge.electrode.arrays import cell_arrays
from scalebridge.electrode.native import native_callbacks
from scalebridge.electrode.system import Unknowns, cell_system, rest_state
from scalebridge.foundation import InputError, MissingDependencyError
from scalebridge.foundation.memory import Stored, loader
from scalebridge.particle import implicit, native

LAYERS = {
    "separator": Layer(thickness=25e-6, porosity=0.7, bruggeman_exponent=1.5, volumes=3),
    "layer": Layer(thickness=70e-6, porosity=0.4, bruggeman_exponent=1.5, volumes=4),
}
Pair = namedtuple("Pair", "numbers factor")  # Numba knows named tuples of both kinds


def two_sizes() -> CellModel:
    population = Population.listed(np.array([60e-9, 100e-9]), None, volumes=4)
    return cell(particle(shells=50), population=population, film_resistance=1e-3, **LAYERS)


def test_c_interface_of_sundials_is_found() -> None:
    """In the wheels of scikit-sundae, which the project installs."""
    assert native.available()
    assert native.data_offset() in (8, 16)


def test_residual_callback_is_the_kernel() -> None:
    model = two_sizes()
    arrays = cell_arrays(model, target=1.0)
    unknowns = Unknowns.of(arrays)
    system = cell_system(arrays, unknowns)
    callbacks = native_callbacks(arrays, unknowns, np.zeros((0, 3)))
    state = rest_state(model, arrays, unknowns, 1.0)
    rates = np.linspace(-1, 1, state.size)
    expected, found = np.empty(state.size), np.empty(state.size)
    system.residual(state, rates, expected)
    library, _ = native._library()  # type: ignore[misc]
    with native._context(library) as context:
        vectors = native._Vectors(library, context, native.data_offset())
        handles = [vectors.over(array) for array in (state, rates, found)]
        function = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_double, *[ctypes.c_void_p] * 4)(callbacks.residual)
        assert function(0.0, *handles, callbacks.data) == 0
        vectors.free()
    assert np.array_equal(found, expected)


def test_both_ways_give_the_same_discharge(monkeypatch: pytest.MonkeyPatch) -> None:
    def solved() -> CellSolution:
        return solve_cell(two_sizes(), 2.0, relative_tolerance=1e-6)

    fast = solved()
    asked: list[float] = []
    through_python = implicit._integrate_through_python

    def counted(*arguments: object) -> object:
        asked.append(0.0)
        return through_python(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(implicit, "available", lambda: False)
    monkeypatch.setattr(implicit, "_integrate_through_python", counted)
    slow = solved()
    assert asked
    assert fast.termination == slow.termination == "voltage cutoff"
    assert fast.filling[-1] == pytest.approx(slow.filling[-1], abs=1e-5)
    filling = np.linspace(0.02, fast.filling[-1] - 0.02, 500)
    curves = [np.interp(filling, s.filling, s.voltage) for s in (fast, slow)]
    assert np.sqrt(np.mean((curves[0] - curves[1]) ** 2)) < 2e-5


def test_rising_currents_run_in_machine_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up from rest, then down to it: nothing is asked of Python, whose way gives the same."""
    steps = (Step("c-rate", 0.0, 600.0, slope=2 / 600), Step("c-rate", 2.0, 600.0, slope=-2 / 600))
    asked: list[float] = []
    through_python = implicit._integrate_through_python

    def counted(*arguments: object) -> object:
        asked.append(0.0)
        return through_python(*arguments)  # type: ignore[arg-type]

    def solved() -> CellSolution:
        return solve_protocol(two_sizes(), Protocol(steps), points=20, relative_tolerance=1e-6).whole

    monkeypatch.setattr(implicit, "_integrate_through_python", counted)
    fast = solved()
    assert not asked
    monkeypatch.setattr(implicit, "available", lambda: False)
    slow = solved()
    assert asked
    rise = np.interp(fast.time, [0.0, 600.0, 1200.0], [0.0, 2.0, 0.0])
    assert fast.current == pytest.approx(rise * two_sizes().one_c_current, abs=1e-9)
    assert fast.filling[-1] - fast.filling[0] == pytest.approx(1200 / 3600, abs=1e-5)
    assert fast.voltage == pytest.approx(slow.voltage, abs=2e-4)


def test_events_of_a_step_that_runs_beyond_several_outputs_are_found_in_time() -> None:
    """A slow solid solution takes steps of minutes; the filling is linear in time, so the end is known."""
    wide = particle(1.0, shells=16, gradient_energy=0.0)
    model = cell(wide, initial_theta=0.3, **LAYERS)
    for points in (20, 2000):
        solved = solve_protocol(
            model, Protocol.parse("Discharge at 1C until 30 %; Charge at 1C until 30 %"), points=points
        )
        for step, sign in zip(solved.steps, (1, -1), strict=True):
            assert step.ended_by == "capacity"
            assert step.capacity == pytest.approx(0.3 * sign, abs=1e-12)
            assert np.all(np.diff(step.solution.time) > 0)


@pytest.mark.parametrize("size", [1, 7, 8, 2049, 5000])
def test_vector_operations_are_those_of_sundials(size: int) -> None:
    """Every one that takes the place of SUNDIALS', also in place, to rounding."""
    draw = np.random.default_rng(1)
    library, offset = native._library()  # type: ignore[misc]
    vector, number = ctypes.c_void_p, ctypes.c_double
    kinds = {
        "N_VLinearSum": (None, number, vector, number, vector, vector),
        "N_VScale": (None, number, vector, vector),
        "N_VWrmsNorm": (number, vector, vector),
        "N_VLinearCombination": (ctypes.c_int, ctypes.c_int, vector, vector, vector),
        "N_VLinearSumVectorArray": (ctypes.c_int, ctypes.c_int, number, vector, number, vector, vector),
        "N_VConst": (None, number, vector),
    }
    with native._context(library) as context:
        found = []
        for replaced in (True, False):
            vectors = native._Vectors(library, context, offset if replaced else 0)
            arrays = [draw.random(size) for _ in range(4)]
            draw = np.random.default_rng(1)
            x, y, z, w = (vectors.over(array) for array in arrays)
            functions = {}
            for name, kind in kinds.items():
                function = getattr(library, name)
                functions[name] = ctypes.CFUNCTYPE(*kind)(ctypes.cast(function, vector).value)
            functions["N_VLinearSum"](2.0, x, -0.3, y, z)
            functions["N_VLinearSum"](1e-3, z, 1.0, y, y)
            functions["N_VScale"](0.7, w, w)
            terms, several = np.array([0.1, -0.7, 3.0, 2.0]), np.array([z, x, y, w], dtype=np.uint64)
            assert functions["N_VLinearCombination"](4, terms.ctypes.data, several.ctypes.data, z) == 0
            # as IDA updates its differences: each gains the one before, which has just gained its own
            ahead, behind = (np.array(chain, dtype=np.uint64) for chain in ((x, y, z), (y, z, w)))
            sums = (3, 1.0, ahead.ctypes.data, 1.0, behind.ctypes.data, behind.ctypes.data)
            assert functions["N_VLinearSumVectorArray"](*sums) == 0
            functions["N_VConst"](-2.5, x)
            norm = functions["N_VWrmsNorm"](z, y)
            found.append(np.concatenate([*arrays, [norm]]))
            vectors.free()
    assert found[0] == pytest.approx(found[1], rel=1e-14, abs=1e-14)


def test_a_failure_is_said_as_before(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(implicit, "MAX_STEPS", 2)
    monkeypatch.setattr(implicit, "RESTARTS", 1)
    solution = solve_cell(two_sizes(), 1.0, times=np.array([0.0, 3000.0]))
    assert solution.termination == "solver failure"
    assert "Could not reach the next output time in the allowed number of steps" in solution.status
    assert capfd.readouterr() == ("", "")


def test_runs_in_threads_do_not_disturb_each_other() -> None:
    from concurrent.futures import ThreadPoolExecutor

    rates = (1.0, 2.0, 3.0, 4.0)
    model = with_changes(two_sizes(), population=None)
    alone = [discharge.solve_cell(model, rate).voltage for rate in rates]
    with ThreadPoolExecutor(4) as pool:
        together = [s.voltage for s in pool.map(lambda rate: solve_cell(model, rate), rates)]
    for one, other in zip(alone, together, strict=True):
        assert np.array_equal(one, other)


def test_tuples_in_memory_are_read_back() -> None:
    example = Pair(np.zeros(1), 0.0)
    load = loader(example)

    @numba.njit
    def total(address: int) -> float:
        pair = load(address)
        return pair.factor * pair.numbers.sum()

    numbers = np.arange(5.0)
    stored = Stored(Pair(numbers, 3.0), example)
    for _ in range(3):
        assert total(stored.address) == 30.0
    numbers[0] = 1.0
    assert total(stored.address) == 33.0
    with pytest.raises(InputError, match="has the compiled type"):
        Stored(Pair(np.arange(5), 3.0), example)


def test_a_library_that_cannot_be_opened_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(native.ctypes, "CDLL", closed)
    native._library.cache_clear()
    try:
        assert not native.available()
        with pytest.raises(MissingDependencyError, match="its Python interface"):
            native.integrate(None, np.ones(1), (np.ones(1), np.ones(1)), None)  # type: ignore[arg-type]
    finally:
        native._library.cache_clear()
