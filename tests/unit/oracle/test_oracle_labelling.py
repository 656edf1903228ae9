import multiprocessing
import sqlite3

import ase.db
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from scalebridge.foundation import InputError, LabelError, StoreError
from scalebridge.oracle import CalculatorSpec, Labeller, LabelLimits, LabelStore, structure_key


def copper(count, *, seed=0, symbol="Cu"):
    frames = []
    for index in range(count):
        atoms = bulk(symbol, "fcc", a=3.7, cubic=True)
        atoms.rattle(0.05, seed=seed + index)
        frames.append(atoms)
    return frames


def counting(tmp_path, **more):
    folder = tmp_path / "calls"
    folder.mkdir(exist_ok=True)
    return CalculatorSpec("oracle_calculators:Counting", {"folder": str(folder), **more}), folder


class Recorder:
    """Counts the steps reported."""

    def __init__(self):
        self.total, self.done = None, 0.0

    def task(self, description, total=None):
        self.total = total
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def advance(self, steps=1.0, note=""):
        self.done += steps

    def message(self, text):
        raise AssertionError(text)


def test_labels_equal_a_direct_calculation(tmp_path):
    frames = copper(3)
    batch = Labeller(CalculatorSpec("ase.calculators.emt:EMT"), LabelStore(tmp_path / "l.db")).label(frames)
    assert (batch.from_store, batch.computed, batch.retried, batch.failures) == (0, 3, 0, ())
    for frame, atoms in zip(batch.frames, frames, strict=True):
        direct = atoms.copy()
        direct.calc = EMT()
        assert frame.get_potential_energy() == pytest.approx(direct.get_potential_energy(), rel=1e-14)
        np.testing.assert_allclose(frame.get_forces(), direct.get_forces(), atol=1e-14)
        np.testing.assert_allclose(frame.get_stress(), direct.get_stress(), atol=1e-14)


def test_second_run_pays_for_nothing_and_returns_the_same(tmp_path):
    spec, folder = counting(tmp_path)
    frames = copper(4)
    first = Labeller(spec, LabelStore(tmp_path / "l.db")).label(frames)
    paid = len(list(folder.iterdir()))
    recorder = Recorder()
    again = Labeller(spec, LabelStore(tmp_path / "l.db")).label(frames, progress=recorder)
    assert paid > 0
    assert len(list(folder.iterdir())) == paid
    assert (again.from_store, again.computed) == (4, 0)
    assert recorder.done == recorder.total == 4
    for old, new in zip(first.frames, again.frames, strict=True):
        assert new.get_potential_energy() == old.get_potential_energy()
        np.testing.assert_array_equal(new.get_forces(), old.get_forces())
        np.testing.assert_array_equal(new.get_stress(), old.get_stress())
        np.testing.assert_array_equal(new.positions, old.positions)


def test_equal_structures_in_a_batch_are_computed_once(tmp_path):
    atoms = copper(1)[0]
    batch = Labeller(*_emt(tmp_path)).label([atoms, atoms.copy()])
    assert batch.indices == (0, 1)
    assert batch.computed == 1


def _emt(tmp_path):
    return CalculatorSpec("ase.calculators.emt:EMT"), LabelStore(tmp_path / "l.db")


def test_interrupted_run_keeps_what_was_finished(tmp_path):
    spec, store = _emt(tmp_path)
    frames = copper(5)

    class Stop(Recorder):
        def advance(self, steps=1.0, note=""):
            super().advance(steps)
            if self.done == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Labeller(spec, store).label(frames, progress=Stop())
    batch = Labeller(spec, LabelStore(tmp_path / "l.db")).label(frames)
    assert (batch.from_store, batch.computed) == (3, 2)


