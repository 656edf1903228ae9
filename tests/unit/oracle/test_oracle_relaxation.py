import numpy as np
import pytest
from ase.build import bulk
from ase.eos import EquationOfState

from scalebridge.foundation import LabelError
from scalebridge.oracle import CalculatorSpec, LabelLimits, LabelStore, relax

EMT = CalculatorSpec("ase.calculators.emt:EMT")


def test_relaxed_volume_is_the_minimum_of_the_equation_of_state():
    start = bulk("Cu", "fcc", a=3.8, cubic=True)
    start.rattle(0.03, seed=1)
    result = relax(start, EMT, fmax=0.002, max_steps=300)
    assert result.converged
    volumes, energies = [], []
    for scale in np.linspace(0.98, 1.02, 9):
        atoms = bulk("Cu", "fcc", a=3.59 * scale, cubic=True)
        atoms.calc = EMT.build()
        volumes.append(atoms.get_volume())
        energies.append(atoms.get_potential_energy())
    v0, e0, _ = EquationOfState(volumes, energies).fit()
    assert result.relaxed.get_volume() == pytest.approx(v0, rel=2e-3)
    assert result.relaxed.get_potential_energy() == pytest.approx(e0, abs=2e-4)


def test_fixed_cell_stays(tmp_path):
    start = bulk("Cu", "fcc", a=3.8, cubic=True)
    start.rattle(0.05, seed=2)
    result = relax(start, EMT, cell=False)
    np.testing.assert_array_equal(result.relaxed.cell[:], start.cell[:])
    assert np.abs(result.relaxed.get_forces()).max() < 0.05
    assert np.abs(result.frames[0].positions - start.positions).max() == 0.0


def test_second_relaxation_comes_from_the_store(tmp_path):
    store = LabelStore(tmp_path / "l.db")
    start = bulk("Cu", "fcc", a=3.7, cubic=True)
    start.rattle(0.05, seed=3)
    first = relax(start, EMT, store=store)
    again = relax(start, EMT, store=LabelStore(tmp_path / "l.db"))
    assert first.computed == store.count() == len(first.frames) > 3
    assert again.computed == 0
    np.testing.assert_array_equal(again.relaxed.positions, first.relaxed.positions)


def test_end_of_steps_is_reported_not_hidden():
    start = bulk("Cu", "fcc", a=3.8, cubic=True)
    assert not relax(start, EMT, fmax=1e-6, max_steps=2).converged


def test_a_step_that_failed_is_tried_again(tmp_path):
    start, store = bulk("Cu", "fcc", a=3.7, cubic=True), LabelStore(tmp_path / "l.db")
    start.rattle(0.05, seed=3)
    with pytest.raises(LabelError, match="the step is tried again"):
        relax(start, EMT, limits=LabelLimits(max_force=1e-6), store=store)
    assert store.count(failed=True) == 1
    assert relax(start, EMT, store=store).converged
    assert store.count(failed=True) == 0


def test_failing_calculator_raises_with_the_reason(tmp_path):
    start = bulk("Cu", "fcc", a=3.0, cubic=True)
    start.rattle(0.1, seed=3)
    with pytest.raises(LabelError, match=r"relaxation of Cu4 by .* failed at step 0: .*exceeds the limit"):
        relax(start, EMT, limits=LabelLimits(max_force=0.1), store=LabelStore(tmp_path / "l.db"))
