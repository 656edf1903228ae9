"""The commands of ``scalebridge potential`` on files."""

import json
from collections.abc import Callable
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from typer.testing import CliRunner, Result

from scalebridge.cli import app
from scalebridge.cli.potential_output import print_json
from scalebridge.potential import ActiveSet, MomentTensorPotential, read_cfg
from scalebridge.potential.active_set import Kind


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["potential", *(str(argument) for argument in arguments)])


def done(*arguments: object) -> str:
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def error_of(*arguments: object) -> str:
    result = call(*arguments)
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    return result.stderr


def frames(count: int, width: float, seed: int) -> list:
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        atoms = bulk("Cu", cubic=True)
        atoms.numbers[rng.integers(4)] = 79
        atoms.rattle(width, rng=rng)
        atoms.calc = EMT()
        atoms.get_potential_energy()
        atoms.get_stress()
        found.append(atoms)
    return found


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train, test and far structures, and a fitted potential."""
    folder = tmp_path_factory.mktemp("potential")
    for name, count, width in (("train", 15, 0.06), ("test", 5, 0.06), ("far", 4, 0.3)):
        ase.io.write(folder / f"{name}.extxyz", frames(count, width, seed=count))
    done("fit", folder / "train.extxyz", folder / "pot.mtp", "--level", 4, "--iterations", 10, "--seed", 1)
    return folder


def test_fit_writes_best_estimate_and_committee(files: Path, tmp_path: Path) -> None:
    out = tmp_path / "pot.almtp"
    shown = done(
        "fit", files / "train.extxyz", out, "--level", 4, "--iterations", 3, "--members", 2,
        "--held-out", files / "test.extxyz", "--learning-curve", tmp_path / "curve.svg", "--json",
    )  # fmt: skip
    found = json.loads(shown)
    assert "validation" not in (tmp_path / "curve.svg").read_text()
    assert [Path(name).name for name in found["files"]] == [
        "pot.almtp", "pot_member_1.almtp", "pot_member_2.almtp"
    ]  # fmt: skip
    assert set(found["errors"]) == {"training", "held out"}
    assert 0 < found["errors"]["held out"]["energy_rmse [eV/atom]"] < 1
    energies = [MomentTensorPotential.load(name).xi for name in found["files"]]
    assert not np.allclose(energies[0], energies[1])


def test_fit_stays_close_to_a_start_and_ends_on_validation_structures(files: Path, tmp_path: Path) -> None:
    found = json.loads(
        done(
            "fit", files / "far.extxyz", tmp_path / "close.mtp", "--start", files / "pot.mtp",
            "--toward-start", "--ridge", 1e8, "--validation", files / "test.extxyz", "--json",
        )
    )  # fmt: skip
    assert len(found["validation_losses"]) == len(found["losses"]) + 1
    start, close = (MomentTensorPotential.load(path) for path in (files / "pot.mtp", tmp_path / "close.mtp"))
    np.testing.assert_allclose(close.xi, start.xi, rtol=1e-4, atol=1e-6)
    assert "toward_start needs a fitted potential" in error_of(
        "fit", files / "train.extxyz", tmp_path / "pot.mtp", "--toward-start"
    )


def test_a_committee_drawn_from_the_posterior_is_calibrated_on_held_out_structures(
    files: Path, tmp_path: Path
) -> None:
    out = tmp_path / "pot.mtp"
    fit = ("fit", files / "train.extxyz", out, "--level", 4, "--iterations", 3, "--members", 2)
    found = json.loads(done(*fit, "--committee", "posterior", "--held-out", files / "test.extxyz", "--json"))
    assert found["posterior"]["scale"] > 0
    assert 0 <= found["posterior"]["coverage"] <= 1
    best, one, two = (MomentTensorPotential.load(name) for name in found["files"])
    assert np.array_equal(best.radial, one.radial)
    assert not np.allclose(one.xi, two.xi)
    assert "of held-out energies inside its 90 % band" in done(
        *fit, "--committee", "posterior", "--held-out", files / "test.extxyz"
    )
    assert "not calibrated" in done(*fit, "--committee", "posterior")
    few = tmp_path / "few.extxyz"
    ase.io.write(few, ase.io.read(files / "test.extxyz", index=":2"))
    out.unlink()
    assert "2 held-out structures cannot calibrate" in error_of(
        *fit, "--committee", "posterior", "--held-out", few
    )
    assert not out.exists(), "said before the fit"
    assert json.loads(done(*fit, "--committee", "posterior", "--json"))["posterior"] == {
        "scale": 1.0, "coverage": None
    }  # fmt: skip


def test_a_bootstrap_committee_tells_how_wide_it_is_next_to_held_out_errors(
    files: Path, tmp_path: Path
) -> None:
    """The coverage and the widening are those of the members' files, by the definitions."""
    fit = ("fit", files / "train.extxyz", tmp_path / "pot.mtp", "--level", 4, "--iterations", 3)
    options = ("--members", 3, "--held-out", files / "test.extxyz")
    found = json.loads(done(*fit, *options, "--json"))
    best, *members = (MomentTensorPotential.load(name) for name in found["files"])
    errors, spread = [], []
    for atoms in ase.io.read(files / "test.extxyz", ":"):
        label = atoms.get_potential_energy()
        errors.append(abs(best.without_hard_core().compute(atoms).energy - label))
        energies = [member.without_hard_core().compute(atoms).energy for member in members]
        spread.append(np.std(energies, ddof=1))
    ratios = np.array(errors) / np.array(spread) / 2.919986  # Student's t, 95 %, two degrees of freedom
    assert found["committee"]["coverage"] == np.mean(ratios <= 1)
    scale = 1.644854 * np.sqrt(np.mean(ratios**2))
    assert found["committee"]["scale"] == pytest.approx(scale, rel=1e-5)
    left_out = [np.sqrt(np.mean(np.delete(ratios, n) ** 2)) for n in range(5)]
    assert found["committee"]["widened_coverage"] == np.mean(ratios <= 1.644854 * np.array(left_out))
    assert found["posterior"] is None
    shown = done(*fit, *options)
    assert (
        f"{found['committee']['coverage']:.0%} of held-out energies inside the committee's 90 % band" in shown
    )
    assert f"widened {found['committee']['scale']:.3g} times it would hold" in shown
    assert "not compared with errors; give 2 or more --members" in done(*fit, "--members", 2)
    assert json.loads(done(*fit, "--json"))["committee"] is None


