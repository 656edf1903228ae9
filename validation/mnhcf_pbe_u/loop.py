"""Active learning with the queue as its oracle: explore, queue what is new, wait for labels, explore again.

python loop.py FOLDER [--rounds 10] [--count 24] [--repeat 1,1,1 1,1,2] [--seed 1] [--break 3000]
               [--level converged]

FOLDER is that of run.sh, which labels meanwhile. A round fits to all labels so far, sends out the walkers of
the bundled recipe in primitive cells, and puts what they want at the head of the queue as loopROUND_NUMBER.
A round is done when all of it has a label or has failed. The recipe's prior (a potential of CHGNet's labels,
which the fits correct) keeps walkers sane where no label is yet: they may go on to larger grades, and one
round then sees all ion contents.
"""

import argparse
import shutil
import time
from pathlib import Path

import ase.io
from ase import Atoms

from scalebridge.contracts import LearningHistory
from scalebridge.pipeline import LADDER, load_recipe, parse_executor, recipe_path, run_stages

PAUSE = 20.0
"""Between looks at the labels [s]."""


def read(path: Path) -> list[Atoms]:
    """Return the structures of a file, none if there is no file."""
    return list(ase.io.read(path, index=":")) if path.exists() else []


def keys(folder: Path) -> set[tuple[str, str]]:
    """Return names and levels of what is labelled, or has failed."""
    frames = [*read(folder / "labels.extxyz"), *read(folder / "labels.failed.extxyz")]
    return {(frame.info["name"], frame.info["level"]) for frame in frames}


def explore(folder: Path, number: int, asked: argparse.Namespace) -> list[Atoms]:
    """Run the ladder up to active learning on the labels so far; return what it wants."""
    study = folder / "loop" / f"round{number}"
    shutil.rmtree(study, ignore_errors=True)
    study.mkdir(parents=True)
    bundled = recipe_path("mnhcf")
    labels = [atoms for atoms in read(folder / "labels.extxyz") if usable(atoms)]
    for atoms in labels:
        atoms.info = {key: atoms.info[key] for key in ("name", "level")}
    ase.io.write(study / "labels.extxyz", labels)
    text = bundled.read_text().replace('given = "labels.extxyz"', f'given = "{study / "labels.extxyz"}"')
    text = text.replace("repeat = [[1, 1, 1], [1, 1, 2]]", f"repeat = {asked.repeat}")
    text = text.replace("labels_per_round = 30", f"labels_per_round = {asked.count}")
    text = text.replace("\nbreak = 10.0", f"\nbreak = {asked.stop}")
    (study / "recipe.toml").write_text(text)
    recipe = load_recipe(study / "recipe.toml", seed=asked.seed + number)
    run_stages(recipe, study / "run", LADDER, until="learning", executor=parse_executor("serial"))
    history = LearningHistory.load(study / "run" / "learning" / "learning_history.json")
    print(f"{time.strftime('%H:%M:%S')} round {number}, {len(labels)} labels: {history.reason}", flush=True)
    return read(study / "run" / "learning" / "wanted.extxyz")


def triple(text: str) -> list[int]:
    """Read three numbers."""
    first, second, third = map(int, text.split(","))
    return [first, second, third]


def usable(atoms: Atoms) -> bool:
    """Whether a label is the metal's at its own level, or the host's."""
    return (atoms.info["level"] == "metal") == (atoms.info["x"] == "metal")


def ask(folder: Path, number: int, wanted: list[Atoms], level: str) -> set[tuple[str, str]]:
    """Put structures at the head of the queue; return their names and levels."""
    asked = []
    for index, atoms in enumerate(wanted):
        ions = atoms.symbols.count("Na")
        units = (len(atoms) - ions) / 14
        atoms.calc = None
        atoms.info = {
            "name": f"loop{number}_{index}",
            "x": ions / units,
            "phase": "explored",
            "origin": f"active learning, grade {atoms.info['grade']:.3g}",
            "level": level,
        }
        asked.append(atoms)
    queue = folder / "queue.extxyz"
    ase.io.write(folder / "queue.part.extxyz", [*asked, *read(queue)])
    (folder / "queue.part.extxyz").replace(queue)
    return {(atoms.info["name"], atoms.info["level"]) for atoms in asked}


def main() -> None:
    """Go round."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--repeat", nargs="+", type=triple, default=[[1, 1, 1], [1, 1, 2]])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--break", type=float, default=3000.0, dest="stop", help="grade at which walkers stop"
    )
    parser.add_argument("--level", default="converged", help="level of theory of the labels")
    asked = parser.parse_args()
    folder = asked.folder.resolve()
    first = 1 + max((int(path.name[5:]) for path in (folder / "loop").glob("round*")), default=0)
    for number in range(first, first + asked.rounds):
        wanted = explore(folder, number, asked)
        if not wanted:
            return
        waiting = ask(folder, number, wanted, asked.level)
        while waiting - keys(folder):
            time.sleep(PAUSE)


if __name__ == "__main__":
    main()
