"""init, doctor, status, report, electrode: what they print and when they refuse."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from scalebridge.cli import app
from scalebridge.cli.durations import about, duration
from scalebridge.contracts import ElectrodeDesign, HeatExchange, Sourced
from scalebridge.foundation import InputError
from scalebridge.particle import implicit
from scalebridge.pipeline import RunFolder, design_path, load_recipe


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def error_of(*arguments: object) -> str:
    result = call(*arguments)
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.startswith("error: ")
    return result.stderr


@pytest.mark.parametrize("host", ["mnhcf", "mnhcf-chgnet", "lfp"])
def test_init_writes_a_recipe_that_loads_and_uses_its_own_design(tmp_path: Path, host: str) -> None:
    folder = tmp_path / "study"
    assert call("init", folder, "--host", host).exit_code == 0
    recipe = load_recipe(folder / "recipe.toml")
    assert recipe.host.name == host.removesuffix("-chgnet")
    assert design_path(recipe.electrode.design, recipe.host.name) == (folder / "design.toml").resolve()
    assert "#" in (folder / "recipe.toml").read_text()


def test_init_refuses_to_overwrite_and_names_bundled_hosts(tmp_path: Path) -> None:
    (tmp_path / "design.toml").write_text("mine")
    assert "design.toml is already there" in error_of("init", tmp_path)
    assert (tmp_path / "design.toml").read_text() == "mine"
    assert not (tmp_path / "recipe.toml").exists()
    assert "choose one of lfp, mnhcf" in error_of("init", tmp_path / "new", "--host", "nacl")
    (tmp_path / "file").touch()
    assert "cannot be written" in error_of("init", tmp_path / "file" / "study")


def test_doctor_reports_what_is_installed() -> None:
    result = call("doctor")
    assert result.exit_code == 0, result.output
    for part in ("python", "compiled core", "numpy", "scikit-sundae", "chgnet", "Ready."):
        assert part in result.stdout


def test_doctor_says_what_is_missing_and_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from scalebridge.cli import doctor

    real = doctor.installed_version
    monkeypatch.setenv("COLUMNS", "200")
    hidden = {"chgnet"}
    monkeypatch.setattr(doctor, "installed_version", lambda name: None if name in hidden else real(name))
    result = call("doctor")
    assert result.exit_code == 0
    assert "missing (optional)" in result.stdout
    assert "would add the calculator of recipes that label on their own: pip install" in result.stdout
    hidden.add("spglib")
    result = call("doctor")
    assert result.exit_code == 1
    assert "Not ready: spglib." in result.stdout


def test_doctor_notices_a_core_that_does_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    from scalebridge.cli import doctor

    def broken() -> str:
        raise ImportError("undefined symbol")

    monkeypatch.setattr(doctor, "try_core", broken)
    result = call("doctor")
    assert result.exit_code == 1
    assert "Not ready: compiled core." in result.stdout


def test_status_of_no_run_folder(tmp_path: Path) -> None:
    assert "no run folder" in error_of("status", tmp_path)
    assert "no run folder" in error_of("report", tmp_path)


def test_unknown_recipe_and_misspelt_key_are_one_line(tmp_path: Path) -> None:
    assert "no such file and no bundled recipe (lfp, mnhcf, mnhcf-chgnet)" in error_of("run", "nacl")
    call("init", tmp_path)
    path = tmp_path / "recipe.toml"
    path.write_text(path.read_text().replace("\nlevel = ", "\nlevle = "))
    shown = error_of("run", path, "--out", tmp_path / "run")
    assert f"{path}: potential.levle = " in shown
    assert "did you mean 'level'?" in shown
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("\ncompositions = [0.0, ", "\ncompositions = [3.0, ", "compositions: x = 3 is outside 0 … 2"),
        ("\ncutoff = ", "\ncutoff = 1", "exceeds half the shortest cell height"),
        ("temperatures = [298.0]", "temperatures = [500.0]", "do not reach the electrode's temperature"),
    ],
)
def test_recipe_that_does_not_fit_its_host_stops_before_anything_is_computed(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    call("init", tmp_path, "--host", "mnhcf-chgnet")
    path = tmp_path / "recipe.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    assert expected in error_of("run", path, "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_bad_options_of_run(tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert "no such stage; choose one of host, labels" in error_of("run", "lfp", "--out", out, "--until", "x")
    assert "use serial, processes" in error_of("run", "lfp", "--out", out, "--executor", "cloud")
    assert "no such profile" in error_of("run", "lfp", "--out", out, "--profile", "slow")
    (tmp_path / "file").touch()
    assert "cannot be written" in error_of(
        "run", "lfp", "--out", tmp_path / "file" / "run", "--until", "host"
    )
    folder = RunFolder(out)
    folder.create()
    with folder.lock():
        assert "is in use by process" in error_of("run", "lfp", "--out", out)
    assert call("run", "lfp", "--seed", "-1").exit_code == 2  # typer's own usage error


def test_electrode_from_a_card_alone(tmp_path: Path, synthetic_run_folder: Path) -> None:
    card = synthetic_run_folder / "card" / "material_card.json"
    design = synthetic_run_folder / "electrode" / "electrode_design.json"
    result = call("electrode", card, design, "--rates", "20", "--executor", "serial", "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["c_rate [1]"] == [20.0]
    assert set(found["provenance"]["parents"]) == {"material_card", "electrode_design"}
    members = len(json.loads(card.read_text())["potential"]["members"])
    capacity = [row[0] for row in found["capacity [C.kg-1]"]]
    assert len(capacity) == members
    assert all(0 < value < 3600 * 200 for value in capacity)


def test_electrode_is_led_through_a_protocol(
    tmp_path: Path, synthetic_run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    card = synthetic_run_folder / "card" / "material_card.json"
    design = synthetic_run_folder / "electrode" / "electrode_design.json"
    text = "Discharge at 5C for 2 minutes; Rest for 1 minute; Charge at 5C for 1 minute"
    common = ("electrode", card, design, "--shells", "15", "--member", "1")
    moving = tmp_path / "steps.gif"
    result = call(*common, "--protocol", text, "--plots", tmp_path / "figures", "--animation", moving)
    assert result.exit_code == 0, result.stderr
    lines = [line for line in result.stdout.splitlines() if "for " in line]
    assert [line.split("  ")[0].strip() for line in lines] == text.split("; ")
    assert "delivered over taken up: 200.0" in result.stdout
    assert (tmp_path / "figures" / "protocol.png").read_bytes().startswith(b"\x89PNG")
    assert moving.read_bytes().startswith(b"GIF89a")
    path = tmp_path / "steps.txt"
    path.write_text("Repeat 2 times:\n  Rest for 1 minute\n")
    found = json.loads(call(*common, "--protocol", path, "--json").stdout)
    assert found["member"] == 1
    assert found["fields"]["step_end"]["values"] == [60.0, 120.0]
    assert "is no step; did you mean 'Charge'" in error_of(*common, "--protocol", "Chrge at 1C")
    assert "no such file" in error_of(*common, "--protocol", tmp_path / "none.txt")


def test_electrode_that_warms_is_led_through_a_protocol(
    tmp_path: Path, synthetic_run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The largest temperature of each step in table and JSON."""
    monkeypatch.setenv("COLUMNS", "200")
    card = synthetic_run_folder / "card" / "material_card.json"
    exchange = HeatExchange(
        heat_capacity=Sourced(value=500.0, source="test"),
        heat_transfer_coefficient=Sourced(value=1.0, source="test"),
    )
    design = ElectrodeDesign.load(synthetic_run_folder / "electrode" / "electrode_design.json")
    warm = design.model_copy(update={"thermal": exchange}).save(tmp_path / "warm.json")
    text = "Discharge at 2C for 2 minutes; Rest for 10 minutes"
    common = ("electrode", card, warm, "--shells", "15", "--protocol", text)
    shown = call(*common, "--plots", tmp_path / "figures", "--netcdf", tmp_path / "results")
    assert shown.exit_code == 0, shown.stderr
    assert "hottest / K" in shown.stdout
    assert (tmp_path / "figures" / "protocol.png").is_file()
    found = json.loads(call(*common, "--json").stdout)
    fields = found["fields"]
    hottest = fields["step_temperature"]["values"]
    assert max(hottest) == max(fields["temperature"]["values"])
    assert max(hottest) == pytest.approx(found["validity"]["temperature [K]"][1], rel=1e-8)
    assert f"{hottest[0]:.2f}" in shown.stdout


