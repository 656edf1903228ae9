"""Energies after changes of one atom against energies of whole configurations."""

import math
import pickle
from dataclasses import replace

import numpy as np
import pytest
from potential_cases import random_crystal, random_potential

from scalebridge.foundation import InputError
from scalebridge.potential import LocalEnergies, MomentTensorPotential

SPECIES = ("Na", "Mn", "O")


def changed(types, positions, removed, added, position):
    if removed is not None:
        types, positions = np.delete(types, removed), np.delete(positions, removed, axis=0)
    if added is not None:
        types, positions = np.append(types, np.int32(added)), np.vstack([positions, position])
    return types, positions


def compare(potential: MomentTensorPotential, atoms, trials: int) -> int:
    """Insert, delete, move and exchange atoms at random; returns how many changes were refused."""
    random = np.random.default_rng(len(atoms))
    kernel, types = potential.kernel(), potential.types(atoms)
    local = LocalEnergies(kernel, types, atoms.positions, atoms.cell.array, atoms.pbc)
    refused = 0
    for _ in range(trials):
        atom, kind = int(random.integers(len(atoms))), int(random.integers(len(SPECIES)))
        position = (3 * random.random(3) - 1) @ (atoms.cell.array + np.diag(~atoms.pbc * 4.0))
        for removed, added in (
            (None, kind),
            (atom, None),
            (atom, int(types[atom])),
            (atom, kind),
            (None, None),
        ):
            whole = kernel.energy(
                *changed(types, atoms.positions, removed, added, position), atoms.cell.array, atoms.pbc
            )
            after = local.after(removed=removed, added=added, position=position)
            assert after == pytest.approx(whole, rel=1e-12, abs=1e-11)
            refused += math.isinf(whole)
    return refused


@pytest.mark.parametrize("repeat", [(1, 1, 1), (2, 1, 1), (2, 2, 2)])
def test_changes_of_one_atom_equal_whole_energies(repeat):
    """Cells from half the cutoff, where an atom sees its own images, to twice the cutoff."""
    compare(random_potential(8, SPECIES), random_crystal(SPECIES, seed=3, repeat=repeat), 12)


@pytest.mark.parametrize("pbc", [(True, True, False), (False, False, False)])
def test_open_directions(pbc):
    atoms = random_crystal(SPECIES, seed=3)
    atoms.pbc = pbc
    compare(random_potential(8, SPECIES), atoms, 12)


def test_hard_cores_refuse_and_repulsion_counts():
    potential = random_potential(8, SPECIES)
    ranges = np.full((3, 3), 2.0)
    potential = replace(potential, repulsion=ranges, hard_core=0.6 * ranges)
    atoms = random_crystal(SPECIES, seed=3)
    assert 0 < compare(potential, atoms, 40) < 5 * 40


def test_one_atom_and_its_images():
    atoms = random_crystal(("Na",), seed=1, repeat=(1, 1, 1))[:1]
    compare(random_potential(6, SPECIES), atoms, 6)


def accepted(types, positions, removed, added, position, *, in_place):
    if in_place and removed is not None and added is not None:
        types, positions = types.copy(), positions.copy()
        types[removed], positions[removed] = added, position
        return types, positions
    return changed(types, positions, removed, added, position)


@pytest.mark.parametrize("pbc", [(True, True, True), (True, False, True), (False, False, False)])
@pytest.mark.parametrize("repeat", [(1, 1, 1), (2, 1, 1), (2, 2, 2)])
def test_accepted_changes_equal_a_rebuild(repeat, pbc):
    """A walk of insertions, deletions, moves and exchanges, some without a trial, others after another's."""
    potential = replace(random_potential(8, SPECIES), hard_core=np.full((3, 3), 0.9))
    atoms, random = random_crystal(SPECIES, seed=3, repeat=repeat), np.random.default_rng(11)
    kernel, cell = potential.kernel(), atoms.cell.array
    types, positions = potential.types(atoms), atoms.positions
    local = LocalEnergies(kernel, types, positions, cell, pbc)
    start = kernel.energy(types, positions, cell, pbc)
    made = 0
    for step in range(120):
        removed = int(random.integers(len(types))) if random.random() < 0.6 and len(types) > 2 else None
        added = int(random.integers(3)) if removed is None or random.random() < 0.6 else None
        position, in_place = (3 * random.random(3) - 1) @ cell, bool(random.random() < 0.5)
        arguments = {"removed": removed, "added": added, "position": position}
        after = accepted(types, positions, removed, added, position, in_place=in_place)
        whole = kernel.energy(*after, cell, pbc)
        if step % 3:
            assert local.after(**arguments) == pytest.approx(whole, rel=1e-10, abs=1e-10)
        if step % 3 == 1:
            local.after(removed=0, added=1, position=position + 0.7)
        if math.isinf(whole):
            with pytest.raises(InputError, match="infinite energy cannot be accepted"):
                local.accept(**arguments, in_place=in_place)
            continue
        local.accept(**arguments, in_place=in_place)
        types, positions = after
        made += 1
        assert local.after() == pytest.approx(whole, rel=1e-10, abs=1e-10)
    assert made > 60
    assert abs(local.after() - start) > 1.0
    rebuilt = LocalEnergies(kernel, types, positions, cell, pbc)
    copied = pickle.loads(pickle.dumps(local))
    for atom in range(len(types)):
        assert local.after(removed=atom) == pytest.approx(rebuilt.after(removed=atom), rel=1e-10, abs=1e-10)
        assert copied.after(removed=atom) == rebuilt.after(removed=atom)


def test_copies_and_mistakes():
    potential, atoms = random_potential(4, SPECIES), random_crystal(SPECIES)
    arrays = (potential.types(atoms), atoms.positions, atoms.cell.array, atoms.pbc)
    local = LocalEnergies(potential.kernel(), *arrays)
    first = local.after(removed=2)
    assert pickle.loads(pickle.dumps(local)).after(removed=2) == first
    with pytest.raises(InputError, match="atom 99 is not one of 16"):
        local.after(removed=99)
    with pytest.raises(InputError, match=r"type 7 is outside 0\.\.2"):
        local.after(added=7, position=[0.0, 0.0, 0.0])
    with pytest.raises(InputError, match="not finite"):
        local.after(added=0, position=[np.nan, 0.0, 0.0])
