"""A porous electrode as numbers in SI: particles in every volume of a slab filled with electrolyte."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from scalebridge.contracts import ActiveParticles, PorousLayer
from scalebridge.electrode.population import Population, design_population
from scalebridge.foundation import InputError, random_stream
from scalebridge.kinetics import exchange_current
from scalebridge.particle import (
    ParticleModel,
    check_interval,
    check_phases,
    particle_sites,
    platelet_sites,
    thermal_profile,
)

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A porous slab filled with electrolyte; effective transport ε^b D."""

    thickness: float
    """[m]"""
    porosity: float
    bruggeman_exponent: float
    volumes: int

    @property
    def transport_factor(self) -> float:
        """ε^b."""
        return float(self.porosity**self.bruggeman_exponent)

    def check(self, name: str) -> None:
        """Raise an `InputError` where a number breaks its bound."""
        if self.thickness <= 0 or not 0 < self.porosity < 1 or self.volumes < 2:
            raise InputError(
                f"{name}: thickness {self.thickness:g} m, porosity {self.porosity:g} and "
                f"{self.volumes} volumes must obey thickness > 0, 0 < porosity < 1, volumes ≥ 2; "
                "change the design"
            )

    @classmethod
    def from_design(cls, layer: PorousLayer) -> Self:
        """Take the numbers of a design's layer."""
        return cls(
            thickness=float(layer.thickness),
            porosity=float(layer.porosity),
            bruggeman_exponent=float(layer.bruggeman_exponent),
            volumes=layer.volumes,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class PorousElectrode:
    """A porous slab of particles.

    Raises
    ------
    InputError
        If a number breaks its bound, or the shells cannot resolve the interface of the largest particle.
    """

    particle: ParticleModel
    layer: Layer
    volume_fraction: float
    """Active material in the solid part."""
    electronic_conductivity: float
    """Effective [S/m]."""
    initial_theta: float
    population: Population | None = None
    """Sizes of the particles; None: one particle of the size of ``particle`` per volume."""
    film_resistance: float = 0.0
    """Of a film on every particle [V m²/A]."""
    contact_conductance: float | None = None
    """From particle to particle of a chain behind the electrode's conductor [S]; None: all touch it."""
    seed: int | None = None
    """Of the thermal fluctuations with which Allen–Cahn platelets, and all particles with a noise interval,
    start; None: all particles start even, and what breaks the symmetry of platelets is wetting or an error of
    the solver."""
    noise_interval: float | None = None
    """Over which random numbers of the thermal noise stay [s], see `solve_noisy_cell`; None: no noise during
    a run."""

    def __post_init__(self) -> None:
        self.layer.check("porous layer")
        if self.electronic_conductivity <= 0:
            raise InputError(
                f"electronic conductivity {self.electronic_conductivity:g} S/m must be positive; change the "
                "design"
            )
        if not 0 < self.volume_fraction <= 1:
            raise InputError(
                f"volume fraction {self.volume_fraction:g} of active material in the solid must be positive "
                "and at most 1; change the design"
            )
        if self.particle.ion_charge != 1:
            raise InputError(
                f"ion charge {self.particle.ion_charge}: the electrode's electrolyte is a 1:1 salt; use a "
                "host of a monovalent ion"
            )
        self._check_particles()

    def _check_particles(self) -> None:
        if self.film_resistance < 0:
            raise InputError(
                f"film resistance {self.film_resistance:g} V m²/A must not be negative; change the design"
            )
        if self.noise_interval is not None:
            check_interval(self.noise_interval)
            check_phases(self.particle)
            if self.seed is None:
                raise InputError(f"noise interval {self.noise_interval:g} s without a seed; give both")
        if self.contact_conductance is not None and (
            self.contact_conductance <= 0 or self.particle.shape != "sphere"
        ):
            raise InputError(
                f"contact conductance {self.contact_conductance:g} S between particles of shape "
                f"'{self.particle.shape}' must be positive, and needs spheres, whose number follows from "
                "their volume; change the design"
            )
        sizes = self.particle_sizes
        if sizes.shape[0] != self.layer.volumes:
            raise InputError(
                f"particle sizes for {sizes.shape[0]} volumes where the electrode has "
                f"{self.layer.volumes}; make both equal"
            )
        if self.population is not None:
            # refused by ParticleModel where the shells cannot resolve the interface
            self.particle.scaled_to(float(np.max(sizes)))

    def initial_profiles(self) -> FloatArray:
        """Return the site fractions at the start, (volumes, particles, shells), see `thermal_profile`.

        Raises
        ------
        InputError
            If there is a seed and the particles are no Allen–Cahn platelets and have no noise interval, or
            start inside the spinodal.
        """
        sizes = self.particle_sizes
        profiles = np.full((*sizes.shape, self.particle.shells), self.initial_theta)
        if self.seed is None:
            return profiles
        stream = random_stream(self.seed, "thermal fluctuations of platelets")
        count = platelet_sites if self.noise_interval is None else particle_sites
        for place in np.ndindex(sizes.shape):
            particle = self.particle.scaled_to(float(sizes[place]))
            profiles[place] = thermal_profile(particle, self.initial_theta, count(particle), stream)
        return profiles

    @property
    def particle_sites(self) -> FloatArray:
        """(volumes, particles) sites of a particle, see `scalebridge.particle.particle_sites`."""
        return particle_sites(self.particle) * (self.particle_sizes / self.particle.size) ** 3

    @property
    def open_circuit_voltage(self) -> float:
        """Equilibrium voltage at the start, against the ion's metal [V]."""
        return float(self.particle.equilibrium_voltage(np.array([self.initial_theta]))[0])

    @property
    def particle_sizes(self) -> FloatArray:
        """(cathode volumes, particles) [m]."""
        if self.population is None:
            return np.full((self.layer.volumes, 1), self.particle.size)
        return self.population.sizes

    @property
    def particle_shares(self) -> FloatArray:
        """(cathode volumes, particles) of the electrode's capacity; adds up to 1."""
        if self.population is None:
            return np.full((self.layer.volumes, 1), 1.0 / self.layer.volumes)
        return self.population.shares

    @property
    def chain_conductance(self) -> float:
        """Conductance per electrode area of the links between neighbours in one volume's chains [S/m²]."""
        if self.contact_conductance is None:
            return 0.0
        sizes = self.particle_sizes
        solid = (1 - self.layer.porosity) * self.volume_fraction * self.layer.thickness
        number = solid * float(np.sum(self.particle_shares / (4 / 3 * np.pi * sizes**3)))
        return self.contact_conductance * number / sizes.size

    @property
    def capacity_per_area(self) -> float:
        """Charge of the full electrode per area [C/m²]."""
        solid = (1 - self.layer.porosity) * self.volume_fraction
        return solid * self.layer.thickness * self.particle.charge_density

    def diffusion_time(self) -> float:
        """Return size²/D_J at θ = ½ [s]; 0 of particles in which no ion moves."""
        if self.particle.kind != "cahn-hilliard":
            return 0.0
        return self.particle.size**2 / (0.5 * float(self.particle.diffusivity(np.array([0.5]))[0]))

    def reaction_time(self) -> float:
        """Return the charge of a particle over the exchange current of its surface at θ = ½ [s]."""
        particle = self.particle
        equilibrium = particle.equilibrium_voltage(np.array([0.5]))
        activity = (particle.mean_voltage - equilibrium) / particle.thermal_voltage
        exchange = float(
            exchange_current(particle.rate_law, 0.5, activity, temperature=particle.temperature)[0]
        )
        return particle.charge_density / (particle.grid.surface_area * exchange)

    @classmethod
    def from_design(
        cls,
        particle: ParticleModel,
        layer: PorousLayer,
        particles: ActiveParticles,
        *,
        electronic_conductivity: float,
        initial_theta: float,
    ) -> Self:
        """Put particles of a model into a design's layer."""
        film, contact, noise = (
            None if given is None else float(given)
            for given in (particles.film_resistance, particles.contact_conductance, particles.noise_interval)
        )
        return cls(
            particle=particle.scaled_to(float(particles.size)),
            layer=Layer.from_design(layer),
            volume_fraction=float(particles.volume_fraction),
            electronic_conductivity=electronic_conductivity,
            initial_theta=initial_theta,
            population=design_population(particles, layer.volumes),
            film_resistance=0.0 if film is None else film,
            contact_conductance=contact,
            seed=particles.seed if particles.kind == "allen-cahn" or noise is not None else None,
            noise_interval=noise,
        )


def largest_size(particles: ActiveParticles, volumes: int) -> float:
    """Return the size of a design's largest particle [m]."""
    population = design_population(particles, volumes)
    return float(particles.size) if population is None else float(np.max(population.sizes))
