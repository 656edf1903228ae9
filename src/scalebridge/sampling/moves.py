"""Moves at fixed ion content: displacements, hybrid Monte Carlo bursts, cell changes at constant pressure."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scalebridge.foundation import InputError, constants
from scalebridge.potential import LangevinPath
from scalebridge.sampling.configuration import Change, Configuration
from scalebridge.sampling.langevin import LangevinSettings
from scalebridge.sampling.model import EnergyModel
from scalebridge.sampling.momenta import kinetic_energy, maxwell_velocities
from scalebridge.sampling.site_density import SiteDensity

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Ensemble:
    """What is sampled.

    Attributes
    ----------
    model
        Energy model.
    temperature
        [K].
    masses
        Sampling masses per type, (n_types,) [u]; averages do not depend on them.
    density
        Proposal density of trial ions.
    pressure
        [eV/Å³].
    """

    model: EnergyModel
    temperature: float
    masses: FloatArray
    density: SiteDensity
    pressure: float = 0.0

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise InputError(f"temperature {self.temperature:g} K is not positive")
        if len(self.masses) != len(self.model.species) or np.min(self.masses, initial=1.0) <= 0:
            raise InputError(
                f"masses {self.masses.tolist()} must be positive and one per species of the model "
                f"({', '.join(self.model.species)})"
            )

    @property
    def thermal_energy(self) -> float:
        """Thermal energy kT [eV]."""
        return constants.BOLTZMANN_EV * self.temperature

    @property
    def stiffness(self) -> float:
        """Stiffness kT/σ² of the sites' tethers [eV/Å²]."""
        return self.thermal_energy / self.density.width**2


@dataclass(frozen=True)
class Move:
    """Outcome of a move: the new state (the old one if rejected)."""

    configuration: Configuration
    accepted: bool
    refused: Configuration | None = None
    """Where a burst ended because the model refuses the structure; None if it went to its end."""


@dataclass(frozen=True)
class BurstSettings:
    """A trajectory of ``steps`` of ``timestep`` [fs].

    ``metropolis`` accepts on the change of the total energy (exact); without it, the burst is molecular
    dynamics with velocities redrawn before every burst (Andersen), exact to O(timestep²). ``langevin`` takes
    the place of both: approximate dynamics in a bath, whose velocities go on from burst to burst.
    """

    steps: int = 20
    timestep: float = 2.0
    metropolis: bool = True
    langevin: LangevinSettings | None = None

    @property
    def exact(self) -> bool:
        """Whether bursts sample the ensemble without an error of the time step."""
        return self.metropolis and self.langevin is None

    @property
    def moves_cell(self) -> bool:
        """Whether the cell moves, and the pressure with it is that of the ensemble."""
        return self.langevin is not None and self.langevin.moves_cell

    @property
    def citations(self) -> tuple[str, ...]:
        """Keys of ``foundation.citations`` of this kind of burst."""
        if self.langevin is not None:
            return self.langevin.citations
        return ("duane1987",) if self.metropolis else ("andersen1980",)

    @property
    def approximation(self) -> str:
        """What a burst does not sample exactly, in a sentence; empty: nothing."""
        if self.langevin is not None:
            return self.langevin.approximation(self.steps, self.timestep)
        if self.metropolis:
            return ""
        return (
            f"bursts of {self.steps} steps of {self.timestep:g} fs were not accepted on the total energy "
            "(Andersen's thermostat): averages are off by the order of the time step squared"
        )

    def __post_init__(self) -> None:
        if self.steps < 1 or self.timestep <= 0:
            raise InputError(
                f"burst of {self.steps} steps of {self.timestep:g} fs; use at least one step and a positive "
                "time step"
            )
        if self.langevin is not None and self.moves_cell and self.steps < self.langevin.every:
            raise InputError(
                f"bursts of {self.steps} steps end before the cell is rescaled after {self.langevin.every}; "
                "use at least as many steps"
            )


def accept(cost: float, thermal_energy: float, rng: np.random.Generator) -> bool:
    """Return True with probability min(1, exp(−cost/kT)); cost [eV]; infinite or NaN: never."""
    return bool(np.isfinite(cost) and np.log(rng.random()) < -cost / thermal_energy)


def burst_move(
    configuration: Configuration, ensemble: Ensemble, settings: BurstSettings, rng: np.random.Generator
) -> Move:
    """Run one burst of the kind that ``settings`` name."""
    if settings.langevin is None:
        return hybrid_burst(configuration, ensemble, settings, rng)
    return langevin_burst(configuration, ensemble, settings, rng)


