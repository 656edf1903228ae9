"""What density-functional theory says before any potential: volumes, symmetries, moments, voltages.

python summary.py LABELS

Relaxed structures are the lowest of each relaxation, sodium that of a parabola through its volume scan.
"""

import argparse
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import spglib
from ase import Atoms

TOLERANCE = 0.2
"""Of the symmetry search [Å]: starts were displaced, and relaxations stop at a finite force."""


def relaxations(frames: list[Atoms], level: str) -> dict[str, Atoms]:
    """Return the lowest step of every relaxation at one level."""
    lowest: dict[str, Atoms] = {}
    for frame in frames:
        base, _, step = frame.info["name"].rpartition("_r")
        if frame.info["origin"] != "relaxation" or not step.isdecimal() or frame.info["level"] != level:
            continue
        if base not in lowest or frame.get_potential_energy() < lowest[base].get_potential_energy():
            lowest[base] = frame
    return lowest


def sodium(frames: list[Atoms]) -> tuple[float, float] | None:
    """Return energy [eV] and volume [Å³] of an atom of the metal: the lowest three volumes' parabola."""
    scan = [
        (frame.get_volume(), frame.get_potential_energy())
        for frame in frames
        if frame.info["level"] == "metal" and frame.info["origin"] == "volume scan"
    ]
    if len(scan) < 3:
        return None
    volumes, energies = np.array(sorted(sorted(scan, key=lambda pair: pair[1])[:3])).T
    parabola = np.polynomial.Polynomial.fit(volumes, energies, 2)
    volume = float(parabola.deriv().roots()[0])
    return float(parabola(volume)), volume


def row(name: str, frame: Atoms) -> str:
    """Return one line of the table of structures."""
    cell = (frame.cell[:], frame.get_scaled_positions(), frame.numbers)
    group: Any = spglib.get_spacegroup(cell, symprec=TOLERANCE)
    moments = frame.calc.results["magmoms"]
    irons, manganeses = (
        [f"{moment:.2f}" for moment, symbol in zip(moments, frame.symbols, strict=True) if symbol == element]
        for element in ("Fe", "Mn")
    )
    force = np.linalg.norm(frame.get_forces(), axis=1).max()
    units, volume = frame.symbols.count("Mn"), frame.get_volume()
    return (
        f"| {name} | {frame.info['x']} | {frame.info['phase']} | {volume / units:.1f} | {group} | "
        f"{' '.join(manganeses)} | {' '.join(irons)} | {bonds(frame)} | {force:.2f} | "
        f"{frame.get_potential_energy() / units:.3f} |"
    )


def bonds(frame: Atoms) -> str:
    """Return the lengths of manganese's bonds [Å], shortest first."""
    manganese = frame.symbols.indices()["Mn"][0]
    shift = [np.array(index) - 1 for index in np.ndindex(3, 3, 3)]
    nitrogen = frame.positions[frame.symbols.indices()["N"]]
    images = np.vstack([nitrogen + step @ frame.cell.array for step in shift])
    lengths = np.sort(np.linalg.norm(images - frame.positions[manganese], axis=1))[:6]
    return " ".join(f"{length:.2f}" for length in lengths)


def main() -> None:
    """Print a table of structures and the voltages of every level."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("labels", type=Path)
    frames = list(ase.io.read(parser.parse_args().labels, index=":"))
    for level in sorted({frame.info["level"] for frame in frames} - {"metal"}):
        found = relaxations(frames, level)
        print(
            f"\n## {level}\n\n| structure | x | phase | Å³ | group | μ(Mn) | μ(Fe) | Mn–N, Å | force | eV |"
        )
        print("|---" * 10 + "|")
        for name, frame in sorted(found.items()):
            print(row(name, frame))
        metal = sodium(frames)
        if metal is None:
            continue
        print(f"\nSodium: {metal[0]:.4f} eV, {metal[1]:.2f} Å³, a = {(2 * metal[1]) ** (1 / 3):.3f} Å.")
        lowest = {
            x: min(frame.get_potential_energy() for frame in found.values() if frame.info["x"] == x)
            for x in (0, 1, 2)
            if any(frame.info["x"] == x for frame in found.values())
        }
        for start, end in ((0, 1), (1, 2), (0, 2)):
            if start in lowest and end in lowest:
                voltage = -(lowest[end] - lowest[start]) / (end - start) + metal[0]
                print(f"x = {start} to {end}: {voltage:.2f} V")


if __name__ == "__main__":
    main()
