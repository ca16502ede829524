"""One tile of a product, left @ right: the loop that every dense product of this backend runs.

A block forms a tile of the output. It moves slices of both factors through shared memory, and each of
its threads keeps a small tile of sums in registers: h rows by w columns cost h + w reads of shared
memory for h w multiply-adds. The next slice is read from global memory while one is multiplied.

Each output is one sum, which starts where the caller says and adds its terms in ascending order,
whatever the tile. A product with a state of 0 or 1 is exact, so that there a fused multiply-add is an
addition, and such sums have the bits of the cpu backend.
"""

from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

import numba
import numpy as np
from numba import cuda

from ebmbench.kernels.cuda.launch import SIMULATED, device

VECTOR = 4  # floats of one read of shared memory
_MULTIPROCESSORS = 132  # of an H200: fewer blocks than these leave some of them idle
T = TypeVar("T")
_ALIGNED = 4 * VECTOR  # bytes
# Indices are unsigned: Python's signed ones may count from the end, which costs a test each.
at = np.uint64


class Tile(NamedTuple):
    """Rows and columns of the output that a block forms, and how many terms a slice holds.

    height and width: rows and columns of a thread's own tile, multiples of 4 or below it.
    """

    rows: int
    columns: int
    depth: int
    height: int
    width: int

    @property
    def threads(self) -> int:
        """Of a block: the loop counts on exactly as many."""
        return self.rows // self.height * (self.columns // self.width)

    def grid(self, rows: int, columns: int) -> tuple[int, int]:
        """Blocks for an output of this size, by rows and columns."""
        return -(-rows // self.rows), -(-columns // self.columns)


LARGE = Tile(16, 16, 4, 8, 8) if SIMULATED else Tile(128, 64, 8, 8, 8)
SMALL = Tile(8, 16, 8, 4, 8) if SIMULATED else Tile(32, 32, 32, 2, 4)


def sized(rows: int, columns: int) -> Tile:
    """The tile for an output of this size."""
    tall, wide = LARGE.grid(rows, columns)
    return LARGE if tall * wide >= _MULTIPROCESSORS else SMALL


class BySize(Generic[T]):
    """What a family of kernels is for each size of tile, from which a launch takes one."""

    def __init__(self, family: Callable[[Tile], T]) -> None:
        self._of = {tile: family(tile) for tile in (LARGE, SMALL)}

    def __call__(self, rows: int, columns: int) -> T:
        """That of `sized`."""
        return self._of[sized(rows, columns)]


class Loop(NamedTuple):
    """Device functions: `accumulate`, and which row and column of the tile a thread's n-th one is."""

    accumulate: Callable[..., None]
    row_of: Callable[..., Any]
    column_of: Callable[..., Any]


def loop(
    tile: Tile, left: Callable, right: Callable, left_ascends: bool, right_ascends: bool = False
) -> Loop:
    """The loop for one size of tile and one kind of factors.

    left(first, line, term, lines, terms) and right(second, term, line, terms) are device functions
    that give an element, 0 beyond the factor's ends; a factor is an array or a tuple with one.
    left_ascends, right_ascends: whether neighbours of the factor in memory are terms, not lines. Of
    shared memory the loop takes depth (rows + columns + 8) floats.
    """
    rows, columns, depth, height, width = tile
    # A pitch that keeps vectors aligned and spreads a column over the banks.
    left_pitch, right_pitch = rows + VECTOR, columns + (VECTOR if right_ascends else 0)
    left_each, right_each = rows * depth // tile.threads, columns * depth // tile.threads
    threads, step, vector = at(tile.threads), at(depth), at(VECTOR)
    side, across, group = at(columns // width), at(rows // height), at(min(height, VECTOR))
    left_fast, right_fast = (
        at(depth if ascends else lines)
        for ascends, lines in ((left_ascends, rows), (right_ascends, columns))
    )

    @device
    def own_row(n, t):
        """Row of the tile that thread t keeps as its n-th: reads of groups of 4 are whole vectors."""
        return (n // group * across + t // side) * group + n % group

    @device
    def own_column(n, t):
        return (n // vector * side + t % side) * vector + n % vector

    @device
    def place(n, t, fast):
        """Which element of a slice thread t copies as its n-th: neighbours go to neighbours."""
        beside = max(fast // threads, at(1))
        return t // fast + n // beside * max(threads // fast, at(1)), t % fast + n % beside * threads

    @device
    def left_place(n, t):
        slow, quick = place(n, t, left_fast)
        return (slow, quick) if left_ascends else (quick, slow)

    @device
    def right_place(n, t):
        slow, quick = place(n, t, right_fast)
        return (quick, slow) if right_ascends else (slow, quick)

    @device
    def row_of(n):
        return own_row(at(n), at(cuda.threadIdx.x))

    @device
    def column_of(n):
        return own_column(at(n), at(cuda.threadIdx.x))

    @device
    def fetch(own_a, own_b, first, second, row, lines, column, start, terms, t):
        """A slice's elements that thread t copies; all reads are under way before one is waited for."""
        for n in range(at(left_each)):
            line, term = left_place(n, t)
            own_a[n] = left(first, row + line, start + term, lines, terms)
        for n in range(at(right_each)):
            term, line = right_place(n, t)
            own_b[n] = right(second, start + term, column + line, terms)

    @device
    def accumulate(sums, first, second, row, lines, column, terms):
        """Add left[row + r, t] right[t, column + c] over all terms t to a thread's sums."""
        if SIMULATED:  # which knows no alignment
            a = cuda.shared.array((depth, left_pitch), numba.float32)
            b = cuda.shared.array((depth, right_pitch), numba.float32)
        else:
            a = cuda.shared.array((depth, left_pitch), numba.float32, _ALIGNED)
            b = cuda.shared.array((depth, right_pitch), numba.float32, _ALIGNED)
        own_a = cuda.local.array(left_each, numba.float32)
        own_b = cuda.local.array(right_each, numba.float32)
        beside = cuda.local.array(width, numba.float32)
        t = at(cuda.threadIdx.x)
        fetch(own_a, own_b, first, second, row, lines, column, at(0), terms, t)
        for start in range(at(0), terms, step):
            cuda.syncthreads()  # nobody reads the slice before any more
            for n in range(at(left_each)):
                line, term = left_place(n, t)
                a[term, line] = own_a[n]
            for n in range(at(right_each)):
                b[right_place(n, t)] = own_b[n]
            cuda.syncthreads()
            if start + step < terms:
                fetch(own_a, own_b, first, second, row, lines, column, start + step, terms, t)
            k = at(0)
            while k < step:  # a plain counter: a range of unsigned numbers counts twice
                for j in range(at(width)):
                    beside[j] = b[k, own_column(j, t)]
                for i in range(at(height)):
                    x = a[k, own_row(i, t)]
                    for j in range(at(width)):
                        sums[i, j] += x * beside[j]
                k += at(1)

    return Loop(accumulate, row_of, column_of)
