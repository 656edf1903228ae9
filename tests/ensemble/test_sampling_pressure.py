"""ln Π(N; p, T): flat histograms whose walkers change their cells, against closed forms and quadrature.

The factors V^{N+1} of the cell moves, the density q(r) of a cell that changes and the framework's own atoms
all enter. Deviations at fixed seeds are bounded by 0.05 (flexible cell: 0.1) and by five jackknife errors of
eight blocks: by Student's t with seven degrees of freedom one comparison of the second kind fails with
probability 1.6e-3.
"""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from sampling_models import KT, UNIFORM, IdealGas, ensemble, start
from scipy.integrate import quad
from scipy.special import gammaln

from scalebridge.sampling import (
    BurstSettings,
    Evaluation,
    FlatHistogramSettings,
    GrandCanonicalSettings,
    HostCell,
    SiteDensity,
    sample_flat_histogram,
)

MOST = 6


class SoftCell(IdealGas):
    """Free atoms in a cell with an energy of its volume and of its shape, which do not see each other."""

    def __init__(self, stiffness, shear):
        super().__init__()
        self.species = ("Fe", "Na")
        self.stiffness, self.shear = stiffness, shear

    def of_volume(self, volume):
        return self.stiffness * (volume / 500.0 - 1) ** 2

    def energy(self, types, positions, cell):
        volume = abs(np.linalg.det(cell))
        metric = cell @ cell.T / volume ** (2 / 3)
        return self.of_volume(volume) + self.shear * float(np.trace(metric @ metric) - 3)

    def evaluate(self, types, positions, cell):
        return Evaluation(self.energy(types, positions, cell), np.zeros_like(positions))


def sample(model, density, pressure, fugacity, **weights):
    """Contents 0 … MOST around one framework atom and two sites; ``fugacity`` e^{βμ} [Å⁻³]."""
    cell = HostCell(
        Atoms("Fe", positions=[[0, 0, 0]], cell=[8.0] * 3, pbc=True),
        np.array([[0.5, 0.5, 0.5], [0.5, 0, 0]]), 1, "Na",
    )  # fmt: skip
    moves = GrandCanonicalSettings(
        weights={"exchange": 2.0, "burst": 0.3, **weights},
        burst=BurstSettings(2, 30.0),
        volume_amplitude=0.8,
        strain_amplitude=0.12,
    )
    settings = FlatHistogramSettings(rounds=32, equilibration=4, moves_per_round=1000, moves=moves)
    return sample_flat_histogram(
        ensemble(model, density, pressure=pressure),
        KT * np.log(fugacity),
        [(0, MOST)],
        [start(cell, model)],
        settings=settings,
        seed=4,
    )


def compare(found, exact, bound=0.05):
    deviation = found.log_probability() - (exact - np.logaddexp.reduce(exact))
    assert np.abs(deviation).max() <= bound
    assert (np.abs(deviation) < 5 * found.log_probability_error() + 1e-3).all()


DENSITIES = {
    "uniform": UNIFORM,
    "sites and uniform": SiteDensity(width=1.5, uniform_fraction=0.5),
}


@pytest.mark.parametrize("density", DENSITIES)
def test_ideal_gas_at_constant_pressure(density):
    """Z_N = ∫ V^{N+1} e^{−βpV} dV/N! = (N+1)(kT/p)^{N+2} with one framework atom; ⟨V⟩ = (N+2) kT/p."""
    pressure, fugacity = KT / 150.0, 1 / 150.0
    model = SoftCell(0.0, 0.0)
    found = sample(model, DENSITIES[density], pressure, fugacity, volume=1.0)
    exact = np.log(found.ions + 1) + found.ions * np.log(fugacity * 150.0)
    compare(found, exact)
    assert found.pressure == pressure
    volume, error = found.mean_volume()
    assert (np.abs(volume - 150.0 * (found.ions + 2)) < 5 * error).all()
    assert (error < 0.1 * volume).all()


def test_a_flexible_cell_at_constant_pressure():
    """Strain moves: the shape decouples and Z_N = ∫ V^{N+1} e^{−β(u(V) + pV)} dV/N! by quadrature."""
    pressure, fugacity = -0.3 * KT / 100.0, 1 / 450.0
    model = SoftCell(8 * KT, 2 * KT)
    found = sample(model, UNIFORM, pressure, fugacity, strain=1.0)

    def moment(power):
        def weight(volume):
            return volume**power * np.exp(-(model.of_volume(volume) + pressure * volume) / KT)

        return quad(weight, 0, 3000, points=[500])[0]

    logs = np.log([moment(n + 1) for n in found.ions])
    compare(found, logs - gammaln(found.ions + 1) + found.ions * np.log(fugacity), bound=0.1)
    volume, error = found.mean_volume()
    expected = np.array([moment(n + 2) / moment(n + 1) for n in found.ions])
    assert (np.abs(volume - expected) < 5 * error).all()
    assert np.ptp(expected) > 50


def test_a_constant_cell_has_no_pressure_and_approximate_bursts_are_said():
    exact = GrandCanonicalSettings()
    assert not exact.changes_cells and exact.approximations == ()
    loose = replace(exact, burst=BurstSettings(steps=7, timestep=3.0, metropolis=False))
    (sentence,) = loose.approximations
    assert "7 steps of 3 fs" in sentence and "time step squared" in sentence
    assert replace(loose, weights={"exchange": 1.0}).approximations == ()
    settings = FlatHistogramSettings(rounds=2, blocks=2, equilibration=0, moves_per_round=5, moves=loose)
    model = SoftCell(0.0, 0.0)
    cell = HostCell(Atoms("Fe", cell=[8.0] * 3, pbc=True), np.zeros((1, 3)), 1, "Na")
    found = sample_flat_histogram(
        ensemble(model, UNIFORM), 0.0, [(0, 3)], [start(cell, model)], settings=settings
    )
    assert found.pressure is None
    assert found.approximations == (sentence,)
