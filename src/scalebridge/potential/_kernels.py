"""The fast twin of ``_reference``: the only importer of the compiled core.

A ``Kernel`` holds plain arrays, crosses process borders by pickling and builds the compiled object on first
use in each process. No ASE objects; types are indices into the potential's species.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scalebridge import _core
from scalebridge.foundation import InputError, constants
from scalebridge.potential._basis import IntArray, sort_products
from scalebridge.potential._kernel_data import Burst, FloatArray, KernelParameters

Periodicity = Sequence[bool] | npt.NDArray[np.bool_]


def _doubles(values: npt.ArrayLike) -> FloatArray:
    return np.ascontiguousarray(values, dtype=np.float64)


def _types(values: npt.ArrayLike) -> IntArray:
    return np.ascontiguousarray(values, dtype=np.int32)


def refusing(call: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a function of the core does with ``arguments``; what it refuses is an ``InputError``."""
    try:
        return call(*arguments)
    except ValueError as error:
        raise InputError(str(error)) from error


def _threads_of_environment() -> int:
    """Return SCALEBRIDGE_THREADS, else OMP_NUM_THREADS, else 1."""
    for name in ("SCALEBRIDGE_THREADS", "OMP_NUM_THREADS"):
        value = os.environ.get(name, "").strip()
        if value.isdigit() and int(value) > 0:
            return int(value)
    return 1


REPULSION_WHOLE_SHARE = float(_core.repulsion_whole_share)
"""Of the repulsion's range; it is whole below and switched off above."""


class Configuration:
    """Atoms with a neighbour list, for repeated evaluation with potentials of the same cutoff."""

    def __init__(self, compiled: Any, types: IntArray) -> None:
        self._compiled = compiled
        self.types = types

    @property
    def n_pairs(self) -> int:
        """Number of ordered pairs within the cutoff."""
        return int(self._compiled.pairs)

    @property
    def volume(self) -> float:
        """Of the cell [Å³]; NaN unless it is periodic in all directions."""
        return float(self._compiled.volume)


