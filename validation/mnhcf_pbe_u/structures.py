"""The queue's structures.

python structures.py first OUT                      starts of relaxations
python structures.py metal OUT                      strained and displaced sodium
python structures.py around LABELS OUT --seed 1     strained, thermal and ion-displaced ones (--only x1_r)
python structures.py doubled LABELS OUT --seed 1    two formula units, x = 1/2, 1, 3/2

LABELS holds the relaxations; displacements are those of molecular dynamics with CHGNet at the relaxed cell,
from CHGNet's own minimum there. Every frame carries name, level, x, phase and origin.
"""

import argparse
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.optimize import BFGS
from cells import deformed, doubled, hop, metal, rhombohedral, straight
from numpy.typing import NDArray

from scalebridge.oracle.chgnet import CHGNet03

STARTS = {
    (0, "tetragonal"): straight((10.06, 10.06, 10.9), 0, iron_carbon=1.91),
    (0, "cubic"): straight((10.25, 10.25, 10.25), 0),
    (1, "cubic"): straight((10.55, 10.55, 10.55), 1),
    (1, "rhombohedral"): rhombohedral(1, 228.0),
    (2, "rhombohedral"): rhombohedral(2, 230.0),
    (2, "cubic"): straight((10.5, 10.5, 10.5), 2),
}
BREAK = 0.015
"""Displacement that breaks the symmetry of a start [Å]."""
TEMPERATURES = (300.0, 600.0)
SPACING = 40
"""Steps of 2 fs between two snapshots."""


def named(
    atoms: Atoms, name: str, *, x: object, phase: str, origin: str, level: str, **more: object
) -> Atoms:
    """Return a copy with what a frame of the queue carries."""
    copy = Atoms(atoms.symbols, positions=atoms.positions, cell=atoms.cell, pbc=True)
    copy.info = {"name": name, "x": x, "phase": phase, "origin": origin, "level": level, **more}
    return copy


def first(level: str) -> list[Atoms]:
    """Return starts of relaxations."""
    frames = []
    for (x, phase), atoms in STARTS.items():
        start = atoms.copy()
        start.rattle(BREAK, seed=x)
        frames.append(
            named(start, f"x{x}_{phase[0]}", x=x, phase=phase, origin="relaxation", level=level, relax=18)
        )
        if phase == "cubic":
            frames[-1].info["hydrostatic"] = True
    return frames


def sodium(seed: int) -> list[Atoms]:
    """Return the metal: a scan of its volume, and displaced cells of eight atoms."""
    rng, phase = np.random.default_rng(seed), {"x": "metal", "phase": "bcc", "level": "metal"}
    frames = [
        named(metal(edge), f"na_{edge:g}", origin="volume scan", **phase)
        for edge in (4.2, 4.1, 4.3, 4.0, 4.4, 3.9, 4.15, 4.25, 4.6, 3.8)
    ]
    for number in range(16):
        cell = deformed(metal(rng.uniform(4.05, 4.4)).repeat(2), rng.normal(0.0, 0.015, (3, 3)))
        cell.rattle(rng.uniform(0.05, 0.3), rng=rng)
        frames.append(named(cell, f"na8_{seed}_{number}", origin="random displacements", **phase))
    return frames


def strained(atoms: Atoms, rng: np.random.Generator, level: str, tag: str) -> list[Atoms]:
    """Return isotropic, tetragonal, sheared and random strains of a relaxed cell, slightly displaced."""
    diagonal = np.diag([1.0, 1.0, -2.0]) / 2
    shear = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) / 2.0
    upper = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]]) / 2.0
    strains = {f"v{100 * value:+.0f}": value * np.eye(3) for value in (-0.03, -0.015, 0.015, 0.03)}
    strains |= {f"t{100 * value:+.0f}": value * diagonal for value in (-0.04, 0.04)}
    strains |= {f"h{100 * value:+.0f}": value * shear for value in (-0.06, 0.06)}
    strains |= {"u+6": 0.06 * upper}
    for number in range(2):
        random = rng.normal(0.0, 0.02, (3, 3))
        strains[f"r{number}"] = (random + random.T) / 2
    found = []
    for key, strain in strains.items():
        frame = deformed(atoms, strain)
        frame.rattle(0.02, rng=rng)
        found.append(_like(frame, atoms, f"{tag}_{key}", "strain", level))
    return found


def thermal(
    atoms: Atoms, calculator: Calculator, rng: np.random.Generator, level: str, tag: str, *, count: int
) -> list[Atoms]:
    """Return thermally displaced structures, at every temperature, in slightly strained cells."""
    found = []
    for temperature in TEMPERATURES:
        for number, shift in enumerate(displacements(atoms, calculator, temperature, rng, count)):
            frame = deformed(atoms, np.diag(rng.normal(0.0, 0.01, 3)))
            frame.positions += shift
            name = f"{tag}_T{temperature:.0f}_{number}"
            found.append(_like(frame, atoms, name, f"{temperature:.0f} K, CHGNet displacements", level))
    return found


def displacements(
    atoms: Atoms, calculator: Calculator, temperature: float, rng: np.random.Generator, count: int
) -> list[NDArray[np.float64]]:
    """Return displacements from the calculator's own minimum at a fixed cell, (N, 3) each [Å]."""
    moving = atoms.copy()
    moving.calc = calculator
    BFGS(moving, logfile=None).run(fmax=0.05, steps=60)
    minimum = moving.positions.copy()
    MaxwellBoltzmannDistribution(moving, temperature_K=2 * temperature, rng=rng)
    dynamics = Langevin(
        moving, 2 * units.fs, temperature_K=temperature, friction=0.02 / units.fs, rng=rng, fixcm=False
    )
    found = []
    for _ in range(count):
        dynamics.run(SPACING)
        shift = moving.positions - minimum
        found.append(shift - shift.mean(axis=0))
    return found


