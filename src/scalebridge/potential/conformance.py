"""What every interatomic potential must obey, checked on any ASE calculator.

Energies do not change when a structure is moved, turned, mirrored, renumbered or written with other images or
in a larger cell; forces and stress are the derivatives of the energy; asking changes nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from ase import Atoms

from scalebridge.foundation import InputError, random_stream
from scalebridge.potential._kernel_data import FloatArray

TOLERANCE: Final = 1e-6
"""Largest deviation, relative to the scale of the quantity; 1e-2 suits calculators in single precision."""
STEPS: Final = (3e-5, 1e-3)
"""Displacement [Å] and strain of the finite differences, in double and in single precision.

Their error is of fourth order, but of first where an atom crosses the cutoff on the way, where the second
derivative of many potentials jumps.
"""
SINGLE_PRECISION: Final = 1e-4
"""Tolerances above this are for calculators in single precision."""
DIRECTIONS: Final = 3
"""Random directions along which derivatives are compared."""


@dataclass(frozen=True)
class Check:
    """One rule, how far a calculator is from it, and how far it may be.

    ``deviation`` is relative to the scale of what is compared: the energy per atom or 1 eV, the largest force
    or 1 eV/Å, the largest stress or 0.01 eV/Å³; NaN where the calculator failed, and ``problem`` says how.
    """

    rule: str
    deviation: float
    tolerance: float
    problem: str = ""

    @property
    def passed(self) -> bool:
        """Whether the rule is obeyed."""
        return self.deviation <= self.tolerance


def check_conformance(
    make: Callable[[], Any], atoms: Atoms, *, tolerance: float = TOLERANCE, seed: int = 0
) -> tuple[Check, ...]:
    """Check a calculator on a structure without symmetry.

    Parameters
    ----------
    make
        Returns a new calculator.
    atoms
        A periodic structure that it can compute, off equilibrium, so that forces and stress are not zero.
    tolerance
        Largest relative deviation.
    seed
        Of the random shifts, rotations and directions.

    Returns
    -------
    One `Check` per rule; a calculator that raises fails the rule at hand, not the others.

    Raises
    ------
    InputError
        If the structure is not periodic in all directions, or has no atoms.
    """
    if not len(atoms) or not atoms.pbc.all():
        raise InputError(
            f"{atoms.get_chemical_formula() or 'no atoms'}, periodic {atoms.pbc.tolist()}: the checks need "
            "atoms in a cell that is periodic in all directions"
        )
    rules = {
        "translation": _translation,
        "rotation": _rotation,
        "reflection": _reflection,
        "permutation": _permutation,
        "lattice translations of single atoms": _images,
        "another choice of cell vectors": _other_cell,
        "supercell": _supercell,
        "forces are derivatives": _forces,
        "stress is a derivative": _stress,
        "forces sum to zero": _sum,
        "one atom": _one_atom,
        "isolated atoms add up": _isolated,
        "input is not changed": _unchanged,
    }
    step = STEPS[tolerance > SINGLE_PRECISION]
    checks = []
    for rule, deviation in rules.items():
        subject = _Subject(make, atoms, random_stream(seed, "conformance", rule), step)
        try:
            found, problem = float(deviation(subject)), ""
        except Exception as error:  # whatever a calculator raises is the finding
            found, problem = float("nan"), f"{type(error).__name__}: {error}"
        checks.append(Check(rule, found, tolerance, problem))
    return tuple(checks)


@dataclass(frozen=True)
class _Labels:
    energy: float
    forces: FloatArray
    stress: FloatArray


class _Subject:
    """A calculator with the structure it is asked about."""

    def __init__(
        self, make: Callable[[], Any], atoms: Atoms, random: np.random.Generator, step: float
    ) -> None:
        self.make, self.random, self.step = make, random, step
        self.atoms = atoms.copy()
        self.atoms.calc = None

    def labels(self, atoms: Atoms) -> _Labels:
        """Ask a new calculator, so that nothing it remembers can help."""
        asked = atoms.copy()
        asked.calc = self.make()
        stress = asked.get_stress(voigt=False) if asked.pbc.all() else np.zeros((3, 3))
        return _Labels(float(asked.get_potential_energy()), asked.get_forces(), stress)

    def energy(self, atoms: Atoms) -> float:
        asked = atoms.copy()
        asked.calc = self.make()
        return float(asked.get_potential_energy())

    def deviation(self, found: _Labels, expected: _Labels) -> float:
        """Return the largest relative deviation of energy per atom, forces and stress."""
        count = len(expected.forces)
        return max(
            _relative(np.array(found.energy / count), np.array(expected.energy / count), 1.0),
            _relative(found.forces, expected.forces, 1.0),
            _relative(found.stress, expected.stress, 1e-2),
        )


def _relative(found: FloatArray, expected: FloatArray, least: float) -> float:
    scale = max(float(np.abs(expected).max(initial=0.0)), least)
    with np.errstate(invalid="ignore"):  # infinite energies in hard cores
        difference = float(np.abs(found - expected).max(initial=0.0))
    return difference / scale if np.isfinite(difference) else np.inf


def _translation(s: _Subject) -> float:
    moved = s.atoms.copy()
    moved.positions += s.random.uniform(-5, 5, 3)
    return s.deviation(s.labels(moved), s.labels(s.atoms))


def _turned(s: _Subject, matrix: FloatArray) -> float:
    turned = s.atoms.copy()
    cell = s.atoms.cell.array @ matrix.T
    # a mirrored lattice, its vectors in an order that stays right-handed: many codes know no other
    turned.set_cell(cell if np.linalg.det(matrix) > 0 else cell[[1, 0, 2]], scale_atoms=False)
    turned.positions = s.atoms.positions @ matrix.T
    here = s.labels(s.atoms)
    expected = _Labels(here.energy, here.forces @ matrix.T, matrix @ here.stress @ matrix.T)
    return s.deviation(s.labels(turned), expected)


def _orthogonal(s: _Subject, handedness: float) -> FloatArray:
    matrix = np.linalg.qr(s.random.standard_normal((3, 3)))[0]
    return np.asarray(matrix * handedness * np.sign(np.linalg.det(matrix)))


def _rotation(s: _Subject) -> float:
    return _turned(s, _orthogonal(s, 1.0))


def _reflection(s: _Subject) -> float:
    return _turned(s, _orthogonal(s, -1.0))


def _permutation(s: _Subject) -> float:
    order = s.random.permutation(len(s.atoms))
    here = s.labels(s.atoms)
    return s.deviation(s.labels(s.atoms[order]), _Labels(here.energy, here.forces[order], here.stress))


def _images(s: _Subject) -> float:
    moved = s.atoms.copy()
    moved.positions += s.random.integers(-2, 3, (len(moved), 3)) @ moved.cell.array
    return s.deviation(s.labels(moved), s.labels(s.atoms))


def _other_cell(s: _Subject) -> float:
    other = s.atoms.copy()
    other.set_cell(np.array([[1, 1, 0], [0, 1, 0], [0, -1, 1]]) @ s.atoms.cell.array, scale_atoms=False)
    return s.deviation(s.labels(other), s.labels(s.atoms))


def _supercell(s: _Subject) -> float:
    here = s.labels(s.atoms)
    expected = _Labels(2 * here.energy, np.tile(here.forces, (2, 1)), here.stress)
    return s.deviation(s.labels(s.atoms.repeat((1, 2, 1))), expected)


def _slope(energy: Callable[[float], float], step: float) -> float:
    """Return the derivative at 0 by the five-point rule."""
    near, far = (energy(step) - energy(-step)), (energy(2 * step) - energy(-2 * step))
    return (8 * near - far) / (12 * step)


def _forces(s: _Subject) -> float:
    forces = s.labels(s.atoms).forces
    worst = 0.0
    for _ in range(DIRECTIONS):
        direction = s.random.standard_normal(forces.shape)
        direction /= np.linalg.norm(direction)

        def energy(step: float, direction: FloatArray = direction) -> float:
            moved = s.atoms.copy()
            moved.positions += step * direction
            return s.energy(moved)

        scale = max(float(np.linalg.norm(forces)), 1.0)
        worst = max(worst, abs(_slope(energy, s.step) + float(np.sum(forces * direction))) / scale)
    return worst


def _stress(s: _Subject) -> float:
    stress, volume = s.labels(s.atoms).stress, s.atoms.get_volume()
    worst = 0.0
    for _ in range(DIRECTIONS):
        strain = s.random.standard_normal((3, 3))
        strain = (strain + strain.T) / np.linalg.norm(strain + strain.T)

        def energy(step: float, strain: FloatArray = strain) -> float:
            strained = s.atoms.copy()
            strained.set_cell(s.atoms.cell.array @ (np.eye(3) + step * strain), scale_atoms=True)
            return s.energy(strained)

        scale = max(float(np.linalg.norm(stress)) * volume, 1.0)
        worst = max(worst, abs(_slope(energy, s.step) - volume * float(np.sum(stress * strain))) / scale)
    return worst


def _sum(s: _Subject) -> float:
    forces = s.labels(s.atoms).forces
    return _relative(forces.sum(axis=0), np.zeros(3), max(float(np.abs(forces).max()), 1.0))


def _one_atom(s: _Subject) -> float:
    """By symmetry a single atom feels no force, whatever its cell."""
    return _relative(s.labels(s.atoms[:1]).forces, np.zeros((1, 3)), 1.0)


def _isolated(s: _Subject) -> float:
    """Two atoms out of each other's reach, in no cell: their energies add up and nothing pulls."""
    one, two = (Atoms(s.atoms.symbols[index], positions=[[0.0, 0, 0]]) for index in (0, -1))
    far = Atoms([one.symbols[0], two.symbols[0]], positions=[[0.0, 0, 0], [200.0, 0, 0]])
    both = s.labels(far)
    expected = s.energy(one) + s.energy(two)
    return max(
        _relative(np.array(both.energy), np.array(expected), 1.0),
        _relative(both.forces, np.zeros((2, 3)), 1.0),
    )


def _unchanged(s: _Subject) -> float:
    """Positions, cell, species stay; forces handed out are the caller's; a second question has one answer."""
    asked = s.atoms.copy()
    asked.calc = s.make()
    first = np.array(asked.get_forces())
    asked.get_stress()
    same = (
        np.array_equal(asked.positions, s.atoms.positions)
        and np.array_equal(asked.cell.array, s.atoms.cell.array)
        and np.array_equal(asked.numbers, s.atoms.numbers)
    )
    asked.get_forces()[:] = np.nan
    return _relative(np.array(asked.get_forces()), first, 1.0) if same else np.inf
