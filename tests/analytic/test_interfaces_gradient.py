"""Gradient energy against the nearest-neighbour lattice gas and the regular solution's closed table."""

from types import SimpleNamespace

import numpy as np
import pytest

from scalebridge.contracts import FreeEnergyBranch, HomogeneousFreeEnergy, Plateau, Provenance
from scalebridge.foundation import InputError, constants
from scalebridge.interfaces import (
    gradient_energy,
    interface_energy_from_gradient,
    interface_width,
    state_diffuse_interfaces,
)

T, RHO, KAPPA = 298.15, 1.38e28, 5e-10


def regular_solution(omega):
    kt = constants.BOLTZMANN * T
    shape = np.zeros((1, 1))
    branch = FreeEnergyBranch(
        name="regular",
        temperature=np.array([T]),
        offset=shape,
        slope=shape,
        interaction=np.full((1, 1, 1), omega * kt),
        sampled_theta=np.array([0.5]),
        sampled_energy=np.zeros((1, 1, 1)),
        sampled_error=np.zeros((1, 1, 1)),
        fit_residual=shape,
    )
    return HomogeneousFreeEnergy(
        provenance=Provenance(code_version="test", recipe_hash="0"),
        sites_per_formula_unit=1,
        branches=(branch,),
    )


@pytest.mark.parametrize(
    ("omega", "low", "energy", "width"),
    [
        (2.5, 0.144794, 0.130258, 2.653),
        (3.0, 0.070720, 0.288272, 1.789),
        (4.0, 0.021248, 0.558547, 1.185),
        (4.5, 0.012252, 0.670908, 1.036),
        (5.0, 0.007188, 0.771618, 0.928),
    ],
)
def test_regular_solution_interface(omega, low, energy, width):
    g = regular_solution(omega)
    density = RHO * constants.BOLTZMANN * T
    binodal = (low, 1 - low)
    gamma = interface_energy_from_gradient(g, KAPPA, RHO, T, binodal=binodal)
    assert gamma / np.sqrt(KAPPA * density) == pytest.approx(energy, rel=1e-5)
    found = interface_width(g, KAPPA, RHO, T, binodal=binodal)
    assert found / np.sqrt(KAPPA / density) == pytest.approx(width, abs=6e-4)


def test_the_diffuse_interface_is_stated_beside_the_sharp_one():
    """Regular solution, Ω = 4: γ and width of the closed table in units of √(κρkT) and √(κ/ρkT)."""
    density = RHO * constants.BOLTZMANN * T
    energies = SimpleNamespace(
        normals=np.eye(3)[:1],
        gradient_energy=np.array([[KAPPA], [0.0], [KAPPA]]),
        interface_energy=np.array([[0.1], [0.2], [0.3]]),
    )
    plateaus = [
        Plateau(member=member, temperature=T, x_low=0.021248, x_high=1 - 0.021248, voltage=3.4)
        for member in (0, 1)
    ]
    structures = SimpleNamespace(temperature=T, volume=np.full((3, 2), 1 / RHO))
    free_energy = regular_solution(4.0)
    (text,) = state_diffuse_interfaces(energies, free_energy, SimpleNamespace(plateaus=plateaus), structures)
    gamma, width = 0.558547 * np.sqrt(KAPPA * density), 1.185 * np.sqrt(KAPPA / density)
    assert f"γ = {1e3 * gamma:.3g} mJ/m² and is {1e9 * width:.3g} nm wide" in text
    assert text.startswith("normal [1 0 0]: ") and text.endswith("slabs has 100 mJ/m²")
    nothing = SimpleNamespace(plateaus=[])
    assert state_diffuse_interfaces(energies, free_energy, nothing, structures) == []


def test_compositions_that_do_not_coexist_are_refused():
    with pytest.raises(InputError, match="above the tangent"):
        interface_energy_from_gradient(regular_solution(1.0), KAPPA, RHO, T, binodal=(0.1, 0.9))


LATTICES = {
    "simple cubic 100": (np.eye(3), np.array([0, 0, 1.0]), 1.0, 6),
    "simple cubic 110": (np.eye(3), np.array([0, 1.0, 1.0]), 1.0, 6),
    "face-centred 111": (0.5 * (np.ones((3, 3)) - np.eye(3)), np.array([1.0, 1, 1]), np.sqrt(0.5), 12),
    "body-centred 110": (np.ones((3, 3)) / 2 - np.eye(3), np.array([1.0, 1, 0]), np.sqrt(0.75), 8),
}


@pytest.mark.parametrize("name", LATTICES)
def test_sharp_lattice_gas_gives_the_exact_gradient_energy(name):
    """E = −½ Σ J θ_p θ_q: κ_nn = ½ ρ_s J Σ_bonds (r·n)², exact for slow profiles.

    γ of the sharp interface is counted bond by bond, independently of plane spacings.
    """
    cell, normal, bond, neighbours = LATTICES[name]
    coupling = 0.07
    n = normal / np.linalg.norm(normal)
    grid = np.stack(np.meshgrid(*([np.arange(-2, 3)] * 3), indexing="ij"), axis=-1).reshape(-1, 3)
    vectors = grid @ cell
    vectors = vectors[np.abs(np.linalg.norm(vectors, axis=1) - bond) < 1e-9]
    assert len(vectors) == neighbours
    density = 1 / abs(np.linalg.det(cell))
    # Bonds cut per area: ρ_s Σ_{r·n>0} r·n; each costs J/2 against the homogeneous phases.
    gamma = 0.5 * coupling * density * np.maximum(vectors @ n, 0).sum()
    heights = np.unique(np.round(np.abs(grid @ cell @ n), 9))
    spacing = heights[heights > 1e-6].min()
    exact = 0.5 * density * coupling * ((vectors @ n) ** 2).sum()
    assert gradient_energy(gamma, spacing) == pytest.approx(exact, rel=1e-8)


def test_an_unstable_interface_has_no_gradient_energy():
    assert gradient_energy(-0.01, 2.0) == 0.0
    assert gradient_energy(0.02, 2.0, 0.5) == pytest.approx(2 * 0.02 * 2.0 / 0.25)
    with pytest.raises(InputError, match="spacing"):
        gradient_energy(0.1, 0.0)
