"""Stretch, eigenstrain and coherency modulus against closed forms."""

import numpy as np
import pytest

from scalebridge.foundation import InputError
from scalebridge.interfaces import (
    coherency_modulus,
    eigenstrain,
    rotate_stiffness,
    solve_transformation,
    voigt_to_tensor,
)


def isotropic(young, poisson):
    lame = young * poisson / ((1 + poisson) * (1 - 2 * poisson))
    shear = young / (2 * (1 + poisson))
    c = np.zeros((6, 6))
    c[:3, :3] = lame
    c[np.arange(3), np.arange(3)] += 2 * shear
    c[np.arange(3, 6), np.arange(3, 6)] = shear
    return c


def rotation(seed):
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q * np.linalg.det(q)


def test_stretch_is_recovered_through_a_rotation():
    rng = np.random.default_rng(1)
    cell = np.eye(3) * 5 + rng.normal(size=(3, 3)) * 0.3
    u = rotation(2) @ np.diag([0.95, 1.0, 1.08]) @ rotation(2).T
    found = solve_transformation(cell, cell @ u @ rotation(3))
    np.testing.assert_allclose(found.stretch, u, atol=1e-12)
    np.testing.assert_allclose(found.rotation, rotation(3), atol=1e-12)
    np.testing.assert_allclose(found.stretches, [0.95, 1.0, 1.08], atol=1e-12)
    assert found.volume_change == pytest.approx(0.95 * 1.08 - 1, rel=1e-12)
    assert found.cofactor_residual == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(
        eigenstrain(cell, np.array([cell, cell @ u])), [0 * u, u - np.eye(3)], atol=1e-12
    )


def test_opposite_handedness_is_refused():
    with pytest.raises(InputError, match="one sign"):
        solve_transformation(np.eye(3), np.diag([1.0, 1.0, -1.0]))


def test_voigt_expansion_has_the_right_energy():
    rng = np.random.default_rng(4)
    c = rng.normal(size=(6, 6))
    c = c + c.T
    e = rng.normal(size=(3, 3))
    e = e + e.T
    voigt = np.array([e[0, 0], e[1, 1], e[2, 2], 2 * e[1, 2], 2 * e[0, 2], 2 * e[0, 1]])
    assert np.einsum("ijkl,ij,kl->", voigt_to_tensor(c), e, e) == pytest.approx(voigt @ c @ voigt)


def test_stiffness_follows_the_crystal_s_rotation():
    # A crystal turned by R (rows v become v·R) has the same energy for the strain turned with it.
    rng = np.random.default_rng(5)
    root = rng.normal(size=(6, 6))
    c, r = root @ root.T, rotation(6)
    e = rng.normal(size=(3, 3))
    e = e + e.T
    turned = r.T @ e @ r
    seen = voigt_to_tensor(rotate_stiffness(c, r))
    energy = np.einsum("ijkl,ij,kl", voigt_to_tensor(c), turned, turned)
    assert np.einsum("ijkl,ij,kl", seen, e, e) == pytest.approx(energy, rel=1e-12)


@pytest.mark.parametrize("normal", [(1, 0, 0), (1, 1, 0), (1, 2, 3)])
def test_isotropic_dilatation_has_the_planar_limit(normal):
    # ½ B (Δθ)² is the energy density E ε₀² (Δθ)²/(1−ν) of a biaxially strained layer: B = 2 E ε₀²/(1−ν).
    young, poisson, e0 = 125e9, 0.25, 0.03
    b = coherency_modulus(isotropic(young, poisson), e0 * np.eye(3), np.array(normal))
    assert b == pytest.approx(2 * young * e0**2 / (1 - poisson), rel=1e-12)


def test_phase_separation_limits_of_the_shared_table():
    # 2 E ε₀²/(1−ν) = ρkT(2Ω − 4) at Ω = 4.51, ρ = 1.38e28 m⁻³, 298.15 K: critical volume change 3 ε₀.
    for young, poisson, expected in ((125e9, 0.25, 0.088), (50e9, 0.30, 0.134), (20e9, 0.30, 0.21)):
        per_square = coherency_modulus(isotropic(young, poisson), np.eye(3), np.array([1.0, 0, 0]))
        critical = 3 * np.sqrt(1.38e28 * 1.380649e-23 * 298.15 * (2 * 4.51 - 4) / per_square)
        assert critical == pytest.approx(expected, abs=0.006)


def test_compatible_strain_costs_nothing():
    rng = np.random.default_rng(8)
    c = isotropic(100.0, 0.2) + np.diag([10.0, 0, 5, 2, 0, 3])
    n, a = rng.normal(size=3), rng.normal(size=3)
    n /= np.linalg.norm(n)
    strain = 0.5 * (np.outer(a, n) + np.outer(n, a))
    assert coherency_modulus(c, strain, n) == pytest.approx(0, abs=1e-12 * np.abs(c).max())
    assert coherency_modulus(c, strain, np.roll(n, 1)) > 1e-3


def test_modulus_equals_a_direct_minimisation_over_the_layer_s_strain():
    # Independent: the layer may take any extra strain ½(a⊗n + n⊗a); minimise ½(ε⁰−e):C:(ε⁰−e) over a.
    rng = np.random.default_rng(9)
    root = rng.normal(size=(6, 6))
    c = root @ root.T + 6 * np.eye(6)
    strain = rng.normal(size=(3, 3)) * 0.02
    strain = strain + strain.T
    n = np.array([0.6, 0.0, 0.8])
    tensor = voigt_to_tensor(c)
    basis = [0.5 * (np.outer(e, n) + np.outer(n, e)) for e in np.eye(3)]
    gram = np.array([[np.einsum("ijkl,ij,kl", tensor, a, b) for b in basis] for a in basis])
    right = np.array([np.einsum("ijkl,ij,kl", tensor, a, strain) for a in basis])
    expected = np.einsum("ijkl,ij,kl", tensor, strain, strain) - right @ np.linalg.solve(gram, right)
    assert coherency_modulus(c, strain, n) == pytest.approx(expected, rel=1e-10)
