"""What labels say by themselves: structures at rest, and the voltages between them."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
from ase import Atoms
from ase.units import GPa

from scalebridge.contracts import Host, ReferenceVoltage, RelaxedLabel
from scalebridge.foundation import constants
from scalebridge.pipeline.stages.frames import LEVEL
from scalebridge.thermodynamics import space_group

RESTING_FORCE: Final = 0.15
"""Largest force of a structure that counts as relaxed [eV/Å]."""
RESTING_PRESSURE: Final = 1.0
"""Largest pressure of one, of either sign [GPa]."""
TOLERANCE: Final = 0.2
"""Of the symmetry search [Å]: relaxations start from displaced structures and stop at a finite force."""
PHASE: Final = "phase"
"""Key of a structure's phase."""


def relaxed_labels(frames: Sequence[Atoms], host: Host) -> tuple[RelaxedLabel, ...]:
    """Return the lowest structure at rest of every level, content and phase, in this order."""
    lowest: dict[tuple[str, float, str], RelaxedLabel] = {}
    for atoms in frames:
        label = _relaxed(atoms, host)
        if label is None:
            continue
        key = (label.level, label.x, label.phase)
        if key not in lowest or label.energy < lowest[key].energy:
            lowest[key] = label
    return tuple(label for _, label in sorted(lowest.items(), key=lambda item: item[0]))


def reference_voltages(
    relaxed: Sequence[RelaxedLabel], metal: Sequence[Atoms], host: Host
) -> tuple[ReferenceVoltage, ...]:
    """Return V = −[E(x₂) − E(x₁) − (x₂ − x₁) E(metal)]/((x₂ − x₁) z e) from content to content, and overall.

    Aydinol, Kohan, Ceder, Cho and Joannopoulos, Phys. Rev. B 56, 1354 (1997).
    """
    if not metal:
        return ()
    zero = min(atoms.get_potential_energy() / len(atoms) for atoms in metal) * constants.EV
    charge = host.ion_charge * constants.ELEMENTARY_CHARGE
    voltages = []
    for level in dict.fromkeys(label.level for label in relaxed):
        energies: dict[float, float] = {}
        for label in relaxed:
            if label.level == level:
                energies[label.x] = min(label.energy, energies.get(label.x, np.inf))
        contents = sorted(energies)
        steps = list(pairwise(contents))
        for low, high in [*steps, *([(contents[0], contents[-1])] if len(steps) > 1 else [])]:
            mean = (energies[high] - energies[low]) / (high - low)
            voltages.append(
                ReferenceVoltage(level=level, x_low=low, x_high=high, voltage=float((zero - mean) / charge))
            )
    return tuple(voltages)


def _relaxed(atoms: Atoms, host: Host) -> RelaxedLabel | None:
    """Return a structure's entry, None where it is not at rest."""
    force = float(np.linalg.norm(atoms.get_forces(), axis=1).max())
    stress = None if atoms.calc is None else atoms.calc.results.get("stress")
    pressure = None if stress is None else -float(np.mean(atoms.get_stress()[:3])) / GPa
    if force > RESTING_FORCE or abs(pressure or 0.0) > RESTING_PRESSURE:
        return None
    ions = int(np.count_nonzero(atoms.symbols == host.ion))
    framework = len(host.phases[0].framework.symbols) / host.phases[0].formula_units
    units = (len(atoms) - ions) / framework
    info: dict[str, Any] = atoms.info
    return RelaxedLabel(
        x=ions / units,
        phase=str(info.get(PHASE, "")),
        level=str(info.get(LEVEL, "")),
        space_group=space_group(atoms, TOLERANCE),
        symmetry_tolerance=TOLERANCE * constants.ANGSTROM,
        volume=atoms.get_volume() / units * constants.ANGSTROM**3,
        energy=atoms.get_potential_energy() / units * constants.EV,
        largest_force=force * constants.EV / constants.ANGSTROM,
        pressure=None if pressure is None else 1e9 * pressure,
    )
