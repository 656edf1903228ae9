"""ln Π(N) by transition sums against exact distributions, and runs that are stopped and resumed.

Deviations at fixed seeds are bounded twice: by 0.05, and by five jackknife errors of eight blocks. By
Student's t with seven degrees of freedom one comparison of the second kind fails with probability 1.6e-3.
"""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from sampling_models import (
    KT,
    UNIFORM,
    CoupledWells,
    IdealGas,
    empty_box,
    ensemble,
    start,
    well_positions,
    wells_cell,
)
from scipy.special import gammaln
from stiff_host import stiff_ensemble, stiff_start

from scalebridge.foundation import ConvergenceError, InputError
from scalebridge.sampling import (
    BurstSettings,
    Configuration,
    FlatHistogramSettings,
    GrandCanonicalSettings,
    SiteDensity,
    SwitchSettings,
    even_windows,
    sample_flat_histogram,
)

EXCHANGES = GrandCanonicalSettings(weights={"exchange": 1.0})
MIXED = GrandCanonicalSettings(
    weights={"exchange": 6.0, "burst": 0.5, "displacement": 0.5, "relocation": 1.0},
    burst=BurstSettings(steps=4, timestep=20.0),
    displacement=0.3,
)


def ideal_gas(most, **changes):
    model = IdealGas(-0.3)
    cell, atoms = empty_box(10.0, ions=3)
    settings = replace(
        FlatHistogramSettings(rounds=16, equilibration=2, moves_per_round=400, moves=EXCHANGES), **changes
    )
    chemical_potential = -0.3 + KT * np.log(4.0 / 1000.0)
    configuration = Configuration.from_atoms(cell, atoms, model)
    found = sample_flat_histogram(
        ensemble(model, UNIFORM), chemical_potential, [(0, most)], [configuration], settings=settings, seed=3
    )
    return found, chemical_potential


def test_ideal_gas_is_exact_at_once():
    """Every acceptance is a function of N alone: ln Π(N) = N ln⟨N⟩ − ln N! without statistical error."""
    found, chemical_potential = ideal_gas(12)
    exact = found.ions * np.log(4.0) - gammaln(found.ions + 1)
    exact -= np.logaddexp.reduce(exact)
    np.testing.assert_allclose(found.log_probability(), exact, atol=1e-10)
    np.testing.assert_allclose(found.log_probability_error(), 0.0, atol=1e-10)
    other = found.ions * np.log(2.0) - gammaln(found.ions + 1)
    lower = chemical_potential - KT * np.log(2.0)
    np.testing.assert_allclose(found.log_probability(lower), other - np.logaddexp.reduce(other), atol=1e-10)
    mean, error = found.mean_ions(lower)
    assert mean == pytest.approx(np.exp(other - np.logaddexp.reduce(other)) @ found.ions, abs=1e-8)
    assert error < 1e-8
    energy, error = found.mean_energy()
    np.testing.assert_allclose(energy, -0.3 * found.ions)
    np.testing.assert_allclose(error, 0.0, atol=1e-12)


RINGS = [
    (5, 1, 0.05),
    *(pytest.param(8, w, c, marks=pytest.mark.slow) for w in (1, 2) for c in (0.05, -0.04)),
]


@pytest.mark.parametrize(("wells", "windows", "coupling"), RINGS)
def test_interacting_lattice_of_wells(wells, windows, coupling):
    """Wells on a ring that repel or attract their neighbours by some kT: largest error below 0.05."""
    model = CoupledWells(well_positions(wells), coupling_energy=coupling)
    cell = wells_cell(model)
    ranges = even_windows(0, wells, windows)
    starts = [start(cell, model, range(low)) for low, _ in ranges]
    rounds = 24 if wells == 5 else 96
    settings = FlatHistogramSettings(
        rounds=rounds, equilibration=4, moves_per_round=1600 // windows, moves=MIXED
    )
    target = ensemble(model, SiteDensity(width=0.3, vacant_only=True))
    chemical_potential = -KT * model.log_weight()
    found = sample_flat_histogram(target, chemical_potential, ranges, starts, settings=settings, seed=1)
    partition = model.log_partition_functions()
    exact = partition + found.ions * chemical_potential / KT
    deviation = found.log_probability() - (exact - np.logaddexp.reduce(exact))
    assert np.abs(deviation).max() <= 0.05
    assert (np.abs(deviation) < 5 * found.log_probability_error() + 1e-3).all()
    np.testing.assert_allclose(found.free_energy(), KT * (partition[0] - partition), atol=0.1 * KT)


