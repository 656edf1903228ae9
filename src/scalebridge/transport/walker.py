"""The single walker that hops on a network: its rates and its diffusivity."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scalebridge.foundation import constants
from scalebridge.transport.chain import JumpChain, solve_diffusivity
from scalebridge.transport.network import HopNetwork

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class HopEnergies:
    """Energies of one class of hops, for the hop that represents it.

    Attributes
    ----------
    start_energy, end_energy, saddle_energy
        [eV], on one scale for the whole network.
    attempt_frequency
        ν of the representative hop [1/fs].
    """

    start_energy: float
    end_energy: float
    saddle_energy: float
    attempt_frequency: float


def walker_chain(network: HopNetwork, energies: tuple[HopEnergies, ...], temperature: float) -> JumpChain:
    """Return the single walker's jumps at ``temperature`` [K], in Å and 1/fs.

    Rates are ν exp(−(E_saddle − E_start)/kT) with the same prefactor and saddle in both directions, so that
    the site populations exp(−E/kT) are stationary. Site energies are the mean over the classes that
    touch a site; ends that symmetry makes one site have the energy of the lower one.
    """
    energies = _lowest_ends(network, energies)
    site_energy = site_energies(network, energies)
    beta = 1 / (constants.BOLTZMANN_EV * temperature)
    # A saddle is kept relative to the mean of its hop's ends, so that site averages keep detailed balance.
    above_mean = np.array([e.saddle_energy - 0.5 * (e.start_energy + e.end_energy) for e in energies])
    saddle = above_mean[network.classes] + 0.5 * (site_energy[network.start] + site_energy[network.end])
    frequency = np.array([e.attempt_frequency for e in energies])[network.classes]
    rates = frequency * np.exp(-beta * (saddle - site_energy[network.start]))
    weights = np.exp(-beta * (site_energy - site_energy.min()))
    return JumpChain(weights, network.start, network.end, rates, network.vectors)


def _lowest_ends(network: HopNetwork, energies: tuple[HopEnergies, ...]) -> tuple[HopEnergies, ...]:
    """Return the energies with both ends of a hop between equivalent sites at the lower of the two.

    A wide cage has several minima. Relaxed apart, two ends may rest in different ones; symmetry puts the
    lower one at both, and the ion leaves from there.
    """
    lowest = []
    for hop, energy in zip(network.representatives, energies, strict=True):
        same = network.orbits[network.start[hop]] == network.orbits[network.end[hop]]
        low = min(energy.start_energy, energy.end_energy)
        lowest.append(replace(energy, start_energy=low, end_energy=low) if same else energy)
    return tuple(lowest)


def site_energies(network: HopNetwork, energies: tuple[HopEnergies, ...]) -> FloatArray:
    """Return the energy of each site (n,) [eV]: mean over the ends of the hops that represent its class."""
    orbit = network.orbits
    total, count = np.zeros(orbit.max() + 1), np.zeros(orbit.max() + 1)
    for hop, energy in zip(network.representatives, energies, strict=True):
        for site, value in (
            (network.start[hop], energy.start_energy),
            (network.end[hop], energy.end_energy),
        ):
            total[orbit[site]] += value
            count[orbit[site]] += 1
    return np.asarray((total / np.maximum(count, 1))[orbit])


def solve_walker_diffusivity(
    network: HopNetwork, energies: tuple[HopEnergies, ...], temperature: float
) -> FloatArray:
    """Return the diffusion tensor (3, 3) of a single walker [Å²/fs]."""
    return solve_diffusivity(walker_chain(network, energies, temperature))
