"""The insertion host: what is charged and discharged, and where its ions can sit."""

from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from scalebridge.contracts.base import Array, Contract, Record
from scalebridge.contracts.structure import Structure
from scalebridge.foundation import constants
from scalebridge.foundation.units import Axes, Unit


class LiteratureValue(Record):
    """A published number shown beside ours; never used as an input."""

    quantity: str
    value: str
    source: str


class HostPhase(Record):
    """A framework (without mobile ions) and the sites its ions can take."""

    name: str
    framework: Structure
    sites: Annotated[Array, Unit("1"), Axes("site", "xyz")]
    """Candidate sites in scaled coordinates of the framework's cell."""
    formula_units: Annotated[int, Field(gt=0)]
    """Formula units in the framework's cell."""
    composition: Annotated[float, Unit("1")]
    """x at which this phase is reported; sampling starts from the phase nearest in x."""
    source: str


class Host(Contract):
    """An insertion host, its ion and the ion's metal."""

    name: str
    formula: str
    """One formula unit of the framework, for example ``MnFe(CN)6``."""
    ion: str
    ion_charge: Annotated[int, Field(gt=0)] = 1
    """Electrons transferred per ion."""
    sites_per_formula_unit: Annotated[int, Field(gt=0)]
    """Largest x; θ = x / sites_per_formula_unit."""
    phases: Annotated[tuple[HostPhase, ...], Field(min_length=1)]
    metal: Structure
    """The ion's metal, the reference of the voltage."""
    metal_source: str
    formula_mass: Annotated[float, Unit("kg.mol-1"), Field(gt=0)]
    """Molar mass of the fully charged (empty) or discharged formula unit, as ``mass_composition`` says."""
    mass_composition: Annotated[float, Unit("1")]
    """x at which ``formula_mass`` counts the ions: the convention of gravimetric capacities."""
    literature: tuple[LiteratureValue, ...] = ()

    @model_validator(mode="after")
    def _check_sites(self) -> Self:
        for phase in self.phases:
            expected = self.sites_per_formula_unit * phase.formula_units
            if len(phase.sites) != expected:
                raise ValueError(
                    f"phase '{phase.name}' lists {len(phase.sites)} sites; {phase.formula_units} formula "
                    f"units with {self.sites_per_formula_unit} sites each need {expected}"
                )
            if self.ion in phase.framework.symbols:
                raise ValueError(
                    f"the framework of phase '{phase.name}' contains the mobile ion {self.ion}; "
                    "list the ion's positions as sites and remove its atoms"
                )
            if not 0 <= phase.composition <= self.sites_per_formula_unit:
                raise ValueError(
                    f"phase '{phase.name}' is reported at x = {phase.composition}, outside "
                    f"0 … {self.sites_per_formula_unit}, the host's sites"
                )
        if set(self.metal.symbols) != {self.ion}:
            raise ValueError(f"the metal reference must consist of {self.ion} only")
        return self

    @property
    def theoretical_capacity(self) -> float:
        """Charge per mass for 0 ≤ x ≤ x_max [C/kg]."""
        electrons = self.sites_per_formula_unit * self.ion_charge
        return electrons * constants.FARADAY / self.formula_mass

    def nearest_phase(self, composition: float) -> HostPhase:
        """Return the phase reported nearest to ``composition`` (x, ions per formula unit)."""
        distances = [abs(phase.composition - composition) for phase in self.phases]
        return self.phases[int(np.argmin(distances))]
