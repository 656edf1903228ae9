import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell

from scalebridge.foundation import InputError
from scalebridge.oracle.kpoints import k_points, mesh_size


def cartesian(atoms, points):
    return points @ atoms.cell.reciprocal()[:]


def equivalent(points, cell, others):
    """Whether every point, or its negative, is one of ``others`` up to a reciprocal vector of ``cell``."""
    both = np.vstack([others, -others])
    for point in points:
        difference = (both - point) @ cell.T
        if not np.any(np.all(np.abs(difference - difference.round()) < 1e-9, axis=1)):
            return False
    return True


def test_number_follows_the_reciprocal_lengths():
    atoms = Atoms("H", cell=[4.0, 8.0, 20.0], pbc=True)
    assert mesh_size(atoms, 1.5) == (3, 2, 1)
    assert mesh_size(atoms, 3.0) == (5, 3, 1)


def test_one_point_along_open_directions():
    atoms = Atoms("H", cell=[4.0, 4.0, 4.0], pbc=[True, True, False])
    assert mesh_size(atoms, 3.0) == (5, 5, 1)
    assert not k_points(atoms, 3.0)[:, 2].any()


def test_even_mesh_is_that_of_monkhorst_and_pack():
    points = k_points(bulk("Na"), [2, 2, 2])
    assert sorted(map(tuple, points)) == sorted(
        (a, b, c) for a in (-0.25, 0.25) for b in (-0.25, 0.25) for c in (-0.25, 0.25)
    )


@pytest.mark.parametrize("mean_value", [False, True])
def test_doubled_cell_has_the_points_of_the_cell(mean_value):
    small = bulk("Na", "fcc", a=10.0)
    large = make_supercell(small, [[2, 0, 0], [0, 1, 0], [0, 0, 1]])
    few = cartesian(large, k_points(large, [1, 2, 2], mean_value=mean_value))
    many = cartesian(small, k_points(small, [2, 2, 2], mean_value=mean_value))
    assert k_points(large, 1.5).tolist() == k_points(large, [1, 2, 2]).tolist()
    assert equivalent(many, large.cell[:], few)
    assert equivalent(few, large.cell[:], many)
    assert len(many) == (1 if mean_value else 8)


def test_points_are_taken_as_they_are():
    assert k_points(bulk("Na"), [[0, 0, 0], [0.5, 0, 0]]).tolist() == [[0, 0, 0], [0.5, 0, 0]]


@pytest.mark.parametrize("setting", [0.0, -1.0, [2, 2], [2, 2, 2.5], "fine", [[1, 2], [3]], True])
def test_other_settings_are_refused(setting):
    with pytest.raises(InputError, match="k-point"):
        k_points(bulk("Na"), setting)
