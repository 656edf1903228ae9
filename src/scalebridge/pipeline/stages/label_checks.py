"""What is wrong with labels that come in a file: broken limits, energies far from what the others say."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from scalebridge.oracle import label_fault
from scalebridge.pipeline.stages.frames import LEVEL

NAME: Final = "name"
FEWEST: Final = 6
"""Labels of one level, at least, that judge each other's energies."""
DEVIATIONS: Final = 12.0
"""Standard deviations, estimated by the median, from which an energy is named. Of the bundled labels
compressed and displaced structures lie up to 9 of them above the others."""
LEAST: Final = 0.3
"""Distance per atom below which none is named, however much the others agree [eV]."""
MEDIAN_TO_DEVIATION: Final = 1.4826
"""σ of a normal distribution over its median absolute deviation."""
ITERATIONS: Final = 50
SHOWN: Final = 10
"""Warnings of one kind that are written out."""


def describe(atoms: Atoms, number: int) -> str:
    """Return how a structure is told to the user."""
    name = f" '{atoms.info[NAME]}'" if NAME in atoms.info else ""
    return f"structure {number}{name} ({atoms.symbols.formula:hill})"


def sound_labels(frames: Sequence[Atoms]) -> tuple[list[int], list[str]]:
    """Return the numbers of the labels within the limits of an oracle's, and a text for each other."""
    faults = [label_fault(atoms) for atoms in frames]
    texts = [
        f"{describe(atoms, number)} is left out: {fault}"
        for number, (atoms, fault) in enumerate(zip(frames, faults, strict=True))
        if fault
    ]
    return [number for number, fault in enumerate(faults) if not fault], texts


def energy_outliers(frames: Sequence[Atoms], numbers: Sequence[int], *, ion: str) -> list[str]:
    """Return a text for every label whose energy is far from what its composition and the other labels say.

    Labels of one level, of the host or of the ion alone, are fitted by a constant for each species with the
    least sum of absolute deviations per atom, which a few wrong labels do not move. ``numbers`` are those of
    the frames in their file.
    """
    groups: dict[tuple[str, bool], list[int]] = defaultdict(list)
    for index, atoms in enumerate(frames):
        groups[str(atoms.info.get(LEVEL)), set(atoms.symbols) == {ion}].append(index)
    texts: dict[int, str] = {}
    for members in groups.values():
        if len(members) < FEWEST:
            continue
        excess = _excess([frames[index] for index in members])
        limit = max(LEAST, DEVIATIONS * MEDIAN_TO_DEVIATION * float(np.median(np.abs(excess))))
        for index, value in zip(members, excess, strict=True):
            if abs(value) > limit:
                atoms = frames[index]
                side = "above" if value > 0 else "below"
                texts[index] = (
                    f"{describe(atoms, numbers[index])} has an energy {abs(value) * len(atoms):.3g} eV "
                    f"{side} what its composition and the other labels say: {abs(value):.2g} eV/atom, and "
                    f"{limit:.2g} is the limit; check it, or take it out"
                )
    return [texts[index] for index in sorted(texts)]


def shortened(texts: Sequence[str], what: str) -> list[str]:
    """Return the first texts, and how many more there are."""
    more = len(texts) - SHOWN
    return [*texts[:SHOWN], *([f"and {more} more {what}"] if more > 0 else [])]


def _excess(frames: Sequence[Atoms]) -> NDArray[np.float64]:
    """Return energies per atom less those of the compositions and the median [eV]."""
    species = sorted({symbol for atoms in frames for symbol in atoms.symbols})
    counts = np.array([[atoms.symbols.count(symbol) for symbol in species] for atoms in frames], dtype=float)
    sizes = counts.sum(axis=1)
    fractions = counts / sizes[:, None]
    energies = np.array([atoms.get_potential_energy() for atoms in frames]) / sizes
    weights = np.ones(len(frames))
    for _ in range(ITERATIONS):
        constants = np.linalg.lstsq(fractions * weights[:, None], energies * weights, rcond=1e-10)[0]
        residuals = energies - fractions @ constants
        weights = 1 / np.sqrt(np.maximum(np.abs(residuals), 1e-6))
    return np.asarray(residuals - np.median(residuals))
