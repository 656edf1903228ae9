"""Chemical potential of the ion in its metal: the zero of the voltage.

Host and metal are compared as classical configurational integrals with the thermal wavelength Λ = 1 Å; the
kinetic parts of both are equal and cancel. For N atoms of a harmonic crystal with displacements u,

    Q = (1/N!) · N! · ∫ Π_i d³u_i/Λ³ · exp(−β[U0 + ½ Σ u·Φ·u]) = exp(−βU0) · Π_s (2πkT/(k_s Λ²))^½ ,

where 1/N! of identical atoms meets the N! ways to put them on the lattice sites, and k_s [eV/Å²] are the
3N eigenvalues of the force-constant matrix Φ itself: the rotation to its eigenvectors has unit Jacobian and
no mass enters. Per atom, at zero pressure,

    μ = F/N = U0/N − (kT/2) · 3 · ⟨ln(2πkT/(k Λ²))⟩ ,

the mean over branches and wave vectors [Born and Huang 1954]. The three k = 0 modes of the finite crystal
have no weight in the infinite one: the mesh of wave vectors is shifted off Γ, where ln k ~ ln q² is
integrable. Anharmonicity is added by free-energy perturbation (``anharmonic``). The volume is that of lowest
energy unless strains are given; thermal expansion lowers μ by about ½ V B (ΔV/V)², 0.3 meV for sodium at
300 K.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from numpy.typing import NDArray

from scalebridge.foundation import (
    SILENT,
    ConvergenceError,
    InputError,
    Progress,
    constants,
    random_stream,
)
from scalebridge.sampling import MakeCalculator, RelaxationSettings, relax
from scalebridge.thermodynamics.anharmonic import perturb_harmonic, self_consistent_reference
from scalebridge.thermodynamics.harmonic import force_constants

FloatArray = NDArray[np.float64]

METAL_CITATIONS = ("born1954", "monkhorst1976", "zwanzig1954", "hooton1955")
"""Methods behind ``solve_metal``."""


@dataclass(frozen=True)
class MetalSettings:
    """Numerical choices.

    Attributes
    ----------
    minimum_length
        Shortest cell height of the displaced supercell [Å].
    displacement
        Of the central differences [Å].
    mesh
        Wave vectors along each reciprocal vector.
    strains
        Isotropic strains of the relaxed cell at which F(V, T) is evaluated for the quasi-harmonic volume at
        each temperature; empty: at the volume of lowest energy.
    samples
        Displaced repeated cells per temperature (and strain) for the anharmonic part; 0: harmonic.
    reference_steps
        Iterations of the self-consistent reference, with a quarter of ``samples`` each.
    seed
        Of their random stream, the same at every strain.
    relaxation
        Tolerance of the lattice relaxation.
    """

    minimum_length: float = 9.0
    displacement: float = 0.02
    mesh: int = 16
    strains: tuple[float, ...] = ()
    samples: int = 32
    reference_steps: int = 4
    seed: int = 0
    relaxation: RelaxationSettings = field(
        default_factory=lambda: RelaxationSettings(force_tolerance=1e-3, maximum_steps=1000)
    )

    def __post_init__(self) -> None:
        if self.displacement <= 0 or self.mesh < 1 or self.minimum_length <= 0:
            raise InputError(
                f"displacement {self.displacement:g} Å, mesh {self.mesh} and minimum_length "
                f"{self.minimum_length:g} Å must all be positive"
            )
        if self.samples < 0 or self.samples == 1:
            raise InputError(f"samples {self.samples} give no error estimate; use 0 (harmonic) or 2 and more")
        if 0 < len(self.strains) < 4:
            raise InputError(
                f"{len(self.strains)} strains do not fix the minimum of a cubic; give none or at least 4"
            )


@dataclass(frozen=True)
class MetalReference:
    """The relaxed metal and its chemical potential with Λ = 1 Å.

    Attributes
    ----------
    atoms
        Relaxed structure at zero temperature.
    energy
        Per atom [eV].
    temperatures
        (t,) [K].
    chemical_potential, error
        With the standard error of the anharmonic part, (t,) [eV].
    strain
        Isotropic strain against ``atoms`` at each temperature, (t,); zero unless quasi-harmonic.
    """

    atoms: Atoms
    energy: float
    temperatures: FloatArray
    chemical_potential: FloatArray
    error: FloatArray
    strain: FloatArray


def harmonic_free_energy(energy: float, mean_log_stiffness: float, temperatures: FloatArray) -> FloatArray:
    """Return F per atom (t,) [eV] of the module's formula from U0 per atom [eV] and ⟨ln k⟩."""
    thermal = constants.BOLTZMANN_EV * np.asarray(temperatures, dtype=np.float64)
    return np.asarray(energy - 1.5 * thermal * (np.log(2 * np.pi * thermal) - mean_log_stiffness))


