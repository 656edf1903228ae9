"""What a walker carries: positions, cell and energy of a framework with its ions."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from scalebridge.foundation import InputError
from scalebridge.sampling.host_cell import HostCell
from scalebridge.sampling.model import ORIGIN, Changes, EnergyModel

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int32]

LIGHTEST_FRAMEWORK_MASS = 40.0
"""Default lower bound of the framework's sampling masses [u]: stiff bonds of light atoms slow down."""
HEAVIEST_ION_MASS = 12.0
"""Default upper bound of the ion's sampling mass [u]: soft ion modes speed up."""


@dataclass(frozen=True)
class Template:
    """The unchanging part of a walker: which atoms make the framework, and where the sites are.

    Attributes
    ----------
    species
        Symbols of the model, in the order of its type indices.
    framework_types
        Types of the framework atoms, (n_framework,).
    framework_scaled
        Scaled coordinates of the undistorted framework, (n_framework, 3).
    sites
        Scaled coordinates of the ion sites, (n_sites, 3).
    ion_type
        Type of the mobile ion.
    """

    species: tuple[str, ...]
    framework_types: IntArray
    framework_scaled: FloatArray
    sites: FloatArray
    ion_type: int

    @classmethod
    def from_cell(cls, cell: HostCell, species: tuple[str, ...]) -> Self:
        """Build the template of a host cell for a model of ``species``.

        Raises
        ------
        InputError
            If the model lacks a species of the cell.
        """
        symbols = cell.framework.get_chemical_symbols()
        missing = sorted({*symbols, cell.ion} - set(species))
        if missing:
            raise InputError(
                f"the energy model knows {', '.join(species)} but the cell contains {', '.join(missing)}; "
                "fit a potential with these species"
            )
        return cls(
            species=species,
            framework_types=np.array([species.index(symbol) for symbol in symbols], dtype=np.int32),
            framework_scaled=cell.framework.get_scaled_positions(wrap=False),
            sites=np.asarray(cell.sites, dtype=np.float64),
            ion_type=species.index(cell.ion),
        )

    @cached_property
    def n_framework(self) -> int:
        """Number of framework atoms."""
        return len(self.framework_types)

    @cached_property
    def framework_centre(self) -> FloatArray:
        """Mean scaled coordinates of the undistorted framework, (3,)."""
        return np.asarray(self.framework_scaled.mean(axis=0))

    def types(self, ions: int) -> IntArray:
        """Return the types of framework and ``ions`` ions."""
        return np.concatenate([self.framework_types, np.full(ions, self.ion_type, dtype=np.int32)])

    def centres(self, positions: FloatArray, cell: FloatArray) -> FloatArray:
        """Return the site centres (n_sites, 3) [Å], following cell and mean displacement of the framework."""
        centres = self.sites @ cell
        if self.n_framework:
            mean = positions[: self.n_framework].sum(axis=0) / self.n_framework
            centres = centres + (mean - self.framework_centre @ cell)
        return np.asarray(centres)


@dataclass(frozen=True)
class Change:
    """One atom taken away, one of a type added at a position [Å], or both.

    ``in_place``: the added atom takes the index of the one taken away, else it becomes the last.
    """

    removed: int | None = None
    added: int | None = None
    position: FloatArray = field(default_factory=lambda: ORIGIN)
    in_place: bool = False


@dataclass(eq=False)
class _Shared:
    """The atoms' energies of the configuration that made the last of ``made`` changes."""

    model: EnergyModel
    changes: Changes
    made: int = 0


@dataclass(eq=False)
class _Held:
    """A configuration's claim on shared energies: good after so many changes, and the one to be made yet."""

    shared: _Shared
    made: int = 0
    pending: Change | None = None

    def take(self, model: EnergyModel) -> Changes | None:
        """Return the energies of changes, the pending change made; None if others went on with them."""
        if self.shared.model is not model or self.shared.made != self.made:
            return None
        if self.pending is not None:
            self.shared.changes.accept(**vars(self.pending))
            self.shared.made += 1
            self.made, self.pending = self.shared.made, None
        return self.shared.changes


