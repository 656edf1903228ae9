"""Write the label set that ships, and what is in it.

python collect.py LABELS [--out ../../src/scalebridge/materials/mnhcf/labels.extxyz]

Labels of other settings than those of levels.toml are left out, with a word. So are the early steps of
relaxations that are far above their end: structures nobody will meet. Failures and the queue are copied to
this folder, so that run.sh can go on from a checkout.
"""

import argparse
import re
import shutil
import tomllib
from collections import Counter
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from scalebridge.oracle import CalculatorSpec

TARGET = "scalebridge.oracle.gpaw:GPAWPlusU"
OUT = Path(__file__).parents[2] / "src" / "scalebridge" / "materials" / "mnhcf" / "labels.extxyz"
KEPT = ("name", "x", "phase", "origin", "level", "settings", "gpaw", "seconds")
STEEP = 6.0
"""Relaxation steps with a larger force [eV/Å] are left out."""
DIGITS = {"forces": 5, "stress": 7, "magmom": 3, "magmoms": 3}


def group_of(name: str) -> str:
    """Return what is held out together: all steps of a structure's relaxations, at every level, or its name.

    A letter c or d behind the phase marks the relaxation at the converged level: its steps lie on the cheap
    one's.
    """
    return re.sub(r"^(x\d_[a-z])[cd]$", r"\1", re.sub(r"_r\d+$", "", name))


def shipped(frame: Atoms) -> Atoms:
    """Return a label with what ships, in the digits that mean something."""
    results = frame.calc.results
    content = {key: np.round(results[key], digits) for key, digits in DIGITS.items() if key in results}
    content["energy"] = round(float(results["energy"]), 5)
    if not np.any(content["magmoms"]):
        content = {key: value for key, value in content.items() if not key.startswith("magmom")}
    copy = Atoms(frame.symbols, positions=frame.positions.round(6), cell=frame.cell, pbc=True)
    copy.info = {key: frame.info[key] for key in KEPT}
    copy.info["group"] = group_of(frame.info["name"])
    copy.calc = SinglePointCalculator(copy, **content)
    return copy


def usable(frame: Atoms, settings: dict[str, str]) -> bool:
    """Whether a label has its level's settings, is no steep step of a relaxation and no metal at a host's."""
    if settings.get(frame.info["level"]) != frame.info["settings"]:
        return False
    if (frame.info["x"] == "metal") != (frame.info["level"] == "metal"):
        return False
    largest = np.linalg.norm(frame.calc.results["forces"], axis=1).max()
    return bool(frame.info["origin"] != "relaxation" or largest <= STEEP)


def table(frames: list[Atoms], levels: list[str]) -> str:
    """Return numbers of labels by composition, phase and cell, one column per level."""
    kinds = Counter(
        (str(frame.info["x"]).removesuffix(".0"), frame.info["phase"], len(frame), frame.info["level"])
        for frame in frames
    )
    rows = sorted({kind[:3] for kind in kinds})
    lines = [f"| x | phase | atoms | {' | '.join(levels)} |", "|---|---|---|" + "---|" * len(levels)]
    for row in rows:
        counts = " | ".join(str(kinds[(*row, level)]) for level in levels)
        lines.append(f"| {row[0]} | {row[1]} | {row[2]} | {counts} |")
    totals = " | ".join(
        str(sum(count for kind, count in kinds.items() if kind[3] == level)) for level in levels
    )
    return "\n".join([*lines, f"| all | | | {totals} |"])


def main() -> None:
    """Collect and tell."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("labels", type=Path)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    tables = tomllib.loads(Path(__file__).with_name("levels.toml").read_text())
    settings = {
        level: CalculatorSpec(TARGET, arguments).content_hash[:12] for level, arguments in tables.items()
    }
    frames = list(ase.io.read(asked.labels, index=":"))
    kept = [shipped(frame) for frame in frames if usable(frame, settings)]
    ase.io.write(asked.out, kept)
    for source, target in ((".failed.extxyz", "failed.extxyz"), ("queue.extxyz", "queue.extxyz")):
        path = asked.labels.with_suffix(source) if source[0] == "." else asked.labels.with_name(source)
        if path.exists():
            shutil.copyfile(path, Path(__file__).with_name(target))
    print(table(kept, list(settings)))
    seconds = [frame.info["seconds"] for frame in kept]
    twice = sum(count > 1 for count in Counter(frame.info["name"] for frame in kept).values())
    print(
        f"\n{len(kept)} of {len(frames)} labels, {twice} structures at both "
        f"levels, {sum(seconds) / 3600:.1f} hours of one core, {asked.out.stat().st_size / 1e6:.2f} MB"
    )


if __name__ == "__main__":
    main()
