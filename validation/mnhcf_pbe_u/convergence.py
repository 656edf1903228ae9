"""Convergence of energy differences, forces and stress, through the oracle.

python convergence.py convergence.extxyz            the tables
python convergence.py convergence.extxyz --run      computes what PLAN asks for and is not in the file yet

The file holds five displaced structures: T tetragonal, C cubic, R rhombohedral, at x = 0, 1, 2. Those at Γ
start from other moments at x = 1 (Mn 4, Fe 0 μB).
"""

import argparse
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.units import GPa

from scalebridge.oracle import CalculatorSpec

TARGET = "scalebridge.oracle.gpaw:GPAWPlusU"
GAMMA = {"kpoints": [[0, 0, 0]]}
TIGHT = {"convergence": {"energy": 5e-6, "density": 1e-5, "eigenstates": 1e-7}}
CENTRED = [[a / 2, b / 2, c / 2] for a in (0, 1) for b in (0, 1) for c in (0, 1)]
ALL, THREE = ("x0_T", "x1_C", "x1_R", "x2_R", "x2_C"), ("x0_T", "x1_R", "x2_R")
SETTINGS: dict[str, dict[str, Any]] = {
    **{f"{cutoff} eV, Γ": {"cutoff": cutoff, **GAMMA} for cutoff in (400.0, 500.0, 600.0, 800.0)},
    "500 eV, one point": {"cutoff": 500.0},
    "500 eV, 2×2×2": {"cutoff": 500.0, "mean_value": False},
    "500 eV, 2×2×2 with Γ": {"cutoff": 500.0, "kpoints": CENTRED, "mean_value": False},
    "500 eV, 3×3×3": {"cutoff": 500.0, "kpoints": [3, 3, 3], "mean_value": False},
    "600 eV, one point": {},
    "600 eV, 2×2×2": {"mean_value": False},
    "0.02 eV smearing": {"smearing": 0.02},
    "0.1 eV smearing": {"smearing": 0.1},
    "U = 3 eV": {"hubbard": {"Mn": 3.0}},
    "U = 5 eV": {"hubbard": {"Mn": 5.0}},
    "tight": TIGHT,
}
SETTINGS = {key.replace(".0 eV, Γ", " eV, Γ"): value for key, value in SETTINGS.items()}
PLAN: Mapping[str, tuple[str, ...]] = {
    **{f"{cutoff} eV, Γ": THREE for cutoff in (400, 500, 600, 800)},
    "500 eV, one point": ALL,
    "500 eV, 2×2×2": THREE,
    "600 eV, one point": ("x0_T", "x1_C", "x1_R", "x2_R"),
    "tight": ("x0_T", "x1_C", "x2_R"),
    "U = 3 eV": THREE,
    "U = 5 eV": THREE,
    "0.02 eV smearing": ("x0_T",),
    "500 eV, 2×2×2 with Γ": ("x0_T", "x2_R"),
    "0.1 eV smearing": ("x0_T", "x1_C"),
    "600 eV, 2×2×2": THREE,
    "500 eV, 3×3×3": THREE,
}


def run(path: Path) -> None:
    """Compute what is missing, and append it."""
    base = tomllib.loads(Path(__file__).with_name("levels.toml").read_text())["cheap"]
    frames = list(ase.io.read(path, index=":"))
    starts = {frame.info["structure"]: frame for frame in frames}
    done = {(frame.info["structure"], frame.info["setting"]) for frame in frames}
    for setting, names in PLAN.items():
        for name in names:
            if (name, setting) in done:
                continue
            began = time.monotonic()
            atoms = Atoms(
                starts[name].symbols, positions=starts[name].positions, cell=starts[name].cell, pbc=True
            )
            atoms.calc = CalculatorSpec(TARGET, base | {"finite_basis": {}} | SETTINGS[setting]).build()
            atoms.get_potential_energy()
            frame = atoms.copy()
            frame.calc = SinglePointCalculator(frame, **atoms.calc.results)
            frame.info = {
                "structure": name,
                "setting": setting,
                "seconds": round(time.monotonic() - began, 1),
            }
            ase.io.write(path, frame, append=True)
            print(name, setting, frame.get_potential_energy(), frame.info["seconds"], flush=True)


def compare(frames: dict[tuple[str, str], Atoms], settings: list[str], reference: str) -> str:
    """Return one line per setting: differences from the reference, mean over structures."""
    lines = [
        "| setting | E(x=1 R) − E(x=0) | E(x=2) − E(x=0), eV | forces, eV/Å | mean, GPa | shear, GPa | s |",
        "|---|---|---|---|---|---|---|",
    ]
    for setting in settings:
        names = [name for name in ALL if (name, setting) in frames and (name, reference) in frames]
        if not names:
            continue
        forces, pressure, shear, seconds = [], [], [], []
        for name in names:
            here, there = frames[name, setting], frames[name, reference]
            forces.append(np.sqrt(np.mean((here.get_forces() - there.get_forces()) ** 2)))
            stress = (here.get_stress() - there.get_stress()) / GPa
            pressure.append(stress[:3].mean())
            shear.append(np.abs(np.r_[stress[:3] - stress[:3].mean(), stress[3:]]).max())
            seconds.append(here.info["seconds"])
        steps = [_step(frames, setting, "x1_R"), _step(frames, setting, "x2_R")]
        lines.append(
            f"| {setting} | {steps[0]} | {steps[1]} | {np.mean(forces):.3f} | {np.mean(pressure):+.2f} | "
            f"{max(shear):.2f} | {np.mean(seconds):.0f} |"
        )
    return "\n".join(lines)


def _step(frames: dict[tuple[str, str], Atoms], setting: str, name: str) -> str:
    if (name, setting) not in frames or ("x0_T", setting) not in frames:
        return ""
    return (
        f"{frames[name, setting].get_potential_energy() - frames['x0_T', setting].get_potential_energy():.3f}"
    )


def main() -> None:
    """Print the tables, after computing what is missing if asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--run", action="store_true")
    asked = parser.parse_args()
    if asked.run:
        run(asked.file)
    frames = {(f.info["structure"], f.info["setting"]): f for f in ase.io.read(asked.file, index=":")}
    cutoffs = [key for key in SETTINGS if "eV, Γ" in key]
    print("Cutoff, against 800 eV, no correction of the stress:\n\n" + compare(frames, cutoffs, "800 eV, Γ"))
    points = ["500 eV, Γ", *(key for key in SETTINGS if key.startswith("500 eV, ") and key != "500 eV, Γ")]
    print("\nk-points, against 2×2×2:\n\n" + compare(frames, points, "500 eV, 2×2×2"))
    rest = [key for key in SETTINGS if key not in cutoffs + points]
    print("\nThe rest, against one point:\n\n" + compare(frames, rest, "600 eV, one point"))


if __name__ == "__main__":
    main()
