"""Graphs of units: who is joined with whom, in how many colours, and in which order to eliminate them."""

import heapq
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import reverse_cuthill_mckee

from ebmbench.errors import UserError
from ebmbench.models.enumerate import MOST_UNITS
from ebmbench.models.model import Array
from ebmbench.options import require

_LARGEST = 2**26  # units of a grid: their edges and states take some 10 GB


@dataclass(frozen=True, eq=False)
class Graph:
    """Units 0 to n - 1, and the pairs of them that are joined.

    edges: int64 [n_edges, 2], the smaller unit first, each pair once. Raises `UserError` where they are
    anything else, and where there is none.
    """

    n: int
    edges: Array

    def __post_init__(self) -> None:
        require(type(self.n) is int and self.n >= 1, f"a graph's units must be counted, not {self.n!r}")
        try:
            edges = np.asarray(self.edges)
            with np.errstate(invalid="ignore"):
                whole = edges.astype(np.int64)
            same = bool((whole == edges).all())
        except (TypeError, ValueError, OverflowError):
            same = False
        require(
            same and whole.ndim == 2 and whole.shape[1] == 2 and len(whole) > 0,
            "edges must be whole numbers [n_edges, 2], two units each, and at least one edge",
        )
        if not ((whole[:, 0] >= 0) & (whole[:, 0] < whole[:, 1]) & (whole[:, 1] < self.n)).all():
            raise UserError(
                f"each edge must join two units from 0 to {self.n - 1}, the smaller one first"
            )
        numbers = np.sort(whole[:, 0] * self.n + whole[:, 1])  # NumPy's unique takes 20 times as long
        require(bool(np.diff(numbers).all()), "an edge stands twice among the edges")
        object.__setattr__(self, "edges", np.ascontiguousarray(whole))

    @cached_property
    def neighbours(self) -> tuple[Array, Array, Array]:
        """Who joins whom: starts [n + 1], units and edges [2 n_edges], int64.

        Places starts[i] to starts[i + 1] name the units that i is joined with, in rising order, and the
        edges that do it.
        """
        ends = np.concatenate([self.edges, self.edges[:, ::-1]])
        by_unit = np.lexsort((ends[:, 1], ends[:, 0]))
        counts = np.bincount(ends[:, 0], minlength=self.n)
        starts = np.concatenate([[0], np.cumsum(counts)])
        return starts, ends[by_unit, 1], by_unit % len(self.edges)

    @cached_property
    def colours(self) -> Array:
        """A number for each unit, no two of which that are joined have the same, int64 [n].

        Each unit in turn takes the smallest that none of its neighbours has yet: two in all on a grid
        whose units hear the next ones in its rows and columns.
        """
        starts, units, _ = (part.tolist() for part in self.neighbours)
        found = [0] * self.n
        for i in range(self.n):
            taken = {found[j] for j in units[starts[i] : starts[i + 1]] if j < i}
            while found[i] in taken:
                found[i] += 1
        return np.array(found)

    @cached_property
    def order(self) -> Array:
        """The units by their colours, within one in rising order, int64 [n]."""
        return np.argsort(self.colours, kind="stable")

    @cached_property
    def classes(self) -> Array:
        """Where each colour's units begin in `order`, and their end, int64 [colours + 1]."""
        return np.concatenate([[0], np.cumsum(np.bincount(self.colours))])

    @cached_property
    def cliques(self) -> list[tuple[int, Array]] | None:
        """An elimination order: each unit with those that are joined with it by then, in rising order.

        Eliminating a unit joins all its neighbours. Of three orders the one with the fewest states in
        all: the units' own; along the graph, as Cuthill & McKee (1969) number it, which suits what is
        long and narrow; and the unit with the fewest neighbours first, which suits trees. None where all
        meet one of more states than anyone sums over.
        """
        starts, units, _ = self.neighbours
        matrix = csr_array((np.ones(len(units)), units, starts), shape=(self.n, self.n))
        along = np.empty(self.n, np.int64)
        along[reverse_cuthill_mckee(matrix, symmetric_mode=True)] = np.arange(self.n)
        orders = (self._eliminated(ranks) for ranks in (np.arange(self.n), along, None))
        found = [order for order in orders if order]
        return min(found, key=_log_states) if found else None

    @cached_property
    def states_bits(self) -> int:
        """The logarithm to base 2, rounded up, of the states that an elimination visits in all.

        Where these are more than anyone sums over, no more than that is known.
        """
        return MOST_UNITS + 1 if self.cliques is None else math.ceil(_log_states(self.cliques))

    def _eliminated(self, ranks: Array | None) -> list[tuple[int, Array]] | None:
        """In the order of these ranks, or the unit with the fewest neighbours first."""
        starts, units, _ = self.neighbours
        around = [set(units[starts[i] : starts[i + 1]].tolist()) for i in range(self.n)]
        fewest_first = ranks is None
        keys = [len(near) for near in around] if ranks is None else ranks.tolist()
        waiting = [(key, i) for i, key in enumerate(keys)]
        heapq.heapify(waiting)
        done = [False] * self.n
        states = 0
        found: list[tuple[int, Array]] = []
        while waiting:
            count, i = heapq.heappop(waiting)
            if done[i] or (fewest_first and count != len(around[i])):
                continue  # it stands further back, too
            done[i] = True
            states += 2 ** (len(around[i]) + 1)
            if states > 2**MOST_UNITS:
                return None
            found.append((i, np.array(sorted(around[i]), np.int64)))
            for j in around[i]:
                around[j] |= around[i]
                around[j] -= {i, j}
                if fewest_first:
                    heapq.heappush(waiting, (len(around[j]), j))
        return found


