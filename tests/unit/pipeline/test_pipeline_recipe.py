"""The recipe: merging, hashing, resolving, and what it says about mistakes."""

import shutil
from pathlib import Path

import pytest
from pipeline_toys import RECIPE, toy_recipe, write_recipe

from scalebridge.contracts import ElectrodeDesign, Host, Provenance
from scalebridge.foundation import InputError
from scalebridge.materials import load_design, load_host
from scalebridge.pipeline import Recipe, bundled_recipes, check_recipe, host_folder, load_recipe, recipe_path


def message(path: Path, text: str, **options: str) -> str:
    with pytest.raises(InputError) as caught:
        load_recipe(write_recipe(path, text), **options)
    shown = str(caught.value)
    assert "\n" not in shown
    return shown


def test_profiles_override_deeply(tmp_path: Path) -> None:
    quick = toy_recipe(tmp_path)
    standard = load_recipe(tmp_path / "recipe.toml", profile="standard", seed=7)
    assert (quick.profile, quick.seed, quick.learning.break_grade, quick.learning.rounds) == (
        "quick",
        3,
        10.0,
        6,
    )
    assert (standard.profile, standard.seed) == ("standard", 7)
    assert (standard.learning.break_grade, standard.learning.rounds) == (8.0, 20)
    assert standard.learning.temperatures == quick.learning.temperatures


def test_saved_recipe_gives_the_same_recipe(tmp_path: Path) -> None:
    text = RECIPE.replace(
        'EMT"', 'EMT"\narguments = { model = "0.3.0", nested = { "a b" = [1, 2.5], flag = true } }'
    )
    recipe = toy_recipe(tmp_path, text)
    (tmp_path / "elsewhere").mkdir()
    copy = load_recipe(recipe.save(tmp_path / "elsewhere" / "recipe.toml"))
    assert copy == recipe
    assert copy.hash == recipe.hash


def test_hash_is_that_of_the_content(tmp_path: Path) -> None:
    recipe = toy_recipe(tmp_path / "one")
    moved = toy_recipe(tmp_path / "two", "# a comment\n" + RECIPE)
    assert moved.hash == recipe.hash
    cheaper = toy_recipe(
        tmp_path / "two", RECIPE.replace('EMT"', 'EMT"\nworkers = 2\nretry_failed = true\nstore = "other.db"')
    )
    assert cheaper.hash == recipe.hash, "how a run is done does not change what it computes"
    assert toy_recipe(tmp_path / "two", RECIPE.replace("seed = 3", "seed = 4")).hash != recipe.hash
    (tmp_path / "one" / "toyhost" / "host.toml").write_text("name = 'other'\n")
    assert load_recipe(tmp_path / "one" / "recipe.toml").hash != recipe.hash


def test_a_correction_lies_with_the_host_or_the_recipe_and_counts_by_its_content(tmp_path: Path) -> None:
    plain = toy_recipe(tmp_path)
    text = RECIPE.replace('EMT"', 'EMT"\ncorrection = "delta.mtp"')
    (tmp_path / "delta.mtp").write_text("one")
    beside_recipe = toy_recipe(tmp_path, text)
    assert beside_recipe.oracle.correction == str(tmp_path / "delta.mtp")
    (tmp_path / "delta.mtp").write_text("two")
    changed = toy_recipe(tmp_path, text)
    (tmp_path / "delta.mtp").rename(tmp_path / "toyhost" / "delta.mtp")
    beside_host = toy_recipe(tmp_path, text)
    assert beside_host.oracle.correction == "delta.mtp"
    assert beside_host.content["oracle"] == changed.content["oracle"]
    assert len({recipe.hash for recipe in (plain, beside_recipe, changed)}) == 3


def test_holding_out_every_label_is_refused(tmp_path: Path) -> None:
    text = RECIPE.replace("[learning]", "[learning]\nheld_out_every = 1")
    assert "1 leaves no label to learn from; give 0 or at least 2" in message(tmp_path, text)
    wrong = RECIPE.replace("[learning]", '[learning]\nbursts = "nve"')
    assert "learning.bursts = 'nve'" in message(tmp_path, wrong)


