"""Structures from which a walker cannot go on: how they are told, and what is kept of them.

A potential is wrong first where it was never fitted, and a walker finds these places: an ion falls into a
hole of the energy next to the framework, the cell runs away, the framework comes apart. No grade is asked for
here, only geometry, so that what a wrong potential does is seen also where it believes to know.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from ase import Atoms
from ase.neighborlist import natural_cutoffs, neighbor_list
from numpy.typing import NDArray

from scalebridge.foundation import InputError
from scalebridge.potential import shortest_distances
from scalebridge.sampling.configuration import Configuration
from scalebridge.sampling.host_cell import HostCell

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

Kind = Literal["contact", "cell", "framework", "label", "extrapolation"]
"""An atom fell into another's place; the cell collapsed or blew up; the framework melted; the reference
calculator gave no label; more labels did not lower the grades."""

REACH = 6.0
"""Pairs farther apart are not compared with those of labels [Å]."""
BOND = 1.2
"""Framework atoms are bonded within this many sums of their covalent radii, as is the custom."""


@dataclass(frozen=True)
class DeadEndLimits:
    """Where a walker is lost.

    Attributes
    ----------
    closest_pair
        Two atoms nearer than this fraction of the shortest distance of their species in all labels: one fell
        into the other's place. Heat alone does less: of a Born–Mayer repulsion exp(−r/ρ), ρ = 0.3 Å, three
        times the energy reaches ρ ln 3 = 0.33 Å farther, a seventh of 2.4 Å.
    volume_factor
        Volumes per formula unit beyond this factor from those of the walkers' first cells: the cell
        collapsed or blew up. Hosts that keep their framework stay within: MnHCF's cubic and rhombohedral
        structures differ by 1.34, and each is a first cell.
    bond_stretch, broken_bonds
        Bonds of the framework longer than ``bond_stretch`` times their first length are broken, and where
        more than the fraction ``broken_bonds`` of them is, it melted. Jahn–Teller distortions and spin
        states stretch bonds by up to a fifth; tilts of whole polyhedra, which move atoms as far as a liquid
        does (Lindemann's measure), stretch none.
    """

    closest_pair: float = 0.8
    volume_factor: float = 1.5
    bond_stretch: float = 1.4
    broken_bonds: float = 0.1

    def __post_init__(self) -> None:
        if not (0 <= self.closest_pair < 1 < min(self.volume_factor, self.bond_stretch)):
            raise InputError(
                f"closest_pair {self.closest_pair:g}, volume_factor {self.volume_factor:g} and bond_stretch "
                f"{self.bond_stretch:g} leave no room for healthy structures; the first lies below 1, the "
                "others above, for example 0.8, 1.5 and 1.4"
            )
        if not 0 <= self.broken_bonds < 1:
            raise InputError(f"broken_bonds {self.broken_bonds:g} is no fraction below 1; give 0.1")


@dataclass(frozen=True)
class DeadEnd:
    """A structure from which there was no way on.

    Attributes
    ----------
    kind, reason
        What happened, as a word and in plain words.
    atoms
        The structure.
    round, walker
        Who found it.
    temperature
        Of the walker [K].
    x
        Ions per formula unit.
    recovered
        True where the walker went back to its last safe state and on from there.
    """

    kind: Kind
    reason: str
    atoms: Atoms
    round: int
    walker: int
    temperature: float
    x: float
    recovered: bool


@dataclass(frozen=True, eq=False)
class Known:
    """What healthy structures look like.

    Attributes
    ----------
    closest
        Shortest distance of each pair of species in the labels [Å], (S, S); infinite where none was seen.
    volume
        Smallest and largest volume per formula unit of the walkers' first cells [Å³].
    """

    closest: FloatArray
    volume: tuple[float, float]


NOTHING_KNOWN = Known(np.zeros((0, 0)), (0.0, np.inf))
"""No structure is refused for its distances or its volume."""


def known_structures(
    training: Sequence[Atoms],
    starts: Sequence[HostCell],
    species: tuple[str, ...],
    *,
    strains: Sequence[float] = (0.0,),
) -> Known:
    """Measure labelled structures and the walkers' first cells with their linear strains."""
    closest = np.full((len(species), len(species)), np.inf)
    for atoms in training:
        types = np.array([species.index(symbol) for symbol in atoms.symbols], dtype=np.int32)
        np.minimum(closest, _distances(types, atoms.positions, atoms.cell.array, len(species)), out=closest)
    volumes = [
        cell.framework.get_volume() / cell.formula_units * (1 + strain) ** 3
        for cell in starts
        for strain in strains
    ]
    return Known(closest, (min(volumes), max(volumes)))


def _distances(types: NDArray[np.int32], positions: FloatArray, cell: FloatArray, species: int) -> FloatArray:
    return shortest_distances(types, positions, cell, (True, True, True), cutoff=REACH, n_species=species)


@dataclass(frozen=True)
class Fault:
    """Why a structure is none to go on from."""

    kind: Kind
    reason: str


@dataclass(frozen=True, eq=False)
class Watch:
    """Tells dead ends of walkers that started from one host cell."""

    start: HostCell
    known: Known
    limits: DeadEndLimits

    @cached_property
    def _bonds(self) -> tuple[IntArray, IntArray, IntArray, FloatArray]:
        """First and second atoms, cell shifts and lengths of the framework's bonds."""
        framework = self.start.framework
        first, second, shift, length = neighbor_list(
            "ijSd", framework, natural_cutoffs(framework, mult=BOND), self_interaction=False
        )
        once = first <= second
        return first[once], second[once], shift[once], length[once]

    def fault(self, configuration: Configuration) -> Fault | None:
        """Return what is wrong with a structure, None if nothing is."""
        return self._of_cell(configuration) or self._of_pairs(configuration) or self._of_bonds(configuration)

    def _of_cell(self, configuration: Configuration) -> Fault | None:
        volume = configuration.volume / self.start.formula_units
        low, high = self.known.volume
        factor = self.limits.volume_factor
        if low / factor <= volume <= high * factor:
            return None
        what = "collapsed" if volume < low else "blew up"
        return Fault(
            "cell",
            f"the cell {what}: {volume:.1f} Å³ per formula unit, the walkers' first cells have "
            f"{low:.1f} to {high:.1f}",
        )

    def _of_pairs(self, configuration: Configuration) -> Fault | None:
        known = self.known.closest
        if not known.size:
            return None
        found = _distances(configuration.types, configuration.positions, configuration.cell, len(known))
        share = np.full_like(known, np.inf)
        np.divide(found, known, out=share, where=np.isfinite(known))
        one, other = np.unravel_index(int(share.argmin()), share.shape)
        if share[one, other] >= self.limits.closest_pair:
            return None
        template = configuration.template
        names = sorted((template.species[one], template.species[other]), key=self.start.ion.__ne__)
        moved = "an ion fell into the framework" if names[0] == self.start.ion else "atoms fell together"
        if names == [self.start.ion] * 2:
            moved = "two ions fell together"
        return Fault(
            "contact",
            f"{moved}: {names[0]} and {names[1]} are {found[one, other]:.2f} Å apart, no nearer than "
            f"{known[one, other]:.2f} Å in any label",
        )

    def _of_bonds(self, configuration: Configuration) -> Fault | None:
        first, second, shift, length = self._bonds
        if not len(length):
            return None
        positions = configuration.positions
        vectors = positions[second] - positions[first] + shift @ configuration.cell
        broken = np.linalg.norm(vectors, axis=1) > self.limits.bond_stretch * length
        if broken.mean() <= self.limits.broken_bonds:
            return None
        return Fault(
            "framework",
            f"the framework melted: {broken.sum()} of its {len(length)} bonds are more than "
            f"{self.limits.bond_stretch:g} times as long as at the start",
        )
