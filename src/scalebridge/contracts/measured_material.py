"""An insertion material known from measurements, such as the carbon of a counter electrode."""

from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from scalebridge.contracts.base import Array, Contract, Record
from scalebridge.contracts.electrode import Sourced
from scalebridge.contracts.rate_law import RateLaw
from scalebridge.foundation import constants
from scalebridge.foundation.units import Axes, Unit


def _check_fractions(theta: Array) -> None:
    if theta.size < 2 or not (np.all(np.diff(theta) > 0) and theta[0] >= 0 and theta[-1] <= 1):
        raise ValueError("theta must rise from point to point, between 0 and 1, with two points at least")


class VoltageCurve(Record):
    """Equilibrium voltage against the ion's metal, of a material without a miscibility gap."""

    theta: Annotated[Array, Unit("1"), Axes("point")]
    """Site fraction, rising."""
    voltage: Annotated[Array, Unit("V"), Axes("point")]
    """Falling."""
    source: str

    @model_validator(mode="after")
    def _check_curve(self) -> Self:
        _check_fractions(self.theta)
        rising = np.flatnonzero(np.diff(self.voltage) >= 0)
        if rising.size:
            raise ValueError(
                f"voltage {self.voltage[rising[0] + 1]:g} V at θ = {self.theta[rising[0] + 1]:g} must be "
                "below that of the point before: a homogeneous material is stable only where its voltage "
                "falls; smooth the curve"
            )
        return self


class DiffusivityCurve(Record):
    """Chemical diffusivity as titrations measure it: mobility times the slope of the equilibrium voltage."""

    theta: Annotated[Array, Unit("1"), Axes("point")]
    """Site fraction, rising."""
    diffusivity: Annotated[Array, Unit("m2.s-1"), Axes("point")]
    activation_energy: Annotated[float, Unit("J.mol-1"), Field(ge=0)] = 0.0
    """Of its change with temperature."""
    source: str

    @model_validator(mode="after")
    def _check_curve(self) -> Self:
        _check_fractions(self.theta)
        if not np.all(self.diffusivity > 0):
            raise ValueError(f"diffusivity {self.diffusivity.min():g} m²/s must be positive; correct it")
        return self


class MeasuredMaterial(Contract):
    """What an electrode needs to know of a material that no ladder computed: a solid solution."""

    name: str
    ion: str
    ion_charge: Annotated[int, Field(gt=0)] = 1
    temperature: Annotated[float, Unit("K"), Field(gt=0)]
    """At which the curves were measured; ``validity`` says how far from it they may be used."""
    saturation_concentration: Annotated[Sourced, Unit("mol.m-3")]
    """Of the ion where θ = 1."""
    equilibrium_voltage: VoltageCurve
    chemical_diffusivity: DiffusivityCurve
    rate_law: RateLaw

    @model_validator(mode="after")
    def _check_concentration(self) -> Self:
        if float(self.saturation_concentration) <= 0:
            raise ValueError(
                f"saturation_concentration {float(self.saturation_concentration):g} mol/m³ must be positive"
            )
        return self

    @property
    def site_density(self) -> float:
        """Ion sites per volume [1/m³]."""
        return float(self.saturation_concentration) * constants.AVOGADRO