def ions_moved(atoms: Atoms, rng: np.random.Generator, level: str, tag: str) -> list[Atoms]:
    """Return structures with an ion off its site: at random, and on the way through a face of its cage."""
    ions = np.flatnonzero(np.array(atoms.symbols) == "Na")
    found = []
    for number in range(4 * bool(len(ions))):
        frame = atoms.copy()
        frame.positions[ions] += rng.normal(0.0, 0.25, (len(ions), 3))
        frame.rattle(0.02, rng=rng)
        found.append(_like(frame, atoms, f"{tag}_o{number}", "ions off their sites", level))
    if len(ions) != 1:
        return found
    for number, direction in enumerate(_edges(atoms) / 2):
        for fraction in (0.3, 0.5):
            frame = hop(atoms, 0, direction, fraction)
            frame.rattle(0.03, rng=rng)
            name = f"{tag}_f{number}{10 * fraction:.0f}"
            found.append(_like(frame, atoms, name, "ion on its way to the next cage", level))
    return found


def relaxed(labels: Path) -> dict[str, Atoms]:
    """Return the lowest step of every relaxation."""
    lowest: dict[str, Atoms] = {}
    for frame in ase.io.read(labels, index=":"):
        base, _, step = frame.info["name"].rpartition("_r")
        if not (base and step.isdecimal() and frame.info["origin"] == "relaxation"):
            continue
        if base not in lowest or frame.get_potential_energy() < lowest[base].get_potential_energy():
            lowest[base] = frame
    return lowest


def around(labels: Path, level: str, seed: int, count: int, only: list[str]) -> list[Atoms]:
    """Return structures around relaxed ones or their starts, in turn: any stop leaves an even set."""
    rng, calculator = np.random.default_rng(seed), CHGNet03()
    groups = []
    starts = {frame.info["name"]: frame for frame in first(level)}
    for base, atoms in (starts | relaxed(labels)).items():
        if only and base not in only:
            continue
        tag = f"{base}_{seed}"
        group = thermal(atoms, calculator, rng, level, tag, count=count)
        group += strained(atoms, rng, level, tag) + ions_moved(atoms, rng, level, tag)
        groups.append([group[index] for index in rng.permutation(len(group))])
    return _in_turn(groups)


def two_units(labels: Path, level: str, seed: int, count: int) -> list[Atoms]:
    """Return cells of two formula units with odd numbers of ions, or their ions on other sites."""
    rng, calculator = np.random.default_rng(seed), CHGNet03()
    starts = {frame.info["name"]: frame for frame in first(level)}
    last, groups = starts | relaxed(labels), []
    plans = {
        0.5: [("x1_c", (1,)), ("x0_t", None)],
        1: [("x2_c", (0, 1)), ("x2_r", (0, 1)), ("x2_r", (0, 3))],
        1.5: [("x2_r", (3,)), ("x2_c", (0,))],
    }
    for x, ways in plans.items():
        for number, (base, without) in enumerate(ways):
            for kind in "at":
                start = _double(last[base], kind, without)
                start.info = {"phase": last[base].info["phase"], "x": x}
                tag = f"x{x:g}_{base[-1]}{kind}{number}_{seed}".replace(".", "")
                group = thermal(start, calculator, rng, level, tag, count=count)
                groups.append([group[index] for index in rng.permutation(len(group))])
    return _in_turn(groups)


def _double(atoms: Atoms, kind: str, without: tuple[int, ...] | None) -> Atoms:
    if without is not None:
        return doubled(atoms, kind, without=without)
    filled = atoms.copy()  # an empty cell gets one ion in one of its two halves
    filled += Atoms("Na", positions=[0.25 * np.array([1, 1, 1]) @ _edges(atoms)])
    return doubled(filled, kind, without=(1,))


def _edges(atoms: Atoms) -> NDArray[np.float64]:
    """Edges of the face-centred cell, one per row [Å]."""
    return np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1]]) @ atoms.cell.array


def _like(frame: Atoms, parent: Atoms, name: str, origin: str, level: str) -> Atoms:
    return named(frame, name, x=parent.info["x"], phase=parent.info["phase"], origin=origin, level=level)


def _in_turn(groups: list[list[Atoms]]) -> list[Atoms]:
    longest = max(map(len, groups), default=0)
    return [group[index] for index in range(longest) for group in groups if index < len(group)]


def main() -> None:
    """Write what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["first", "metal", "around", "doubled"])
    parser.add_argument("files", type=Path, nargs="+", help="[LABELS] OUT")
    parser.add_argument("--level", default="cheap")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=6, help="snapshots per temperature")
    parser.add_argument("--only", nargs="+", default=[], help="names of relaxations")
    asked = parser.parse_args()
    if asked.what == "first":
        frames = first(asked.level)
    elif asked.what == "metal":
        frames = sodium(asked.seed)
    elif asked.what == "around":
        frames = around(asked.files[0], asked.level, asked.seed, asked.count, asked.only)
    else:
        frames = two_units(asked.files[0], asked.level, asked.seed, asked.count)
    ase.io.write(asked.files[-1], frames)
    print(len(frames), "structures")


if __name__ == "__main__":
    main()
