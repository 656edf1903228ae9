"""The contraction basis of moment tensor potentials, generated for any even level.

equation symbol -> code name (Novikov et al., MLST 2, 025002 (2021), section 2; Shapeev 2016):

===================  ======================================================================
M_{mu,nu}            moment ``(mu, nu)``; its components ``(mu, a, b, c)`` with a + b + c = nu
lev M_{mu,nu}        2 + 4 mu + nu
B_alpha              scalar function: a graph whose nodes are moments and whose edges are
                     contracted index pairs (at most four moments, as in MLIP's templates)
===================  ======================================================================
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, groupby, permutations, product
from math import factorial
from typing import Final

import numpy as np
import numpy.typing as npt

from scalebridge.foundation import InputError

IntArray = npt.NDArray[np.int32]
Moment = tuple[int, int]
Edges = tuple[int, ...]
Component = tuple[int, int, int]
Legs = tuple[Component, ...]

MAX_FACTORS: Final = 4
"""Moments in one scalar function: the limit of MLIP's templates."""
MAX_LEVEL: Final = 28


@dataclass(frozen=True)
class Basis:
    """Index tables of a basis, in the layout of MLIP's files.

    Attributes
    ----------
    basic : (n_basic, 4) int32
        Rows (mu, a, b, c): the component x^a y^b z^c of M_{mu, a+b+c}.
    products : (n_products, 4) int32
        Rows (i, j, mult, k): ``m[k] += mult * m[i] * m[j]``; i, j < k.
    n_moments : int
        Basic and derived moments.
    scalars : (n_scalars,) int32
        Index of each scalar function B_alpha among the moments.
    """

    basic: IntArray
    products: IntArray
    n_moments: int
    scalars: IntArray

    @property
    def n_radial(self) -> int:
        """Number of radial functions f_mu."""
        return int(self.basic[:, 0].max()) + 1

    @property
    def level(self) -> int:
        """The largest level of a scalar function: the sum of those of its factors."""
        levels = np.zeros(self.n_moments, dtype=int)
        levels[: len(self.basic)] = 2 + 4 * self.basic[:, 0] + self.basic[:, 1:].sum(axis=1)
        for left, right, _, target in sort_products(self.products):
            levels[target] = levels[left] + levels[right]
        return int(levels[self.scalars].max())


@dataclass(frozen=True)
class _Graph:
    """A contraction: moments, number of edges per pair (upper triangle, by rows), open legs per moment."""

    moments: tuple[Moment, ...]
    edges: Edges
    legs: Legs

    def matrix(self) -> list[list[int]]:
        n = len(self.moments)
        out = [[0] * n for _ in range(n)]
        position = 0
        for i in range(n):
            for j in range(i + 1, n):
                out[i][j] = out[j][i] = self.edges[position]
                position += 1
        return out


def level_of(moment: Moment) -> int:
    """Return lev M_{mu,nu} = 2 + 4 mu + nu."""
    return 2 + 4 * moment[0] + moment[1]


def _edge_sets(ranks: list[int]) -> list[Edges]:
    """Return every loop-free multigraph whose node degrees are ``ranks``, as upper triangles."""
    n = len(ranks)
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
    out: list[Edges] = []

    def extend(position: int, left: list[int], chosen: list[int]) -> None:
        if position == len(pairs):
            if not any(left):
                out.append(tuple(chosen))
            return
        i, j = pairs[position]
        low = left[i] if j == n - 1 else 0
        for edges in range(low, min(left[i], left[j]) + 1):
            rest = list(left)
            rest[i] -= edges
            rest[j] -= edges
            extend(position + 1, rest, [*chosen, edges])

    extend(0, list(ranks), [])
    return out


def _orders(moments: tuple[Moment, ...]) -> list[tuple[int, ...]]:
    """Return the orders of the nodes that leave the list of moments unchanged."""
    groups = [list(g) for _, g in groupby(range(len(moments)), key=lambda i: moments[i])]
    return [tuple(i for part in parts for i in part) for parts in product(*[permutations(g) for g in groups])]


def _canonical(moments: tuple[Moment, ...], edges: Edges) -> Edges:
    """Return the smallest upper triangle among equivalent graphs."""
    matrix = _Graph(moments, edges, ()).matrix()
    n = len(moments)
    return min(
        tuple(matrix[order[i]][order[j]] for i in range(n) for j in range(i + 1, n))
        for order in _orders(moments)
    )


def _scalar_graphs(level: int) -> list[_Graph]:
    """Return one graph per scalar function of total level <= ``level``, in a fixed order."""
    moments = [(mu, nu) for mu in range(level) for nu in range(level) if level_of((mu, nu)) <= level]
    found: set[tuple[tuple[Moment, ...], Edges]] = set()

    def extend(first: int, chosen: tuple[Moment, ...], total: int) -> None:
        ranks = [nu for _, nu in chosen]
        if chosen and sum(ranks) % 2 == 0 and 2 * max(ranks) <= sum(ranks):
            found.update((chosen, _canonical(chosen, edges)) for edges in _edge_sets(ranks))
        if len(chosen) == MAX_FACTORS:
            return
        for position in range(first, len(moments)):
            new = total + level_of(moments[position])
            if new <= level:
                extend(position, (*chosen, moments[position]), new)

    extend(0, (), 0)
    order = sorted(found, key=lambda g: (len(g[0]), [m[0] for m in g[0]], g[1], [m[1] for m in g[0]]))
    return [_Graph(m, e, ((0, 0, 0),) * len(m)) for m, e in order]


