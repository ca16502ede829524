"""Annealed importance sampling's chains: one launch for all temperatures of all chains, a block a chain.

Every thread keeps the weight that its own columns and groups gained, in float64, and the block adds
these up once, at the end.

What bounds 100 chains of 784 x 500 units on an H200, as a prediction for each temperature: the sweep of
`gibbs`, 4 to 6 us where few units flip, and near the base, where half of the hidden and an eighth of
the visible units do, 250 rows of 800 columns and 100 of 512, 1 MB a chain and 100 MB, 18 us from the L2;
and the weights, whose 16 warps of some 40 float64 and 60 float32 instructions take 400 cycles, 0.2 us.
14,500 temperatures at 6 to 12 us on average are 0.09 to 0.17 s.
"""

import numba
import numpy as np
from numba import cuda

from ebmbench.compile import jit
from ebmbench.kernels.api import Annealed, Rows
from ebmbench.kernels.cuda.block import THREADS, block_sum, launch_blocks, threads_for
from ebmbench.kernels.cuda.chain import (
    chain_arrays,
    chain_bytes,
    follow,
    gather,
    lifetime,
    work_arrays,
    work_bytes,
)
from ebmbench.kernels.cuda.device import store
from ebmbench.kernels.cuda.drawing import (
    counter,
    draw,
    draw_between,
    read,
    words_of,
    write,
)
from ebmbench.kernels.cuda.launch import device, kernel
from ebmbench.kernels.cuda.memory import download, empty, upload
from ebmbench.randomness import HIDDEN, VISIBLE, Key
from ebmbench.scalar import sigmoid, softplus64

_F32 = np.float32
_F64 = np.float64
_U32 = np.uint32
_U64 = np.uint64
# Up to this |(after - before) x| the series in `softplus_gain` is exact to 7e-11.
_SERIES_REACH = 0.0625


@jit(forceinline=True)
def softplus_gain(x, after, before):
    """softplus64(after x) - softplus64(before x), in float64, for a float32 x.

    The first two terms of the series about the middle, whose odd derivatives are s and
    s (1 - s) (1 - 2 s), s = sigmoid; the next one is at most 0.13 (d / 2)**5 / 60, d the distance.
    """
    d = (after - before) * _F64(x)
    if abs(d) < _SERIES_REACH:
        s = _F64(sigmoid(_F32(0.5 * (after + before) * _F64(x))))
        return d * s + d * d * d * (1.0 / 24.0) * (s * (1.0 - s) * (1.0 - 2.0 * s))
    return softplus64(after * _F64(x)) - softplus64(before * _F64(x))


@device
def hidden_gain(x, units, after, before):
    """The sum of `softplus_gain` over a thread's own columns of the first `units`."""
    gain = 0.0
    j = _U32(cuda.threadIdx.x)
    while j < units:
        gain += softplus_gain(x[j], after, before)
        j = _U32(j + _U32(cuda.blockDim.x))
    return gain


@device
def linear_gain(base, b, units, state):
    """(b - base).v over a thread's own groups, in float64."""
    gain = 0.0
    group, groups = _U32(cuda.threadIdx.x), _U32(words_of(units) << 3)
    while group < groups:
        bits = _U32(state[group])
        for lane in range(4):
            i = _U32((group << _U32(2)) + _U32(lane))
            if (bits >> _U32(lane)) & _U32(1):
                gain += _F64(b[i]) - _F64(base[i])
        group = _U32(group + _U32(cuda.blockDim.x))
    return gain