def test_failure_is_retried_once_with_its_reason_kept(tmp_path):
    spec = CalculatorSpec("oracle_calculators:FailsFirst", {"folder": str(tmp_path)})
    store = LabelStore(tmp_path / "l.db")
    atoms = copper(1)
    batch = Labeller(spec, store).label(atoms)
    assert (batch.computed, batch.retried, batch.failures) == (1, 1, ())
    stored = store.find([structure_key(atoms[0], spec)]).popitem()[1]
    assert stored.outcome.reasons == ("RuntimeError: scratch file lost",)


def test_failures_are_set_aside_counted_and_kept(tmp_path):
    spec, store = CalculatorSpec("oracle_calculators:FailsForGold"), LabelStore(tmp_path / "l.db")
    frames = [*copper(3), *copper(1, symbol="Au"), *copper(2, seed=9)]
    batch = Labeller(spec, store).label(frames)
    assert batch.indices == (0, 1, 2, 4, 5)
    (failure,) = batch.failures
    assert failure.index == 3
    assert failure.reasons == ("BadLabelError: forces holds NaN or infinity",) * 2
    assert (store.count(), store.count(failed=True)) == (5, 1)
    row = ase.db.connect(tmp_path / "l.db").get(status="failed")
    assert row.toatoms() == frames[3]
    assert row.data["reasons"] == list(failure.reasons)
    again = Labeller(spec, store).label(frames)
    assert (again.from_store, again.computed, len(again.failures)) == (5, 0, 1)


def test_failed_structure_can_be_tried_again(tmp_path):
    store, atoms = LabelStore(tmp_path / "l.db"), copper(1)
    spec = CalculatorSpec("ase.calculators.emt:EMT")
    strict = Labeller(spec, store, limits=LabelLimits(max_force=1e-6))
    assert len(strict.label(atoms).failures) == 1
    batch = Labeller(spec, store, retry_failed=True).label(atoms)
    assert (batch.computed, store.count(), store.count(failed=True)) == (1, 1, 0)


def test_too_many_failures_raise_and_say_where_they_are(tmp_path):
    spec, store = CalculatorSpec("oracle_calculators:HugeForces"), LabelStore(tmp_path / "l.db")
    with pytest.raises(LabelError) as caught:
        Labeller(spec, store).label(copper(4))
    message = str(caught.value)
    assert message.startswith(
        "4 of 4 labels by 'oracle_calculators:HugeForces' failed, more than the limit of 10 %"
    )
    assert "force of 1000.0 eV/Å on atom 3 exceeds the limit of 50 eV/Å" in message
    assert str(tmp_path / "l.db") in message
    assert store.count(failed=True) == 4


def test_atoms_on_top_of_each_other_are_refused_before_they_cost_anything(tmp_path):
    spec, folder = counting(tmp_path)
    squeezed = copper(1)[0]
    squeezed.positions[1] = squeezed.positions[0] + [1.2, 0, 0]  # covalent radii of copper: 1.32 Å each
    batch = Labeller(spec, LabelStore(tmp_path / "l.db")).label([squeezed])
    assert batch.failures[0].reasons[0] == (
        "BadLabelError: Cu0 and Cu1 are 1.20 Å apart, below 0.5 of the sum of their covalent radii"
    )
    assert list(folder.iterdir()) == []


def test_worker_pool_gives_the_same_labels_and_survives_a_dying_calculator(tmp_path):
    frames = [*copper(4), *copper(1, symbol="Ag"), *copper(3, seed=20)]
    spec = CalculatorSpec("oracle_calculators:FailsForGold")
    pooled = Labeller(spec, LabelStore(tmp_path / "pool.db"), workers=2).label(frames)
    assert pooled.indices == (0, 1, 2, 3, 5, 6, 7)
    assert [failure.reasons[0] for failure in pooled.failures] == ["the worker process died"]
    serial = Labeller(spec, LabelStore(tmp_path / "serial.db")).label([*frames[:4], *frames[5:]])
    for one, other in zip(pooled.frames, serial.frames, strict=True):
        # EMT's neighbour lists keep a skin, so its sums run in an order that depends on what came before
        assert one.get_potential_energy() == pytest.approx(other.get_potential_energy(), abs=1e-12)
        np.testing.assert_allclose(one.get_forces(), other.get_forces(), atol=1e-12)


