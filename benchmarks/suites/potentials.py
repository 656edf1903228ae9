"""Structures and potentials that the benchmarks share."""

import numpy as np
from ase import Atoms
from ase.build import bulk

from scalebridge.potential import MomentTensorPotential
from scalebridge.potential._basis import generate_basis

CUTOFF = 5.0


def cases() -> dict[str, tuple[tuple[str, ...], Atoms]]:
    """Return species and structure of the cases that kernels are timed on."""
    random = np.random.default_rng(0)
    silicon = bulk("Si", cubic=True) * (3, 3, 3)
    rocksalt = bulk("NaCl", "rocksalt", a=4.6, cubic=True) * (4, 2, 2)
    metals = random.permutation(np.repeat(["Na", "Mn", "Fe", "Ni"], 16))
    oxide = iter(metals)
    rocksalt.symbols = [next(oxide) if symbol == "Na" else "O" for symbol in rocksalt.symbols]
    for atoms in (silicon, rocksalt):
        atoms.positions += 0.05 * random.standard_normal(atoms.positions.shape)
    return {
        "silicon, 216 atoms": (("Si",), silicon),
        "five-species rocksalt, 128 atoms": (("Na", "Mn", "Fe", "Ni", "O"), rocksalt),
    }


def potential_of(level: int, species: tuple[str, ...]) -> MomentTensorPotential:
    """Return a potential with random coefficients."""
    basis = generate_basis(level)
    random = np.random.default_rng(level)
    n = len(species)
    return MomentTensorPotential(
        species=species,
        level=level,
        basis=basis,
        min_distance=1.5,
        cutoff=CUTOFF,
        scaling=0.01,
        radial=random.uniform(-0.1, 0.1, (n, n, basis.n_radial, 8)),
        xi=random.uniform(-1.0, 1.0, len(basis.scalars)),
        offsets=np.zeros(n),
        hard_core=np.zeros((n, n)),
    )
