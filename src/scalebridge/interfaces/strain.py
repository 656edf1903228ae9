"""Eigenstrain, stretch and compatibility of two lattices; coherency energy of an interface."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import polar

from scalebridge.foundation import InputError

FloatArray = NDArray[np.float64]

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
"""Order xx yy zz yz xz xy."""


@dataclass(frozen=True)
class Transformation:
    """The stretch from one lattice to another.

    Attributes
    ----------
    stretch
        U (3, 3), symmetric, without rotation.
    rotation
        R (3, 3): rows of the transformed cell are those of reference · U · R.
    stretches
        λ_i, its eigenvalues, ascending.
    volume_change
        ΔV/V = det U − 1.
    cofactor_residual
        |λ_2 − 1|; zero if an undistorted plane can exist.
    """

    stretch: FloatArray
    rotation: FloatArray
    stretches: FloatArray
    volume_change: float
    cofactor_residual: float


def solve_transformation(reference: FloatArray, transformed: FloatArray) -> Transformation:
    """Return the stretch that takes ``reference`` cell vectors into ``transformed`` ones.

    With vectors as rows, b_i = a_i F, so F = A⁻¹ B = U R: the right polar decomposition acts on rows
    first by the symmetric stretch U, then by a rotation R.

    Source: J. M. Ball and R. D. James, Arch. Rational Mech. Anal. 100, 13 (1987): two variants can meet in
    an undistorted plane only if λ_2 = 1; det U = 1 keeps the volume.

    Parameters
    ----------
    reference, transformed
        (3, 3) corresponding cell vectors as rows, any unit.

    Raises
    ------
    InputError
        If a cell has no volume or the two have opposite handedness.
    """
    volumes = np.linalg.det(reference), np.linalg.det(transformed)
    if volumes[0] * volumes[1] <= 0:
        raise InputError(
            f"cell volumes {volumes[0]:.3g} and {volumes[1]:.3g} must be nonzero and of one sign; "
            "give corresponding vectors in the same order"
        )
    gradient = np.linalg.solve(reference, transformed)
    rotation, stretch = polar(gradient, side="left")
    values = np.linalg.eigvalsh(stretch)
    return Transformation(
        np.asarray(stretch),
        np.asarray(rotation),
        values,
        float(np.prod(values) - 1),
        float(abs(values[1] - 1)),
    )


def eigenstrain(reference: FloatArray, cells: FloatArray) -> FloatArray:
    """Return ε⁰ = U − 1 (..., 3, 3) of ``cells`` (..., 3, 3) against ``reference`` (3, 3)."""
    flat = np.asarray(cells, dtype=float).reshape(-1, 3, 3)
    strains = [solve_transformation(reference, cell).stretch - np.eye(3) for cell in flat]
    return np.array(strains).reshape(np.shape(cells))


def voigt_to_tensor(stiffness: FloatArray) -> FloatArray:
    """Return C_ijkl (3, 3, 3, 3) from C (6, 6) in the order xx yy zz yz xz xy."""
    index = np.empty((3, 3), dtype=int)
    for voigt, (i, j) in enumerate(VOIGT):
        index[i, j] = index[j, i] = voigt
    return np.asarray(stiffness[index[:, :, None, None], index[None, None]])


def tensor_to_voigt(tensor: FloatArray) -> FloatArray:
    """Return C (6, 6) of C_ijkl."""
    rows = np.array([tensor[i, j] for i, j in VOIGT])
    return np.array([[row[k, m] for k, m in VOIGT] for row in rows])


def rotate_stiffness(stiffness: FloatArray, rotation: FloatArray) -> FloatArray:
    """Return C (6, 6) seen from a frame whose rows v become v·R in the frame of ``stiffness``."""
    tensor = voigt_to_tensor(np.asarray(stiffness, dtype=float))
    turned = np.einsum("ia,jb,kc,ld,abcd->ijkl", rotation, rotation, rotation, rotation, tensor)
    return tensor_to_voigt(turned)


def coherency_modulus(stiffness: FloatArray, strain: FloatArray, normal: FloatArray) -> float:
    """Return B(n) of the coherency energy density ½ B(n) (Δθ)², for ε⁰ per unit θ [unit of stiffness].

    B(n) = C_ijkl ε⁰_ij ε⁰_kl − n_i σ⁰_ij Ω_jl(n) σ⁰_lk n_k with σ⁰ = C : ε⁰ and Ω⁻¹_jl = n_i C_ijlk n_k: the
    energy left after the layer has relaxed along n. For an isotropic solid and ε⁰ = ε₀·1 it is
    2 E ε₀²/(1−ν), the same for all n; it is zero if ε⁰ = ½ (a ⊗ n + n ⊗ a), the compatible case.

    Source: A. G. Khachaturyan, Theory of Structural Transformations in Solids (1983), eq. 7.2.41.

    Parameters
    ----------
    stiffness
        (6, 6) Voigt.
    strain
        (3, 3) symmetric.
    normal
        (3,) any length.
    """
    n = np.asarray(normal, dtype=float) / np.linalg.norm(normal)
    tensor = voigt_to_tensor(np.asarray(stiffness, dtype=float))
    stress = np.einsum("ijkl,kl->ij", tensor, strain)
    acoustic = np.einsum("i,ijlk,k->jl", n, tensor, n)
    traction = stress @ n
    relaxed = float(traction @ np.linalg.solve(acoustic, traction))
    return float(np.sum(stress * strain)) - relaxed
