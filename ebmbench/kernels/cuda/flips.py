"""Pseudolikelihood and ratio matching: objectives over single flips of v (see `models.flips`).

With s = sigmoid(x), flipping bit i multiplies 1 + e**x by t = sigmoid(-x) + s e**(sign W_i), and D_i
needs one logarithm of the product of t over the hidden units; s e**(sign W_i) / t is what flipping makes
of s, which the gradient needs. Four launches: s; each flip's weight, one product a (row, visible unit);
the gradient through the flips, one reciprocal a (row, visible unit, hidden unit); and that through all
other units. Sums are formed in a fixed order, so the same rows give the same bits.
"""

import math
from functools import cache

import numba
import numpy as np
from numba import cuda

from ebmbench.errors import NotFinite
from ebmbench.kernels.api import Phases
from ebmbench.kernels.cuda.flip_passes import (
    LARGEST_WEIGHT,
    flips_grid,
    through_flips,
    walkers_grid,
    weigh,
)
from ebmbench.kernels.cuda.later import Later
from ebmbench.kernels.cuda.launch import SIMULATED, device, kernel
from ebmbench.kernels.cuda.memory import Array, download, empty, upload
from ebmbench.kernels.cuda.products import state, weight
from ebmbench.kernels.cuda.tile import Tile, at, loop
from ebmbench.kernels.cuda.update import is_due
from ebmbench.scalar import sigmoid

_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
# Few rows: blocks of few rows fill the GPU. The second product reads what it sums from global memory
# once a tile, so its tiles are tall.
_PREPARED = Tile(8, 8, 4, 2, 8) if SIMULATED else Tile(8, 32, 64, 1, 4)
_THROUGH = Tile(16, 8, 3, 8, 4) if SIMULATED else Tile(128, 32, 16, 8, 4)
_x_sum, _x_row, _x_column = loop(_PREPARED, state, weight, True)
_X_ROWS, _X_COLUMNS, _X_HEIGHT, _X_WIDTH = map(at, (*_PREPARED[:2], *_PREPARED[3:]))
_X_SIZES = _PREPARED[3:]


@kernel("float32[:,::1], float32[::1], uint8[:,::1], uint64, float32[:,:,::1]", _PREPARED.threads)
def _prepare(W, c, v, n_hidden, s):
    """s[:, 0] = sigmoid(x), s[:, 1] = sigmoid(-x), since 1 - s cancels near 1; 0 and 1 in padding.

    A product in small tiles, bound by the latency of its 13 slices at 784 x 500, some 9 us of an H200.
    """
    row, column = at(cuda.blockIdx.x) * _X_ROWS, at(cuda.blockIdx.y) * _X_COLUMNS
    sums = cuda.local.array(_X_SIZES, numba.float32)
    for n in range(_X_HEIGHT):
        for m in range(_X_WIDTH):
            sums[n, m] = _ZERO
    rows, units, columns = at(v.shape[0]), at(v.shape[1]), at(s.shape[2])
    _x_sum(sums, v, W, row, rows, column, units)
    for n in range(_X_HEIGHT):
        r = row + _x_row(n)
        for m in range(_X_WIDTH):
            j = column + _x_column(m)
            if r < rows and j < columns:
                x = c[j] + sums[n, m]
                s[r, at(0), j] = sigmoid(x) if j < n_hidden else _ZERO
                s[r, at(1), j] = sigmoid(-x) if j < n_hidden else _ONE


@device
def _on(v, i, r, units, rows):
    """Bit i of row r; the unit after the last is always on, and its weights are the biases c."""
    if i > units or r >= rows:
        return _ZERO
    return _ONE if i == units else np.float32(v[r, i])


@device
def _change(changes, r, j, rows):
    """The change of p(h_j|v) of a row over all visible units."""
    change = _ZERO
    if r < rows and j < changes.shape[2]:
        for tile in range(changes.shape[0]):
            change += changes[tile, r, j]
    return change


