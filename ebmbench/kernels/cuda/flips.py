"""Pseudolikelihood and ratio matching: objectives over single flips of v (see `models.flips`).

With s = sigmoid(x), flipping bit i multiplies 1 + e**x by t = sigmoid(-x) + s e**(sign W_i), and D_i
needs one logarithm of the product of t over the hidden units; s e**(sign W_i) / t is what flipping makes
of s, which the gradient needs. Four launches: s; each flip's weight, one product a (row, visible unit);
the gradient through the flips, one reciprocal a (row, visible unit, hidden unit); and that through all
other units. Sums are formed in a fixed order, so the same rows give the same bits.

An element is a (row, visible unit, hidden unit): 39 million of them in a batch of 100 at 784 x 500. An
H200 starts 33 x 10**12 instructions of a lane a second, so one instruction an element takes 1.2 us.
"""

import math

import numba
import numpy as np
from numba import cuda

from ebmbench.errors import NotFinite
from ebmbench.kernels.api import Phases
from ebmbench.kernels.cuda.block import block_sum
from ebmbench.kernels.cuda.dense import state, weight
from ebmbench.kernels.cuda.launch import SIMULATED, device, kernel
from ebmbench.kernels.cuda.memory import download, empty, upload
from ebmbench.kernels.cuda.tile import Tile, at, loop
from ebmbench.scalar import exp, flip_value_and_weight, normalised, quotient, sigmoid

_LANES, _WARPS = (2, 2) if SIMULATED else (32, 8)
_THREADS = _LANES * _WARPS
_BITS = 8  # visible units of a thread
_RUN = 8  # factors that a thread multiplies between two looks at the exponent
_STEP = _WARPS * _RUN  # hidden units of which a block holds e**+-W and s
_PITCH = _STEP + 1  # so that lanes read different banks
_PAIRS = _LANES * _BITS

# Of a block that walks over the rows: 56 visible units, of which 28 x 28 pixels are a multiple.
_GROUPS = 2 if SIMULATED else 7
_UNITS, _WALKERS = _GROUPS * _BITS, _GROUPS * _LANES
_CHUNK = 16  # rows whose changes a block adds up at once
_ALIGNED = None if SIMULATED else 16  # bytes: four floats are read at once

_NARROW = np.float32(80.0 / _RUN)  # weights so small that no product of a run leaves float32
_LARGEST_WEIGHT = 80.0  # e**+-W in float32
_LN2 = math.log(2.0)
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

    A product in small tiles, bound by the latency of its 13 slices at 784 x 500.
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
def _multiply(products, powers, up, down, on, s, q, lane, first, each):
    """Multiply a thread's products by the factors of a run; each: whether to look after every factor."""
    n = 0
    while n < _RUN:  # Numba's own count of a long loop costs more than this
        own = at(first + n)
        n += 1
        own_s, own_q = s[at(lane), own], q[at(lane), own]
        for k in range(_BITS):
            raised, lowered = up[own, k], down[own, k]  # both: lanes that choose alike read at once
            products[k] *= own_q + own_s * (lowered if on[k] else raised)
            if each:
                products[k], exponent = normalised(products[k])
                powers[k, lane] += exponent
    if not each:
        for k in range(_BITS):
            products[k], exponent = normalised(products[k])
            powers[k, lane] += exponent


