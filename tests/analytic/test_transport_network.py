"""Diffusivity of walkers on periodic networks against closed forms."""

import itertools

import numpy as np
import pytest
from ase import Atoms
from ase.geometry import cellpar_to_cell

from scalebridge.foundation import InputError, constants
from scalebridge.transport import (
    HopEnergies,
    JumpChain,
    find_hops,
    solve_diffusivity,
    solve_vacancy_tracer,
    solve_walker_diffusivity,
    walker_chain,
)

NU = 0.01  # 1/fs
T = 300.0


def _empty(cell):
    return Atoms("X", positions=[[0.0, 0.0, 0.0]], cell=cell, pbc=True)


def test_simple_cubic_is_gamma_a_squared():
    a = 3.0
    framework = _empty(np.eye(3) * a)
    network = find_hops(framework, np.array([[0.5, 0.5, 0.5]]))
    assert len(network.start) == 6 and network.classes.max() == 0
    energies = (HopEnergies(0.0, 0.0, 0.3, NU),)
    rate = NU * np.exp(-0.3 / (constants.BOLTZMANN_EV * T))
    # D* = z a² Γ / (2 d) = a² Γ
    np.testing.assert_allclose(
        solve_walker_diffusivity(network, energies, T), np.eye(3) * rate * a * a, rtol=1e-12, atol=1e-30
    )


def test_supercell_of_simple_cubic_gives_the_same_tensor():
    framework = _empty(np.eye(3) * 3.0).repeat(2)
    sites = framework.get_scaled_positions() + 0.25
    network = find_hops(framework, sites)
    assert len(network.start) == 48 and network.classes.max() == 0 and network.orbits.max() == 0
    d = solve_diffusivity(
        JumpChain(np.ones(8), network.start, network.end, np.full(48, 0.7), network.vectors)
    )
    np.testing.assert_allclose(d, np.eye(3) * 0.7 * 9.0, atol=1e-12)


def test_chain_with_alternating_rates_has_the_harmonic_mean():
    a, fast, slow = 2.0, 5.0, 0.3
    start = np.array([0, 1, 1, 0])
    end = np.array([1, 0, 0, 1])
    step = np.array([[a, 0, 0], [-a, 0, 0], [a, 0, 0], [-a, 0, 0]])
    chain = JumpChain(np.ones(2), start, end, np.array([fast, fast, slow, slow]), step)
    expected = a * a * 2 * fast * slow / (fast + slow)
    d = solve_diffusivity(chain)
    assert d[0, 0] == pytest.approx(expected, rel=1e-12)
    assert np.abs(d).sum() == pytest.approx(expected, rel=1e-12)


def test_chain_of_unequal_sites_has_the_known_diffusivity():
    # One-dimensional chain, energies E_i and saddle energies S_i: D = a² ν n² / (Σ e^{-βE} Σ e^{+βS}).
    rng = np.random.default_rng(3)
    n, beta = 5, 4.0
    energy, saddle = rng.uniform(0, 0.5, n), rng.uniform(0.8, 1.2, n)
    i = np.arange(n)
    j = (i + 1) % n
    forward, backward = np.exp(-beta * (saddle - energy[i])), np.exp(-beta * (saddle - energy[j]))
    step = np.tile([1.5, 0.0, 0.0], (n, 1))
    chain = JumpChain(
        np.exp(-beta * energy),
        np.concatenate([i, j]),
        np.concatenate([j, i]),
        np.concatenate([forward, backward]),
        np.concatenate([step, -step]),
    )
    expected = 1.5**2 * n**2 / (np.exp(-beta * energy).sum() * np.exp(beta * saddle).sum())
    assert solve_diffusivity(chain)[0, 0] == pytest.approx(expected, rel=1e-10)


