"""Energies of configurations that differ from a known one in one atom, by evaluating its surroundings."""

from typing import Any

import numpy as np
import numpy.typing as npt

from scalebridge.potential._kernels import Kernel, Periodicity, refusing


class LocalEnergies:
    """A configuration whose atoms can be taken away, added or moved, on trial or for good; picklable.

    The energy of each atom is known from the first call on; a trial evaluates the atoms within the cutoff of
    what changes, at a cost that does not grow with the cell, and to accept it costs little more.

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
        return float(refusing(self._energies().after, *_change(removed, added, position)))

    def accept(
        self,
        *,
        removed: int | None = None,
        added: int | None = None,
        position: npt.ArrayLike = (0.0, 0.0, 0.0),
        in_place: bool = False,
    ) -> None:
        """Make the change of one atom.

        Parameters
        ----------
        removed, added, position
            As in ``after``; right after its trial a change costs no second evaluation.
        in_place
            The added atom takes the index of the removed one; else it becomes the last.

        Raises
        ------
        InputError
            As ``after``, and where the energy after the change is infinite.
        """
        refusing(self._energies().accept, *_change(removed, added, position), in_place)
        types, positions, cell, pbc = self._arrays
        types, positions = np.asarray(types, dtype=np.int32), np.asarray(positions, dtype=np.float64)
        place = np.asarray(position, dtype=np.float64)
        if removed is not None and added is not None and in_place:
            types, positions = types.copy(), positions.copy()
            types[removed], positions[removed] = added, place
        else:
            if removed is not None:
                types, positions = np.delete(types, removed), np.delete(positions, removed, axis=0)
            if added is not None:
                types, positions = np.append(types, np.int32(added)), np.vstack([positions, place])
        self._arrays = (types, positions, cell, pbc)

    def _energies(self) -> Any:
        """Return the compiled object, built on first use."""
        if self._compiled is None:
            configuration = self._kernel.configure(*self._arrays)
            self._compiled = refusing(self._kernel.compiled.local_energies, configuration._compiled)
        return self._compiled


def _change(removed: int | None, added: int | None, position: npt.ArrayLike) -> tuple[int, int, list[float]]:
    place: list[float] = np.asarray(position, dtype=np.float64).tolist()
    return -1 if removed is None else removed, -1 if added is None else added, place
