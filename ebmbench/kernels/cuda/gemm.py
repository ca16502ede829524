"""What back-propagation multiplies: a layer's gradient, aᵀ x and the sum of x over rows, and x Wᵀ.

W is read as it lies, line by line along its columns, rather than from a transposed copy. Of a slice of
8 or 32 terms each line is then 32 or 128 bytes in a row, whole sectors of the L2 cache, so that no more
is moved than from a copy; the copy would be written anew at every update, which moves W twice more.

Predictions for an H200 (33.4e12 float32 multiply-adds a second; see `products` for the tiles): at batch
100 a layer of 1,024 x 1,024 is 0.1e9 multiply-adds for each of both, 3 us at the peak. The gradient has
1,056 small tiles of 4 slices, eight a multiprocessor: 7 to 9 us. x Wᵀ has 128, one a multiprocessor,
with 32 slices of some 800 cycles one after the other: 14 us, as long as the way up.
"""

import numba
import numpy as np
from numba import cuda

from ebmbench.kernels.cuda.device import blocks
from ebmbench.kernels.cuda.launch import device, kernel
from ebmbench.kernels.cuda.memory import Array, empty
from ebmbench.kernels.cuda.products import stage, state, weight
from ebmbench.kernels.cuda.tile import BySize, Tile, at, loop
from ebmbench.scalar import LINEAR, slope

_ZERO, _ONE = np.float32(0.0), np.float32(1.0)


@device
def _unit(states, i, r, units, rows):
    """Of a layer with one more unit, which is always on: a bias is its weight."""
    if r < rows and i < units:
        return np.float32(states[r, i])
    return _ONE if i == units else _ZERO


@device
def _transposed(matrix, k, j, units):
    if k < units and j < at(matrix.shape[0]):
        return matrix[j, k]
    return _ZERO


class Gemm:
    """The kernels of one size of tile."""

    def __init__(self, tile: Tile) -> None:
        self.tile = tile
        tall, wide, threads = at(tile.rows), at(tile.columns), at(tile.threads)
        staged, sizes = (tile.rows, tile.columns + 1), (tile.height, tile.width)
        over_rows = loop(tile, _unit, weight, False)
        back = loop(tile, state, _transposed, True, True)
        share_gradient, _ = stage(tile, over_rows)
        share_back, _ = stage(tile, back)
        add_rows, add_back = over_rows.accumulate, back.accumulate
        height, width = at(tile.height), at(tile.width)

        @device
        def clear(sums):
            for i in range(height):
                for j in range(width):
                    sums[i, j] = _ZERO

        @kernel("rows[:,::1], float32[:,::1], float32[:,::1], float32[::1]", tile.threads)
        def _gradient(a, x, W, c):
            """W = aᵀ x, c = the sum of x over rows."""
            together = cuda.shared.array(staged, numba.float32)
            sums = cuda.local.array(sizes, numba.float32)
            row, column = at(cuda.blockIdx.x) * tall, at(cuda.blockIdx.y) * wide
            units, columns = at(W.shape[0]), at(W.shape[1])
            clear(sums)
            add_rows(sums, a, x, row, units, column, at(x.shape[0]))
            share_gradient(sums, together)
            for e in range(at(cuda.threadIdx.x), tall * wide, threads):
                down, right = e // wide, e % wide
                i, j = row + down, column + right
                if i < units and j < columns:
                    W[i, j] = together[down, right]
                if i == units and j < columns:
                    c[j] = together[down, right]

        @kernel("float32[:,::1], float32[:,::1], float32[:,::1], int64, float32[:,::1]", tile.threads)
        def _back(x, W, a, activation, out):
            """out = x Wᵀ, times the slope at a of what is not linear."""
            together = cuda.shared.array(staged, numba.float32)
            sums = cuda.local.array(sizes, numba.float32)
            row, column = at(cuda.blockIdx.x) * tall, at(cuda.blockIdx.y) * wide
            rows, columns = at(out.shape[0]), at(out.shape[1])
            clear(sums)
            add_back(sums, x, W, row, rows, column, at(x.shape[1]))
            share_back(sums, together)
            for e in range(at(cuda.threadIdx.x), tall * wide, threads):
                down, right = e // wide, e % wide
                r, j = row + down, column + right
                if r < rows and j < columns:
                    value = together[down, right]
                    if activation != LINEAR:
                        value *= slope(activation, a[r, j])
                    out[r, j] = value

        self.gradient, self.back = _gradient, _back


_sized = BySize(Gemm)


@kernel("rows[:,::1], float32[:,::1], int64, float32[:,::1]")
def _through(delta, a, activation, x):
    columns = at(x.shape[1])
    for n in range(at(cuda.grid(1)), at(x.size), at(cuda.gridsize(1))):
        r, j = n // columns, n % columns
        x[r, j] = np.float32(delta[r, j]) * slope(activation, a[r, j])


def gradient(a: Array, x: Array, W: Array, c: Array) -> None:
    """W = aᵀ x [n, m] and c [m] the sum of x over rows; a: [rows, n], uint8 or float32; x: [rows, m]."""
    rows, columns = W.shape[0] + 1, W.shape[1]
    kernels = _sized(rows, columns)
    kernels.gradient(kernels.tile.grid(rows, columns), a, x, W, c)


def back(x: Array, W: Array, a: Array | None, activation: int) -> Array:
    """x Wᵀ times the slope of `activation` where it gave a, [rows, n]; x: [rows, m], W: [n, m].

    a: None where the activation is linear.
    """
    out = empty((len(x), W.shape[0]))
    kernels = _sized(*out.shape)
    kernels.back(kernels.tile.grid(*out.shape), x, W, out if a is None else a, activation, out)
    return out


def through(delta: Array, a: Array, activation: int) -> Array:
    """Delta times the slope of `activation` where it gave a, float32."""
    if activation == LINEAR and delta.dtype == np.float32:
        return delta
    x = empty(delta.shape)
    _through(blocks(x.size, _through.threads), delta, a, activation, x)
    return x
