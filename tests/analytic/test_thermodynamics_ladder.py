"""From sampled works to a voltage: one Λ in host and metal, checked on wells whose integrals are known."""

import numpy as np
import pytest
from ase import Atoms
from numpy.typing import NDArray

from scalebridge.contracts import Provenance
from scalebridge.foundation import constants
from scalebridge.sampling import (
    BurstSettings,
    EnergyModel,
    Evaluation,
    HostCell,
    LadderSettings,
    ladder_tasks,
    sample_ladder,
)
from scalebridge.thermodynamics import (
    FreeEnergySettings,
    fit_free_energy,
    harmonic_free_energy,
    solve_isotherm,
)

FloatArray = NDArray[np.float64]
KELVIN = 300.0
REACH = 2.0


class Einstein(EnergyModel):
    """Ions bound to fixed wells, at most one each: depth + ½k r²."""

    def __init__(self, wells: FloatArray, depth: float, stiffness: float) -> None:
        self.species = ("Na",)
        self.wells, self.depth, self.stiffness = wells, depth, stiffness

    def energy(self, types: NDArray[np.int32], positions: FloatArray, cell: FloatArray) -> float:
        return self.evaluate(types, positions, cell).energy

    def evaluate(self, types: NDArray[np.int32], positions: FloatArray, cell: FloatArray) -> Evaluation:
        offsets = positions[:, None, :] - self.wells[None]
        nearest = (offsets**2).sum(axis=2).argmin(axis=1)
        offset = offsets[np.arange(len(offsets)), nearest]
        alone = len(set(nearest.tolist())) == len(nearest)
        energy = self.depth * len(offset) + 0.5 * self.stiffness * float(np.sum(offset**2))
        inside = bool(np.all((offset**2).sum(axis=1) < REACH**2))
        return Evaluation(energy if alone and inside else np.inf, -self.stiffness * offset)


def test_ladder_of_wells_gives_the_exact_voltage() -> None:
    """Host and metal of Einstein oscillators: V = −(F_host − F_metal)/e at half filling, no interaction.

    Tested to 5 standard errors of the fit (probability below 1e-6); seeds are fixed.
    """
    cell = 20.0 * np.eye(3)
    sites = np.array([[0.2, 0.2, 0.2], [0.7, 0.2, 0.2], [0.2, 0.7, 0.2], [0.2, 0.2, 0.7], [0.7, 0.7, 0.7]])
    model = Einstein(sites @ cell, depth=-2.0, stiffness=1.5)
    host = HostCell(Atoms(cell=cell, pbc=True), sites, 5, "Na")
    options = LadderSettings(sweeps=100, equilibration=20, cell_moves=0, burst=BurstSettings(4, 20.0))
    (task,) = ladder_tasks(model, [host] * 6, KELVIN, settings=options, seed=2)
    ladder = sample_ladder(task)

    metal = float(harmonic_free_energy(-1.1, np.log(0.8), np.array([KELVIN]))[0])
    filled = float(harmonic_free_energy(-2.0, np.log(1.5), np.array([KELVIN]))[0])
    provenance = Provenance(code_version="test", recipe_hash="0")
    energy = fit_free_energy(
        {"wells": [[ladder]]},
        [metal],
        sites_per_formula_unit=1,
        provenance=provenance,
        settings=FreeEnergySettings(maximum_order=1),
    )
    branch = energy.branches[0]
    step_error = np.array([item.error for item in ladder.free_energy_differences()])
    error = 1.0 / np.sqrt(np.sum(1 / step_error**2))
    assert branch.slope[0, 0] / constants.EV == pytest.approx(filled - metal, abs=5 * error)
    assert error < 0.01
    thermal = constants.BOLTZMANN_EV * KELVIN
    # the chords of θ(1−θ) at 5 sites have slopes ±0.8, ±0.4, 0: error of L0 = error/√⟨slope²⟩
    assert branch.interaction[0, 0, 0] / constants.EV == pytest.approx(0, abs=5 * error / np.sqrt(0.32))
    isotherm = solve_isotherm(energy, [metal], provenance=provenance, points=99)
    assert isotherm.plateaus == ()
    middle = float(isotherm.voltage[0, 0, 49])
    assert middle == pytest.approx(metal - filled, abs=5 * error)
    # Nernstian ends
    low, high = float(isotherm.voltage[0, 0, 9]), float(isotherm.voltage[0, 0, 89])
    bound = 10 * error / np.sqrt(0.32)
    assert low - high == pytest.approx(2 * thermal * np.log(9), abs=bound)