@kernel(
    "float32[:,::1], float32[::1], uint8[:,::1], float32[:,:,::1], int64[::1], boolean, "
    "float32[:,::1], float64[::1]",
    _THREADS,
)
def _weigh(Wt, b, v, s, bits, squared, signed, told):
    """signed = the derivative of the objective by each D, with the sign of its flip; told[1:] = values.

    A lane is a row and a warp a share of the hidden units. A product is kept as a mantissa and an
    exponent, so that it needs no float64. Bound by reads of shared memory, 6 an element in 4 bytes, of
    which those of e**+-W are broadcast and come by four.
    """
    up = cuda.shared.array((_STEP, _BITS), numba.float32, alignment=_ALIGNED)
    down = cuda.shared.array((_STEP, _BITS), numba.float32, alignment=_ALIGNED)
    tile_s = cuda.shared.array((_LANES, _PITCH), numba.float32)
    tile_q = cuda.shared.array((_LANES, _PITCH), numba.float32)
    mantissas = cuda.shared.array((_WARPS, _BITS, _LANES), numba.float32)
    powers = cuda.shared.array((_WARPS, _BITS, _LANES), numba.int32)
    room = cuda.shared.array(_THREADS, numba.float64)
    products = cuda.local.array(_BITS, numba.float32)
    on = cuda.local.array(_BITS, numba.boolean)
    t = cuda.threadIdx.x
    warp, lane = t // _LANES, t % _LANES
    unit, row = cuda.blockIdx.x * _BITS, cuda.blockIdx.y * _LANES
    n_hidden, (rows, n_visible) = Wt.shape[0], v.shape
    wanted = bits.size == 0 or (row + lane < rows and unit <= bits[row + lane] < unit + _BITS)
    for k in range(_BITS):
        products[k], powers[warp, k, lane] = _ONE, np.int32(0)
        on[k] = row + lane < rows and unit + k < n_visible and v[row + lane, unit + k] != 0
    hidden = n_hidden if cuda.syncthreads_or(np.int32(wanted)) else 0
    for first in range(0, hidden, _STEP):
        wide = False
        for e in range(t, _STEP * _BITS, _THREADS):
            n, k = e // _BITS, e % _BITS
            w = Wt[first + n, unit + k] if first + n < n_hidden else _ZERO
            wide = wide or not abs(w) <= _NARROW
            up[n, k], down[n, k] = exp(w), exp(-w)
        for e in range(t, _STEP * _LANES, _THREADS):
            r, n = e // _STEP, e % _STEP
            inside = row + r < rows and first + n < n_hidden
            tile_s[r, n] = s[row + r, 0, first + n] if inside else _ZERO
            tile_q[r, n] = s[row + r, 1, first + n] if inside else _ONE
        if cuda.syncthreads_or(np.int32(wide)):
            _multiply(products, powers[warp], up, down, on, tile_s, tile_q, lane, warp * _RUN, True)
        else:
            _multiply(products, powers[warp], up, down, on, tile_s, tile_q, lane, warp * _RUN, False)
        cuda.syncthreads()
    for k in range(_BITS):
        mantissas[warp, k, lane] = products[k]
    cuda.syncthreads()
    value = 0.0
    for e in range(t, _PAIRS, _THREADS):
        k, m = e // _LANES, e % _LANES
        r, i = row + m, unit + k
        mantissa, power = 1.0, 0
        for w in range(_WARPS):
            mantissa *= np.float64(mantissas[w, k, m])
            power += powers[w, k, m]
        if r < rows:
            slope = 0.0
            if i < n_visible and (bits.size == 0 or bits[r] == i):
                sign = -1.0 if v[r, i] != 0 else 1.0
                scale = 1.0 if bits.size == 0 else np.float64(n_visible)
                d = -sign * np.float64(b[i]) - (math.log(mantissa) + _LN2 * power)
                own, slope = flip_value_and_weight(squared, d)
                value += scale * own
                slope *= sign * scale
            if i < n_visible:
                signed[r, i] = np.float32(slope)
    value = block_sum(value, room)
    if t == 0:
        told[1 + cuda.blockIdx.y * cuda.gridDim.x + cuda.blockIdx.x] = value
        if cuda.blockIdx.x == 0 and cuda.blockIdx.y == 0:
            told[0] = 0.0


