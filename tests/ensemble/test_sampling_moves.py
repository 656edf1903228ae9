"""Hybrid Monte Carlo and cell moves against closed forms.

Every comparison is |mean − exact| < 4.5 standard errors, seeds fixed: each fails with probability 7e-6.
"""

import numpy as np
import pytest
from ase import Atoms
from sampling_models import (
    KT,
    UNIFORM,
    CoupledWells,
    IdealGas,
    LennardJones,
    UnequalWells,
    Wells,
    deviation,
    empty_box,
    ensemble,
    start,
    well_positions,
    wells_cell,
)

from scalebridge.sampling import (
    BurstSettings,
    Configuration,
    Schedule,
    SiteDensity,
    SwitchSettings,
    displacement_move,
    hybrid_burst,
    relocation_trial,
    strain_move,
    volume_move,
)
from scalebridge.sampling.moves import accept

LIMIT = 4.5


def test_bursts_sample_harmonic_energies_at_any_time_step():
    """3N harmonic coordinates: ⟨U⟩ = 3NkT/2, var U = 3N(kT)²/2, even near the limit of stability."""
    model = Wells(well_positions(4), depth=0.0)
    configuration = start(wells_cell(model), model, [0, 1, 2, 3])
    rng = np.random.default_rng(1)
    energies, accepted = [], 0
    settings = BurstSettings(steps=3, timestep=90.0)
    for _ in range(6000):
        move = hybrid_burst(configuration, ensemble(model, UNIFORM), settings, rng)
        configuration, accepted = move.configuration, accepted + move.accepted
        energies.append(configuration.energy)
    energies = np.array(energies[500:])
    assert 0.1 < accepted / 6000 < 0.95
    assert abs(deviation(energies, 6 * KT)) < LIMIT
    assert abs(deviation((energies - 6 * KT) ** 2, 6 * KT**2)) < LIMIT


def test_bursts_without_metropolis_are_biased_at_large_steps_and_not_at_small():
    """Without the acceptance step the energy is off by O(timestep²), and right at a small one."""
    model = Wells(well_positions(2), depth=0.0)
    deviations = []
    for timestep, steps in ((90.0, 3), (20.0, 13)):
        configuration = start(wells_cell(model), model, [0, 1])
        rng = np.random.default_rng(2)
        energies = []
        for _ in range(1200):
            settings = BurstSettings(steps, timestep, metropolis=False)
            configuration = hybrid_burst(configuration, ensemble(model, UNIFORM), settings, rng).configuration
            energies.append(configuration.energy)
        deviations.append(abs(deviation(energies[200:], 3 * KT)))
    assert deviations[0] > 8
    assert deviations[1] < LIMIT


def test_constant_pressure_ideal_gas_volume():
    """V has the Gamma density V^N exp(−βpV): ⟨V⟩ = (N+1)kT/p, var V = (N+1)(kT/p)²."""
    ions, pressure = 4, KT / 200.0
    model = IdealGas()
    cell, atoms = empty_box(10.0, ions=ions)
    configuration = Configuration.from_atoms(cell, atoms, model)
    rng = np.random.default_rng(3)
    volumes = []
    for _ in range(12000):
        surroundings = ensemble(model, UNIFORM, pressure=pressure)
        configuration = volume_move(configuration, surroundings, 1.0, rng).configuration
        volumes.append(configuration.volume)
    volumes = np.array(volumes[500:])
    mean = (ions + 1) * 200.0
    assert abs(deviation(volumes, mean)) < LIMIT
    assert abs(deviation((volumes - mean) ** 2, mean * 200.0)) < LIMIT


class ElasticCell(IdealGas):
    """An energy of the cell alone, a penalty on its metric."""

    def energy(self, types, positions, cell):
        metric = cell @ cell.T / 100.0
        return 2.0 * float(np.sum((metric - np.eye(3)) ** 2))


