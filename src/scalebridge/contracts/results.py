"""What particle and electrode solvers return."""

from typing import Annotated, Self

from pydantic import model_validator

from scalebridge.contracts.base import Array, Contract, Record
from scalebridge.foundation.units import Axes, Unit


class Field(Record):
    """A named array of a solution."""

    unit: str
    axes: tuple[str, ...]
    values: Array

    @model_validator(mode="after")
    def _check(self) -> Self:
        Unit(self.unit)
        if self.values.ndim != len(self.axes):
            raise ValueError(
                f"values of shape {self.values.shape} need {self.values.ndim} axes, not {self.axes}"
            )
        return self


class Solution(Contract):
    """One solved protocol."""

    fields: dict[str, Field]
    """For example ``time``, ``voltage``, ``filling``, ``theta`` (time, volume, radius)."""
    status: str
    """A sentence."""
    termination: str
    """What ended the run: ``voltage cutoff``, ``final filling``, ``time``, ``solver failure``."""
    c_rate: Annotated[float | None, Unit("1")] = None
    member: int = 0


class RateCapability(Contract):
    """Capacity and mean voltage against rate, for every member."""

    c_rate: Annotated[Array, Unit("1"), Axes("rate")]
    one_c_current: Annotated[Array, Unit("A.m-2"), Axes("member")]
    """Current per electrode area that would fill the theoretical capacity in an hour."""
    capacity: Annotated[Array, Unit("C.kg-1"), Axes("member", "rate")]
    """Per mass of active material as in ``Host.formula_mass``."""
    mean_voltage: Annotated[Array, Unit("V"), Axes("member", "rate")]
    energy: Annotated[Array, Unit("J.kg-1"), Axes("member", "rate")]
    terminations: tuple[tuple[str, ...], ...]
    """Per member and rate."""
    diffusion_time: Annotated[Array, Unit("s"), Axes("member")]
    """size²/D at half filling: what limits a particle by diffusion."""
    reaction_time: Annotated[Array, Unit("s"), Axes("member")]
    """Charge in a particle over the exchange current of its surface."""
    electrolyte_time: Annotated[float, Unit("s")]
    """thickness²/D_effective of the electrode's electrolyte."""
