"""Annealed importance sampling's chains: one launch for all temperatures of all chains, a block a chain.

Every thread keeps the weight that its own units gained, in float64, and the block adds these up once.
"""

import numba
import numpy as np
from numba import cuda

from ebmbench.kernels.api import Annealed, Rows
from ebmbench.kernels.cuda.annealing import hidden_gain
from ebmbench.kernels.cuda.block import THREADS, block_sum, launch_blocks, threads_for
from ebmbench.kernels.cuda.chain import chain_arrays, chain_bytes, follow_weighted, work_bytes
from ebmbench.kernels.cuda.drawing import counter
from ebmbench.kernels.cuda.gaussian.gibbs import draw_between, draw_hidden
from ebmbench.kernels.cuda.launch import device, kernel
from ebmbench.kernels.cuda.memory import download, empty, upload
from ebmbench.normal import quadratic
from ebmbench.randomness import VISIBLE, Key

_F32 = np.float32
_F64 = np.float64
_U32 = np.uint32
_U64 = np.uint64


@device
def fall(base, b, precision, state, units):
    """E_base - E of the visible units alone, over a thread's own of them, in float64."""
    gain = 0.0
    i = _U32(cuda.threadIdx.x)
    while i < units:
        x = _F64(state[i])
        gain += quadratic(x, base[0, i], base[1, i])
        gain -= quadratic(x, _F64(b[i]), _F64(precision[i]))
        i = _U32(i + _U32(cuda.blockDim.x))
    return gain


@device
def _walk(
    memory, to_hidden, Wt, b, c, precision, base, betas, start, drawn, v, log_weights, nh, seed, stream,
    step, chain,
):  # fmt: skip
    """The whole path of the chains r = block, block + blocks, ...; v[r] is where a chain's state is."""
    xv, xh, _, hs = chain_arrays(memory, b.size, c.size)
    first, widest = chain_bytes(b.size, c.size), max(b.size, c.size)
    work = memory[first : first + work_bytes(widest)]
    room = memory[first + work_bytes(widest) :].view(np.float64)
    last, nv = betas.size - 1, v.shape[1]
    r = _U32(cuda.blockIdx.x)
    while r < v.shape[0]:
        state = v[r]
        if drawn:  # at beta = 0 the model's own mean, b, has no part
            at = counter(chain + r, step, seed)
            draw_between(base, b, precision, 0.0, nv, state, at, stream + VISIBLE)
        else:
            i = _U32(cuda.threadIdx.x)
            while i < nv:
                state[i] = _F32(start[r, i])
                i = _U32(i + _U32(cuda.blockDim.x))
        cuda.syncthreads()
        weight = 0.0
        for k in range(1, last + 1):
            after, before = betas[k], betas[k - 1]
            follow_weighted(to_hidden, c, nv, state, xh)
            weight += (after - before) * fall(base, b, precision, state, nv)
            weight += hidden_gain(xh, nh, after, before)
            cuda.syncthreads()
            if k < last:
                at = counter(chain + r, step + _U64(k), seed)
                draw_hidden(xh, xv, Wt, b, nh, _F32(after), hs, work, widest, at, stream)
                draw_between(base, xv, precision, after, nv, state, at, stream + VISIBLE)
                cuda.syncthreads()
        weight = block_sum(weight, room)
        if cuda.threadIdx.x == 0:
            log_weights[r] = weight
        r = _U32(r + _U32(cuda.gridDim.x))


_ARGUMENTS = (
    "float32[::1], float32[::1], float32[::1], float32[::1], float32[::1], float64[:,::1], "
    "float64[::1], rows[:,::1], boolean, float32[:,::1], float64[::1], int64, int64, int64, uint64, int64"
)


@kernel(_ARGUMENTS, threads=THREADS)
def _anneal(
    to_hidden, Wt, b, c, precision, base, betas, start, drawn, v, log_weights, nh, seed, stream, step,
    chain,
):  # fmt: skip
    _walk(
        cuda.shared.array(0, numba.float64).view(np.uint8), to_hidden, Wt, b, c, precision, base, betas,
        start, drawn, v, log_weights, nh, seed, stream, step, chain,
    )  # fmt: skip


@kernel(f"uint8[:,::1], {_ARGUMENTS}", threads=THREADS)
def _wide_anneal(
    scratch, to_hidden, Wt, b, c, precision, base, betas, start, drawn, v, log_weights, nh, seed, stream,
    step, chain,
):  # fmt: skip
    _walk(
        scratch[cuda.blockIdx.x], to_hidden, Wt, b, c, precision, base, betas, start, drawn, v,
        log_weights, nh, seed, stream, step, chain,
    )  # fmt: skip


def anneal(model, base, betas, start: int | Rows, key: Key) -> Annealed:
    """See `Backend.anneal`."""
    drawn = isinstance(start, int)
    rows = start if isinstance(start, int) else start.shape[0]
    v, log_weights = empty((rows, model.n_visible)), empty(rows, np.float64)
    visible, hidden = model.b.size, model.c.size
    widest = max(visible, hidden)
    size = chain_bytes(visible, hidden) + work_bytes(widest) + 8 * threads_for(widest)
    if rows:
        launch_blocks(
            _anneal, _wide_anneal, rows, widest, size, *model.flat, model.b, model.c, model.precision,
            upload(base, np.float64), upload(betas, np.float64), v if drawn else start, drawn, v,
            log_weights, model.n_hidden, key.seed, int(key.stream), key.step, key.chain,
        )  # fmt: skip
    return Annealed(download(log_weights), v)


JOBS = {"anneal": anneal}
