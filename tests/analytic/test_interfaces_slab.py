"""Stiffness, slabs and the contract, against Lennard-Jones crystals computed in other ways."""

from functools import partial

import numpy as np
import pytest
from ase.build import bulk
from ase.optimize import BFGS
from interfaces_models import DEPTH, ION, LATTICE, CagedIons, TwoCrystals, lennard_jones, phase, sigma_of

from scalebridge.foundation import ConvergenceError, InputError
from scalebridge.interfaces import (
    SlabSettings,
    coherency_modulus,
    gradient_energy,
    relax_phase,
    solve_slabs,
    solve_stiffness,
    solve_transformation,
)
from scalebridge.sampling import HostCell, RelaxationSettings

TIGHT = RelaxationSettings(force_tolerance=1e-4, maximum_steps=2000)


@pytest.fixture(scope="module")
def cell():
    return HostCell.from_phase(phase(), ION)


def test_stiffness_of_a_pair_crystal_obeys_cauchy_and_the_bulk_modulus():
    sigma, depth = sigma_of(LATTICE), 0.4
    crystal = bulk("Ar", "fcc", a=LATTICE)
    c = solve_stiffness(crystal, lambda: lennard_jones(sigma, depth), step=1e-3, settings=TIGHT)
    np.testing.assert_allclose(c[0, 1], c[3, 3], rtol=2e-3)  # Cauchy: central forces, zero pressure
    cubic = np.zeros((6, 6))
    cubic[:3, :3] = c[0, 1]
    cubic[np.arange(6), np.arange(6)] = [c[0, 0]] * 3 + [c[3, 3]] * 3
    np.testing.assert_allclose(c, cubic, atol=1e-4 * c[0, 0])
    # Bulk modulus from energies alone.
    volumes, energies = [], []
    for scale in np.linspace(0.994, 1.006, 9):
        strained = bulk("Ar", "fcc", a=LATTICE * scale)
        strained.calc = lennard_jones(sigma, depth)
        volumes.append(strained.get_volume())
        energies.append(strained.get_potential_energy())
    fit = np.polynomial.Polynomial.fit(volumes, energies, 4)
    volume = LATTICE**3 / 4
    assert (c[0, 0] + 2 * c[0, 1]) / 3 == pytest.approx(volume * fit.deriv(2)(volume), rel=1e-3)


def test_an_unstable_crystal_is_refused():
    stretched = bulk("Ar", "fcc", a=LATTICE * 1.25)
    with pytest.raises(ConvergenceError, match="stable crystal"):
        solve_stiffness(stretched, lambda: lennard_jones(sigma_of(LATTICE), 0.4))


def _surface_energy(layers):
    """Relaxed (100) surface of the ion crystal alone, in vacuum [eV/Å²]."""
    crystal = bulk(ION, "fcc", a=LATTICE, cubic=True)
    crystal.calc = lennard_jones(sigma_of(LATTICE), DEPTH[ION])
    per_cell = crystal.get_potential_energy()
    slab = crystal.repeat((1, 1, layers))
    slab.calc = crystal.calc
    slab.center(vacuum=8.0, axis=2)
    BFGS(slab, logfile=None).run(fmax=1e-4, steps=500)
    return (slab.get_potential_energy() - layers * per_cell) / (2 * LATTICE**2)


def test_matched_slab_gives_the_surface_energy_of_the_ion_crystal(cell):
    settings = SlabSettings(counts=(2, 3), relaxation=TIGHT)
    empty = relax_phase(cell, TwoCrystals, occupied=[], settings=TIGHT)
    full = relax_phase(cell, TwoCrystals, occupied=range(4), settings=TIGHT)
    np.testing.assert_allclose(full.cell, np.eye(3) * LATTICE, atol=2e-4)
    slabs = solve_slabs(empty, full, TwoCrystals, settings=settings)
    expected = _surface_energy(3)
    assert slabs.interface_energy == pytest.approx(expected, rel=5e-3)
    assert abs(slabs.slope) < 1e-2 * expected
    np.testing.assert_allclose(slabs.normal, [0, 0, 1], atol=1e-9)
    assert slabs.spacing == pytest.approx(LATTICE / 2, rel=1e-4)
    assert slabs.gradient_energy == pytest.approx(gradient_energy(slabs.interface_energy, slabs.spacing))
    assert slabs.gradient_energy == pytest.approx(LATTICE * expected, rel=5e-3)


def test_mismatched_slab_costs_the_coherency_energy_of_khachaturyan(cell):
    make_calculator = partial(CagedIons, 0.05)
    empty = relax_phase(cell, make_calculator, occupied=[], settings=TIGHT)
    full = relax_phase(cell, make_calculator, occupied=range(4), settings=TIGHT)
    change = solve_transformation(empty.cell, full.cell)
    assert 0.005 < change.stretches[0] - 1 < 0.03
    slabs = solve_slabs(empty, full, make_calculator, settings=SlabSettings(counts=(2, 4), relaxation=TIGHT))
    stiffness = 0.5 * sum(
        solve_stiffness(phase.atoms(), make_calculator, settings=TIGHT) for phase in (empty, full)
    )
    modulus = coherency_modulus(stiffness, change.stretch - np.eye(3), slabs.normal)
    # Half of each phase: ½ B ⟨(θ − ½)²⟩ = B/8.
    assert slabs.coherency_energy_density == pytest.approx(modulus / 8, rel=0.1)


def test_slab_counts_must_differ(cell):
    empty = relax_phase(cell, TwoCrystals, occupied=[])
    with pytest.raises(InputError, match="two different"):
        solve_slabs(empty, empty, TwoCrystals, settings=SlabSettings(counts=(2, 2)))
