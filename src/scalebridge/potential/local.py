"""Energies of configurations that differ from a known one in one atom, by evaluating its surroundings."""

from typing import Any

import numpy as np
import numpy.typing as npt

from scalebridge.potential._kernels import Kernel, Periodicity, refusing


class LocalEnergies:
    """A configuration whose atoms can be taken away, added or moved on trial; picklable, immutable.

    The energy of each atom is known from the first call on; a trial evaluates the atoms within the cutoff of
    what changes, at a cost that does not grow with the cell.

    Parameters
    ----------
    kernel
        Of the potential.
    types, positions, cell, pbc
        As in ``Kernel.configure``.
    """

    def __init__(
        self,
        kernel: Kernel,
        types: npt.ArrayLike,
        positions: npt.ArrayLike,
        cell: npt.ArrayLike,
        pbc: Periodicity,
    ) -> None:
        self._kernel = kernel
        self._arrays = (types, positions, cell, pbc)
        self._compiled: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_compiled": None}

    def after(
        self,
        *,
        removed: int | None = None,
        added: int | None = None,
        position: npt.ArrayLike = (0.0, 0.0, 0.0),
    ) -> float:
        """Return the energy [eV] after a change of one atom; ``math.inf`` where a hard core is touched.

        Parameters
        ----------
        removed
            Index of the atom that is taken away; None: all stay.
        added
            Type of an atom that is put at ``position`` (3,) [Å]; None: none is. With the type of the removed
            atom that atom moves.

        Raises
        ------
        InputError
            If there is no such atom or type, or the position is not finite.
        """
        if self._compiled is None:
            configuration = self._kernel.configure(*self._arrays)
            self._compiled = refusing(self._kernel.compiled.local_energies, configuration._compiled)
        return float(
            refusing(
                self._compiled.after,
                -1 if removed is None else removed,
                -1 if added is None else added,
                np.asarray(position, dtype=np.float64).tolist(),
            )
        )
