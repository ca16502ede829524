"""Products of whole batches in tiles: bias + states @ matrix with what follows it, and statesᵀ @ p.

A block forms a tile of the output. It moves slices of both factors through shared memory, and each of
its threads keeps a small tile of sums in registers: h rows by w columns cost h + w reads of shared
memory for h w multiply-adds. One body serves every tile's size and every product; `Tile` makes its
instances.

Each output is one sum that starts at its bias and adds its terms in ascending order. For states of 0 and
1 a fused multiply-add is a plain addition, so the sums have the bits of the cpu backend.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
from numba import cuda

from ebmbench.kernels.cuda.launch import SIMULATED, device, kernel
from ebmbench.kernels.cuda.memory import Array
from ebmbench.randomness import Key
from ebmbench.scalar import four_uniforms, mul, sigmoid

_MULTIPROCESSORS = 132  # of an H200: fewer blocks than these leave some of them idle
_VECTOR = 4  # floats of one read of shared memory, and units of one call of Philox
_ALIGNED = 4 * _VECTOR  # bytes
_at = np.uint64
_ZERO, _ONE = np.float32(0.0), np.float32(1.0)


class Tile(NamedTuple):
    """Rows and columns of the output that a block forms, and the length of a slice of the sums.

    height and width: rows and columns of a thread's own tile; width is a multiple of 4, height too or
    at most 4.
    """

    rows: int
    columns: int
    depth: int
    height: int
    width: int

    @property
    def threads(self) -> int:
        """Of a block: the body counts on exactly as many."""
        return self.rows // self.height * (self.columns // self.width)

    def grid(self, rows: int, columns: int) -> tuple[int, int]:
        """Blocks for an output of this size."""
        return -(-rows // self.rows), -(-columns // self.columns)


def loop(tile: Tile, left: Any, right: Any, left_ascends: bool) -> tuple[Any, Any, Any]:
    """Device functions of a tile: the loop over a sum's terms, and where a thread's own tile stands.

    left(factor, line, term, lines, terms) and right(factor, term, line, terms, lines): elements of the
    factors, 0 beyond their ends. left_ascends: whether neighbours of `left` in memory are terms, not
    lines.
    """
    rows, columns, depth, height, width = tile
    pitch = rows + _VECTOR  # keeps vectors aligned and spreads a column over the banks
    left_each, right_each = rows * depth // tile.threads, columns * depth // tile.threads
    # All indices are unsigned: Python's signed ones may count from the end, which costs a test each.
    threads, step = _at(tile.threads), _at(depth)
    side, across, group = _at(columns // width), _at(rows // height), _at(min(height, _VECTOR))
    left_fast, right_fast = _at(depth if left_ascends else rows), _at(columns)
    vector = _at(_VECTOR)

    @device
    def row_of(n):
        """Row of the block's tile of a thread's row n: groups of 4, so that reads are whole vectors."""
        return (n // group * across + _at(cuda.threadIdx.x) // side) * group + n % group

    @device
    def column_of(n):
        """Likewise its column."""
        return (n // vector * side + _at(cuda.threadIdx.x) % side) * vector + n % vector

    @device
    def place(n, fast):
        """Which element of a slice a thread copies as its n-th, as (slow, fast) index."""
        t, beside = _at(cuda.threadIdx.x), max(fast // threads, _at(1))
        return t // fast + n // beside * max(threads // fast, _at(1)), t % fast + n % beside * threads

    @device
    def left_place(n):
        """(line, term) of the n-th element of `left`."""
        slow, quick = place(n, left_fast)
        return (slow, quick) if left_ascends else (quick, slow)

    @device
    def accumulate(sums, first, second, row, lines, column, terms):
        """Add sum_t left[row + r, t] right[t, column + c] over all terms to a thread's sums."""
        if SIMULATED:  # which knows no alignment
            a = cuda.shared.array((depth, pitch), numba.float32)
            b = cuda.shared.array((depth, columns), numba.float32)
        else:
            a = cuda.shared.array((depth, pitch), numba.float32, _ALIGNED)
            b = cuda.shared.array((depth, columns), numba.float32, _ALIGNED)
        own_a = cuda.local.array(left_each, numba.float32)
        own_b = cuda.local.array(right_each, numba.float32)
        for start in range(_at(0), terms, step):
            # All of a slice's reads are under way before the first is waited for.
            for n in range(_at(left_each)):
                line, term = left_place(n)
                own_a[n] = left(first, row + line, start + term, lines, terms)
            for n in range(_at(right_each)):
                term, line = place(n, right_fast)
                own_b[n] = right(second, start + term, column + line, terms)
            cuda.syncthreads()  # nobody reads the slice before any more
            for n in range(_at(left_each)):
                line, term = left_place(n)
                a[term, line] = own_a[n]
            for n in range(_at(right_each)):
                b[place(n, right_fast)] = own_b[n]
            cuda.syncthreads()
            for k in range(step):
                for i in range(_at(height)):
                    x = a[k, row_of(i)]
                    for j in range(_at(width)):
                        sums[i, j] += x * b[k, column_of(j)]

    return accumulate, row_of, column_of