@kernel(
    "float32[:,::1], float32[:,:,::1], float32[:,::1], boolean, float32[:,::1], float32[::1], "
    "float32[::1], float32[:,:,::1], float64[::1]",
    _WALKERS,
)
def _through_flips(W, s, signed, sparse, gW, gb, c_mean, changes, told):
    """The sums over rows of signed (s flipped), and changes: those over a block's visible units.

    changes, [tiles, B, padded]: sum_i |signed_i| (s flipped - s); gW without its sign and mean; told[0]
    becomes 1 where a weight is too large. sparse: most of signed is 0. A lane is a hidden unit, a thread
    keeps 8 visible units and walks over the rows. Bound by what it starts, about 9 instructions an
    element; the reciprocals of an element take as long as 8.
    """
    weights = cuda.shared.array((_CHUNK, _GROUPS, _BITS), numba.float32, alignment=_ALIGNED)
    tile = cuda.shared.array((_CHUNK, 2, _LANES), numba.float32)
    shares = cuda.shared.array((_GROUPS, _CHUNK, _LANES), numba.float32)
    biases = cuda.shared.array(_UNITS, numba.float32)
    up = cuda.local.array(_BITS, numba.float32)
    down = cuda.local.array(_BITS, numba.float32)
    sums = cuda.local.array(_BITS, numba.float32)
    t = cuda.threadIdx.x
    warp, lane = t // _LANES, t % _LANES
    first_unit, column = cuda.blockIdx.x * _UNITS, cuda.blockIdx.y * _LANES
    unit, j = first_unit + warp * _BITS, column + lane
    own_unit, own_lane = at(warp), at(lane)
    rows, n_visible = s.shape[0], W.shape[0]
    for k in range(_BITS):
        w = W[unit + k, j] if unit + k < n_visible else _ZERO
        if abs(w) > _LARGEST_WEIGHT:
            told[0] = 1.0
        up[k], down[k], sums[k] = exp(w), exp(-w), _ZERO
    for i in range(t, _UNITS, _WALKERS):
        biases[i] = _ZERO
    total = _ZERO
    for first in range(0, rows, _CHUNK):
        for e in range(t, _CHUNK * _UNITS, _WALKERS):
            n, k = e // _UNITS, e % _UNITS
            inside = first + n < rows and first_unit + k < n_visible
            weights[n, k // _BITS, k % _BITS] = signed[first + n, first_unit + k] if inside else _ZERO
        for e in range(t, 2 * _CHUNK * _LANES, _WALKERS):
            n, m = e // (2 * _LANES), e % (2 * _LANES)
            if first + n < rows:
                tile[n, m // _LANES, m % _LANES] = s[first + n, m // _LANES, column + m % _LANES]
        cuda.syncthreads()
        n, count = 0, min(_CHUNK, rows - first)
        while n < count:  # Numba's own count of a long loop costs more than this
            own = at(n)
            n += 1
            own_s, own_q = tile[own, 0, own_lane], tile[own, 1, own_lane]
            total += own_s
            change = _ZERO
            busy = not sparse
            if sparse:
                for k in range(_BITS):
                    busy = busy or weights[own, own_unit, k] != _ZERO
            if busy:
                for k in range(_BITS):
                    a = weights[own, own_unit, k]
                    raised = own_s * (down[k] if a < _ZERO else up[k])
                    flipped = quotient(raised, own_q + raised)
                    sums[k] += a * flipped
                    change += abs(a) * (flipped - own_s)
            shares[own_unit, own, own_lane] = change
        for i in range(t, _UNITS, _WALKERS):
            for n in range(_CHUNK):
                biases[i] += weights[n, i // _BITS, i % _BITS]
        cuda.syncthreads()
        for e in range(t, _CHUNK * _LANES, _WALKERS):
            n, m = e // _LANES, e % _LANES
            if first + n < rows:
                change = _ZERO
                for w in range(_GROUPS):
                    change += shares[w, n, m]
                changes[cuda.blockIdx.x, first + n, column + m] = change
    for k in range(_BITS):
        if unit + k < n_visible:
            gW[unit + k, j] = sums[k]
    if cuda.blockIdx.y == 0:
        for i in range(t, _UNITS, _WALKERS):
            if first_unit + i < n_visible:
                gb[first_unit + i] = -biases[i] / np.float32(rows)
        if first_unit + _UNITS >= n_visible:
            for i in range(n_visible + t, gb.size, _WALKERS):
                gb[i] = _ZERO
    if cuda.blockIdx.x == 0 and warp == 0:
        c_mean[j] = total / np.float32(rows)


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

    A product of 39 million multiply-adds at 784 x 500, bound by reading `changes` once a tile.
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


def _job(squared: bool):
    def job(model, v, bits):
        rows, columns, units = len(v), model.c.size, model.b.size
        s, signed = empty((rows, 2, columns)), empty((rows, model.n_visible))
        grid = -(-model.n_visible // _BITS), -(-rows // _LANES)
        told = empty(1 + grid[0] * grid[1], np.float64)
        tiles = -(-model.n_visible // _UNITS)
        changes = empty((tiles, rows, columns))
        gW, gb, gc = empty(model.W.shape), empty(units), empty(columns)
        b_mean, c_mean = empty(units), empty(columns)
        chosen = upload(np.empty(0, np.int64) if bits is None else bits)
        _prepare(_PREPARED.grid(rows, columns), model.W, model.c, v, model.n_hidden, s)
        _weigh(grid, model.Wt, model.b, v, s, chosen, squared, signed, told)
        _through_flips(
            (tiles, columns // _LANES), model.W, s, signed, bits is not None, gW, gb, c_mean, changes,
            told,
        )  # fmt: skip
        _through_others(
            _THROUGH.grid(max(units, model.n_visible + 1), columns), v, changes, gW, gc, b_mean
        )
        large, *values = download(told)
        if large:
            raise NotFinite(f"a weight is beyond +-{_LARGEST_WEIGHT:g}, where flips overflow")
        phases = Phases({"W": gW, "b": gb, "c": gc}, {"b": b_mean, "c": c_mean})
        return phases, math.fsum(values) / rows

    return job


JOBS = {"pseudolikelihood": _job(False), "ratio_matching": _job(True)}
