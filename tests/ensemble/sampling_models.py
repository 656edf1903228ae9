"""Energy models with closed-form partition functions, and the statistics used to compare with them."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import gammainc

from scalebridge.foundation import constants
from scalebridge.sampling import (
    Configuration,
    EnergyModel,
    Ensemble,
    Evaluation,
    HostCell,
    SiteDensity,
    statistical_inefficiency,
)

FloatArray = NDArray[np.float64]
TEMPERATURE = 300.0
KT = constants.BOLTZMANN_EV * TEMPERATURE
REACH = 1.9
"""Ions further than this from every well have infinite energy [Å]."""


class IdealGas(EnergyModel):
    """Particles with a one-body energy and nothing else."""

    def __init__(self, one_body: float = 0.0) -> None:
        self.species = ("Na",)
        self.one_body = one_body

    def energy(self, types, positions, cell):
        return self.one_body * len(positions)

    def evaluate(self, types, positions, cell):
        return Evaluation(self.one_body * len(positions), np.zeros_like(positions))


class Wells(EnergyModel):
    """One ion per well: depth + ½k|r − well|², wells fixed in space; optionally a bath atom beside each well.

    Bath atom i (type 0) hangs on its own place with ½k_bath|R_i − R_i0|² and is tied to the ion of well i by
    ½coupling|r − R_i − tie|². All sums are Gaussian, so the partition functions are exact.
    """

    def __init__(
        self, wells, *, depth=-0.5, stiffness=0.4, bath=0, tie=None, bath_stiffness=2.0, coupling=0.5
    ):
        self.species = ("Fe", "Na")
        self.wells = np.asarray(wells, dtype=float)
        self.depth, self.stiffness = depth, stiffness
        self.bath, self.bath_stiffness, self.coupling = bath, bath_stiffness, coupling
        self.home = self.wells + np.array([0.5, 0.5, 0.5])
        self.tie = np.array([-0.2, -0.5, -0.6]) if tie is None else np.asarray(tie)

    def _terms(self, positions, cell):
        bath, ions = positions[: self.bath], positions[self.bath :]
        scaled = (ions[:, None, :] - self.wells[None]) @ np.linalg.inv(cell)
        offsets = (scaled - np.rint(scaled)) @ cell
        squares = np.einsum("iwj,iwj->iw", offsets, offsets)
        nearest = squares.argmin(axis=1) if len(ions) else np.zeros(0, dtype=int)
        offset = offsets[np.arange(len(ions)), nearest]
        legal = len(set(nearest.tolist())) == len(ions) and np.all((offset**2).sum(axis=1) < REACH**2)
        return bath - self.home[: self.bath], offset, nearest, legal

    def energy(self, types, positions, cell):
        return self.evaluate(types, positions, cell).energy

    def evaluate(self, types, positions, cell):
        displacement, offset, nearest, legal = self._terms(positions, cell)
        energy = self.depth * len(offset) + 0.5 * self.stiffness * np.sum(offset**2)
        energy += 0.5 * self.bath_stiffness * np.sum(displacement**2)
        forces = np.zeros_like(positions)
        forces[: self.bath] = -self.bath_stiffness * displacement
        forces[self.bath :] = -self.stiffness * offset
        if self.bath:
            stretch = self.wells[nearest] + offset - self.home[nearest] - displacement[nearest] - self.tie
            energy += 0.5 * self.coupling * np.sum(stretch**2)
            forces[self.bath :] -= self.coupling * stretch
            np.add.at(forces, nearest, self.coupling * stretch)
        return Evaluation(float(energy) if legal else np.inf, forces)

    def log_weight(self, temperature=TEMPERATURE):
        """ln of the ratio of one well's partition functions with and without its ion [Å³]."""
        beta = 1 / (constants.BOLTZMANN_EV * temperature)
        if not self.bath:
            inside = gammainc(1.5, 0.5 * beta * self.stiffness * REACH**2)
            return -beta * self.depth + 1.5 * np.log(2 * np.pi / (beta * self.stiffness)) + np.log(inside)
        # the pair (r, R) relative to (well, home): ½ zᵀ A z + coupling m·(r − R) + const per direction
        mismatch = self.wells[0] - self.home[0] - self.tie
        matrix = np.array(
            [
                [self.stiffness + self.coupling, -self.coupling],
                [-self.coupling, self.bath_stiffness + self.coupling],
            ]
        )
        pull = self.coupling * mismatch[:, None] * np.array([1.0, -1.0])
        minimum = 0.5 * self.coupling * mismatch @ mismatch
        minimum -= 0.5 * np.einsum("di,ij,dj->", pull, np.linalg.inv(matrix), pull)
        log_with = 3 * np.log(2 * np.pi / beta) - 1.5 * np.log(np.linalg.det(matrix)) - beta * minimum
        log_without = 1.5 * np.log(2 * np.pi / (beta * self.bath_stiffness))
        return log_with - log_without - beta * self.depth


class UnequalWells(Wells):
    """Rigid wells of different stiffness [eV/Å²] whose depths make all as likely, but for their reach."""

    def __init__(self, wells, stiffnesses):
        super().__init__(wells)
        self.stiffnesses = np.asarray(stiffnesses, dtype=float)

    def evaluate(self, types, positions, cell):
        _, offset, nearest, legal = self._terms(positions, cell)
        stiffness = self.stiffnesses[nearest, None]
        energy = 0.5 * np.sum(stiffness * offset**2) - 1.5 * KT * np.log(stiffness).sum()
        return Evaluation(float(energy) if legal else np.inf, -stiffness * offset)

    def probabilities(self):
        """Return the probability of each well for one ion."""
        inside = gammainc(1.5, 0.5 * self.stiffnesses * REACH**2 / KT)
        return inside / inside.sum()


