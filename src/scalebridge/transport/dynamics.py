"""Molecular dynamics at constant temperature, thermostatted so weakly that diffusion is the host's own."""

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from scalebridge.foundation import SILENT, ConvergenceError, InputError, Progress, constants
from scalebridge.sampling import EnergyModel, Grader, kinetic_energy, maxwell_velocities

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class DynamicsSettings:
    """Length and resolution of a trajectory.

    Attributes
    ----------
    timestep
        [fs].
    burst
        Velocity-Verlet steps between two thermostat steps; positions are kept once per burst.
    duration
        Of the part that is analysed [fs].
    equilibration
        Before it, with a strong thermostat [fs].
    relaxation_time
        Time constant of the total kinetic energy while analysing [fs].
    """

    timestep: float = 1.0
    burst: int = 20
    duration: float = 100_000.0
    equilibration: float = 5_000.0
    relaxation_time: float = 200.0


@dataclass(frozen=True)
class Trajectory:
    """Unwrapped positions (frames, N, 3) [Å] every ``interval`` fs, and the temperature seen [K].

    ``refused`` is the fraction of bursts that would have entered a hard core; ``grades`` are the
    extrapolation grades of the kept states, (frames,), empty without a grader.
    """

    positions: FloatArray
    interval: float
    temperature: float
    refused: float
    grades: FloatArray


def sample_trajectory(
    atoms: Atoms,
    model: EnergyModel,
    temperature: float,
    rng: np.random.Generator,
    *,
    settings: DynamicsSettings | None = None,
    grader: Grader | None = None,
    progress: Progress = SILENT,
) -> Trajectory:
    """Run molecular dynamics at ``temperature`` [K] and constant cell; a ``grader`` grades every kept state.

    Equilibration refreshes every velocity by an Ornstein–Uhlenbeck step after each burst (friction 1/100 fs).
    Afterwards only the *total* kinetic energy is steered, by stochastic velocity rescaling: one common
    factor per burst, so directions, relative velocities and the centre of mass are those of Newton's
    equations and diffusion is not slowed by friction.

    A burst that would enter the potential's hard cores (infinite energy) is not made; all velocities are
    drawn anew instead, which acts as a stronger thermostat. More than 10 % of such bursts end the run.

    Source: G. Bussi, D. Donadio, M. Parrinello, J. Chem. Phys. 126, 014101 (2007), eq. A7; that transport
    is unaffected: G. Bussi and M. Parrinello, Comput. Phys. Commun. 179, 26 (2008).

    Raises
    ------
    InputError
        If the model lacks a species, or the settings leave no frame.
    ConvergenceError
        If the kinetic energy runs away (time step too long or a potential outside its training set), or
        too many bursts enter hard cores.
    """
    settings = settings or DynamicsSettings()
    symbols = atoms.get_chemical_symbols()
    missing = sorted(set(symbols) - set(model.species))
    interval = settings.timestep * settings.burst
    frames = int(settings.duration / interval)
    if missing or frames < 2:
        raise InputError(
            f"trajectory of {frames} frames with species {missing} unknown to the model; "
            "at least 2 frames and a model of all species are needed"
        )
    types = np.array([model.species.index(symbol) for symbol in symbols], dtype=np.int32)
    masses, cell = atoms.get_masses(), np.asarray(atoms.cell, dtype=float)
    positions = np.array(atoms.positions, dtype=float)
    velocities = _without_drift(masses, maxwell_velocities(masses, temperature, rng))
    kept = np.empty((frames, len(atoms), 3))
    kinetic = np.empty(frames)
    grades = []
    warm_up = int(settings.equilibration / interval)
    refused = 0
    with progress.task("molecular dynamics", total=warm_up + frames) as task:
        for burst in range(-warm_up, frames):
            end = model.velocity_verlet(
                types, positions, velocities, masses, cell, timestep=settings.timestep, steps=settings.burst
            )
            if np.isfinite(end.energy):
                positions, velocities = end.positions, end.velocities
            else:
                refused += 1
                velocities = _without_drift(masses, maxwell_velocities(masses, temperature, rng))
            _check_runaway(kinetic_energy(masses, velocities), len(atoms), temperature)
            _check_refused(refused, burst + warm_up + 1, temperature)
            if burst < 0:
                velocities = refresh_velocities(masses, velocities, temperature, interval / 100.0, rng)
            else:
                kept[burst], kinetic[burst] = positions, kinetic_energy(masses, velocities)
                if grader is not None:
                    grades.append(grader.grade(types, positions, cell, (True, True, True)))
                velocities = rescale_velocities(
                    masses, velocities, temperature, interval / settings.relaxation_time, rng
                )
            task.advance()
    seen = 2 * kinetic.mean() / (constants.BOLTZMANN_EV * max(3 * len(atoms) - 3, 1))
    return Trajectory(kept, interval, float(seen), refused / (warm_up + frames), np.array(grades))


def rescale_velocities(
    masses: FloatArray, velocities: FloatArray, temperature: float, elapsed: float, rng: np.random.Generator
) -> FloatArray:
    """Return velocities rescaled by one stochastic factor (Bussi, Donadio, Parrinello 2007, eq. A7).

    Parameters
    ----------
    masses
        (N,) [u].
    velocities
        (N, 3) [(eV/u)^½], no net momentum.
    temperature
        Target [K].
    elapsed
        Time since the last call over the relaxation time.
    """
    freedom = max(3 * len(masses) - 3, 1)
    kinetic = kinetic_energy(masses, velocities)
    share = constants.BOLTZMANN_EV * temperature / (2 * kinetic)
    decay = np.exp(-elapsed)
    first = rng.standard_normal()
    others = rng.chisquare(freedom - 1) if freedom > 1 else 0.0
    factor = (
        decay + share * (1 - decay) * (first**2 + others) + 2 * first * np.sqrt(decay * (1 - decay) * share)
    )
    return np.asarray(velocities * np.sqrt(factor))


def refresh_velocities(
    masses: FloatArray, velocities: FloatArray, temperature: float, elapsed: float, rng: np.random.Generator
) -> FloatArray:
    """Return velocities after an exact Ornstein–Uhlenbeck step of ``elapsed`` friction times, no drift."""
    decay = np.exp(-elapsed)
    noise = maxwell_velocities(masses, temperature, rng)
    return _without_drift(masses, decay * velocities + np.sqrt(1 - decay**2) * noise)


def _without_drift(masses: FloatArray, velocities: FloatArray) -> FloatArray:
    if len(masses) == 1:
        return velocities
    return np.asarray(velocities - (masses @ velocities) / masses.sum())


def _check_refused(refused: int, done: int, temperature: float) -> None:
    if refused > 10 + 0.1 * done:
        raise ConvergenceError(
            f"{refused} of {done} bursts at {temperature:g} K came closer than any pair in the training set "
            "(at most 10 % may); train the potential at this temperature or start from a relaxed structure"
        )


def _check_runaway(kinetic: float, atoms: int, temperature: float) -> None:
    seen = 2 * kinetic / (3 * atoms * constants.BOLTZMANN_EV)
    if not seen < 5 * temperature + 2000:
        raise ConvergenceError(
            f"the dynamics reached {seen:.3g} K where {temperature:g} K was asked for; use a shorter timestep"
            " or train the potential at this temperature"
        )
