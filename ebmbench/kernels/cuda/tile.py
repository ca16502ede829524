"""One tile of a product, left @ right: the loop that every dense product of this backend runs.

A block forms a tile of the output. It moves slices of both factors through shared memory, and each of
its threads keeps a small tile of sums in registers: h rows by w columns cost h + w reads of shared
memory for h w multiply-adds.

Each output is one sum, which starts where the caller says and adds its terms in ascending order,
whatever the tile. A product with a state of 0 or 1 is exact, so that there a fused multiply-add is an
addition, and such sums have the bits of the cpu backend.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import cuda

from ebmbench.kernels.cuda.launch import SIMULATED, device

VECTOR = 4  # floats of one read of shared memory
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


class Loop(NamedTuple):
    """Device functions: `accumulate`, and which row and column of the tile a thread's n-th one is."""

    accumulate: Callable[..., None]
    row_of: Callable[..., Any]
    column_of: Callable[..., Any]


def loop(tile: Tile, left: Callable, right: Callable, left_ascends: bool) -> Loop:
    """The loop for one size of tile and one kind of factors.

    left(factor, line, term, lines, terms, sign) and right(factor, term, line, terms, lines, sign) are
    device functions that give an element, 0 beyond the factor's ends; left_ascends: whether neighbours
    of `left` in memory are terms, not lines. Of shared memory it takes depth (rows + columns + 4)
    floats.
    """
    rows, columns, depth, height, width = tile
    pitch = rows + VECTOR  # keeps vectors aligned and spreads a column over the banks
    left_each, right_each = rows * depth // tile.threads, columns * depth // tile.threads
    threads, step, vector = at(tile.threads), at(depth), at(VECTOR)
    side, across, group = at(columns // width), at(rows // height), at(min(height, VECTOR))
    left_fast, right_fast = at(depth if left_ascends else rows), at(columns)

    @device
    def row_of(n):
        # Groups of neighbours, so that reads of shared memory are whole vectors.
        return (n // group * across + at(cuda.threadIdx.x) // side) * group + n % group

    @device
    def column_of(n):
        return (n // vector * side + at(cuda.threadIdx.x) % side) * vector + n % vector

    @device
    def place(n, fast):
        """Which element of a slice a thread copies as its n-th: neighbours go to neighbours."""
        t, beside = at(cuda.threadIdx.x), max(fast // threads, at(1))
        return t // fast + n // beside * max(threads // fast, at(1)), t % fast + n % beside * threads

    @device
    def left_place(n):
        slow, quick = place(n, left_fast)
        return (slow, quick) if left_ascends else (quick, slow)

    @device
    def accumulate(sums, first, second, row, rows_left, column, columns_right, terms, sign):
        """Add left[row + r, t] right[t, column + c] over all terms t to a thread's sums."""
        if SIMULATED:  # which knows no alignment
            a = cuda.shared.array((depth, pitch), numba.float32)
            b = cuda.shared.array((depth, columns), numba.float32)
        else:
            a = cuda.shared.array((depth, pitch), numba.float32, _ALIGNED)
            b = cuda.shared.array((depth, columns), numba.float32, _ALIGNED)
        own_a = cuda.local.array(left_each, numba.float32)
        own_b = cuda.local.array(right_each, numba.float32)
        beside = cuda.local.array(width, numba.float32)
        for start in range(at(0), terms, step):
            # All reads of a slice are under way before the first is waited for.
            for n in range(at(left_each)):
                line, term = left_place(n)
                own_a[n] = left(first, row + line, start + term, rows_left, terms, sign)
            for n in range(at(right_each)):
                term, line = place(n, right_fast)
                own_b[n] = right(second, start + term, column + line, terms, columns_right, sign)
            cuda.syncthreads()  # nobody reads the slice before any more
            for n in range(at(left_each)):
                line, term = left_place(n)
                a[term, line] = own_a[n]
            for n in range(at(right_each)):
                b[place(n, right_fast)] = own_b[n]
            cuda.syncthreads()
            k = at(0)
            while k < step:  # a plain counter: a range of unsigned numbers counts twice
                for j in range(at(width)):
                    beside[j] = b[k, column_of(j)]
                for i in range(at(height)):
                    x = a[k, row_of(i)]
                    for j in range(at(width)):
                        sums[i, j] += x * beside[j]
                k += at(1)

    return Loop(accumulate, row_of, column_of)