def test_electrode_shows_its_impedance(synthetic_run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    card = synthetic_run_folder / "card" / "material_card.json"
    design = synthetic_run_folder / "electrode" / "electrode_design.json"
    common = ("electrode", card, design, "--shells", "15", "--impedance", "0.05")
    found = json.loads(call(*common, "--json").stdout)["fields"]
    assert found["frequency"]["unit"] == "s-1"
    assert all(value > 0 for value in found["impedance_real"]["values"])
    result = call(*common)
    assert result.exit_code == 0, result.stderr
    last = next(line for line in result.stdout.splitlines() if line.strip().startswith("1e+05")).split()
    assert float(last[1]) == pytest.approx(1e4 * found["impedance_real"]["values"][-1], rel=1e-4)


def test_impedance_is_drawn_and_stored_over_the_frequencies_asked_for(
    tmp_path: Path, synthetic_run_folder: Path
) -> None:
    xarray = pytest.importorskip("xarray")
    card = synthetic_run_folder / "card" / "material_card.json"
    design = synthetic_run_folder / "electrode" / "electrode_design.json"
    common = ("electrode", card, design, "--shells", "15", "--impedance", "0.05", "--json")
    asked = (*common, "--frequencies", "1e-2,1e4,2", "--double-layer", "0.2")
    result = call(*asked, "--plots", tmp_path / "new", "--netcdf", tmp_path / "new")
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "new" / "impedance.png").read_bytes().startswith(b"\x89PNG")
    found = json.loads(result.stdout)["fields"]
    assert found["frequency"]["values"] == pytest.approx([10 ** (k / 2) for k in range(-4, 9)])
    stored = xarray.load_dataset(tmp_path / "new" / "impedance.nc")
    assert stored["impedance_real"].values.tolist() == found["impedance_real"]["values"]
    assert stored["impedance_real"].attrs["units"] == "V m2 A-1"
    # the double layer short-circuits the reaction at high frequency
    without = json.loads(call(*common, "--frequencies", "1e4,1e5,1").stdout)["fields"]
    assert found["impedance_real"]["values"][-1] < without["impedance_real"]["values"][0]


