"""A potential inside LAMMPS, by its Python coupling: ``fix external`` in callback mode.

Every process evaluates the whole system and keeps the forces of its own atoms, so that any number of
processes gives one answer; speed comes from the kernel's threads in one process.
"""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms

from scalebridge.foundation import InputError
from scalebridge.potential._kernel_data import FloatArray
from scalebridge.potential.model import MomentTensorPotential


def couple_lammps(
    lmp: Any, potential: MomentTensorPotential, elements: Sequence[str], *, fix: str = "scalebridge"
) -> None:
    """Let a LAMMPS instance take energy, forces and virial from a potential.

    The energy joins ``pe``, the virial the pressure. Atoms that come closer than the potential's hard core
    make LAMMPS stop with an error about numbers that are none; the reason stands on the standard error.

    Parameters
    ----------
    lmp
        ``lammps.lammps`` after its box and atoms were made: units metal, atom_modify map yes.
    potential
        The potential.
    elements
        Chemical symbol of each LAMMPS type, in their order.
    fix
        Name of the fix that is added to all atoms.

    Raises
    ------
    InputError
        If the units are not metal, there is no box or no atom map, the atoms' identifiers are not 1 … N, or
        ``elements`` do not fit the types or the potential.
    """
    _check(lmp, potential, elements)
    symbols = np.array(elements)[_gathered(lmp, "type", 1).astype(int).ravel() - 1]

    def callback(_caller: Any, step: int, _count: int, tags: Any, _places: Any, forces: FloatArray) -> None:
        """Write the forces of this process's atoms; exceptions would vanish inside LAMMPS."""
        cell, periodic = _box(lmp)
        atoms = Atoms(symbols, positions=_gathered(lmp, "x", 3), cell=cell, pbc=periodic)
        try:
            out = potential.compute(atoms)
            problem = "" if np.isfinite(out.energy) else "atoms are closer than its hard core"
        except Exception as error:  # whatever it is, LAMMPS must stop
            problem = f"{type(error).__name__}: {error}"
        if problem:
            print(f"scalebridge: step {step}: the potential has no forces: {problem}", file=sys.stderr)
            forces[:] = np.nan
            return
        forces[:] = out.forces[np.asarray(tags, dtype=int) - 1]
        lmp.fix_external_set_energy_global(fix, out.energy)
        if all(periodic):
            xx, yy, zz = -np.diag(out.stress) * atoms.get_volume()
            xy, xz, yz = -out.stress[[0, 0, 1], [1, 2, 2]] * atoms.get_volume()
            lmp.fix_external_set_virial_global(fix, [xx, yy, zz, xy, xz, yz])

    lmp.command(f"fix {fix} all external pf/callback 1 1")
    lmp.command(f"fix_modify {fix} energy yes virial yes")
    lmp.set_fix_external_callback(fix, callback, lmp)


def _check(lmp: Any, potential: MomentTensorPotential, elements: Sequence[str]) -> None:
    units = lmp.extract_global("units")
    if units != "metal":
        raise InputError(f"LAMMPS works in units {units}; the potential needs: units metal")
    if not lmp.extract_setting("box_exist") or not lmp.extract_setting("map_style"):
        raise InputError("LAMMPS has no box or no atom map; make atoms first, after: atom_modify map yes")
    types = lmp.extract_setting("ntypes")
    unknown = sorted(set(elements) - set(potential.species))
    if len(elements) != types or unknown:
        raise InputError(
            f"elements {tuple(elements)} for {types} LAMMPS types and the potential's species "
            f"{potential.species}: give one known element per type"
        )
    tags = np.sort(_gathered(lmp, "id", 1).ravel())
    if not np.array_equal(tags, np.arange(1, len(tags) + 1)):
        raise InputError(
            "the atoms' identifiers are not 1 … N; use reset_atoms id, and do not add or lose atoms"
        )


def _gathered(lmp: Any, name: str, width: int) -> FloatArray:
    """Return an atom property of all processes in the order of the identifiers, (N, width)."""
    kind = 1 if name == "x" else 0
    found = np.array(lmp.gather_atoms(name, kind, width), dtype=np.float64)
    return found.reshape(-1, width)


def _box(lmp: Any) -> tuple[FloatArray, list[bool]]:
    low, high, xy, yz, xz, periodic, _ = lmp.extract_box()
    x, y, z = np.subtract(high, low)
    return np.array([[x, 0, 0], [xy, y, 0], [xz, yz, z]]), [bool(p) for p in periodic]
