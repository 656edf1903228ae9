"""A stiff host: a moment tensor potential of a close-packed metal with interstices too narrow for the ion.

Pairs are Morse wells projected on the potential's radial basis, with many-body terms of random sign on top.
The ion's distance to its six neighbours wants to be 0.35 Å longer than the empty octahedron has room for: the
framework has to move aside, which a bare insertion does not wait for.
"""

import numpy as np
from ase.build import bulk

from scalebridge.potential import MomentTensorPotential
from scalebridge.potential._basis import generate_basis
from scalebridge.sampling import Configuration, Ensemble, HostCell, PotentialModel, SiteDensity

SPECIES = ("Cu", "Li")
LATTICE, CUTOFF, CLOSEST = 4.0, 5.0, 1.3
WELLS = {("Cu", "Cu"): (0.35, 1.7, 2.83), ("Cu", "Li"): (0.35, 2.0, 2.35), ("Li", "Li"): (0.05, 1.2, 3.4)}
"""Depth [eV], inverse width [1/Å] and distance of the minimum [Å]."""
MANY_BODY = 2e-4
TEMPERATURE = 600.0
CHEMICAL_POTENTIAL = -2.57
"""[eV], at which contents 0 and 1 of 32 sites are about as likely."""
MASSES = np.array([64.0, 12.0])


def stiff_potential(level=8, radial_size=12) -> MomentTensorPotential:
    basis = generate_basis(level)
    random = np.random.default_rng(level)
    n = len(SPECIES)
    r = np.linspace(1.2, CUTOFF, 800)
    t = (2 * r - CLOSEST - CUTOFF) / (CUTOFF - CLOSEST)
    functions = np.cos(np.arange(radial_size)[:, None] * np.arccos(np.clip(t, -1, 1))) * (CUTOFF - r) ** 2
    radial = np.zeros((n, n, basis.n_radial, radial_size))
    for (one, other), (depth, steepness, minimum) in WELLS.items():
        i, j = SPECIES.index(one), SPECIES.index(other)
        well = depth * ((1 - np.exp(-steepness * (r - minimum))) ** 2 - 1)
        weight = 1 / (0.1 + np.maximum(well, 0.0))
        switch = np.clip((CUTOFF - r) / 1.5, 0, 1) ** 2
        fitted = np.linalg.lstsq(weight[:, None] * functions.T, weight * 0.5 * well * switch, rcond=None)[0]
        radial[i, j, 0] = radial[j, i, 0] = fitted
        radial[i, j, 1:] = radial[j, i, 1:] = fitted * random.uniform(-1, 1, (basis.n_radial - 1, 1))
    xi = MANY_BODY * random.uniform(-1, 1, len(basis.scalars))
    xi[0] = 1.0
    return MomentTensorPotential(
        species=SPECIES,
        level=level,
        basis=basis,
        min_distance=CLOSEST,
        cutoff=CUTOFF,
        scaling=1.0,
        radial=radial,
        xi=xi,
        offsets=np.array([0.0, -1.0]),
        hard_core=np.full((n, n), CLOSEST),
    )


def stiff_cell(repeat: int, lattice: float = LATTICE) -> HostCell:
    framework = bulk("Cu", "fcc", a=lattice, cubic=True).repeat(repeat)
    sites = framework.get_scaled_positions() + np.array([0.5 / repeat, 0.0, 0.0])
    return HostCell(framework, sites % 1.0, len(framework), "Li")


def stiff_ensemble(width=0.12, level=8, pressure=0.0) -> Ensemble:
    density = SiteDensity(width=width, vacant_only=True)
    return Ensemble(PotentialModel(stiff_potential(level)), TEMPERATURE, MASSES, density, pressure)


def stiff_start(ensemble: Ensemble, repeat: int, occupied=(), *, lattice: float = LATTICE) -> Configuration:
    cell = stiff_cell(repeat, lattice)
    return Configuration.from_atoms(cell, cell.atoms(list(occupied)), ensemble.model)