def test_view_shows_only_the_sections_a_stage_lists(tmp_path: Path) -> None:
    view = toy_recipe(tmp_path).view(("labels",))
    assert view.labels.compositions == (0.0, 1.0)
    with pytest.raises(AttributeError):
        _ = view.learning
    with pytest.raises(AttributeError):
        _ = view.seed


def test_the_electrode_s_temperature_counts_apart_from_its_design(tmp_path: Path) -> None:
    """What depends on the temperature alone is not computed again when the electrode gets thicker."""
    before = toy_recipe(tmp_path)
    assert before.temperature == 298.0
    design = tmp_path / "toyhost" / "design.toml"
    text = design.read_text()
    design.write_text(text.replace("value = 70e-6", "value = 90e-6"))
    thicker = load_recipe(tmp_path / "recipe.toml")
    assert thicker.part(("electrode",)) != before.part(("electrode",))
    assert thicker.part(("temperature",)) == before.part(("temperature",))
    design.write_text(text.replace("value = 298.0", "value = 310.0"))
    warmer = load_recipe(tmp_path / "recipe.toml")
    assert warmer.part(("temperature",)) == {"temperature": 310.0}
    assert warmer.view(("temperature",)).temperature == 310.0
    with pytest.raises(AttributeError):
        _ = warmer.view(("labels",)).temperature


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("[labels]", "[labels]\ncomposition = 1", "labels.composition = 1: unknown key; did you mean"),
        ("break = 8.0", "brake = 8.0", "profiles.standard.learning.brake = 8.0: unknown key"),
        ("[potential]", "[potental]", "did you mean 'potential'?"),
        ("[labels]", "[labels]\nzzz = 1", "known keys are compositions, structures_per_composition"),
        ("members = 4", "members = 3", "potential.members = 3: must be greater than or equal to 4; com"),
        ("members = 4", "level = 7", "potential.level = 7: must be a multiple of 2"),
        ("members = 4", 'members = "4"', "potential.members = '4': must be a valid integer"),
        ("[600.0, 700.0, 800.0]", "[600.0]", "transport.temperatures"),
        ("[600.0, 700.0, 800.0]", "[600.0, 700.0, -8.0]", "transport.temperatures[2] = -8.0: must be"),
        ("[thermodynamics]\ntemperatures = [300.0]", "", "thermodynamics: this section is required"),
        ('"ase.calculators.emt:EMT"', '"emt"', "oracle.calculator = 'emt'"),
        ("seed = 3", "seed = ", "not valid TOML"),
        ("toyhost", "nohost", "neither a bundled host"),
        ('EMT"', 'EMT"\ncorrection = "no.mtp"', "correction '"),
        ("[profiles.quick]", "[electrode]\ndesign = 'x.toml'\n[profiles.quick]", "no file"),
        ("[profiles.quick]", "[profiles.fast]", "no such profile; choose one of fast, standard"),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_a_way_out(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in RECIPE
    shown = message(tmp_path, RECIPE.replace(old, new))
    assert "recipe.toml" in shown
    assert expected in shown


def test_unknown_profile_and_missing_file(tmp_path: Path) -> None:
    assert "profile = 'slow'" in message(tmp_path, RECIPE, profile="slow")
    with pytest.raises(InputError, match="no such file; 'scalebridge init DIR'"):
        load_recipe(tmp_path / "nothing.toml")
    with pytest.raises(InputError, match="no bundled recipe"):
        recipe_path("unobtainium")


def test_bundled_recipes_load_in_both_profiles() -> None:
    assert {"lfp", "mnhcf", "mnhcf-chgnet"} <= set(bundled_recipes())
    for name in bundled_recipes():
        quick = load_recipe(recipe_path(name))
        standard = load_recipe(recipe_path(name), profile="standard")
        assert quick.potential.members >= 4
        assert standard.potential.level > quick.potential.level or standard.potential.prior  # has its own
        assert standard.hash != quick.hash


def test_the_recipes_of_mnhcf_say_what_their_labels_get_wrong() -> None:
    chgnet = " ".join(load_recipe(recipe_path("mnhcf-chgnet")).oracle.remarks)
    assert "1.1 V low" in chgnet
    assert "Jahn–Teller" in chgnet
    given = load_recipe(recipe_path("mnhcf"))
    assert given.oracle is None
    assert "below experiment" in " ".join(given.labels.remarks)


def test_other_labels_are_another_recipe_but_no_other_host(tmp_path: Path) -> None:
    folder = tmp_path / "host"
    shutil.copytree(host_folder("mnhcf"), folder)
    path = folder / "recipe.toml"
    path.write_text(path.read_text().replace('name = "mnhcf"', 'name = "."'))
    before = load_recipe(path).content
    (folder / "labels.extxyz").write_text("1\n\nNa 0 0 0\n")
    after = load_recipe(path).content
    assert after["host"] == before["host"]
    assert after["labels"] != before["labels"]


def bundled_mnhcf() -> tuple[Recipe, Host, ElectrodeDesign]:
    nowhere = Provenance(code_version="", recipe_hash="")
    return load_recipe(recipe_path("mnhcf")), load_host("mnhcf", nowhere), load_design("mnhcf", nowhere)


@pytest.mark.parametrize("name", ["given", "target"])
def test_labels_are_moved_only_from_a_file_onto_a_named_level(name: str) -> None:
    recipe, host, design = bundled_mnhcf()
    check_recipe(recipe, host, design)
    without = recipe.model_copy(update={"labels": recipe.labels.model_copy(update={name: None})})
    with pytest.raises(InputError, match=r"labels.align moves labels onto the level labels.target"):
        check_recipe(without, host, design)


def test_what_the_loop_buys_has_the_level_onto_which_labels_are_moved() -> None:
    recipe, host, design = bundled_mnhcf()
    oracle = load_recipe(recipe_path("mnhcf-chgnet")).oracle
    cheap, good = (
        recipe.model_copy(update={"oracle": oracle.model_copy(update={"level": level})})
        for level in ("cheap", "converged")
    )
    check_recipe(good, host, design)
    with pytest.raises(InputError, match=r"not those that the loop buys at oracle.level 'cheap'"):
        check_recipe(cheap, host, design)


def test_walkers_do_not_stop_before_they_queue() -> None:
    recipe, host, design = bundled_mnhcf()
    learning = recipe.learning.model_copy(update={"save_grade": 21.0})
    with pytest.raises(InputError, match=r"learning.save 21 exceeds learning.break 10"):
        check_recipe(recipe.model_copy(update={"learning": learning}), host, design)


def test_a_recipe_with_nothing_to_learn_from_is_refused(tmp_path: Path) -> None:
    host = load_host("lfp", Provenance(code_version="", recipe_hash=""))
    design = load_design("lfp", Provenance(code_version="", recipe_hash=""))
    recipe = load_recipe(recipe_path("lfp")).model_copy(update={"oracle": None})
    with pytest.raises(InputError, match=r"neither an \[oracle\] nor labels.given"):
        check_recipe(recipe, host, design)


def test_a_prior_counts_by_its_content_and_a_missing_one_is_told(tmp_path: Path) -> None:
    text = RECIPE.replace("members = 4", 'members = 4\nprior = "cheap.mtp"')
    assert "cheap.mtp': neither a file in the host's folder nor" in message(tmp_path, text)
    (tmp_path / "cheap.mtp").write_text("one")
    before = toy_recipe(tmp_path, text)
    (tmp_path / "cheap.mtp").write_text("another")
    after = toy_recipe(tmp_path, text)
    assert after.content["potential"]["prior"] != before.content["potential"]["prior"]
    assert before.potential.prior == str(tmp_path / "cheap.mtp")


def test_missing_given_labels_are_told(tmp_path: Path) -> None:
    text = RECIPE.replace("compositions = [0.0, 1.0]", 'given = "nowhere.extxyz"')
    shown = message(tmp_path, text)
    assert "nowhere.extxyz': neither a file in the host's folder nor" in shown
    assert "give labelled structures as extended XYZ" in shown
