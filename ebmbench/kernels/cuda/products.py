"""Dense products over whole batches: bias + states @ matrix and what follows it, and statesᵀ @ p.

Each launch takes one of two tiles (see `tile`): the large one where it makes enough blocks for every
multiprocessor, else the small one. Bits do not depend on which.

What bounds them on an H200 (33.4e12 float32 multiply-adds a second), predicted. Large tile: a slice of 8
terms costs a thread 512 multiply-adds, 32 vector reads of shared memory and some 140 instructions that
fill it and count, so multiply-adds are 3/4 of what is issued. At 784 x 500 with 16,384 chains the units
fill 500/512 and 784/832 of their tiles and drawing costs 45 instructions a unit: 12.8e9 multiply-adds a
sweep in 0.57 ms, 2/3 of the peak. Small tile, 100 chains: 64 or 100 blocks of 4 warps, 25 or 16 slices
of some 800 cycles (32 terms of 14, and the instructions that fill the next slice, whose reads are under
way meanwhile): 11 and 7 us a layer. The contrast of two batches of 100: 400 blocks, three a
multiprocessor, 8 slices: 4 to 7 us.
"""

import numba
import numpy as np
from numba import cuda

from ebmbench.kernels.cuda.launch import device, kernel
from ebmbench.kernels.cuda.memory import Array
from ebmbench.kernels.cuda.tile import VECTOR, BySize, Loop, Tile, at, loop
from ebmbench.philox import four_uniforms
from ebmbench.randomness import Key
from ebmbench.scalar import SIGMOID, activate, mul, sigmoid

_ZERO, _ONE, _HALF = np.float32(0.0), np.float32(1.0), np.float32(0.5)
_UNITS = at(VECTOR)  # of one call of Philox


@device
def state(states, r, k, rows, units):
    """One state as float32, 0 beyond the rows and the units."""
    if r < rows and k < units:
        return np.float32(states[r, k])
    return _ZERO


@device
def weight(matrix, k, j, units):
    """One weight, 0 beyond the units and the columns."""
    if k < units and j < at(matrix.shape[1]):
        return matrix[k, j]
    return _ZERO


@device
def _state_of_phase(phase, i, r, units, rows):
    """Of a layer with two more units: one always on, and one that is on or minus on with the sign."""
    states, sign = phase
    if r < rows and i < units:
        return np.float32(states[r, i])
    if r < rows and i < units + at(2):
        return _ONE if i == units else sign
    return _ZERO


@device
def _probability_of_phase(phase, r, j, rows):
    p, skip, units, sign = phase
    if r < rows and j < units:
        return p[skip + r, j]
    if r < rows and j < units + at(2):
        return _ONE if j == units else sign
    return _ZERO


def stage(tile: Tile, steps: Loop):
    """Device functions: the block's tile of bias + states @ matrix, and sums on their way to memory."""
    height, width = at(tile.height), at(tile.width)
    sizes = tile.height, tile.width
    accumulate, row_of, column_of = steps

    @device
    def share(sums, x):
        """A thread's sums into the block's tile x in shared memory, whence whole rows can be written."""
        for i in range(height):
            for j in range(width):
                x[row_of(i), column_of(j)] = sums[i, j]
        cuda.syncthreads()

    @device
    def inputs(x, matrix, bias, states, row, rows, column):
        sums = cuda.local.array(sizes, numba.float32)
        for j in range(width):
            c = column + column_of(j)
            start = bias[c] if c < at(bias.size) else _ZERO
            for i in range(height):
                sums[i, j] = start
        accumulate(sums, states, matrix, row, rows, column, at(states.shape[1]))
        share(sums, x)

    return share, inputs


