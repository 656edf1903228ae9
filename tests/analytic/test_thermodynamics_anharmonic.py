"""Free-energy perturbation of harmonic crystals, against integrals and exactly harmonic lattices."""

from functools import partial
from typing import Any, ClassVar

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from scipy.integrate import quad

from scalebridge.foundation import InputError, constants, random_stream
from scalebridge.thermodynamics import (
    MetalSettings,
    Reference,
    exponential_average,
    force_constants,
    from_repeated,
    harmonic_free_energy,
    perturb_harmonic,
    self_consistent_reference,
    solve_metal,
)

KELVIN = 300.0
THERMAL = constants.BOLTZMANN_EV * KELVIN


class Dimer(Calculator):
    """Two atoms whose relative displacement d costs Σ_α (k d_α²/2 + b d_α⁴): three equal integrals."""

    implemented_properties: ClassVar[list[str]] = ["energy", "forces"]

    def __init__(self, stiffness: float, quartic: float, rest: np.ndarray) -> None:
        super().__init__()
        self.stiffness, self.quartic, self.rest = stiffness, quartic, rest

    def calculate(
        self, atoms: Atoms | None = None, properties: Any = None, system_changes: Any = all_changes
    ) -> None:
        super().calculate(atoms, properties, system_changes)
        assert atoms is not None
        d = atoms.positions[0] - atoms.positions[1] - self.rest
        energy = float(np.sum(self.stiffness * d**2 / 2 + self.quartic * d**4))
        force = -(self.stiffness * d + 4 * self.quartic * d**3)
        self.results = {"energy": energy, "forces": np.array([force, -force])}

    def integral(self) -> float:
        """Return ∫ exp(−βU) over one component of d [Å]."""

        def weight(d: float) -> float:
            return float(np.exp(-(self.stiffness * d * d / 2 + self.quartic * d**4) / THERMAL))

        return float(quad(weight, -4, 4, epsabs=1e-12, limit=200)[0])


def dimer(stiffness: float, quartic: float) -> tuple[Atoms, Dimer]:
    atoms = Atoms("Na2", positions=[[0, 0, 0], [2, 2, 2]], cell=[6.0] * 3, pbc=True)
    return atoms, Dimer(stiffness, quartic, atoms.positions[0] - atoms.positions[1])


def consistent(atoms: Atoms, calculator: Calculator, **settings: Any) -> Reference:
    start = force_constants(atoms, calculator, (1, 1, 1))
    return self_consistent_reference(
        atoms, calculator, start, KELVIN, repeat=(1, 1, 1), **{"steps": 8, "samples": 400, **settings}
    )


@pytest.mark.parametrize(("stiffness", "quartic"), [(1.0, 0.3), (0.0, 0.5), (-0.2, 0.4)])
def test_anharmonic_wells_equal_their_integral(stiffness: float, quartic: float) -> None:
    """Stable, flat and double wells; bound 5 standard errors, failing with probability 6e-7; seeds fixed."""
    atoms, calculator = dimer(stiffness, quartic)
    rng = random_stream(1, "wells", f"{stiffness}")
    reference = consistent(atoms, calculator, rng=rng)
    found = perturb_harmonic(atoms, calculator, reference, KELVIN, samples=2500, rng=rng)
    # mode a = d/√2, so stiffness in d is half that of the mode
    harmonic = np.sum(-0.5 * np.log(2 * np.pi * THERMAL / (reference.stiffness / 2)))
    exact = -3 * np.log(calculator.integral())
    assert found.correction * 2 / THERMAL + harmonic == pytest.approx(exact, abs=10 * found.error / THERMAL)
    assert found.error * 2 / THERMAL < 0.04


@pytest.mark.parametrize(("stiffness", "quartic"), [(1.0, 0.3), (-0.2, 0.4)])
def test_self_consistent_stiffness_solves_its_equation(stiffness: float, quartic: float) -> None:
    """K = k + 12 b kT/K in d, from 400 samples of 3 equal modes: 3 % standard error; seeds fixed."""
    atoms, calculator = dimer(stiffness, quartic)
    reference = consistent(atoms, calculator, rng=random_stream(2, "equation", f"{stiffness}"))
    exact = (stiffness + np.sqrt(stiffness**2 + 48 * quartic * THERMAL)) / 2
    assert reference.stiffness / 2 == pytest.approx(np.full(3, exact), rel=0.12)
    assert np.ptp(reference.stiffness) < 1e-9


def test_bound_is_lowest_at_the_self_consistent_stiffness() -> None:
    """Gibbs–Bogoliubov by quadrature: ⟨U − U_h⟩ + F_h of the quartic well, minimal at K = k + 12 b kT/K."""
    stiffness, quartic = -0.2, 0.4
    exact = (stiffness + np.sqrt(stiffness**2 + 48 * quartic * THERMAL)) / 2

    def bound(trial: float) -> float:
        variance = THERMAL / trial
        rise = stiffness * variance / 2 + 3 * quartic * variance**2 - THERMAL / 2
        return rise - 0.5 * THERMAL * np.log(2 * np.pi * THERMAL / trial)

    assert bound(exact) < min(bound(0.97 * exact), bound(1.03 * exact))


