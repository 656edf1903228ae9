"""Redox centres: which initial moments a structure starts from, and which moments its label must end with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.geometry import get_distances
from numpy.typing import NDArray

from scalebridge.foundation import InputError

NEIGHBOURS = 6
"""Ligands of an octahedral site: their mean distance tells a large (reduced) site from a small one."""


@dataclass(frozen=True)
class RedoxCentre:
    """One transition metal on its kind of site, in its two oxidation states.

    Attributes
    ----------
    species
        Chemical symbol. A species on two kinds of site (bound to carbon here, to nitrogen there) needs
        ``ligand``.
    oxidised, reduced
        Initial moments of the two states [μB].
    accepted
        Smallest and largest moment of a sound label, either state [μB].
    ligand
        Only atoms whose nearest neighbour, ions aside, is of this species; empty: all atoms of the species.
        All kinds of site of a species must be named: an atom of none is a fault (``ligand_faults``).

    Raises
    ------
    InputError
        If ``accepted`` is not in order.
    """

    species: str
    oxidised: float
    reduced: float
    accepted: tuple[float, float]
    ligand: str = ""

    def __post_init__(self) -> None:
        if not self.accepted[0] < self.accepted[1]:
            raise InputError(
                f"accepted moments {self.accepted} of {self.species} are not in order; "
                "write the smaller one first"
            )

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "RedoxCentre":
        """Return the centre of a table as recipes hold it: the attributes by their names.

        Raises
        ------
        InputError
            If a key is missing or unknown.
        """
        try:
            return cls(
                **{**content, "accepted": (float(content["accepted"][0]), float(content["accepted"][1]))}
            )
        except (KeyError, IndexError, TypeError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"redox centre {dict(content)} is not understood ({error}); give species, oxidised, reduced, "
                "accepted = [smallest, largest] and, where a species has two kinds of site, ligand"
            ) from None

    def sites(self, atoms: Atoms, *, ion: str = "") -> NDArray[np.intp]:
        """Return the indices of its atoms; an ion that fell next to one of them is not taken for a ligand."""
        found = np.flatnonzero(np.array(atoms.symbols) == self.species)
        if not self.ligand or not len(found):
            return found
        nearest, _ = _nearest(atoms, found, ion)
        return np.asarray(found[nearest == self.ligand])


def initial_moments(
    atoms: Atoms, centres: Sequence[RedoxCentre], *, ion: str, ion_charge: int = 1
) -> NDArray[np.float64]:
    """Return initial moments that balance the ions' charge.

    Every ion gives ``ion_charge`` electrons to the host. They go to the centres in their order, and among the
    atoms of one centre to those with the longest bonds, where the larger, reduced ion sits.

    Parameters
    ----------
    atoms
        The structure.
    centres
        In the order in which they take electrons, the one of the highest potential first.
    ion
        Chemical symbol of the ion.
    ion_charge
        Its charge [e].

    Returns
    -------
    numpy.ndarray
        (N,) [μB]; zero on atoms that are no redox centre.

    Raises
    ------
    InputError
        If the ions give more electrons than the centres can take.
    """
    moments = np.zeros(len(atoms))
    given = left = int(np.sum(np.array(atoms.symbols) == ion)) * ion_charge
    room = 0
    for centre in centres:
        sites = centre.sites(atoms, ion=ion)
        room += len(sites)
        moments[sites] = centre.oxidised
        reduced = sites[np.argsort(-_bond_lengths(atoms, sites), kind="stable")][:left]
        moments[reduced] = centre.reduced
        left -= len(reduced)
    if left and room:
        raise InputError(
            f"{atoms.get_chemical_formula()} gives its host {given} electrons, but its redox centres "
            f"({', '.join(centre.species for centre in centres)}) take {room}; name more centres"
        )
    return moments


def spin_faults(
    atoms: Atoms, moments: NDArray[np.float64], centres: Sequence[RedoxCentre], *, ion: str = ""
) -> tuple[str, ...]:
    """Return one text for every redox centre whose moment [μB] lies outside what its kind accepts."""
    return tuple(
        "{}{} has {:.2f} μB, not {:g} to {:g}".format(centre.species, site, moments[site], *centre.accepted)
        for centre in centres
        for site in centre.sites(atoms, ion=ion)
        if not centre.accepted[0] <= moments[site] <= centre.accepted[1]
    )


def ligand_faults(atoms: Atoms, centres: Sequence[RedoxCentre], *, ion: str = "") -> tuple[str, ...]:
    """Return one text for every atom of a centre's species whose nearest neighbour is no ligand of a centre.

    Such an atom has lost its ligand or sits where it does not belong; its charge and moment are unknown.
    """
    faults = []
    for species in dict.fromkeys(centre.species for centre in centres):
        ligands = [centre.ligand for centre in centres if centre.species == species]
        found = np.flatnonzero(np.array(atoms.symbols) == species)
        if "" in ligands or not len(found):
            continue
        for site, nearest, distance in zip(found, *_nearest(atoms, found, ion), strict=True):
            if nearest not in ligands:
                wanted = " or ".join(ligands)
                faults.append(
                    f"{species}{site} has no ligand {wanted}: nearest is {nearest} at {distance:.2f} Å"
                )
    return tuple(faults)


def _nearest(atoms: Atoms, sites: NDArray[np.intp], ion: str) -> tuple[NDArray[np.str_], NDArray[np.float64]]:
    """Return species and distance [Å] of the nearest neighbour of each site, ions aside."""
    symbols, distances = np.array(atoms.symbols), _distances(atoms, sites)
    distances[:, symbols == ion] = np.inf
    return np.asarray(symbols[distances.argmin(axis=1)]), np.asarray(distances.min(axis=1))


def _bond_lengths(atoms: Atoms, sites: NDArray[np.intp]) -> NDArray[np.float64]:
    """Mean distance to the nearest neighbours [Å], rounded so that noise does not order equal sites."""
    if not len(sites):
        return np.zeros(0)
    nearest = np.sort(_distances(atoms, sites), axis=1)[:, :NEIGHBOURS]
    return np.asarray(nearest.mean(axis=1).round(3))


def _distances(atoms: Atoms, sites: NDArray[np.intp]) -> NDArray[np.float64]:
    """Distances from sites to all atoms, the nearest image of each [Å]; to itself: infinite."""
    positions = atoms.positions
    _, distances = get_distances(positions[sites], positions, cell=atoms.cell, pbc=atoms.pbc)
    distances[np.arange(len(sites)), sites] = np.inf
    return np.asarray(distances)
