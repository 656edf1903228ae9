"""Ladders whose free energy is known: works drawn from Gaussians that obey Crooks' relation exactly.

If insertion works are normal with mean ΔF + βσ²/2 and deletion works normal with mean −ΔF + βσ²/2, both of
variance σ², then P_F(w) = P_R(−w) exp(β(w − ΔF)).
"""

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from scalebridge.foundation import constants
from scalebridge.sampling import Ladder, LadderRung

FloatArray = NDArray[np.float64]


def ladder_of(
    energies: FloatArray,
    temperature: float,
    rng: np.random.Generator,
    *,
    works: int = 400,
    spread: float = 2.0,
) -> Ladder:
    """Return a ladder of rungs N = 0 … n with F(N) = ``energies`` [eV]; ``spread`` is σ/kT."""
    thermal = constants.BOLTZMANN_EV * temperature
    sigma, shift = spread * thermal, 0.5 * spread**2 * thermal
    steps = np.diff(energies)
    rungs = []
    for ions in range(len(energies)):
        empty = np.empty(0)
        rungs.append(
            LadderRung(
                ions=ions,
                insertion_work=rng.normal(steps[ions] + shift, sigma, works) if ions < len(steps) else empty,
                deletion_work=rng.normal(shift - steps[ions - 1], sigma, works) if ions else empty,
                energy=np.zeros(4),
                cell=np.repeat(np.eye(3)[None] * 10.0, 4, axis=0),
                grade=empty,
                mean=Atoms("Fe", cell=[10.0] * 3, pbc=True),
                last=Atoms("Fe", cell=[10.0] * 3, pbc=True),
                counts={},
            )
        )
    return Ladder(temperature, len(energies) - 1, len(energies) - 1, tuple(rungs))


def independent_sites(sites: int, temperature: float) -> FloatArray:
    """Return −kT ln C(n, N) [eV] for N = 0 … n."""
    ways = np.array([log_binomial(sites, ions) for ions in range(sites + 1)])
    return -constants.BOLTZMANN_EV * temperature * ways


def log_binomial(n: int, k: int) -> float:
    return float(np.sum(np.log(np.arange(n - k + 1, n + 1))) - np.sum(np.log(np.arange(1, k + 1))))


def mean_field(sites: int, temperature: float, omega: float, site_energy: float) -> FloatArray:
    """Return the exact F(N) [eV] of ions at ``site_energy`` [eV] with energy n·Ω kT·θ(1−θ) of mixing."""
    ions = np.arange(sites + 1)
    thermal = constants.BOLTZMANN_EV * temperature
    mixing = omega * thermal * ions * (sites - ions) / sites
    return independent_sites(sites, temperature) + site_energy * ions + mixing


def ring(sites: int, temperature: float, coupling: float) -> FloatArray:
    """Return the exact F(N) [eV] of a ring with energy ``coupling`` [eV] per occupied neighbour pair.

    N particles in c clusters on a ring of n sites: (n/c)·C(N−1, c−1)·C(n−N−1, c−1) arrangements, N − c bonds.
    """
    beta = 1 / (constants.BOLTZMANN_EV * temperature)
    energies = np.zeros(sites + 1)
    for ions in range(1, sites):
        terms = [
            np.log(sites / c)
            + log_binomial(ions - 1, c - 1)
            + log_binomial(sites - ions - 1, c - 1)
            - beta * coupling * (ions - c)
            for c in range(1, min(ions, sites - ions) + 1)
        ]
        energies[ions] = -np.logaddexp.reduce(terms) / beta
    energies[sites] = coupling * sites
    return energies


def ring_bulk_potential(theta: FloatArray, temperature: float, coupling: float) -> FloatArray:
    """Return μ(θ) [eV] of the infinite ring: its transfer matrix solved for the fugacity."""
    beta = 1 / (constants.BOLTZMANN_EV * temperature)
    boost = np.exp(-beta * coupling)
    # with m = 2θ−1 and w = z·boost: m = (w−1)/√((w−1)² + 4z)  ⇒  sinh h = m/√(1−m²)/√boost, w = e^{2h}
    magnetisation = 2 * theta - 1
    half = np.arcsinh(magnetisation / np.sqrt((1 - magnetisation**2) * boost))
    return np.asarray((2 * half - np.log(boost)) / beta)
