"""Long-time diffusivity of an additive functional of a Markov chain, exactly, by one linear solve."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from scalebridge.foundation import InputError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class JumpChain:
    """Jumps between states that also move a walker in space.

    Attributes
    ----------
    weights
        (n,) stationary probability of each state, any positive scale.
    start, end
        (m,) states before and after each jump.
    rates
        (m,) rate of each jump.
    displacements
        (m, 3) movement of the walker in each jump.
    """

    weights: FloatArray
    start: IntArray
    end: IntArray
    rates: FloatArray
    displacements: FloatArray


def solve_diffusivity(chain: JumpChain) -> FloatArray:
    """Return the exact diffusion tensor (3, 3) of the walker, in displacement² × rate.

    The walker's local drift b_i = Σ_j Γ_ij r_ij makes successive jumps correlated. The corrector χ solves
    the Poisson equation Σ_j Γ_ij (χ_j − χ_i) = −b_i; then x(t) + χ is a martingale whose quadratic
    variation gives D = ½ Σ_ij p_i Γ_ij (r_ij + χ_j − χ_i) ⊗ (r_ij + χ_j − χ_i). Without inequivalent sites
    χ = 0 and D = ½ Σ Γ r ⊗ r.

    Source: G. C. Papanicolaou and S. R. S. Varadhan, Colloq. Math. Soc. János Bolyai 27, 835 (1981);
    T. Okamura, M. Trinkle, Phil. Mag. 97, 2514 (2017), for vacancies and interstitials in crystals.

    Raises
    ------
    InputError
        If a rate is negative, or the weights are not stationary under the rates.
    """
    n = len(chain.weights)
    if n == 0 or np.any(chain.rates < 0) or np.any(chain.weights <= 0):
        raise InputError(
            f"a jump chain of {n} states needs at least one state, positive weights and rates that are "
            "not negative; check the barriers"
        )
    weights = chain.weights / chain.weights.sum()
    flow = weights[chain.start] * chain.rates
    _check_stationary(flow, chain, n)
    generator = _generator(flow, chain, n)
    drift = np.zeros((n, 3))
    np.add.at(drift, chain.start, flow[:, None] * chain.displacements)
    corrector = _solve_poisson(generator, -drift)
    steps = chain.displacements + corrector[chain.end] - corrector[chain.start]
    return np.asarray(0.5 * np.einsum("m,ma,mb->ab", flow, steps, steps))


def _check_stationary(flow: FloatArray, chain: JumpChain, n: int) -> None:
    outflow = np.bincount(chain.start, weights=flow, minlength=n)
    inflow = np.bincount(chain.end, weights=flow, minlength=n)
    scale = max(float(flow.max(initial=0.0)), np.finfo(float).tiny)
    worst = float(np.abs(outflow - inflow).max()) / scale
    if worst > 1e-8:
        raise InputError(
            f"the jump rates leave the stationary weights by a relative {worst:.1e} (at most 1e-8 allowed); "
            "give both directions of every jump the same saddle energy"
        )


def _generator(flow: FloatArray, chain: JumpChain, n: int) -> csr_array:
    """Return the weighted generator: row i holds p_i Γ_ij, the diagonal −p_i Σ_j Γ_ij."""
    outflow = np.bincount(chain.start, weights=flow, minlength=n)
    states = np.arange(n)
    rows = np.concatenate([chain.start, states])
    columns = np.concatenate([chain.end, states])
    return csr_array(coo_array((np.concatenate([flow, -outflow]), (rows, columns)), shape=(n, n)))


def _solve_poisson(generator: csr_array, right: FloatArray) -> FloatArray:
    """Solve generator · χ = right with χ = 0 in one state of each connected part."""
    n = generator.shape[0]
    solution = np.zeros_like(right)
    scale = max(float(np.abs(generator.data).max(initial=0.0)), np.finfo(float).tiny)
    parts, labels = connected_components(generator, directed=False)
    pinned = np.array([int(np.argmax(labels == part)) for part in range(parts)])
    free = np.setdiff1d(np.arange(n), pinned)
    if len(free) > 0 and np.any(right):
        matrix = (generator[free][:, free] / scale).tocsc()
        solution[free] = splu(matrix).solve(right[free] / scale)
    return solution
