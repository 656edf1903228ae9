"""A toy ladder that counts what it computes: base → left, right → top."""

import os
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scalebridge.contracts import Contract
from scalebridge.foundation import ConvergenceError
from scalebridge.pipeline import (
    Recipe,
    Stage,
    StageContext,
    design_path,
    load_recipe,
    parse_executor,
    run_stages,
)

RECIPE = """
seed = 3

[host]
name = "toyhost"

[oracle]
calculator = "ase.calculators.emt:EMT"

[labels]
compositions = [0.0, 1.0]

[learning]
temperatures = [300.0]

[potential]
members = 4

[thermodynamics]
temperatures = [300.0]

[transport]
temperatures = [600.0, 700.0, 800.0]
compositions = [0.5]

[profiles.quick]

[profiles.standard.learning]
rounds = 20
break = 8.0
"""


class Number(Contract):
    """A contract with one number."""

    value: float


@dataclass(frozen=True)
class Square:
    """A unit of work that leaves a trace of every time it is really done."""

    number: int
    traces: str
    mode: str = "work"
    """``work``, ``block at 3`` (never ends for number 3), ``fail at 3``, or ``die at 3``."""


def square(item: Square) -> int:
    """Square a number, slowly enough to be interrupted."""
    if item.number == 3 and item.mode != "work":
        _misbehave(item.mode)
    time.sleep(0.01)
    with (Path(item.traces) / f"{item.number}").open("a") as file:
        file.write(f"{os.environ.get('OMP_NUM_THREADS')}\n")
    return item.number**2


def _misbehave(mode: str) -> None:
    if mode == "block at 3":
        time.sleep(600)
    if mode == "die at 3":
        os.kill(os.getpid(), signal.SIGKILL)
    raise ConvergenceError("number 3 does not converge; leave it out")


def traces(folder: Path) -> dict[str, int]:
    """Return how often each number was squared."""
    return {path.name: len(path.read_text().splitlines()) for path in sorted(folder.iterdir())}


def write_recipe(folder: Path, text: str = RECIPE, name: str = "recipe.toml") -> Path:
    """Write a recipe and the host folder it names."""
    host = folder / "toyhost"
    host.mkdir(parents=True, exist_ok=True)
    (host / "host.toml").write_text("name = 'toy'\n")
    shutil.copy(design_path("bundled", "lfp"), host / "design.toml")
    path = folder / name
    path.write_text(text)
    return path


def save_number(context: StageContext, value: float) -> None:
    """Save a number as the stage's contract."""
    context.save(Number(provenance=context.provenance(), value=value))


def _base(context: StageContext) -> None:
    save_number(context, 2.0)


def _left(context: StageContext) -> None:
    save_number(context, context.load("base", Number).value * len(context.recipe.labels.compositions))


def _right(context: StageContext) -> None:
    save_number(context, context.load("base", Number).value + context.recipe.transport.compositions[0])


def _top(context: StageContext) -> None:
    save_number(context, context.load("left", Number).value + context.load("right", Number).value)


TOY_LADDER = (
    Stage("base", _base, sections=("host",)),
    Stage("left", _left, parents=("base",), sections=("labels",)),
    Stage("right", _right, parents=("base",), sections=("transport",)),
    Stage("top", _top, parents=("left", "right"), sections=("electrode", "seed")),
)


def squares_stage(trace_folder: Path, mode: str = "work", numbers: int = 6) -> Stage:
    """Return a stage of several units."""

    def compute(context: StageContext) -> None:
        items = [Square(number, str(trace_folder), mode) for number in range(numbers)]
        results = context.units(square, items, key=lambda item: item.number)
        save_number(context, float(sum(results)))

    return Stage("squares", compute, sections=("host",))


def single(compute: Callable[[StageContext], None], version: int = 1) -> Stage:
    """Return a stage without parents."""
    return Stage("single", compute, sections=("host",), version=version)


def toy_recipe(folder: Path, text: str = RECIPE) -> Recipe:
    """Return the toy recipe."""
    return load_recipe(write_recipe(folder, text))


def run_squares(folder: str, mode: str, executor: str) -> None:
    """Run the stage of several units: the body of a process to be killed."""
    base = Path(folder)
    ladder = (squares_stage(base / "traces", mode),)
    run_stages(toy_recipe(base), base / "run", ladder, executor=parse_executor(executor))