def test_check_tells_rule_by_rule_and_by_its_exit_code(files: Path) -> None:
    shown = done("check", files / "pot.mtp", files / "test.extxyz")
    assert "forces are derivatives" in shown and "NOT OBEYED" not in shown
    found = json.loads(done("check", "ase.calculators.emt:EMT", files / "test.extxyz", "--json"))
    assert found["passed"] and len(found["checks"]) == 13
    strict = call("check", files / "pot.mtp", files / "test.extxyz", "--tolerance", 1e-30)
    assert strict.exit_code == 1
    assert "NOT OBEYED" in strict.stdout


def test_a_stopped_fit_leaves_its_best_potential(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, save: Callable[[MomentTensorPotential], None], **__: object) -> None:
        save(MomentTensorPotential.load(files / "pot.mtp"))
        raise KeyboardInterrupt

    monkeypatch.setattr("scalebridge.cli.potential_fit.fit_report", stop)
    result = call("fit", files / "train.extxyz", tmp_path / "new.mtp")
    assert result.exit_code == 130
    assert f"--start {tmp_path / 'new.part.mtp'}" in result.stderr
    assert (tmp_path / "new.part.mtp").is_file()
    assert not (tmp_path / "new.mtp").exists()


def test_a_fit_stopped_early_or_late_says_what_is_left(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "new.mtp"
    (tmp_path / "new.part.mtp").write_text("of an earlier fit")
    fit = ("fit", files / "train.extxyz", out, "--level", 2, "--iterations", 1, "--members", 2)
    monkeypatch.setattr("scalebridge.cli.potential_fit.fit_committee", stop)
    result = call(*fit)
    assert (result.exit_code, result.stderr) == (
        130, f"stopped; {out} is written, its committee and errors are not\n"
    )  # fmt: skip
    assert out.is_file()
    monkeypatch.setattr("scalebridge.cli.potential_fit.fit_report", stop)
    result = call(*fit)
    assert (result.exit_code, result.stderr) == (130, "stopped before anything was saved; begin again\n")


def test_what_would_fail_after_a_fit_is_refused_before_it(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("the fit was begun")

    monkeypatch.setattr("scalebridge.cli.potential_fit.fit_report", never)
    train, out = files / "train.extxyz", tmp_path / "pot.mtp"
    for option in ("--plot", "--learning-curve"):
        assert f"{option} x.doc: a figure ends in .svg or .png" in error_of(
            "fit", train, out, option, "x.doc"
        )
        assert "make it first" in error_of("fit", train, out, option, tmp_path / "no" / "x.svg")
    assert f"there is no folder {tmp_path / 'no'}; make it first" in error_of(
        "fit", train, tmp_path / "no" / "pot.mtp"
    )
    (tmp_path / "folder.mtp").mkdir()
    assert "it is a folder" in error_of("fit", train, tmp_path / "folder.mtp")
    few = tmp_path / "few.extxyz"
    ase.io.write(few, ase.io.read(files / "test.extxyz", index=":2"))
    committee = ("--members", 2, "--committee", "posterior", "--held-out", few)
    assert "2 held-out structures cannot calibrate" in error_of("fit", train, out, *committee)
    ase.io.write(few, bulk("Ni", cubic=True))
    for option in ("--held-out", "--validation"):
        problem = error_of("fit", train, out, option, few)
        assert f"{few}: structure 0 contains Ni, not among species" in problem
    for given in (("--level", 12), ("--cutoff", 5), ("--starts", 2), ("--radial-size", 8)):
        problem = error_of("fit", train, out, "--start", files / "pot.mtp", *given)
        assert f"{given[0]} have no effect with --start" in problem


def test_evaluate_compares_and_predicts(files: Path, tmp_path: Path) -> None:
    found = json.loads(done("evaluate", files / "pot.mtp", files / "test.extxyz", "--json"))
    assert (found["structures"], found["labelled"]) == (5, 5)
    out = tmp_path / "predicted.cfg"
    done("evaluate", files / "pot.mtp", files / "test.extxyz", "--out", out)
    potential = MomentTensorPotential.load(files / "pot.mtp")
    again = read_cfg(out, species=potential.species)
    expected = potential.compute(ase.io.read(files / "test.extxyz", 0))
    assert again[0].get_potential_energy() == pytest.approx(expected.energy)
    assert again[0].get_forces() == pytest.approx(expected.forces)
    assert again[0].get_stress(voigt=False) == pytest.approx(expected.stress)
    errors = json.loads(done("evaluate", files / "pot.mtp", out, "--json"))["errors"]["predicted.cfg"]
    assert errors["force_rmse [eV/Å]"] == pytest.approx(0, abs=1e-12)
    figure = tmp_path / "parity.svg"
    shown = done("evaluate", files / "pot.mtp", files / "test.extxyz", "--plot", figure)
    assert "<svg" in figure.read_text()
    error = error_of("evaluate", files / "pot.mtp", files / "test.extxyz", "--plot", tmp_path / "parity.doc")
    assert "a figure ends in .svg or .png" in error
    assert "energy RMSE" in " ".join(shown.split())


def test_grades_tell_known_from_unknown(files: Path) -> None:
    def grades(name: str) -> list[float]:
        options = ("--training", files / "train.extxyz", "--json")
        found = json.loads(done("grade", files / "pot.mtp", files / f"{name}.extxyz", *options))["grades"]
        return [float(grade) for grade in found]

    assert max(grades("train")) < 1.01
    assert min(grades("far")) > max(grades("test"))
    plain = done("grade", files / "pot.mtp", files / "far.extxyz", "--training", files / "train.extxyz")
    assert [int(line.split("\t")[0]) for line in plain.splitlines()] == [0, 1, 2, 3]


def test_select_takes_what_is_new(files: Path, tmp_path: Path) -> None:
    out = tmp_path / "chosen.extxyz"
    options = ("--training", files / "train.extxyz", "--json")
    found = json.loads(done("select", files / "pot.mtp", files / "far.extxyz", out, "--limit", 2, *options))
    assert len(found["selected"]) == 2
    assert found["candidates"] == 4
    assert len(ase.io.read(out, ":")) == 2
    none = tmp_path / "none.extxyz"
    found = json.loads(done("select", files / "pot.mtp", files / "train.extxyz", none, *options))
    assert found["selected"] == []
    assert not none.exists()


def test_convert_there_and_back(files: Path, tmp_path: Path) -> None:
    shown = done("convert", files / "train.extxyz", tmp_path / "train.cfg")
    assert "elements by number: Au,Cu" in shown
    cfg = tmp_path / "train.cfg"
    cfg.write_text(cfg.read_text().replace("END_CFG", " Feature   EFS_by VASP 6\nEND_CFG", 1))
    done("convert", cfg, tmp_path / "again.cfg", "--species", "Au,Cu")
    assert " Feature   EFS_by VASP 6\nEND_CFG" in (tmp_path / "again.cfg").read_text()
    done("convert", tmp_path / "train.cfg", tmp_path / "back.extxyz", "--species", "Au,Cu")
    for one, other in zip(
        ase.io.read(files / "train.extxyz", ":"), ase.io.read(tmp_path / "back.extxyz", ":"), strict=True
    ):
        assert one.get_chemical_symbols() == other.get_chemical_symbols()
        assert other.get_potential_energy() == pytest.approx(one.get_potential_energy())
        assert other.get_forces() == pytest.approx(one.get_forces(), abs=1e-7)
        assert other.get_stress() == pytest.approx(one.get_stress(), abs=1e-9)
    done("convert", files / "pot.mtp", tmp_path / "pot.almtp")
    one, other = (MomentTensorPotential.load(path) for path in (files / "pot.mtp", tmp_path / "pot.almtp"))
    assert np.array_equal(one.xi, other.xi)


def test_an_almtp_knows_its_training_structures(files: Path, tmp_path: Path) -> None:
    pot, options = tmp_path / "pot.almtp", ("--training", files / "train.extxyz")
    done("convert", files / "pot.mtp", pot, *options)
    found = {
        name: [float(line.split()[1]) for line in done("grade", pot, files / f"{name}.extxyz").splitlines()]
        for name in ("train", "far")
    }
    assert max(found["train"]) < 1.01 < min(found["far"])
    done("select", pot, files / "far.extxyz", tmp_path / "chosen.extxyz")
    problem = error_of("grade", files / "pot.mtp", files / "far.extxyz")
    assert "or name the training structures with --training" in problem
    assert "in .almtp only" in error_of("convert", files / "pot.mtp", tmp_path / "x.mtp", *options)


@pytest.mark.parametrize("kind", ["neighbourhood", "shared", "configuration"])
def test_conversions_keep_a_selection_state_or_say_that_it_is_lost(
    files: Path, tmp_path: Path, kind: Kind
) -> None:
    potential = MomentTensorPotential.load(files / "pot.mtp")
    one, two = tmp_path / "one.almtp", tmp_path / "two.almtp"
    active = ActiveSet.from_frames(potential, ase.io.read(files / "train.extxyz", ":"), kind=kind)
    active.save(one, potential)
    far = ase.io.read(files / "far.extxyz", 0)
    for source, target in ((one, two), (two, two)):
        shown = done("convert", source, target)
        assert f"wrote {target} with the selection state of {source} (kind {kind})" in shown
        again, loaded = ActiveSet.load(target)
        np.testing.assert_allclose(again.grades(loaded, far), active.grades(potential, far), rtol=1e-6)
    shown = done("convert", one, tmp_path / "three.mtp")
    assert f"without the selection state of {one}, which goes in .almtp only" in shown
    text = two.read_bytes()
    two.write_bytes(text[: int(0.9 * len(text))])
    assert "the selection state" in error_of("convert", two, tmp_path / "four.almtp")


def test_json_has_no_infinity_and_no_nan(files: Path, tmp_path: Path) -> None:
    """Two atoms on top of each other, inside the hard core and without a volume."""
    close, never = tmp_path / "close.extxyz", {"parse_constant": pytest.fail}
    atoms = bulk("Cu", cubic=True)
    atoms.positions[1] = atoms.positions[0] + [0.05, 0, 0]
    atoms.calc = SinglePointCalculator(atoms, energy=0.0, forces=np.zeros((4, 3)))
    ase.io.write(close, atoms)
    found = json.loads(done("evaluate", files / "pot.mtp", close, "--json"), **never)
    assert found["errors"]["close.extxyz"]["stress_rmse [eV/Å³]"] is None
    found = json.loads(call("check", files / "pot.mtp", close, "--json").stdout, **never)
    assert not found["passed"]


def test_numbers_that_are_not_finite_become_null(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [np.float64("nan"), (np.inf, 1.5)], "b": -np.inf, "c": "NaN", "d": 3})
    assert json.loads(capsys.readouterr().out) == {"a": [None, [None, 1.5]], "b": None, "c": "NaN", "d": 3}


def test_damaged_structures_and_unknown_elements_are_one_line_with_the_place(
    files: Path, tmp_path: Path
) -> None:
    pot, train, damaged = files / "pot.mtp", files / "train.extxyz", tmp_path / "damaged.extxyz"
    for species in ("Cu,Foo", "A,B,C"):
        problem = error_of("fit", train, tmp_path / "x.mtp", "--species", species)
        assert "are no chemical symbols; give some like Na,Mn,Fe" in problem
        assert "are no chemical symbols" in error_of("grade", pot, train, "--species", species)
    assert "write Cu, Au" in error_of("fit", train, tmp_path / "x.mtp", "--species", "cu,AU")
    lines = train.read_text().splitlines()
    for row, old, new in ((8, "C", "9"), (8, ".", "x"), (6, "4", "5"), (7, 'Lattice="', 'Lattice="1 ')):
        assert lines[row].count(old)
        changed = [*lines[:row], lines[row].replace(old, new, 1), *lines[row + 1 :]]
        damaged.write_text("\n".join(changed))
        assert "damaged.extxyz:7: ASE cannot read it" in error_of("evaluate", pot, damaged)
    damaged.write_text("\n".join([*lines[:7], lines[7].replace("energy=", "energy=x"), *lines[8:]]))
    assert "structure 1 has 'x" in error_of("evaluate", pot, damaged)
    damaged.write_bytes("\n".join([*lines[:6], *lines[6:12], "4"]).encode().replace(b"Cu", b"C\xe4", 9))
    assert "ASE cannot read it" in error_of("evaluate", pot, damaged)


def test_mistakes_are_one_line(files: Path, tmp_path: Path) -> None:
    pot, train = files / "pot.mtp", files / "train.extxyz"
    assert "no such file" in error_of("evaluate", tmp_path / "no.mtp", train)
    assert "no such file" in error_of("evaluate", pot, tmp_path / "no.extxyz")
    assert "ends in .mtp or .almtp" in error_of("fit", train, tmp_path / "pot.txt")
    assert "cannot become each other" in error_of("convert", pot, tmp_path / "x.extxyz")
    done("convert", train, tmp_path / "train.cfg")
    assert "name them by --species" in error_of("convert", tmp_path / "train.cfg", tmp_path / "x.extxyz")
    (tmp_path / "junk.xyz").write_text("junk\n")
    assert "ASE cannot read it" in error_of("evaluate", pot, tmp_path / "junk.xyz")
    (tmp_path / "junk.mtp").write_text("junk\n")
    assert "junk.mtp" in error_of("evaluate", tmp_path / "junk.mtp", train)
    unlabelled = tmp_path / "unlabelled.extxyz"
    ase.io.write(unlabelled, bulk("Cu", cubic=True))
    assert "no structure has energy and forces" in error_of("evaluate", pot, unlabelled)
    assert "--out FILE" in error_of("evaluate", pot, unlabelled)


def test_fit_to_a_baseline_learns_the_difference_only(files: Path, tmp_path: Path) -> None:
    """Labels and baseline are the same calculator: nothing is left to learn."""
    out = tmp_path / "correction.mtp"
    fit = ("fit", files / "train.extxyz", out, "--level", 4, "--iterations", 2)
    done(*fit, "--baseline", "ase.calculators.emt:EMT")
    potential = MomentTensorPotential.load(out)
    for atoms in ase.io.read(files / "test.extxyz", index=":"):
        assert abs(potential.compute(atoms).energy) < 1e-6  # the file rounds to 1e-8
        assert np.abs(potential.compute(atoms).forces).max() < 1e-6
