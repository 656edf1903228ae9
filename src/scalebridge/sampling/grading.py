"""The extrapolation grade as seen by samplers."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Grader(Protocol):
    """Extrapolation grade of a configuration; picklable (``ActiveSet.grader``)."""

    def grade(
        self,
        types: NDArray[np.int32],
        positions: NDArray[np.float64],
        cell: NDArray[np.float64],
        pbc: Sequence[bool],
    ) -> float:
        """Return the largest grade of the atoms."""
        ...
