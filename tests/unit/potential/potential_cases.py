"""Random potentials and structures shared by the potential's tests."""

import numpy as np
from ase import Atoms
from ase.build import bulk

from scalebridge.potential import MomentTensorPotential
from scalebridge.potential._basis import generate_basis


def random_potential(
    level: int, species: tuple[str, ...], *, seed: int = 0, cutoff: float = 5.0, hard_core: float = 0.0
) -> MomentTensorPotential:
    basis = generate_basis(level)
    random = np.random.default_rng([seed, level, len(species)])
    n = len(species)
    return MomentTensorPotential(
        species=species,
        level=level,
        basis=basis,
        min_distance=1.6,
        cutoff=cutoff,
        scaling=0.02,
        radial=random.uniform(-0.5, 0.5, (n, n, basis.n_radial, 8)),
        xi=random.uniform(-0.1, 0.1, len(basis.scalars)),
        offsets=random.uniform(-3.0, 3.0, n),
        hard_core=np.full((n, n), hard_core),
    )


def random_crystal(
    species: tuple[str, ...], *, seed: int = 0, repeat: tuple[int, int, int] = (2, 1, 1)
) -> Atoms:
    """A triclinic, rattled diamond cell of 16 atoms (by default) with the species in turn."""
    random = np.random.default_rng(seed)
    atoms = bulk("Si", cubic=True) * repeat
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.08 * random.standard_normal((3, 3))), scale_atoms=True)
    atoms.positions += 0.12 * random.standard_normal(atoms.positions.shape)
    atoms.symbols = [species[n % len(species)] for n in range(len(atoms))]
    return atoms