def test_honeycomb_has_no_correlation_of_equal_rates():
    a = 1.42
    lattice = np.array([[np.sqrt(3) * a, 0, 0], [np.sqrt(3) / 2 * a, 1.5 * a, 0], [0, 0, 20.0]])
    framework = Atoms("X", positions=[[0, 0, 10.0]], cell=lattice, pbc=True)
    sites = np.array([[1 / 3, 1 / 3, 0.5], [2 / 3, 2 / 3, 0.5]])
    network = find_hops(framework, sites)
    assert len(network.start) == 6
    assert network.classes.max() == 0
    # b = 0 on neither site alone moves the mean: D = z Γ a²/(2d) with z = 3, d = 2; the two sublattices'
    # drifts vanish by the three-fold axis.
    d = solve_diffusivity(JumpChain(np.ones(2), network.start, network.end, np.ones(6), network.vectors))
    np.testing.assert_allclose(d, np.diag([0.75 * a * a, 0.75 * a * a, 0.0]), atol=1e-12)


def test_honeycomb_with_one_slow_bond_matches_a_lattice_walk():
    # Anisotropic honeycomb: bond 0 has rate r, bonds 1 and 2 rate 1. Along y the walk alternates bond 0
    # and a pair of bonds in parallel: resistors give D_yy = (3a/2)² / (1/r + 1/2) / 2 per hop pair.
    a, r = 1.0, 0.2
    up = np.array([0, a, 0])
    left, right = np.array([-np.sqrt(3) / 2, -0.5, 0]) * a, np.array([np.sqrt(3) / 2, -0.5, 0]) * a
    vectors = np.array([up, left, right, -up, -left, -right])
    rates = np.array([r, 1, 1, r, 1, 1.0])
    chain = JumpChain(np.ones(2), np.array([0, 0, 0, 1, 1, 1]), np.array([1, 1, 1, 0, 0, 0]), rates, vectors)
    d = solve_diffusivity(chain)
    # Conductance of the series (r, then 2 in parallel) over the repeat 1.5 a, two states per repeat.
    expected_yy = (1.5 * a) ** 2 / 2 / (1 / r + 1 / 2)
    assert d[1, 1] == pytest.approx(expected_yy, rel=1e-12)
    assert d[0, 0] == pytest.approx(0.5 * 2 * 0.75 * a * a, rel=1e-12)


def test_rates_without_a_stationary_state_are_refused():
    chain = JumpChain(
        np.ones(2), np.array([0, 1]), np.array([1, 0]), np.array([1.0, 2.0]), np.array([[1.0, 0, 0]] * 2)
    )
    with pytest.raises(InputError, match="stationary"):
        solve_diffusivity(chain)


def test_vacancy_correlation_factor_of_the_simple_cubic_lattice():
    framework = _empty(np.eye(3) * 2.0)
    network = find_hops(framework, np.array([[0.5, 0.5, 0.5]]))
    chain = walker_chain(network, (HopEnergies(0.0, 0.0, 0.2, NU),), T)
    tracer = solve_vacancy_tracer(network.cell, chain, blocks=(8, 10))
    # Compaan and Haven (1956): 0.6531.
    assert tracer.correlation_factor == pytest.approx(0.6531, abs=2e-3)


def test_vacancy_correlation_factor_of_the_face_centred_lattice():
    a = 4.0
    cell = 0.5 * a * (np.ones((3, 3)) - np.eye(3))
    network = find_hops(_empty(cell), np.array([[0.5, 0.5, 0.5]]))
    assert len(network.start) == 12
    chain = walker_chain(network, (HopEnergies(0.0, 0.0, 0.2, NU),), T)
    tracer = solve_vacancy_tracer(network.cell, chain, blocks=(8, 10))
    # Compaan and Haven (1956): 0.7815.
    assert tracer.correlation_factor == pytest.approx(0.7815, abs=2e-3)


