"""Langevin bursts against closed forms: harmonic positions and velocities, energies at T and 1.1 T, volumes.

Means are compared at 4.5 standard errors with correlations counted, seeds fixed: each comparison fails at a
rate of 7e-6. Bounds in per cent on means and variances of volumes are about four standard errors (6e-5);
variances carry beside that the error of the rescalings, half of Δ/τ_p: 1 to 2 %.
"""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from sampling_models import (
    KT,
    TEMPERATURE,
    UNIFORM,
    IdealGas,
    Wells,
    deviation,
    ensemble,
    slope_of_energies,
    start,
    well_positions,
    wells_cell,
)

from scalebridge.foundation import InputError, constants
from scalebridge.potential import MomentTensorPotential
from scalebridge.potential._basis import generate_basis
from scalebridge.sampling import (
    BurstSettings,
    Configuration,
    EnergyModel,
    Evaluation,
    FlatHistogramSettings,
    GrandCanonicalSettings,
    HostCell,
    LadderSettings,
    LangevinSettings,
    PotentialModel,
    SiteDensity,
    burst_move,
    flat_histogram,
    hybrid_burst,
    ladder_tasks,
    langevin_burst,
    sample_flat_histogram,
    sample_ladder,
    statistical_inefficiency,
    strain_move,
)

LIMIT = 4.5
MASS = 20.0


class Crystal(EnergyModel):
    """Independent atoms ½k|x − s h|² about scaled places s, in a cell of quadratic energy in V.

    The integral over the atoms does not depend on h, so P(V) dV ∝ exp(−β(stiffness (V/V0 − 1)² + P V)) dV in
    both ensembles, for the energy of the shape depends on h/V^{1/3} alone.
    """

    def __init__(self, places, length, *, spring=2.0, stiffness=8 * KT, shear=4 * KT):
        self.species = ("Fe",)
        self.places, self.volume = np.asarray(places), length**3
        self.spring, self.stiffness, self.shear = spring, stiffness, shear

    def energy(self, types, positions, cell):
        return self.evaluate(types, positions, cell).energy

    def evaluate(self, types, positions, cell):
        away = positions - self.places @ cell
        volume = abs(np.linalg.det(cell))
        excess = volume / self.volume - 1
        metric = cell @ cell.T / volume ** (2 / 3)
        shape = float(np.trace(metric @ metric))
        energy = 0.5 * self.spring * np.sum(away**2) + self.stiffness * excess**2 + self.shear * (shape - 3)
        slope = self.spring * away.T @ away
        slope = slope + 2 * self.stiffness * excess * volume / self.volume * np.eye(3)
        slope = slope + 4 * self.shear * (cell.T @ metric @ cell / volume ** (2 / 3) - shape / 3 * np.eye(3))
        return Evaluation(float(energy), -self.spring * away, -slope)


def crystal(count=6, length=8.0, **options):
    """A crystal of count³ atoms, and a configuration with the atoms on their places."""
    grid = np.stack(np.meshgrid(*[(np.arange(count) + 0.5) / count] * 3, indexing="ij"), -1).reshape(-1, 3)
    model = Crystal(grid, length, **options)
    framework = Atoms(["Fe"] * len(grid), scaled_positions=grid, cell=[length] * 3, pbc=True)
    cell = HostCell(framework, np.zeros((0, 3)), 1, "Na")
    types = np.zeros(len(grid), dtype=np.int32)
    model.species = ("Fe", "Na")
    configuration = Configuration.from_atoms(cell, framework, model)
    assert np.array_equal(configuration.types, types)
    return model, configuration


def run(configuration, target, settings, *, seed, bursts):
    random = np.random.default_rng(seed)
    for _ in range(bursts):
        move = burst_move(configuration, target, settings, random)
        assert move.accepted
        configuration = move.configuration
        yield configuration


@pytest.mark.parametrize("phase", [0.4, 1.2])
def test_positions_of_oscillators_are_exact_and_velocities_known(phase):
    """⟨x²⟩ = kT/k at any stable step; ⟨v²⟩ = (kT/m)(1 − (ωh/2)²)."""
    model, configuration = crystal()
    timestep = phase / np.sqrt(model.spring / MASS) / constants.FEMTOSECOND
    settings = BurstSettings(8, timestep, langevin=LangevinSettings(friction=0.6 / timestep))
    places = configuration.positions
    positions, velocities = [], []
    for state in run(configuration, ensemble(model, UNIFORM), settings, seed=3, bursts=400):
        positions.append(np.mean((state.positions - places) ** 2))
        velocities.append(np.mean(state.velocities**2))
    assert np.std(positions[50:]) / np.mean(positions) < 0.1
    assert abs(deviation(positions[50:], KT / model.spring)) < LIMIT
    expected = KT / MASS * (1 - 0.25 * phase**2)
    assert abs(deviation(velocities[50:], expected)) < LIMIT
    assert abs(deviation(velocities[50:], KT / MASS)) > 2 * LIMIT


