from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms

from scalebridge.foundation import InputError
from scalebridge.oracle.spin_states import RedoxCentre, initial_moments, ligand_faults, spin_faults

MN = RedoxCentre("Mn", oxidised=4.0, reduced=5.0, accepted=(3.2, 5.0), ligand="N")
FE = RedoxCentre("Fe", oxidised=1.0, reduced=0.0, accepted=(-1.3, 1.3), ligand="C")


def host(bonds=(2.2, 2.0), ions=0):
    """Metals on a line, Mn between nitrogens and Fe between carbons, and ions far from them."""
    atoms = Atoms(cell=[40, 40, 10 * (len(bonds) + 1)], pbc=True)
    for index, bond in enumerate(bonds):
        for kind, ligand, x, length in (("Mn", "N", 0.0, bond), ("Fe", "C", 20.0, 1.9)):
            z = 10.0 * index
            atoms += Atoms(kind, positions=[[x, 0, z]])
            for direction in np.vstack([np.eye(3), -np.eye(3)]):
                atoms += Atoms(ligand, positions=[[x, 0, z] + length * direction])
    for index in range(ions):
        atoms += Atoms("Na", positions=[[10, 10, 3.0 * index]])
    return atoms


def moments_of(atoms, species, moments):
    return [float(m) for symbol, m in zip(atoms.symbols, moments, strict=True) if symbol == species]


@pytest.mark.parametrize(
    ("ions", "manganese", "iron"),
    [
        (0, [4, 4], [1, 1]),
        (1, [5, 4], [1, 1]),
        (2, [5, 5], [1, 1]),
        (3, [5, 5], [0, 1]),
        (4, [5, 5], [0, 0]),
    ],
)
def test_ions_electrons_go_to_the_first_centre_and_there_to_the_longest_bonds(ions, manganese, iron):
    atoms = host(ions=ions)
    moments = initial_moments(atoms, [MN, FE], ion="Na")
    assert moments_of(atoms, "Mn", moments) == manganese
    assert moments_of(atoms, "Fe", moments) == iron
    assert moments[np.isin(atoms.symbols, ["C", "N", "Na"])].tolist() == [0] * (24 + ions)


def test_the_order_of_bond_lengths_decides_not_the_order_of_atoms():
    atoms = host(bonds=(2.0, 2.2), ions=1)
    assert moments_of(atoms, "Mn", initial_moments(atoms, [MN, FE], ion="Na")) == [4, 5]


def test_ions_of_higher_charge_give_more_electrons():
    atoms = host(ions=1)
    moments = initial_moments(atoms, [MN, FE], ion="Na", ion_charge=3)
    assert moments_of(atoms, "Mn", moments) == [5, 5]
    assert sorted(moments_of(atoms, "Fe", moments)) == [0, 1]


def test_too_many_electrons_are_refused():
    with pytest.raises(InputError, match=r"gives its host 5 electrons, .* take 4; name more centres"):
        initial_moments(host(ions=5), [MN, FE], ion="Na")


def test_metal_has_no_moments():
    assert not initial_moments(Atoms("Na2"), [MN, FE], ion="Na").any()


def test_a_ligand_tells_two_kinds_of_site_apart():
    atoms = host()
    low_spin = RedoxCentre("Mn", oxidised=2.0, reduced=1.0, accepted=(0.0, 2.5), ligand="C")
    assert low_spin.sites(atoms).tolist() == []
    assert MN.sites(atoms).tolist() == np.flatnonzero(np.array(atoms.symbols) == "Mn").tolist()


def test_an_ion_that_fell_next_to_a_centre_hides_neither_its_electrons_nor_its_moment():
    atoms = host(bonds=(2.2,), ions=2)
    atoms.positions[-1] = [1.1, 1.1, 1.1]
    moments = initial_moments(atoms, [MN, FE], ion="Na")
    assert moments_of(atoms, "Mn", moments) == [5] and moments_of(atoms, "Fe", moments) == [0]
    moments[np.array(atoms.symbols) == "Mn"] = 0.3
    assert spin_faults(atoms, moments, [MN, FE], ion="Na") == ("Mn0 has 0.30 μB, not 3.2 to 5",)


def test_moments_outside_their_range_are_named():
    atoms = host(bonds=(2.2,))
    moments = np.zeros(len(atoms))
    moments[np.array(atoms.symbols) == "Mn"] = 1.1
    (fault,) = spin_faults(atoms, moments, [MN, FE])
    assert fault == "Mn0 has 1.10 μB, not 3.2 to 5"
    moments[np.array(atoms.symbols) == "Mn"] = 4.4
    assert spin_faults(atoms, moments, [MN, FE]) == ()


def test_an_atom_without_its_ligand_is_named():
    atoms = host(bonds=(2.2,), ions=1)
    assert ligand_faults(atoms, [MN, FE], ion="Na") == ()
    atoms.positions[-1] = [20.0, 0.9, 0.9]  # the ion beside the iron, nearer than its carbons
    assert ligand_faults(atoms, [MN, FE], ion="Na") == ()
    iron = np.flatnonzero(np.array(atoms.symbols) == "Fe")[0]
    stranger = atoms + Atoms("O", positions=[atoms.positions[iron] + [1.0, 1.0, 1.0]])
    assert ligand_faults(stranger, [MN, FE], ion="Na") == ("Fe7 has no ligand C: nearest is O at 1.73 Å",)
    flipped = RedoxCentre("Fe", oxidised=5.0, reduced=4.0, accepted=(3.0, 5.0), ligand="O")
    assert ligand_faults(stranger, [MN, FE, flipped], ion="Na") == ()
    (fault,) = ligand_faults(host(bonds=(2.2,)), [replace(MN, ligand="O"), replace(MN, ligand="C"), FE])
    assert fault == "Mn0 has no ligand O or C: nearest is N at 2.20 Å"
    anywhere = replace(FE, ligand="")
    assert ligand_faults(stranger, [MN, anywhere], ion="Na") == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"accepted": [5.0, 3.0]}, "not in order"),
        ({"accepted": [5.0]}, "is not understood"),
        ({"acepted": [3, 5]}, "is not understood"),
    ],
)
def test_wrong_tables_are_refused(change, message):
    table = {"species": "Mn", "oxidised": 4.0, "reduced": 5.0, "accepted": [3.2, 5.0]}
    assert RedoxCentre.from_dict(table).accepted == (3.2, 5.0)
    with pytest.raises(InputError, match=message):
        RedoxCentre.from_dict(table | change)
