import numpy as np
import pytest
from ase.build import bulk

from scalebridge.oracle import CalculatorSpec, Labeller, LabelStore, relax

pytest.importorskip("chgnet", reason="needs the extra chgnet")
pytestmark = [pytest.mark.chgnet, pytest.mark.filterwarnings("ignore")]
CHGNET = CalculatorSpec("scalebridge.oracle.chgnet:CHGNet03")


@pytest.fixture(scope="module")
def calculator():
    return CHGNET.build()


def rattled():
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    atoms.rattle(0.1, seed=4)
    return atoms


def test_forces_and_stress_are_derivatives_of_the_energy(calculator):
    atoms, step = rattled(), 5e-3
    atoms.calc = calculator
    forces, stress = atoms.get_forces(), atoms.get_stress(voigt=False)
    energies = []
    for sign in (1, -1):
        moved = atoms.copy()
        moved.positions[2, 1] += sign * step
        moved.calc = calculator
        energies.append(moved.get_potential_energy())
    # float32 model: about 1e-6 eV of noise in the energy, 1e-4 eV/Å in the quotient
    assert -(energies[0] - energies[1]) / (2 * step) == pytest.approx(forces[2, 1], abs=5e-3)
    energies = []
    for sign in (1, -1):
        strained = atoms.copy()
        strain = np.eye(3)
        strain[0, 0] += sign * step
        strained.set_cell(atoms.cell[:] @ strain, scale_atoms=True)
        strained.calc = calculator
        energies.append(strained.get_potential_energy())
    slope = (energies[0] - energies[1]) / (2 * step) / atoms.get_volume()
    assert slope == pytest.approx(stress[0, 0], abs=3e-4)


def test_prints_nothing_and_pins_the_model(calculator, capfd):
    fresh = CHGNET.build()
    atoms = rattled()
    atoms.calc = fresh
    atoms.get_potential_energy()
    assert capfd.readouterr().out == ""
    assert fresh.version == "0.3.0"
    assert set(fresh.results) == {"energy", "free_energy", "forces", "stress"}


def test_isolated_atom_is_set_aside_not_labelled(tmp_path):
    lonely = bulk("Na", "bcc", a=15.0)
    batch = Labeller(CHGNET, LabelStore(tmp_path / "l.db")).label([rattled(), lonely])
    assert batch.indices == (0,)
    assert "isolated" in batch.failures[0].reasons[0]


def test_lithium_metal_relaxes_to_the_known_lattice(tmp_path):
    result = relax(bulk("Li", "bcc", a=3.6), CHGNET, fmax=0.01)
    lattice = (2 * result.relaxed.get_volume()) ** (1 / 3)
    assert result.converged
    assert lattice == pytest.approx(3.51, rel=0.04)  # experiment at room temperature