class CoupledWells(Wells):
    """Rigid wells whose occupied neighbours along the chain, a ring, add ``coupling_energy`` per pair."""

    def __init__(self, wells, *, coupling_energy, **kwargs):
        super().__init__(wells, **kwargs)
        self.coupling_energy = coupling_energy

    def pairs(self, occupied):
        """Return the number of occupied neighbours of a set of wells."""
        return sum((well + 1) % len(self.wells) in occupied for well in occupied)

    def evaluate(self, types, positions, cell):
        result = super().evaluate(types, positions, cell)
        _, _, nearest, legal = self._terms(positions, cell)
        pairs = self.pairs(set(nearest.tolist())) if legal else 0
        return Evaluation(result.energy + self.coupling_energy * pairs, result.forces)

    def log_partition_functions(self):
        """Return ln Z_N (wells + 1,), by enumeration of all occupations."""
        wells = range(len(self.wells))
        sums = [
            sum(
                np.exp(-self.coupling_energy * self.pairs(set(chosen)) / KT)
                for chosen in combinations(wells, n)
            )
            for n in range(len(self.wells) + 1)
        ]
        return np.arange(len(sums)) * self.log_weight() + np.log(sums)


@dataclass(frozen=True)
class LennardJones(EnergyModel):
    """Truncated and shifted pairs (nearest image), for cells wider than twice the cutoff."""

    sigma: float = 3.0
    epsilon: float = 0.01
    cutoff: float = 7.5
    species: tuple[str, ...] = ("Na",)

    def energy(self, types, positions, cell):
        return self.evaluate(types, positions, cell).energy

    def evaluate(self, types, positions, cell):
        difference = positions[:, None] - positions[None]
        scaled = difference @ np.linalg.inv(cell)
        difference = (scaled - np.rint(scaled)) @ cell
        squares = np.einsum("ijk,ijk->ij", difference, difference)
        np.fill_diagonal(squares, np.inf)
        near = squares < self.cutoff**2
        six = np.where(near, (self.sigma**2 / squares) ** 3, 0.0)
        shift = 4 * self.epsilon * ((self.sigma / self.cutoff) ** 12 - (self.sigma / self.cutoff) ** 6)
        energy = 0.5 * float(np.sum(4 * self.epsilon * (six**2 - six) - shift * near))
        strength = 24 * self.epsilon * (2 * six**2 - six) / squares
        return Evaluation(energy, np.einsum("ij,ijk->ik", strength, difference))


def well_positions(count=4, spacing=4.0):
    """Wells along x, one every ``spacing``."""
    positions = np.full((count, 3), 0.5 * spacing)
    positions[:, 0] += spacing * np.arange(count)
    return positions


def wells_cell(model, spacing=4.0):
    """The host cell of a ``Wells`` model: its bath atoms as framework and its wells as sites."""
    lengths = np.array([spacing * len(model.wells), spacing, spacing])
    framework = Atoms(["Fe"] * model.bath, positions=model.home[: model.bath], cell=lengths, pbc=True)
    return HostCell(framework, model.wells / lengths, len(model.wells), "Na")


def start(cell, model, occupied=()):
    return Configuration.from_atoms(cell, cell.atoms(list(occupied)), model)


def ensemble(model, density, *, temperature=TEMPERATURE, pressure=0.0):
    return Ensemble(model, temperature, np.full(len(model.species), 20.0), density, pressure)


def empty_box(length=10.0, ions=0, seed=0):
    """A cubic box without framework or sites, with ions at random places."""
    cell = HostCell(Atoms(cell=[length] * 3, pbc=True), np.zeros((0, 3)), 1, "Na")
    rng = np.random.default_rng(seed)
    return cell, Atoms(["Na"] * ions, positions=length * rng.random((ions, 3)), cell=[length] * 3, pbc=True)


UNIFORM = SiteDensity(width=1.0, uniform_fraction=1.0)


def deviation(series, exact):
    """(mean − exact) in standard errors of the mean, correlations counted."""
    values = np.asarray(series, dtype=float)
    error = values.std() * np.sqrt(statistical_inefficiency(values) / len(values))
    return (values.mean() - exact) / error


def slope_of_energies(cold, hot):
    """Maximum-likelihood slope of ln[P(E|hot)/P(E|cold)] and its standard error [Shirts 2013, equation 9]."""
    values = np.concatenate([cold, hot])
    centre, scale = values.mean(), values.std()
    x, label = (values - centre) / scale, np.repeat([0.0, 1.0], [len(cold), len(hot)])

    def loss(parameters):
        argument = parameters[0] + parameters[1] * x
        return np.sum(np.logaddexp(0.0, argument) - label * argument)

    best = minimize(loss, [0.0, 0.0], method="BFGS", tol=1e-8).x
    weight = 0.25 / np.cosh(0.5 * (best[0] + best[1] * x)) ** 2
    information = np.array([[weight.sum(), weight @ x], [weight @ x, weight @ x**2]])
    inefficiency = max(statistical_inefficiency(cold), statistical_inefficiency(hot))
    error = np.sqrt(np.linalg.inv(information)[1, 1] * inefficiency)
    return best[1] / scale, error / scale
