"""The coexisting pair, and partly filled phases against a lattice gas counted by hand."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.neighborlist import neighbor_list
from interfaces_models import DEPTH, FRAME, ION, LATTICE, lennard_jones, phase, sigma_of

from scalebridge.contracts import Host, Isotherm, Plateau, Provenance, Structure
from scalebridge.foundation import InputError
from scalebridge.interfaces import (
    PhasePair,
    PhaseTask,
    SlabSettings,
    candidate_arrangements,
    choose_pair,
    relax_phase,
    run_phase,
    solve_slabs,
)
from scalebridge.sampling import HostCell, RelaxationSettings

PROVENANCE = Provenance(code_version="test", recipe_hash="0")
ACROSS, WITHIN = 0.05, 0.02
PLANE = (0, 1, 1, 0)
"""Which of the two planes (002) each site of the cell lies in."""


class LatticeGas(Calculator):
    """A Lennard-Jones framework; ions on neighbouring sites gain a constant, more across planes (002)."""

    implemented_properties = ("energy", "forces", "stress")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        ions = np.array(self.atoms.get_chemical_symbols()) == ION
        frame = self.atoms[~ions]
        frame.calc = lennard_jones(sigma_of(LATTICE), DEPTH[FRAME])
        forces = np.zeros((len(ions), 3))
        forces[~ions] = frame.get_forces()
        _, vectors = neighbor_list("iD", self.atoms[ions], 1.1 * LATTICE / np.sqrt(2))
        across = np.abs(vectors[:, 2]) > LATTICE / 4
        energy = -0.5 * (ACROSS * across.sum() + WITHIN * (~across).sum())
        self.results.update(
            energy=frame.get_potential_energy() + energy, forces=forces, stress=frame.get_stress()
        )


@pytest.mark.parametrize("occupied", [(), (0,), (1,), (0, 3), (0, 1), (2, 3), (0, 1, 2)])
def test_interface_of_a_partly_filled_phase_is_counted_bond_by_bond(occupied):
    """Each site has 4 neighbours in the next plane of two sites per cell: 2 n n' bonds between planes.

    With fillings (n1, n2) against (2, 2) a slab lacks 2 n1 n2 + 8 bonds of both phases and has 4 (n1 + n2)
    across its two interfaces: 2 γ a² = 2 J (2 − n1)(2 − n2).
    """
    filling = [sum(PLANE[site] == plane for site in occupied) for plane in (0, 1)]
    cell = HostCell.from_phase(phase(), ION)
    low, high = (relax_phase(cell, LatticeGas, occupied=sites) for sites in (occupied, range(4)))
    slabs = solve_slabs(low, high, LatticeGas, settings=SlabSettings(counts=(1, 2, 3)))
    gamma = ACROSS * (2 - filling[0]) * (2 - filling[1]) / LATTICE**2
    assert slabs.interface_energy == pytest.approx(gamma, abs=1e-6)
    assert slabs.slope == pytest.approx(0, abs=1e-6)
    # κ of the mean field, ½ ρ_s J Σ (r·n)² = 4 J/a, follows at every Δθ where the planes are equally filled.
    if filling[0] == filling[1]:
        assert slabs.gradient_energy == pytest.approx(4 * ACROSS / LATTICE, rel=1e-3)


def _task(**more):
    settings = {"arrangements": 6, "displacement": 0.0} | more
    return PhaseTask(0, LatticeGas, "low", phase(), ION, 2, **settings)


def test_lowest_of_all_arrangements_is_used():
    result = run_phase(_task())
    assert len(result.energies) == 6
    # Two ions in different planes share 4 bonds across, in one plane 4 within it.
    gain = np.sort(result.energies - result.energies.min()) / (4 * (ACROSS - WITHIN))
    np.testing.assert_allclose(gain, [0, 0, 0, 0, 1, 1], atol=1e-6)
    assert sorted(PLANE[site] for site in result.phase.occupied) == [0, 1]


def test_start_off_the_ideal_places_comes_back_where_they_are_a_minimum():
    tight = RelaxationSettings(force_tolerance=1e-4, maximum_steps=2000)
    ideal = run_phase(_task(relaxation=tight))
    shaken = run_phase(_task(displacement=0.03, relaxation=tight))
    np.testing.assert_allclose(np.sort(shaken.energies), np.sort(ideal.energies), atol=1e-5)


def test_arrangements_are_different_reproducible_and_complete_where_few():
    assert candidate_arrangements(4, 0, 6, 1) == [()]
    assert candidate_arrangements(4, 4, 6, 1) == [(0, 1, 2, 3)]
    assert len(candidate_arrangements(4, 2, 9, 1)) == 6
    many = candidate_arrangements(16, 8, 9, 1)
    assert len(set(many)) == 9 and many == candidate_arrangements(16, 8, 9, 1)
    assert many != candidate_arrangements(16, 8, 9, 2)


def _host():
    phases = [
        phase().model_copy(update={"name": name, "composition": x}) for name, x in (("a", 0.0), ("b", 1.0))
    ]
    metal = Structure.from_atoms(bulk(ION, "bcc", a=LATTICE))
    return Host(
        provenance=PROVENANCE,
        name="model",
        formula=FRAME,
        ion=ION,
        sites_per_formula_unit=1,
        phases=tuple(phases),
        metal=metal,
        metal_source="model",
        formula_mass=0.04,
        mass_composition=0.0,
    )


def _isotherm(*plateaus):
    grid = np.array([0.1, 0.9])
    return Isotherm(
        provenance=PROVENANCE,
        temperature=np.array([300.0, 400.0]),
        x=grid,
        chemical_potential=np.zeros((3, 2, 2)),
        metal_chemical_potential=np.zeros((3, 2)),
        voltage=np.zeros((3, 2, 2)),
        plateaus=tuple(
            Plateau(member=member, temperature=temperature, x_low=low, x_high=high, voltage=3.0)
            for member, temperature, low, high in plateaus
        ),
        spinodals=(),
    )


def test_pair_lies_at_the_ends_of_the_first_member_s_widest_plateau():
    isotherm = _isotherm(
        (2, 300.0, 0.0, 1.0), (1, 300.0, 0.02, 0.2), (1, 300.0, 0.6, 0.97), (0, 400.0, 0.0, 0.9)
    )
    pair = choose_pair(_host(), isotherm, 305.0)
    assert (pair.low_ions, pair.high_ions) == (2, 4)
    assert (pair.low.name, pair.high.name) == ("a", "b")
    assert (pair.x_low, pair.theta_low, pair.theta_high) == (0.5, 0.5, 1.0)
    assert "member 1's plateau at 300 K" in pair.reason
    narrow = choose_pair(_host(), _isotherm((0, 300.0, 0.55, 0.6)), 300.0)
    assert (narrow.low_ions, narrow.high_ions) == (2, 3)


def test_without_a_plateau_the_pair_is_the_empty_and_the_full_host():
    pair = choose_pair(_host(), _isotherm((0, 400.0, 0.2, 0.8)), 300.0)
    assert (pair.theta_low, pair.theta_high) == (0.0, 1.0)
    assert "no plateau at 300 K" in pair.reason


def test_a_pair_without_a_step_is_refused():
    for ions in ((2, 2), (3, 1), (0, 5)):
        with pytest.raises(InputError, match="must hold more"):
            PhasePair(phase(), phase(), *ions)
