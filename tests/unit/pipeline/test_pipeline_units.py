"""Units of work: persistence, parallel execution, kills."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pipeline_toys
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from pipeline_toys import Number, save_number, single, squares_stage, toy_recipe, traces

from scalebridge.foundation import InputError, StoreError
from scalebridge.pipeline import (
    Manifest,
    ProcessExecutor,
    SerialExecutor,
    Stage,
    StageContext,
    StageError,
    content_key,
    parse_executor,
    run_stages,
)
from scalebridge.pipeline.stages import thermodynamics

ONCE = {str(number): 1 for number in range(6)}


@pytest.fixture
def trace_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "traces"
    folder.mkdir()
    return folder


def wait_for(condition: "object", seconds: float = 180.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def children(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == pid:
            found.append(int(path.parent.name))
    return found


@pytest.mark.parametrize("executor", ["serial", "processes:2"])
def test_killed_run_resumes_without_repeating_finished_units(
    tmp_path: Path, trace_folder: Path, executor: str
) -> None:
    code = f"import pipeline_toys; pipeline_toys.run_squares({str(tmp_path)!r}, 'block at 3', {executor!r})"
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=Path(__file__).parent, stderr=subprocess.DEVNULL
    )
    units = tmp_path / "run" / "squares" / "units"
    expected = 3 if executor == "serial" else 5
    wait_for(lambda: len(list(units.glob("*.pickle"))) >= expected)
    workers = children(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_for(lambda: not any(alive(worker) for worker in workers))  # no worker outlives its run
    finished = traces(trace_folder)
    result = run_stages(toy_recipe(tmp_path), tmp_path / "run", (squares_stage(trace_folder),))
    assert result.computed == ("squares",)
    assert result.manifests["squares"].reused_units == expected
    assert traces(trace_folder) == ONCE
    assert set(finished) < set(ONCE)
    assert Number.load(tmp_path / "run" / "squares" / "number.json").value == 55.0
    assert not units.exists()


def test_parallel_equals_serial_with_one_thread_per_worker(tmp_path: Path, trace_folder: Path) -> None:
    executor = ProcessExecutor(2)
    before = os.environ.get("OMP_NUM_THREADS")
    try:
        run_stages(
            toy_recipe(tmp_path), tmp_path / "parallel", (squares_stage(trace_folder),), executor=executor
        )
    finally:
        executor.close()
    assert (trace_folder / "0").read_text() == "1\n"
    assert os.environ.get("OMP_NUM_THREADS") == before
    run_stages(toy_recipe(tmp_path), tmp_path / "serial", (squares_stage(trace_folder),))
    values = [Number.load(tmp_path / name / "squares" / "number.json") for name in ("parallel", "serial")]
    assert values[0] == values[1]


@pytest.mark.parametrize("executor", ["serial", "processes:2"])
def test_failing_unit_keeps_the_finished_ones(tmp_path: Path, trace_folder: Path, executor: str) -> None:
    chosen = parse_executor(executor)
    try:
        with pytest.raises(StageError, match="number 3 does not converge; leave it out"):
            run_stages(
                toy_recipe(tmp_path),
                tmp_path / "run",
                (squares_stage(trace_folder, "fail at 3"),),
                executor=chosen,
            )
    finally:
        chosen.close()
    done = set(traces(trace_folder))
    assert {"0", "1", "2"} <= done
    run_stages(toy_recipe(tmp_path), tmp_path / "run", (squares_stage(trace_folder),))
    assert traces(trace_folder) == ONCE


def test_dead_worker_is_explained(tmp_path: Path, trace_folder: Path) -> None:
    executor = ProcessExecutor(2)
    try:
        with pytest.raises(StageError, match=r"a worker process died .*--executor serial"):
            run_stages(
                toy_recipe(tmp_path),
                tmp_path / "run",
                (squares_stage(trace_folder, "die at 3"),),
                executor=executor,
            )
    finally:
        executor.close()


def test_units_of_another_recipe_are_dropped(tmp_path: Path, trace_folder: Path) -> None:
    with pytest.raises(StageError):
        run_stages(toy_recipe(tmp_path), tmp_path / "run", (squares_stage(trace_folder, "fail at 3"),))
    (tmp_path / "toyhost" / "host.toml").write_text("name = 'changed'\n")
    result = run_stages(toy_recipe_again(tmp_path), tmp_path / "run", (squares_stage(trace_folder),))
    assert result.manifests["squares"].reused_units == 0
    assert traces(trace_folder)["0"] == 2


def toy_recipe_again(folder: Path) -> pipeline_toys.Recipe:
    return pipeline_toys.load_recipe(folder / "recipe.toml")


def test_damaged_unit_is_computed_again(tmp_path: Path, trace_folder: Path) -> None:
    with pytest.raises(StageError):
        run_stages(toy_recipe(tmp_path), tmp_path / "run", (squares_stage(trace_folder, "fail at 3"),))
    for path in (tmp_path / "run" / "squares" / "units").glob("*.pickle"):
        path.write_bytes(path.read_bytes()[:20])
    run_stages(toy_recipe(tmp_path), tmp_path / "run", (squares_stage(trace_folder),))
    assert traces(trace_folder)["0"] == 2
    assert Number.load(tmp_path / "run" / "squares" / "number.json").value == 55.0


@dataclass(frozen=True)
class Climb:
    top: int
    stop: int
    state: Path | None = None


def climb(item: Climb) -> int:
    """Count up to ``top`` with the state in a file; a process that got to ``stop`` stops there once."""
    assert item.state is not None
    first = int(item.state.read_text()) if item.state.exists() else 0
    for step in range(first, item.top):
        if step == item.stop and first == 0:
            raise RuntimeError("stopped half-way")
        item.state.write_text(str(step + 1))
    return item.top - first


def test_a_units_own_file_is_there_again_and_removed_when_it_is_finished(tmp_path: Path) -> None:
    left: list[int] = []

    def compute(context: StageContext) -> None:
        folder = context.unit_store.folder
        items = [Climb(3, 9), Climb(9, 5)]
        steps = context.units(
            climb, items, key=lambda item: item.top, own_file=lambda item, path: replace(item, state=path)
        )
        left.extend([*steps, len(list(folder.glob("*.state")))])
        save_number(context, 1.0)

    with pytest.raises(StageError, match="stopped half-way"):
        run_stages(toy_recipe(tmp_path), tmp_path / "run", (single(compute),))
    (state,) = (tmp_path / "run" / "single" / "units").glob("*.state")
    assert state.read_text() == "5"
    run_stages(toy_recipe(tmp_path), tmp_path / "run", (single(compute),))
    assert left == [3, 4, 0]


def test_ladders_keep_their_state_beside_finished_units(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Path] = []
    for name in ("load_graders", "PotentialModel", "ladder_tasks"):
        monkeypatch.setattr(thermodynamics, name, lambda *_, **__: ["one"])
    monkeypatch.setattr(thermodynamics, "merge_ladders", lambda parts: parts)
    monkeypatch.setattr(thermodynamics, "sample_ladder", lambda _, *, checkpoint: given.append(checkpoint))

    def compute(context: StageContext) -> None:
        thermodynamics._ladders(context, None, ["member"], ())  # type: ignore[arg-type,list-item]
        save_number(context, 1.0)

    stage = Stage("single", compute, sections=("host", "thermodynamics", "seed"))
    run_stages(toy_recipe(tmp_path), tmp_path / "run", (stage,))
    assert {path.parent for path in given} == {tmp_path / "run" / "single" / "units"}


def test_checkpoint_is_computed_once(tmp_path: Path) -> None:
    calls: list[int] = []

    def step() -> int:
        calls.append(1)
        return 7

    def compute(context: StageContext) -> None:
        value = context.checkpoint("fit", step, key=[1, 2])
        if len(calls) == 1 and not (tmp_path / "second").exists():
            (tmp_path / "second").touch()
            raise RuntimeError("stopped between two steps")
        save_number(context, float(value))

    with pytest.raises(StageError, match="RuntimeError: stopped between two steps"):
        run_stages(toy_recipe(tmp_path), tmp_path / "run", (single(compute),))
    run_stages(toy_recipe(tmp_path), tmp_path / "run", (single(compute),))
    assert len(calls) == 1
    manifest = Manifest.load(tmp_path / "run" / "single")
    assert manifest is not None
    assert manifest.reused_units == 1


@pytest.mark.parametrize("text", ["threads", "processes:0", "processes:x", "serial:2", ""])
def test_unknown_executor_is_named(text: str) -> None:
    with pytest.raises(InputError, match=r"use serial, processes or processes:N"):
        parse_executor(text)


def test_known_executors() -> None:
    assert isinstance(parse_executor("serial"), SerialExecutor)
    assert isinstance(parse_executor("processes:1"), SerialExecutor)
    assert parse_executor("processes:3").workers == 3
    assert parse_executor("processes").workers >= 1


@dataclass(frozen=True)
class _Item:
    values: np.ndarray
    name: str = "a"


def test_content_key_follows_content_not_identity() -> None:
    one, same = _Item(np.arange(3.0)), _Item(np.arange(6.0)[:3])
    assert content_key(one) == content_key(same)
    assert content_key(one) != content_key(_Item(np.arange(3)))
    assert content_key(one) != content_key(_Item(np.arange(3.0), "b"))
    assert content_key({"b": 1, "a": {2, 1}}) == content_key({"a": {1, 2}, "b": 1})
    assert content_key(1) != content_key(1.0)
    assert content_key((1, (2,))) != content_key((1, 2))
    atoms = Atoms("NaCl", positions=[[0, 0, 0], [0, 0, 2.4]])
    moved = atoms.copy()
    moved.positions[1, 2] += 1e-12
    assert content_key(atoms) == content_key(atoms.copy())
    assert content_key(atoms) != content_key(moved)
    assert content_key(float("nan")) == content_key(float("nan"))
    words = [np.array(["".join(["N", end]), None], dtype=object) for end in ("a", "a", "i")]
    assert content_key(words[0]) == content_key(words[1]) != content_key(words[2])


class _Stateful:
    """An object that pickles its parameters and not its cache."""

    def __init__(self, parameters: list[float]) -> None:
        self.parameters = parameters
        self.cache: list[float] = []

    def __getstate__(self) -> dict[str, list[float]]:
        return {"parameters": self.parameters}


def test_content_key_of_any_object_is_that_of_what_pickle_stores() -> None:
    one, same = _Stateful([1.0, 2.0]), _Stateful([1.0, 2.0])
    same.cache.append(3.0)
    assert content_key(one) == content_key(same)
    assert content_key(one) != content_key(_Stateful([1.0, 2.5]))
    assert content_key(partial(_Item, name="a")) == content_key(partial(_Item, name="a"))
    assert content_key(partial(_Item, name="a")) != content_key(partial(_Item, name="b"))
    streams = [np.random.default_rng(seed) for seed in (1, 1, 2)]
    assert content_key(streams[0]) == content_key(streams[1])
    assert content_key(streams[0]) != content_key(streams[2])


def test_content_key_of_labelled_atoms_follows_the_labels() -> None:
    keys = []
    for energy in (1.0, 1.0, 2.0):
        atoms = Atoms("Na", cell=[3, 3, 3], pbc=True)
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=np.zeros((1, 3)))
        keys.append(content_key(atoms))
    assert keys[0] == keys[1] != keys[2]


def test_content_key_refuses_what_workers_could_not_import() -> None:
    with pytest.raises(TypeError, match="use a top-level function"):
        content_key(lambda: None)
    with pytest.raises(TypeError):
        content_key(number for number in range(3))


def test_unit_that_cannot_be_written_stops_the_stage(tmp_path: Path, trace_folder: Path) -> None:
    stage = squares_stage(trace_folder)

    def compute(context: StageContext) -> None:
        units = context.unit_store.folder
        for path in units.iterdir():
            path.unlink()
        units.rmdir()
        stage.compute(context)

    with pytest.raises(StageError, match=r"cannot be written .*; free space or permissions") as caught:
        run_stages(toy_recipe(tmp_path), tmp_path / "run", (single(compute),))
    assert isinstance(caught.value.__cause__, StoreError)
