"""Langevin dynamics, on request with a cell that is rescaled stochastically, in the compiled core.

equation symbol -> code name:

==========  =============================================================================
h           ``timestep``
γ           ``friction``
kT          ``thermal_energy``
β_T/τ_p     ``rate``: compressibility over the relaxation time of the volume
P_0         ``pressure``
ξ, dW       ``noise``: of the velocities, and of the cell
==========  =============================================================================

Each step is BAOAB [Leimkuhler and Matthews, Appl. Math. Res. Express 2013, 34]: half a kick, half a shift,
the exact Ornstein–Uhlenbeck step of the velocities, half a shift, half a kick with the new forces. Positions
of harmonic vibrations come out exactly at any stable h, their kinetic energy smaller by (ωh/2)².

After every ``every`` steps the cell is strained with all atoms, x → x e^ε [Bernetti and Bussi, J. Chem. Phys.
153, 114107 (2020)], here with the momenta integrated out: the kinetic pressure is its mean NkT/V, and the
velocities stay, for BAOAB's are those of a lower temperature. Isotropically, with Δ = ``every`` h,

    Δ ln V = (β_T/τ_p) (NkT/V + Ξ/V − P_0) Δ + [2 kT β_T/(V τ_p) Δ]^½ ξ,      Ξ = −dE/d ln V,

whose stationary density is V^N e^{−β(U + P_0 V)} dV (Itô); in full, each component of the symmetric strain
moves so with a third of the rate (off the diagonal with half the variance), which leaves V^{N−2}
e^{−β(U + P_0 V)} dh: the ensembles of ``volume_move`` and ``strain_move``, both to the order of Δ/τ_p.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from scalebridge.foundation import constants
from scalebridge.potential._kernel_data import FloatArray
from scalebridge.potential._kernels import Kernel, refusing


@dataclass(frozen=True, eq=False)
class CellBath:
    """How the cell is rescaled.

    Attributes
    ----------
    isotropic
        Whether all of the strain is that of the volume.
    every
        Steps between rescalings.
    rate
        β_T/τ_p [Å³/(eV fs)].
    pressure
        P_0 [eV/Å³].
    noise : (steps // every, 6)
        Standard normal numbers of xx, yy, zz, yz, xz and xy; isotropic: the first column alone is used.
    """

    isotropic: bool
    every: int
    rate: float
    pressure: float
    noise: FloatArray


@dataclass(frozen=True, eq=False)
class LangevinPath:
    """A Langevin trajectory but for its start.

    Attributes
    ----------
    masses : (N,)
        u.
    timestep
        fs.
    friction
        1/fs.
    thermal_energy
        eV.
    noise : (steps, N, 3)
        Standard normal numbers.
    cell
        None: the cell stands still.
    """

    masses: FloatArray
    timestep: float
    friction: float
    thermal_energy: float
    noise: FloatArray = field(repr=False)
    cell: CellBath | None = None

    @property
    def decay(self) -> float:
        """Factor of the velocities over a step, e^{−γh}."""
        return float(np.exp(-self.friction * self.timestep))


@dataclass(frozen=True, eq=False)
class LangevinEnd:
    """End of a Langevin trajectory.

    Attributes
    ----------
    positions, velocities : (N, 3)
        Å and sqrt(eV/u).
    energy
        eV; infinite where the trajectory ended on a hard core, or it or its cell blew up.
    cell : (3, 3)
        Å.
    """

    positions: FloatArray
    velocities: FloatArray
    energy: float
    cell: FloatArray


def follow_langevin(
    kernel: Kernel,
    types: npt.ArrayLike,
    positions: npt.ArrayLike,
    velocities: npt.ArrayLike,
    cell: npt.ArrayLike,
    *,
    path: LangevinPath,
) -> LangevinEnd:
    """Integrate ``path`` in a periodic cell in one call.

    Parameters
    ----------
    kernel
        Of the potential.
    types, positions, cell
        As in ``Kernel.configure``.
    velocities : (N, 3)
        sqrt(eV/u).
    path
        Masses, bath and noise.

    Raises
    ------
    InputError
        On wrong shapes.
    """
    bath = path.cell or CellBath(isotropic=True, every=1, rate=0.0, pressure=0.0, noise=np.zeros((0, 6)))
    x, v, energies, h, _ = refusing(
        kernel.compiled.langevin,
        np.ascontiguousarray(types, dtype=np.int32),
        _doubles(positions),
        _doubles(velocities),
        _doubles(path.masses),
        _doubles(cell),
        [path.timestep * constants.FEMTOSECOND, path.decay, path.thermal_energy],
        _doubles(path.noise).ravel(),
        bath.isotropic,
        bath.every,
        [bath.rate / constants.FEMTOSECOND, bath.pressure],
        _doubles(bath.noise).ravel(),
    )
    return LangevinEnd(x, v, float(energies.sum()), h)


def _doubles(values: npt.ArrayLike) -> FloatArray:
    return np.ascontiguousarray(values, dtype=np.float64)
