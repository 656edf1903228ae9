"""Verification: long dynamics in a large cell, graded on the way: whether a potential knows what it meets.

Molecular dynamics with the atoms' own masses and momenta drawn afresh for every burst (Andersen), each
followed by a Metropolis move of the cell at zero pressure. The grades are those of the states between bursts.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from scalebridge.foundation import InputError, random_stream
from scalebridge.sampling.configuration import Configuration
from scalebridge.sampling.grading import Grader
from scalebridge.sampling.host_cell import HostCell
from scalebridge.sampling.model import EnergyModel
from scalebridge.sampling.moves import BurstSettings, Ensemble, hybrid_burst, strain_move
from scalebridge.sampling.site_density import SiteDensity

BURST: Final = BurstSettings(steps=50, timestep=1.0, metropolis=False)
STRAIN_AMPLITUDE: Final = 0.004
FEMTOSECONDS: Final = 1000.0
"""In a picosecond."""
LOST: Final = 1e6
"""Grade at which a run is given up: the atoms are no crystal any more."""


@dataclass(frozen=True)
class VerificationTask:
    """One run, picklable.

    Attributes
    ----------
    model, grader
        The potential and its extrapolation grade.
    start, ions
        Cell and content; ions on random sites.
    temperature
        [K].
    picoseconds
        Length of the dynamics.
    seed
        Random numbers depend on it, the content and the temperature.
    """

    model: EnergyModel
    grader: Grader
    start: HostCell
    ions: int
    temperature: float
    picoseconds: float
    seed: int

    def __post_init__(self) -> None:
        if self.picoseconds <= 0 or self.temperature <= 0:
            raise InputError(
                f"{self.picoseconds:g} ps at {self.temperature:g} K are no run; give positive numbers"
            )


@dataclass(frozen=True)
class Verification:
    """What one run met.

    Attributes
    ----------
    x
        Ions per formula unit.
    temperature
        [K].
    atoms
        In the cell.
    picoseconds
        Done; less than asked for only where the crystal was lost.
    grades
        After every burst, (n,).
    volumes
        Per formula unit [Å³], (n,).
    worst
        State of the largest grade, which is ``info["grade"]``.
    """

    x: float
    temperature: float
    atoms: int
    picoseconds: float
    grades: NDArray[np.float64]
    volumes: NDArray[np.float64]
    worst: Atoms


def verify(task: VerificationTask) -> Verification:
    """Run the dynamics of a task; a top-level function of a picklable argument, fit for a process pool."""
    rng = random_stream(task.seed, "sampling", "verification", task.ions, f"{task.temperature:g}")
    masses = Atoms(list(task.model.species)).get_masses()
    ensemble = Ensemble(task.model, task.temperature, masses, SiteDensity(width=0.5))
    state = Configuration.from_atoms(task.start, task.start.random_atoms(task.ions, rng), task.model)
    length = BURST.steps * BURST.timestep / FEMTOSECONDS
    grades: list[float] = []
    volumes: list[float] = []
    worst = state
    for _ in range(max(1, round(task.picoseconds / length))):
        state = hybrid_burst(state, ensemble, BURST, rng).configuration
        state = strain_move(state, ensemble, STRAIN_AMPLITUDE, rng).configuration
        grades.append(task.grader.grade(state.types, state.positions, state.cell, (True, True, True)))
        volumes.append(abs(float(np.linalg.det(state.cell))) / task.start.formula_units)
        worst = state if grades[-1] >= max(grades) else worst
        if not grades[-1] < LOST:
            break
    atoms = worst.to_atoms()
    atoms.wrap()
    atoms.info["grade"] = max(grades)
    return Verification(
        x=task.start.composition(task.ions),
        temperature=task.temperature,
        atoms=len(atoms),
        picoseconds=length * len(grades),
        grades=np.array(grades),
        volumes=np.array(volumes),
        worst=atoms,
    )
