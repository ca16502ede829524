"""Block Gibbs sampling: for few chains one launch for all sweeps, a block a chain; else dense layers.

What bounds a block a chain on an H200, as a prediction for 100 chains of the trained 784 x 500 fixture,
where 31 visible and 68 hidden units flip a sweep: 31 rows of 512 columns and 68 of 800 are 281 KB a
chain and 28 MB a sweep, 5.1 us from the L2 at 5.5 TB/s, less what the L1 keeps of rows that flip often.
Blocks alone on their multiprocessors would take 4,400 cycles (2.2 us) at 64 B a cycle; 25 warps with 8
loads each have 25 KB under way in the L2's 270 cycles, so latency does not bound it. Beside that a
sweep takes two draws of about 500 cycles, two lists of about 250 and eight barriers of about 40: 1,800
cycles, 0.9 us, hidden behind nothing. Together 4 to 6 us a sweep. A first sweep, and every 32nd in
`float`, adds all units that are on, about 200 rows: 10 us.
"""

import numba
import numpy as np
from numba import cuda

from ebmbench.kernels.cuda import tensor
from ebmbench.kernels.cuda.block import SHARED, THREADS, threads_for
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
from ebmbench.kernels.cuda.launch import kernel
from ebmbench.kernels.cuda.memory import empty
from ebmbench.kernels.cuda.products import draw_layer
from ebmbench.randomness import HIDDEN, VISIBLE, Key

# From so many chains on, 4 for each multiprocessor of an H200, sweeps of dense layers are quicker. Not a
# property of the GPU at hand, since in float arithmetic the ways round differently.
_MANY = 528

_U32 = np.uint32
_U64 = np.uint64


@kernel(
    "float32[::1], float32[::1], float32[::1], float32[::1], rows[:,::1], uint8[:,::1], uint8[:,::1], "
    "int64, float32, int64, int64, int64, uint64, int64",
    threads=THREADS,
)
def _sweeps(W, Wt, b, c, start, v, h, steps, beta, lifetime, seed, stream, step, chain):
    """All sweeps of chain r, the block's number."""
    memory = cuda.shared.array(0, numba.float64).view(np.uint8)
    xv, xh, vs, hs = chain_arrays(memory, b.size, c.size)
    widest = max(b.size, c.size)
    listed, changes, counts = work_arrays(memory[chain_bytes(b.size, c.size) :], widest)
    nv, nh, binary = v.shape[1], h.shape[1], start.itemsize == 1
    r = _U32(cuda.blockIdx.x)
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


def _by_chain(model, v, last, h, steps, key, beta):
    """A block a chain, all sweeps in one launch."""
    threads = threads_for(max(model.b.size, model.c.size))
    _sweeps(
        v.shape[0], *model.flat, model.b, model.c, v, last, h, steps, beta, lifetime(model.arithmetic),
        key.seed, int(key.stream), key.step, key.chain, threads=threads, shared=_memory(model),
    )  # fmt: skip


def _by_layer(model, v, last, h, steps, key, beta):
    """A dense product and its draws a launch, two launches a sweep."""
    nv, nh = model.n_visible, model.n_hidden
    for t in range(steps):
        now = key.step + t
        draw_layer(model.W, model.c, last if t else v, nh, beta, key, HIDDEN, now, h)
        draw_layer(model.Wt, model.b, h, nv, beta, key, VISIBLE, now, last)


def _memory(model) -> int:
    visible, hidden = model.b.size, model.c.size
    return chain_bytes(visible, hidden) + work_bytes(max(visible, hidden))


def gibbs(model, v, steps: int, key: Key, beta: float):
    """See `Backend.gibbs`; here the way is chosen."""
    rows = v.shape[0]
    if tensor.applies(model, v):
        return tensor.sweeps(model, v, steps, key, beta)
    last, h = empty((rows, model.n_visible), np.uint8), empty((rows, model.n_hidden), np.uint8)
    if rows:
        few = rows < _MANY and _memory(model) <= SHARED
        (_by_chain if few else _by_layer)(model, v, last, h, steps, key, beta)
    return last, h


def sample_hidden(model, v, key: Key, beta: float):
    """See `Backend.sample_hidden`; one launch."""
    if tensor.applies(model, v):
        return tensor.draw_layer(model, HIDDEN, v, beta, key)
    h = empty((len(v), model.n_hidden), np.uint8)
    draw_layer(model.to_hidden, model.c, v, model.n_hidden, beta, key, HIDDEN, key.step, h)
    return h


def sample_visible(model, h, key: Key, beta: float):
    """See `Backend.sample_visible`; one launch."""
    if tensor.applies(model, h):
        return tensor.draw_layer(model, VISIBLE, h, beta, key)
    v = empty((len(h), model.n_visible), np.uint8)
    draw_layer(model.Wt, model.b, h, model.n_visible, beta, key, VISIBLE, key.step, v)
    return v


JOBS = {"gibbs": gibbs, "sample_hidden": sample_hidden, "sample_visible": sample_visible}
