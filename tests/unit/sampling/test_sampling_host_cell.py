"""Host cells: repetition, occupation, starting phases, messages."""

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list

from scalebridge.contracts import HostPhase, Provenance
from scalebridge.contracts.structure import Structure
from scalebridge.foundation import InputError
from scalebridge.materials import load_host
from scalebridge.sampling import HostCell, starting_cells


def phase(name="cubic", composition=0.0, length=5.0):
    framework = Atoms(["Fe"], scaled_positions=[[0.1, 0, 0]], cell=[length, length, length], pbc=True)
    return HostPhase(
        name=name,
        framework=Structure.from_atoms(framework),
        sites=[[0.25, 0.25, 0.25], [0.75, 0.75, 0.75]],
        formula_units=1,
        composition=composition,
        source="made up for this test",
    )


def pair_distances(atoms, reach):
    """Sorted distances from every atom to every neighbour within reach, with the kinds of both."""
    i, j, d = neighbor_list("ijd", atoms, reach)
    return sorted(zip(atoms.numbers[i], atoms.numbers[j], d.round(4), strict=True))


@pytest.mark.parametrize(
    ("host", "structures", "copies"), [("mnhcf", "", 4), ("mnhcf", "chgnet", 4), ("lfp", "", 1)]
)
def test_the_primitive_cell_is_the_same_crystal(host, structures, copies):
    unmade = Provenance(code_version="", recipe_hash="")
    found = load_host(host, unmade, structures=structures)
    for known in found.phases:
        whole = HostCell.from_phase(known, found.ion)
        primitive = whole.primitive()
        assert whole.formula_units == copies * primitive.formula_units
        assert whole.n_sites == copies * primitive.n_sites
        volume = primitive.framework.cell.volume
        assert copies * volume == pytest.approx(whole.framework.cell.volume, rel=1e-6)
        one, all_ = (cell.atoms(range(cell.n_sites)) for cell in (primitive, whole))
        single, many = pair_distances(one, 3.5), pair_distances(all_, 3.5)
        assert len(many) == copies * len(single)
        tolerance = 0.02  # of relaxed structures that are symmetric to two digits
        for kinds in {pair[:2] for pair in many}:
            expected = np.array([pair[2] for pair in many if pair[:2] == kinds])
            repeated = np.repeat([pair[2] for pair in single if pair[:2] == kinds], copies)
            assert np.allclose(repeated, expected, atol=tolerance)


def test_a_repeated_cell_has_the_single_one_as_its_primitive_cell():
    single = HostCell.from_phase(phase(), "Na")
    found = single.repeat((2, 1, 3)).primitive()
    assert found.formula_units == 1
    assert found.n_sites == 2
    assert np.allclose(np.sort(found.framework.cell.lengths()), 5.0)
    both = (cell.atoms([0, 1]) for cell in (found, single))
    first, second = (pair_distances(atoms, 8.0) for atoms in both)
    assert np.allclose(np.array(first), np.array(second))


def test_starting_cells_of_primitive_phases_hold_the_same_sites():
    unmade = Provenance(code_version="", recipe_hash="")
    cells = starting_cells(load_host("mnhcf", unmade), (1, 1, 2), primitive=True)
    assert [cell.phase for cell in cells] == [*["tetragonal"] * 2, *["cubic"] * 2, "rhombohedral"]
    assert {(cell.formula_units, cell.n_sites) for cell in cells} == {(2, 4)}


def test_sites_keep_their_place_relative_to_the_framework_when_repeated():
    single, repeated = (HostCell.from_phase(phase(), "Na", repeat) for repeat in ((1, 1, 1), (2, 1, 3)))
    assert repeated.n_sites == 12
    assert repeated.formula_units == 6
    assert repeated.composition(9) == 1.5

    def distances(cell):
        full = cell.atoms(range(cell.n_sites))
        return sorted(np.round(full.get_distances(0, range(1, len(full)), mic=True), 8))

    expected = HostCell.from_phase(phase(), "Na", (1, 1, 1)).atoms([0, 1]).repeat((2, 1, 3))
    reference = expected.get_distances(0, range(1, len(expected)), mic=True)
    assert np.allclose(distances(repeated), sorted(reference))
    assert single.n_sites == 2


def test_atoms_puts_the_framework_first_and_ions_in_the_given_order():
    cell = HostCell.from_phase(phase(), "Na", (1, 1, 2))
    atoms = cell.atoms([3, 0])
    assert atoms.get_chemical_symbols() == ["Fe", "Fe", "Na", "Na"]
    assert np.allclose(atoms.get_scaled_positions()[2:], cell.sites[[3, 0]])
    assert cell.framework.get_chemical_symbols() == ["Fe", "Fe"]


def test_random_atoms_take_each_site_once():
    cell = HostCell.from_phase(phase(), "Na", (1, 2, 2))
    atoms = cell.random_atoms(8, np.random.default_rng(0))
    assert np.allclose(sorted(map(tuple, atoms.get_scaled_positions()[4:])), sorted(map(tuple, cell.sites)))


@pytest.mark.parametrize("occupied", [[8], [-1], [1, 1]])
def test_atoms_refuses_sites_that_do_not_exist_or_repeat(occupied):
    with pytest.raises(InputError, match="occupied sites"):
        HostCell.from_phase(phase(), "Na", (1, 2, 2)).atoms(occupied)


def test_too_many_ions_are_refused_with_the_number_of_sites():
    with pytest.raises(InputError, match="9 ions do not fit the 8 sites"):
        HostCell.from_phase(phase(), "Na", (1, 2, 2)).random_atoms(9, np.random.default_rng(0))


def test_bad_cells_are_refused():
    with pytest.raises(InputError, match="below 1"):
        HostCell.from_phase(phase(), "Na", (0, 1, 1))
    with pytest.raises(InputError, match="mobile ion"):
        HostCell(Atoms(["Na"]), np.zeros((1, 3)), 1, "Na")
    with pytest.raises(InputError, match="shape"):
        HostCell(Atoms(["Fe"]), np.zeros(3), 1, "Na")


class FakeHost:
    """What ``starting_cells`` reads of a host."""

    def __init__(self, *phases):
        self.phases, self.ion = phases, "Na"

    def nearest_phase(self, composition):
        return min(self.phases, key=lambda entry: abs(entry.composition - composition))


def test_every_content_starts_from_the_nearest_phase():
    host = FakeHost(phase("empty", 0.0), phase("full", 2.0, length=5.2))
    cells = starting_cells(host, (1, 1, 2))
    assert [cell.phase for cell in cells] == ["empty", "empty", "empty", "full", "full"]
    assert cells[0] is cells[1]