_w_sum, _w_row, _w_column = loop(_THROUGH, _on, _change, False)
_W_ROWS, _W_COLUMNS, _W_HEIGHT, _W_WIDTH = map(at, (*_THROUGH[:2], *_THROUGH[3:]))
_W_SIZES, _W_THREADS = _THROUGH[3:], at(_THROUGH.threads)


@kernel("uint8[:,::1], float32[:,:,::1], float32[:,::1], float32[::1], float32[::1]", _THROUGH.threads)
def _through_others(v, changes, gW, gc, b_mean):
    """The flips' effect through all other units: W -= vᵀ change, c -= change over rows; means; v's mean.

    A product of 39 million multiply-adds at 784 x 500, bound by reading `changes` once a
    tile and by the latency of its slices: some 14 us of an H200.
    """
    row, column = at(cuda.blockIdx.x) * _W_ROWS, at(cuda.blockIdx.y) * _W_COLUMNS
    rows, n_visible = at(v.shape[0]), at(v.shape[1])
    sums = cuda.local.array(_W_SIZES, numba.float32)
    for n in range(_W_HEIGHT):
        for m in range(_W_WIDTH):
            sums[n, m] = _ZERO
    _w_sum(sums, v, changes, row, n_visible, column, rows)
    for n in range(_W_HEIGHT):
        i = row + _w_row(n)
        for m in range(_W_WIDTH):
            j = column + _w_column(m)
            if j < gc.size:
                if i < n_visible:
                    gW[i, j] = -(gW[i, j] + sums[n, m]) / np.float32(rows)
                elif i == n_visible:
                    gc[j] = -sums[n, m] / np.float32(rows)
    if cuda.blockIdx.y == 0:
        i = row + at(cuda.threadIdx.x)
        while i < row + _W_ROWS and i < b_mean.size:
            total = _ZERO
            if i < n_visible:
                for r in range(rows):
                    total += np.float32(v[r, i])
            b_mean[i] = total / np.float32(rows)
            i += _W_THREADS


@cache
def _no_bits() -> Array:
    return upload(np.empty(0, np.int64))


def _job(squared: bool):
    def job(model, v, bits):
        rows, columns, units = len(v), model.c.size, model.b.size
        s, signed = empty((rows, 2, columns)), empty((rows, model.n_visible))
        grid, walkers = flips_grid(rows, model.n_visible), walkers_grid(model.n_visible, columns)
        told = empty(1 + grid[0] * grid[1], np.float64)
        changes = empty((walkers[0], rows, columns))
        gW, gb, gc = empty(model.W.shape), empty(units), empty(columns)
        b_mean, c_mean = empty(units), empty(columns)
        chosen = _no_bits() if bits is None else upload(bits)
        _prepare(_PREPARED.grid(rows, columns), model.W, model.c, v, model.n_hidden, s)
        weigh(grid, model.Wt, model.b, v, s, chosen, squared, signed, told)
        through_flips(walkers, model.W, s, signed, bits is not None, gW, gb, c_mean, changes, told)
        _through_others(
            _THROUGH.grid(max(units, model.n_visible + 1), columns), v, changes, gW, gc, b_mean
        )
        phases = Phases({"W": gW, "b": gb, "c": gc}, {"b": b_mean, "c": c_mean})
        value = Later(lambda: _value(told, rows))
        if is_due(model):
            float(value)  # raises `NotFinite` at the latest here, as training looks at no value
        return phases, value

    return job


def _value(told: Array, rows: int) -> float:
    """The mean of the rows' values; `NotFinite` where a weight was too large for them."""
    large, *values = download(told).tolist()
    if large:
        raise NotFinite(f"a weight is beyond +-{LARGEST_WEIGHT:g}, where flips overflow")
    return math.fsum(values) / rows


JOBS = {"pseudolikelihood": _job(False), "ratio_matching": _job(True)}