class Products:
    """The kernels of one size of tile."""

    def __init__(self, tile: Tile) -> None:
        self.tile = tile
        tall, wide, height, width = at(tile.rows), at(tile.columns), at(tile.height), at(tile.width)
        staged, sizes = (tile.rows, tile.columns + 1), (tile.height, tile.width)
        threads = at(tile.threads)
        groups = at(tile.columns // VECTOR)
        _, inputs = stage(tile, loop(tile, state, weight, True))
        gather = loop(tile, _state_of_phase, _probability_of_phase, False)
        share, _ = stage(tile, gather)
        accumulate = gather.accumulate

        @kernel(
            "float32[:,::1], float32[::1], rows[:,::1], uint64, float32, "
            "uint32, uint32, uint32, uint32, uint32, uint8[:,::1]",
            tile.threads,
        )
        def _draw(matrix, bias, states, columns, beta, seed, stream, low, high, chain, out):
            x = cuda.shared.array(staged, numba.float32)
            row, column = at(cuda.blockIdx.x) * tall, at(cuda.blockIdx.y) * wide
            rows = at(out.shape[0])
            inputs(x, matrix, bias, states, row, rows, column)
            for e in range(at(cuda.threadIdx.x), tall * groups, threads):
                down, right = e // groups, e % groups * _UNITS
                r, j = row + down, column + right
                if r < rows and j < columns:
                    group, number = np.uint32(j // _UNITS), np.uint32(chain + np.uint32(r))
                    u = four_uniforms(group, number, low, high, seed, stream)
                    for n in range(min(_UNITS, columns - j)):
                        p = sigmoid(mul(beta, x[down, right + n]))
                        out[r, j + n] = np.uint8(u[n] < p)

        @kernel(
            "float32[:,::1], float32[::1], rows[:,::1], rows[:,::1], uint64, float32, int64, "
            "float32[:,::1]",
            tile.threads,
        )
        def _layer(matrix, bias, first, second, columns, beta, activation, out):
            """Out = what units make of the rows of `first`, then of `second`."""
            x = cuda.shared.array(staged, numba.float32)
            row, column = at(cuda.blockIdx.x) * tall, at(cuda.blockIdx.y) * wide
            states, rows, skip = first, at(first.shape[0]), at(0)
            tiles = (rows + tall - at(1)) // tall
            if at(cuda.blockIdx.x) >= tiles:
                states, skip, row = second, rows, row - tiles * tall
                rows = at(out.shape[0]) - rows
            inputs(x, matrix, bias, states, row, rows, column)
            for e in range(at(cuda.threadIdx.x), tall * wide, threads):
                down, right = e // wide, e % wide
                r, j = row + down, column + right
                if r < rows and j < at(out.shape[1]):
                    value = activate(activation, np.float32(mul(beta, x[down, right])))
                    out[skip + r, j] = value if j < columns else _ZERO

        @kernel(
            "float32[:,::1], rows[:,::1], rows[:,::1], uint64, "
            "float32[:,::1], float32[::1], float32[::1], float32[::1], float32[::1]",
            tile.threads,
        )
        def _contrast(p, plus, minus, n_hidden, W, b, c, b_mean, c_mean):
            """W: mean of v p over plus less the same over minus; b, c and the means likewise.

            A bias is the weight of a unit that is always on. The sum of both phases, twice the mean,
            is that of a unit whose state is minus one in the phase that is taken off.
            """
            x = cuda.shared.array(staged, numba.float32)
            sums = cuda.local.array(sizes, numba.float32)
            row, column = at(cuda.blockIdx.x) * tall, at(cuda.blockIdx.y) * wide
            units, ons, offs = at(plus.shape[1]), at(plus.shape[0]), at(minus.shape[0])
            per_plus = _ONE / np.float32(max(ons, at(1)))
            ratio = -np.float32(max(ons, at(1))) / np.float32(max(offs, at(1)))
            for i in range(height):
                for j in range(width):
                    sums[i, j] = _ZERO
            off = p, ons, n_hidden, -_ONE
            accumulate(sums, (minus, -_ONE), off, row, units, column, offs)
            for i in range(height):
                for j in range(width):
                    sums[i, j] *= ratio
            on = p, at(0), n_hidden, _ONE
            accumulate(sums, (plus, _ONE), on, row, units, column, ons)
            share(sums, x)
            for e in range(at(cuda.threadIdx.x), tall * wide, threads):
                down, right = e // wide, e % wide
                i, j = row + down, column + right
                value = x[down, right] * per_plus
                if i < units and j < at(W.shape[1]):
                    W[i, j] = value if j < n_hidden else _ZERO
                if i == units and j < at(c.size):
                    c[j] = value if j < n_hidden else _ZERO
                if i == units + at(1) and j < at(c.size):
                    c_mean[j] = value * _HALF if j < n_hidden else _ZERO
                if j == n_hidden and i < at(b.size):
                    b[i] = value if i < units else _ZERO
                if j == n_hidden + at(1) and i < at(b.size):
                    b_mean[i] = value * _HALF if i < units else _ZERO

        self.draw, self.layer, self.contrast = _draw, _layer, _contrast


_sized = BySize(Products)


def draw_layer(
    matrix: Array, bias: Array, states: Array, columns: int, beta: float, key: Key, layer: int, step: int,
    out: Array,
) -> None:  # fmt: skip
    """Draw the first `columns` units of a layer given the other's states, all chains in one launch.

    Unit j of row r is on where its uniform of (`layer`, step, key.chain + r) is below
    sigmoid(beta (bias + states @ matrix)_j). matrix: float32 [units, padded columns]; bias: float32
    [padded columns]; states: uint8 or float32 [rows, units]; out: uint8 [rows, columns]; `step` stands
    in place of key.step. Binary states give the bits of the cpu backend.
    """
    if not out.size:
        return
    products = _sized(*out.shape)
    products.draw(
        products.tile.grid(*out.shape), matrix, bias, states, columns, beta, key.seed,
        int(key.stream) + layer, step & 0xFFFFFFFF, step >> 32, key.chain & 0xFFFFFFFF, out,
    )  # fmt: skip


def layer(
    matrix: Array, bias: Array, first: Array, second: Array | None, columns: int, out: Array,
    activation: int = SIGMOID, beta: float = 1.0,
) -> None:  # fmt: skip
    """f(beta (bias + states @ matrix)) of the rows of `first`, then of `second`, in one launch.

    activation: f's place in `scalar.ACTIVATIONS`. first, second: of one dtype; out: float32, as many
    rows as both together; its columns from number `columns` on become zero.
    """
    if not out.size:
        return
    products = _sized(*out.shape)
    tall, wide = products.tile.grid(len(first), out.shape[1])
    tall += products.tile.grid(out.shape[0] - len(first), 0)[0]
    products.layer(
        (tall, wide), matrix, bias, first, first if second is None else second, columns, beta, activation,
        out,
    )  # fmt: skip


def contrast(p: Array, plus: Array, minus: Array, n_hidden: int, *outputs: Array) -> None:
    """The difference between two phases, plusᵀ @ p / rows - minusᵀ @ p' / rows', and their biases'.

    p: float32 [rows + rows', padded], rows of plus, then of minus, of one dtype; a phase without rows
    counts as zero. outputs: W [n_visible, padded], b and c, and of both phases the mean of v and p.
    """
    W, b, c = outputs[:3]
    rows, columns = max(W.shape[0] + 2, b.size), max(n_hidden + 2, c.size)
    products = _sized(rows, columns)
    products.contrast(products.tile.grid(rows, columns), p, plus, minus, n_hidden, *outputs)
