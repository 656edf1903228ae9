"""Phases of one lattice as an order parameter with a finite rate.

| symbol, per site over kT | name here |
|---|---|
| g(θ, η) = Σ η_b g_b(θ) + Σ η_b ln η_b + W Σ_{a<b} η_a η_b; η_b > 0, Σ η_b = 1 | ``energy`` |
| z_b = ln(η_b/η_0), b = 1 … B − 1 | log-odds of the phases |
| τ dz_b/dt = −A_b = −[Δg_b(θ) + z_b + W (η_0 − η_b)], A_b = ∂g/∂η_b − ∂g/∂η_0 | ``forces`` A |
| Δg_b = g_b − g_0, whose slope is what b adds to the chemical potential | ``differences`` |

At fixed θ this is the replicator equation, dg/dt = −Var_η(A)/τ ≤ 0 (A_0 = 0; Hofbauer and Sigmund,
Evolutionary Games and Population Dynamics (1998), chapter 7). W = 0 and τ → 0 give exp(−g) = Σ_b exp(−g_b),
the envelope of `excess_table`; W > 2 gives each phase a well of its own, in which it stays beyond
equilibrium.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax, xlogy

from scalebridge.contracts import HomogeneousFreeEnergy
from scalebridge.foundation import ConvergenceError, InputError, constants
from scalebridge.particle.tables import evaluate_many, integrate, tabulate

FloatArray = NDArray[np.float64]

LARGEST_STEP = 2.0
"""Of the log-odds in Newton's iteration for their equilibrium."""
TOLERANCE = 1e-12
ITERATIONS = 200


@dataclass(frozen=True, eq=False)
class PhaseOrder:
    """Branches of a free energy, between which every site of a particle relaxes.

    Raises
    ------
    InputError
        If the relaxation time is not positive or the barrier negative.
    """

    relaxation_time: float
    """τ [s]."""
    barrier: float
    """W kT, per site [J]."""
    thermal_energy: float
    """KT [J]."""
    first: FloatArray
    """(intervals, 4) table of the excess potential of branch 0, as ``ParticleModel.excess``."""
    differences: FloatArray
    """(B − 1, intervals, 4) tables of (g_b − g_0)/kT; their slopes are differences of potentials."""

    def __post_init__(self) -> None:
        if self.relaxation_time <= 0 or self.barrier < 0:
            raise InputError(
                f"phase relaxation time {self.relaxation_time:g} s and phase barrier {self.barrier:g} J must "
                "be positive and not negative; leave both out for phases in equilibrium"
            )

    @property
    def scaled_barrier(self) -> float:
        """W."""
        return self.barrier / self.thermal_energy

    @property
    def branches(self) -> int:
        """B."""
        return 1 + len(self.differences)

    def difference(self, theta: FloatArray) -> FloatArray:
        """Return Δg_b/kT at site fractions (...), shape (..., B − 1)."""
        flat = np.ravel(np.asarray(theta, dtype=np.float64))
        values = [evaluate_many(table, flat)[0] for table in self.differences]
        return np.stack(values, axis=-1).reshape(*np.shape(theta), len(values))

    def forces(self, theta: FloatArray, odds: FloatArray) -> FloatArray:
        """Return A_b at site fractions (...) and log-odds (..., B − 1), shape of the latter."""
        eta = phase_fractions(odds)
        return np.asarray(self.difference(theta) + odds + self.scaled_barrier * (eta[..., :1] - eta[..., 1:]))

    def energy(self, theta: FloatArray, eta: FloatArray) -> FloatArray:
        """Return g(θ, η)/kT without mixing of ions, counted as the envelope's: zero at θ = 0 in equilibrium.

        That is for W = 0; ``theta`` (...), ``eta`` (..., B).
        """
        zero = logsumexp(np.concatenate([[0.0], -self.difference(np.zeros(()))]))
        own = integrate(self.first, theta) + np.sum(eta[..., 1:] * self.difference(theta), axis=-1)
        pairs = 0.5 * (1.0 - np.sum(eta**2, axis=-1))
        return np.asarray(zero + own + np.sum(xlogy(eta, eta), axis=-1) + self.scaled_barrier * pairs)

    def equilibrium(self, theta: FloatArray) -> FloatArray:
        """Return the log-odds (..., B − 1) at rest with site fractions (...), near the lowest branch.

        Newton's iteration starts where that branch is pure. Between two branches A is there below its nearest
        zero and concave up to it, so that no step goes beyond: with W > 2 it ends in that branch's well.

        Raises
        ------
        ConvergenceError
            If the iteration does not end.
        """
        difference, barrier = self.difference(theta), self.scaled_barrier
        all_branches = np.concatenate([np.zeros((*np.shape(theta), 1)), difference], axis=-1)
        pure = np.eye(self.branches)[np.argmin(all_branches, axis=-1)]
        odds = -difference - barrier * (pure[..., :1] - pure[..., 1:])
        unit = np.eye(self.branches - 1)
        for _ in range(ITERATIONS):
            eta = phase_fractions(odds)
            own, base = eta[..., 1:], eta[..., :1]
            slopes = unit + barrier * ((own - base)[..., :, None] * own[..., None, :] - unit * own[..., None])
            step = np.linalg.solve(slopes, -self.forces(theta, odds)[..., None])[..., 0]
            odds = odds + np.clip(step, -LARGEST_STEP, LARGEST_STEP)
            if np.max(np.abs(step), initial=0.0) < TOLERANCE * (1.0 + np.max(np.abs(odds), initial=0.0)):
                return np.asarray(odds)
        raise ConvergenceError(
            f"no equilibrium of the phases after {ITERATIONS} steps at θ from {np.min(theta):g} to "
            f"{np.max(theta):g}; start elsewhere, or with a lower phase_barrier"
        )


