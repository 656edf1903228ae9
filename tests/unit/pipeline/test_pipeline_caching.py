"""What is computed again, and what is not."""

import shutil
from pathlib import Path

import pytest
from pipeline_toys import RECIPE, TOY_LADDER, Number, save_number, single, toy_recipe, write_recipe

from scalebridge.contracts import Provenance
from scalebridge.foundation import ConvergenceError, InputError, StoreError
from scalebridge.pipeline import (
    Manifest,
    RunFolder,
    Stage,
    StageContext,
    StageError,
    inspect_run,
    load_recipe,
    run_stages,
)

ALL = ("base", "left", "right", "top")


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    run = tmp_path / "run"
    assert run_stages(toy_recipe(tmp_path), run, TOY_LADDER).computed == ALL
    return run


def states(run: Path) -> dict[str, str]:
    recipe = load_recipe(run / "recipe.toml")
    return {entry.stage.name: entry.state for entry in inspect_run(run, recipe, TOY_LADDER)}


def test_up_to_date_stages_are_skipped(finished: Path) -> None:
    again = run_stages(toy_recipe(finished.parent), finished, TOY_LADDER)
    assert again.computed == ()
    assert again.sound
    assert states(finished) == dict.fromkeys(ALL, "up to date")


@pytest.mark.parametrize(
    ("deleted", "expected"),
    [
        ("base", ALL),
        ("left", ("left", "top")),
        ("right/number.json", ("right", "top")),
        ("right/stage.json", ("right", "top")),
        ("top", ("top",)),
    ],
)
def test_deleted_output_is_computed_again_with_all_above_it(
    finished: Path, deleted: str, expected: tuple[str, ...]
) -> None:
    victim = finished / deleted
    shutil.rmtree(victim) if victim.is_dir() else victim.unlink()
    states_before = states(finished)
    assert states_before[expected[0]] == "missing"
    assert all(states_before[name] == "out of date" for name in expected[1:])
    assert run_stages(toy_recipe(finished.parent), finished, TOY_LADDER).computed == expected
    assert states(finished) == dict.fromkeys(ALL, "up to date")


def test_edited_output_is_computed_again(finished: Path) -> None:
    path = finished / "left" / "number.json"
    path.write_text(path.read_text().replace("4.0", "5.0"))
    assert run_stages(toy_recipe(finished.parent), finished, TOY_LADDER).computed == ("left", "top")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("[labels]\ncompositions = [0.0, 1.0]", "[labels]\ncompositions = [0.0, 0.5, 1.0]", ("left", "top")),
        ("compositions = [0.5]", "compositions = [0.25]", ("right", "top")),
        ("seed = 3", "seed = 4", ("top",)),
        ("members = 4", "members = 5", ()),
        ("[labels]", "[labels]\nrepeat = [1, 1, 1]", ()),
    ],
)
def test_changed_section_invalidates_what_depends_on_it(
    finished: Path, old: str, new: str, expected: tuple[str, ...]
) -> None:
    assert old in RECIPE
    changed = toy_recipe(finished.parent, RECIPE.replace(old, new))
    assert run_stages(changed, finished, TOY_LADDER).computed == expected


def test_changed_host_data_invalidates_all(finished: Path) -> None:
    (finished.parent / "toyhost" / "host.toml").write_text("name = 'changed'\n")
    recipe = load_recipe(finished.parent / "recipe.toml")
    assert run_stages(recipe, finished, TOY_LADDER).computed == ALL


def test_raised_version_invalidates_the_stage(tmp_path: Path) -> None:
    recipe = toy_recipe(tmp_path)
    for version, expected in ((1, ("single",)), (1, ()), (2, ("single",))):
        stage = single(lambda context: save_number(context, 1.0), version)
        assert run_stages(recipe, tmp_path / "run", (stage,)).computed == expected


def test_old_outputs_are_removed_before_a_stage_is_computed_again(tmp_path: Path) -> None:
    run = tmp_path / "run"

    def two_files(context: StageContext) -> None:
        (context.folder / "extra").mkdir()
        (context.folder / "extra" / "old.txt").write_text("old")
        save_number(context, 1.0)

    run_stages(toy_recipe(tmp_path), run, (single(two_files),))
    run_stages(toy_recipe(tmp_path), run, (single(lambda context: save_number(context, 2.0), 2),))
    assert sorted(path.name for path in (run / "single").iterdir()) == ["number.json", "stage.json"]


