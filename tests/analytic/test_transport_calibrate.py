"""The prefactor of a barrier from counted hops: Poisson counts of a known rate, and the cosine landscape."""

from dataclasses import replace

import numpy as np
import pytest
from transport_models import BARRIER, ION, PERIOD, LandscapeCalculator, LandscapeModel, phase

from scalebridge.contracts import Provenance
from scalebridge.foundation import constants
from scalebridge.sampling import HostCell
from scalebridge.transport import (
    BarrierResult,
    BarrierSettings,
    BarrierTask,
    DiffusivityEstimate,
    DynamicsSettings,
    HopEnergies,
    TrajectoryResult,
    TrajectoryTask,
    combine,
    expected_hops,
    fit_prefactor,
    follow_sites,
    hop_network,
    run_barrier,
    run_trajectory,
)

PROVENANCE = Provenance(code_version="test", recipe_hash="0")
NU, ENERGY, SITES = 0.005, 0.2, 8
TEMPERATURES = (600.0, 750.0, 900.0)


def _barrier(member=0, energy=ENERGY, end="empty"):
    """Hops between nearest neighbours of the simple cubic lattice, 6 of them."""
    theta = 1 / SITES if end == "empty" else 1 - 1 / SITES
    energies = HopEnergies(0.0, 0.0, energy, NU)
    return BarrierResult(
        member, end, "cubic", 0, hop_network(phase(), ION), theta, theta, SITES, energies, None
    )


def _run(hops, temperature, member=0, ions=1, duration=15_000.0):
    d = PERIOD**2 * max(hops, 1) / (6 * ions * duration)
    estimate = DiffusivityEstimate(np.eye(3) * d, d, d)
    theta = ions / SITES
    return TrajectoryResult(
        member, "cubic", theta, theta, temperature, estimate, estimate, hops, hops == 0, temperature, ions,
        duration,
    )  # fmt: skip


def _rate(temperature, energy=ENERGY):
    return 6 * NU * np.exp(-energy / (constants.BOLTZMANN_EV * temperature))


@pytest.mark.parametrize(("end", "ions"), [("empty", 1), ("full", SITES - 1)])
def test_one_walker_leaves_its_site_at_the_sum_of_its_rates(end, ions):
    # One ion among vacancies and one vacancy among ions: no factor for occupied neighbours.
    run = _run(0, 700.0, ions=ions)
    assert expected_hops([_barrier(end=end)], run) == pytest.approx(_rate(700.0) * 15_000, rel=1e-12)


def test_neighbours_are_vacant_in_proportion():
    # Among 8 sites with 3 ions 5 of the 7 others are vacant.
    three = expected_hops([_barrier()], _run(0, 700.0, ions=3))
    assert three == pytest.approx(3 * 5 / 7 * expected_hops([_barrier()], _run(0, 700.0)), rel=1e-12)


def test_the_known_factor_is_recovered_within_the_stated_error():
    # 200 sets of three counts with r = 0.3; |ln r − ln 0.3| over its stated error has variance 1 within
    # its own sampling error √(2/200) = 0.1: outside 0.6 to 1.5 with probability below 1e-3, mean likewise.
    rng, true = np.random.default_rng(5), 0.3
    scores = []
    for _ in range(200):
        runs = []
        for temperature in TEMPERATURES:
            mean = true * _rate(temperature) * 15_000
            runs.append(_run(int(rng.poisson(mean)), temperature))
        found = fit_prefactor(runs, [_barrier()])
        scores.append(np.log(found.factors[0] / true) / np.sqrt(found.variances[0]))
        assert found.factors[0] == pytest.approx(found.hops / found.expected, rel=1e-12)
    assert abs(np.mean(scores)) < 0.3
    assert 0.6 < np.var(scores) < 1.5


def test_the_factor_maximises_the_likelihood():
    runs = [_run(h, t) for h, t in zip((2, 0, 7), TEMPERATURES, strict=True)]
    expected = np.array([expected_hops([_barrier()], run) for run in runs])
    hops = np.array([run.hops for run in runs])

    def likelihood(logarithm):
        return float((hops * (np.log(expected) + logarithm) - np.exp(logarithm) * expected).sum())

    found = fit_prefactor(runs, [_barrier()])
    best, step = np.log(found.factors[0]), 1e-3
    sides = likelihood(best + step), likelihood(best - step)
    assert likelihood(best) > max(sides)
    curvature = (sum(sides) - 2 * likelihood(best)) / step**2
    assert -1 / curvature == pytest.approx(found.variances[0], rel=1e-4)