def test_ratio_of_energy_distributions():
    """ln[P(U|1.1 T)/P(U|T)] has the slope 1/kT − 1/1.1kT [Shirts 2013]: positions are exact at this step."""
    wells = Wells(well_positions(8), depth=0.0)
    settings = BurstSettings(5, 40.0, langevin=LangevinSettings(friction=0.01))

    def energies(temperature, seed):
        target = ensemble(wells, UNIFORM, temperature=temperature)
        states = run(start(wells_cell(wells), wells, range(8)), target, settings, seed=seed, bursts=2000)
        return np.array([state.energy for state in states][200:])

    found, error = slope_of_energies(energies(TEMPERATURE, 1), energies(1.1 * TEMPERATURE, 2))
    exact = (1 - 1 / 1.1) / KT
    assert error < 0.25 * exact
    assert abs(found - exact) < LIMIT * error


def no_interaction():
    """A potential of the core without interactions, for which a cell holds an ideal gas."""
    basis = generate_basis(2)
    return MomentTensorPotential(
        species=("Na",), level=2, basis=basis, min_distance=1.0, cutoff=3.0, scaling=1.0,
        radial=np.zeros((1, 1, basis.n_radial, 8)), xi=np.zeros(len(basis.scalars)), offsets=np.zeros(1),
        hard_core=np.zeros((1, 1)),
    )  # fmt: skip


def test_volumes_of_an_ideal_gas():
    """V^N e^{−βPV} dV: ⟨V⟩ = (N + 1) kT/P and a variance of (N + 1)(kT/P)², in the core."""
    atoms, pressure = 8, KT / 60.0
    model = PotentialModel(no_interaction())
    box = HostCell(Atoms(cell=[8.0] * 3, pbc=True), np.zeros((0, 3)), 1, "Na")
    places = np.random.default_rng(1).random((atoms, 3)) @ np.diag([8.0] * 3)
    first = Atoms(["Na"] * atoms, positions=places, cell=[8.0] * 3, pbc=True)
    bath = LangevinSettings(
        cell="isotropic", relaxation_time=200.0, compressibility=1 / pressure, every=1, friction=0.1
    )
    target = ensemble(model, UNIFORM, pressure=pressure)
    settings = BurstSettings(40, 4.0, langevin=bath)
    states = run(Configuration.from_atoms(box, first, model), target, settings, seed=2, bursts=1500)
    volume = np.array([state.volume for state in states][100:]) / 60.0
    assert abs(deviation(volume, atoms + 1)) < LIMIT
    assert abs(volume.mean() / (atoms + 1) - 1) < 0.06
    assert abs(volume.var() / (atoms + 1) - 1) < 0.25


@pytest.mark.parametrize("cell", ["isotropic", "full"])
def test_volumes_of_a_harmonic_crystal(cell):
    """A normal distribution of V, moved by the pressure; the atoms' kinetic and virial parts cancel."""
    model, configuration = crystal(count=3)
    if cell == "full":
        configuration = replace(configuration, cell=configuration.cell @ np.diag([1.05, 1.0, 1 / 1.05]))
    volume, stiffness = model.volume, model.stiffness
    pressure = 0.3 * stiffness / volume
    variance = KT * volume**2 / (2 * stiffness)
    centre = volume * (1 - pressure * volume / (2 * stiffness))
    bath = LangevinSettings(
        cell=cell, relaxation_time=100.0, compressibility=variance / (KT * centre), every=1, friction=0.05
    )
    target = ensemble(model, UNIFORM, pressure=pressure)
    settings = BurstSettings(20, 3.0, langevin=bath)
    states = run(configuration, target, settings, seed=5, bursts=1200)
    found = np.array([state.volume for state in states][200:])
    assert abs(deviation(found, centre)) < LIMIT
    assert abs(found.mean() - centre) < 0.05 * volume
    assert abs(found.var() / variance - 1) < 0.3


def test_baths_and_exact_moves_agree_on_a_stiff_framework_with_ions():
    """Moves of both kinds in turn sample the energies that exact ones sample alone."""
    wells = Wells(well_positions(4), bath=4)
    configuration = start(wells_cell(wells), wells, range(2))
    target, random = ensemble(wells, UNIFORM), np.random.default_rng(7)
    loose = BurstSettings(5, 15.0, langevin=LangevinSettings())
    energies = []
    for number in range(1500):
        kind = hybrid_burst if number % 2 else langevin_burst
        configuration = kind(configuration, target, loose, random).configuration
        energies.append(configuration.energy)
    exact = [start(wells_cell(wells), wells, range(2))]
    for _ in range(1500):
        exact.append(hybrid_burst(exact[-1], target, BurstSettings(5, 15.0), random).configuration)
    mixed, alone = np.array(energies[200:]), np.array([state.energy for state in exact[200:]])
    errors = [
        series.std() * np.sqrt(statistical_inefficiency(series) / len(series)) for series in (mixed, alone)
    ]
    assert max(errors) < 0.3 * KT
    assert abs(mixed.mean() - alone.mean()) < LIMIT * np.hypot(*errors)


