"""One particle at constant current, at rest, or at constant voltage."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalebridge.contracts import SOLVER_FAILURE
from scalebridge.foundation import InputError
from scalebridge.kinetics import exchange_current, overpotential
from scalebridge.particle._jacobian import particle_blocks
from scalebridge.particle._kernels import (
    NO_NOISE,
    ParticleArrays,
    Particles,
    Surface,
    block_size,
    particle_arrays,
    particle_residual,
    phase_places,
    restore_particles,
)
from scalebridge.particle.groups import Jacobian, Links, empty_group
from scalebridge.particle.implicit import (
    REFERENCE_TOLERANCE,
    ImplicitSolution,
    ImplicitSystem,
    consistent_start,
    solve_implicit,
)
from scalebridge.particle.model import ParticleModel
from scalebridge.particle.noise import ThermalNoise, check_phases, noise_stream, particle_sites, thermal_noise
from scalebridge.particle.order import phase_fractions as fractions_of
from scalebridge.particle.slices import solve_slices
from scalebridge.particle.stability import resolves_growth
from scalebridge.particle.tables import evaluate_many

FloatArray = NDArray[np.float64]

THETA_TOLERANCE = 2e-6
POTENTIAL_TOLERANCE = 2e-4
FULL = 1e-3
"""Site fraction from 0 or 1 at which a run that cannot go on is one of an empty or full particle."""
"""Of log-odds and potentials, in kT; both at the reference tolerance."""


@dataclass(frozen=True, eq=False)
class ParticleSolution:
    """One particle against time."""

    time: FloatArray
    """(times,) [s]"""
    voltage: FloatArray
    """(times,) φ_s − φ_e against the ion's metal in an electrolyte of activity 1 [V]."""
    filling: FloatArray
    """(times,) mean site fraction."""
    current_density: FloatArray
    """(times,) mean over the reacting surface, positive inserts [A/m²]."""
    theta: FloatArray
    """(times, shells)"""
    radius: FloatArray
    """(shells,) or position along an Allen–Cahn platelet [m]."""
    phase_fractions: FloatArray | None
    """(times, shells, branches) of phases with a rate of their own, else None."""
    free_energy: FloatArray
    """(times,) per site over kT, see `ParticleModel.free_energy`."""
    termination: str
    """``time``, ``voltage cutoff``, ``full particle``, ``empty particle`` or ``solver failure``."""
    status: str
    """A sentence."""


def solve_particle(
    model: ParticleModel,
    theta: float | FloatArray,
    *,
    times: FloatArray,
    current_density: float | None = None,
    voltage: float | None = None,
    voltage_cutoff: float | None = None,
    phase_fractions: FloatArray | None = None,
    noise: ThermalNoise | None = None,
    relative_tolerance: float = REFERENCE_TOLERANCE,
) -> ParticleSolution:
    """Solve one particle from the site fractions ``theta`` (a number, or one per shell).

    Exactly one of ``current_density`` [A/m², positive inserts, 0 is rest] and ``voltage`` [V] is held.

    Parameters
    ----------
    times
        Output times, ascending from 0 [s]; the last ends the run.
    voltage_cutoff
        Ends an insertion when the voltage has fallen to it [V].
    phase_fractions
        (branches,) or (shells, branches) at the start, of a model with `PhaseOrder`; None: those of
        `PhaseOrder.equilibrium`.
    noise
        None: none.

    Raises
    ------
    InputError
        If not exactly one of current and voltage is given, θ is outside (0, 1) or has the wrong shape, or
        there are fractions of phases where the model has none, or such that are not positive, or noise where
        the model has phases with a rate of their own.
    ConvergenceError
        If no consistent start exists.
    """
    profile = _check_start(model, theta)
    odds = _start_odds(model, profile, phase_fractions)
    if (current_density is None) == (voltage is None):
        raise InputError(
            f"current_density {current_density} and voltage {voltage}: exactly one must be given; "
            "use current_density=0 for rest"
        )
    exchange_rate = model.rate_law.rate_constant * model.grid.surface_area / model.charge_density
    applied = (current_density or 0.0) * model.grid.surface_area / model.charge_density
    rate_scale = abs(applied) or exchange_rate
    held_drive = 0.0 if voltage is None else (voltage - model.mean_voltage) / model.thermal_voltage
    p = particle_arrays(model, rate_scale)

    def system(drawn: FloatArray = NO_NOISE) -> ImplicitSystem:
        return _particle_system(
            p, applied / rate_scale, held_drive, fixed_drive=voltage is not None, noise=drawn
        )

    guess = _guess(model, p, profile, applied / rate_scale, held_drive)
    guess[2 * model.shells + 2 : -1] = odds.ravel()
    start = consistent_start(system(), guess)

    def events(state: FloatArray) -> FloatArray:
        return np.array(
            [_voltage(model, state[-1:])[0] - (-np.inf if voltage_cutoff is None else voltage_cutoff)]
        )

    watched = None if voltage_cutoff is None else events
    if noise is None:
        result = solve_implicit(system(), times, start, events=watched, relative_tolerance=relative_tolerance)
    else:
        draw = _drawing(model, p, noise)
        result = solve_slices(
            lambda state: (system(draw(state)), watched),
            times,
            start[0],
            noise.interval,
            relative_tolerance=relative_tolerance,
        )
    return _solution(model, p, result, times)


