"""Every committee member's walkers are graded, by an active set of its own where its rows are its own."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from scalebridge.pipeline.stages.potential import _selections, load_graders
from scalebridge.pipeline.stages.thermodynamics import _warn_of_extrapolation
from scalebridge.pipeline.stages.transport import extrapolations
from scalebridge.potential import ActiveSet, MomentTensorPotential, fit, fit_committee, linear_posterior
from scalebridge.transport import DiffusivityEstimate, FailedTrajectory, TrajectoryResult

LENGTH = 3.2


def frames(count: int, spread: float, seed: int) -> list[Atoms]:
    """Two kinds of atoms on springs, labelled."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        atoms = Atoms("FeNa", [[0, 0, 0], [LENGTH / 2] * 3], cell=[LENGTH] * 3, pbc=True)
        offset = spread * rng.normal(size=(2, 3))
        atoms.positions += offset
        atoms.calc = SinglePointCalculator(atoms, energy=0.5 * float(np.sum(offset**2)), forces=-offset)
        found.append(atoms)
    return found


@pytest.fixture(scope="module")
def best() -> MomentTensorPotential:
    return fit(frames(12, 0.1, 0), level=4, cutoff=4.0, species=("Fe", "Na"), max_iterations=4)


class Context:
    """What the two functions use of a stage's context."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run_folder = folder
        self.said: list[str] = []

    def units(self, function: Any, items: list[Any], **_: Any) -> list[Any]:
        return [function(item) for item in items]

    def parent_folder(self, stage: str) -> Path:
        return self.folder

    def warn(self, text: str) -> None:
        self.said.append(text)


def plain(atoms: Atoms) -> tuple[Any, ...]:
    types = np.array([("Fe", "Na").index(symbol) for symbol in atoms.symbols], dtype=np.int32)
    return types, atoms.positions, atoms.cell.array, (True,) * 3


def test_a_bootstrap_committee_has_an_active_set_for_each_member(
    best: MomentTensorPotential, tmp_path: Path
) -> None:
    training = frames(12, 0.1, 0)
    members = [best, *fit_committee(training, start=best, members=2)]
    context = cast(Any, Context(tmp_path))
    selections = _selections(context, members, training)
    assert [reference.name for reference in selections] == [f"selection_{n}.almtp" for n in range(3)]
    card = cast(Any, SimpleNamespace(selections=selections, members=members))
    graders = load_graders(context, card)
    far = frames(3, 0.2, 9)
    for member, grader in zip(members, graders, strict=True):
        active = ActiveSet.from_frames(member, training)
        for atoms in [*training, *far]:
            assert grader.grade(*plain(atoms)) == pytest.approx(active.grade(member, atoms), rel=1e-3)
    assert len({round(grader.grade(*plain(far[0])), 3) for grader in graders}) == 3


def test_one_active_set_serves_a_posterior_committee(best: MomentTensorPotential, tmp_path: Path) -> None:
    """Its members differ in the linear coefficients only, of which rows of basis functions know nothing."""
    training = frames(12, 0.1, 0)
    posterior = linear_posterior(training, potential=best, held_out=frames(12, 0.1, 5))
    members = [best, *posterior.draw(3, seed=1)]
    context = cast(Any, Context(tmp_path))
    selections = _selections(context, members, training)
    assert len(selections) == 1
    graders = load_graders(context, cast(Any, SimpleNamespace(selections=selections, members=members)))
    assert len(graders) == 4
    linear = 1 + len(best.xi)
    for atoms in frames(2, 0.5, 9):
        rows = [member.block_rows(atoms)[1][:, -linear:] for member in members]
        assert all(np.array_equal(row, rows[0]) for row in rows)


def rung(grades: list[float]) -> Any:
    return SimpleNamespace(grade=np.array(grades))


def test_members_whose_walkers_extrapolate_are_named_each() -> None:
    context = Context(Path())
    ladders = [
        [SimpleNamespace(rungs=[rung([1.0, 2.0]), rung([3.0, 9.0])])],
        [SimpleNamespace(rungs=[rung([1.0, 2.0]), rung([3.0, 40.0])])],
        [SimpleNamespace(rungs=[rung([11.0, 12.0])]), SimpleNamespace(rungs=[rung([1.0, 1.0])])],
    ]
    _warn_of_extrapolation(cast(Any, context), cast(Any, ladders), 10.0)
    assert [text.split(" (largest")[0] for text in context.said] == [
        "member 1: 25.0% of the sampled states lie above the break grade 10",
        "member 2: 50.0% of the sampled states lie above the break grade 10",
    ]
    assert "largest 40" in context.said[0]


def trajectory(member: int, temperature: float, grades: list[float]) -> TrajectoryResult:
    seen = DiffusivityEstimate(np.eye(3), 1.0, 0.1)
    return TrajectoryResult(
        member,
        "cubic",
        0.5,
        0.25,
        temperature,
        seen,
        seen,
        9,
        False,
        temperature,
        1,
        1e4,
        0.0,
        np.array(grades),
    )


def test_members_whose_dynamics_extrapolate_are_named_each() -> None:
    runs = [
        trajectory(0, 600.0, [1.0, 2.0]),
        trajectory(1, 600.0, [1.0, 11.0]),
        trajectory(1, 900.0, [1.0, 40.0]),
        trajectory(2, 600.0, []),
        FailedTrajectory(2, 0.5, 900.0, "it ran away"),
    ]
    (text,) = extrapolations(runs, 10.0)
    assert text.startswith("dynamics of member 1: 50.0% of the states lie above the break grade 10")
    assert "(largest 40 at x = 0.5, 900 K)" in text
    assert extrapolations(runs, 40.0) == []
