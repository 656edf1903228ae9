"""The coexisting pair, and slabs of a partly filled phase against a lattice gas counted by hand."""

import pytest
from interfaces_models import ACROSS, ION, LATTICE, PLANE, LatticeGas, make_host, make_isotherm, phase

from scalebridge.foundation import InputError
from scalebridge.interfaces import PhasePair, SlabSettings, choose_pair, relax_phase, solve_slabs
from scalebridge.sampling import HostCell


@pytest.mark.parametrize("occupied", [(), (0,), (1,), (0, 3), (0, 1), (2, 3), (0, 1, 2)])
def test_interface_of_a_partly_filled_phase_is_counted_bond_by_bond(occupied):
    """Each site has 4 neighbours in the next plane of two sites per cell: 2 n n' bonds between planes.

    With fillings (n1, n2) against (2, 2) a slab lacks 2 n1 n2 + 8 bonds of both phases and has 4 (n1 + n2)
    across its two interfaces: 2 γ a² = 2 J (2 − n1)(2 − n2).
    """
    filling = [sum(PLANE[site] == plane for site in occupied) for plane in (0, 1)]
    cell = HostCell.from_phase(phase(), ION)
    low, high = (relax_phase(cell, LatticeGas, occupied=sites) for sites in (occupied, range(4)))
    slabs = solve_slabs(low, high, LatticeGas, settings=SlabSettings(counts=(1, 2, 3)))
    gamma = ACROSS * (2 - filling[0]) * (2 - filling[1]) / LATTICE**2
    assert slabs.interface_energy == pytest.approx(gamma, abs=1e-6)
    assert slabs.slope == pytest.approx(0, abs=1e-6)
    # κ of the mean field, ½ ρ_s J Σ (r·n)² = 4 J/a, follows at every Δθ where the planes are equally filled.
    if filling[0] == filling[1]:
        assert slabs.gradient_energy == pytest.approx(4 * ACROSS / LATTICE, rel=1e-3)


def test_pair_lies_at_the_ends_of_the_first_member_s_widest_plateau():
    isotherm = make_isotherm(
        (2, 300.0, 0.0, 1.0), (1, 300.0, 0.02, 0.2), (1, 300.0, 0.6, 0.97), (0, 400.0, 0.0, 0.9)
    )
    pair = choose_pair(make_host(), isotherm, 305.0)
    assert (pair.low_ions, pair.high_ions) == (2, 4)
    assert (pair.low.name, pair.high.name) == ("a", "b")
    assert (pair.x_low, pair.theta_low, pair.theta_high) == (0.5, 0.5, 1.0)
    assert "member 1's plateau at 300 K" in pair.reason
    narrow = choose_pair(make_host(), make_isotherm((0, 300.0, 0.55, 0.6)), 300.0)
    assert (narrow.low_ions, narrow.high_ions) == (2, 3)


def test_without_a_plateau_the_pair_is_the_empty_and_the_fullmake_host():
    pair = choose_pair(make_host(), make_isotherm((0, 400.0, 0.2, 0.8)), 300.0)
    assert (pair.theta_low, pair.theta_high) == (0.0, 1.0)
    assert "no plateau at 300 K" in pair.reason


def test_a_pair_without_a_step_is_refused():
    for ions in ((2, 2), (3, 1), (0, 5)):
        with pytest.raises(InputError, match="must hold more"):
            PhasePair(phase(), phase(), *ions)
