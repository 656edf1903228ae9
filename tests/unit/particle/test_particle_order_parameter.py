"""Phases with a rate of their own: exact relaxation, the envelope as limit, dissipation, hysteresis."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.linalg import eig
from scipy.optimize import brentq
from scipy.special import expit, logsumexp

from particle_models import KT, TEMPERATURE, branched, particle
from scalebridge.foundation import InputError, random_stream
from scalebridge.particle import (
    ParticleModel,
    Particles,
    Surface,
    particle_arrays,
    phase_fractions,
    phase_places,
    resolves_growth,
    solve_particle,
    sparse_matrices,
)
from scalebridge.particle.solve import _particle_system
from scalebridge.particle.tables import evaluate_many, integrate

BRANCHES = [(1.0, 0.5, 0.0), ((0.8, -0.3), 0.0, 2.5), ((-1.0, 0.6), 0.7, -2.0)]
ONE = {"kind": "homogeneous", "shells": None, "size": 20e-9}
THETA = np.linspace(0.02, 0.98, 33)


def ordered(count: int = 2, time: float = 1.0, barrier: float = 0.0, **changes: Any) -> ParticleModel:
    """Particle of the first ``count`` branches; ``barrier``: W."""
    settings = {"shells": 16, "size": 20e-9, "phase_relaxation_time": time, "phase_barrier": barrier * KT}
    return particle(branched(*BRANCHES[:count]), **(settings | changes))


def energies(count: int, theta: np.ndarray) -> np.ndarray:
    """Return the branches' free energies over kT, less the straight line common to all, (count, ...)."""
    energy = branched(*BRANCHES[:count], voltage=0.0)
    return np.stack([energy.energy(theta, TEMPERATURE, branch=b) / KT for b in range(count)])


@pytest.mark.parametrize("count", [2, 3])
def test_equilibrium_without_a_barrier_is_boltzmanns(count: int) -> None:
    order = ordered(count).order
    assert order is not None
    g = energies(count, THETA)
    odds = order.equilibrium(THETA)
    assert odds == pytest.approx((g[0] - g[1:]).T, abs=1e-9)
    # the energy and the potential of that equilibrium are the envelope's
    eta, model = phase_fractions(odds), ordered(count)
    assert order.energy(THETA, eta) == pytest.approx(integrate(model.excess, THETA), abs=1e-7)
    slopes = [evaluate_many(table, THETA)[1] for table in order.differences]
    potential = evaluate_many(order.first, THETA)[0] + np.sum(eta[:, 1:].T * slopes, axis=0)
    assert potential == pytest.approx(evaluate_many(model.excess, THETA)[0], abs=1e-6)
    mixing = THETA * np.log(THETA) + (1 - THETA) * np.log1p(-THETA)
    low, high = (-logsumexp(-energies(count, np.array(end))) for end in (0.0, 1.0))
    line = (1 - THETA) * low + THETA * high
    assert integrate(model.excess, THETA) == pytest.approx(-logsumexp(-g, axis=0) - mixing - line, abs=1e-7)


@pytest.mark.parametrize("barrier", [0.7, 2.0, 3.5, 6.0])
@pytest.mark.parametrize("count", [2, 3])
def test_equilibrium_with_a_barrier_lies_in_the_lower_well(count: int, barrier: float) -> None:
    order = ordered(count, barrier=barrier).order
    assert order is not None
    odds = order.equilibrium(THETA)
    assert np.max(np.abs(order.forces(THETA, odds))) < 1e-9
    eta = phase_fractions(odds)
    assert np.array_equal(np.argmax(eta, axis=-1), np.argmin(energies(count, THETA), axis=0))


def test_lower_well_of_two_phases_against_bracketing() -> None:
    order = ordered(2, barrier=3.0).order
    assert order is not None
    for theta, odds in zip(THETA, order.equilibrium(THETA)[:, 0], strict=True):
        g = energies(2, np.array(theta))
        low, high = (0.0, 60.0) if g[1] < g[0] else (-60.0, 0.0)
        expected = brentq(lambda z, g=g: g[1] - g[0] + z + 3.0 * (1 - 2 * expit(z)), low, high, xtol=1e-13)
        assert odds == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("count", [2, 3])
