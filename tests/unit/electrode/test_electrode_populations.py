"""How many particles of a size distribution fill at a time: one by one when slow, together when fast."""

import numpy as np
import pytest

from particle_models import cell, particle
from scalebridge.electrode import CellModel, CellSolution, Layer, Population, active_fraction, solve_cell

LAYERS = {
    "separator": Layer(thickness=10e-6, porosity=0.7, bruggeman_exponent=1.5, volumes=2),
    "layer": Layer(thickness=30e-6, porosity=0.4, bruggeman_exponent=1.5, volumes=3),
}


def electrode(per_volume: int) -> CellModel:
    population = Population.lognormal(25e-9, 6e-9, shape="sphere", volumes=3, particles=per_volume)
    model = particle(size=25e-9, shells=25, diffusivity=1e-15)
    return cell(model, population=population, electronic_conductivity=10.0, **LAYERS)


def between_phases(model: CellModel, solution: CellSolution) -> float:
    """Return the mean share of particles on their way from one phase to the other, around half filling."""
    fillings = solution.theta @ model.particle.grid.fractions
    share = ((fillings > 0.2) & (fillings < 0.8)).mean(axis=(1, 2))
    inside = np.abs(solution.filling - 0.5) < 0.15
    return float(np.interp(np.linspace(0.35, 0.65, 500), solution.filling[inside], share[inside]).mean())


def mean_share(model: CellModel, solution: CellSolution) -> float:
    active, done = active_fraction(model, solution)
    return float(np.sum(active[1:] * np.diff(done)) / done[-1])


def test_particle_by_particle_when_slow_together_when_fast() -> None:
    """Li et al., Nature Materials 13, 1149 (2014): the share of active particles rises with the rate."""
    model = electrode(4)
    solutions = {rate: solve_cell(model, rate) for rate in (0.02, 1.0, 20.0)}
    shares = [between_phases(model, solution) for solution in solutions.values()]
    assert shares[0] < 1 / 12
    assert shares[0] < shares[1] < shares[2]
    assert shares[2] > 0.75
    means = [mean_share(model, solution) for solution in solutions.values()]
    assert 1 / 12 <= means[0] < 1.5 / 12
    assert means[0] < means[1] < means[2]
    assert means[2] > 0.6


@pytest.mark.slow
def test_the_slowest_discharge_is_one_particle_at_a_time() -> None:
    """C/500, where all waiting particles share the current between two events."""
    model = electrode(4)
    solution = solve_cell(model, 0.002)
    assert mean_share(model, solution) == pytest.approx(1 / 12, rel=0.25)


def test_small_particles_are_ahead_when_fast() -> None:
    """Equal volumes of each size: the surface decides who takes the current."""
    model = electrode(4)
    solution = solve_cell(model, 20.0)
    middle = np.abs(solution.filling - 0.3).argmin()
    fillings = (solution.theta[middle] @ model.particle.grid.fractions).ravel()
    assert np.corrcoef(fillings, 1 / model.cathode.particle_sizes.ravel())[0, 1] > 0.8


def test_sizes_end_the_teeth_of_a_two_phase_curve() -> None:
    """One size: each layer of particles is a tooth. Twelve sizes of the same mean: smaller ones."""
    one = cell(particle(size=25e-9, shells=25, diffusivity=1e-15), electronic_conductivity=10.0, **LAYERS)
    roughness = []
    for model in (one, electrode(4), electrode(10)):
        solution = solve_cell(model, 0.02)
        filling = np.linspace(0.25, 0.75, 2000)
        voltage = np.interp(filling, solution.filling, solution.voltage)
        roughness.append(float(np.std(voltage - np.polyval(np.polyfit(filling, voltage, 2), filling))))
    assert roughness[1] < roughness[0]
    assert roughness[2] < 0.7 * roughness[0]


@pytest.mark.slow
@pytest.mark.parametrize("per_volume", [5, 10])
@pytest.mark.parametrize("c_rate", [0.1, 1.0, 5.0])
def test_full_electrodes_reach_the_cutoff(per_volume: int, c_rate: float) -> None:
    """20 volumes of 5 and 10 particles of 50 shells, 36 to 142 nm: none stalls."""
    population = Population.lognormal(60e-9, 15e-9, shape="sphere", volumes=20, particles=per_volume)
    model = cell(particle(size=60e-9, shells=50), population=population, final_theta=0.995)
    solution = solve_cell(model, c_rate)
    assert solution.termination == "voltage cutoff", solution.status
    passed = c_rate * solution.time / 3600
    assert solution.filling - solution.filling[0] == pytest.approx(passed, abs=1e-10)
    assert np.all((solution.theta > 0) & (solution.theta < 1))
