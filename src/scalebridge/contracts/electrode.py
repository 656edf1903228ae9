"""The electrode's design: the only numbers not computed from the host, each with its source."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from scalebridge.contracts.base import Contract, Record
from scalebridge.contracts.measured_material import MeasuredMaterial
from scalebridge.contracts.rate_law import RateLaw
from scalebridge.contracts.sourced import Sourced
from scalebridge.foundation.units import Unit


class Electrolyte(Record):
    """Binary electrolyte: dilute with the ions' diffusivities, or a concentrated solution known by its name.

    Without the two diffusivities, ``name`` is one of ``scalebridge.electrode.named_electrolytes``.
    """

    name: str
    concentration: Annotated[Sourced, Unit("mol.m-3")]
    cation_diffusivity: Annotated[Sourced | None, Unit("m2.s-1")] = None
    """Dilute (Nernst–Planck); both or neither."""
    anion_diffusivity: Annotated[Sourced | None, Unit("m2.s-1")] = None

    @model_validator(mode="after")
    def _check_pair(self) -> Self:
        if (self.cation_diffusivity is None) != (self.anion_diffusivity is None):
            raise ValueError(
                "gives the diffusivity of one ion; give both (dilute) or neither (a named electrolyte)"
            )
        return self


class PorousLayer(Record):
    """A slab of the cell."""

    thickness: Annotated[Sourced, Unit("m")]
    porosity: Annotated[Sourced, Unit("1")]
    bruggeman_exponent: Annotated[Sourced, Unit("1")]
    """Effective transport ε^b D with b given here (1.5 for spheres)."""
    volumes: Annotated[int, Field(ge=2)]
    """Finite volumes across the layer."""


class LognormalSizes(Record):
    """Lognormal by number of particles, with ``ActiveParticles.size`` as mean."""

    form: Literal["lognormal"]
    standard_deviation: Annotated[Sourced, Unit("m")]
    """Of the sizes of particles, counted by number."""
    particles_per_volume: Annotated[int, Field(ge=1)]
    """Sizes in each finite volume; the volumes hold different quantiles."""


class ListedSizes(Record):
    """The same particles in every volume."""

    form: Literal["list"]
    sizes: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Unit("m"), Field(min_length=1)]
    volume_shares: Annotated[tuple[Annotated[float, Field(gt=0)], ...] | None, Unit("1")] = None
    """Of the active material; None: equal. They are scaled to add up to 1."""
    source: str

    @field_validator("sizes", mode="before")
    @classmethod
    def _check_any(cls, sizes: object) -> object:
        if not isinstance(sizes, list | tuple):
            return sizes
        if not sizes:
            raise ValueError("an empty list; give one or more sizes, or no distribution for one size")
        return tuple(sizes)

    @model_validator(mode="after")
    def _check_lengths(self) -> Self:
        if self.volume_shares is not None and len(self.volume_shares) != len(self.sizes):
            raise ValueError(
                f"{len(self.sizes)} sizes and {len(self.volume_shares)} volume_shares; give a share for "
                "every size"
            )
        return self


class ActiveParticles(Record):
    """The host's particles."""

    kind: Literal["cahn-hilliard", "allen-cahn", "homogeneous"] = "cahn-hilliard"
    """Ions diffuse from the surface inwards; or enter every cell along a platelet and move no further; or
    every particle has one filling."""
    shape: Literal["sphere", "plate", "cylinder"]
    size: Annotated[Sourced, Unit("m")]
    """Radius, or half thickness of a plate; the mean by number where there is a distribution."""
    length: Annotated[Sourced | None, Unit("m")] = None
    """Of an Allen–Cahn platelet, along which phases lie side by side; of other sizes in proportion."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Of the thermal fluctuations with which Allen–Cahn platelets, square ones, start, and of the noise of
    all kinds during a run; without noise others start even."""
    noise_interval: Annotated[Sourced | None, Unit("s")] = None
    """Over which random numbers of the thermal noise during a run stay; None: no noise."""
    distribution: Annotated[LognormalSizes | ListedSizes, Field(discriminator="form")] | None = None
    """Sizes of the particles; None: one particle of one size in every volume."""
    film_resistance: Annotated[Sourced | None, Unit("V.m2.A-1")] = None
    """Of a film on every particle, per surface."""
    contact_conductance: Annotated[Sourced | None, Unit("S")] = None
    """Between neighbours in a chain of the particles of one volume; None: all touch the conductor."""
    direction: Annotated[tuple[float, float, float] | None, Unit("1")] = None
    """Transport direction of plates, of Allen–Cahn platelets that of their length; Cartesian of the sampling
    cell; None: isotropic mean."""
    volume_fraction: Annotated[Sourced, Unit("1")]
    """Active material in the solid part of the electrode (loading)."""
    coherent: bool = True
    """Whether the coherency energy acts."""
    phase_relaxation_time: Annotated[Sourced | None, Unit("s")] = None
    """Within which sites pass from one branch of the free energy to another; None: branches in
    equilibrium."""
    phase_barrier: Annotated[Sourced | None, Unit("J")] = None
    """W kT per site between branches, which adds W kT η_a η_b; above 2 kT phases are metastable. None: 0."""

    @model_validator(mode="after")
    def _check_phases(self) -> Self:
        if self.phase_relaxation_time is None and self.phase_barrier is not None:
            raise ValueError(
                f"phase_barrier {self.phase_barrier.value} J without a phase_relaxation_time, but phases in "
                "equilibrium have no barrier; give the time too"
            )
        return self

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        platelet = self.kind == "allen-cahn"
        if platelet != (self.length is not None) or (platelet and self.shape != "plate"):
            given = "no length" if self.length is None else f"a length of {self.length.value} m"
            raise ValueError(
                f"kind '{self.kind}' of shape '{self.shape}' and {given}; give shape 'plate' and a length to "
                "allen-cahn particles, and no length to others"
            )
        return self


