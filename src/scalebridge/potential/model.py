"""The moment tensor potential as an object: parameters, evaluation, files."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from scalebridge.foundation import InputError
from scalebridge.potential._basis import Basis, IntArray
from scalebridge.potential._kernel_data import FloatArray, KernelParameters
from scalebridge.potential._kernels import Configuration, Kernel
from scalebridge.potential.formats import PotentialText, format_potential, parse_potential
from scalebridge.potential.storage import write_atomically


@dataclass(frozen=True)
class Evaluation:
    """Result of ``MomentTensorPotential.compute``.

    Attributes
    ----------
    energy : float
        eV; infinite where two atoms are closer than their hard core.
    energies : (N,)
        eV per atom.
    forces : (N, 3)
        eV/Å.
    stress : (3, 3)
        dE/dstrain / V in ASE's sign [eV/Å³]; NaN without periodicity in all directions.
    """

    energy: float
    energies: FloatArray
    forces: FloatArray
    stress: FloatArray


@dataclass(frozen=True, eq=False)
class MomentTensorPotential:
    """A moment tensor potential in MLIP's definition [Novikov et al., MLST 2, 025002 (2021)].

    E = Σ_i (ξ_{z_i} + Σ_α ξ_α B_α(n_i)), f_μ(r) = Σ_k c_{z_i z_j μ k} s T_k(t)(R − r)².

    Attributes
    ----------
    species : tuple of str
        Chemical symbols; the index is MLIP's type.
    level : int
        Level of the basis.
    basis : Basis
        Index tables.
    min_distance, cutoff : float
        Interval of the radial basis [Å].
    scaling : float
        The factor s.
    radial : (S, S, M, K)
        Radial coefficients c[z_i, z_j, mu, k].
    xi : (A,)
        Linear coefficients [eV].
    offsets : (S,)
        Energies of isolated atoms ξ_z [eV].
    hard_core : (S, S)
        Pairs closer than this [Å] have infinite energy, an exact function of the configuration that keeps
        sampling out of the unphysical short-range region; 0 switches it off.
    repulsion : (S, S)
        Pairs closer than this [Å] repel as the universal screened nuclei of Ziegler, Biersack and Littmark
        (The Stopping and Range of Ions in Solids, 1985), whole below 0.6 of it and switched off to it with
        two continuous derivatives; 0, the default, switches it off. Other codes do not know it.
    """

    species: tuple[str, ...]
    level: int
    basis: Basis
    min_distance: float
    cutoff: float
    scaling: float
    radial: FloatArray
    xi: FloatArray
    offsets: FloatArray
    hard_core: FloatArray
    repulsion: FloatArray = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        n = len(self.species)
        if not self.repulsion.size:
            object.__setattr__(self, "repulsion", np.zeros((n, n)))
        radial_shape = (n, n, self.basis.n_radial, self.radial.shape[-1])
        shapes = {
            "radial": (self.radial.shape, radial_shape),
            "xi": (self.xi.shape, self.basis.scalars.shape),
            "offsets": (self.offsets.shape, (n,)),
            "hard_core": (self.hard_core.shape, (n, n)),
            "repulsion": (self.repulsion.shape, (n, n)),
        }
        for name, (found, wanted) in shapes.items():
            if found != wanted:
                raise InputError(
                    f"{name} has shape {found}, the basis and species need {wanted}; pass that shape"
                )
        for name, distances in (("hard_core", self.hard_core), ("repulsion", self.repulsion)):
            inside = (distances >= 0.0) & (distances < self.cutoff)  # NaN is not
            if not (inside.all() and np.allclose(distances, distances.T, rtol=1e-9)):
                raise InputError(
                    f"{name} {distances.tolist()} Å must be a symmetric table of distances from 0 to below "
                    f"the cutoff {self.cutoff} Å; correct it"
                )
        if not 0 <= self.min_distance < self.cutoff:
            raise InputError(
                f"min_distance {self.min_distance} Å must lie between 0 and the cutoff {self.cutoff} Å; "
                "change one of them"
            )
        strange = [symbol for symbol in self.species if symbol not in atomic_numbers]
        if strange:
            raise InputError(
                f"species {', '.join(strange)} are no chemical symbols; give those of the potential's types, "
                "for example ('Na', 'Mn')"
            )
        if len(set(self.species)) != n:
            raise InputError(f"species {self.species} repeat a symbol; list each element once")

    @property
    def n_parameters(self) -> int:
        """Radial coefficients, linear coefficients and offsets together."""
        return self.radial.size + self.xi.size + self.offsets.size

    @cached_property
    def _kernel(self) -> Kernel:
        return Kernel(
            KernelParameters(
                self.basis, self.min_distance, self.cutoff, self.scaling,
                self.radial, self.xi, self.offsets, self.hard_core, self.repulsion,
                np.array([atomic_numbers[symbol] for symbol in self.species], dtype=np.float64),
            )
        )  # fmt: skip

    def __getstate__(self) -> dict[str, object]:
        return {key: value for key, value in self.__dict__.items() if key != "_kernel"}

    def kernel(self) -> Kernel:
        """Return the low-level kernel: plain arrays in and out, picklable."""
        return self._kernel

    def types(self, atoms: Atoms) -> IntArray:
        """Return the species index of each atom.

        Raises
        ------
        InputError
            If the atoms contain an element the potential does not know.
        """
        index = {symbol: n for n, symbol in enumerate(self.species)}
        symbols = atoms.get_chemical_symbols()
        unknown = sorted(set(symbols) - set(self.species))
        if unknown:
            raise InputError(
                f"species {', '.join(unknown)} unknown to this potential of {', '.join(self.species)}; "
                "fit one with these species or remove the atoms"
            )
        return np.array([index[symbol] for symbol in symbols], dtype=np.int32)

    def configure(self, atoms: Atoms, *, skin: float = 0.0) -> Configuration:
        """Build the neighbour list of ``atoms``; with a ``skin`` [Å] it serves while they move."""
        return self._kernel.configure(
            self.types(atoms), atoms.positions, atoms.cell.array, atoms.pbc, skin=skin
        )

    def move(self, configuration: Configuration, atoms: Atoms) -> None:
        """Put the atoms of a configuration where those of ``atoms`` are, which differ in nothing else."""
        self._kernel.move(configuration, atoms.positions)

    def compute(self, atoms: Atoms, *, configuration: Configuration | None = None) -> Evaluation:
        """Return energy, energies, forces and stress of ``atoms``, by their configuration where given."""
        configuration = configuration or self.configure(atoms)
        energies, forces, virial = self._kernel.evaluate(configuration)
        stress = (virial + virial.T) * (-0.5 / configuration.volume)
        return Evaluation(float(energies.sum()), energies, forces, stress)

    def compute_energy(self, atoms: Atoms) -> float:
        """Return the energy alone [eV], at about a third of the cost of ``compute``."""
        return float(self._kernel.atom_energies(self.configure(atoms)).sum())

    def block_rows(self, atoms: Atoms) -> tuple[IntArray, FloatArray]:
        """Return types (N,) and the rows ∂E_i/∂θ restricted to the central species' block.

        Returns
        -------
        types : (N,)
        rows : (N, S·M·K + 1 + A)
            Derivatives with respect to c[z_i, :, :, :], the offset of z_i and all ξ.
        """
        configuration = self.configure(atoms)
        values, radial = self._kernel.scalar_functions(configuration)
        n = len(values)
        return configuration.types, np.hstack([radial.reshape(n, -1), np.ones((n, 1)), values])

    def rows(self, atoms: Atoms) -> FloatArray:
        """Return the neighbourhood rows ∂E_i/∂θ, shape (N, P).

        θ lists the radial coefficients (row-major over z_i, z_j, μ, k), the offsets, then ξ.
        """
        types, blocks = self.block_rows(atoms)
        n, n_species, width = len(types), len(self.species), self.radial[0].size
        radial = np.zeros((n, n_species, width))
        radial[np.arange(n), types] = blocks[:, :width]
        offsets = np.eye(n_species)[types]
        return np.hstack([radial.reshape(n, -1), offsets, blocks[:, width + 1 :]])

    def with_parameters(
        self,
        *,
        radial: FloatArray | None = None,
        xi: FloatArray | None = None,
        offsets: FloatArray | None = None,
    ) -> "MomentTensorPotential":
        """Return a potential of the same form with other coefficients."""
        return replace(
            self,
            radial=self.radial if radial is None else radial,
            xi=self.xi if xi is None else xi,
            offsets=self.offsets if offsets is None else offsets,
        )

    def without_hard_core(self) -> "MomentTensorPotential":
        """Return the same potential with finite energies at any distance."""
        return replace(self, hard_core=np.zeros_like(self.hard_core))

    def polynomial(self) -> "MomentTensorPotential":
        """Return the moment tensors alone, without hard core and repulsion: what other codes read."""
        none = np.zeros_like(self.hard_core)
        return replace(self, hard_core=none, repulsion=none)

    def to_text(self) -> str:
        """Return the text of a ``.mtp`` file; coefficients survive a round trip exactly."""
        content = PotentialText(
            n_species=len(self.species), species=self.species, level=self.level, basis=self.basis,
            min_distance=self.min_distance, cutoff=self.cutoff, scaling=self.scaling, radial=self.radial,
            xi=self.xi, offsets=self.offsets, hard_core=self.hard_core, repulsion=self.repulsion,
        )  # fmt: skip
        return format_potential(content)

    def save(self, path: str | Path) -> None:
        """Write ``.mtp`` or ``.almtp`` text that MLIP and motep read.

        Raises
        ------
        InputError
            If the file cannot be written.
        """
        write_atomically(Path(path), self.to_text().encode())

    @classmethod
    def load(cls, path: str | Path, *, species: tuple[str, ...] | None = None) -> "MomentTensorPotential":
        """Read ``.mtp`` or ``.almtp``.

        Parameters
        ----------
        path
            A file of MLIP-2, MLIP-3, motep or scalebridge.
        species
            Chemical symbols by type; needed for files of other codes, which do not store them.

        Raises
        ------
        FormatError
            On a damaged file, with file and line.
        InputError
            If the species are not known or do not fit the file.
        """
        content = parse_potential(Path(path))
        if species is not None and content.species and tuple(species) != content.species:
            raise InputError(
                f"{path} is of species {content.species}, not {tuple(species)}; omit the argument"
            )
        symbols = tuple(species) if species is not None else content.species
        if len(symbols) != content.n_species:
            raise InputError(
                f"{path} has {content.n_species} types but {len(symbols)} chemical symbols are known; "
                "pass species=(...) with one symbol per type"
            )
        return cls(
            species=symbols, level=content.level, basis=content.basis, min_distance=content.min_distance,
            cutoff=content.cutoff, scaling=content.scaling, radial=content.radial, xi=content.xi,
            offsets=content.offsets, hard_core=content.hard_core, repulsion=content.repulsion,
        )  # fmt: skip
