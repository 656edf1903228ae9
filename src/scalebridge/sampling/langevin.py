"""Settings of Langevin bursts: approximate, and cheap where exact ones are rejected often."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from scalebridge.foundation import InputError
from scalebridge.potential import CellBath


@dataclass(frozen=True)
class LangevinSettings:
    """The bath of a Langevin burst (``potential.langevin``).

    Attributes
    ----------
    friction
        [1/fs].
    cell
        ``constant``, or rescaled stochastically: ``isotropic`` or ``full``.
    relaxation_time
        Of the volume of a crystal with this compressibility [fs].
    compressibility
        Its guess [Å³/eV], which sets the pace alone; 3.2 Å³/eV is 1/(50 GPa).
    every
        Steps between rescalings.
    """

    friction: float = 0.01
    cell: Literal["constant", "isotropic", "full"] = "constant"
    relaxation_time: float = 500.0
    compressibility: float = 3.2
    every: int = 5

    def __post_init__(self) -> None:
        if min(self.friction, self.relaxation_time, self.compressibility) <= 0 or self.every < 1:
            raise InputError(
                f"a bath of friction {self.friction:g}/fs, relaxation time {self.relaxation_time:g} fs and "
                f"compressibility {self.compressibility:g} Å³/eV, every {self.every} steps, is none; all are "
                "positive, for example 0.01, 500, 3.2 and 5"
            )

    @property
    def moves_cell(self) -> bool:
        """Whether the cell is rescaled."""
        return self.cell != "constant"

    @property
    def citations(self) -> tuple[str, ...]:
        """Keys of ``foundation.citations``."""
        return ("leimkuhler2013", "bernetti2020") if self.moves_cell else ("leimkuhler2013",)

    def cell_bath(self, steps: int, pressure: float, rng: np.random.Generator) -> CellBath | None:
        """Draw what the cell meets in ``steps`` at ``pressure`` [eV/Å³]; None if it stands still."""
        if not self.moves_cell:
            return None
        return CellBath(
            isotropic=self.cell == "isotropic",
            every=self.every,
            rate=self.compressibility / self.relaxation_time,
            pressure=pressure,
            noise=rng.standard_normal((steps // self.every, 6)),
        )

    def approximation(self, steps: int, timestep: float) -> str:
        """Say what bursts of ``steps`` of ``timestep`` [fs] do not sample exactly."""
        said = (
            f"bursts of {steps} steps of {timestep:g} fs were Langevin dynamics (BAOAB, friction "
            f"{self.friction:g}/fs), not accepted on the total energy: averages are off by the order of the "
            "time step squared"
        )
        if not self.moves_cell:
            return said
        return (
            f"{said}; their cell was rescaled stochastically ({self.cell}) every {self.every} steps with a "
            f"relaxation time of {self.relaxation_time:g} fs: volumes are off by the ratio of the two"
        )
