"""Cells on lattice planes hold the same crystal."""

import numpy as np
import pytest
from interfaces_models import ION, TwoCrystals, phase

from scalebridge.foundation import InputError
from scalebridge.interfaces import SlabTask, orientation_matrix, oriented_cell, relax_phase, run_slabs
from scalebridge.sampling import HostCell

SKEW = np.array([[5.0, 0.3, 0], [0.4, 6.0, -0.2], [1.0, 0.1, 7.0]])


@pytest.mark.parametrize("miller", [(1, 0, 0), (0, 1, 0), (1, 1, 0), (1, 1, 1), (2, 1, 0), (1, -1, 2)])
def test_two_vectors_lie_in_the_plane_and_the_volume_stays(miller):
    matrix = orientation_matrix(SKEW, miller)
    assert np.linalg.det(matrix) == pytest.approx(1)
    assert (matrix @ np.array(miller)).tolist() == [0, 0, 1]
    normal = np.linalg.solve(SKEW, np.array(miller, dtype=float))
    np.testing.assert_allclose((matrix @ SKEW)[:2] @ normal, 0, atol=1e-9)


def test_oriented_host_is_the_same_crystal():
    host = HostCell.from_phase(phase(), ION)
    turned = oriented_cell(host, orientation_matrix(np.asarray(host.framework.cell), (1, 1, 1)))
    energies = []
    for cell in (host, turned):
        atoms = cell.atoms(range(cell.n_sites))
        atoms.calc = TwoCrystals()
        energies.append(atoms.get_potential_energy())
        assert (cell.sites >= -1e-6).all() and (cell.sites < 1).all()
    assert energies[0] == pytest.approx(energies[1], rel=1e-12)


def test_normal_of_a_tilted_slab():
    host = HostCell.from_phase(phase(), ION)
    low, high = (relax_phase(host, TwoCrystals, occupied=sites) for sites in ([], range(4)))
    result = run_slabs(SlabTask(0, TwoCrystals, low, high, (1, 1, 0)))
    assert result.problem == ""
    np.testing.assert_allclose(np.abs(result.slabs.normal), [np.sqrt(0.5), np.sqrt(0.5), 0], atol=1e-3)
    # Ions of a face-centred lattice: planes (220) follow each other at a/(2 √2).
    assert result.slabs.spacing == pytest.approx(4.0 / (2 * np.sqrt(2)), rel=1e-3)
    assert result.slabs.interface_energy > 0


def test_indices_with_a_common_divisor_are_refused():
    for miller in ((2, 0, 0), (0, 0, 0)):
        with pytest.raises(InputError, match="common divisor"):
            orientation_matrix(SKEW, miller)
