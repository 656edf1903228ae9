"""The Lennard-Jones fluid against NIST's Standard Reference Simulation Website.

Pairs beyond 3σ are a homogeneous tail. Energies in ε, lengths in σ = 1 Å, T* in units of ε/k = 100 K, and
Λ = σ, so that ln z = βμ. Tests state |found − NIST| < 4.5 standard errors of both at fixed seeds: for normal
errors one comparison fails with probability 7e-6.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from ase import Atoms
from sampling_models import UNIFORM, deviation, ensemble

from scalebridge.foundation import constants
from scalebridge.foundation.compiled import compiled
from scalebridge.sampling import (
    Configuration,
    EnergyModel,
    Evaluation,
    FlatHistogramSettings,
    GrandCanonicalSettings,
    GrandCanonicalWalker,
    HostCell,
    displacement_move,
    sample_flat_histogram,
    statistical_inefficiency,
)

EPSILON = constants.BOLTZMANN_EV * 100.0
"""eV."""
CUTOFF = 3.0
LIMIT = 4.5

# T* = 1.5, V = 512, μ* = −2.352321 ("grand-canonical transition-matrix Monte Carlo"): first content, then
# NIST's ln Π(N) and mean energies from it on
CHEMICAL_POTENTIAL = -2.352321
LOG_PROBABILITY = {
    0: [-274.67636, -270.00617, -266.01910, -262.42771, -259.11443, -256.01447, -253.08701, -250.30453,
        -247.64555, -245.09439, -242.63954, -240.27015, -237.97822, -235.75719, -233.60048, -231.50394,
        -229.46224, -227.47147, -225.52908, -223.63142, -221.77552, -219.95908, -218.18065, -216.43714,
        -214.72651],
    96: [-131.31800, -130.42250, -129.53005, -128.64081, -127.75434, -126.87149, -125.99166],
}  # fmt: skip
ENERGY = {
    0: [0.0, -0.00061, -0.03057, -0.08993, -0.17846, -0.29619, -0.44339, -0.61987, -0.82529, -1.05952,
        -1.32274, -1.61554, -1.93726, -2.28826, -2.66847, -3.07708, -3.51445, -3.98075, -4.47579, -4.99913,
        -5.55224, -6.13405, -6.74319, -7.38128, -8.04874],
    96: [-127.53344, -130.14287, -132.77141, -135.42668, -138.10624, -140.80766, -143.52838],
}  # fmt: skip
# T* = 0.85: pressures of the vapour at ρ = 0.001 ... 0.009, and U/N of the liquid at ρ = 0.776 with its error
VAPOUR_PRESSURES = [8.4402e-4, 2.4965e-3, 4.1003e-3, 5.6565e-3, 7.1641e-3]
LIQUID_ENERGY, LIQUID_ERROR = -5.5121, 4.5e-4


@compiled
def pair_energies(positions, position, skip, length):
    """Sum of 4(r⁻¹² − r⁻⁶) over nearest images within the cutoff, without atom ``skip``."""
    total = 0.0
    for n in range(len(positions)):
        if n == skip:
            continue
        square = 0.0
        for k in range(3):
            d = positions[n, k] - position[k]
            d -= length * np.rint(d / length)
            square += d * d
        if square < CUTOFF * CUTOFF:
            six = 1.0 / (square * square * square)
            total += 4.0 * (six * six - six)
    return total


@compiled
def all_energies(positions, length):
    total = 0.0
    for n in range(len(positions)):
        total += 0.5 * pair_energies(positions, positions[n], n, length)
    return total


def tail(atoms, volume):
    return 8 * np.pi * atoms**2 / (3 * volume) * (CUTOFF**-9 / 3 - CUTOFF**-3)


class Fluid(EnergyModel):
    """Cubic cells wider than twice the cutoff."""

    species = ("Na",)

    def energy(self, types, positions, cell):
        return EPSILON * (all_energies(positions, cell[0, 0]) + tail(len(positions), cell[0, 0] ** 3))

    def evaluate(self, types, positions, cell):
        return Evaluation(self.energy(types, positions, cell), np.full_like(positions, np.nan))

    def changes(self, types, positions, cell):
        return FluidChanges(positions, cell[0, 0], self.energy(types, positions, cell))


@dataclass(eq=False)
class FluidChanges:
    positions: np.ndarray
    length: float
    energy: float

    def after(self, *, removed=None, added=None, position=None):
        n = len(self.positions)
        skip = -1 if removed is None else removed
        change = tail(n + (added is not None) - (removed is not None), self.length**3) - tail(
            n, self.length**3
        )
        if removed is not None:
            change -= pair_energies(self.positions, self.positions[removed], removed, self.length)
        if added is not None:
            change += pair_energies(self.positions, np.asarray(position), skip, self.length)
        return self.energy + EPSILON * change

    def accept(self, *, removed=None, added=None, position=None, in_place=False):
        self.energy = self.after(removed=removed, added=added, position=position)
        if in_place:
            self.positions = self.positions.copy()
            self.positions[removed] = position
            return
        if removed is not None:
            self.positions = np.delete(self.positions, removed, axis=0)
        if added is not None:
            self.positions = np.vstack([self.positions, position])


def fluid(length, atoms):
    """Atoms on a cubic grid, as ions of an empty host."""
    cell = HostCell(Atoms(cell=[length] * 3, pbc=True), np.zeros((0, 3)), 1, "Na")
    per_edge = int(np.ceil(atoms ** (1 / 3)))
    grid = np.array(list(np.ndindex(per_edge, per_edge, per_edge)))[:atoms]
    positions = grid.reshape(-1, 3) * length / per_edge
    structure = Atoms(["Na"] * atoms, positions=positions, cell=[length] * 3, pbc=True)
    return Configuration.from_atoms(cell, structure, Fluid())


def mixture(displacement, **limits):
    return GrandCanonicalSettings(
        weights={"exchange": 2.0, "displacement": 1.0}, displacement=displacement, **limits
    )


def test_changes_are_those_of_the_whole():
    """The local energies that the comparison rests on."""
    model, configuration = Fluid(), fluid(8.0, 60)
    random = np.random.default_rng(0)
    for _ in range(5):
        atom, position = int(random.integers(60)), 8 * random.random(3)
        changes = model.changes(configuration.types, configuration.positions, configuration.cell)
        whole = EnergyModel.changes(model, configuration.types, configuration.positions, configuration.cell)
        for removed, added in ((atom, None), (None, 0), (atom, 0)):
            arguments = {"removed": removed, "added": added, "position": position}
            assert changes.after(**arguments) == pytest.approx(whole.after(**arguments), rel=1e-9)
        for each in (changes, whole):
            each.accept(removed=atom, added=0, position=position, in_place=True)
            each.accept(removed=3)
        assert changes.after(removed=7) == pytest.approx(whole.after(removed=7), rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("first", LOG_PROBABILITY)
def test_supercritical_content_and_energy(first):
    """T* = 1.5: ln Π(N) and U(N) between N = 0 and 24 and about ρ = 0.19."""
    expected, energies = np.array(LOG_PROBABILITY[first]), np.array(ENERGY[first])
    last = first + len(expected) - 1
    settings = FlatHistogramSettings(
        rounds=24, equilibration=4, moves_per_round=4000 if first == 0 else 6000, moves=mixture(1.5)
    )
    found = sample_flat_histogram(
        ensemble(Fluid(), UNIFORM, temperature=150.0),
        CHEMICAL_POTENTIAL * EPSILON,
        [(first, last)],
        [fluid(8.0, first + 1)],
        settings=settings,
        seed=4,
    )
    exact = expected - np.logaddexp.reduce(expected)
    found_log = found.log_probability()
    assert np.abs(found_log - exact).max() < 0.1
    assert (np.abs(found_log - exact) < LIMIT * found.log_probability_error() + 0.01).all()
    energy, error = (values / EPSILON for values in found.mean_energy())
    assert (np.abs(energy - energies) < 6 * error + 1e-5).all()
    np.testing.assert_allclose(energy, energies, rtol=0.1, atol=0.02)


@pytest.mark.slow
def test_supercritical_grand_canonical_means():
    """T* = 1.5 at a lower μ: ⟨N⟩ and ⟨U⟩ of NIST's distribution, reweighted."""
    table, energies = np.array(LOG_PROBABILITY[0]), np.array(ENERGY[0])
    ions = np.arange(len(table))
    chemical_potential = -6.6
    weights = table + ions * (chemical_potential - CHEMICAL_POTENTIAL) / 1.5
    probability = np.exp(weights - np.logaddexp.reduce(weights))
    assert probability[-1] < 1e-6
    walker = GrandCanonicalWalker(
        ensemble(Fluid(), UNIFORM, temperature=150.0), chemical_potential * EPSILON, mixture(2.0)
    )
    state, random, series = walker.init(fluid(8.0, 6)), np.random.default_rng(2), []
    for step in range(60000):
        state = walker.step(state, random)
        if step > 2000:
            series.append((state.configuration.ions, state.configuration.energy / EPSILON))
    found = np.array(series)
    assert abs(deviation(found[:, 0], probability @ ions)) < LIMIT
    assert abs(deviation(found[:, 1], probability @ energies)) < LIMIT