def _label_all(location, folder, seed):
    spec = CalculatorSpec("oracle_calculators:Counting", {"folder": folder})
    Labeller(spec, LabelStore(location)).label([*copper(10), *copper(10, seed=seed)])


def test_two_processes_share_a_store(tmp_path):
    _, folder = counting(tmp_path)
    context = multiprocessing.get_context("spawn")
    location = str(tmp_path / "shared.db")
    runs = [context.Process(target=_label_all, args=(location, str(folder), seed)) for seed in (100, 200)]
    for run in runs:
        run.start()
    for run in runs:
        run.join(60)
    assert [run.exitcode for run in runs] == [0, 0]
    assert LabelStore(location).count() == 30
    with sqlite3.connect(location) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_key_sees_content_and_ignores_noise():
    spec = CalculatorSpec("ase.calculators.emt:EMT")
    atoms = copper(1)[0]
    key = structure_key(atoms, spec)
    noisy = atoms.copy()
    noisy.positions += 1e-11
    assert structure_key(noisy, spec) == key
    changed = [atoms.copy() for _ in range(5)]
    changed[0].positions[1, 2] += 1e-6
    changed[1].set_cell(atoms.cell[:] * 1.000001)
    changed[2].numbers[0] = 47
    changed[3].pbc = (True, True, False)
    changed[4].set_initial_magnetic_moments([1.0, 0, 0, 0])
    keys = {structure_key(other, spec) for other in changed} | {key}
    keys.add(structure_key(atoms, CalculatorSpec("ase.calculators.emt:EMT", {"asap_cutoff": True})))
    assert len(keys) == 7


def test_structures_without_periodicity_have_no_stress(tmp_path):
    batch = Labeller(*_emt(tmp_path)).label([Atoms("Cu2", [[0, 0, 0], [0, 0, 2.3]])])
    assert "stress" not in batch.frames[0].calc.results


def test_unwritable_store_names_path_and_way_out(tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("no folder")
    with pytest.raises(
        StoreError, match=r"file/labels\.db' cannot be read or written .*; name a file in a folder"
    ):
        LabelStore(blocker / "labels.db")


def test_damaged_store_is_a_store_error(tmp_path):
    path = tmp_path / "labels.db"
    path.write_bytes(b"this is no database " * 100)
    with pytest.raises(StoreError, match="file is not a database"):
        LabelStore(path)


@pytest.mark.parametrize("location", ["labels.txt", "xyz://host/labels.db", "mysql://host/labels"])
def test_store_of_unknown_kind_is_refused(location):
    with pytest.raises(InputError, match=r"neither a file ending in \.db nor a postgresql:// address"):
        LabelStore(location)


class Error(Exception):
    """The base of a database driver's errors, by PEP 249."""


class OperationalError(Error):
    pass


def test_server_that_cannot_be_reached_is_a_store_error(monkeypatch):
    def refuse(*_, **__):
        raise OperationalError('connection to server at "db" failed:\n\tConnection refused')

    monkeypatch.setattr("ase.db.connect", refuse)
    with pytest.raises(StoreError, match=r"failed: Connection refused\); name a file .* a store that is up"):
        LabelStore("postgresql://user@db/labels")


def test_defects_are_no_store_errors(monkeypatch):
    def fail(*_, **__):
        raise ValueError("a defect")

    monkeypatch.setattr("ase.db.connect", fail)
    with pytest.raises(ValueError, match="a defect"):
        LabelStore("postgresql://user@db/labels")


@pytest.mark.parametrize("bad", [{"workers": 0}, {"max_failed_fraction": 1.5}])
def test_bad_settings_are_refused(tmp_path, bad):
    with pytest.raises(InputError):
        Labeller(*_emt(tmp_path), **bad)
