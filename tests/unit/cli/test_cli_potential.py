"""The commands of ``scalebridge potential`` on files."""

import json
from collections.abc import Callable
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from typer.testing import CliRunner, Result

from scalebridge.cli import app
from scalebridge.potential import MomentTensorPotential, read_cfg


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
    assert out.is_file(), "the fit itself is kept"
    assert json.loads(done(*fit, "--committee", "posterior", "--json"))["posterior"] == {
        "scale": 1.0, "coverage": None
    }  # fmt: skip


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