def test_harmonic_crystal_needs_no_correction_and_a_wrong_one_is_corrected() -> None:
    """EMT copper at 1 K is harmonic; stiffness taken 1.3 times too large is corrected for 3N − 3 modes.

    Bound 5 standard errors (probability 6e-7); seeds fixed.
    """
    crystal = bulk("Cu", "fcc", a=3.59)
    kelvin, repeat = 1.0, (3, 3, 3)
    thermal = constants.BOLTZMANN_EV * kelvin
    start = force_constants(crystal, EMT(), repeat, displacement=0.005)
    rng = random_stream(3, "copper")
    right = self_consistent_reference(
        crystal, EMT(), start, kelvin, repeat=repeat, steps=2, samples=4, rng=rng
    )
    none = perturb_harmonic(crystal, EMT(), right, kelvin, samples=16, rng=rng)
    assert abs(none.correction) < 0.005 * thermal
    exact = np.sort(np.linalg.eigvalsh(start.repeated(repeat)))[3:]
    assert np.sort(right.stiffness) == pytest.approx(exact, rel=5e-3)
    wrong = Reference(right.repeat, right.modes, 1.3 * right.stiffness, right.force_constants, right.floor)
    some = perturb_harmonic(crystal, EMT(), wrong, kelvin, samples=800, rng=rng)
    expected = -(3 * 27 - 3) / 27 * 0.5 * thermal * np.log(1.3)
    assert some.correction == pytest.approx(expected, abs=5 * some.error)
    assert some.error < 0.1 * abs(expected)


def test_repeated_matrix_and_back() -> None:
    crystal = bulk("Cu", "hcp", a=2.55, c=4.2)
    found = force_constants(crystal, EMT(), (3, 2, 2))
    again = from_repeated(crystal, found.repeated((3, 2, 2)), (3, 2, 2))
    assert np.array_equal(found.translations, again.translations)
    assert found.matrices == pytest.approx(again.matrices, abs=1e-3)
    # the repeated matrix has the eigenvalues of all wave vectors of the repeated cell
    points = np.array(np.meshgrid(*[np.arange(n) / n for n in (3, 2, 2)], indexing="ij")).reshape(3, -1).T
    expected = np.sort(again.eigenvalues(points).ravel())
    assert np.linalg.eigvalsh(again.repeated((3, 2, 2))) == pytest.approx(expected, abs=1e-9)


def test_anharmonic_part_of_a_metal_vanishes_as_the_temperature_squared() -> None:
    """Classical perturbation theory: F − F_harmonic ∝ T² at fixed volume.

    The ratio of 400 K to 200 K is 4 less about 10 % by the next order; 5 standard errors are 0.7. Seeds are
    fixed.
    """
    crystal, kelvin = bulk("Cu", "fcc", a=3.6), [200.0, 400.0]
    sizes = {"minimum_length": 4.0, "mesh": 10}
    plain = solve_metal(crystal, EMT, kelvin, settings=MetalSettings(samples=0, displacement=0.01, **sizes))
    whole = solve_metal(crystal, EMT, kelvin, settings=MetalSettings(samples=400, **sizes))
    part = whole.chemical_potential - plain.chemical_potential
    spread = 5 * np.hypot(whole.error[1] / part[0], part[1] * whole.error[0] / part[0] ** 2)
    assert np.all(plain.error == 0)
    assert part[1] / part[0] == pytest.approx(4, abs=spread + 0.4)
    assert spread < 1


def test_supercells_agree_within_their_errors() -> None:
    """Same crystal in 27 and 64 atoms, bound 5 standard errors and 0.3 meV of finite size; seeds fixed."""
    crystal = bulk("Cu", "fcc", a=3.6)
    small = solve_metal(crystal, EMT, [KELVIN], settings=MetalSettings(minimum_length=6.0, samples=128))
    large = solve_metal(crystal, EMT, [KELVIN], settings=MetalSettings(minimum_length=8.0, samples=128))
    bound = 5 * np.hypot(small.error[0], large.error[0]) + 3e-4
    assert small.chemical_potential[0] == pytest.approx(large.chemical_potential[0], abs=bound)
    assert bound < 2e-3


def test_same_seed_same_number() -> None:
    settings = MetalSettings(minimum_length=5.0, mesh=6, samples=4, seed=7)
    crystal = bulk("Cu", "fcc", a=3.6)
    first, second = (solve_metal(crystal, partial(EMT), [KELVIN], settings=settings) for _ in range(2))
    assert first.chemical_potential == second.chemical_potential
    assert first.energy == pytest.approx(
        float(harmonic_free_energy(first.energy, 0.0, np.array([1e-9]))[0]), abs=1e-9
    )


@pytest.mark.parametrize("spread", [0.3, 1.5, 4.0])
def test_errors_cover_the_truth_for_few_samples(spread: float) -> None:
    """Normal works of mean s²/2 have −ln⟨e^−w⟩ = 0 exactly.

    Of 200 draws of 32 works at least 90 % lie within two stated errors (95 % would if errors were normal and
    exact); errors stay useful: below 0.75 s² + 0.1. Seeds are fixed.
    """
    rng = random_stream(4, "cover", f"{spread}")
    found = np.array([exponential_average(rng.normal(spread**2 / 2, spread, 32)) for _ in range(200)])
    assert np.mean(np.abs(found[:, 0]) < 2 * found[:, 1]) > 0.9
    assert np.median(found[:, 1]) < 1.5 * spread**2 / 2 + 0.1


def test_no_samples_are_refused() -> None:
    atoms, calculator = dimer(1.0, 0.0)
    with pytest.raises(InputError, match="at least one of each"):
        consistent(atoms, calculator, rng=random_stream(0), steps=0)
