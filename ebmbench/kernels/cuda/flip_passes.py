"""The two passes over every (row, visible unit, hidden unit) that flips take: weights, then gradients.

An element is one such triple: 39 million in a batch of 100 at 784 x 500. An H200 starts 33 x 10**12
instructions of a lane a second, so one instruction an element takes 1.2 us. s is float32 [B, 2, padded],
sigmoid(x) and sigmoid(-x), 0 and 1 in padding.
"""

import math

import numba
import numpy as np
from numba import cuda

from ebmbench.instructions import quotient
from ebmbench.kernels.cuda.block import block_sum
from ebmbench.kernels.cuda.launch import SIMULATED, device, kernel
from ebmbench.kernels.cuda.tile import at
from ebmbench.scalar import exp, flip_value_and_weight, normalised

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
LARGEST_WEIGHT = 80.0  # e**+-W in float32
_LN2 = math.log(2.0)
_ZERO, _ONE = np.float32(0.0), np.float32(1.0)


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
def weigh(Wt, b, v, s, bits, squared, signed, told):
    """signed = the derivative of the objective by each D, with the sign of its flip; told[1:] = values.

    A lane is a row and a warp a share of the hidden units. A product is kept as a mantissa and an
    exponent, so that it needs no float64. Bound by what it starts, some 9 instructions an element: 3 of
    arithmetic, 1 of reading and 1 of normalising, 4 that fill shared memory. Predicted for 100 rows of
    784 x 500, whose lanes are 100/128 full: 15 us if one starts every cycle, so about 20.
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
def through_flips(W, s, signed, sparse, gW, gb, c_mean, changes, told):
    """The sums over rows of signed (s flipped), and changes: those over a block's visible units.

    changes, [tiles, B, padded]: sum_i |signed_i| (s flipped - s); gW without its sign and mean; told[0]
    becomes 1 where a weight is too large. sparse: most of signed is 0. A lane is a hidden unit, a thread
    keeps 8 visible units and walks over the rows. Bound by what it starts, some 11 instructions an
    element, 9 of them arithmetic; the one reciprocal takes as long as 8. Predicted for 100 rows of
    784 x 500, where some multiprocessors have two of the 224 blocks: 18 us if one starts every cycle.
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
        if abs(w) > LARGEST_WEIGHT:
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


def flips_grid(rows: int, n_visible: int) -> tuple[int, int]:
    """Blocks of `weigh`."""
    return -(-n_visible // _BITS), -(-rows // _LANES)


def walkers_grid(n_visible: int, columns: int) -> tuple[int, int]:
    """Blocks of `through_flips`."""
    return -(-n_visible // _UNITS), columns // _LANES
