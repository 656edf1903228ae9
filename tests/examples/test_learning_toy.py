"""The learning stage on the toy host, from labels that know too little: what it keeps and says."""

from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read
from test_ladder_toy import write_study
from typer.testing import CliRunner

from scalebridge.cli import app
from scalebridge.contracts import Dataset, LearningCost, LearningHistory
from scalebridge.foundation import constants
from scalebridge.report.page import render
from scalebridge.report.run_folder import read_run_folder

NARROW = {
    "compositions = [0.0, 0.25, 0.5, 0.75, 1.0]": "compositions = [0.0, 0.25]",
    "structures_per_composition = 24": "structures_per_composition = 12",
    "ion_displacement = 0.3": "ion_displacement = 0.05",
    "\ndisplacement = 0.08": "\ndisplacement = 0.03",
    "\nstrain = 0.03": "\nstrain = 0.01",
    "max_failed_fraction = 0.3": "max_failed_fraction = 0.9",
    "rounds = 2": "rounds = 8\nclosest_pair = 0.97",
    "label_budget = 40": "label_budget = 200\nheld_out_every = 5",
}


def run(folder: Path, changes: dict[str, str]) -> Path:
    recipe, out = write_study(folder / "study"), folder / "run"
    text = recipe.read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    recipe.write_text(text)
    result = CliRunner().invoke(
        app, ["run", str(recipe), "--out", str(out), "--executor", "serial", "--until", "learning"]
    )
    assert result.exit_code == 0, result.output
    return out


def test_rounds_dead_ends_and_costs_are_kept_and_shown(tmp_path: Path) -> None:
    """A pair 3 % nearer than in any label counts as fallen here: hot walkers meet that in any first round."""
    out = run(tmp_path, NARROW)
    history = LearningHistory.load(out / "learning" / "learning_history.json")
    dataset = Dataset.load(out / "learning" / "dataset.json")
    assert history.steps[0].broken_walkers > 0
    assert any(step.restarted_walkers for step in history.steps)
    unseen = read(out / "learning" / dataset.explored.name, index=":")
    check_sums(history, dataset, unseen)
    check_dead_ends(history, out)
    cost = LearningCost.load(out / "learning" / "learning_cost.json")
    assert len(cost.total) == len(history.steps)
    assert np.all(cost.exploring + cost.labelling + cost.fitting <= cost.total)
    assert np.all(cost.exploring > 0)
    page = render(read_run_folder(out))
    for text in ("Dead ends of active learning", "Labels and their cost", "Where active learning went"):
        assert text in page


def check_sums(history: LearningHistory, dataset: Dataset, unseen: list[Atoms]) -> None:
    sizes = [step.training_size for step in history.steps]
    labelled = [step.labelled - step.held_out for step in history.steps]
    held_out = sum(step.held_out for step in history.steps)
    assert len(unseen) == dataset.explored_size == held_out
    assert held_out in (sum(labelled) + held_out) // 5 + np.array([0, 1])
    for number, step in enumerate(history.steps):
        before = sum(earlier.held_out for earlier in history.steps[:number])
        assert (step.explored_errors.structures if step.explored_errors else 0) == before
    assert np.diff([*sizes, dataset.training_size]).tolist() == labelled
    assert len(history.training_x) == dataset.training_size
    assert set(np.unique(history.training_x)) <= {0.0, 0.25, 0.5, 0.75, 1.0}
    for step, places in zip(history.steps, history.coverage, strict=True):
        assert step.queued == len(places.queued_x)
        assert step.labelled == places.queued_learnt.sum()
        assert step.labelled + step.failed == step.selected or not step.labelled
        assert len(places.visited_x) == min(step.graded, 400)
        assert places.visited_grade.max() == step.largest_grade
        assert step.above_break <= step.above_save <= 1
    learnt = np.concatenate([places.queued_volume[places.queued_learnt > 0] for places in history.coverage])
    held = [atoms.get_volume() * constants.ANGSTROM**3 / 4 for atoms in unseen]
    new = np.concatenate([history.training_volume[sizes[0] :], held])
    np.testing.assert_allclose(np.sort(learnt), np.sort(new), rtol=1e-6)


def check_dead_ends(history: LearningHistory, out: Path) -> None:
    assert history.dead_ends
    assert {end.kind for end in history.dead_ends} <= {"contact", "label", "cell", "extrapolation"}
    assert sum(step.dead_ends for step in history.steps) == len(history.dead_ends)
    assert history.dead_end_structures is not None
    structures = read(out / "learning" / history.dead_end_structures.name, index=":")
    assert len(structures) == len(history.dead_ends)
    for atoms, end in zip(structures, history.dead_ends, strict=True):
        assert atoms.info["kind"] == end.kind
        assert atoms.info["reason"] == end.reason
        assert (atoms.info["round"], atoms.info["walker"]) == (end.round, end.walker)
        assert (atoms.info["temperature"], atoms.info["x"]) == (end.temperature, end.x)
        assert sum(atoms.symbols == "Li") == round(4 * end.x)
