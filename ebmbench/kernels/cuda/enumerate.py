"""Jobs that sum over all states of the smaller layer, in float64.

A thread is a state while weights are formed, and a unit of the larger layer while expectations are. The
low bits of a state differ within a block, the high ones are the block's, so that what the high bits add
to a pre-activation is formed once a block and nothing drifts.

Bound by float64 arithmetic, some 45 operations a (state, unit): 2**20 states of 500 units are 2.4e10,
about 1.5 ms on an H200 (17e12 float64 instructions of a lane a second).
"""

import math

import numba
import numpy as np
from numba import cuda

from ebmbench.kernels.api import Phases
from ebmbench.kernels.api.device import Tree
from ebmbench.kernels.cuda.availability import SIMULATED
from ebmbench.kernels.cuda.device import get
from ebmbench.kernels.cuda.launch import device, kernel
from ebmbench.kernels.cuda.memory import Array, download, empty, upload
from ebmbench.kernels.cuda.statistics import moments
from ebmbench.kernels.cuda.tile import at
from ebmbench.models.enumerate import MOST_UNITS, Moments, check_enumerable
from ebmbench.models.rbm import RBM
from ebmbench.scalar import add_log, exp64

_LOW = 2 if SIMULATED else 7  # bits of a state that are a thread's
_THREADS = 1 << _LOW
_COLUMNS = 4 if SIMULATED else 64  # units of the larger layer at once; a product of so many factors fits
_BLOCKS = 1024  # that share the states
_INNER = 2 if SIMULATED else 5  # bits of the states whose expectations a thread keeps in registers
_RUN = 1 << _INNER
_GROUPS = 64  # blocks that share the states, for each 128 units
_UNITS = 4 if SIMULATED else 128
_MOST = MOST_UNITS
_ONE = at(1)


@device
def block_log_sum(most, total, room):
    """The logarithm of the sum of all threads' sums, for the first thread; room: float64 [threads]."""
    t = at(cuda.threadIdx.x)
    room[t] = most + math.log(total) if total > 0.0 else -np.inf
    cuda.syncthreads()
    whole = -np.inf
    if t == at(0):
        for k in range(at(cuda.blockDim.x)):
            whole = max(whole, room[k])
        total = 0.0
        for k in range(at(cuda.blockDim.x)):
            total += exp64(room[k] - whole) if room[k] > -np.inf else 0.0
        whole += math.log(total)
    return whole


@kernel("float64[:,::1], float64[::1], float64[::1], boolean, float64[::1], float64[::1]", _THREADS)
def _weigh(W, small, large, kept, log_p, sums):
    """Sums: the log of each block's sum over states; log_p: each state's -F, if kept."""
    base = cuda.shared.array(_COLUMNS, numba.float64)
    rows = cuda.shared.array((_LOW, _COLUMNS), numba.float64)
    room = cuda.shared.array(_THREADS, numba.float64)
    t, n, units = at(cuda.threadIdx.x), at(small.size), at(large.size)
    threads, low, columns = at(_THREADS), at(_LOW), at(_COLUMNS)
    states = _ONE << n
    most, total = -np.inf, 0.0
    for block in range(at(cuda.blockIdx.x), (states + threads - _ONE) >> low, at(cuda.gridDim.x)):
        number = (block << low) + t
        weight = 0.0
        for i in range(n):
            if (number >> i) & _ONE:
                weight += small[i]
        for first in range(at(0), units, columns):
            cuda.syncthreads()  # nobody reads the columns before any more
            for e in range(t, columns * low, threads):
                i, j = e // columns, first + e % columns
                rows[i, e % columns] = W[i, j] if i < n and j < units else 0.0
            for e in range(t, columns, threads):
                x = large[first + e] if first + e < units else -np.inf
                for i in range(low, n):
                    if (block >> (i - low)) & _ONE and first + e < units:
                        x += W[i, first + e]
                base[e] = x
            cuda.syncthreads()
            factors = 1.0
            for j in range(columns):
                x = base[j]
                for i in range(low):
                    if (t >> i) & _ONE:
                        x += rows[i, j]
                weight += max(x, 0.0)
                factors *= 1.0 + exp64(-abs(x))
            weight += math.log(factors)
        if number < states:
            if kept:
                log_p[number] = weight
            most, total = add_log(most, total, weight)
    own = block_log_sum(most, total, room)
    if t == at(0):
        sums[cuda.blockIdx.x] = own


