"""What a harmonic crystal lacks: exact free-energy perturbation from a self-consistent harmonic reference.

Some metals are no harmonic crystals at all: bcc alkali metals have shear modes whose curvature at T = 0 is
nearly zero or negative, and are held by their thermal motion. Any lattice-periodic harmonic crystal with
positive eigenvalues serves as a reference whose free energy is known; with U_h its potential energy,

    F = F_h − kT ln⟨exp(−β(U − U_h))⟩_h

is exact [Zwanzig 1954], and displacements of the reference are independent Gaussians: no chain, no
correlation. The closer the reference, the fewer samples. The best one has k_s = ⟨∂²U/∂a_s²⟩_h, the minimum of
the Gibbs–Bogoliubov bound F_h + ⟨U − U_h⟩_h [Hooton 1955]: it is iterated on the modes of the repeated cell
with k_s = −⟨f_s a_s⟩/⟨a_s²⟩ from sampled amplitudes a_s and forces f_s, pooled over modes that symmetry
makes equal. In a quartic well b a⁴ the plain iteration k → ∂²U + 12 b kT/k oscillates for ever; the geometric
mean of old and new k converges.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from numpy.typing import NDArray
from scipy.linalg import null_space

from scalebridge.foundation import InputError, constants
from scalebridge.thermodynamics.harmonic import ForceConstants, from_repeated

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int_]

SOFTEST = 0.02
"""Floor of the reference's eigenvalues over their mean."""
FIRST_FLOOR = 0.1
"""The same floor for the first guess, which knows only the curvature at rest."""
ENOUGH_WEIGHTS = 50.0
"""Effective samples above which the exponential average is trusted by its own spread."""
SAME_MODE = 2e-3
"""Eigenvalues closer than this fraction of their mean are taken as equal by symmetry."""


@dataclass(frozen=True)
class Reference:
    """A harmonic crystal on a repeated cell.

    Attributes
    ----------
    repeat
        Repetitions of the cell.
    modes
        Orthonormal displacements without the three translations, (3N, 3N − 3).
    stiffness
        Their force constants [eV/Å²], positive, (3N − 3,).
    force_constants
        The same crystal for any wave vector.
    floor
        Lower bound of its eigenvalues [eV/Å²].
    """

    repeat: tuple[int, ...]
    modes: FloatArray
    stiffness: FloatArray
    force_constants: ForceConstants
    floor: float


@dataclass(frozen=True)
class Perturbation:
    """Free energy per atom beyond the reference and its standard error [eV]."""

    correction: float
    error: float


def self_consistent_reference(
    atoms: Atoms,
    calculator: Calculator,
    start: ForceConstants,
    temperature: float,
    *,
    repeat: Sequence[int],
    steps: int,
    samples: int,
    rng: np.random.Generator,
) -> Reference:
    """Iterate the stiffness of the modes of ``start`` to its thermal average.

    Parameters
    ----------
    atoms
        The lattice.
    start
        Force constants at rest; their modes are kept.
    temperature
        [K].
    steps, samples
        Iterations, and displaced cells in each.

    Raises
    ------
    InputError
        If there are no steps or samples.
    """
    if steps < 1 or samples < 1:
        raise InputError(f"{steps} steps of {samples} samples; take at least one of each")
    supercell = atoms.repeat(tuple(repeat))
    supercell.calc = calculator
    rest = supercell.get_positions()
    translations = np.tile(np.eye(3), (len(supercell), 1))
    free = null_space(translations.T)
    found, inner = np.linalg.eigh(free.T @ start.repeated(repeat) @ free)
    modes = free @ inner
    mean = float(np.mean(np.abs(found)))
    groups = np.concatenate([[0], np.cumsum(np.diff(found) > SAME_MODE * mean)])
    stiffness = np.maximum(_pooled(found, np.ones_like(found), groups), FIRST_FLOOR * mean)
    thermal = constants.BOLTZMANN_EV * temperature
    for _ in range(steps):
        amplitudes = rng.normal(size=(samples, len(stiffness))) * np.sqrt(thermal / stiffness)
        forces = np.empty_like(amplitudes)
        for number, amplitude in enumerate(amplitudes):
            supercell.set_positions(rest + (modes @ amplitude).reshape(-1, 3))
            forces[number] = modes.T @ supercell.get_forces().ravel()
        covariance, variance = -np.sum(forces * amplitudes, axis=0), np.sum(amplitudes**2, axis=0)
        found = np.maximum(_pooled(covariance, variance, groups), SOFTEST * mean)
        stiffness = np.sqrt(stiffness * found)
    matrix = (modes * stiffness) @ modes.T
    return Reference(tuple(repeat), modes, stiffness, from_repeated(atoms, matrix, repeat), SOFTEST * mean)


def perturb_harmonic(
    atoms: Atoms,
    calculator: Calculator,
    reference: Reference,
    temperature: float,
    *,
    samples: int,
    rng: np.random.Generator,
) -> Perturbation:
    """Return F − F_h per atom from ``samples`` independent displacements, energies against the lattice's."""
    supercell = atoms.repeat(reference.repeat)
    supercell.calc = calculator
    rest, energy = supercell.get_positions(), float(supercell.get_potential_energy())
    thermal = constants.BOLTZMANN_EV * temperature
    works = np.empty(samples)
    for number in range(samples):
        noise = rng.normal(size=len(reference.stiffness))
        displacement = reference.modes @ (noise * np.sqrt(thermal / reference.stiffness))
        supercell.set_positions(rest + displacement.reshape(-1, 3))
        rise = float(supercell.get_potential_energy()) - energy
        works[number] = rise / thermal - 0.5 * float(noise @ noise)
    difference, error = exponential_average(works)
    scale = thermal / len(supercell)
    return Perturbation(difference * scale, error * scale)


def exponential_average(works: FloatArray) -> tuple[float, float]:
    """Return −ln⟨e^−w⟩ of works in kT, and its error.

    The standard error is at least that of ⟨w⟩. With fewer than ``ENOUGH_WEIGHTS`` effective samples,
    (Σe^−w)²/Σe^−2w, the tail that carries the average may be missing. The error is then the distance to the
    second cumulant ⟨w⟩ − var(w)/2, exact for normal works, in quadrature with the cumulant's own standard
    error √(s²/n + s⁴/(2(n−1))).
    """
    weights = np.exp(-(works - works.min()))
    average = float(works.min() - np.log(weights.mean()))
    spread = max(float(weights.std(ddof=1) / weights.mean()), float(works.std(ddof=1)))
    error = spread / float(np.sqrt(len(works)))
    if weights.sum() ** 2 < ENOUGH_WEIGHTS * np.sum(weights**2):
        variance = float(works.var(ddof=1))
        distance = average - float(works.mean()) + variance / 2
        own = variance / len(works) + variance**2 / (2 * (len(works) - 1))
        error = max(error, float(np.sqrt(distance**2 + own)))
    return average, error


def _pooled(numerator: FloatArray, denominator: FloatArray, groups: IntArray) -> FloatArray:
    ratio = np.bincount(groups, numerator) / np.bincount(groups, denominator)
    return np.asarray(ratio[groups])
