"""Stage ``card``: gather what was computed of the host."""

import numpy as np

from scalebridge.contracts import (
    HomogeneousFreeEnergy,
    Host,
    InterfaceEnergies,
    Isotherm,
    JumpDiffusivity,
    MaterialCard,
    PotentialCard,
    StructureTable,
    TracerDiffusivity,
    Validity,
)
from scalebridge.foundation import constants
from scalebridge.pipeline.stage import StageContext


def compute(context: StageContext) -> None:
    """Save the ``MaterialCard``; site density and molar volume are those of the mean volume over x.

    It repeats every remark of its parts, once.
    """
    host = context.load("host", Host)
    potential = context.load("potential", PotentialCard)
    structures = context.load("thermodynamics", StructureTable)
    isotherm = context.load("thermodynamics", Isotherm)
    free_energy = context.load("thermodynamics", HomogeneousFreeEnergy)
    tracer = context.load("transport", TracerDiffusivity)
    jump = context.load("transport", JumpDiffusivity)
    interfaces = context.load("interfaces", InterfaceEnergies)
    parts = (potential, structures, isotherm, free_energy, tracer, jump, interfaces)
    remarks = dict.fromkeys(remark for part in parts for remark in part.validity.remarks)
    mean_volume = np.asarray(np.trapezoid(structures.volume, structures.x, axis=1) / np.ptp(structures.x))
    context.save(
        MaterialCard(
            provenance=context.provenance(),
            validity=Validity(
                temperature=free_energy.validity.temperature,
                composition=(0.0, float(host.sites_per_formula_unit)),
                remarks=tuple(remarks),
            ),
            host=host,
            potential=potential,
            structures=structures,
            isotherm=isotherm,
            free_energy=free_energy,
            tracer_diffusivity=tracer,
            jump_diffusivity=jump,
            interfaces=interfaces,
            site_density=host.sites_per_formula_unit / mean_volume,
            molar_volume=constants.AVOGADRO * mean_volume,
        )
    )
