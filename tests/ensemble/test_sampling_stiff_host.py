"""Bare against switched exchanges with a moment tensor potential, in the core: the same ln Π(N).

Differences at fixed seeds are bounded by five combined jackknife errors of 16 blocks: by Student's t with 15
degrees of freedom one comparison fails with probability 1.6e-4, if blocks are long enough to be normal.
"""

import time

import numpy as np
import pytest
from stiff_host import CHEMICAL_POTENTIAL, stiff_ensemble, stiff_start

from scalebridge.sampling import (
    BurstSettings,
    FlatHistogramSettings,
    GrandCanonicalSettings,
    SwitchSettings,
    sample_flat_histogram,
)

BLOCKS = 16


def sample(ensemble, start, most, *, switching, weights, moves, rounds, chemical_potential):
    """Return ln[Π(N+1)/Π(N)], its errors, the mean acceptances of insertions, and the CPU time [s]."""
    settings = FlatHistogramSettings(
        rounds=rounds,
        equilibration=rounds // 8,
        moves_per_round=moves,
        blocks=BLOCKS,
        moves=GrandCanonicalSettings(
            weights={"burst": 1.0, **weights}, burst=BurstSettings(20, 4.0), switching=switching
        ),
    )
    begin = time.process_time()
    found = sample_flat_histogram(
        ensemble, chemical_potential, [(0, most)], [start], settings=settings, seed=1
    )
    seconds = time.process_time() - begin
    blocks = np.arange(BLOCKS)
    left_out = np.array([found.sums.log_ratios(np.delete(blocks, n)) for n in blocks])
    errors = np.sqrt((BLOCKS - 1) * left_out.var(axis=0))
    accepted = found.sums.up.sum(axis=0) / found.sums.up_attempts.sum(axis=0)
    return found.sums.log_ratios(blocks), errors, accepted, seconds


def test_a_roomy_host_where_both_are_precise():
    """Four atoms in a cell below the cutoff, where ions see their own images; large steps of time."""
    ensemble = stiff_ensemble(width=0.2)
    start = stiff_start(ensemble, 1, lattice=4.5)
    common = {"rounds": 32, "chemical_potential": -3.05}
    bare, error, *_ = sample(
        ensemble, start, 2, switching=SwitchSettings(0), weights={"exchange": 10.0}, moves=900, **common
    )
    switched, other, *_ = sample(
        ensemble,
        start,
        2,
        switching=SwitchSettings(8, 6.0),
        weights={"exchange": 2.0, "relocation": 0.5},
        moves=300,
        **common,
    )
    both = np.hypot(error, other)
    assert (both < 0.15).all()
    assert (np.abs(bare - switched) < 5 * both).all()


@pytest.mark.slow
def test_a_stiff_host():
    """The framework must move aside: accepted at least 20 times as often, and more samples per CPU-second."""
    ensemble = stiff_ensemble()
    start = stiff_start(ensemble, 2)
    common = {"rounds": 160, "chemical_potential": CHEMICAL_POTENTIAL}
    bare, error, rarely, long = sample(
        ensemble, start, 2, switching=SwitchSettings(0), weights={"exchange": 40.0}, moves=3000, **common
    )
    switched, other, often, short = sample(
        ensemble, start, 2, switching=SwitchSettings(40, 4.0), weights={"exchange": 1.0}, moves=110, **common
    )
    assert (np.abs(bare - switched) < 5 * np.hypot(error, other)).all()
    assert (other < 0.2).all() and (error < 0.8).all()
    assert (often > 20 * rarely).all()
    assert (1 / (other**2 * short) > 4 / (error**2 * long)).all()