@kernel("float64[:,::1], float64[::1], float64[::1], float64, float64[:,:,::1]", _UNITS)
def _expect(W, large, log_p, log_z, shares):
    """shares[g, i, j]: block g's share of <s_i l_j>, of <l_j> where i is one beyond the last.

    The unit one beyond the last of the larger layer is always on.
    """
    high = cuda.shared.array((_MOST, _UNITS), numba.float64)
    chances = cuda.shared.array(_RUN, numba.float64)
    own = cuda.local.array(_INNER, numba.float64)
    kept = cuda.local.array(_INNER, numba.float64)
    n, units, t = at(W.shape[0]), at(large.size), at(cuda.threadIdx.x)
    inner, run = at(_INNER), at(_RUN)
    j = at(cuda.blockIdx.y) * at(_UNITS) + t
    states = _ONE << n
    for i in range(inner):
        own[i] = W[i, j] if i < n and j < units else 0.0
        kept[i] = 0.0
    for i in range(n):
        high[i, t] = 0.0
    whole = 0.0
    for block in range(at(cuda.blockIdx.x), (states + run - _ONE) // run, at(cuda.gridDim.x)):
        first = block * run
        base = large[j] if j < units else 0.0
        for i in range(inner, n):
            if (first >> i) & _ONE and j < units:
                base += W[i, j]
        cuda.syncthreads()  # nobody reads the chances before any more
        for e in range(t, run, at(_UNITS)):
            chances[e] = exp64(log_p[first + e] - log_z) if first + e < states else 0.0
        cuda.syncthreads()
        here = 0.0
        for e in range(run):
            x = base
            for i in range(inner):
                if (e >> i) & _ONE:
                    x += own[i]
            share = chances[e]
            if j < units:
                share /= 1.0 + exp64(-x)
            here += share
            for i in range(inner):
                if (e >> i) & _ONE:
                    kept[i] += share
        whole += here
        for i in range(inner, n):
            if (first >> i) & _ONE:
                high[i, t] += here
    if j < at(shares.shape[2]):
        for i in range(inner):
            if i < n:
                shares[cuda.blockIdx.x, i, j] = kept[i]
        for i in range(inner, n):
            shares[cuda.blockIdx.x, i, j] = high[i, t]
        shares[cuda.blockIdx.x, n, j] = whole


def _log_weights(model: RBM, kept: bool) -> tuple[float, tuple[Array, Array], Array]:
    """Log Z, W and the larger layer's biases on the device, and if kept -F of each state of v."""
    W, small, large = (upload(x, np.float64) for x in (model.W, model.b, model.c))
    states = 2**model.n_visible
    log_p = empty(states if kept else 1, np.float64)
    sums = empty(min(-(-states // _THREADS), _BLOCKS), np.float64)
    _weigh(sums.size, W, small, large, kept, log_p, sums)
    return float(np.logaddexp.reduce(download(sums))), (W, large), log_p


def log_z(model: RBM) -> float:
    """See `Backend.log_z`."""
    check_enumerable(model)
    return _log_weights(model if model.n_visible <= model.n_hidden else model.transposed, False)[0]


def expectations(W: Array, large: Array, log_p: Array, log_z: float) -> Moments:
    """Moments of states s with log weights log_p, and of units l whose p(l|s) is sigmoid(large + s W).

    W: float64 [n, units]; large: float64 [units]; log_p: float64 [2**n].
    """
    n, units = W.shape
    groups = min(-(-(2**n) // _RUN), _GROUPS)
    shares = empty((groups, n + 1, units + 1), np.float64)
    _expect((groups, -(-(units + 1) // _UNITS)), W, large, log_p, log_z, shares)
    sums = download(shares).sum(axis=0)
    return Moments(sums[:n, :units], sums[:n, units], sums[n, :units])


def _expected(model: RBM) -> tuple[float, Moments]:
    """Log Z and the model's expected v h, v and h."""
    if model.n_visible > model.n_hidden:
        total, m = _expected(model.transposed)
        return total, Moments(m.vh.T, m.h, m.v)
    check_enumerable(model)
    total, (W, large), log_p = _log_weights(model, True)
    return total, expectations(W, large, log_p, total)


def take_off(tree: Tree, name: str, value: np.ndarray) -> None:
    """Subtract a host array from the units of a leaf."""
    leaf = np.array(download(tree[name]))
    leaf[..., : value.shape[-1]] -= value
    tree[name] = upload(leaf)


def exact_gradient(model, v) -> tuple[Phases, float]:
    """See `Backend.exact_gradient`."""
    log_z, expected = _expected(get(model))
    phases = moments(model, v, empty((0, model.n_visible), v.dtype))
    for name, value in zip(("W", "b", "c"), expected, strict=True):
        take_off(phases.gradient, name, value)
    for name, value in (("b", expected.v), ("c", expected.h)):
        take_off(phases.means, name, -value / 2)
    return phases, log_z


JOBS = {"exact_gradient": exact_gradient, "log_z": log_z}