def test_the_calibrated_end_keeps_its_energy_and_carries_the_counting_error():
    # Counts below LEAST_HOPS at every temperature: no Arrhenius fit of their own at this composition.
    runs = [_run(h, t, ions=2) for h, t in zip((2, 3, 4), TEMPERATURES, strict=True)]
    plain = combine([], [_barrier()], members=1, provenance=PROVENANCE)
    calibrated = combine(runs, [_barrier()], members=1, provenance=PROVENANCE)
    factor = 9 / sum(expected_hops([_barrier()], run) for run in runs)
    for before, after in zip(plain, calibrated, strict=True):
        assert after.methods == ("barrier, prefactor from hops seen in dynamics",)
        assert after.prefactor[0, 0] / before.prefactor[0, 0] == pytest.approx(factor, rel=1e-9)
        np.testing.assert_allclose(after.activation_energy, before.activation_energy, rtol=1e-12)
        np.testing.assert_allclose(after.covariance[0], [[1 / 9, 0], [0, 0]], atol=1e-12)
        assert "vineyard1957" in after.citations


def test_few_hops_are_pooled_over_the_members():
    barriers = [_barrier(0), _barrier(1, energy=0.25)]
    runs = [_run(6, 900.0, member=0, ions=2), _run(1, 900.0, member=1, ions=2)]
    found = fit_prefactor(runs, barriers)
    total = expected_hops(barriers[:1], runs[0]) + expected_hops(barriers[1:], runs[1])
    assert found.pooled and found.hops == 7
    assert found.factors == pytest.approx({0: 7 / total, 1: 7 / total}, rel=1e-12)
    # Two Poisson counts of a common factor: χ² = (h₀ − m₀)²/(7 p (1 − p)) with p = m₀/7, one freedom.
    share = expected_hops(barriers[:1], runs[0]) / total
    chi = (6 - 7 * share) ** 2 / (7 * share * (1 - share))
    assert chi > 1 and found.variances[1] == pytest.approx(chi / 7, rel=1e-9)
    alike = [replace(runs[0], hops=4), replace(runs[1], hops=2)]
    assert fit_prefactor(alike, barriers).variances[1] == pytest.approx(1 / 6, rel=1e-12)
    _, jump = combine(runs, barriers, members=2, provenance=PROVENANCE)
    assert sum("all members together" in remark for remark in jump.validity.remarks) == 1
    apart = jump.activation_energy[1, 0] - jump.activation_energy[0, 0]
    assert apart == pytest.approx(0.05 * constants.EV, rel=1e-6)
    enough = [runs[0], _run(5, 900.0, member=1, ions=2)]
    own = fit_prefactor(enough, barriers)
    assert not own.pooled
    assert own.factors[1] == pytest.approx(5 / expected_hops(barriers[1:], enough[1]), rel=1e-12)
    assert own.variances == {0: 1 / 6, 1: 1 / 5}


def test_no_hop_bounds_the_prefactor_and_says_so():
    runs = [_run(0, t, ions=2) for t in TEMPERATURES]
    expected = sum(expected_hops([_barrier()], run) for run in runs)
    assert expected > 1
    plain, _ = combine([], [_barrier()], members=1, provenance=PROVENANCE)
    bounded, _ = combine(runs, [_barrier()], members=1, provenance=PROVENANCE)
    assert bounded.methods == ("barrier, prefactor bounded by dynamics",)
    assert bounded.prefactor[0, 0] / plain.prefactor[0, 0] == pytest.approx(1 / expected, rel=1e-9)
    assert bounded.covariance[0, 0, 0] == pytest.approx(1.0)
    assert any("an upper bound" in remark for remark in bounded.validity.remarks)


def test_large_factors_and_few_hops_are_warned_of():
    expected = expected_hops([_barrier()], _run(0, 900.0, ions=2))
    assert 50 < expected < 150

    def warned(hops):
        said = []
        runs = [_run(hops, 900.0, ions=2)]
        combine(runs, [_barrier()], members=1, provenance=PROVENANCE, warn=said.append)
        return set(said)

    assert warned(round(expected / 2)) == set()
    # none, fewer than LEAST_HOPS, more than ten times fewer than expected
    for hops, seen in ((0, "no hop"), (1, "1 hop"), (3, "3 hops"), (5, "5 hops")):
        (text,) = warned(hops)
        assert f"saw {seen} where" in text


