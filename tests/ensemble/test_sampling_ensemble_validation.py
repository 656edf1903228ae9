"""Hybrid Monte Carlo at T and 1.1 T: the ratio of energy distributions.

For the canonical ensemble ln[P(E|T₂)/P(E|T₁)] is linear in E with slope 1/kT₁ − 1/kT₂ exactly, whatever the
density of states [Shirts, J. Chem. Theory Comput. 9, 909 (2013)]. The slope is the maximum-likelihood one of
a logistic regression (equation 9 there); its error is that of independent samples times the root of the
statistical inefficiency. It is compared at 4.5 standard errors, seeds fixed: each fails at a rate of 7e-6.
"""

from dataclasses import dataclass, field

import numpy as np
import pytest
from sampling_models import (
    TEMPERATURE,
    UNIFORM,
    Wells,
    ensemble,
    slope_of_energies,
    start,
    well_positions,
    wells_cell,
)

from scalebridge.foundation import constants
from scalebridge.sampling import (
    BurstSettings,
    EnergyModel,
    hybrid_burst,
    kinetic_energy,
)

ATOMS = 8


@dataclass(frozen=True, eq=False)
class Recorded(EnergyModel):
    """A model that notes the kinetic energies at both ends of each burst."""

    model: EnergyModel
    species: tuple[str, ...] = ("Fe", "Na")
    kinetic: list = field(default_factory=list)

    def energy(self, types, positions, cell):
        return self.model.energy(types, positions, cell)

    def evaluate(self, types, positions, cell):
        return self.model.evaluate(types, positions, cell)

    def velocity_verlet(self, types, positions, velocities, masses, cell, **settings):
        burst = self.model.velocity_verlet(types, positions, velocities, masses, cell, **settings)
        self.kinetic.append((kinetic_energy(masses, velocities), kinetic_energy(masses, burst.velocities)))
        return burst


def energies(temperature, settings, seed):
    """Potential and kinetic energies after each burst: a rejected one ends with the momenta it began with."""
    wells = Wells(well_positions(ATOMS), depth=0.0)
    model = Recorded(wells)
    configuration = start(wells_cell(wells), model, range(ATOMS))
    target, random = ensemble(model, UNIFORM, temperature=temperature), np.random.default_rng(seed)
    found = []
    for _ in range(3000):
        move = hybrid_burst(configuration, target, settings, random)
        configuration = move.configuration
        found.append((configuration.energy, model.kinetic[-1][int(move.accepted)]))
    return np.array(found[300:])


@pytest.mark.parametrize("timestep", [30.0, 60.0])
def test_ratio_of_energy_distributions(timestep):
    """Potential and kinetic energies, at a short time step and near the limit of stability."""
    settings = BurstSettings(steps=5, timestep=timestep)
    cold = energies(TEMPERATURE, settings, seed=1)
    hot = energies(1.1 * TEMPERATURE, settings, seed=2)
    exact = (1 - 1 / 1.1) / (constants.BOLTZMANN_EV * TEMPERATURE)
    for quantity in (0, 1):
        found, error = slope_of_energies(cold[:, quantity], hot[:, quantity])
        assert error < 0.25 * exact
        assert abs(found - exact) < 4.5 * error