@device
def state(states, r, k, rows, units):
    """One state as float32, 0 beyond the rows and the units."""
    if r < rows and k < units:
        return np.float32(states[r, k])
    return _ZERO


@device
def weight(matrix, k, j, units):
    """One weight, 0 beyond the units and the columns."""
    if k < units and j < matrix.shape[1]:
        return matrix[k, j]
    return _ZERO


class _Layer:
    """The kernels of bias + states @ matrix for one tile."""

    def __init__(self, tile: Tile) -> None:
        self.tile = tile
        accumulate, row_of, column_of = loop(tile, state, weight, True)
        tall, wide, _, height, width = tile
        pitch, groups, threads = wide + 1, wide // _VECTOR, tile.threads

        @device
        def inputs(x, matrix, bias, states, row, rows, column):
            """The block's tile of bias + states @ matrix, in shared memory."""
            sums = cuda.local.array((height, width), numba.float32)
            for j in range(_at(width)):
                at = column + column_of(j)
                start = bias[at] if at < bias.size else _ZERO
                for i in range(_at(height)):
                    sums[i, j] = start
            accumulate(sums, states, matrix, row, rows, column, _at(states.shape[1]))
            for i in range(_at(height)):
                for j in range(_at(width)):
                    x[row_of(i), column_of(j)] = sums[i, j]
            cuda.syncthreads()

        @kernel(
            "float32[:,::1], float32[::1], rows[:,::1], uint64, float32, "
            "uint32, uint32, uint32, uint32, uint32, uint8[:,::1]",
            tile.threads,
        )
        def _draw(matrix, bias, states, columns, beta, seed, stream, low, high, chain, out):
            x = cuda.shared.array((tall, pitch), numba.float32)
            row, column = _at(cuda.blockIdx.x) * _at(tall), _at(cuda.blockIdx.y) * _at(wide)
            rows = _at(out.shape[0])
            inputs(x, matrix, bias, states, row, rows, column)
            for e in range(_at(cuda.threadIdx.x), _at(tall * groups), _at(threads)):
                down, right = e // _at(groups), e % _at(groups) * _at(_VECTOR)
                r, j = row + down, column + right
                if r < rows and j < columns:
                    group, number = np.uint32(j // _at(_VECTOR)), np.uint32(chain + np.uint32(r))
                    u = four_uniforms(group, number, low, high, seed, stream)
                    for n in range(min(_at(_VECTOR), columns - j)):
                        out[r, j + n] = np.uint8(u[n] < sigmoid(mul(beta, x[down, right + n])))

        self.draw = _draw


LARGE = _Layer(Tile(16, 16, 4, 8, 8) if SIMULATED else Tile(128, 64, 16, 8, 8))
SMALL = _Layer(Tile(8, 8, 4, 4, 4) if SIMULATED else Tile(32, 32, 32, 4, 4))