def test_vacancy_on_a_chain_has_no_tracer_diffusion():
    network = find_hops(_empty(np.diag([2.0, 30.0, 30.0])), np.array([[0.5, 0.5, 0.5]]))
    assert len(network.start) == 2
    chain = walker_chain(network, (HopEnergies(0.0, 0.0, 0.2, NU),), T)
    n = 20
    states = np.arange(n)
    block = JumpChain(
        np.ones(n),
        np.concatenate([states, states]),
        np.concatenate([(states + 1) % n, (states - 1) % n]),
        np.full(2 * n, chain.rates[0]),
        np.concatenate([np.tile([2.0, 0, 0], (n, 1)), np.tile([-2.0, 0, 0], (n, 1))]),
    )
    tracer = solve_vacancy_tracer(np.diag([2.0 * n, 30.0, 30.0]), block, blocks=(1, 2))
    assert tracer.correlation_factor == pytest.approx(0.0, abs=2e-3)
    # On a ring of N sites a turn of the vacancy moves the tracer by one: D* = D_v/(N − 1)².
    ring = tracer.finite[0, 0] / tracer.vacancy_diffusivity[0, 0]
    assert ring == pytest.approx(1 / (2 * n - 1), rel=1e-9)


def test_parallel_chains_of_several_sites_do_not_help_the_tracer():
    # Two chains per cell, two sites each, as in olivines: a ring of 2 L sites gives f = 1/(2 L − 1) exactly.
    sites = np.array([[0.25, 0.0, 0.25], [0.25, 0.5, 0.25], [0.75, 0.0, 0.75], [0.75, 0.5, 0.75]])
    network = find_hops(_empty(np.diag([10.0, 6.0, 9.0])), sites)
    assert len(network.start) == 8 and network.classes.max() == 0
    chain = walker_chain(network, (HopEnergies(0.0, 0.0, 0.2, NU),), T)
    tracer = solve_vacancy_tracer(network.cell, chain, blocks=(4, 6))
    assert np.trace(tracer.finite) / np.trace(tracer.vacancy_diffusivity) == pytest.approx(1 / 11, rel=1e-9)
    assert tracer.correlation_factor < 0.01


def test_hops_of_two_lengths_fall_in_two_classes():
    framework = _empty(np.diag([3.0, 3.0, 3.3]))
    network = find_hops(framework, np.array([[0.5, 0.5, 0.5]]))
    assert len(network.start) == 6
    assert sorted(np.bincount(network.classes).tolist()) == [2, 4]


def _rhombohedral(angle, shift):
    """Return eight subcubes of a sheared cube and their sites, moved by ± ``shift`` along its diagonal."""
    cell = cellpar_to_cell([9.956] * 3 + [angle] * 3)
    corners = np.array(list(itertools.product((0, 1), repeat=3)))
    sign = np.where(corners.sum(axis=1) % 2, -1, 1)[:, None]
    return _empty(0.5 * cell).repeat(2), 0.25 + 0.5 * corners + sign * shift


@pytest.mark.parametrize(("angle", "shift"), [(90.0, 0.0), (84.09, 0.0), (84.09, -0.02146), (93.0, 0.01)])
def test_a_distorted_simple_cubic_lattice_keeps_its_six_neighbours(angle, shift):
    framework, sites = _rhombohedral(angle, shift)
    network = find_hops(framework, sites)
    np.testing.assert_array_equal(np.bincount(network.start), 6)
    assert network.dimensions == 3
    assert network.left_out == ()
    classes = network.classes.max() + 1
    assert classes == (2 if shift else 1)
    diffusivity = solve_walker_diffusivity(network, (HopEnergies(0.0, 0.0, 0.3, NU),) * classes, T)
    values = np.linalg.eigvalsh(diffusivity)
    assert values.min() > 0.5 * values.max()


def test_sites_of_rhombohedral_hexacyanoferrate_have_neighbours_at_two_distances():
    network = find_hops(*_rhombohedral(84.09, -0.02146))
    lengths = np.sort(np.linalg.norm(network.vectors[network.start == 0], axis=1))
    np.testing.assert_allclose(lengths, [4.507] * 3 + [5.529] * 3, atol=2e-3)


