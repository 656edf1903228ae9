"""A cell as numbers in SI: ion metal or porous negative electrode | separator | porous positive electrode."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from scalebridge.contracts import CounterElectrode, ElectrodeDesign, Electrolyte, MaterialCard, RateLaw
from scalebridge.electrode.electrolytes import SaltSolution, dilute, named_electrolyte
from scalebridge.electrode.porous import Layer, PorousElectrode, largest_size
from scalebridge.foundation import InputError, ValidityError, constants
from scalebridge.particle import ParticleModel, measured_particle, scaled_length

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
    anode: MetalFoil | PorousElectrode
    """The ion's metal (half cell), or a porous electrode (full cell)."""
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
        self._check_anode()
        open_circuit = self.open_circuit_voltage
        if self.cutoff_voltage >= open_circuit:
            raise InputError(
                f"voltage cutoff {self.cutoff_voltage:.3f} V must be below the open-circuit voltage "
                f"{open_circuit:.3f} V at θ = {self.cathode.initial_theta:g}; increase the design's "
                "lower_cutoff, which counts downwards from the mean equilibrium voltage"
            )

    def _check_anode(self) -> None:
        if not isinstance(self.anode, PorousElectrode):
            return
        if None not in (noises := (self.cathode.noise_interval, self.anode.noise_interval)) and (
            noises[0] != noises[1]
        ):
            raise InputError(
                f"noise intervals of {noises[0]:g} s (cathode) and {noises[1]:g} s (anode) must be one; give "
                "both electrodes the same, or only one of them noise"
            )
        ours, theirs = self.particle.temperature, self.anode.particle.temperature
        if ours != theirs:
            raise InputError(
                f"anode at {theirs:g} K and cathode at {ours:g} K must have one temperature; build both alike"
            )

    @property
    def particle(self) -> ParticleModel:
        """The cathode's particle, of the design's size."""
        return self.cathode.particle

    @property
    def open_circuit_voltage(self) -> float:
        """Equilibrium voltage at the start [V]."""
        if isinstance(self.anode, MetalFoil):
            return self.cathode.open_circuit_voltage
        return self.cathode.open_circuit_voltage - self.anode.open_circuit_voltage

    @property
    def noise_interval(self) -> float | None:
        """Of the electrodes' thermal noise during a run [s], None without."""
        if self.cathode.noise_interval is None and isinstance(self.anode, PorousElectrode):
            return self.anode.noise_interval
        return self.cathode.noise_interval

    def refuse_noise(self, run: str) -> None:
        """Raise an `InputError` that names a run which knows no thermal noise where there is some."""
        if self.noise_interval is not None:
            raise InputError(
                f"noise interval {self.noise_interval:g} s and {run}, which runs without noise; leave "
                "noise_interval out, or discharge at a constant rate and temperature (solve_noisy_cell)"
            )

    @property
    def volumes(self) -> int:
        """Finite volumes of all layers."""
        return sum(layer.volumes for layer in self.layers)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The slabs filled with electrolyte, from the negative side to the positive."""
        if isinstance(self.anode, MetalFoil):
            return self.separator, self.cathode.layer
        return self.anode.layer, self.separator, self.cathode.layer

    @property
    def anode_volumes(self) -> int:
        """Finite volumes of a porous anode, 0 of a foil."""
        return 0 if isinstance(self.anode, MetalFoil) else self.anode.layer.volumes

    @property
    def positions(self) -> FloatArray:
        """Middle of every volume from the foil, or from the anode's collector (volumes,) [m]."""
        widths = [np.full(layer.volumes, layer.thickness / layer.volumes) for layer in self.layers]
        width = np.concatenate(widths)
        return np.asarray(np.cumsum(width) - 0.5 * width)

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
        cathode = _cathode(card, design, member, shells)
        return cls(
            cathode=cathode,
            separator=Layer.from_design(design.separator),
            anode=_counter_electrode(card, design),
            salt_concentration=float(design.electrolyte.concentration),
            electrolyte=design_electrolyte(design.electrolyte),
            cutoff_voltage=cathode.particle.mean_voltage - float(design.lower_cutoff),
            final_theta=float(design.final_theta),
        )


@contextmanager
def _naming(part: str) -> Iterator[None]:
    """Put the name of a part of the cell before what is wrong in it."""
    try:
        yield
    except (InputError, ValidityError) as error:
        raise type(error)(f"{part}: {error}") from error


@_naming("cathode")
def _cathode(card: MaterialCard, design: ElectrodeDesign, member: int, shells: int | None) -> PorousElectrode:
    particles = design.particles
    size = largest_size(particles, design.cathode.volumes)
    return PorousElectrode.from_design(
        ParticleModel.from_card(card, design, member=member, shells=shells, size=size),
        design.cathode,
        particles,
        electronic_conductivity=float(design.electronic_conductivity),
        initial_theta=float(design.initial_theta),
    )


def _counter_electrode(card: MaterialCard, design: ElectrodeDesign) -> MetalFoil | PorousElectrode:
    if design.anode is None:
        assert design.counter_rate_law is not None  # the contract has one of the two
        return MetalFoil(design.counter_rate_law.at(float(design.temperature)))
    anode = design.anode
    if (anode.material.ion, anode.material.ion_charge) != (card.host.ion, card.host.ion_charge):
        raise InputError(
            f"anode of {anode.material.name}, measured with {anode.material.ion}, where the host "
            f"{card.host.name} exchanges {card.host.ion}; choose a material of that ion"
        )
    return _anode(anode, float(design.temperature))


@_naming("anode")
def _anode(anode: CounterElectrode, temperature: float) -> PorousElectrode:
    particles = anode.particles
    largest = largest_size(particles, anode.layer.volumes)
    particle = measured_particle(
        anode.material,
        temperature=temperature,
        shape=particles.shape,
        size=largest,
        kind=particles.kind,
        length=scaled_length(particles, largest),
    )
    return PorousElectrode.from_design(
        particle,
        anode.layer,
        particles,
        electronic_conductivity=float(anode.electronic_conductivity),
        initial_theta=float(anode.initial_theta),
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
