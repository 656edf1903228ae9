"""Non-equilibrium switching between two sets of interacting atoms, in the compiled core."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scalebridge.foundation import constants
from scalebridge.potential._basis import IntArray
from scalebridge.potential._kernel_data import FloatArray
from scalebridge.potential._kernels import Kernel, refusing

IN_BOTH, IN_FIRST, IN_SECOND = 0, 1, 2
"""Roles: the states in which an atom interacts."""


@dataclass(frozen=True, eq=False)
class SwitchPath:
    """The path from a first to a second state, each of which may lack atoms of the other.

    H_λ = K + (1 − λ)(U_first + ghosts_first) + λ(U_second + ghosts_second). A ghost is an atom in the state
    that lacks it: it feels only a spring to its hook, which follows the mean position of the framework.

    Attributes
    ----------
    roles : (N,)
        ``IN_BOTH``, ``IN_FIRST`` or ``IN_SECOND``.
    ghosts : (g,)
        Atoms of one state alone that hang on a spring in the other; without it an atom is free there.
    hooks : (g, 3)
        Å, relative to the framework's mean position.
    stiffness
        Of the springs [eV/Å²].
    framework
        The first atoms, whose mean position the hooks follow; 0: the hooks stand still.
    masses : (N,)
        u.
    timestep
        fs.
    couplings : (steps,)
        λ of each velocity-Verlet step.
    """

    roles: IntArray
    ghosts: IntArray
    hooks: FloatArray
    stiffness: float
    framework: int
    masses: FloatArray
    timestep: float
    couplings: FloatArray


@dataclass(frozen=True, eq=False)
class SwitchEnd:
    """End of a switch.

    Attributes
    ----------
    work
        H_second at the end minus H_first at the start [eV]; infinite where a state was refused on the way.
    energy
        U_second at the end [eV].
    positions, velocities : (N, 3)
        Å and sqrt(eV/u).
    slopes : (visited,)
        ∂H/∂λ [eV] at the start and after each step; its mean at fixed λ is the slope of the free energy.
    """

    work: float
    energy: float
    positions: FloatArray
    velocities: FloatArray
    slopes: FloatArray


def follow_switch(
    kernel: Kernel,
    types: npt.ArrayLike,
    positions: npt.ArrayLike,
    velocities: npt.ArrayLike,
    cell: npt.ArrayLike,
    *,
    path: SwitchPath,
) -> SwitchEnd:
    """Integrate velocity Verlet along ``path`` in a periodic cell, evaluating both states at once.

    Parameters
    ----------
    kernel
        Of the potential.
    types, positions, cell
        As in ``Kernel.configure``; atoms of both states.
    velocities : (N, 3)
        sqrt(eV/u).
    path
        States, masses and couplings.

    Raises
    ------
    InputError
        On wrong shapes or roles, or couplings outside 0 … 1.
    """
    work, energy, x, v, slopes = refusing(
        kernel.compiled.switch,
        np.ascontiguousarray(types, dtype=np.int32),
        _doubles(positions),
        _doubles(velocities),
        _doubles(path.masses),
        _doubles(cell),
        np.ascontiguousarray(path.roles, dtype=np.int32),
        np.ascontiguousarray(path.ghosts, dtype=np.int32),
        _doubles(path.hooks),
        [path.stiffness, path.timestep * constants.FEMTOSECOND],
        path.framework,
        _doubles(path.couplings),
    )
    return SwitchEnd(float(work), float(energy), x, v, slopes)


def _doubles(values: npt.ArrayLike) -> FloatArray:
    return np.ascontiguousarray(values, dtype=np.float64)
