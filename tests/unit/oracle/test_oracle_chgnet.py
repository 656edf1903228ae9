import numpy as np
import pytest
from ase.build import bulk

from scalebridge.oracle import CalculatorSpec, Labeller, LabelStore, relax
from scalebridge.potential import check_conformance

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


def test_it_obeys_what_every_potential_must(calculator):
    """In single precision: 1e-2 instead of 1e-6. Structures without a cell are no input of this model."""
    atoms = rattled()
    atoms.set_cell(atoms.cell[:] @ np.array([[1.02, 0, 0], [0.03, 1, 0], [0, -0.02, 0.97]]), scale_atoms=True)
    checks = check_conformance(lambda: calculator, atoms, tolerance=1e-2)
    assert {check.rule for check in checks if not check.passed} == {"isolated atoms add up"}


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
