"""The readable twin of the compiled kernel: energies, forces and virial in NumPy, checked against each other.

equation symbol -> code name (Novikov et al., MLST 2, 025002 (2021), eqs. 2-6, with unit vectors as in MLIP):

======================  =============================================
r_ij, |r_ij|, r̂_ij      ``vectors``, ``lengths``, ``units``
Q_k, dQ_k/dr            ``values``, ``slopes`` of ``radial_basis``
f_mu, df_mu/dr          ``f``, ``df``
M_{mu,nu}, products     ``moments``; gradients with respect to r_ij
======================  =============================================
"""

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list

from scalebridge.potential._kernel_data import FloatArray
from scalebridge.potential.model import Evaluation, MomentTensorPotential


def radial_basis(potential: MomentTensorPotential, lengths: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return Q_k(r) = s T_k(t) (R − r)² and dQ_k/dr, shapes (K, n), for ``lengths`` (n,) below the cutoff."""
    low, high = potential.min_distance, potential.cutoff
    t = (2.0 * lengths - low - high) / (high - low)
    order = np.arange(potential.radial.shape[-1])[:, None]
    angle = np.arccos(t.astype(complex))  # complex where t leaves [-1, 1]
    chebyshev = np.cos(order * angle).real
    sine = np.where(np.abs(np.sin(angle)) > 1e-12, np.sin(angle), 1.0)
    slope_t = np.where(
        np.abs(np.sin(angle)) > 1e-12,
        (order * np.sin(order * angle) / sine).real,
        order**2 * np.sign(t) ** (order + 1),
    )
    gap = high - lengths
    values = potential.scaling * chebyshev * gap**2
    slopes = potential.scaling * (slope_t * 2.0 / (high - low) * gap**2 - 2.0 * chebyshev * gap)
    return values, slopes


def seen_lengths(lengths: FloatArray, ranges: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the distances that the radial functions are told, and their derivatives, (n,) each.

    Below the range of the repulsion they stop falling: to 0.95 of it in the outermost tenth.
    """
    band = 0.1 * np.where(ranges > 0.0, ranges, 1.0)
    t = np.clip(1.0 - (ranges - lengths) / band, 0.0, 1.0)
    slope = np.polyval([6.0, -15.0, 10.0, 0.0, 0.0, 0.0], t)
    integral = np.polyval([1.0, -3.0, 2.5, 0.0, 0.0, 0.0, 0.0], t)
    near = lengths < ranges
    return np.where(near, ranges - band * (0.5 - integral), lengths), np.where(near, slope, 1.0)


def atomic_energy(
    potential: MomentTensorPotential,
    kind: int,
    kinds: np.ndarray[tuple[int], np.dtype[np.int32]],
    vectors: FloatArray,
) -> tuple[float, FloatArray]:
    """Return V(n_i) and dV/dr_ij (n, 3) for neighbours of species ``kinds``, repulsion apart."""
    basis, n = potential.basis, len(kinds)
    lengths = np.linalg.norm(vectors, axis=1)
    units = vectors / lengths[:, None]
    seen, by_length = seen_lengths(lengths, potential.repulsion[kind, kinds])
    values, slopes = radial_basis(potential, seen)
    coefficients = potential.radial[kind, kinds]  # (n, M, K)
    f = np.einsum("nmk,kn->mn", coefficients, values)
    df = np.einsum("nmk,kn->mn", coefficients, slopes * by_length)
    moments = np.zeros(basis.n_moments)
    gradients = np.zeros((basis.n_moments, n, 3))
    tangent = (np.eye(3) - units[:, :, None] * units[:, None, :]) / lengths[
        :, None, None
    ]  # d unit / d vector
    for row, (mu, *powers) in enumerate(basis.basic.tolist()):
        power = np.array(powers)
        monomial = np.prod(units**power, axis=1)
        by_unit = np.stack(
            [
                power[d] * np.prod(units ** (power - (np.arange(3) == d) * (power[d] > 0)), axis=1)
                for d in range(3)
            ],
            axis=1,
        )
        moments[row] = f[mu] @ monomial
        gradients[row] = (df[mu] * monomial)[:, None] * units
        gradients[row] += f[mu][:, None] * np.einsum("nd,nde->ne", by_unit, tangent)
    for left, right, mult, target in basis.products.tolist():
        moments[target] += mult * moments[left] * moments[right]
        gradients[target] += mult * (moments[left] * gradients[right] + moments[right] * gradients[left])
    energy = potential.offsets[kind] + potential.xi @ moments[basis.scalars]
    return float(energy), np.einsum("a,and->nd", potential.xi, gradients[basis.scalars])


def compute_reference(potential: MomentTensorPotential, atoms: Atoms) -> Evaluation:
    """Return what ``MomentTensorPotential.compute`` does, slowly, without hard cores and repulsion."""
    types = potential.types(atoms)
    centres, neighbours, vectors = neighbor_list("ijD", atoms, potential.cutoff)
    energies, forces, strain = np.zeros(len(atoms)), np.zeros((len(atoms), 3)), np.zeros((3, 3))
    for i, kind in enumerate(types.tolist()):
        chosen = centres == i
        energies[i], gradients = atomic_energy(potential, kind, types[neighbours[chosen]], vectors[chosen])
        forces[i] += gradients.sum(axis=0)
        np.subtract.at(forces, neighbours[chosen], gradients)
        strain += vectors[chosen].T @ gradients
    stress = 0.5 * (strain + strain.T) / atoms.get_volume() if atoms.pbc.all() else np.full((3, 3), np.nan)
    return Evaluation(float(energies.sum()), energies, forces, stress)
