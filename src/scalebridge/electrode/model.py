"""A half cell as numbers in SI: ion metal | separator | porous electrode of particles in every volume."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from scalebridge.contracts import ElectrodeDesign, Electrolyte, MaterialCard, RateLaw
from scalebridge.electrode.electrolytes import SaltSolution, dilute, named_electrolyte
from scalebridge.electrode.porous import Layer, PorousElectrode, largest_size
from scalebridge.foundation import InputError, constants
from scalebridge.particle import ParticleModel

FloatArray = NDArray[np.float64]

HOUR = 3600.0
"""[s]"""


@dataclass(frozen=True)
class MetalFoil:
    """The ion's metal as counter electrode, which never runs out."""

    rate_law: RateLaw
    """Its activity dependence is that of the electrolyte alone."""


@dataclass(frozen=True, eq=False, kw_only=True)
class CellModel:
    """What the electrode solver sees.

    Raises
    ------
    InputError
        If a number breaks its bound, or the voltage cutoff lies above the open-circuit voltage at the start.
    """

    cathode: PorousElectrode
    separator: Layer
    anode: MetalFoil
    salt_concentration: float
    """[mol/m³]"""
    electrolyte: SaltSolution
    cutoff_voltage: float
    """[V]"""
    final_theta: float
    """Of the cathode."""

    def __post_init__(self) -> None:
        self.separator.check("separator")
        if self.salt_concentration <= 0:
            raise InputError(
                f"salt concentration {self.salt_concentration:g} must be positive; change the design"
            )
        self.electrolyte.check_temperature(self.particle.temperature)
        open_circuit = self.open_circuit_voltage
        if self.cutoff_voltage >= open_circuit:
            raise InputError(
                f"voltage cutoff {self.cutoff_voltage:.3f} V must be below the open-circuit voltage "
                f"{open_circuit:.3f} V at θ = {self.cathode.initial_theta:g}; increase the design's "
                "lower_cutoff, which counts downwards from the mean equilibrium voltage"
            )

    @property
    def particle(self) -> ParticleModel:
        """The cathode's particle, of the design's size."""
        return self.cathode.particle

    @property
    def open_circuit_voltage(self) -> float:
        """Equilibrium voltage at the start [V]."""
        return self.cathode.open_circuit_voltage

    @property
    def volumes(self) -> int:
        """Finite volumes of separator and cathode."""
        return self.separator.volumes + self.cathode.layer.volumes

    @property
    def positions(self) -> FloatArray:
        """Middle of every volume from the metal electrode (volumes,) [m]."""
        starts = (0.0, self.separator.thickness)
        return np.concatenate(
            [
                start + layer.thickness * (np.arange(layer.volumes) + 0.5) / layer.volumes
                for start, layer in zip(starts, (self.separator, self.cathode.layer), strict=True)
            ]
        )

    @property
    def one_c_current(self) -> float:
        """Current per area that fills the cathode's theoretical capacity in an hour [A/m²]."""
        return self.cathode.capacity_per_area / HOUR

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

    def electrolyte_time(self) -> float:
        """Return thickness²/D of the salt in the cathode's pores [s]."""
        layer = self.cathode.layer
        effective = self.salt_diffusivity * layer.transport_factor / layer.porosity
        return layer.thickness**2 / effective

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
        particles, volumes = design.particles, design.cathode.volumes
        particle = ParticleModel.from_card(
            card, design, member=member, shells=shells, size=largest_size(particles, volumes)
        )
        return cls(
            cathode=PorousElectrode.from_design(
                particle,
                design.cathode,
                particles,
                electronic_conductivity=float(design.electronic_conductivity),
                initial_theta=float(design.initial_theta),
            ),
            separator=Layer.from_design(design.separator),
            anode=MetalFoil(design.counter_rate_law),
            salt_concentration=float(design.electrolyte.concentration),
            electrolyte=design_electrolyte(design.electrolyte),
            cutoff_voltage=particle.mean_voltage - float(design.lower_cutoff),
            final_theta=float(design.final_theta),
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