def test_until_stops_there_and_unknown_stage_is_named(tmp_path: Path) -> None:
    recipe = toy_recipe(tmp_path)
    assert run_stages(recipe, tmp_path / "run", TOY_LADDER, until="left").computed == ("base", "left")
    assert run_stages(recipe, tmp_path / "run", TOY_LADDER).computed == ("right", "top")
    with pytest.raises(InputError, match="--until lift: no such stage; choose one of base, left"):
        run_stages(recipe, tmp_path / "run", TOY_LADDER, until="lift")


def test_failing_stage_keeps_what_is_done_and_is_logged(tmp_path: Path) -> None:
    def fail(_: StageContext) -> None:
        raise ConvergenceError("fit ended\nabove tolerance; add iterations")

    ladder = (TOY_LADDER[0], Stage("left", fail, parents=("base",), sections=("labels",)))
    run = tmp_path / "run"
    with pytest.raises(StageError, match="stage 'left': fit ended above tolerance; add iterations") as caught:
        run_stages(toy_recipe(tmp_path), run, ladder)
    assert "\n" not in str(caught.value)
    assert "Traceback" in (run / "log.txt").read_text()
    manifest = Manifest.load(run / "left")
    assert manifest is not None
    assert (manifest.status, manifest.error) == ("failed", "fit ended above tolerance; add iterations")
    assert states(run)["base"] == "up to date"
    assert states(run)["left"] == "failed"
    assert run_stages(toy_recipe(tmp_path), run, TOY_LADDER).computed == ("left", "right", "top")


def test_warnings_keep_a_run_sound_and_unsound_reasons_do_not(tmp_path: Path) -> None:
    def doubtful(context: StageContext) -> None:
        context.warn("few samples")
        context.warn("few samples")
        if context.recipe.host:
            context.unsound("a walker left the validity range")
        save_number(context, 1.0)

    for _ in range(2):  # an unsound stage stays unsound when it is up to date
        result = run_stages(toy_recipe(tmp_path), tmp_path / "run", (single(doubtful),))
        assert not result.sound
        assert result.warnings == ("single: few samples",)
        assert result.unsound == ("single: a walker left the validity range",)


def test_interrupt_is_recorded(tmp_path: Path) -> None:
    def interrupted(_: StageContext) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_stages(toy_recipe(tmp_path), tmp_path / "run", (single(interrupted),))
    manifest = Manifest.load(tmp_path / "run" / "single")
    assert manifest is not None
    assert manifest.status == "interrupted"


def test_provenance_names_what_was_loaded(finished: Path) -> None:
    top, left = (Number.load(finished / name / "number.json") for name in ("top", "left"))
    assert top.provenance.parents["left/number"] == left.content_hash
    assert top.provenance.recipe_hash == load_recipe(finished / "recipe.toml").hash
    assert top.provenance != Provenance(code_version="", recipe_hash="")


def test_undeclared_parents_and_sections_are_refused(tmp_path: Path) -> None:
    def reads_too_much(context: StageContext) -> None:
        context.load("base", Number)

    def reads_other_section(context: StageContext) -> None:
        save_number(context, context.recipe.potential.cutoff)

    for compute in (reads_too_much, reads_other_section):
        with pytest.raises(StageError):
            run_stages(toy_recipe(tmp_path), tmp_path / "run", (single(compute),))


def test_second_run_in_a_folder_is_refused_and_a_dead_lock_taken_over(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.create()
    with folder.lock():
        assert folder.in_use()
        with pytest.raises(StoreError, match=r"is in use by process \d+ on .*; wait for that run"):
            run_stages(toy_recipe(tmp_path), folder.path, TOY_LADDER)
    assert not folder.in_use()
    folder.lock_file.write_text("process 999999999 on here since long ago\n")
    assert run_stages(toy_recipe(tmp_path), folder.path, TOY_LADDER).computed == ALL


def test_run_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"cannot be written .*; choose another with --out"):
        run_stages(load_recipe(write_recipe(tmp_path)), tmp_path / "file" / "run", TOY_LADDER)


def test_damaged_manifest_is_named(finished: Path) -> None:
    (finished / "left" / "stage.json").write_text("{")
    with pytest.raises(StoreError, match="delete the folder"):
        run_stages(toy_recipe(finished.parent), finished, TOY_LADDER)
