"""Types of the compiled core (bindings/module.cpp)."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_Doubles = npt.NDArray[np.float64]
_Integers = npt.NDArray[np.int32]

repulsion_whole_share: float

class Configuration:
    @property
    def atoms(self) -> int: ...
    @property
    def pairs(self) -> int: ...
    @property
    def volume(self) -> float: ...

class Recording: ...
class GradeMatrices: ...

class LocalEnergies:
    @property
    def energy(self) -> float: ...
    def after(self, removed: int, added: int, position: Sequence[float]) -> float: ...

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
        repulsion: _Doubles,
        charges: _Doubles,
        kernel: str,
        threads: int,
    ) -> None: ...
    @property
    def kernel(self) -> str: ...
    @property
    def threads(self) -> int: ...
    def configure(
        self, types: _Integers, positions: _Doubles, cell: _Doubles, pbc: Sequence[bool], skin: float = 0.0
    ) -> Configuration: ...
    def move(self, configuration: Configuration, positions: _Doubles) -> None: ...
    def energies(self, configuration: Configuration) -> _Doubles: ...
    def forces(self, configuration: Configuration) -> tuple[_Doubles, _Doubles, _Doubles]: ...
    def rows(self, configuration: Configuration) -> tuple[_Doubles, _Doubles]: ...
    def local_energies(self, configuration: Configuration) -> LocalEnergies: ...
    def grade_matrices(self, inverses: Sequence[_Doubles]) -> GradeMatrices: ...
    def grades(self, configuration: Configuration, matrices: GradeMatrices) -> _Doubles: ...
    def graded_forces(
        self, configuration: Configuration, matrices: GradeMatrices
    ) -> tuple[_Doubles, _Doubles, _Doubles, _Doubles]: ...
    def design(self, configuration: Configuration) -> tuple[_Doubles, _Doubles, _Doubles]: ...
    def record(self, configuration: Configuration) -> tuple[Recording, _Doubles, _Doubles, _Doubles]: ...
    def loss_gradient(
        self, recording: Recording, weight: float, velocities: _Doubles, strain_rate: _Doubles
    ) -> tuple[_Doubles, _Doubles]: ...
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
    def langevin(
        self,
        types: _Integers,
        positions: _Doubles,
        velocities: _Doubles,
        masses: _Doubles,
        cell: _Doubles,
        scales: Sequence[float],
        noise: _Doubles,
        isotropic: bool,
        every: int,
        bath: Sequence[float],
        cell_noise: _Doubles,
    ) -> tuple[_Doubles, _Doubles, _Doubles, _Doubles, int]: ...

def shortest_distances(
    types: _Integers, positions: _Doubles, cell: _Doubles, pbc: Sequence[bool], cutoff: float, species: int
) -> _Doubles: ...