def _solution(
    model: ParticleModel, p: ParticleArrays, result: ImplicitSolution, times: FloatArray
) -> ParticleSolution:
    """Return the states of a run as fields."""
    n = model.shells
    fractions = result.states[:, 0 : 2 * n : 2]
    own = phase_places(Particles(p, 0, np.ones(1), np.zeros(1)))[..., 0]
    phases = None if model.order is None else fractions_of(result.states[:, own])
    termination = "time" if result.event is None else "voltage cutoff"
    status = f"reached {result.time[-1]:.4g} s of {times[-1]:.4g} s"
    filling = fractions @ model.grid.fractions
    if result.failure is not None:
        termination, reason = failed(float(filling[-1]), result.failure)
        status = f"{status}; {reason}"
    return ParticleSolution(
        time=result.time,
        voltage=_voltage(model, result.states[:, -1]),
        filling=filling,
        current_density=result.states[:, 2 * n + 1]
        * p.rate_scale
        * model.charge_density
        / model.grid.surface_area,
        theta=fractions,
        radius=model.grid.nodes,
        phase_fractions=phases,
        free_energy=model.free_energy(np.clip(fractions, 0.0, 1.0), phases),
        termination=termination,
        status=status,
    )


def failed(filling: float, failure: str) -> tuple[str, str]:
    """Return termination and sentence of a run that the solver could not end at a mean site fraction."""
    for level, word in ((1.0, "full"), (0.0, "empty")):
        if abs(filling - level) < FULL:
            return f"{word} particle", f"the particle is {word}: end the run earlier, or at a voltage cutoff"
    return SOLVER_FAILURE, f"the solver stopped: {failure}"


def _check_start(model: ParticleModel, theta: float | FloatArray) -> FloatArray:
    profile = np.asarray(theta, dtype=np.float64) * np.ones(model.shells if np.ndim(theta) == 0 else 1)
    if profile.shape != (model.shells,) or np.any(profile <= 0) or np.any(profile >= 1):
        raise InputError(
            f"starting site fractions of shape {np.shape(theta)} from {np.min(theta):g} to {np.max(theta):g} "
            f"must be one number or {model.shells} inside (0, 1); change the start"
        )
    return profile


def _start_odds(model: ParticleModel, profile: FloatArray, phases: FloatArray | None) -> FloatArray:
    """Return the log-odds of phases at the start, (shells, branches − 1); empty without."""
    order = model.order
    if phases is None:
        return np.zeros((model.shells, 0)) if order is None else order.equilibrium(profile)
    if order is None:
        raise InputError(
            f"phase fractions {np.shape(phases)} of a particle whose phases are in equilibrium; leave them "
            "out or give the model a phase_relaxation_time"
        )
    given = np.asarray(phases, dtype=np.float64)
    if given.shape not in {(order.branches,), (model.shells, order.branches)} or np.min(given) <= 0:
        raise InputError(
            f"phase fractions of shape {given.shape} from {np.min(given):g} must be positive and "
            f"({order.branches},) or ({model.shells}, {order.branches}); change the start"
        )
    logs = np.log(given)
    return np.asarray(np.broadcast_to(logs[..., 1:] - logs[..., :1], (model.shells, order.branches - 1)))


