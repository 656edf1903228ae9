"""Everything the particle and the electrode need to know of one host."""

from typing import Annotated, Self

from pydantic import model_validator

from scalebridge.contracts.base import Array, Contract
from scalebridge.contracts.host import Host
from scalebridge.contracts.interfaces import InterfaceEnergies
from scalebridge.contracts.potential import PotentialCard
from scalebridge.contracts.thermodynamics import HomogeneousFreeEnergy, Isotherm, StructureTable
from scalebridge.contracts.transport import JumpDiffusivity, TracerDiffusivity
from scalebridge.foundation.units import Axes, Unit


class MaterialCard(Contract):
    """One host, computed; arrays carry the member axis of the same committee."""

    host: Host
    potential: PotentialCard
    structures: StructureTable
    isotherm: Isotherm
    free_energy: HomogeneousFreeEnergy
    tracer_diffusivity: TracerDiffusivity
    jump_diffusivity: JumpDiffusivity
    interfaces: InterfaceEnergies
    site_density: Annotated[Array, Unit("m-3"), Axes("member")]
    """Ion sites per volume, at the mean volume over composition."""
    molar_volume: Annotated[Array, Unit("m3.mol-1"), Axes("member")]
    """Of one formula unit."""

    @model_validator(mode="after")
    def _check_members(self) -> Self:
        counts = {
            "potential": len(self.potential.members),
            "structures": self.structures.volume.shape[0],
            "isotherm": self.isotherm.voltage.shape[0],
            "free_energy": self.free_energy.members,
            "tracer_diffusivity": self.tracer_diffusivity.prefactor.shape[0],
            "jump_diffusivity": self.jump_diffusivity.prefactor.shape[0],
            "interfaces": self.interfaces.gradient_energy.shape[0],
            "site_density": self.site_density.shape[0],
            "molar_volume": self.molar_volume.shape[0],
        }
        if len(set(counts.values())) != 1:
            raise ValueError(f"all parts must come from the same committee; they have {counts} members")
        return self

    @property
    def members(self) -> int:
        """Number of members, the best estimate included."""
        return self.free_energy.members