def test_discharges_as_netcdf_and_in_motion(tmp_path: Path, synthetic_run_folder: Path) -> None:
    xarray = pytest.importorskip("xarray")
    card = synthetic_run_folder / "card" / "material_card.json"
    design = synthetic_run_folder / "electrode" / "electrode_design.json"
    common = ("electrode", card, design, "--rates", "20", "--executor", "serial", "--shells", "12")
    moving = tmp_path / "phases.gif"
    result = call(*common, "--netcdf", tmp_path, "--animation", moving, "--member", "1", "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    summary = xarray.load_dataset(tmp_path / "rate_capability.nc")
    assert summary["capacity"].values.tolist() == found["capacity [C.kg-1]"]
    one = xarray.load_dataset(tmp_path / "discharge_m1_20C.nc")
    assert one.attrs["member"] == 1
    assert float(one["capacity"][-1]) == pytest.approx(found["capacity [C.kg-1]"][1][0])
    assert moving.read_bytes().startswith(b"GIF89a")
    assert moving.stat().st_size < 2e6


def test_half_cell_for_other_programs(
    tmp_path: Path, synthetic_run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scalebridge.cli import electrode
    from scalebridge.electrode import CellModel

    card = synthetic_run_folder / "card" / "material_card.json"
    design = synthetic_run_folder / "electrode" / "electrode_design.json"
    target = tmp_path / "cell.json"
    # the synthetic host separates into phases, which BPX does not know
    assert "phases separate" in error_of("electrode", card, design, "--bpx", target)
    assert not target.exists()

    def write(cell: CellModel, path: Path, *, title: str) -> Path:
        path.write_text(title)
        return path

    monkeypatch.setattr(electrode, "write_bpx", write)
    result = call("electrode", card, design, "--bpx", target, "--member", "2", "--json")
    assert json.loads(result.stdout) == {"bpx": str(target)}
    assert target.read_text().endswith(", member 2")
    assert f"to {target} (BPX)" in call("electrode", card, design, "--bpx", target).stdout


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("--impedance 0.1 --protocol x", "--protocol and --impedance are different work"),
        ("--impedance 0.1 --rates 1", "--rates goes with discharges, not with --impedance"),
        ("--frequencies 1,2", "--frequencies goes with --impedance, not with discharges"),
        ("--bpx x.json --plots y", "--plots goes with discharges and --protocol and --impedance, not with"),
        ("--member 1", "--member 1: discharges run every member"),
        ("--rates 1 --animation x.gif --member 7", "--member 7: the card has members 0 … 4"),
        ("--animation x.gif", "--rates 0.1,1,5 asks for several; give one"),
        ("--rates 1 --animation x.mp4", "ends in .gif or .html"),
        ("--rates 1 --animation none/x.gif", "no folder none"),
        ("--rates 1 --sizes 50,100 --animation x.gif", "--sizes 50,100 asks for several; give one"),
        ("--rates 1 --sizes 50,-1", "--sizes 50,-1: must be positive; write them like 50,100,200"),
        ("--rates 1 --sizes 50,50.0", "--sizes 50,50.0: a number stands there twice; write each once"),
        ("--impedance 0.1 --frequencies 1,2,3,4", "must be 0 < lowest < highest"),
        ("--impedance 0.1 --frequencies 2,1", "must be 0 < lowest < highest"),
        ("--impedance 0.1 --frequencies 1", "not two numbers"),
        ("--impedance 0.1 --frequencies 1e-9,1e9,1000", "18001 points are more than 10000"),
        ("--impedance 0.1 --double-layer -1", "must not be negative"),
    ],
)
def test_electrode_options_that_do_not_go_together(
    options: str, expected: str, synthetic_run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    card = synthetic_run_folder / "card" / "material_card.json"
    design = synthetic_run_folder / "electrode" / "electrode_design.json"
    assert expected in error_of("electrode", card, design, "--shells", "12", *options.split(" "))


def test_electrode_draws_its_discharges(tmp_path: Path, synthetic_run_folder: Path) -> None:
    card = synthetic_run_folder / "card" / "material_card.json"
    design = synthetic_run_folder / "electrode" / "electrode_design.json"
    common = ("electrode", card, design, "--rates", "20", "--executor", "serial", "--shells", "12")
    result = call(*common, "--plots", tmp_path)
    assert result.exit_code == 0, result.stderr
    names = {path.name for path in tmp_path.glob("*.png")}
    assert names == {"discharge.png", "rate_capability.png", "phases_20C.png"}
    (tmp_path / "file").touch()
    assert "give another --plots folder" in error_of(*common, "--plots", tmp_path / "file" / "x")


def test_electrode_with_particles_of_several_sizes(tmp_path: Path, synthetic_run_folder: Path) -> None:
    card = synthetic_run_folder / "card" / "material_card.json"
    design = synthetic_run_folder / "electrode" / "electrode_design.json"
    common = ("electrode", card, design, "--rates", "20", "--executor", "serial", "--shells", "30")
    result = call(*common, "--sizes", "200,100", "--json", "--plots", tmp_path)
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert [entry["size [m]"] for entry in found] == pytest.approx([100e-9, 200e-9])
    times = [entry["rate_capability"]["diffusion_time [s]"][0] for entry in found]
    assert times[1] == pytest.approx(4 * times[0])
    names = {path.name for path in tmp_path.glob("*.png")}
    assert {"sizes.png", "discharge_100nm.png", "phases_20C_200nm.png"} <= names
    rows = call(*common, "--sizes", "100,200").stdout.splitlines()
    assert [line.split()[:3] for line in rows if " nm " in line and "20C" in line] == [
        ["100", "nm", "20C"],
        ["200", "nm", "20C"],
    ]


def test_electrode_says_what_the_card_remarks(tmp_path: Path, synthetic_run_folder: Path) -> None:
    content = json.loads((synthetic_run_folder / "card" / "material_card.json").read_text())
    content["validity"]["remarks"] = ["the voltage is [1.1 V] low", "member 1: thin", "member 2: thin"]
    card = tmp_path / "card.json"
    card.write_text(json.dumps(content))
    design = synthetic_run_folder / "electrode" / "electrode_design.json"
    arguments = (card, design, "--rates", "20", "--shells", "12", "--executor", "serial")
    shown = call("electrode", *arguments).stdout.splitlines()
    assert shown[:2] == ["warning the voltage is [1.1 V] low", "warning members 1, 2: thin"]
    assert any(line.lstrip().startswith("20C") for line in shown[2:])


def test_electrode_leaves_out_members_whose_solver_failed(
    synthetic_run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(implicit, "MAX_STEPS", 3)
    monkeypatch.setattr(implicit, "RESTARTS", 2)
    monkeypatch.setenv("COLUMNS", "200")
    card = synthetic_run_folder / "card" / "material_card.json"
    design = synthetic_run_folder / "electrode" / "electrode_design.json"
    result = call("electrode", card, design, "--rates", "1", "--shells", "12", "--executor", "serial")
    assert result.exit_code == 0, result.stderr
    assert "left out, the solver failed: 5 of 5 members at 1C." in " ".join(result.stdout.split())
    (row,) = [line for line in result.stdout.splitlines() if line.lstrip().startswith("1C")]
    assert row.split()[1:5] == ["–", "–", "–", "–"]
    assert row.endswith("5× solver failure")


@pytest.mark.parametrize("rates", ["", "1,two", "0,1", "-1", "inf"])
def test_bad_rates(synthetic_run_folder: Path, rates: str) -> None:
    card = synthetic_run_folder / "card" / "material_card.json"
    assert "write them like 0.1,1,5" in error_of("electrode", card, "lfp", f"--rates={rates}")


def test_electrode_of_missing_files(tmp_path: Path, synthetic_run_folder: Path) -> None:
    assert "no such file" in error_of("electrode", tmp_path / "card.json", "lfp")
    card = synthetic_run_folder / "card" / "material_card.json"
    assert "no such file" in error_of("electrode", card, tmp_path / "design.toml")


def test_defects_are_one_line_and_debug_shows_where(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from scalebridge.cli import init

    def defect(folder: Path, host: str) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(init, "write_study", defect)
    assert "unexpected ZeroDivisionError: division by zero" in error_of("init", tmp_path)
    result = call("--debug", "init", tmp_path)
    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    monkeypatch.setattr(init, "write_study", _refuse)
    assert error_of("init", tmp_path) == "error: value 1, rule, way out\n"


def _refuse(folder: Path, host: str) -> None:
    raise InputError("value 1,\nrule, way out")


def test_start_is_quick_and_light() -> None:
    code = (
        "import sys; from scalebridge.cli import app; from typer.testing import CliRunner\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "heavy = {'torch', 'chgnet', 'pymatgen', 'matplotlib', 'ase', 'scipy', 'numba'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    assert time.perf_counter() - start < 5  # 0.3 s on a quiet machine; a busy one must not fail the test


@pytest.mark.parametrize(
    ("seconds", "exact", "rough"),
    [
        (0.04, "0.0 s", "about 10 s"),
        (41.6, "42 s", "about 40 s"),
        (185, "3 min 05 s", "about 3 min"),
        (7800, "2 h 10 min", "about 2.2 h"),
    ],
)
def test_durations_read_well(seconds: float, exact: str, rough: str) -> None:
    assert (duration(seconds), about(seconds)) == (exact, rough)