def _voltage(model: ParticleModel, drive: FloatArray) -> FloatArray:
    return np.asarray(model.mean_voltage + model.thermal_voltage * drive)


def _guess(
    model: ParticleModel, p: ParticleArrays, profile: FloatArray, rate: float, held_drive: float
) -> FloatArray:
    n = model.shells
    state = np.zeros(block_size(p) + 1)
    state[0 : 2 * n : 2] = profile
    state[1 : 2 * n : 2] = np.log(profile) - np.log1p(-profile)
    state[2 * n] = profile @ model.grid.fractions
    state[2 * n + 1] = rate
    reacting = state[2 * n : 2 * n + 1] if p.direct else profile[-1:]
    excess = evaluate_many(model.excess, reacting)[0][0]
    activity = float(np.log(reacting[0]) - np.log1p(-reacting[0]) + excess)
    law = model.rate_law
    exchange = (
        exchange_current(law, reacting[0], activity, temperature=model.temperature)
        * p.rate
        / law.rate_constant
    )
    state[-1] = held_drive or overpotential(rate, exchange, p.transfer) - activity
    return state


def _surface(state: FloatArray) -> Surface:
    """Return what a particle sees that is alone with its drive."""
    return Surface(np.zeros(1), state[-1:])


def _drawing(
    model: ParticleModel, p: ParticleArrays, noise: ThermalNoise
) -> Callable[[FloatArray], FloatArray]:
    """Return what draws the noise of the next slice, which begins at a state."""
    check_phases(model)
    stream = noise_stream(noise.seed, "particle")
    sites = np.full(1, particle_sites(model) if noise.sites is None else noise.sites)
    one = Particles(p, 0, np.ones(1), np.zeros(1))

    def draw(state: FloatArray) -> FloatArray:
        normal = stream.standard_normal((model.shells, 1))
        return thermal_noise(one, _surface(state), state, normal, sites=sites, interval=noise.interval)

    return draw


def _particle_system(
    p: ParticleArrays, rate: float, held_drive: float, *, fixed_drive: bool, noise: FloatArray = NO_NOISE
) -> ImplicitSystem:
    """Return one particle and its drive, the only unknown outside it: either that or the rate is held."""
    n = p.fractions.size
    size = block_size(p) + 1
    one = Particles(p, 0, np.ones(1), np.zeros(1), noise)
    first = np.zeros((1, 1), np.int64)
    group = empty_group(one, Links(first, first, np.full((1, 1), 0.0 if fixed_drive else 1.0)))
    group.surroundings[1] = 1.0
    jacobian = Jacobian((group,), stored=np.zeros(1), band=np.full((1, 1), 1.0 if fixed_drive else 0.0))

    def residual(state: FloatArray, rates: FloatArray, out: FloatArray) -> None:
        particle_residual(one, _surface(state), state, rates, out)
        out[-1] = state[-1] - held_drive if fixed_drive else state[2 * n + 1] - rate

    def evaluated(state: FloatArray) -> Jacobian:
        particle_blocks(one, _surface(state), state, group.blocks)
        return jacobian

    def restore(state: FloatArray) -> FloatArray:
        restored = state.copy()
        restore_particles(one, restored)
        return restored

    tolerance = np.full(size, POTENTIAL_TOLERANCE)
    differential = np.zeros(size, dtype=bool)
    tolerance[0 : 2 * n : 2] = THETA_TOLERANCE
    tolerance[2 * n] = THETA_TOLERANCE
    differential[0 : 2 * n : 2] = True
    differential[2 * n + 2 : -1] = True
    return ImplicitSystem(
        residual=residual,
        jacobian=evaluated,
        differential=differential,
        absolute_tolerance=tolerance,
        resolves=lambda state, cj: bool(resolves_growth(one, _surface(state), state, cj)),
        restore=restore,
    )