def solve_metal(
    atoms: Atoms,
    make_calculator: MakeCalculator,
    temperatures: Sequence[float],
    *,
    settings: MetalSettings | None = None,
    progress: Progress = SILENT,
) -> MetalReference:
    """Relax the metal's lattice and return its chemical potential at each temperature.

    Parameters
    ----------
    atoms
        The metal's structure, near its minimum.
    make_calculator
        Makes the energy model, the one that labels the host.
    temperatures
        [K].

    Raises
    ------
    ConvergenceError
        If the relaxation fails, the lattice is unstable (harmonic only), or no volume minimises F within the
        strains.
    InputError
        If a temperature is not positive.
    """
    settings = settings or MetalSettings()
    kelvin = np.asarray(temperatures, dtype=np.float64)
    if kelvin.size == 0 or kelvin.min() <= 0:
        raise InputError(f"temperatures {list(temperatures)} K must be positive; give at least one")
    relaxed = relax(atoms, make_calculator, cell="all", settings=settings.relaxation, what="the metal")
    strains = np.array(sorted(settings.strains)) if settings.strains else np.zeros(1)
    curves, errors = np.empty((2, len(strains), len(kelvin)))
    with progress.task("metal", total=len(strains) * len(kelvin)) as task:
        for row, strain in enumerate(strains):
            strained = relaxed.atoms.copy()
            strained.set_cell(strained.cell * (1 + strain), scale_atoms=True)
            for column, temperature in enumerate(kelvin):
                curves[row, column], errors[row, column] = _free_energy(
                    strained, make_calculator(), temperature, settings
                )
                task.advance()
    if settings.strains:
        minima = [_minimum(strains, curve, t) for curve, t in zip(curves.T, kelvin, strict=True)]
        strain_found, potential = np.array(minima).T
    else:
        strain_found, potential = np.zeros(len(kelvin)), curves[0]
    energy = relaxed.energy / len(atoms)
    return MetalReference(relaxed.atoms, energy, kelvin, potential, errors.max(axis=0), strain_found)


def _free_energy(
    atoms: Atoms, calculator: Calculator, temperature: float, settings: MetalSettings
) -> tuple[float, float]:
    """Return F per atom at the given cell and its standard error [eV]."""
    atoms = atoms.copy()
    atoms.calc = calculator
    energy = float(atoms.get_potential_energy()) / len(atoms)
    areas = np.linalg.norm(np.cross(np.roll(atoms.cell, -1, axis=0), np.roll(atoms.cell, -2, axis=0)), axis=1)
    repeat = np.ceil(settings.minimum_length * areas / atoms.get_volume() - 1e-9).astype(int).tolist()
    kelvin = np.array([temperature])
    found = force_constants(atoms, calculator, repeat, displacement=settings.displacement)
    if settings.samples == 0:
        mean_log = found.mean_log_stiffness(settings.mesh)
        return float(harmonic_free_energy(energy, mean_log, kelvin)[0]), 0.0
    rng = random_stream(settings.seed, "thermodynamics", "metal", f"{temperature:g}")
    reference = self_consistent_reference(
        atoms,
        calculator,
        found,
        temperature,
        repeat=repeat,
        steps=settings.reference_steps,
        samples=-(-settings.samples // 4),
        rng=rng,
    )
    beyond = perturb_harmonic(atoms, calculator, reference, temperature, samples=settings.samples, rng=rng)
    mean_log = reference.force_constants.mean_log_stiffness(settings.mesh, floor=reference.floor)
    return float(harmonic_free_energy(energy, mean_log, kelvin)[0]) + beyond.correction, beyond.error


def _minimum(strains: FloatArray, energies: FloatArray, kelvin: float) -> tuple[float, float]:
    """Return the strain of lowest F and F there, from a cubic through the points."""
    polynomial = np.polynomial.Polynomial.fit(strains, energies, 3)
    stationary = np.asarray(polynomial.deriv().roots())
    real = stationary[np.abs(stationary.imag) < 1e-12].real
    inside = [float(s) for s in real if strains[0] < s < strains[-1] and float(polynomial.deriv(2)(s)) > 0]
    if not inside:
        raise ConvergenceError(
            f"at {kelvin:g} K the metal's free energy has no minimum at strains {strains[0]:g} … "
            f"{strains[-1]:g}; widen the strains"
        )
    best = min(inside, key=lambda s: float(polynomial(s)))
    return best, float(polynomial(best))
