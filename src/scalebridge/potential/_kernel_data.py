"""Plain objects that go into the compiled kernel and come out of it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scalebridge.potential._basis import Basis

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class KernelParameters:
    """What defines a potential, as arrays (shapes with S species, M radial functions, K basis size).

    Attributes
    ----------
    basis : Basis
        Index tables.
    min_distance, cutoff, scaling : float
        Support of the radial basis [Å] and its factor s.
    radial : (S, S, M, K)
        c[z_i, z_j, mu, k].
    xi : (A,)
        Linear coefficients [eV].
    offsets : (S,)
        Energies of isolated atoms [eV].
    hard_core : (S, S)
        Closer pairs have infinite energy [Å].
    repulsion : (S, S)
        Closer pairs repel as screened nuclei [Å]; 0: they do not.
    charges : (S,)
        Of the nuclei.
    """

    basis: Basis
    min_distance: float
    cutoff: float
    scaling: float
    radial: FloatArray
    xi: FloatArray
    offsets: FloatArray
    hard_core: FloatArray
    repulsion: FloatArray
    charges: FloatArray


@dataclass(frozen=True)
class Burst:
    """Result of ``Kernel.velocity_verlet``; unpacks as (positions, velocities, energy, forces, virial).

    Attributes
    ----------
    positions, velocities, forces : (N, 3)
        Å, sqrt(eV/u) (ASE's unit) and eV/Å after the last step.
    energy : float
        Potential energy [eV]; infinite where the burst ended on a hard core or blew up.
    virial : (3, 3)
        -dE/dstrain [eV].
    steps_done : int
        Steps taken; fewer than asked for only when the energy is infinite.
    """

    positions: FloatArray
    velocities: FloatArray
    energy: float
    forces: FloatArray
    virial: FloatArray
    steps_done: int

    def __iter__(self) -> Any:
        return iter((self.positions, self.velocities, self.energy, self.forces, self.virial))
