"""What particle and electrode solvers return."""

from typing import Annotated, Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from scalebridge.contracts.base import Array, Contract, Record
from scalebridge.foundation.units import Axes, Unit

SOLVER_FAILURE: Final = "solver failure"
FINAL_FILLING: Final = "final filling"
"""How a discharge ends that reaches the end of its protocol."""
"""Termination of a run that says nothing about the material: it covers only what the solver reached."""


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
    """For example ``time``, ``voltage``, ``filling``, ``theta`` (map_time, volume, radius)."""
    status: str
    """A sentence."""
    termination: str
    """What ended the run: ``voltage cutoff``, ``final filling``, ``time``, ``solver failure``."""
    c_rate: Annotated[float | None, Unit("1")] = None
    member: int = 0

    @property
    def finished(self) -> bool:
        """Whether the run ended by its protocol, not by a failure of the solver."""
        return self.termination != SOLVER_FAILURE


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
    members: tuple[int, ...] = ()
    """Of the committee, one a row; empty: all of them, from 0."""

    @model_validator(mode="after")
    def _check_terminations(self) -> Self:
        counts = [len(ends) for ends in self.terminations]
        members, rates = self.capacity.shape
        if counts != [rates] * members:
            raise ValueError(
                f"terminations hold {counts} rates per member where capacity has {members} members of "
                f"{rates} rates; give one for every member and rate"
            )
        if self.members and len(self.members) != members:
            raise ValueError(
                f"members {self.members} must be as many as the {members} rows of capacity, or none; "
                "name the member of every row"
            )
        return self

    @property
    def row_members(self) -> tuple[int, ...]:
        """The committee's member of each row."""
        return self.members or tuple(range(len(self.capacity)))

    @property
    def finished(self) -> NDArray[np.bool_]:
        """(member, rate): which discharges ended by their protocol, not by a failure of the solver.

        Of the others, capacity, mean voltage and energy cover only what was reached: no result.
        """
        return np.array([[end != SOLVER_FAILURE for end in ends] for ends in self.terminations])