@pytest.mark.parametrize(
    ("primitive", "neighbours"),
    [(np.ones((3, 3)) - np.eye(3), 12), (np.ones((3, 3)) - 2 * np.eye(3), 8)],
    ids=["face-centred", "body-centred"],
)
@pytest.mark.parametrize("stretch", [0.97, 1.0, 1.03])
def test_close_packed_lattices_keep_their_neighbours(primitive, neighbours, stretch):
    cell = 2.0 * primitive @ np.diag([1.0, 1.0, stretch])
    network = find_hops(_empty(cell), np.array([[0.5, 0.5, 0.5]]))
    assert len(network.start) == neighbours


def test_channels_far_apart_stay_one_dimensional_and_near_ones_are_joined():
    # Sites of LiFePO4: 3.0 Å along the channel; 4.69 and 5.67 Å across, 5.57 Å being a detour over 4.69 Å.
    sites = np.array([[0.0, 0.0, 0.0], [0.5, 0.0, 0.5], [0.0, 0.5, 0.0], [0.5, 0.5, 0.5]])
    olivine = _empty(np.diag([10.332, 6.010, 4.692]))
    network = find_hops(olivine, sites)
    assert network.dimensions == 1
    assert len(network.start) == 8
    assert network.left_out == (4.69, 5.67)
    wide = find_hops(olivine, sites, cutoff_factor=2.0)
    assert wide.dimensions == 3
    assert len(wide.start) == 4 * (2 + 2 + 4)
    near = find_hops(_empty(np.diag([10.332, 6.010, 4.4])), sites)
    assert near.dimensions == 2


def test_cutoff_grows_until_the_walker_leaves_its_cluster():
    # Pairs of sites 1 Å apart, 1.7 Å to the next pair: with 1.5 × 1 Å the walker would stay in its pair.
    framework = _empty(np.diag([2.7, 8.0, 8.0]))
    network = find_hops(framework, np.array([[0.0, 0.5, 0.5], [1 / 2.7, 0.5, 0.5]]))
    assert len(network.start) == 4
    assert sorted(np.round(np.abs(network.vectors[:, 0]), 9).tolist()) == [1.0, 1.0, 1.7, 1.7]
    with pytest.raises(InputError, match="lead nowhere"):
        find_hops(_empty(np.diag([4.0, 8.0, 8.0])), np.array([[0.0, 0.5, 0.5], [0.25, 0.5, 0.5]]))


def test_coinciding_sites_are_refused():
    with pytest.raises(InputError, match="apart"):
        find_hops(_empty(np.eye(3) * 4.0), np.array([[0.5, 0.5, 0.5], [0.5, 0.5, 0.51]]))


def test_unequal_sublattices_obey_detailed_balance():
    framework = Atoms("XX", positions=[[0, 0, 0], [1.0, 0, 0]], cell=np.diag([4.0, 9.0, 9.0]), pbc=True)
    sites = np.array([[0.3, 0.5, 0.5], [0.8, 0.5, 0.5]])
    network = find_hops(framework, sites)
    n = int(network.classes.max()) + 1
    energies = tuple(
        HopEnergies(*(0.0, 0.1)[:: 1 if network.start[h] == 0 else -1], 0.4, NU)
        for h in network.representatives
    )
    chain = walker_chain(network, energies, T)
    ratio = chain.rates[network.start == 0][0] / chain.rates[network.start == 1][0]
    assert ratio == pytest.approx(np.exp(-0.1 / (constants.BOLTZMANN_EV * T)), rel=1e-12)
    assert n >= 1
    assert network.orbits.tolist() == [0, 1]


def test_equivalent_ends_share_the_lower_minimum():
    # One end relaxed into a higher minimum of the same cage: the ion leaves from the lower one.
    network = find_hops(_empty(np.eye(3) * 3.0), np.array([[0.5, 0.5, 0.5]]))
    expected = solve_walker_diffusivity(network, (HopEnergies(0.0, 0.0, 0.3, NU),), T)
    for ends in ((0.0, 0.04), (0.04, 0.0)):
        found = solve_walker_diffusivity(network, (HopEnergies(*ends, 0.3, NU),), T)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-30)