def test_relaxation_at_fixed_filling_loses_the_variance_of_its_force(count: int) -> None:
    """dg/dt = −Var_η(A)/τ at any barrier, whatever the state."""
    order = ordered(count, barrier=2.7).order
    assert order is not None
    odds = random_stream(3, "odds").normal(0.0, 2.0, (THETA.size, count - 1))
    eta, force = phase_fractions(odds), order.forces(THETA, odds)
    h = 1e-5
    after, before = (order.energy(THETA, phase_fractions(odds - s * h * force)) for s in (1, -1))
    own = np.concatenate([np.zeros((THETA.size, 1)), force], axis=1)
    mean = np.sum(eta * own, axis=1)
    variance = np.sum(eta * own**2, axis=1) - mean**2
    assert (after - before) / (2 * h) == pytest.approx(-variance, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("count", [2, 3])
def test_relaxation_is_exponential_in_the_log_odds(count: int) -> None:
    model, tau = ordered(count, time=3.0, **ONE), 3.0
    times = np.linspace(0.0, 9.0, 19)
    start = np.array([0.7, 0.3]) if count == 2 else np.array([0.2, 0.7, 0.1])
    theta = 0.63
    found = solve_particle(
        model, theta, times=times, current_density=0.0, phase_fractions=start, relative_tolerance=1e-8
    )
    assert found.theta == pytest.approx(theta, abs=1e-12)
    g = energies(count, np.array(theta))
    rest, first = g[0] - g[1:], np.log(start[1:] / start[0])
    expected = rest + (first - rest) * np.exp(-times / tau)[:, None]
    assert found.phase_fractions is not None
    assert found.phase_fractions[:, 0] == pytest.approx(phase_fractions(expected), abs=2e-5)


@pytest.mark.parametrize("kind", [{"size": 12e-9}, ONE])
def test_the_envelope_is_the_limit_of_fast_phases(kind: dict[str, Any]) -> None:
    """Voltage at constant current: the difference falls with the first power of τ."""
    times, current = np.linspace(0.0, 60.0, 9), 0.1
    plain = particle(branched(*BRANCHES), **({"shells": 16} | kind))
    runs = [plain, *(ordered(3, time=tau, **kind) for tau in (0.04, 0.02, 1e-9))]
    voltages = [
        solve_particle(m, 0.1, times=times, current_density=current, relative_tolerance=1e-8).voltage
        for m in runs
    ]
    assert np.ptp(voltages[0]) > 0.01
    slow, fast, limit = (np.max(np.abs(v - voltages[0])[1:]) for v in voltages[1:])
    assert limit < 1e-7
    assert slow / fast == pytest.approx(2.0, rel=0.1)


@st.composite
def resting(draw: st.DrawFn) -> tuple[ParticleModel, np.ndarray, np.ndarray]:
    """Return particles of any kind, branches and barrier, in uneven states."""
    count = draw(st.integers(2, 3))
    branches = [
        (
            (draw(st.floats(-3, 2.5)), draw(st.floats(-0.6, 0.6))),
            draw(st.floats(-2, 2)),
            draw(st.floats(-5, 5)),
        )
        for _ in range(count)
    ]
    kind = draw(
        st.sampled_from(
            [
                {"shells": 40, "size": 15e-9, "shape": "sphere"},
                {"shells": 40, "kind": "allen-cahn", "shape": "plate", "size": 5e-9, "length": 30e-9},
            ]
        )
    )
    model = particle(
        branched(*branches),
        phase_relaxation_time=10 ** draw(st.floats(-6, 3)),
        phase_barrier=draw(st.sampled_from([0.0, 1.0, 3.0])) * KT,
        coherency_modulus=draw(st.sampled_from([0.0, 1e8])),
        **kind,
    )
    stream = random_stream(draw(st.integers(0, 99)), "uneven states")
    bumps = np.cos(np.outer(np.linspace(0, np.pi, model.shells), np.arange(4))) @ stream.normal(0, 0.8, 4)
    phases = stream.dirichlet(np.full(count, 2.0), model.shells)
    return model, expit(bumps), phases


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(start=resting())
def test_free_energy_never_rises_at_rest_and_ions_stay(
    start: tuple[ParticleModel, np.ndarray, np.ndarray],
) -> None:
    model, theta, phases = start
    times = np.concatenate([[0.0], np.geomspace(1e-7, 1e4, 60)])
    found = solve_particle(model, theta, times=times, current_density=0.0, phase_fractions=phases)
    assert found.termination == "time"
    assert found.filling == pytest.approx(found.filling[0], abs=1e-12)
    assert found.phase_fractions is not None
    assert np.all(found.phase_fractions > 0)
    assert found.phase_fractions.sum(axis=-1) == pytest.approx(1.0, abs=1e-12)
    assert found.free_energy[-1] < found.free_energy[0]
    assert np.diff(found.free_energy).max() < 2e-6


def test_a_metastable_phase_persists() -> None:
    """W > 2: the phase that was lower stays where the other is, for a thousand τ; without W it does not."""
    theta = float(brentq(lambda t: energies(2, np.array(t)) @ [1.0, -1.0] + 0.8, 0.01, 0.99))
    times = np.array([0.0, 1000.0])
    start = np.array([0.1, 0.9])
    left = {}
    for barrier in (0.0, 5.0):
        model = ordered(2, barrier=barrier, **ONE)
        found = solve_particle(
            model, theta, times=times, current_density=0.0, phase_fractions=start, relative_tolerance=1e-6
        )
        assert found.phase_fractions is not None
        left[barrier] = found.phase_fractions[-1, 0, 1]
    assert left[0.0] == pytest.approx(expit(-0.8), abs=1e-5)
    assert left[5.0] > 0.95


@pytest.mark.parametrize(("barrier", "loops"), [(0.0, False), (4.0, True)])
def test_only_wells_make_slow_charge_and_discharge_differ(barrier: float, loops: bool) -> None:
    model = particle(
        branched((-1.0, 0.0, 0.0), (-1.0, 2.0, -4.0)),
        phase_relaxation_time=1e-3,
        phase_barrier=barrier * KT,
        **ONE,
    )
    per_second = model.charge_density / model.grid.surface_area
    span, rate = 0.8, 1e-5
    times = np.linspace(0.0, span / rate, 101)
    there, back = (
        solve_particle(
            model, start, times=times, current_density=sign * rate * per_second, relative_tolerance=1e-6
        )
        for start, sign in ((0.1, 1), (0.9, -1))
    )
    middle = slice(20, 81)
    difference = np.max(np.abs(there.voltage - back.voltage[::-1])[middle]) / model.thermal_voltage
    # the current itself costs what it would without phases: below a hundredth of kT/e
    assert difference > 1.0 if loops else difference < 0.02


@pytest.mark.parametrize("barrier", [0.0, 3.0])
@pytest.mark.parametrize("theta", [0.3, 0.55])
def test_growth_rates_are_those_of_the_linearised_particle(theta: float, barrier: float) -> None:
    """Steps just above the largest growth rate are accepted, just below refused; three phases, even state."""
    model = particle(
        branched((3.0, 0.5, 0.0), (2.0, 0.0, 3.0), (1.0, 0.7, -3.0)),
        shells=12, size=8e-9, phase_relaxation_time=1e-3, phase_barrier=barrier * KT, diffusivity=1e-13,
    )  # fmt: skip
    p = particle_arrays(model, 1.0)
    n = model.shells
    state = np.zeros(p.fractions.size * 4 + 3)
    state[0 : 2 * n : 2], state[1 : 2 * n : 2] = theta, np.log(theta / (1 - theta))
    state[2 * n] = theta
    g = Particles(p, 0, np.ones(1), np.zeros(1))
    state[phase_places(g)[..., 0]] = np.array([0.3, -0.2])
    system = _particle_system(p, 0.0, 0.0, fixed_drive=False)
    by_state, by_rate = (matrix.toarray() for matrix in sparse_matrices(system.jacobian(state)))
    values = eig(-by_state, by_rate, right=False, homogeneous_eigvals=True)
    finite = np.abs(values[1]) > 1e-9 * np.abs(values[0])
    fastest = np.max((values[0][finite] / values[1][finite]).real)
    assert fastest > 1.0
    around = Surface(np.zeros(1), np.zeros(1))
    assert resolves_growth(g, around, state, 1.001 * fastest)
    assert not resolves_growth(g, around, state, 0.999 * fastest)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(InputError, match="free energy with one branch"):
        particle(1.0, phase_relaxation_time=1.0)
    with pytest.raises(InputError, match="without a phase relaxation time"):
        particle(branched(*BRANCHES), phase_barrier=1e-20)
    with pytest.raises(InputError, match="relaxation time -1 s and phase barrier 0 J must"):
        ordered(time=-1.0)
    with pytest.raises(InputError, match="phase fractions"):
        solve_particle(
            particle(1.0, shells=16), 0.5, times=np.array([0.0, 1.0]), current_density=0.0,
            phase_fractions=np.array([0.5, 0.5]),
        )  # fmt: skip
    with pytest.raises(InputError, match="must be positive and"):
        solve_particle(
            ordered(),
            0.5,
            times=np.array([0.0, 1.0]),
            current_density=0.0,
            phase_fractions=np.array([0.0, 1.0]),
        )
