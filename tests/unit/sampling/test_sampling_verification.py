"""Verification runs: the equipartition they sample, the worst state they keep, where they give up."""

import numpy as np
import pytest
from ase import Atoms

from scalebridge.foundation import InputError, constants
from scalebridge.sampling import EnergyModel, Evaluation, HostCell, VerificationTask, verify

EDGE = 6.0
STIFFNESS = 3.0


class Wells(EnergyModel):
    """Every atom in a harmonic well about its first place, scaled with the cell; the cell is stiff."""

    def __init__(self):
        self.home = np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]])

    @property
    def species(self):
        return ("Fe", "Na")

    def energy(self, types, positions, cell):
        return self.evaluate(types, positions, cell).energy

    def evaluate(self, types, positions, cell):
        away = positions - self.home[: len(positions)] @ cell
        strain = (cell - EDGE * np.eye(3)) / EDGE
        energy = 0.5 * STIFFNESS * np.sum(away**2) + 1e4 * np.sum(strain**2)
        return Evaluation(float(energy), -STIFFNESS * away)


class Amplitude:
    """Grades a state by the square of its displacements from the wells."""

    def grade(self, types, positions, cell, pbc):
        home = np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]])
        return float(np.sum((positions - home[: len(positions)] @ cell) ** 2))


def task(**changes):
    cell = HostCell(Atoms("Fe", cell=[EDGE] * 3, pbc=True), np.array([[0.5, 0.5, 0.5]]), 1, "Na")
    settings = {"temperature": 300.0, "picoseconds": 60.0, "seed": 1, "ions": 1, **changes}
    return VerificationTask(model=Wells(), grader=Amplitude(), start=cell, **settings)


def test_states_are_those_of_the_temperature():
    """⟨Σ u²⟩ = 6 kT/k; 1200 bursts that redraw all momenta, four standard errors: fails once in 16 000."""
    found = verify(task())
    expected = 6 * constants.BOLTZMANN_EV * 300 / STIFFNESS
    blocks = found.grades.reshape(30, -1).mean(axis=1)
    assert found.grades.mean() == pytest.approx(expected, abs=4 * blocks.std() / np.sqrt(30))
    assert found.picoseconds == pytest.approx(60.0)
    assert (found.x, found.atoms) == (1.0, 2)
    assert found.volumes.mean() == pytest.approx(EDGE**3, rel=0.01)


def test_the_worst_state_is_kept_with_its_grade():
    found = verify(task(picoseconds=2.0))
    assert found.worst.info["grade"] == found.grades.max()
    wrapped = (found.worst.positions + EDGE / 2 + 1e-9) % EDGE
    home = np.array([[EDGE / 2] * 3, [0.0] * 3])
    away = (wrapped - home + EDGE / 2) % EDGE - EDGE / 2
    assert np.sum(away**2) == pytest.approx(found.grades.max(), rel=0.05)  # the cell moves a little


def test_a_lost_crystal_ends_its_run():
    class Lost(Amplitude):
        def grade(self, types, positions, cell, pbc):
            return np.inf

    cell = task().start
    found = verify(VerificationTask(Wells(), Lost(), cell, 0, 300.0, 5.0, 1))
    assert len(found.grades) == 1
    assert found.picoseconds < 0.1


def test_no_run_of_no_length():
    with pytest.raises(InputError, match="0 ps at 300 K are no run"):
        task(picoseconds=0.0)
