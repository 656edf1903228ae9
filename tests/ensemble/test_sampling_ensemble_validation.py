"""Hybrid Monte Carlo at T and 1.1 T: the ratio of energy distributions.

For the canonical ensemble ln[P(E|T₂)/P(E|T₁)] is linear in E with slope 1/kT₁ − 1/kT₂ exactly, whatever the
density of states [Shirts, J. Chem. Theory Comput. 9, 909 (2013)]. The slope is the maximum-likelihood one of
a logistic regression (equation 9 there); its error is that of independent samples times the root of the
statistical inefficiency. It is compared at 4.5 standard errors, seeds fixed: each fails at a rate of 7e-6.
"""

from dataclasses import dataclass, field

import numpy as np
import pytest
from sampling_models import TEMPERATURE, UNIFORM, Wells, ensemble, start, well_positions, wells_cell
from scipy.optimize import minimize

from scalebridge.foundation import constants
from scalebridge.sampling import (
    BurstSettings,
    EnergyModel,
    hybrid_burst,
    kinetic_energy,
    statistical_inefficiency,
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


def slope(cold, hot):
    """Maximum-likelihood slope of ln[P(E|hot)/P(E|cold)] and its standard error."""
    values = np.concatenate([cold, hot])
    centre, scale = values.mean(), values.std()
    x, label = (values - centre) / scale, np.repeat([0.0, 1.0], [len(cold), len(hot)])

    def loss(parameters):
        argument = parameters[0] + parameters[1] * x
        return np.sum(np.logaddexp(0.0, argument) - label * argument)

    best = minimize(loss, [0.0, 0.0], method="BFGS", tol=1e-8).x
    weight = 0.25 / np.cosh(0.5 * (best[0] + best[1] * x)) ** 2
    information = np.array([[weight.sum(), weight @ x], [weight @ x, weight @ x**2]])
    inefficiency = max(statistical_inefficiency(cold), statistical_inefficiency(hot))
    error = np.sqrt(np.linalg.inv(information)[1, 1] * inefficiency)
    return best[1] / scale, error / scale


@pytest.mark.parametrize("timestep", [30.0, 60.0])
def test_ratio_of_energy_distributions(timestep):
    """Potential and kinetic energies, at a short time step and near the limit of stability."""
    settings = BurstSettings(steps=5, timestep=timestep)
    cold = energies(TEMPERATURE, settings, seed=1)
    hot = energies(1.1 * TEMPERATURE, settings, seed=2)
    exact = (1 - 1 / 1.1) / (constants.BOLTZMANN_EV * TEMPERATURE)
    for quantity in (0, 1):
        found, error = slope(cold[:, quantity], hot[:, quantity])
        assert error < 0.25 * exact
        assert abs(found - exact) < 4.5 * error