@device
def _walk(
    memory,
    W,
    Wt,
    b,
    c,
    base,
    betas,
    start,
    drawn,
    v,
    log_weights,
    nh,
    lifetime,
    seed,
    stream,
    step,
    chain,
):
    """The whole path of the chains r = block, block + blocks, ..."""
    xv, xh, vs, hs = chain_arrays(memory, b.size, c.size)
    first, widest = chain_bytes(b.size, c.size), max(b.size, c.size)
    listed, changes, counts = work_arrays(memory[first:], widest)
    room = memory[first + work_bytes(widest) :].view(np.float64)
    last, nv = betas.size - 1, v.shape[1]
    r = _U32(cuda.blockIdx.x)
    while r < v.shape[0]:
        if drawn:
            at = counter(chain + r, step, seed)
            draw(base, _F32(1.0), nv, True, vs, changes, at, stream + VISIBLE)
        else:
            read(start[r], nv, vs, changes)
        weight, age = 0.0, 0  # of the sums
        for k in range(1, last + 1):
            after, before = betas[k], betas[k - 1]
            fresh, age = age == 0, age + 1 if age + 1 < lifetime else 0
            rows = gather(changes, nv, c.size, listed, counts)
            follow(W, c, fresh, xh, listed, rows)
            weight += (after - before) * linear_gain(base, b, nv, vs) + hidden_gain(xh, nh, after, before)
            if k < last:
                cuda.syncthreads()
                at = counter(chain + r, step + _U64(k), seed)
                draw(xh, _F32(after), nh, fresh, hs, changes, at, stream + HIDDEN)
                rows = gather(changes, nh, b.size, listed, counts)
                follow(Wt, b, fresh, xv, listed, rows)
                cuda.syncthreads()
                draw_between(base, xv, after, nv, age == 0, vs, changes, at, stream + VISIBLE)
        weight = block_sum(weight, room)
        if cuda.threadIdx.x == 0:
            log_weights[r] = weight
        write(vs, nv, v[r])
        cuda.syncthreads()
        r = _U32(r + _U32(cuda.gridDim.x))


_ARGUMENTS = (
    "float32[::1], float32[::1], float32[::1], float32[::1], float32[::1], float64[::1], "
    "uint8[:,::1], boolean, uint8[:,::1], float64[::1], int64, int64, int64, int64, uint64, int64"
)


@kernel(_ARGUMENTS, threads=THREADS)
def _anneal(
    W, Wt, b, c, base, betas, start, drawn, v, log_weights, nh, lifetime, seed, stream, step, chain
):
    memory = cuda.shared.array(0, numba.float64).view(np.uint8)
    _walk(
        memory, W, Wt, b, c, base, betas, start, drawn, v, log_weights, nh, lifetime, seed, stream, step,
        chain,
    )  # fmt: skip


@kernel(f"uint8[:,::1], {_ARGUMENTS}", threads=THREADS)
def _wide_anneal(
    scratch,
    W,
    Wt,
    b,
    c,
    base,
    betas,
    start,
    drawn,
    v,
    log_weights,
    nh,
    lifetime,
    seed,
    stream,
    step,
    chain,
):
    _walk(
        scratch[cuda.blockIdx.x], W, Wt, b, c, base, betas, start, drawn, v, log_weights, nh, lifetime,
        seed, stream, step, chain,
    )  # fmt: skip


def anneal(model, base, betas, start: int | Rows, key: Key) -> Annealed:
    """See `Backend.anneal`."""
    drawn = isinstance(start, int)
    rows = start if isinstance(start, int) else start.shape[0]
    v, log_weights = empty((rows, model.n_visible), np.uint8), empty(rows, np.float64)
    visible, hidden = model.b.size, model.c.size
    widest = max(visible, hidden)
    size = chain_bytes(visible, hidden) + work_bytes(widest) + 8 * threads_for(widest)
    if rows:
        launch_blocks(
            _anneal, _wide_anneal, rows, widest, size, *model.flat, model.b, model.c, store(base),
            upload(betas, np.float64), v if drawn else start, drawn, v, log_weights, model.n_hidden,
            lifetime(model.arithmetic), key.seed, int(key.stream), key.step, key.chain,
        )  # fmt: skip
    return Annealed(download(log_weights), v)


JOBS = {"anneal": anneal}
