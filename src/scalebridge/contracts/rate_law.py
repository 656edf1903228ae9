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
    transition_state: Literal["site exclusion", "follows host", "none"] = "site exclusion"
    """γ_‡ = 1/(1−θ); or γ^α/(1−θ) with the inserted ion's activity coefficient γ, so that j0 = k0 a₊^{1−α}
    θ^α (1−θ)^{1−α} (Doyle, Fuller and Newman 1993); or 1.

    The first and the last fix the transition state's energy, so that j0 changes by e^{α μ/kT} along θ: meant
    for hosts whose voltage changes by little more than kT/e. The second suits sloping voltages.
    """
    source: str