@dataclass(frozen=True, eq=False)
class Configuration:
    """A configuration with its energy; positions are unwrapped, framework first, then ions.

    Attributes
    ----------
    template
        The walker's framework and sites.
    positions
        (n_framework + ions, 3) [Å].
    cell
        Vectors as rows, (3, 3) [Å].
    energy
        Potential energy [eV].
    velocities
        Of the atoms after a Langevin burst, (n_framework + ions, 3) [(eV/u)^½]; None: to be drawn afresh.
    """

    template: Template
    positions: FloatArray
    cell: FloatArray
    energy: float
    velocities: FloatArray | None = None
    _held: "_Held | None" = field(default=None, init=False, repr=False)

    @classmethod
    def from_atoms(cls, cell: HostCell, atoms: Atoms, model: EnergyModel) -> Self:
        """Start from ``atoms`` as made by ``cell.atoms``: framework first, in the cell's order, then ions.

        Raises
        ------
        InputError
            If the atoms do not start with the framework or are refused by the model (too close).
        """
        template = Template.from_cell(cell, model.species)
        symbols = atoms.get_chemical_symbols()
        n = template.n_framework
        if symbols[:n] != cell.framework.get_chemical_symbols() or set(symbols[n:]) - {cell.ion}:
            raise InputError("the atoms are not this cell's framework followed by ions; use HostCell.atoms")
        positions = np.array(atoms.positions, dtype=np.float64)
        vectors = np.array(atoms.cell, dtype=np.float64)
        energy = model.energy(template.types(len(atoms) - n), positions, vectors)
        if not np.isfinite(energy):
            raise InputError(
                f"the starting structure has energy {energy}: the model refuses it, usually because two "
                "atoms are closer than in its training data; relax it or add such structures to the training"
            )
        return cls(template, positions, vectors, energy)

    @property
    def ions(self) -> int:
        """Number of mobile ions."""
        return len(self.positions) - self.template.n_framework

    @cached_property
    def types(self) -> IntArray:
        """Types of all atoms."""
        return self.template.types(self.ions)

    @property
    def volume(self) -> float:
        """Cell volume [Å³]."""
        return float(abs(np.linalg.det(self.cell)))

    @cached_property
    def centres(self) -> FloatArray:
        """Current site centres, (n_sites, 3) [Å]."""
        return self.template.centres(self.positions, self.cell)

    def energy_after(self, model: EnergyModel, change: Change) -> float:
        """Return the energy [eV] after one atom is taken away, added, or both."""
        changes = self._held.take(model) if self._held is not None else None
        if changes is None:
            changes = model.changes(self.types, self.positions, self.cell)
            object.__setattr__(self, "_held", _Held(_Shared(model, changes)))
        return changes.after(removed=change.removed, added=change.added, position=change.position)

    def after_change(self, change: Change, positions: FloatArray, energy: float) -> "Configuration":
        """Return the configuration after a change, of which positions and energy [eV] are known.

        Once it is asked for ``energy_after``, it takes over what this one knows of its atoms' energies.
        """
        out = self.with_atoms(positions, energy)
        if self._held is not None and self._held.pending is None:
            object.__setattr__(out, "_held", replace(self._held, pending=change))
        return out

    def with_atoms(self, positions: FloatArray, energy: float) -> "Configuration":
        """Return the configuration with other positions; velocities stay where no atom came or went."""
        same = len(positions) == len(self.positions)
        return replace(self, positions=positions, energy=energy, velocities=self.velocities if same else None)

    def ion_positions(self) -> FloatArray:
        """Return the ions' positions, (ions, 3) [Å]."""
        return self.positions[self.template.n_framework :]

    def to_atoms(self) -> Atoms:
        """Return periodic ASE atoms, framework first."""
        symbols = [self.template.species[kind] for kind in self.types]
        return Atoms(symbols=symbols, positions=self.positions, cell=self.cell, pbc=True)


def sampling_masses(
    species: tuple[str, ...], ion: str, overrides: dict[str, float] | None = None
) -> FloatArray:
    """Return masses per type [u] that make configurational sampling cheap.

    Configurational averages do not depend on the masses, so light framework atoms are made heavier and
    the ion lighter, which narrows the spectrum and allows longer steps.

    Parameters
    ----------
    species
        Symbols of the model.
    ion
        The mobile ion.
    overrides
        Masses [u] by symbol that replace the defaults.
    """
    masses = Atoms(list(species)).get_masses() if species else np.zeros(0)
    values = [
        min(mass, HEAVIEST_ION_MASS) if symbol == ion else max(mass, LIGHTEST_FRAMEWORK_MASS)
        for symbol, mass in zip(species, masses, strict=True)
    ]
    named = overrides or {}
    return np.array([named.get(symbol, value) for symbol, value in zip(species, values, strict=True)])
