"""A host without surprises: ions in a cubic cosine landscape, a harmonic framework, an elastic cell."""

import numpy as np
from ase.calculators.calculator import Calculator, all_changes

from scalebridge.contracts import HostPhase, Structure
from scalebridge.sampling import EnergyModel, Evaluation

PERIOD, BARRIER, SPRING = 3.0, 0.25, 4.0
ION, FRAME = "Li", "U"


def phase(stretch: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> HostPhase:
    """One framework atom and one site per cubic cell, whose edges may be stretched."""
    return HostPhase(
        name="cubic",
        framework=Structure(
            symbols=(FRAME,), cell=np.diag(stretch) * PERIOD * 1e-10, scaled_positions=np.zeros((1, 3))
        ),
        sites=np.array([[0.5, 0.5, 0.5]]),
        formula_units=1,
        composition=0.0,
        source="model",
    )


def landscape(ion, scaled, repeat):
    """Energy and −∂E/∂(scaled): ions see (E_b/2) Σ (1 + cos 2πu), u their place in the framework's cells."""
    scale = BARRIER * 0.5
    cells = scaled * repeat
    centre = cells[~ion] - np.rint(cells[~ion])
    mean = centre.mean(axis=0)
    u = 2 * np.pi * (cells[ion] - mean)
    energy = scale * (1 + np.cos(u)).sum() + 0.5 * SPRING * ((centre - mean) ** 2).sum()
    force = np.zeros_like(cells)
    force[ion] = scale * 2 * np.pi * np.sin(u)
    force[~ion] = -SPRING * (centre - mean) - force[ion].sum(axis=0) / max(int((~ion).sum()), 1)
    return float(energy), force * repeat


class LandscapeCalculator(Calculator):
    """The landscape for ASE, with a cell that resists strain."""

    implemented_properties = ("energy", "forces", "stress")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        cell = np.asarray(self.atoms.cell)
        repeat = np.rint(np.linalg.norm(cell, axis=1) / PERIOD)
        ion = self.atoms.numbers == 3
        energy, force = landscape(ion, self.atoms.get_scaled_positions(wrap=False), repeat)
        strain = cell / (PERIOD * repeat[:, None]) - np.eye(3)
        self.results["energy"] = energy + 50.0 * float((strain**2).sum())
        self.results["forces"] = force @ np.linalg.inv(cell).T
        stress = 100.0 * 0.5 * (strain + strain.T) / self.atoms.get_volume()
        self.results["stress"] = stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]


class LandscapeModel(EnergyModel):
    """The landscape for molecular dynamics."""

    species = (FRAME, ION)

    def energy(self, types, positions, cell):
        return self.evaluate(types, positions, cell).energy

    def evaluate(self, types, positions, cell):
        inverse = np.linalg.inv(cell)
        repeat = np.rint(np.linalg.norm(cell, axis=1) / PERIOD)
        energy, force = landscape(types == 1, positions @ inverse, repeat)
        return Evaluation(energy, force @ inverse.T)
