"""Labels of a cheap level of theory, moved onto a better one by what that adds where both are known.

Δ-learning (Ramakrishnan, Dral, Rupp and von Lilienfeld, J. Chem. Theory Comput. 11, 2087 (2015)): the
difference of two levels is smoother than either, so a small potential of few structures tells it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.stress import full_3x3_to_voigt_6_stress

from scalebridge.foundation import InputError
from scalebridge.potential.fitting import FitSettings, fit_report
from scalebridge.potential.model import MomentTensorPotential

NAME: Final = "name"
"""Key by which two labels of one structure are known."""
LEVEL: Final = 6
"""Of the potential of the differences."""
LEAST_PAIRS: Final = 10
BEYOND: Final = 1.5
"""Times the largest difference of any pair: what is said to be more is extrapolated."""
QUANTITIES: Final = ("energy", "forces", "stress")


@dataclass(frozen=True, eq=False)
class AlignedLabels:
    """Moved labels.

    Attributes
    ----------
    frames
        Those of the cheap level that could be moved, in their order.
    pairs
        Structures that tell the difference.
    left_out
        Cheap labels to which more would be added than to any pair (`BEYOND`): unlike these.
    shift
        Root mean square of what was added to the energies [eV/atom].
    """

    frames: tuple[Atoms, ...]
    pairs: int
    left_out: int
    shift: float


def label_differences(cheap: Sequence[Atoms], better: Sequence[Atoms]) -> list[Atoms]:
    """Return the structures with both labels (of one ``name``), labelled by what the better one adds."""
    known = {str(atoms.info[NAME]): atoms for atoms in cheap if NAME in atoms.info}
    found = []
    for atoms in better:
        twin = known.get(str(atoms.info.get(NAME)))
        if twin is None or not _same_structure(atoms, twin):
            continue
        both = [key for key in QUANTITIES if key in atoms.calc.results and key in twin.calc.results]
        copy = atoms.copy()
        added = {key: np.subtract(atoms.calc.results[key], twin.calc.results[key]) for key in both}
        copy.calc = SinglePointCalculator(copy, **added)
        found.append(copy)
    return found


def _same_structure(first: Atoms, second: Atoms) -> bool:
    return np.array_equal(first.numbers, second.numbers) and all(
        np.allclose(ours, theirs)
        for ours, theirs in ((first.positions, second.positions), (first.cell[:], second.cell[:]))
    )


def align_labels(
    cheap: Sequence[Atoms],
    better: Sequence[Atoms],
    *,
    cutoff: float,
    species: Sequence[str],
    settings: FitSettings | None = None,
    seed: int = 0,
) -> AlignedLabels:
    """Add to cheap labels what a better level of theory adds on structures that have both.

    Parameters
    ----------
    cheap, better
        Labelled structures with the key ``name``.
    cutoff
        Of the potential of the differences [Å].

    Raises
    ------
    InputError
        If fewer than `LEAST_PAIRS` structures have both labels.
    """
    pairs = label_differences(cheap, better)
    if len(pairs) < LEAST_PAIRS:
        raise InputError(
            f"{len(pairs)} structures labelled at both levels cannot tell their difference; give at least "
            f"{LEAST_PAIRS} with the same name and positions, or learn the levels as one"
        )
    settings = settings or FitSettings()
    added = fit_report(pairs, level=LEVEL, cutoff=cutoff, species=species, seed=seed, settings=settings)
    largest = max(abs(atoms.get_potential_energy()) / len(atoms) for atoms in pairs)
    moved = [_moved(atoms, added.potential, BEYOND * largest) for atoms in cheap]
    frames = tuple(atoms for atoms in moved if atoms is not None)
    shifts = [
        (new.get_potential_energy() - old.get_potential_energy()) / len(old)
        for old, new in zip(cheap, moved, strict=True)
        if new is not None
    ]
    shift = float(np.sqrt(np.mean(np.square(shifts)))) if shifts else 0.0
    return AlignedLabels(frames, len(pairs), len(moved) - len(frames), shift)


def _moved(atoms: Atoms, added: MomentTensorPotential, limit: float) -> Atoms | None:
    """Return a label with the difference added, None where that exceeds a limit [eV/atom]."""
    more, have = added.compute(atoms), dict(atoms.calc.results)
    if not abs(more.energy) <= limit * len(atoms):
        return None
    changes = {
        "energy": more.energy,
        "forces": more.forces,
        "stress": full_3x3_to_voigt_6_stress(more.stress),
    }
    copy = atoms.copy()
    copy.calc = SinglePointCalculator(
        copy, **{key: have[key] + change for key, change in changes.items() if key in have}
    )
    return copy
