"""Block Gibbs sampling, v with its noise: one launch for all sweeps of all chains, a block a chain.

A row of real numbers needs all of precision * W, which each chain reads from the L2 cache: 1.6 MB at
784 x 500, so 100 chains take at least 157 MB / 5.5 TB/s = 28 us of an H200 a sweep.
"""

import math

import numba
import numpy as np
from numba import cuda

from ebmbench.kernels.cuda.block import THREADS, launch_blocks
from ebmbench.kernels.cuda.chain import (
    chain_arrays,
    chain_bytes,
    follow,
    follow_weighted,
    gather,
    work_arrays,
    work_bytes,
)
from ebmbench.kernels.cuda.device import blocks
from ebmbench.kernels.cuda.drawing import counter, draw, write
from ebmbench.kernels.cuda.gibbs import sample_hidden
from ebmbench.kernels.cuda.launch import device, kernel
from ebmbench.kernels.cuda.memory import empty
from ebmbench.kernels.cuda.products import layer
from ebmbench.normal import normal_about, normal_between
from ebmbench.philox import four_uniforms
from ebmbench.randomness import HIDDEN, VISIBLE, Key
from ebmbench.scalar import LINEAR

_F32 = np.float32
_U32 = np.uint32
_U64 = np.uint64


@device
def draw_normal(mean, spread, units, state, at, stream):
    """Sample so many units of these means and standard deviations; at: of `counter`."""
    group = _U32(cuda.threadIdx.x)
    while group << _U32(2) < units:
        u = four_uniforms(group, at[0], at[1], at[2], at[3], _U32(stream))
        for lane in range(4):
            i = _U32((group << _U32(2)) + _U32(lane))
            if i < units:
                state[i] = normal_about(mean[i], spread[i], u[lane])
        group = _U32(group + _U32(cuda.blockDim.x))


@device
def draw_between(base, x, precision, beta, units, state, at, stream):
    """`draw_normal` on the path (1 - beta) E_base + beta E; x: the mean b + Wh of E.

    base: float64 [2, n_visible], mean and precision; beta: float64.
    """
    group = _U32(cuda.threadIdx.x)
    while group << _U32(2) < units:
        u = four_uniforms(group, at[0], at[1], at[2], at[3], _U32(stream))
        for lane in range(4):
            i = _U32((group << _U32(2)) + _U32(lane))
            if i < units:
                mean, spread = normal_between(base[0, i], base[1, i], x[i], precision[i], beta)
                state[i] = normal_about(mean, spread, u[lane])
        group = _U32(group + _U32(cuda.blockDim.x))


@device
def draw_hidden(xh, xv, Wt, b, nh, beta, h, work, widest, at, stream):
    """Draw h from its pre-activations, and bring xv to b + Wh; a barrier before it and after it."""
    listed, changes, counts = work_arrays(work, widest)
    draw(xh, beta, nh, True, h, changes, at, stream + HIDDEN)
    rows = gather(changes, nh, b.size, listed, counts)
    follow(Wt, b, True, xv, listed, rows)
    cuda.syncthreads()


@device
def _walk(memory, to_hidden, Wt, b, c, spread, start, v, h, steps, beta, seed, stream, step, chain):
    """All sweeps of the chains r = block, block + blocks, ...; v[r] is where a chain's state is."""
    xv, xh, _, hs = chain_arrays(memory, b.size, c.size)
    work, widest = memory[chain_bytes(b.size, c.size) :], max(b.size, c.size)
    nv, nh = v.shape[1], h.shape[1]
    r = _U32(cuda.blockIdx.x)
    while r < v.shape[0]:
        for t in range(steps):
            if t == 0:
                follow_weighted(to_hidden, c, nv, start[r], xh)
            else:
                follow_weighted(to_hidden, c, nv, v[r], xh)
            cuda.syncthreads()
            at = counter(chain + r, step + _U64(t), seed)
            draw_hidden(xh, xv, Wt, b, nh, beta, hs, work, widest, at, stream)
            draw_normal(xv, spread, nv, v[r], at, stream + VISIBLE)
            cuda.syncthreads()
        write(hs, nh, h[r])
        cuda.syncthreads()
        r = _U32(r + _U32(cuda.gridDim.x))


_ARGUMENTS = (
    "float32[::1], float32[::1], float32[::1], float32[::1], float32[::1], rows[:,::1], "
    "float32[:,::1], uint8[:,::1], int64, float32, int64, int64, uint64, int64"
)


@kernel(_ARGUMENTS, threads=THREADS)
def _sweeps(to_hidden, Wt, b, c, spread, start, v, h, steps, beta, seed, stream, step, chain):
    memory = cuda.shared.array(0, numba.float64).view(np.uint8)
    _walk(memory, to_hidden, Wt, b, c, spread, start, v, h, steps, beta, seed, stream, step, chain)


@kernel(f"uint8[:,::1], {_ARGUMENTS}", threads=THREADS)
def _wide_sweeps(
    scratch, to_hidden, Wt, b, c, spread, start, v, h, steps, beta, seed, stream, step, chain
):
    memory = scratch[cuda.blockIdx.x]
    _walk(memory, to_hidden, Wt, b, c, spread, start, v, h, steps, beta, seed, stream, step, chain)


@kernel("float32[::1], float64, float32[::1]")
def _spreads(precision, beta, spread):
    """The standard deviations at inverse temperature beta."""
    for i in range(cuda.grid(1), spread.size, cuda.gridsize(1)):
        spread[i] = _F32(1.0 / math.sqrt(beta * np.float64(precision[i])))


@kernel("float32[:,::1], float32[::1], int64, int64, uint64, int64", threads=128)
def _draw_about(v, spread, seed, stream, step, chain):
    """From means to draws about them, in place; a row a block."""
    r = _U32(cuda.blockIdx.x)
    draw_normal(v[r], spread, v.shape[1], v[r], counter(chain + r, step, seed), stream)


def _spread(model, beta):
    spread = empty(model.n_visible)
    _spreads(blocks(model.n_visible, _spreads.threads), model.precision, beta, spread)
    return spread


def gibbs(model, v, steps: int, key: Key, beta: float):
    """See `Backend.gibbs`."""
    rows = v.shape[0]
    last, h = empty((rows, model.n_visible)), empty((rows, model.n_hidden), np.uint8)
    widest = max(model.b.size, model.c.size)
    size = chain_bytes(model.b.size, model.c.size) + work_bytes(widest)
    if rows:
        launch_blocks(
            _sweeps, _wide_sweeps, rows, widest, size, *model.flat, model.b, model.c,
            _spread(model, beta), v, last, h, steps, beta, key.seed, int(key.stream), key.step, key.chain,
        )  # fmt: skip
    return last, h


def sample_visible(model, h, key: Key, beta: float):
    """See `Backend.sample_visible`; three launches."""
    v = empty((len(h), model.n_visible))
    if len(h):
        layer(model.Wt, model.b, h, None, model.n_visible, v, LINEAR)
        _draw_about(
            len(h), v, _spread(model, beta), key.seed, int(key.stream) + VISIBLE, key.step, key.chain
        )
    return v


JOBS = {"gibbs": gibbs, "sample_hidden": sample_hidden, "sample_visible": sample_visible}
