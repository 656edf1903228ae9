"""run, status and report on a whole ladder whose stages hand out made-up contracts."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from scalebridge.cli import app
from scalebridge.contracts import Contract
from scalebridge.foundation import ConvergenceError
from scalebridge.pipeline import LADDER, Stage, StageContext

NAMES = tuple(stage.name for stage in LADDER)
Ladder = Callable[..., None]


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def made_up_ladder(monkeypatch: pytest.MonkeyPatch, synthetic_contracts: dict[str, Contract]) -> Ladder:
    """Return a function that installs the ladder, with one stage replaced."""

    def hand_out(context: StageContext) -> None:
        for name, contract in synthetic_contracts.items():
            stage, file = name.split("/")
            if stage == context.stage.name:
                contract.save(context.folder / file)

    def install(special: str = "", compute: Callable[[StageContext], None] = hand_out) -> None:
        ladder: tuple[Stage, ...] = tuple(
            replace(stage, compute=compute if stage.name == special else hand_out) for stage in LADDER
        )
        monkeypatch.setattr("scalebridge.cli.run.LADDER", ladder)
        monkeypatch.setattr("scalebridge.cli.status.LADDER", ladder)

    install()
    return install


@pytest.fixture
def quick_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the report, which takes seconds, where only its being written counts."""

    def write(folder: Path) -> Path:
        path = folder / "report.html"
        path.touch()
        return path

    monkeypatch.setattr("scalebridge.report.write_report", write)


def stages_of(run: Path) -> dict[str, dict[str, object]]:
    result = call("status", run, "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)["stages"]
    assert isinstance(found, dict)
    return found


def test_run_ends_with_report_and_rates(tmp_path: Path, made_up_ladder: Ladder) -> None:
    run = tmp_path / "run"
    result = call("run", "mnhcf", "--out", run, "--executor", "serial")
    assert result.exit_code == 0, result.output
    assert f"report: {run / 'report.html'}" in result.stdout
    assert "capacity" in result.stdout
    assert "±" in result.stdout
    assert {str(entry["state"]) for entry in stages_of(run).values()} == {"up to date"}
    assert (run / "report.html").stat().st_size > 1e5
    assert str(run / "report.html") in call("status", run).stdout


@pytest.mark.usefixtures("quick_report")
def test_report_and_second_run(tmp_path: Path, made_up_ladder: Ladder) -> None:
    run = tmp_path / "run"
    assert call("run", "mnhcf", "--out", run, "--executor", "serial").exit_code == 0
    (run / "report.html").unlink()
    assert call("report", run).exit_code == 0
    assert (run / "report.html").is_file()
    again = call("run", run, "--executor", "serial")  # a run folder is a recipe, too: go on there
    assert again.exit_code == 0
    assert again.stdout.count("up to date") == len(NAMES)
    assert f"0 of {len(NAMES)} stages computed" in again.stdout


def test_default_folder_and_until(
    tmp_path: Path, made_up_ladder: Ladder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = call("run", "mnhcf", "--profile", "standard", "--until", "labels", "--seed", "5")
    assert result.exit_code == 0, result.output
    assert "report:" not in result.stdout
    run = Path("runs") / "mnhcf-standard"
    assert "seed = 5" in (run / "recipe.toml").read_text()
    states = {name: entry["state"] for name, entry in stages_of(run).items()}
    assert states["labels"] == "up to date"
    assert states["learning"] == "missing"


@pytest.mark.usefixtures("quick_report")
def test_unsound_stage_gives_exit_code_2_and_a_report(tmp_path: Path, made_up_ladder: Ladder) -> None:
    def doubtful(context: StageContext) -> None:
        context.warn("few samples")
        context.unsound("no hop was seen")

    made_up_ladder("transport", doubtful)
    run = tmp_path / "run"
    result = call("run", "mnhcf", "--out", run, "--executor", "serial")
    assert result.exit_code == 2
    assert "not sound transport: no hop was seen" in result.stdout
    assert "warning transport: few samples" in result.stdout
    assert (run / "report.html").is_file()
    entry = stages_of(run)["transport"]
    assert (entry["sound"], entry["warnings"], entry["unsound"]) == (
        False,
        ["few samples"],
        ["no hop was seen"],
    )
    shown = call("status", run).stdout
    assert "1 warning" in shown
    assert "not sound" in shown


@pytest.mark.usefixtures("quick_report")
def test_failing_stage_gives_exit_code_1_and_one_line(tmp_path: Path, made_up_ladder: Ladder) -> None:
    def fail(context: StageContext) -> None:
        raise ConvergenceError("3 steps were not enough; allow more")

    made_up_ladder("potential", fail)
    run = tmp_path / "run"
    result = call("run", "mnhcf", "--out", run, "--executor", "serial")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "error: stage 'potential': 3 steps were not enough; allow more" in result.stderr
    assert "Traceback" in (run / "log.txt").read_text()
    entries = stages_of(run)
    assert (entries["learning"]["state"], entries["potential"]["state"]) == ("up to date", "failed")
    assert "3 steps were not enough" in call("status", run).stdout
    made_up_ladder()
    assert call("run", "mnhcf", "--out", run, "--executor", "serial").exit_code == 0


def test_interrupt_gives_exit_code_130(tmp_path: Path, made_up_ladder: Ladder) -> None:
    def interrupt(context: StageContext) -> None:
        raise KeyboardInterrupt

    made_up_ladder("labels", interrupt)
    result = call("run", "mnhcf", "--out", tmp_path / "run", "--executor", "serial")
    assert result.exit_code == 130
    assert "stopped; run again to resume" in result.stderr
    assert stages_of(tmp_path / "run")["labels"]["state"] == "interrupted"