def test_strain_moves_agree_with_numerical_integration_over_cells():
    """Mean of the metric's invariants against a direct Monte Carlo integral over cell matrices dh V^{N−2}."""
    ions = 2
    model = ElasticCell()
    cell, atoms = empty_box(10.0, ions=ions)
    configuration = Configuration.from_atoms(cell, atoms, model)
    rng = np.random.default_rng(4)
    volumes, lengths = [], []
    for _ in range(6000):
        configuration = strain_move(configuration, ensemble(model, UNIFORM), 0.05, rng).configuration
        volumes.append(configuration.volume / 1000)
        lengths.append(np.sum(configuration.cell**2) / 100)
    # importance sampling of h = 10 (1 + s g), g a 3x3 normal matrix, in the nine components
    spread = 0.08
    noise = rng.standard_normal((150000, 3, 3))
    matrices = np.eye(3) + spread * noise
    determinant = np.linalg.det(matrices)
    metric = matrices @ matrices.transpose(0, 2, 1)
    log_weight = -2.0 * np.sum((metric - np.eye(3)) ** 2, axis=(1, 2)) / KT
    # the energy does not change on rotation: the gauge weights the antisymmetric part by a normal density
    log_weight += (ions - 2) * np.log(np.abs(determinant)) + 0.5 * np.sum(noise**2, axis=(1, 2))
    angles = 0.5 * (noise - noise.transpose(0, 2, 1))
    log_weight -= 0.5 * np.sum(angles**2, axis=(1, 2))
    weight = np.exp(log_weight - log_weight.max())
    assert weight.sum() ** 2 / np.sum(weight**2) > 2000
    for series, values in ((volumes, determinant), (lengths, np.trace(metric, axis1=1, axis2=2))):
        reference = np.sum(weight * values) / weight.sum()
        error = np.sqrt(np.sum(weight**2 * (values - reference) ** 2)) / weight.sum()
        sampled = np.array(series[500:])
        own = (sampled.mean() - reference) / deviation(sampled, reference)
        assert abs(sampled.mean() - reference) < LIMIT * np.hypot(own, error)


