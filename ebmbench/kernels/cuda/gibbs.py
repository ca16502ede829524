"""Block Gibbs sampling: one launch for all sweeps of all chains, a block a chain."""

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
    lifetime,
    work_arrays,
    work_bytes,
)
from ebmbench.kernels.cuda.drawing import (
    counter,
    draw,
    read,
    write,
)
from ebmbench.kernels.cuda.launch import device, kernel
from ebmbench.kernels.cuda.memory import empty
from ebmbench.randomness import HIDDEN, VISIBLE, Key

_F32 = np.float32
_U32 = np.uint32
_U64 = np.uint64


@device
def _walk(memory, W, Wt, b, c, start, v, h, steps, beta, lifetime, seed, stream, step, chain):
    """All sweeps of the chains r = block, block + blocks, ..."""
    xv, xh, vs, hs = chain_arrays(memory, b.size, c.size)
    widest = max(b.size, c.size)
    listed, changes, counts = work_arrays(memory[chain_bytes(b.size, c.size) :], widest)
    nv, nh, binary = v.shape[1], h.shape[1], start.itemsize == 1
    r = _U32(cuda.blockIdx.x)
    while r < v.shape[0]:
        if binary:
            read(start[r], nv, vs, changes)
        fresh, age = True, 0  # of the sums
        for t in range(steps):
            if t > 0 or binary:
                rows = gather(changes, nv, c.size, listed, counts)
                follow(W, c, fresh, xh, listed, rows)
            else:
                follow_weighted(W, c, nv, start[r], xh)
            cuda.syncthreads()
            at = counter(chain + r, step + _U64(t), seed)
            fresh, age = age == 0, age + 1 if age + 1 < lifetime else 0
            draw(xh, beta, nh, fresh, hs, changes, at, stream + HIDDEN)
            rows = gather(changes, nh, b.size, listed, counts)
            follow(Wt, b, fresh, xv, listed, rows)
            cuda.syncthreads()
            # A sum over a grey row cannot be followed.
            fresh = age == 0 or (t == 0 and not binary)
            draw(xv, beta, nv, fresh, vs, changes, at, stream + VISIBLE)
        cuda.syncthreads()
        write(vs, nv, v[r])
        write(hs, nh, h[r])
        cuda.syncthreads()
        r = _U32(r + _U32(cuda.gridDim.x))


_ARGUMENTS = (
    "float32[::1], float32[::1], float32[::1], float32[::1], rows[:,::1], uint8[:,::1], uint8[:,::1], "
    "int64, float32, int64, int64, int64, uint64, int64"
)


@kernel(_ARGUMENTS, threads=THREADS)
def _sweeps(W, Wt, b, c, start, v, h, steps, beta, lifetime, seed, stream, step, chain):
    memory = cuda.shared.array(0, numba.float64).view(np.uint8)
    _walk(memory, W, Wt, b, c, start, v, h, steps, beta, lifetime, seed, stream, step, chain)


@kernel(f"uint8[:,::1], {_ARGUMENTS}", threads=THREADS)
def _wide_sweeps(scratch, W, Wt, b, c, start, v, h, steps, beta, lifetime, seed, stream, step, chain):
    memory = scratch[cuda.blockIdx.x]
    _walk(memory, W, Wt, b, c, start, v, h, steps, beta, lifetime, seed, stream, step, chain)


def gibbs(model, v, steps: int, key: Key, beta: float):
    """See `Backend.gibbs`."""
    rows = v.shape[0]
    last, h = empty((rows, model.n_visible), np.uint8), empty((rows, model.n_hidden), np.uint8)
    widest = max(model.b.size, model.c.size)
    size = chain_bytes(model.b.size, model.c.size) + work_bytes(widest)
    if rows:
        launch_blocks(
            _sweeps, _wide_sweeps, rows, widest, size, *model.flat, model.b, model.c, v, last, h,
            steps, beta, lifetime(model.arithmetic), key.seed, int(key.stream), key.step, key.chain,
        )  # fmt: skip
    return last, h


JOBS = {"gibbs": gibbs}
