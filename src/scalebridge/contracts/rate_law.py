"""Interface reaction rate."""

from typing import Annotated, Literal

from pydantic import Field

from scalebridge.contracts.base import Record
from scalebridge.foundation.units import Unit


class RateLaw(Record):
    """Butler–Volmer with activities: j0 = k0 a₊^{1−α} a^α / γ_‡."""

    form: Literal["butler-volmer"] = "butler-volmer"
    rate_constant: Annotated[float, Unit("A.m-2"), Field(gt=0)]
    """k0."""
    transfer_coefficient: Annotated[float, Unit("1"), Field(gt=0, lt=1)] = 0.5
    transition_state: Literal["site exclusion", "none"] = "site exclusion"
    """γ_‡ = 1/(1−θ), or γ_‡ = 1."""
    source: str
