"""Tracer diffusion by one vacancy: correlation factors of any site network, without sampling."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalebridge.foundation import InputError
from scalebridge.transport.chain import IntArray, JumpChain, solve_diffusivity

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class VacancyTracer:
    """Tracer diffusion in a full lattice with one vacancy.

    Attributes
    ----------
    vacancy_diffusivity
        (3, 3) of the vacancy as a free walker.
    tracer_per_vacancy
        (3, 3) D* / c_v in the limit of few vacancies (site fraction c_v → 0).
    finite
        (3, 3) D* / c_v in the largest periodic block solved.
    correlation_factor
        tr D*/(c_v tr D_v): 0.6531 on the simple cubic lattice, 0 on a chain.
    """

    vacancy_diffusivity: FloatArray
    tracer_per_vacancy: FloatArray
    finite: FloatArray
    correlation_factor: float


def solve_vacancy_tracer(
    cell: FloatArray, vacancy: JumpChain, *, blocks: tuple[int, int] | None = None
) -> VacancyTracer:
    """Solve the motion of one tagged ion that moves by exchange with one vacancy.

    States are pairs (tracer site, vacancy site) in a periodic block of L³ cells, up to a common
    translation; the tracer moves, backwards along the hop, only when the vacancy takes its site. The
    chain is reversible, so ``solve_diffusivity`` gives D* exactly for the block. The block's error is
    ∝ L^−d, with d the number of directions in which the vacancy moves (eigenvalues of its D above 1e-3
    of the largest), so D* is extrapolated linearly in L^−d from two blocks.

    Source: the exact factors are those of K. Compaan and Y. Haven, Trans. Faraday Soc. 52, 786 (1956).

    Parameters
    ----------
    cell
        (3, 3) cell vectors of the network's periodic cell [Å].
    vacancy
        The vacancy's chain on that cell.
    blocks
        Two edge lengths L in cells; default: as large as gives about 200 and 1000 sites.

    Raises
    ------
    InputError
        If the blocks do not grow, or the vacancy cannot leave its cell.
    """
    n = len(vacancy.weights)
    small, large = blocks or _default_blocks(n)
    if not 0 < small < large:
        raise InputError(f"block lengths {small}, {large} must grow, the first above 0")
    values = [_solve_block(cell, vacancy, length) for length in (small, large)]
    free = solve_diffusivity(vacancy)
    eigenvalues = np.linalg.eigvalsh(free)
    if eigenvalues.max() <= 0:
        raise InputError("the vacancy's hops lead nowhere (D = 0); raise the hop cutoff until sites connect")
    dimensions = int(np.sum(eigenvalues > 1e-3 * eigenvalues.max()))
    inverse = [float(length) ** -dimensions for length in (small, large)]
    slope = (values[0] - values[1]) / (inverse[0] - inverse[1])
    limit = values[1] - slope * inverse[1]
    factor = max(float(np.trace(limit) / np.trace(free)), 0.0)
    return VacancyTracer(free, limit, values[1], factor)


def _default_blocks(n: int) -> tuple[int, int]:
    small = max(2, round((200 / n) ** (1 / 3)))
    return small, max(small + 1, round((1000 / n) ** (1 / 3)))


def _solve_block(cell: FloatArray, vacancy: JumpChain, length: int) -> FloatArray:
    """Return D*/c_v (3, 3) of one tracer and one vacancy in a periodic block of length³ cells."""
    n = len(vacancy.weights)
    images = _images(cell, vacancy)
    offsets = np.array(list(itertools.product(range(length), repeat=3)))
    place = np.array([length * length, length, 1])
    # State: tracer sublattice s, vacancy sublattice v in cell `offset` relative to the tracer's cell.
    tracer, cell_index, v = np.meshgrid(np.arange(n), np.arange(length**3), np.arange(n), indexing="ij")
    state = (tracer * length**3 + cell_index) * n + v
    hops = len(vacancy.start)
    from_rows = state[:, :, vacancy.start].reshape(-1)
    target_offset = np.mod(offsets[:, None] + images[None], length) @ place
    target = (np.arange(n)[:, None, None] * length**3 + target_offset[None]) * n + vacancy.end
    to_rows = np.broadcast_to(target, (n, length**3, hops)).reshape(-1)
    rates = np.broadcast_to(vacancy.rates, (n, length**3, hops)).reshape(-1)
    hop = np.broadcast_to(np.arange(hops), (n, length**3, hops)).reshape(-1)
    sites = np.arange(n)
    together = (sites * length**3) * n + sites
    allowed = ~np.isin(from_rows, together)
    exchange = np.isin(to_rows, together) & allowed
    # After the exchange the tracer sits where the vacancy came from: shift the origin to its new cell.
    swapped = _swapped_states(from_rows[exchange], length, n)
    to_rows = to_rows.copy()
    to_rows[exchange] = swapped
    moves = np.where(exchange[:, None], -vacancy.displacements[hop], 0.0)
    keep = np.setdiff1d(np.arange(n * n * length**3), together)
    renumber = np.full(n * n * length**3, -1)
    renumber[keep] = np.arange(len(keep))
    weights = np.broadcast_to(vacancy.weights, (n, length**3, n)).reshape(-1)[keep]
    chain = JumpChain(
        weights, renumber[from_rows[allowed]], renumber[to_rows[allowed]], rates[allowed], moves[allowed]
    )
    # One tracer and one vacancy among n·L³ sites: c_v = 1/(n L³ − 1) seen by the tracer.
    return np.asarray(solve_diffusivity(chain) * (n * length**3 - 1))


def _images(cell: FloatArray, vacancy: JumpChain) -> IntArray:
    """Return the cells crossed by each hop, from displacements and a consistent choice of site positions."""
    n = len(vacancy.weights)
    positions = np.zeros((n, 3))
    known: set[int] = set()
    scaled = vacancy.displacements @ np.linalg.inv(cell)
    hops = list(zip(vacancy.start.tolist(), vacancy.end.tolist(), scaled, strict=True))
    while len(known) < n:
        # One site of every connected part may be put anywhere.
        known.add(next(site for site in range(n) if site not in known))
        grown = True
        while grown:
            grown = False
            for start, end, move in hops:
                if start in known and end not in known:
                    positions[end] = positions[start] + move
                    known.add(end)
                    grown = True
    return np.asarray(np.rint(scaled - positions[vacancy.end] + positions[vacancy.start]), dtype=np.int64)


def _swapped_states(states: IntArray, length: int, n: int) -> IntArray:
    """Return the states after tracer and vacancy exchanged places."""
    vacancy = states % n
    cells = (states // n) % length**3
    tracer = states // (n * length**3)
    offset = np.stack([cells // length**2, (cells // length) % length, cells % length], axis=-1)
    opposite = np.mod(-offset, length) @ np.array([length * length, length, 1])
    return np.asarray((vacancy * length**3 + opposite) * n + tracer)
