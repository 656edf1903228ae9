"""The oracle's logic with a stand-in for GPAW, then a tiny real system where GPAW is installed."""

import sys
from types import ModuleType

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from scalebridge.foundation import InputError, MissingDependencyError
from scalebridge.oracle import CalculatorSpec, Labeller, LabelStore
from scalebridge.oracle.gpaw import LADDER

TARGET = "scalebridge.oracle.gpaw:GPAWPlusU"
HOST = {
    "hubbard": {"Mn": 3.9},
    "centres": [{"species": "Mn", "oxidised": 4.0, "reduced": 5.0, "accepted": [3.2, 5.0]}],
    "ion": "Na",
    "kpoints": 1.4,
}


class NotConverged(Exception):  # noqa: N818  # GPAW's own is a ...Error; this one stands in for it
    pass


class StandIn:
    """Energy −1 eV per atom and the moments asked for; fails or flips spins on demand."""

    made: list[dict] = []  # noqa: RUF012
    failures = 0
    moment = None

    def __init__(self, **settings):
        type(self).made.append(settings)
        self.start = None

    def get_potential_energy(self, atoms, force_consistent=False):
        if self.start is None:
            self.start = atoms.get_initial_magnetic_moments()
        if type(self).failures:
            type(self).failures -= 1
            raise NotConverged
        return -1.0 * len(atoms) - 0.01 * force_consistent

    def get_magnetic_moments(self, atoms):
        return self.start if self.moment is None else np.full(len(atoms), self.moment)

    def get_magnetic_moment(self, atoms):
        return float(self.start.sum())

    def get_forces(self, atoms):
        return np.zeros((len(atoms), 3))

    def get_stress(self, atoms):
        return np.array([0.01, 0.01, 0.01, 0.002, 0.0, 0.0])


@pytest.fixture
def stand_in(monkeypatch):
    module = ModuleType("gpaw")
    module.__version__ = "26.7.0"
    module.KohnShamConvergenceError = NotConverged
    for name in ("PW", "FermiDirac", "Mixer", "MixerSum"):
        setattr(module, name, lambda *values, name=name: (name, *values))
    module.GPAW = StandIn
    StandIn.made, StandIn.failures, StandIn.moment = [], 0, None
    monkeypatch.setitem(sys.modules, "gpaw", module)
    return StandIn


def host():
    atoms = bulk("MnO", "rocksalt", a=4.45)
    return atoms + Atoms("Na", positions=[[1.1, 1.1, 1.1]])


def test_settings_reach_gpaw(stand_in):
    atoms = host()
    atoms.calc = CalculatorSpec(TARGET, HOST | {"cutoff": 450.0, "smearing": 0.1}).build()
    assert atoms.get_potential_energy() == -3.0
    (made,) = stand_in.made
    assert made["mode"] == ("PW", 450.0)
    assert made["setups"] == {"Mn": ":d,3.9"}
    assert made["occupations"] == ("FermiDirac", 0.1)
    assert made["mixer"] == ("MixerSum", *LADDER[0]["mixer"])
    assert made["symmetry"] == {"point_group": False}
    assert made["spinpol"] is True
    assert len(made["kpts"]) == 4**3
    assert made["txt"] is None
    assert atoms.calc.results["magmoms"].tolist() == [5.0, 0.0, 0.0]
    assert atoms.calc.results["magmom"] == 5.0
    assert atoms.calc.results["free_energy"] == -3.01


def test_metal_has_no_spin_and_its_own_mesh(stand_in):
    atoms = bulk("Na")
    atoms.calc = CalculatorSpec(TARGET, HOST | {"metal_density": 3.0}).build()
    atoms.get_potential_energy()
    assert stand_in.made[0]["spinpol"] is False
    assert stand_in.made[0]["mixer"][0] == "Mixer"
    assert stand_in.made[0]["setups"] == {}
    assert len(stand_in.made[0]["kpts"]) == 7**3
    assert not atoms.calc.results["magmoms"].any()


def test_own_initial_moments_are_taken(stand_in):
    atoms = host()
    atoms.set_initial_magnetic_moments([-4.0, 0.0, 0.0])
    atoms.calc = CalculatorSpec(
        TARGET, {**HOST, "centres": [{**HOST["centres"][0], "accepted": [-5, 5]}]}
    ).build()
    atoms.get_potential_energy()
    assert atoms.calc.results["magmoms"][0] == -4.0


def test_a_centre_without_its_ligand_fails_before_anything_is_computed(stand_in, tmp_path):
    spec = CalculatorSpec(TARGET, HOST | {"centres": [{**HOST["centres"][0], "ligand": "N"}]})
    labeller = Labeller(spec, LabelStore(tmp_path / "l.db"), max_failed_fraction=1.0)
    (failure,) = labeller.label([host()]).failures
    assert failure.reasons[0] == "LostLigandError: Mn0 has no ligand N: nearest is O at 2.23 Å"
    assert not stand_in.made


def test_stress_is_that_of_a_constant_cutoff(stand_in):
    atoms = host()
    plain, corrected = (
        CalculatorSpec(TARGET, HOST | {"finite_basis": slope}).build()
        for slope in ({}, {"O": 3.0, "Mn": 0.3})
    )
    change = corrected.get_stress(atoms) - plain.get_stress(atoms)
    assert change == pytest.approx(np.array([1, 1, 1, 0, 0, 0]) * -2 / 3 * 3.3 / atoms.get_volume())


