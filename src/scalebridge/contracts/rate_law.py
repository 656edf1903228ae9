"""Interface reaction rate."""

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from scalebridge.contracts.base import Record
from scalebridge.foundation import constants
from scalebridge.foundation.units import Unit


class RateLaw(Record):
    """Butler–Volmer with activities, j0 = k0 a₊^{1−α} a^α / γ_‡, or a law of electron transfer.

    Marcus–Hush–Chidsey: j = k0 [a₊ k(η_f) − θ k(−η_f)] with η_f = η̃ + ln(a₊/θ), k(0) = 1 and
    k ∝ ∫ exp[−(e − λ − x)²/4λ]/(1 + eᵉ) de (Chidsey, Science 251, 919 (1991)). Coupled ion–electron transfer:
    that times (1 − θ) (Fraggedakis et al., Electrochim. Acta 367, 137432 (2021)). For λ → ∞ both are
    Butler–Volmer with α = ½; far beyond λ they no longer grow.
    """

    form: Literal["butler-volmer", "marcus-hush-chidsey", "coupled ion-electron transfer"] = "butler-volmer"
    rate_constant: Annotated[float, Unit("A.m-2"), Field(gt=0)]
    """k0."""
    activation_energy: Annotated[float, Unit("J.mol-1"), Field(ge=0)] = 0.0
    """Of k0, which then holds at ``reference_temperature``; 0: k0 at every temperature."""
    reference_temperature: Annotated[float | None, Unit("K"), Field(gt=0)] = None
    reorganisation_energy: Annotated[float | None, Unit("J"), Field(gt=0)] = None
    """λ of electron transfer, which those laws need (about 0.2 eV for LiFePO4)."""
    transfer_coefficient: Annotated[float, Unit("1"), Field(gt=0, lt=1)] = 0.5
    transition_state: Literal["site exclusion", "follows host", "none"] = "site exclusion"
    """γ_‡ = 1/(1−θ); or γ^α/(1−θ) with the inserted ion's activity coefficient γ, so that j0 = k0 a₊^{1−α}
    θ^α (1−θ)^{1−α} (Doyle, Fuller and Newman 1993); or 1.

    The first and the last fix the transition state's energy, so that j0 changes by e^{α μ/kT} along θ: meant
    for hosts whose voltage changes by little more than kT/e. The second suits sloping voltages.
    """
    source: str

    @model_validator(mode="after")
    def _check_reorganisation(self) -> Self:
        if (self.form == "butler-volmer") != (self.reorganisation_energy is None):
            raise ValueError(
                f"rate law '{self.form}' with reorganisation_energy {self.reorganisation_energy}: laws of "
                "electron transfer need it, Butler–Volmer has none; give both or neither"
            )
        return self

    @model_validator(mode="after")
    def _check_activation(self) -> Self:
        if (self.activation_energy > 0) != (self.reference_temperature is not None):
            raise ValueError(
                f"activation_energy {self.activation_energy:g} J/mol and reference_temperature "
                f"{self.reference_temperature} belong together; give both or neither"
            )
        return self

    def at(self, temperature: float) -> Self:
        """Return the law at one temperature [K]: k0 by Arrhenius's law, without an activation energy."""
        if self.reference_temperature is None:
            return self
        warmth = (1 / self.reference_temperature - 1 / temperature) / constants.GAS_CONSTANT
        rate = self.rate_constant * math.exp(self.activation_energy * warmth)
        return self.model_copy(
            update={"rate_constant": rate, "activation_energy": 0.0, "reference_temperature": None}
        )
