"""Types of the compiled core (bindings/module.cpp)."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_Doubles = npt.NDArray[np.float64]
_Integers = npt.NDArray[np.int32]

class Configuration:
    @property
    def atoms(self) -> int: ...
    @property
    def pairs(self) -> int: ...

class Potential:
    def __init__(
        self,
        sizes: Sequence[int],
        support: Sequence[float],
        radial: _Doubles,
        basic: _Integers,
        products: _Integers,
        moments: int,
        scalar: _Integers,
        xi: _Doubles,
        offsets: _Doubles,
        hard_core: _Doubles,
        kernel: str,
    ) -> None: ...
    @property
    def kernel(self) -> str: ...
    def configure(
        self, types: _Integers, positions: _Doubles, cell: _Doubles, pbc: Sequence[bool]
    ) -> Configuration: ...
    def energies(self, configuration: Configuration) -> _Doubles: ...
    def forces(self, configuration: Configuration) -> tuple[_Doubles, _Doubles, _Doubles]: ...
    def rows(self, configuration: Configuration) -> tuple[_Doubles, _Doubles]: ...
    def design(self, configuration: Configuration) -> tuple[_Doubles, _Doubles, _Doubles]: ...
    def tangent_gradient(
        self, configuration: Configuration, weight: float, velocities: _Doubles, strain_rate: _Doubles
    ) -> _Doubles: ...
    def velocity_verlet(
        self,
        types: _Integers,
        positions: _Doubles,
        velocities: _Doubles,
        masses: _Doubles,
        cell: _Doubles,
        pbc: Sequence[bool],
        timestep: float,
        steps: int,
    ) -> tuple[_Doubles, _Doubles, _Doubles, _Doubles, _Doubles, int]: ...

def shortest_distances(
    types: _Integers, positions: _Doubles, cell: _Doubles, pbc: Sequence[bool], cutoff: float, species: int
) -> _Doubles: ...