def _log_states(cliques: Iterable[tuple[int, Array]]) -> float:
    return math.log2(sum(2.0 ** (len(others) + 1) for _, others in cliques))


def check_reach(reach: float) -> None:
    """`UserError` where a unit would hear none, or all of any lattice."""
    wanted = isinstance(reach, int | float) and 1.0 <= reach < math.inf
    require(wanted, f"the reach of a unit must be at least 1 and finite, but is {reach}")


def lattice(
    height: int, width: int, reach: float = 1.0, wrapped: bool = False, order: Literal["C", "F"] = "C"
) -> Graph:
    """Units on a grid, each joined with all that lie no further than `reach` away, its neighbourhood.

    Of a grid's inner units 4 are at a reach of 1, 8 at 1.5, 12 at 2, 20 at 2.3. wrapped: the grid is a
    torus, of periodic boundaries, on which two ways that lead to the same unit join it once; order:
    unit numbers go by rows (C) or by columns (F), as a picture's pixels do.
    """
    for name, size in (("height", height), ("width", width)):
        require(type(size) is int and size >= 1, f"a grid's {name} must be at least 1, but is {size!r}")
    check_reach(reach)
    require(order in ("C", "F"), f"units go by rows (C) or by columns (F), not by {order!r}")
    require(height * width >= 2, "a grid of a single unit has no edge")
    require(height * width <= _LARGEST, f"a grid of {height} x {width} units has more than {_LARGEST:,}")
    numbers = np.arange(height * width).reshape((height, width), order=order)
    below, beside = min(math.floor(reach), height), min(math.floor(reach), width)
    pairs = []
    for down in range(below + 1):
        for right in range(-beside, beside + 1):
            if (down, right) <= (0, 0) or down**2 + right**2 > reach**2:
                continue
            if wrapped:
                there = np.roll(numbers, (-down, -right), (0, 1))
                pairs.append(np.stack([numbers.ravel(), there.ravel()], axis=1))
            elif down < height and abs(right) < width:
                left, ahead = max(0, -right), max(0, right)
                here = numbers[: height - down, left : width - ahead]
                there = numbers[down:, ahead : width - left]
                pairs.append(np.stack([here.ravel(), there.ravel()], axis=1))
    edges = np.sort(np.concatenate(pairs), axis=1)
    edges = edges[edges[:, 0] < edges[:, 1]]  # on a narrow torus a unit comes back to itself, ...
    n = height * width
    numbers = np.sort(edges[:, 0] * n + edges[:, 1])
    once = numbers[np.diff(numbers, prepend=-1) > 0]  # ... and two ways lead to the same one
    return Graph(n, np.stack(np.divmod(once, n), axis=1))