def langevin_burst(
    configuration: Configuration, ensemble: Ensemble, settings: BurstSettings, rng: np.random.Generator
) -> Move:
    """Run one burst of Langevin dynamics, with a moving cell at the ensemble's pressure if the bath has one.

    Velocities go on from the last burst: BAOAB's positions are the better for it (``potential.langevin``).

    Raises
    ------
    InputError
        Without a bath.
    """
    if settings.langevin is None:
        raise InputError("a Langevin burst needs a bath; give BurstSettings(langevin=LangevinSettings())")
    types = configuration.types
    masses = ensemble.masses[types]
    velocities = configuration.velocities
    if velocities is None:
        velocities = maxwell_velocities(masses, ensemble.temperature, rng)
    path = LangevinPath(
        masses=masses,
        timestep=settings.timestep,
        friction=settings.langevin.friction,
        thermal_energy=ensemble.thermal_energy,
        noise=rng.standard_normal((settings.steps, len(masses), 3)),
        cell=settings.langevin.cell_bath(settings.steps, ensemble.pressure, rng),
    )
    end = ensemble.model.langevin(types, configuration.positions, velocities, configuration.cell, path=path)
    moved = replace(configuration, positions=end.positions, cell=end.cell, energy=end.energy)
    if not np.isfinite(end.energy):
        return Move(replace(configuration, velocities=None), False, replace(moved, energy=np.inf))
    return Move(replace(moved, velocities=end.velocities), True)


def hybrid_burst(
    configuration: Configuration, ensemble: Ensemble, settings: BurstSettings, rng: np.random.Generator
) -> Move:
    """Run one velocity-Verlet burst from Maxwell momenta and accept on ΔH [Duane et al. 1987].

    Exact for any time step: the map is reversible and preserves volume, and momenta are drawn afresh.
    """
    types = configuration.types
    masses = ensemble.masses[types]
    velocities = maxwell_velocities(masses, ensemble.temperature, rng)
    burst = ensemble.model.velocity_verlet(
        types,
        configuration.positions,
        velocities,
        masses,
        configuration.cell,
        timestep=settings.timestep,
        steps=settings.steps,
    )
    change = burst.energy - configuration.energy
    change += kinetic_energy(masses, burst.velocities) - kinetic_energy(masses, velocities)
    if not np.isfinite(change):
        return Move(configuration, False, replace(configuration, positions=burst.positions, energy=np.inf))
    if settings.metropolis and not accept(change, ensemble.thermal_energy, rng):
        return Move(configuration, False)
    return Move(replace(configuration, positions=burst.positions, energy=burst.energy), True)


def displacement_move(
    configuration: Configuration, ensemble: Ensemble, amplitude: float, rng: np.random.Generator
) -> Move:
    """Move a random atom by a vector from a cube of half-width ``amplitude`` [Å] [Metropolis et al. 1953].

    Only the atom's surroundings are evaluated (``EnergyModel.changes``).
    """
    if not len(configuration.positions):
        return Move(configuration, False)
    atom = int(rng.integers(len(configuration.positions)))
    position = configuration.positions[atom] + amplitude * (2 * rng.random(3) - 1)
    change = Change(atom, int(configuration.types[atom]), position, in_place=True)
    energy = configuration.energy_after(ensemble.model, change)
    if not accept(energy - configuration.energy, ensemble.thermal_energy, rng):
        return Move(configuration, False)
    positions = configuration.positions.copy()
    positions[atom] = position
    return Move(configuration.after_change(change, positions, energy), True)


def _deform(
    configuration: Configuration, ensemble: Ensemble, deformation: FloatArray, rng: np.random.Generator
) -> Move:
    """Apply x → x F to cell and atoms and accept with the constant-pressure rule.

    The constant-pressure ensemble of a flexible cell has weight V^{−2} V^N exp(−β(U + pV)) dh in the cell
    matrix h [Martyna, Tobias, Klein 1994, Eq. 2.10], that is V^{N+1} against the measure dh/V³, which is
    invariant under h → hF. With F and F^{−1} equally likely, accept with
    min(1, exp(−β(ΔU + pΔV) + (N + 1) ln(V'/V))), which for F = s·1 is the usual move in ln V.
    """
    cell = configuration.cell @ deformation
    positions = configuration.positions @ deformation
    energy = ensemble.model.energy(configuration.types, positions, cell)
    volume = configuration.volume
    new_volume = volume * float(np.linalg.det(deformation))
    cost = energy - configuration.energy + ensemble.pressure * (new_volume - volume)
    cost -= ensemble.thermal_energy * (len(positions) + 1) * float(np.log(new_volume / volume))
    if not accept(cost, ensemble.thermal_energy, rng):
        return Move(configuration, False)
    return Move(replace(configuration, positions=positions, cell=cell, energy=energy), True)


def volume_move(
    configuration: Configuration, ensemble: Ensemble, amplitude: float, rng: np.random.Generator
) -> Move:
    """Scale the cell isotropically; ln V changes by a uniform number in ±``amplitude``."""
    scale = np.exp(amplitude * (2 * rng.random() - 1) / 3)
    return _deform(configuration, ensemble, scale * np.eye(3), rng)


def strain_move(
    configuration: Configuration, ensemble: Ensemble, amplitude: float, rng: np.random.Generator
) -> Move:
    """Deform the cell by exp(ε) with ε symmetric, its six components normal with deviation ``amplitude``."""
    strain = np.zeros((3, 3))
    strain[np.triu_indices(3)] = amplitude * rng.standard_normal(6)
    strain = strain + strain.T - np.diag(np.diag(strain))
    values, axes = np.linalg.eigh(strain)
    return _deform(configuration, ensemble, (axes * np.exp(values)) @ axes.T, rng)