@pytest.mark.parametrize(("host", "steps"), [("wells", 0), ("wells", 3), ("potential", 0), ("potential", 3)])
def test_a_stopped_run_goes_on_bit_for_bit(tmp_path, monkeypatch, host, steps):
    ranges = even_windows(0, 6, 2)
    if host == "wells":
        model = CoupledWells(well_positions(6), coupling_energy=0.05)
        target = ensemble(model, SiteDensity(width=0.3, vacant_only=True))
        begin, chemical_potential = partial(start, wells_cell(model), model), -KT * model.log_weight()
    else:
        target, chemical_potential = stiff_ensemble(), 0.0
        begin = partial(stiff_start, target, 2)
    moves = replace(MIXED, switching=SwitchSettings(steps, 10.0))
    settings = FlatHistogramSettings(rounds=8, equilibration=2, moves_per_round=60, blocks=4, moves=moves)

    def run(checkpoint, seed=5, target=target):
        starts = [begin(range(low)) for low, _ in ranges]
        return sample_flat_histogram(
            target,
            chemical_potential,
            ranges,
            starts,
            settings=settings,
            seed=seed,
            checkpoint=checkpoint,
        )

    whole = run(None)
    monkeypatch.setattr("scalebridge.sampling.flat_histogram.CHECKPOINT_SECONDS", 0.0)
    calls = 0

    def stop_later(*arguments):
        nonlocal calls
        calls += 1
        if calls > 5:
            raise KeyboardInterrupt
        return original(*arguments)

    from scalebridge.sampling import flat_histogram

    original = flat_histogram._round
    monkeypatch.setattr(flat_histogram, "_round", stop_later)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run.npz")
    monkeypatch.setattr(flat_histogram, "_round", original)
    resumed = run(tmp_path / "run.npz")
    for name in ("up", "down", "up_attempts", "down_attempts"):
        np.testing.assert_array_equal(getattr(resumed.sums, name), getattr(whole.sums, name))
    np.testing.assert_array_equal(resumed.energies, whole.energies)
    with pytest.raises(InputError, match=r"is of another run: seed differ; name another file or remove it"):
        run(tmp_path / "run.npz", seed=6)
    with pytest.raises(InputError, match=r"is of another run: masses differ"):
        run(tmp_path / "run.npz", target=replace(target, masses=2 * target.masses))
    other = (
        stiff_ensemble(level=6).model
        if host == "potential"
        else CoupledWells(model.wells, coupling_energy=0.04)
    )
    with pytest.raises(InputError, match=r"is of another run: model differ"):
        run(tmp_path / "run.npz", target=replace(target, model=other))
    (tmp_path / "run.npz").write_bytes(b"not a checkpoint")
    with pytest.raises(InputError, match=r"is damaged .* remove it to start the run anew"):
        run(tmp_path / "run.npz")


def test_a_content_that_was_never_reached_is_named():
    found, _ = ideal_gas(12, rounds=2, blocks=2, equilibration=0, moves_per_round=4)
    with pytest.raises(
        ConvergenceError, match=r"no acceptable insertion at N = \d+ or deletion at N = \d+ was"
    ):
        found.log_probability()


def test_windows_and_mistakes():
    assert even_windows(0, 8, 1) == ((0, 8),)
    assert even_windows(0, 9, 3) == ((0, 4), (3, 7), (6, 9))
    with pytest.raises(InputError, match="5 windows do not fit between N = 0 and 8; use at most 4"):
        even_windows(0, 8, 5)
    with pytest.raises(InputError, match="a multiple of them as rounds"):
        FlatHistogramSettings(rounds=9, blocks=4)
    with pytest.raises(InputError, match="have no exchanges"):
        FlatHistogramSettings(moves=GrandCanonicalSettings(weights={"burst": 1.0}))
    model = CoupledWells(well_positions(6), coupling_energy=0.05)
    cell = wells_cell(model)
    target = ensemble(model, UNIFORM)
    empty, half = start(cell, model), start(cell, model, range(3))
    with pytest.raises(InputError, match="no window covers the step from 2 to 3 ions"):
        sample_flat_histogram(target, 0.0, [(0, 2), (3, 6)], [empty, half])
    with pytest.raises(InputError, match="the start with 0 ions is not inside its window from 1 to 6"):
        sample_flat_histogram(target, 0.0, [(1, 6)], [empty])
    with pytest.raises(InputError, match="1 starts for 2 windows"):
        sample_flat_histogram(target, 0.0, [(0, 3), (3, 6)], [empty])