def test_ions_in_one_file_have_no_tracer_diffusivity_of_their_own():
    """On a chain D* is the block's, so that it is named as such; D_J is the vacancy's all the same."""
    chain = replace(_barrier(end="full"), network=hop_network(phase((1.0, 3.0, 3.0)), ION))
    said = []
    tracer, jump = combine([], [chain], members=1, provenance=PROVENANCE, warn=said.append)
    assert tracer.methods == ("barrier, single file",)
    assert jump.methods == ("barrier",)
    (text,) = said
    assert "ions in one file do not pass each other" in text
    expected = NU * np.exp(-ENERGY / (constants.BOLTZMANN_EV * 300)) * PERIOD**2 * 1e-5
    assert jump.along(np.array([1.0, 0, 0]), jump.theta, 300.0)[0] == pytest.approx(expected, rel=1e-2)


def test_dynamics_too_short_to_expect_a_hop_says_nothing():
    runs = [_run(0, t, ions=2, duration=1.0) for t in TEMPERATURES]
    assert fit_prefactor(runs, [_barrier()]) is None
    tracer, _ = combine(runs, [_barrier()], members=1, provenance=PROVENANCE)
    assert tracer.methods == ("barrier",)
    assert any("unchecked" in remark for remark in tracer.validity.remarks)


def test_only_the_nearest_composition_of_the_same_phase_counts():
    near, far = _run(3, 900.0, ions=2), _run(40, 900.0, ions=3)
    other = replace(near, phase="tetragonal", theta=1 / SITES, ions=1, hops=50)
    assert fit_prefactor([near, far, other], [_barrier()]).hops == 3
    assert fit_prefactor([_run(40, 900.0, ions=4)], [_barrier()]) is None
    assert fit_prefactor([other], [_barrier()]) is None
    assert fit_prefactor([near], []) is None


def test_members_share_their_remarks():
    runs = [_run(m, t, member=m, ions=2) for m in (0, 1) for t in TEMPERATURES]
    tracer, _ = combine(runs, [_barrier(0), _barrier(1)], members=2, provenance=PROVENANCE)
    few = [remark for remark in tracer.validity.remarks if "fewer than 3 temperatures" in remark]
    assert len(few) == 2
    assert few[0].replace("member 0", "") == few[1].replace("member 1", "")


def test_cosine_landscape_needs_a_factor_near_one():
    # Transition state theory bounds the true rate from above and recrossing costs at most a factor 3 here;
    # about 60 hops: a factor outside 1/3 − 3σ to 1 + 3σ has probability below 3e-3, and the seed is fixed.
    cell = HostCell.from_phase(phase(), ION, (2, 2, 2))
    settings = DynamicsSettings(timestep=3.0, burst=15, duration=45_000, equilibration=3_000)
    runs = [
        run_trajectory(TrajectoryTask(0, LandscapeModel(), cell, cell.atoms([0]), kelvin, settings=settings))
        for kelvin in (800.0, 1200.0)
    ]
    barrier = run_barrier(
        BarrierTask(0, LandscapeCalculator, phase(), ION, (2, 2, 2), "empty", 0, settings=BarrierSettings(5))
    )
    found = fit_prefactor(runs, [barrier])
    error = np.sqrt(found.variances[0])
    assert found.hops > 20
    assert np.exp(-3 * error) / 3 < found.factors[0] < np.exp(3 * error)
    tracer, _ = combine(runs, [barrier], members=1, provenance=PROVENANCE)
    assert tracer.methods == ("barrier, prefactor from hops seen in dynamics",)
    assert tracer.activation_energy[0, 0] == pytest.approx(BARRIER * constants.EV, rel=1e-3)


def test_an_ion_that_starts_between_sites_has_not_hopped():
    cell, sites = np.eye(3) * 3.0, np.array([[0.5, 0.5, 0.5]])
    along = np.array([2.9, 3.2, 4.5, 4.6, 4.5, 7.4])  # outside any core, then in one, then in the next
    positions = np.full((len(along), 1, 3), 1.5)
    positions[:, 0, 0] = along
    walk = follow_sites(positions, sites, cell)
    assert walk.hops == 1
    np.testing.assert_allclose(walk.positions[:, 0, 0], [4.5, 4.5, 4.5, 4.5, 4.5, 7.5])
