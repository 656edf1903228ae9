"""A half cell as numbers in SI: ion metal | separator | porous electrode of particles in every volume."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from scalebridge.contracts import ElectrodeDesign, Electrolyte, MaterialCard, PorousLayer, RateLaw
from scalebridge.electrode.electrolytes import SaltSolution, dilute, named_electrolyte
from scalebridge.electrode.population import Population, design_population
from scalebridge.foundation import InputError, constants
from scalebridge.kinetics import exchange_current
from scalebridge.particle import ParticleModel

FloatArray = NDArray[np.float64]

HOUR = 3600.0
"""[s]"""


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
class CellModel:
    """What the electrode solver sees.

    Raises
    ------
    InputError
        If a number breaks its bound, or the voltage cutoff lies above the open-circuit voltage at the start.
    """

    particle: ParticleModel
    separator: Layer
    cathode: Layer
    volume_fraction: float
    """Active material in the solid part of the cathode."""
    electronic_conductivity: float
    """Effective [S/m]."""
    salt_concentration: float
    """[mol/m³]"""
    electrolyte: SaltSolution
    counter_rate_law: RateLaw
    cutoff_voltage: float
    """[V]"""
    initial_theta: float
    final_theta: float
    population: Population | None = None
    """Sizes of the particles; None: one particle of the size of ``particle`` per volume."""
    film_resistance: float = 0.0
    """Of a film on every particle [V m²/A]."""
    contact_conductance: float | None = None
    """From particle to particle of a chain behind the electrode's conductor [S]; None: all touch it."""

    def __post_init__(self) -> None:
        for name, layer in (("separator", self.separator), ("cathode", self.cathode)):
            if layer.thickness <= 0 or not 0 < layer.porosity < 1 or layer.volumes < 2:
                raise InputError(
                    f"{name}: thickness {layer.thickness:g} m, porosity {layer.porosity:g} and "
                    f"{layer.volumes} volumes must obey thickness > 0, 0 < porosity < 1, volumes ≥ 2; "
                    "change the design"
                )
        positive = {
            "volume fraction": self.volume_fraction,
            "electronic conductivity": self.electronic_conductivity,
            "salt concentration": self.salt_concentration,
        }
        for name, value in positive.items():
            if value <= 0:
                raise InputError(f"{name} {value:g} must be positive; change the design")
        self.electrolyte.check_temperature(self.particle.temperature)
        self._check_particles()
        if self.volume_fraction > 1:
            raise InputError(
                f"volume fraction {self.volume_fraction:g} of active material in the solid must be at most "
                "1; change the design"
            )
        if self.particle.ion_charge != 1:
            raise InputError(
                f"ion charge {self.particle.ion_charge}: the electrode's electrolyte is a 1:1 salt; use a "
                "host of a monovalent ion"
            )
        open_circuit = self.open_circuit_voltage
        if self.cutoff_voltage >= open_circuit:
            raise InputError(
                f"voltage cutoff {self.cutoff_voltage:.3f} V must be below the open-circuit voltage "
                f"{open_circuit:.3f} V at θ = {self.initial_theta:g}; increase the design's lower_cutoff, "
                "which counts downwards from the mean equilibrium voltage"
            )

    def _check_particles(self) -> None:
        if self.film_resistance < 0:
            raise InputError(
                f"film resistance {self.film_resistance:g} V m²/A must not be negative; change the design"
            )
        if self.contact_conductance is not None and (
            self.contact_conductance <= 0 or self.particle.shape != "sphere"
        ):
            raise InputError(
                f"contact conductance {self.contact_conductance:g} S between particles of shape "
                f"'{self.particle.shape}' must be positive, and needs spheres, whose number follows from "
                "their volume; change the design"
            )
        sizes = self.particle_sizes
        if sizes.shape[0] != self.cathode.volumes:
            raise InputError(
                f"particle sizes for {sizes.shape[0]} volumes where the electrode has "
                f"{self.cathode.volumes}; make both equal"
            )
        if self.population is not None:
            # refused by ParticleModel where the shells cannot resolve the interface
            replace(self.particle, size=float(np.max(sizes)))

    @property
    def open_circuit_voltage(self) -> float:
        """Equilibrium voltage at the start [V]."""
        return float(self.particle.equilibrium_voltage(np.array([self.initial_theta]))[0])

    @property
    def particle_sizes(self) -> FloatArray:
        """(cathode volumes, particles) [m]."""
        if self.population is None:
            return np.full((self.cathode.volumes, 1), self.particle.size)
        return self.population.sizes

    @property
    def particle_shares(self) -> FloatArray:
        """(cathode volumes, particles) of the electrode's capacity; adds up to 1."""
        if self.population is None:
            return np.full((self.cathode.volumes, 1), 1.0 / self.cathode.volumes)
        return self.population.shares

    @property
    def chain_conductance(self) -> float:
        """Conductance per electrode area of the links between neighbours in one volume's chains [S/m²]."""
        if self.contact_conductance is None:
            return 0.0
        sizes = self.particle_sizes
        solid = (1 - self.cathode.porosity) * self.volume_fraction * self.cathode.thickness
        number = solid * float(np.sum(self.particle_shares / (4 / 3 * np.pi * sizes**3)))
        return self.contact_conductance * number / sizes.size

    @property
    def volumes(self) -> int:
        """Finite volumes of separator and cathode."""
        return self.separator.volumes + self.cathode.volumes

    @property
    def positions(self) -> FloatArray:
        """Middle of every volume from the metal electrode (volumes,) [m]."""
        starts = (0.0, self.separator.thickness)
        return np.concatenate(
            [
                start + layer.thickness * (np.arange(layer.volumes) + 0.5) / layer.volumes
                for start, layer in zip(starts, (self.separator, self.cathode), strict=True)
            ]
        )

    @property
    def capacity_per_area(self) -> float:
        """Charge of the full electrode per area [C/m²]."""
        solid = (1 - self.cathode.porosity) * self.volume_fraction
        return solid * self.cathode.thickness * self.particle.charge_density

    @property
    def one_c_current(self) -> float:
        """Current per area that fills the theoretical capacity in an hour [A/m²]."""
        return self.capacity_per_area / HOUR

    @property
    def salt_diffusivity(self) -> float:
        """Of the free electrolyte at its initial concentration [m²/s]."""
        return float(self._salt_properties[0])

    @property
    def cation_transference(self) -> float:
        """t₊ at the initial concentration."""
        return float(self._salt_properties[2])

    @property
    def _salt_properties(self) -> FloatArray:
        concentration = np.array([self.salt_concentration])
        return self.electrolyte.properties(concentration, self.particle.temperature)[:, 0]

    def diffusion_time(self) -> float:
        """Return size²/D_J at θ = ½ [s]."""
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

    def electrolyte_time(self) -> float:
        """Return thickness²/D of the salt in the cathode's pores [s]."""
        effective = self.salt_diffusivity * self.cathode.transport_factor / self.cathode.porosity
        return self.cathode.thickness**2 / effective

    @classmethod
    def from_card(
        cls, card: MaterialCard, design: ElectrodeDesign, *, member: int = 0, shells: int | None = None
    ) -> Self:
        """Build one member's cell; ``shells`` None: chosen from the interface length.

        Raises
        ------
        ValidityError
            If the design's temperature is outside the card's range.
        InputError
            See the class and `ParticleModel`.
        """
        if not 0 <= member < card.members:
            raise InputError(f"member {member} must be one of 0 … {card.members - 1}; choose another")
        particles = design.particles
        population = design_population(particles, design.cathode.volumes)
        largest = float(particles.size) if population is None else float(np.max(population.sizes))
        widest = ParticleModel.from_card(card, design, member=member, shells=shells, size=largest)
        particle = replace(widest, size=float(particles.size))
        film, contact = particles.film_resistance, particles.contact_conductance
        return cls(
            particle=particle,
            separator=Layer.from_design(design.separator),
            cathode=Layer.from_design(design.cathode),
            volume_fraction=float(particles.volume_fraction),
            electronic_conductivity=float(design.electronic_conductivity),
            salt_concentration=float(design.electrolyte.concentration),
            electrolyte=design_electrolyte(design.electrolyte),
            counter_rate_law=design.counter_rate_law,
            cutoff_voltage=particle.mean_voltage - float(design.lower_cutoff),
            initial_theta=float(design.initial_theta),
            final_theta=float(design.final_theta),
            population=population,
            film_resistance=0.0 if film is None else float(film),
            contact_conductance=None if contact is None else float(contact),
        )


def design_electrolyte(electrolyte: Electrolyte) -> SaltSolution:
    """Return a design's electrolyte: dilute where it gives the ions' diffusivities, else the named one.

    Raises
    ------
    InputError
        If it is neither.
    """
    cation, anion = electrolyte.cation_diffusivity, electrolyte.anion_diffusivity
    if cation is None or anion is None:
        return named_electrolyte(electrolyte.name)
    return dilute(electrolyte.name, float(cation), float(anion))


STANDARD_CONCENTRATION = 1000.0
"""Concentration at which the electrolyte's activity is 1 [mol/m³]."""


def current_unit() -> float:
    """Return F × standard concentration [C/m³]: turns A/m² into the kernels' unit of flux, m/s."""
    return constants.FARADAY * STANDARD_CONCENTRATION