def test_relocations_alone_visit_equal_wells_equally():
    """One ion on four equal wells by relocations only: each is visited a quarter of the time."""
    model = Wells(well_positions(4))
    surroundings = ensemble(model, SiteDensity(width=0.3, vacant_only=True))
    configuration = start(wells_cell(model), model, [0])
    rng = np.random.default_rng(6)
    wells = []
    for _ in range(1500):
        trial = relocation_trial(configuration, surroundings, SwitchSettings(3, 10.0), rng)
        if trial.configuration is not None and accept(trial.work, KT, rng):
            configuration = trial.configuration
        wells.append(int(configuration.ion_positions()[0, 0] % 16.0 // 4.0))
    for well in range(4):
        assert abs(deviation(np.array(wells) == well, 0.25)) < LIMIT


@pytest.mark.parametrize("switching", [SwitchSettings(0), SwitchSettings(3, 10.0), None])
@pytest.mark.parametrize("vacant_only", [True, False])
def test_relocations_weigh_neighbours_by_their_energy(vacant_only, switching):
    """Two ions on a ring of four wells: 4 pairs of neighbours, 2 across, by enumeration of the six states.

    Bare, switched, and switched on a schedule that is all but flat in the middle.
    """
    model = CoupledWells(well_positions(4), coupling_energy=0.04)
    surroundings = ensemble(model, SiteDensity(width=0.3, vacant_only=vacant_only))
    knots = (0.0, 0.45, 0.5, 0.55, 1.0)
    switching = switching or SwitchSettings(3, 10.0, schedule=Schedule((0.0, 0.1, 1.0), knots))
    configuration = start(wells_cell(model), model, [0, 1])
    rng, neighbours = np.random.default_rng(9), []
    for _ in range(2000):
        trial = relocation_trial(configuration, surroundings, switching, rng)
        if trial.configuration is not None and accept(trial.work, KT, rng):
            configuration = trial.configuration
        wells = (configuration.ion_positions()[:, 0] % 16.0 // 4.0).astype(int)
        neighbours.append((wells[1] - wells[0]) % 4 != 2)
    weight = 4 * np.exp(-0.04 / KT)
    assert abs(deviation(neighbours, weight / (weight + 2))) < LIMIT


@pytest.mark.parametrize("reversible", [True, False])
def test_relocations_between_unequal_wells_keep_detailed_balance(monkeypatch, reversible):
    """One ion in a soft or a stiff well, switched in three large steps: either is exactly as likely.

    Strengths t² are not their own reverse: they lose more work on one way than on the other, for the stiff
    well drags more, and the occupation is seven standard errors off. Between equal wells the two ways cancel.
    """
    model = UnequalWells(well_positions(2), [0.4, 8.0])
    surroundings = ensemble(model, SiteDensity(width=0.2, vacant_only=True))
    if not reversible:
        monkeypatch.setattr(SwitchSettings, "strengths", lambda _, times, *, relocation=False: times**2)
    configuration, rng, stiff = start(wells_cell(model), model, [0]), np.random.default_rng(1), []
    for _ in range(3000):
        trial = relocation_trial(configuration, surroundings, SwitchSettings(3, 20.2), rng)
        if trial.configuration is not None and accept(trial.work, KT, rng):
            configuration = trial.configuration
        stiff.append(configuration.ion_positions()[0, 0] % 8.0 > 4.0)
    off = abs(deviation(stiff, model.probabilities()[1]))
    assert off < LIMIT if reversible else off > LIMIT + 1


@pytest.mark.parametrize("bath", [0, 2])
def test_displacements_alone_sample_harmonic_energies(bath):
    """Framework atoms and ions one at a time: ⟨U⟩ = U_min + kT/2 per coordinate, as exact bursts have it."""
    model = Wells(well_positions(2), depth=0.0, bath=bath, coupling=0.0, stiffness=1.5)
    configuration = start(wells_cell(model), model, [0, 1])
    rng, energies, surroundings = np.random.default_rng(10), [], ensemble(model, UNIFORM)
    accepted = 0
    for _ in range(12000):
        move = displacement_move(configuration, surroundings, 0.2, rng)
        configuration, accepted = move.configuration, accepted + move.accepted
        energies.append(configuration.energy)
    assert 0.2 < accepted / 12000 < 0.9
    assert configuration.energy == pytest.approx(
        model.energy(None, configuration.positions, configuration.cell), abs=1e-10
    )
    coordinates = 3 * (2 + bath)
    assert abs(deviation(energies[1000:], 0.5 * coordinates * KT)) < LIMIT


def test_lennard_jones_pair_correlation_of_two_atoms():
    """Two atoms in a box: the mean energy equals the radial integral of u e^{−βu}."""
    model = LennardJones(epsilon=0.03)
    length = 15.0
    cell, _ = empty_box(length)
    atoms = Atoms(["Na", "Na"], positions=[[0, 0, 0], [3.5, 0, 0]], cell=[length] * 3, pbc=True)
    configuration = Configuration.from_atoms(cell, atoms, model)
    rng = np.random.default_rng(7)
    energies = []
    for _ in range(2500):
        configuration = hybrid_burst(
            configuration, ensemble(model, UNIFORM), BurstSettings(12, 60.0), rng
        ).configuration
        energies.append(configuration.energy)
    radii = np.linspace(1.5, model.cutoff, 20001)[1:]
    six = (model.sigma / radii) ** 6
    cut = (model.sigma / model.cutoff) ** 6
    energy = 4 * model.epsilon * (six**2 - six - cut**2 + cut)
    shell = 4 * np.pi * radii**2 * (radii[1] - radii[0])
    inside = np.sum(shell * np.exp(-energy / KT))
    outside = length**3 - 4 / 3 * np.pi * model.cutoff**3
    exact = np.sum(shell * energy * np.exp(-energy / KT)) / (inside + outside)
    assert abs(deviation(energies[200:], exact)) < LIMIT
