import numpy as np
import pytest

from scalebridge.foundation import InputError
from scalebridge.potential._basis import generate_basis

# MLIP's templates: level -> scalar functions, basic moments, products, radial functions
SIZES = {
    2: (1, 1, 0, 1),
    4: (2, 1, 1, 1),
    6: (5, 5, 5, 2),
    8: (9, 11, 14, 2),
    10: (16, 25, 42, 3),
    12: (29, 46, 117, 3),
    14: (52, 81, 348, 4),
    16: (92, 130, 969, 4),
    18: (163, 201, 2634, 5),
    20: (288, 295, 6349, 5),
    22: (500, 421, 15431, 6),
    24: (864, 581, 36170, 6),
}


@pytest.mark.parametrize("level", SIZES)
def test_sizes_are_those_of_mlip(level):
    basis = generate_basis(level)
    assert (len(basis.scalars), len(basis.basic), len(basis.products), basis.n_radial) == SIZES[level]


@pytest.mark.parametrize("level", [4, 8, 14, 20])
def test_products_use_only_what_is_complete(level):
    basis = generate_basis(level)
    targets = basis.products[:, 3]
    assert (np.diff(targets) >= 0).all()
    assert (basis.products[:, :2] < targets[:, None]).all()
    assert set(targets.tolist()) == set(range(len(basis.basic), basis.n_moments))
    assert len(set(basis.scalars.tolist())) == len(basis.scalars)


def _moments_of_points(basis, units, weights):
    """All moments of a neighbourhood with f_mu(j) = weights[mu, j]."""
    out = np.zeros(basis.n_moments)
    for row, (mu, *powers) in enumerate(basis.basic.tolist()):
        out[row] = weights[mu] @ np.prod(units ** np.array(powers), axis=1)
    for left, right, mult, target in basis.products.tolist():
        out[target] += mult * out[left] * out[right]
    return out


@pytest.mark.parametrize(("level", "rank"), [(8, 9), (12, 29), (16, 91)])
def test_scalar_functions_are_rotation_invariant_and_independent(level, rank):
    """One dependence at level 16: Cayley-Hamilton gives tr M⁴ of a 3 × 3 matrix by lower traces."""
    random = np.random.default_rng(1)
    basis = generate_basis(level)
    samples = []
    for _ in range(3 * len(basis.scalars)):
        n = int(random.integers(3, 7))
        units = random.standard_normal((n, 3))
        units /= np.linalg.norm(units, axis=1)[:, None]
        weights = random.uniform(0.2, 1.0, (basis.n_radial, n))
        rotation = np.linalg.qr(random.standard_normal((3, 3)))[0]
        values = _moments_of_points(basis, units, weights)[basis.scalars]
        rotated = _moments_of_points(basis, units @ rotation.T, weights)[basis.scalars]
        np.testing.assert_allclose(rotated, values, rtol=1e-10, atol=1e-12)
        samples.append(values)
    matrix = np.array(samples)
    matrix /= np.linalg.norm(matrix, axis=0)
    assert np.linalg.matrix_rank(matrix, tol=1e-11) == rank


def test_explicit_contractions_of_level_12():
    """Scalar functions in MLIP's order, written out by hand with numpy tensors."""
    random = np.random.default_rng(2)
    units = random.standard_normal((5, 3))
    units /= np.linalg.norm(units, axis=1)[:, None]
    f = random.uniform(0.2, 1.0, (3, 5))
    basis = generate_basis(12)
    values = _moments_of_points(basis, units, f)[basis.scalars]
    a0, b0, c0 = (f[mu].sum() for mu in range(3))
    a1, b1 = (f[mu] @ units for mu in range(2))
    a2, b2 = (np.einsum("n,ni,nj->ij", f[mu], units, units) for mu in range(2))
    a3 = np.einsum("n,ni,nj,nk->ijk", f[0], units, units, units)
    a4 = np.einsum("n,ni,nj,nk,nl->ijkl", f[0], units, units, units, units)
    pairs = [a0 * a0, a1 @ a1, np.sum(a2 * a2), np.sum(a3 * a3), np.sum(a4 * a4), a0 * b0, a1 @ b1]
    pairs += [np.sum(a2 * b2), a0 * c0, b0 * b0]
    triples = [a0**3, a0 * (a1 @ a1), a0 * np.sum(a2 * a2), a0 * np.sum(a3 * a3), a1 @ a2 @ a1]
    triples += [
        np.einsum("i,jk,ijk", a1, a2, a3),
        np.trace(a2 @ a2 @ a2),
        a0 * a0 * b0,
        a0 * (a1 @ b1),
        b0 * (a1 @ a1),
    ]
    fours = [
        a0**4,
        a0**2 * (a1 @ a1),
        a0**2 * np.sum(a2 * a2),
        a0 * (a1 @ a2 @ a1),
        (a1 @ a1) ** 2,
        a0**3 * b0,
    ]
    np.testing.assert_allclose(values, [a0, b0, c0, *pairs, *triples, *fours], rtol=1e-12)


@pytest.mark.parametrize("level", [3, 0, 30])
def test_a_level_that_does_not_exist_is_refused(level):
    with pytest.raises(InputError, match=f"level {level} is not an even number"):
        generate_basis(level)


@pytest.mark.parametrize("level", range(2, 22, 2))
def test_a_basis_tells_its_level(level):
    assert generate_basis(level).level == level
