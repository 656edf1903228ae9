"""A Lennard-Jones framework with ions on a crystal of their own, in cages, or counted by bonds."""

from functools import cache

import numpy as np
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.lj import LennardJones
from ase.neighborlist import neighbor_list
from scipy.optimize import minimize_scalar

from scalebridge.contracts import Host, HostPhase, Isotherm, Plateau, Provenance, Structure

FRAME, ION, LATTICE = "Ar", "Na", 4.0
DEPTH = {FRAME: 0.4, ION: 0.15}
PROVENANCE = Provenance(code_version="test", recipe_hash="0")


def lennard_jones(sigma, depth):
    """A smooth Lennard-Jones potential that ends at 2 σ."""
    return LennardJones(sigma=sigma, epsilon=depth, rc=2.0 * sigma, ro=1.6 * sigma, smooth=True)


@cache
def sigma_of(lattice):
    """σ that puts the face-centred crystal at this lattice constant."""

    def energy(a):
        crystal = bulk("Ar", "fcc", a=a)
        crystal.calc = lennard_jones(1.0, 1.0)
        return crystal.get_potential_energy()

    best = minimize_scalar(energy, bounds=(1.45, 1.65), options={"xatol": 1e-10})
    return lattice / float(best.x)


class TwoCrystals(Calculator):
    """Framework and ions interact among themselves only."""

    implemented_properties = ("energy", "forces", "stress")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        symbols = np.array(self.atoms.get_chemical_symbols())
        energy, forces, stress = 0.0, np.zeros((len(symbols), 3)), np.zeros(6)
        for kind in (FRAME, ION):
            chosen = symbols == kind
            if not chosen.any():
                continue
            part = self.atoms[chosen]
            part.calc = lennard_jones(sigma_of(LATTICE), DEPTH[kind])
            energy += part.get_potential_energy()
            forces[chosen] = part.get_forces()
            stress += part.get_stress()
        self.results.update(energy=energy, forces=forces, stress=stress)


class CagedIons(Calculator):
    """Ions without mutual interaction push on their six framework neighbours, which swells the host."""

    implemented_properties = ("energy", "forces", "stress")
    spring, reach = 1.5, 2.7

    def __init__(self, swelling):
        super().__init__()
        self.rest = LATTICE / 2 * (1 + swelling)

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        frame = np.array(self.atoms.get_chemical_symbols()) == FRAME
        part = self.atoms[frame]
        part.calc = lennard_jones(sigma_of(LATTICE), DEPTH[FRAME])
        forces = np.zeros((len(self.atoms), 3))
        forces[frame] = part.get_forces()
        first, second, distance, vector = neighbor_list("ijdD", self.atoms, self.reach)
        bond = frame[first] != frame[second]
        first, distance, vector = first[bond], distance[bond], vector[bond]
        extension = distance - self.rest
        pull = (self.spring * extension / distance)[:, None] * vector
        np.add.at(forces, first, pull)
        virial = 0.5 * np.einsum("bi,bj->ij", vector, pull) / self.atoms.get_volume()
        self.results.update(
            energy=part.get_potential_energy() + 0.25 * self.spring * float(extension @ extension),
            forces=forces,
            stress=part.get_stress() + virial[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]],
        )


ACROSS, WITHIN = 0.05, 0.02
PLANE = (0, 1, 1, 0)
"""Which of the two planes (002) each site of the cell lies in."""


class LatticeGas(Calculator):
    """A Lennard-Jones framework; ions on neighbouring sites gain a constant, more across planes (002)."""

    implemented_properties = ("energy", "forces", "stress")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        ions = np.array(self.atoms.get_chemical_symbols()) == ION
        frame = self.atoms[~ions]
        frame.calc = lennard_jones(sigma_of(LATTICE), DEPTH[FRAME])
        forces = np.zeros((len(ions), 3))
        forces[~ions] = frame.get_forces()
        _, vectors = neighbor_list("iD", self.atoms[ions], 1.1 * LATTICE / np.sqrt(2))
        across = np.abs(vectors[:, 2]) > LATTICE / 4
        energy = -0.5 * (ACROSS * across.sum() + WITHIN * (~across).sum())
        self.results.update(
            energy=frame.get_potential_energy() + energy, forces=forces, stress=frame.get_stress()
        )


def phase(lattice=LATTICE):
    """Cubic cell of the framework, ions on the octahedral sites."""
    cubic = bulk(FRAME, "fcc", a=lattice, cubic=True)
    return HostPhase(
        name="cubic",
        framework=Structure.from_atoms(cubic),
        sites=np.mod(cubic.get_scaled_positions() + np.array([0.5, 0, 0]), 1.0),
        formula_units=4,
        composition=0.0,
        source="model",
    )


def make_host():
    """A host with one site per formula unit, its two phases alike."""
    phases = [
        phase().model_copy(update={"name": name, "composition": x}) for name, x in (("a", 0.0), ("b", 1.0))
    ]
    metal = Structure.from_atoms(bulk(ION, "bcc", a=LATTICE))
    return Host(
        provenance=PROVENANCE,
        name="model",
        formula=FRAME,
        ion=ION,
        sites_per_formula_unit=1,
        phases=tuple(phases),
        metal=metal,
        metal_source="model",
        formula_mass=0.04,
        mass_composition=0.0,
    )


def make_isotherm(*plateaus):
    """Of three members at 300 and 400 K, with plateaus (member, temperature, x_low, x_high)."""
    grid = np.array([0.1, 0.9])
    return Isotherm(
        provenance=PROVENANCE,
        temperature=np.array([300.0, 400.0]),
        x=grid,
        chemical_potential=np.zeros((3, 2, 2)),
        metal_chemical_potential=np.zeros((3, 2)),
        voltage=np.zeros((3, 2, 2)),
        plateaus=tuple(
            Plateau(member=member, temperature=temperature, x_low=low, x_high=high, voltage=3.0)
            for member, temperature, low, high in plateaus
        ),
        spinodals=(),
    )