def test_velocities_go_on_until_an_atom_comes_or_goes():
    wells = Wells(well_positions(3))
    configuration, target = start(wells_cell(wells), wells, range(2)), ensemble(wells, UNIFORM)
    random = np.random.default_rng(0)
    still = BurstSettings(1, 1e-6, langevin=LangevinSettings(friction=1e-9))
    first = burst_move(configuration, target, still, random).configuration
    second = burst_move(first, target, still, random).configuration
    np.testing.assert_allclose(second.velocities, first.velocities, rtol=1e-5)
    strained = strain_move(replace(first), target, 1e-6, random).configuration
    assert strained.velocities is not None
    assert first.with_atoms(first.positions[:1], 0.0).velocities is None
    assert hybrid_burst(first, target, BurstSettings(1, 1.0), random).configuration.velocities is not None


def test_baths_are_said_by_ladders_and_flat_histograms():
    wells = Wells(well_positions(2), depth=0.0)
    bath = LangevinSettings(cell="full", relaxation_time=700.0)
    burst = BurstSettings(10, 3.0, langevin=bath)
    moves = GrandCanonicalSettings(burst=burst)
    assert moves.changes_cells and not burst.exact
    (said,) = moves.approximations
    assert "10 steps of 3 fs were Langevin" in said and "700 fs" in said
    constant = BurstSettings(4, 20.0, langevin=LangevinSettings())
    assert not replace(moves, burst=constant).changes_cells
    options = LadderSettings(
        sweeps=40, equilibration=20, burst=constant, density=SiteDensity(width=0.3), cell_moves=0
    )
    (task,) = ladder_tasks(wells, [wells_cell(wells)] * 3, TEMPERATURE, settings=options)
    ladder = sample_ladder(task)
    (said,) = ladder.approximations
    assert said == constant.approximation and "rescaled" not in said
    assert ladder.rungs[2].counts["burst"].rate == 1.0


def test_a_checkpoint_keeps_velocities(tmp_path, monkeypatch):
    """A run that was stopped after half of its rounds ends bit for bit as one that was not."""
    wells = Wells(well_positions(2), depth=0.0)
    moves = GrandCanonicalSettings(burst=BurstSettings(3, 10.0, langevin=LangevinSettings()))
    settings = FlatHistogramSettings(rounds=12, blocks=2, equilibration=0, moves_per_round=7, moves=moves)
    original, calls = flat_histogram._round, []

    def stop_after_six(*arguments):
        calls.append(arguments)
        if len(calls) > 6:
            raise KeyboardInterrupt
        return original(*arguments)

    def sample(path):
        first = [start(wells_cell(wells), wells, [0])]
        target = ensemble(wells, UNIFORM)
        return sample_flat_histogram(target, 0.0, [(0, 2)], first, settings=settings, checkpoint=path, seed=3)

    whole = sample(None)
    monkeypatch.setattr(flat_histogram, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(flat_histogram, "_round", stop_after_six)
    with pytest.raises(KeyboardInterrupt):
        sample(tmp_path / "run.npz")
    monkeypatch.setattr(flat_histogram, "_round", original)
    resumed = sample(tmp_path / "run.npz")
    assert len(calls) == 7
    assert resumed.approximations == moves.approximations
    assert np.array_equal(resumed.energies, whole.energies)


def test_what_cannot_run_is_refused():
    with pytest.raises(InputError, match="is none"):
        LangevinSettings(friction=0.0)
    with pytest.raises(InputError, match="end before the cell is rescaled"):
        BurstSettings(3, 1.0, langevin=LangevinSettings(cell="full", every=5))
    gas = IdealGas()
    box = HostCell(Atoms(cell=[8.0] * 3, pbc=True), np.zeros((0, 3)), 1, "Na")
    first = Configuration.from_atoms(box, Atoms(["Na"], positions=[[0, 0, 0]], cell=[8.0] * 3, pbc=True), gas)
    bath = BurstSettings(5, 1.0, langevin=LangevinSettings(cell="isotropic"))
    with pytest.raises(InputError, match="gives none"):
        burst_move(first, ensemble(gas, UNIFORM), bath, np.random.default_rng(0))
    with pytest.raises(InputError, match="needs a bath"):
        langevin_burst(first, ensemble(gas, UNIFORM), BurstSettings(), np.random.default_rng(0))