class CounterElectrode(Record):
    """A porous negative electrode of a measured material."""

    material: MeasuredMaterial
    """In a design file: the name of a bundled one, or the path of a file beside the design."""
    layer: PorousLayer
    electronic_conductivity: Annotated[Sourced, Unit("S.m-1")]
    """Effective, of the porous electrode's solid."""
    particles: ActiveParticles
    initial_theta: Annotated[Sourced, Unit("1")]
    """Site fraction of the charged cell."""

    @model_validator(mode="after")
    def _check_filling(self) -> Self:
        if not 0 < self.initial_theta.value < 1:
            raise ValueError(f"initial_theta {self.initial_theta.value} must obey 0 < θ < 1")
        return self

    @model_validator(mode="after")
    def _check_phases(self) -> Self:
        if self.particles.phase_relaxation_time is not None:
            raise ValueError(
                f"phase_relaxation_time {self.particles.phase_relaxation_time.value} s of a measured "
                "material, which has one branch; leave it out"
            )
        return self


class HeatExchange(Record):
    """The cell as one body with its surroundings: C dT/dt = heat − h (T − T_ambient), per electrode area."""

    heat_capacity: Annotated[Sourced, Unit("J.m-2.K-1")]
    """Of everything that warms with the cell, per electrode area."""
    heat_transfer_coefficient: Annotated[Sourced, Unit("W.m-2.K-1")]
    """Per electrode area: that of the outer surface times its area over the electrode's; 0: adiabatic."""
    ambient_temperature: Annotated[Sourced | None, Unit("K")] = None
    """None: the design's temperature, at which the cell starts in any case."""


class ElectrodeDesign(Contract):
    """A porous electrode against the ion's metal (half cell) or a porous negative electrode (full cell)."""

    SCHEMA_VERSION: ClassVar[int] = 2

    schema_version: int = 2

    name: str
    temperature: Annotated[Sourced, Unit("K")]
    separator: PorousLayer
    cathode: PorousLayer
    electronic_conductivity: Annotated[Sourced, Unit("S.m-1")]
    """Effective, of the porous electrode's solid."""
    electrolyte: Electrolyte
    particles: ActiveParticles
    rate_law: RateLaw
    counter_rate_law: RateLaw | None = None
    """Of the metal electrode; its activity dependence is that of the electrolyte alone."""
    anode: CounterElectrode | None = None
    """In place of the metal."""
    thermal: HeatExchange | None = None
    """None: isothermal."""
    lower_cutoff: Annotated[Sourced, Unit("V")]
    """Below the mean equilibrium voltage against the metal, so that one design serves every member."""
    initial_theta: Annotated[Sourced, Unit("1")]
    final_theta: Annotated[Sourced, Unit("1")]

    @model_validator(mode="after")
    def _check_counter(self) -> Self:
        if (self.anode is None) == (self.counter_rate_law is None):
            given = "neither" if self.anode is None else "both"
            raise ValueError(
                f"gives {given} of counter_rate_law (the ion's metal) and anode (a porous negative "
                "electrode); give one"
            )
        return self

    @model_validator(mode="after")
    def _check_filling(self) -> Self:
        low, high = self.initial_theta.value, self.final_theta.value
        if not 0 < low < high < 1:
            raise ValueError(
                f"initial_theta {low} and final_theta {high} must obey 0 < initial < final < 1 (discharge)"
            )
        return self
