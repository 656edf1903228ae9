"""A cell that warms: an ideal solution of given entropy, a foil or graphite, and its heat balance."""

from collections.abc import Callable

import numpy as np

from particle_models import FAST, SITE_DENSITY, cell
from scalebridge.contracts import FreeEnergyBranch, HomogeneousFreeEnergy, Provenance
from scalebridge.electrode import (
    CellModel,
    HeatBalance,
    Layer,
    MetalFoil,
    Population,
    PorousElectrode,
    dilute,
)
from scalebridge.foundation import constants
from scalebridge.materials import load_material
from scalebridge.particle import ParticleModel, measured_particle

PROVENANCE = Provenance(code_version="test", recipe_hash="0" * 64)
ENTROPY = 1e-3
"""dU/dT of the host without its mixing [V/K]."""
VOLTAGE, START, AMBIENT = 3.4, 298.0, 290.0
K_PER_E = constants.BOLTZMANN / constants.ELEMENTARY_CHARGE


def host(temperature: float, entropy: float = ENTROPY) -> ParticleModel:
    """An ideal solution whose voltage rises with temperature, small and quick inside."""
    grid = np.array([285.0, START, 330.0])
    branch = FreeEnergyBranch(
        name="ideal",
        temperature=grid,
        offset=np.zeros((1, 3)),
        slope=-constants.ELEMENTARY_CHARGE * (VOLTAGE + entropy * (grid - START))[None],
        interaction=np.zeros((1, 3, 1)),
        sampled_theta=np.array([0.0, 1.0]),
        sampled_energy=np.zeros((1, 3, 2)),
        sampled_error=np.zeros((1, 3, 2)),
        fit_residual=np.zeros((1, 3)),
    )
    energy = HomogeneousFreeEnergy(provenance=PROVENANCE, sites_per_formula_unit=1, branches=(branch,))
    return ParticleModel.from_free_energy(
        energy,
        1e-12,
        temperature=temperature,
        shape="sphere",
        size=1e-7,
        shells=8,
        site_density=SITE_DENSITY,
        gradient_energy=0.0,
        rate_law=FAST,
    )


def graphite(temperature: float) -> PorousElectrode:
    material = load_material("graphite", PROVENANCE)
    return PorousElectrode(
        particle=measured_particle(material, temperature=temperature, shape="sphere", size=1e-7, shells=8),
        layer=Layer(thickness=74e-6, porosity=0.33, bruggeman_exponent=1.5, volumes=3),
        volume_fraction=0.55,
        electronic_conductivity=1e3,
        initial_theta=0.9,
    )


def cells(entropy: float = ENTROPY, rate: float = 1e6, full: bool = False) -> Callable[[float], CellModel]:
    """A cell in which the foil's reaction, or nothing, costs voltage."""
    foil = MetalFoil(FAST.model_copy(update={"rate_constant": rate}))

    def build(temperature: float) -> CellModel:
        return cell(
            host(temperature, entropy),
            anode=graphite(temperature) if full else foil,
            population=Population.listed(np.array([0.5e-7, 1e-7]), None, volumes=3) if full else None,
            separator=Layer(thickness=25e-6, porosity=0.7, bruggeman_exponent=1.5, volumes=2),
            layer=Layer(thickness=70e-6, porosity=0.4, bruggeman_exponent=1.5, volumes=3),
            electrolyte=dilute("fast", 1e-8, 1e-8),
            electronic_conductivity=1e3,
            initial_theta=0.1,
            final_theta=0.9,
            cutoff_voltage=1.0,
        )

    return build


def balance(**changes: float) -> HeatBalance:
    settings = {"heat_capacity": 400.0, "heat_transfer": 0.5, "ambient_temperature": AMBIENT}
    return HeatBalance(**(settings | changes))