@pytest.mark.slow
def test_subcritical_vapour():
    """T* = 0.85: ⟨ρ⟩(μ), with ln z of ρ = 0.006 from NIST's pressures by ∂(βp)/∂(ln z) = ρ."""
    density = np.arange(0.001, 0.010, 0.002)
    compressibility = np.array(VAPOUR_PRESSURES) / (0.85 * density) - 1
    second, third = np.linalg.lstsq(np.stack([density, density**2], axis=1), compressibility, rcond=None)[0]
    wanted = 0.006
    log_activity = np.log(wanted) + 2 * second * wanted + 1.5 * third * wanted**2
    walker = GrandCanonicalWalker(
        ensemble(Fluid(), UNIFORM, temperature=85.0), 0.85 * log_activity * EPSILON, mixture(4.0)
    )
    state, random, series = walker.init(fluid(16.0, 25)), np.random.default_rng(3), []
    for step in range(80000):
        state = walker.step(state, random)
        if step > 4000:
            series.append(state.configuration.ions / 16.0**3)
    assert abs(deviation(series, wanted)) < LIMIT
    assert np.mean(series) == pytest.approx(wanted, rel=0.03)


@pytest.mark.slow
def test_subcritical_liquid_energy():
    """T* = 0.85, ρ = 0.776: U/N of 216 atoms by displacements."""
    atoms = 216
    configuration = fluid((atoms / 0.776) ** (1 / 3), atoms)
    target, random, series = ensemble(Fluid(), UNIFORM, temperature=85.0), np.random.default_rng(5), []
    for sweep in range(900):
        for _ in range(atoms):
            configuration = displacement_move(configuration, target, 0.12, random).configuration
        if sweep > 200:
            series.append(configuration.energy / EPSILON / atoms)
    error = np.std(series) * np.sqrt(statistical_inefficiency(series) / len(series))
    assert abs(np.mean(series) - LIQUID_ENERGY) < LIMIT * np.hypot(error, LIQUID_ERROR)
    assert error < 0.015
