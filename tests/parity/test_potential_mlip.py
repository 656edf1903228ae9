"""A potential and its energies, forces and stresses as MLIP-3 wrote them (`data/README.md`)."""

from pathlib import Path

import numpy as np
import pytest

from scalebridge.potential import MomentTensorPotential, read_cfg
from scalebridge.potential._basis import generate_basis

DATA = Path(__file__).parent / "data"
SPECIES = ("Na", "Mn", "O")


def test_energy_forces_and_stress_equal_those_of_mlip():
    """To the last digit that its file has: 12 decimals of the energy, 6 of forces, 5 of the stress."""
    potential = MomentTensorPotential.load(DATA / "mlip3_multi_10.almtp", species=SPECIES)
    (atoms,) = read_cfg(DATA / "mlip3_multi_10.cfg", species=SPECIES)
    out = potential.compute(atoms)
    assert out.energy == pytest.approx(atoms.get_potential_energy(), abs=6e-13)
    np.testing.assert_allclose(out.forces, atoms.get_forces(), atol=6e-7)
    np.testing.assert_allclose(
        atoms.get_volume() * out.stress, atoms.get_volume() * atoms.get_stress(voigt=False), atol=6e-6
    )


def test_the_basis_is_that_of_mlip():
    """Derived moments are numbered otherwise, which the tables of each file say."""
    potential = MomentTensorPotential.load(DATA / "mlip3_multi_10.almtp", species=SPECIES)
    ours = generate_basis(10)
    assert potential.level == 10
    np.testing.assert_array_equal(ours.basic, potential.basis.basic)
    sizes = [(b.n_moments, len(b.products), len(b.scalars)) for b in (ours, potential.basis)]
    assert sizes[0] == sizes[1] == (41, 42, 16)