def test_ladder_is_climbed_until_one_attempt_converges(stand_in):
    stand_in.failures = 2
    atoms = host()
    atoms.calc = CalculatorSpec(TARGET, HOST).build()
    atoms.get_potential_energy()
    assert [made["mixer"][1:] for made in stand_in.made] == [attempt["mixer"] for attempt in LADDER]
    assert [made["maxiter"] for made in stand_in.made] == sorted(made["maxiter"] for made in stand_in.made)


def test_density_is_kept_for_a_near_structure_only(stand_in):
    atoms = host()
    atoms.calc = CalculatorSpec(TARGET, HOST).build()
    atoms.get_potential_energy()
    for change, started in ((0.05, 1), (0.5, 2)):
        atoms.positions[1, 0] += change
        atoms.get_potential_energy()
        assert len(stand_in.made) == started
    atoms.set_cell(atoms.cell[:] * 1.01, scale_atoms=True)
    atoms.get_potential_energy()
    assert len(stand_in.made) == 2
    atoms.set_initial_magnetic_moments([4.0, 0, 0])
    atoms.get_potential_energy()
    assert len(stand_in.made) == 3


def test_kept_density_that_leads_astray_is_dropped(stand_in):
    atoms = host()
    atoms.calc = CalculatorSpec(TARGET, HOST).build()
    atoms.get_potential_energy()
    stand_in.failures = 1
    atoms.positions[1, 0] += 0.05
    assert atoms.get_potential_energy() == -3.0
    assert len(stand_in.made) == 2


def test_failed_labels_are_recorded_with_their_reason(stand_in, tmp_path):
    labeller = Labeller(CalculatorSpec(TARGET, HOST), LabelStore(tmp_path / "l.db"))
    stand_in.moment = 1.1
    (failure,) = labeller.label([host()]).failures
    assert failure.reasons[0] == (
        "WrongSpinStateError: Mn0 has 1.10 μB, not 3.2 to 5; energy -3.000 eV, moments Mn0 1.10 μB"
    )
    stand_in.moment, stand_in.failures = None, 2 * len(LADDER)
    moved = host()
    moved.positions[1, 0] += 0.05
    (failure,) = labeller.label([moved]).failures
    start = "NotConvergedError: the density is not self-consistent in any of 3 attempts; the structure may be"
    assert failure.reasons[1].startswith(start)
    assert labeller.store.count(failed=True) == 2


def test_a_structure_with_too_many_ions_is_a_failed_label_and_the_others_are_labelled(stand_in, tmp_path):
    crowded = host() + Atoms("Na", positions=[[3.3, 3.3, 3.3]])
    labeller = Labeller(CalculatorSpec(TARGET, HOST), LabelStore(tmp_path / "l.db"))
    batch = labeller.label([crowded, host()])
    (failure,) = batch.failures
    assert failure.reasons[0].startswith("UnbalancedChargeError: MnNa2O gives its host 2 electrons")
    assert batch.indices == (1,)


@pytest.mark.parametrize("wrong", [{"cutoff": 100.0}, {"smearing": 0.0}, {"reuse": -1.0}])
def test_settings_out_of_range_are_refused(stand_in, wrong):
    with pytest.raises(InputError, match="at least 200 eV"):
        CalculatorSpec(TARGET, wrong).build()


def test_missing_gpaw_is_told_with_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "gpaw", None)
    with pytest.raises(MissingDependencyError, match=r"scalebridge\[gpaw\]"):
        CalculatorSpec(TARGET).build()


@pytest.fixture(scope="module")
def real():
    pytest.importorskip("gpaw", reason="needs the extra gpaw")
    settings = {
        "cutoff": 300.0,
        "kpoints": [1, 1, 1],
        "hubbard": {"Mn": 3.9},
        "centres": [{"species": "Mn", "oxidised": 5.0, "reduced": 5.0, "accepted": [4.0, 5.0]}],
    }
    return lambda **more: CalculatorSpec(TARGET, settings | more).build()


def manganese_oxide():
    atoms = bulk("MnO", "rocksalt", a=4.45)
    atoms.positions[1] += [0.05, 0.02, 0.0]
    return atoms


@pytest.mark.gpaw
@pytest.mark.filterwarnings("ignore")
def test_real_manganese_oxide_is_high_spin_and_its_forces_are_slopes(real):
    atoms = manganese_oxide()
    atoms.calc = real()
    force, energies = atoms.get_forces()[1, 0], []
    assert 4.2 < atoms.get_magnetic_moments()[0] < 4.8
    for shift in (0.02, -0.04):
        atoms.positions[1, 0] += shift
        energies.append(atoms.get_potential_energy(force_consistent=True))
    assert (energies[1] - energies[0]) / 0.04 == pytest.approx(force, abs=0.05)


@pytest.mark.gpaw
@pytest.mark.filterwarnings("ignore")
def test_real_wrong_spin_state_is_raised(real):
    atoms = manganese_oxide()
    atoms.calc = real(centres=[{"species": "Mn", "oxidised": 5.0, "reduced": 5.0, "accepted": [0.0, 1.0]}])
    with pytest.raises(RuntimeError, match=r"Mn0 has 4\.\d\d μB, not 0 to 1"):
        atoms.get_potential_energy()
