"""Labels that come in a file: which belong to the host, which to its metal, and which no fit will see."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms

from scalebridge.contracts import Host
from scalebridge.foundation import FormatError, InputError, random_stream
from scalebridge.pipeline.stages.frames import LEVEL, group_of
from scalebridge.pipeline.stages.label_checks import energy_outliers, shortened, sound_labels
from scalebridge.potential import labels_of


@dataclass(frozen=True)
class GivenLabels:
    """Labelled structures of one file.

    Attributes
    ----------
    host
        Of the host, in the file's order.
    training, held_out
        Of those; neither: other levels of held-out structures.
    metal
        Of the ion alone.
    left_out
        Number of structures whose labels break the limits of an oracle's; they are in none of the others.
    warnings
        Which were left out and why, and whose energies are far from what the others say.
    """

    host: tuple[Atoms, ...]
    training: tuple[Atoms, ...]
    held_out: tuple[Atoms, ...]
    metal: tuple[Atoms, ...]
    left_out: int = 0
    warnings: tuple[str, ...] = ()


def read_given(
    path: Path, host: Host, *, target: str | None, held_out_fraction: float, seed: int
) -> GivenLabels:
    """Read labels and split them: held out are groups of the target level, evenly over x.

    Structures of a held-out group are in the training at no level.

    Raises
    ------
    FormatError
        If the file cannot be read.
    InputError
        If a structure has no label, is not periodic, is neither of the host nor of its metal; if none keeps
        the limits or has the target's level.
    """
    frames = _read(path)
    species = tuple(sorted({host.ion, *host.phases[0].framework.symbols}))
    _check(path, frames, species)
    compositions = [_composition(atoms, host, f"{path}: structure {n}") for n, atoms in enumerate(frames)]
    numbers, faults = sound_labels(frames)
    sound = [(frames[number], compositions[number]) for number in numbers]
    ours = [(atoms, x) for atoms, x in sound if x is not None]
    if not ours:
        raise InputError(f"{path}: no label of the host{f'; {faults[0]}' if faults else ''}; give some")
    unseen = _evenly(_target_groups(path, ours, target), held_out_fraction, seed)
    kept = [(atoms, group_of(atoms, number) in unseen) for number, (atoms, _) in enumerate(ours)]
    return GivenLabels(
        host=tuple(atoms for atoms, _ in ours),
        training=tuple(atoms for atoms, hidden in kept if not hidden),
        held_out=tuple(atoms for atoms, hidden in kept if hidden and _aimed_at(atoms, target)),
        metal=tuple(atoms for atoms, x in sound if x is None),
        left_out=len(faults),
        warnings=_warnings(
            path, faults, energy_outliers([atoms for atoms, _ in sound], numbers, ion=host.ion)
        ),
    )


def _target_groups(path: Path, ours: Sequence[tuple[Atoms, float]], target: str | None) -> dict[str, float]:
    """Return x of every group of the target's level."""
    groups: dict[str, float] = {}
    for number, (atoms, x) in enumerate(ours):
        if _aimed_at(atoms, target):
            groups.setdefault(group_of(atoms, number), x)
    if not groups:
        known = ", ".join(sorted({str(atoms.info.get(LEVEL)) for atoms, _ in ours}))
        raise InputError(
            f"{path}: no structure of the host has the level '{target}'; labels.target is one of {known}"
        )
    return groups


def _warnings(path: Path, faults: Sequence[str], outliers: Sequence[str]) -> tuple[str, ...]:
    texts = [*shortened(faults, "are left out"), *shortened(outliers, "have such energies")]
    return tuple(f"{path.name}: {text}" for text in texts)


def _read(path: Path) -> list[Atoms]:
    try:
        return list(ase.io.read(path, index=":", format="extxyz"))
    except Exception as error:  # ASE's readers raise whatever their parsing meets
        raise FormatError(
            f"{path}: cannot be read ({error}); give labelled structures as extended XYZ"
        ) from error


def _check(path: Path, frames: Sequence[Atoms], species: Sequence[str]) -> None:
    try:
        labels_of(frames, species)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    for number, atoms in enumerate(frames):
        if not atoms.pbc.all():
            raise InputError(
                f"{path}: structure {number} is not periodic along all three cell vectors, as its host is; "
                'write Lattice="..." and pbc="T T T", or take it out'
            )


def _aimed_at(atoms: Atoms, target: str | None) -> bool:
    return target is None or atoms.info.get(LEVEL) == target


def _composition(atoms: Atoms, host: Host, what: str) -> float | None:
    """Return x, None for the metal."""
    phase = host.phases[0]
    framework = [symbol for symbol in atoms.symbols if symbol != host.ion]
    if not framework:
        return None
    wanted = sorted(phase.framework.symbols)
    units = len(framework) * phase.formula_units / len(wanted)
    x = (len(atoms) - len(framework)) / units
    fits = sorted(framework * phase.formula_units) == sorted(wanted * round(units))
    if units != round(units) or not fits or x > host.sites_per_formula_unit:
        raise InputError(
            f"{what} is {atoms.symbols.formula:hill}: neither whole formula units of {host.formula} with "
            f"at most {host.sites_per_formula_unit} {host.ion} each, nor {host.ion} alone; take it out"
        )
    return x


def _evenly(groups: dict[str, float], fraction: float, seed: int) -> set[str]:
    """Return a fraction of the groups: in the order of x, one at random from each stretch of equal length."""
    rng = random_stream(seed, "held out")
    names = sorted(sorted(groups), key=lambda name: groups[name])
    count = min(max(2, round(fraction * len(names))), len(names))
    edges = np.linspace(0, len(names), count + 1).round().astype(int)
    return {names[int(rng.integers(low, high))] for low, high in pairwise(edges)}