def phase_fractions(odds: FloatArray) -> FloatArray:
    """Return η (..., B) of log-odds (..., B − 1)."""
    return np.asarray(softmax(np.concatenate([np.zeros((*odds.shape[:-1], 1)), odds], axis=-1), axis=-1))


def phase_order(
    free_energy: HomogeneousFreeEnergy,
    temperature: float,
    member: int,
    *,
    standard: float,
    relaxation_time: float | None,
    barrier: float | None,
) -> PhaseOrder | None:
    """Return the order parameter of a free energy, None where its branches are taken in equilibrium.

    Parameters
    ----------
    standard
        μ° of the envelope [J], see `excess_table`.
    relaxation_time
        τ [s]; None: equilibrium.
    barrier
        W kT per site [J]; None: 0.

    Raises
    ------
    InputError
        If there is a barrier without a relaxation time, either with one branch, or a number breaks its bound.
    """
    if relaxation_time is None:
        if barrier is not None:
            raise InputError(
                f"phase barrier {barrier:g} J without a phase relaxation time: phases in equilibrium have "
                "none; give the time too"
            )
        return None
    count = len(free_energy.branches)
    if count == 1:
        raise InputError(
            f"phase relaxation time {relaxation_time:g} s of a free energy with one branch: an order "
            "parameter needs two phases; leave phase_relaxation_time and phase_barrier out, or give a card "
            "with several branches"
        )
    thermal = constants.BOLTZMANN * temperature

    def energy(theta: FloatArray, branch: int) -> FloatArray:
        return free_energy.energy(theta, temperature, member=member, branch=branch)

    def first(theta: FloatArray) -> FloatArray:
        potential = free_energy.excess_chemical_potential(theta, temperature, member=member)
        return np.asarray((potential - standard) / thermal)

    def difference(branch: int) -> FloatArray:
        return tabulate(lambda theta: np.asarray((energy(theta, branch) - energy(theta, 0)) / thermal))

    return PhaseOrder(
        relaxation_time=relaxation_time,
        barrier=barrier or 0.0,
        thermal_energy=thermal,
        first=tabulate(first),
        differences=np.stack([difference(branch) for branch in range(1, count)]),
    )
