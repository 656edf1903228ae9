"""Fit the correction PBE+U − CHGNet to the labels, and hold it where there are none.

python fit.py LABELS ANCHORS CORRECTION [START]

A moment tensor potential is a polynomial: far from its labels it digs holes that active learning falls into.
The anchors are structures from such holes, found by runs with earlier fits. There the correction is held to a
function of composition alone, the quadratic through all labels, with an eighth of a label's weight. Distorted
lithium metal among them is held to the metal's mean. START is an earlier fit to go on from.
"""

import sys
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from scalebridge.oracle import CalculatorSpec, label_differences
from scalebridge.potential import (
    FitSettings,
    FitWeights,
    MomentTensorPotential,
    evaluate_errors,
    fit_report,
)

BASELINE = CalculatorSpec("scalebridge.oracle.chgnet:CHGNet03")
LEVEL = 8
CUTOFF = 5.0
LABEL_WEIGHT = 8
SETTINGS = FitSettings(
    max_iterations=200, radial_size=6, ridge=1e-5, weights=FitWeights(energy=1.0, force=1e-4, stress=0.02)
)


def held(anchors: list[Atoms], differences: list[Atoms]) -> list[Atoms]:
    """Return the anchors with the energy of their composition, the labels' mean stress and no forces."""
    iron, lithium = (np.array([f.symbols.count(symbol) for f in differences]) for symbol in ("Fe", "Li"))
    energy = np.array([frame.get_potential_energy() for frame in differences])
    host = iron > 0
    curve = np.polyfit(lithium[host] / iron[host], energy[host] / iron[host], 2)
    metal = np.mean(energy[~host] / lithium[~host])
    stress = np.mean([frame.get_stress() for frame in differences if "stress" in frame.calc.results], axis=0)
    frames = []
    for anchor in anchors:
        frame = anchor.copy()
        iron_atoms, ions = (frame.symbols.count(symbol) for symbol in ("Fe", "Li"))
        results = {"forces": np.zeros((len(frame), 3))}
        if iron_atoms:
            results |= {"energy": iron_atoms * np.polyval(curve, ions / iron_atoms), "stress": stress}
        else:
            results |= {"energy": ions * metal}
        frame.calc = SinglePointCalculator(frame, **results)
        frames.append(frame)
    return frames


def main(labels: Path, anchors: Path, correction: Path, start: Path | None = None) -> None:
    """Fit, write and tell the errors."""
    differences = label_differences(ase.io.read(labels, index=":"), BASELINE)
    anchored = held(ase.io.read(anchors, index=":"), differences)
    for frame in differences:
        frame.info["weight"] = LABEL_WEIGHT
    report = fit_report(
        [*differences, *anchored],
        level=LEVEL,
        cutoff=CUTOFF,
        species=("Fe", "Li", "O", "P"),
        start=MomentTensorPotential.load(start) if start else None,
        settings=SETTINGS,
    )
    report.potential.save(correction)
    smooth = report.potential.without_hard_core()
    for name, frames in (("labels", differences), ("anchors", anchored)):
        errors = evaluate_errors(smooth, frames)
        print(f"{len(frames)} {name}: {1e3 * errors.energy_rmse:.1f} meV/atom, {errors.force_rmse:.2f} eV/Å")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
