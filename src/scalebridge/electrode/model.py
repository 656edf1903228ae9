"""A half cell as numbers in SI: ion metal | separator | porous electrode of one particle per volume."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from scalebridge.contracts import ElectrodeDesign, MaterialCard, PorousLayer, RateLaw
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
    cation_diffusivity: float
    """[m²/s]"""
    anion_diffusivity: float
    """[m²/s]"""
    counter_rate_law: RateLaw
    cutoff_voltage: float
    """[V]"""
    initial_theta: float
    final_theta: float

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
            "cation diffusivity": self.cation_diffusivity,
            "anion diffusivity": self.anion_diffusivity,
        }
        for name, value in positive.items():
            if value <= 0:
                raise InputError(f"{name} {value:g} must be positive; change the design")
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

    @property
    def open_circuit_voltage(self) -> float:
        """Equilibrium voltage at the start [V]."""
        return float(self.particle.equilibrium_voltage(np.array([self.initial_theta]))[0])

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
        """Ambipolar diffusivity 2 D₊D₋/(D₊ + D₋) of the free electrolyte [m²/s]."""
        return (
            2
            * self.cation_diffusivity
            * self.anion_diffusivity
            / (self.cation_diffusivity + self.anion_diffusivity)
        )

    @property
    def cation_transference(self) -> float:
        """t₊ = D₊/(D₊ + D₋)."""
        return self.cation_diffusivity / (self.cation_diffusivity + self.anion_diffusivity)

    def diffusion_time(self) -> float:
        """Return size²/D_J at θ = ½ [s]."""
        return self.particle.size**2 / (0.5 * float(self.particle.diffusivity(np.array([0.5]))[0]))

    def reaction_time(self) -> float:
        """Return the charge of a particle over the exchange current of its surface at θ = ½ [s]."""
        particle = self.particle
        equilibrium = particle.equilibrium_voltage(np.array([0.5]))
        activity = (particle.mean_voltage - equilibrium) / particle.thermal_voltage
        exchange = float(exchange_current(particle.rate_law, 0.5, activity)[0])
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
        particle = ParticleModel.from_card(card, design, member=member, shells=shells)
        electrolyte = design.electrolyte
        return cls(
            particle=particle,
            separator=Layer.from_design(design.separator),
            cathode=Layer.from_design(design.cathode),
            volume_fraction=float(design.particles.volume_fraction),
            electronic_conductivity=float(design.electronic_conductivity),
            salt_concentration=float(electrolyte.concentration),
            cation_diffusivity=float(electrolyte.cation_diffusivity),
            anion_diffusivity=float(electrolyte.anion_diffusivity),
            counter_rate_law=design.counter_rate_law,
            cutoff_voltage=particle.mean_voltage - float(design.lower_cutoff),
            initial_theta=float(design.initial_theta),
            final_theta=float(design.final_theta),
        )


STANDARD_CONCENTRATION = 1000.0
"""Concentration at which the electrolyte's activity is 1 [mol/m³]."""


def current_unit() -> float:
    """Return F × standard concentration [C/m³]: turns A/m² into the kernels' unit of flux, m/s."""
    return constants.FARADAY * STANDARD_CONCENTRATION