class Kernel:
    """Energies, forces, rows and gradients of one potential in compiled code; picklable, immutable.

    Parameters
    ----------
    parameters
        The potential.
    instructions
        ``"baseline"``, ``"avx2"``, ``"avx512"``; empty picks the widest the processor has.
    threads
        Threads over atoms; by default what the environment says (SCALEBRIDGE_THREADS, else OMP_NUM_THREADS),
        else 1. Results depend on it by rounding only.
    """

    def __init__(
        self, parameters: KernelParameters, *, instructions: str = "", threads: int | None = None
    ) -> None:
        self.parameters = parameters
        self._instructions = instructions
        self._threads = threads
        self._compiled: Any = None

    def __getstate__(self) -> tuple[KernelParameters, str, int | None]:
        return self.parameters, self._instructions, self._threads

    def __setstate__(self, state: tuple[KernelParameters, str, int | None]) -> None:
        self.parameters, self._instructions, self._threads = state
        self._compiled = None

    @property
    def compiled(self) -> Any:
        """The compiled object, built on first use."""
        if self._compiled is None:
            p = self.parameters
            species, _, functions, size = p.radial.shape
            try:
                self._compiled = _core.Potential(
                    sizes=[species, functions, size],
                    support=[p.min_distance, p.cutoff, p.scaling],
                    radial=_doubles(p.radial).ravel(),
                    basic=_types(p.basis.basic).ravel(),
                    products=sort_products(p.basis.products).ravel(),
                    moments=p.basis.n_moments,
                    scalar=_types(p.basis.scalars),
                    xi=_doubles(p.xi),
                    offsets=_doubles(p.offsets),
                    hard_core=_doubles(p.hard_core).ravel(),
                    repulsion=_doubles(p.repulsion).ravel(),
                    charges=_doubles(p.charges),
                    kernel=self._instructions,
                    threads=_threads_of_environment() if self._threads is None else self._threads,
                )
            except ValueError as error:
                raise InputError(str(error)) from error
        return self._compiled

    @property
    def instructions(self) -> str:
        """Instruction set in use."""
        return str(self.compiled.kernel)

    @property
    def threads(self) -> int:
        """Number of threads in use."""
        return int(self.compiled.threads)

    def configure(
        self,
        types: npt.ArrayLike,
        positions: npt.ArrayLike,
        cell: npt.ArrayLike,
        pbc: Periodicity,
        *,
        skin: float = 0.0,
    ) -> Configuration:
        """Build a neighbour list.

        Parameters
        ----------
        types : (N,)
            Indices into the species.
        positions : (N, 3)
            Å; need not be wrapped.
        cell : (3, 3)
            Rows are the cell vectors [Å]; vectors of open directions are not read.
        pbc : (3,)
            Periodic directions.
        skin
            Added to the cutoff, so that the list serves ``move`` for a while [Å].

        Raises
        ------
        InputError
            On wrong shapes or types, a singular cell, coordinates that are not finite, or a cutoff that
            asks for an absurd number of images.
        """
        kinds = _types(types)
        directions = [bool(periodic) for periodic in pbc]
        compiled = refusing(
            self.compiled.configure, kinds, _doubles(positions), _doubles(cell), directions, skin
        )
        return Configuration(compiled, kinds)

    def move(self, configuration: Configuration, positions: npt.ArrayLike) -> None:
        """Put the atoms of ``configuration`` at ``positions`` (N, 3) [Å], continuing without wrapping.

        The neighbour list is made anew only when an atom has moved by more than half the skin since it was
        made.
        """
        refusing(self.compiled.move, configuration._compiled, _doubles(positions))

    def energy(
        self, types: npt.ArrayLike, positions: npt.ArrayLike, cell: npt.ArrayLike, pbc: Periodicity
    ) -> float:
        """Return the energy [eV]; ``math.inf`` where two atoms are closer than their hard core."""
        return float(self.atom_energies(self.configure(types, positions, cell, pbc)).sum())

    def energy_forces_virial(
        self, types: npt.ArrayLike, positions: npt.ArrayLike, cell: npt.ArrayLike, pbc: Periodicity
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return energies (N,) [eV], forces (N, 3) [eV/Å] and the virial (3, 3) [eV].

        The virial is -dE/dstrain: ASE's stress is ``-virial / volume``, the pressure of the atoms at rest
        ``trace(virial) / (3 volume)``. Energies of atoms inside a hard core are infinite.
        """
        return self.evaluate(self.configure(types, positions, cell, pbc))

    def evaluate(self, configuration: Configuration) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return energies, forces and virial as ``energy_forces_virial`` does.

        Raises
        ------
        InputError
            Here and in all that follows, if a potential of another cutoff or more species configured it.
        """
        energies, forces, virial = refusing(self.compiled.forces, configuration._compiled)
        return energies, forces, virial

    def atom_energies(self, configuration: Configuration) -> FloatArray:
        """Return the energies (N,) [eV] without the cost of forces."""
        out: FloatArray = refusing(self.compiled.energies, configuration._compiled)
        return out

    def scalar_functions(self, configuration: Configuration) -> tuple[FloatArray, FloatArray]:
        """Return B_alpha (N, A) and the rows dE_i/dc_{z_i, z_j, mu, k} (N, S, M, K) of each neighbourhood."""
        values, radial = refusing(self.compiled.rows, configuration._compiled)
        return values, radial

    def design(self, configuration: Configuration) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return what is linear in xi: sums of B (A,), gradients dB/dr (N, 3, A), virials (3, 3, A)."""
        values, gradients, virials = refusing(self.compiled.design, configuration._compiled)
        return values, gradients, virials

    def record(self, configuration: Configuration) -> "Recording":
        """Return energies, forces and virial as ``evaluate`` does, ready for ``Recording.loss_gradient``."""
        compiled, energies, forces, virial = refusing(self.compiled.record, configuration._compiled)
        return Recording(energies, forces, virial, self, compiled)

    def velocity_verlet(  # noqa: PLR0917 - the arrays of a walker, in the order every caller has them
        self,
        types: npt.ArrayLike,
        positions: npt.ArrayLike,
        velocities: npt.ArrayLike,
        masses: npt.ArrayLike,
        cell: npt.ArrayLike,
        pbc: Periodicity,
        timestep_fs: float,
        steps: int,
    ) -> Burst:
        """Run ``steps`` steps of velocity Verlet in one call.

        Parameters
        ----------
        types, positions, cell, pbc
            As in ``configure``.
        velocities : (N, 3)
            sqrt(eV/u), ASE's unit (kinetic energy is m v²/2 in eV).
        masses : (N,)
            u.
        timestep_fs
            fs.
        steps
            Number of steps; 0 evaluates the forces only.
        """
        x, v, energies, forces, virial, done = refusing(
            self.compiled.velocity_verlet,
            _types(types),
            _doubles(positions),
            _doubles(velocities),
            _doubles(masses),
            _doubles(cell),
            [bool(periodic) for periodic in pbc],
            timestep_fs * constants.FEMTOSECOND,
            steps,
        )
        return Burst(x, v, float(energies.sum()), forces, virial, int(done))


@dataclass(frozen=True, eq=False)
class Recording:
    """Energies (N,), forces (N, 3) and virial (3, 3) of a configuration with what their derivatives need."""

    energies: FloatArray
    forces: FloatArray
    virial: FloatArray
    _kernel: Kernel
    _compiled: Any

    def loss_gradient(
        self, weight: float, velocities: FloatArray, strain_rate: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return d/dξ (A,) and d/dc (S, S, M, K) of weight E + Σ_i v_i · dE/dr_i + strain_rate : dE/dstrain.

        Tangent-over-reverse, one pass: with v and strain_rate the derivatives of a loss with respect to dE/dr
        and dE/dstrain this is the loss's gradient. That of the offsets is ``weight`` per atom.
        """
        linear, radial = self._kernel.compiled.loss_gradient(
            self._compiled, weight, _doubles(velocities), _doubles(strain_rate)
        )
        return linear, radial


def shortest_distances(
    types: npt.ArrayLike,
    positions: npt.ArrayLike,
    cell: npt.ArrayLike,
    pbc: Periodicity,
    *,
    cutoff: float,
    n_species: int,
) -> FloatArray:
    """Return the shortest distance of each species pair (S, S) [Å]; infinite beyond ``cutoff``."""
    try:
        out: FloatArray = _core.shortest_distances(
            _types(types), _doubles(positions), _doubles(cell), [bool(p) for p in pbc], cutoff, n_species
        )
    except ValueError as error:
        raise InputError(str(error)) from error
    return out