def _components(rank: int) -> list[Component]:
    return [(a, b, rank - a - b) for a in range(rank, -1, -1) for b in range(rank - a, -1, -1)]


def _multinomial(c: Component) -> int:
    return factorial(sum(c)) // (factorial(c[0]) * factorial(c[1]) * factorial(c[2]))


def _detached(n: int, matrix: list[list[int]]) -> tuple[int, ...]:
    """Return the nodes to split off: fewest contracted edges cut, then fewest nodes, then first."""

    def cost(part: tuple[int, ...]) -> tuple[int, int, tuple[int, ...]]:
        cut = sum(matrix[i][j] for i in part for j in range(n) if j not in part)
        return cut, len(part), part

    return min((part for size in range(1, n // 2 + 1) for part in combinations(range(n), size)), key=cost)


class _Builder:
    """Turns graphs into products; equal sums of products are computed once."""

    def __init__(self) -> None:
        self.known: dict[_Graph, int] = {}
        self.by_sum: dict[tuple[tuple[int, int, int], ...], int] = {}
        self.sums: list[tuple[tuple[int, int, int], ...]] = []
        self.factors: list[int] = []
        self.graph_keys: list[tuple[object, ...]] = []
        self.basics: dict[tuple[int, int, int, int], int] = {}

    def node(self, graph: _Graph) -> int:
        """Return the node of ``graph``: -1 - b for the basic component b, else its sum's index."""
        if graph in self.known:
            return self.known[graph]
        if len(graph.moments) == 1:
            row = (graph.moments[0][0], *graph.legs[0])
            out = -1 - self.basics.setdefault(row, len(self.basics))
        else:
            out = self._sum(graph)
        self.known[graph] = out
        return out

    def _sum(self, graph: _Graph) -> int:
        terms: dict[tuple[int, int], int] = {}
        for left, right, mult in _split(graph):
            i, j = sorted((self.node(left), self.node(right)))
            terms[i, j] = terms.get((i, j), 0) + mult
        rows = tuple(sorted((i, j, mult) for (i, j), mult in terms.items()))
        if rows not in self.by_sum:
            self.by_sum[rows] = len(self.sums)
            self.sums.append(rows)
            self.factors.append(len(graph.moments))
        return self.by_sum[rows]


def _split(graph: _Graph) -> list[tuple[_Graph, _Graph, int]]:
    """Return the products (left, right, multiplicity) whose sum is the component ``graph``."""
    matrix = graph.matrix()
    n = len(graph.moments)
    first = _detached(n, matrix)
    parts = (first, tuple(i for i in range(n) if i not in first))
    cuts = [(i, j, matrix[i][j]) for i in parts[0] for j in parts[1] if matrix[i][j]]
    out = []
    for choice in product(*[_components(n) for _, _, n in cuts]):
        legs = [list(component) for component in graph.legs]
        mult = 1
        for (i, j, _), component in zip(cuts, choice, strict=True):
            for d in range(3):
                legs[i][d] += component[d]
                legs[j][d] += component[d]
            mult *= _multinomial(component)
        left, right = (
            _Graph(
                tuple(graph.moments[i] for i in part),
                tuple(matrix[i][j] for place, i in enumerate(part) for j in part[place + 1 :]),
                tuple((legs[i][0], legs[i][1], legs[i][2]) for i in part),
            )
            for part in parts
        )
        out.append((left, right, mult))
    return out


@lru_cache(maxsize=16)
def generate_basis(level: int) -> Basis:
    """Generate the basis of all contractions of at most four moments with total level <= ``level``.

    Parameters
    ----------
    level
        Even, 2 to 28.

    Raises
    ------
    InputError
        For an odd level or one out of range.
    """
    if level % 2 or not 2 <= level <= MAX_LEVEL:
        raise InputError(f"level {level} is not an even number from 2 to {MAX_LEVEL}; choose for example 12")
    builder = _Builder()
    nodes = [builder.node(graph) for graph in _scalar_graphs(level)]
    moments = sorted({(row[0], row[1] + row[2] + row[3]) for row in builder.basics})
    basic = [(mu, *component) for mu, nu in moments for component in _components(nu)]
    index = {-1 - builder.basics[row]: n for n, row in enumerate(basic) if row in builder.basics}
    order = sorted(range(len(builder.sums)), key=lambda n: (builder.factors[n], n))
    index.update({node: len(basic) + n for n, node in enumerate(order)})
    products = [
        row
        for node in order
        for row in sorted(
            (*sorted((index[i], index[j])), mult, index[node]) for i, j, mult in builder.sums[node]
        )
    ]
    out = Basis(
        basic=np.array(basic, dtype=np.int32).reshape(-1, 4),
        products=np.array(products, dtype=np.int32).reshape(-1, 4),
        n_moments=len(basic) + len(order),
        scalars=np.array([index[node] for node in nodes], dtype=np.int32),
    )
    for table in (out.basic, out.products, out.scalars):
        table.setflags(write=False)
    return out


def sort_products(products: IntArray) -> IntArray:
    """Return the rows ordered by target, so that every operand is complete before it is used."""
    return np.ascontiguousarray(products[np.argsort(products[:, 3], kind="stable")], dtype=np.int32)
