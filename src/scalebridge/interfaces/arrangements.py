"""How the ions lie in a partly filled phase, and what an average over that is.

A phase at temperature T is not one arrangement a of its ions but all of them, with the weights
p_a ∝ exp(−e_a/kT) of the bulk energies e_a under which, but for vibrations, its free energy was sampled. Let
E be the energy of the bulk and U that of the same ions with interfaces put in. Exactly, and then by the
convexity of the exponential (Jensen),

    F_U − F_E = −kT ln ⟨exp(−(U − E)/kT)⟩_E ≤ ⟨U − E⟩_E,

the mean taken in the bulk: the Gibbs–Bogoliubov inequality. With one repeated unit for the phase this is
γ ≤ Σ_a p_a γ_a, γ_a from U_a − E_a, and it settles three things: the mean is plain; its weights are those of
the bulk, not of the slabs; and each γ_a subtracts the bulk energy of its own arrangement. A slab against the
bulk energy of another arrangement would count their difference, which grows with the slab, as coherency. The
lowest arrangement alone is the limit T → 0, and even there its symmetric images, equal in e_a, differ in
γ_a(n).

The sum is sampled: `draw_arrangement` takes one of some random arrangements with probability p_a,
`mean_slabs` averages draws. Every draw has random arrangements of its own: draws are independent, and the
standard error of their mean tells what another set of random arrangements would have changed.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from scalebridge.foundation import constants, random_stream
from scalebridge.interfaces.slab import SlabEnergies


def candidate_arrangements(
    sites: int, ions: int, count: int, seed: int, *stream: str | int
) -> list[tuple[int, ...]]:
    """Return up to ``count`` different random sets of ``ions`` occupied sites; all, if there are no more.

    ``stream`` names the draw; other names give other sets.
    """
    total = math.comb(sites, ions)
    if total <= count:
        return list(combinations(range(sites), ions))
    random = random_stream(seed, "interfaces", "arrangement", sites, ions, *stream)
    found: set[tuple[int, ...]] = set()
    while len(found) < count:
        found.add(tuple(sorted(random.choice(sites, size=ions, replace=False).tolist())))
    return sorted(found)


def draw_arrangement(energies: ArrayLike, temperature: float, random: np.random.Generator) -> int:
    """Return the index of one of ``energies`` [eV], drawn with probability ∝ exp(−e/kT)."""
    above = np.asarray(energies, dtype=float) - np.min(energies)
    weights = np.exp(-above / (constants.BOLTZMANN_EV * temperature))
    return int(random.choice(len(weights), p=weights / weights.sum()))


def mean_slabs(slabs: Sequence[SlabEnergies]) -> SlabEnergies:
    """Return slabs with the mean energies of arrangements drawn at the same direction.

    The line through mean energies has the mean intercept and slope of the single lines.
    """
    return replace(
        slabs[0],
        energies=np.mean([slab.energies for slab in slabs], axis=0),
        height=float(np.mean([slab.height for slab in slabs])),
        spacing=float(np.mean([slab.spacing for slab in slabs])),
        converged=all(slab.converged for slab in slabs),
    )
