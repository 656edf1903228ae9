"""The electrode's design: the only numbers not computed from the host, each with its source."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from scalebridge.contracts.base import Contract, Record
from scalebridge.contracts.rate_law import RateLaw
from scalebridge.foundation.units import Unit


class Sourced(Record):
    """A number and where it comes from."""

    value: float
    source: str

    def __float__(self) -> float:
        return self.value


class Electrolyte(Record):
    """Dilute binary electrolyte (Nernst–Planck)."""

    name: str
    concentration: Annotated[Sourced, Unit("mol.m-3")]
    cation_diffusivity: Annotated[Sourced, Unit("m2.s-1")]
    anion_diffusivity: Annotated[Sourced, Unit("m2.s-1")]


class PorousLayer(Record):
    """A slab of the cell."""

    thickness: Annotated[Sourced, Unit("m")]
    porosity: Annotated[Sourced, Unit("1")]
    bruggeman_exponent: Annotated[Sourced, Unit("1")]
    """Effective transport ε^b D with b given here (1.5 for spheres)."""
    volumes: Annotated[int, Field(ge=2)]
    """Finite volumes across the layer."""


class ActiveParticles(Record):
    """The host's particles."""

    shape: Literal["sphere", "plate", "cylinder"]
    size: Annotated[Sourced, Unit("m")]
    """Radius, or half thickness of a plate."""
    direction: Annotated[tuple[float, float, float] | None, Unit("1")] = None
    """Transport direction of plates, Cartesian of the sampling cell; None: isotropic mean."""
    volume_fraction: Annotated[Sourced, Unit("1")]
    """Active material in the solid part of the electrode (loading)."""
    coherent: bool = True
    """Whether the coherency energy acts."""


class ElectrodeDesign(Contract):
    """A porous electrode against the ion's metal (half cell)."""

    name: str
    temperature: Annotated[Sourced, Unit("K")]
    separator: PorousLayer
    cathode: PorousLayer
    electronic_conductivity: Annotated[Sourced, Unit("S.m-1")]
    """Effective, of the porous electrode's solid."""
    electrolyte: Electrolyte
    particles: ActiveParticles
    rate_law: RateLaw
    counter_rate_law: RateLaw
    """Of the metal electrode; its activity dependence is that of the electrolyte alone."""
    lower_cutoff: Annotated[Sourced, Unit("V")]
    """Below the mean equilibrium voltage, so that one design serves every member."""
    initial_theta: Annotated[Sourced, Unit("1")]
    final_theta: Annotated[Sourced, Unit("1")]

    @model_validator(mode="after")
    def _check_filling(self) -> Self:
        low, high = self.initial_theta.value, self.final_theta.value
        if not 0 < low < high < 1:
            raise ValueError(
                f"initial_theta {low} and final_theta {high} must obey 0 < initial < final < 1 (discharge)"
            )
        return self
