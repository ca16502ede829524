"""Parallel tempering: one launch for all sweeps of all ladders; a block's chains take turns.

A block a chain would need a launch a sweep, since neighbours exchange after each, and a launch costs
more than the turns do: about 45 microseconds from Python, where ten chains' sweeps of 784 x 500 units
take a predicted 30 to 100, by how many ladders share the L2 cache. Nor does it save reading: a hundred
ladders keep that cache busy either way.
"""

import math

import numba
import numpy as np
from numba import cuda

from ebmbench.compile import jit
from ebmbench.kernels.cuda.annealing import linear_gain
from ebmbench.kernels.cuda.block import IN_TURN, THREADS, block_sum, launch_blocks, threads_for
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
    uniform,
    write,
)
from ebmbench.kernels.cuda.launch import device, kernel
from ebmbench.kernels.cuda.memory import download, empty, upload, zeros
from ebmbench.randomness import HIDDEN, SWAPS, VISIBLE, Key

_F32 = np.float32
_F64 = np.float64
_I64 = np.int64
_U32 = np.uint32
_U64 = np.uint64


@jit(forceinline=True)
def accepts(u, log_ratio):
    """Whether an exchange of this log ratio is accepted, given its uniform."""
    return u < math.exp(min(log_ratio, 0.0))


@device
def hidden_energy(x, units, h):
    """The sum of x over the units of h that are on, over a thread's own columns, in float64."""
    gain = 0.0
    j = _U32(cuda.threadIdx.x)
    while j < units:
        if (_U32(h[j >> _U32(2)]) >> (j & _U32(3))) & _U32(1):
            gain += _F64(x[j])
        j = _U32(j + _U32(cuda.blockDim.x))
    return gain


@device
def exchange(betas, place, d, at, stream, accepted):
    """Decide about every second pair of neighbours; place[t] is the slot that stands at betas[t]."""
    t = _U32((_U32(at[1]) & _U32(1)) + _U32(cuda.threadIdx.x) * _U32(2))  # at[1]: the step's low word
    while t + _U32(1) < betas.size:
        other = _U32(t + _U32(1))
        colder, warmer = place[other], place[t]
        log_ratio = (betas[other] - betas[t]) * (d[warmer] - d[colder])
        if accepts(_F32(uniform(t, at, stream)), log_ratio):
            place[t], place[other] = colder, warmer
            accepted[t] += 1
        t = _U32(t + _U32(cuda.blockDim.x) * _U32(2))


@device
def _walk(
    work, slots, W, Wt, b, c, base, betas, start, last, accepted, nh, steps, lifetime, seed, stream, step,
    chain,
):  # fmt: skip
    """All sweeps of the ladders l = block, block + blocks, ...; work: what `work_arrays` divides."""
    visible, hidden, temperatures = b.size, c.size, betas.size
    size, widest = chain_bytes(visible, hidden), max(visible, hidden)
    memory = slots[cuda.blockIdx.x]
    # Which slot stands at which temperature; and log f_1 - log f_0 of each slot's state.
    place = memory[temperatures * size : temperatures * (size + 8)].view(np.int64)
    d = memory[temperatures * (size + 8) : temperatures * (size + 16)].view(np.float64)
    listed, changes, counts = work_arrays(work, widest)
    room = work[work_bytes(widest) :].view(np.float64)
    nv = last.shape[1]
    ladder = _U32(cuda.blockIdx.x)
    while ladder < accepted.shape[0]:
        first = np.int64(ladder) * temperatures
        for t in range(temperatures):
            xv, xh, vs, hs = chain_arrays(memory[t * size : (t + 1) * size], visible, hidden)
            if cuda.threadIdx.x == 0:
                place[t] = t
            read(start[first + t], nv, vs, changes)
            rows = gather(changes, nv, hidden, listed, counts)
            follow(W, c, True, xh, listed, rows)
        age = 0  # of the sums
        for sweep in range(steps):
            fresh, age = age == 0, age + 1 if age + 1 < lifetime else 0
            now = step + _U64(sweep)
            for t in range(temperatures):
                cuda.syncthreads()
                slot = place[t]
                xv, xh, vs, hs = chain_arrays(memory[slot * size : (slot + 1) * size], visible, hidden)
                at = counter(chain + first + t, now, seed)
                draw(xh, _F32(betas[t]), nh, fresh, hs, changes, at, stream + HIDDEN)
                rows = gather(changes, nh, visible, listed, counts)
                follow(Wt, b, fresh, xv, listed, rows)
                cuda.syncthreads()
                draw_between(base, xv, betas[t], nv, age == 0, vs, changes, at, stream + VISIBLE)
                rows = gather(changes, nv, hidden, listed, counts)
                follow(W, c, age == 0, xh, listed, rows)
                gain = block_sum(linear_gain(base, b, nv, vs) + hidden_energy(xh, nh, hs), room)
                if cuda.threadIdx.x == 0:
                    d[slot] = gain
            cuda.syncthreads()
            at = counter(chain + first, now, seed)
            exchange(betas, place, d, at, stream + SWAPS, accepted[ladder])
        cuda.syncthreads()
        for t in range(temperatures):
            slot = place[t]
            xv, xh, vs, hs = chain_arrays(memory[slot * size : (slot + 1) * size], visible, hidden)
            write(vs, nv, last[first + t])
        cuda.syncthreads()
        ladder = _U32(ladder + _U32(cuda.gridDim.x))


_ARGUMENTS = (
    "uint8[:,::1], float32[::1], float32[::1], float32[::1], float32[::1], float32[::1], float64[::1], "
    "uint8[:,::1], uint8[:,::1], int64[:,::1], int64, int64, int64, int64, int64, uint64, int64"
)


@kernel(_ARGUMENTS, threads=THREADS)
def _ladders(
    slots, W, Wt, b, c, base, betas, start, last, accepted, nh, steps, lifetime, seed, stream, step, chain
):
    work = cuda.shared.array(0, numba.float64).view(np.uint8)
    _walk(
        work, slots, W, Wt, b, c, base, betas, start, last, accepted, nh, steps, lifetime, seed, stream,
        step, chain,
    )  # fmt: skip


@kernel(f"uint8[:,::1], {_ARGUMENTS}", threads=THREADS)
def _wide_ladders(
    scratch, slots, W, Wt, b, c, base, betas, start, last, accepted, nh, steps, lifetime, seed, stream,
    step, chain,
):  # fmt: skip
    _walk(
        scratch[cuda.blockIdx.x], slots, W, Wt, b, c, base, betas, start, last, accepted, nh, steps,
        lifetime, seed, stream, step, chain,
    )  # fmt: skip


def temper(model, base, betas, v, steps: int, key: Key):
    """See `Backend.temper`."""
    temperatures = len(betas)
    ladders = v.shape[0] // temperatures
    last = empty(v.shape, np.uint8)
    accepted = zeros((ladders, temperatures - 1), np.int64)
    visible, hidden = model.b.size, model.c.size
    widest, blocks = max(visible, hidden), min(ladders, IN_TURN)
    slots = empty((blocks, temperatures * (chain_bytes(visible, hidden) + 16)), np.uint8)
    launch_blocks(
        _ladders, _wide_ladders, blocks, widest, work_bytes(widest) + 8 * threads_for(widest), slots,
        *model.flat, model.b, model.c, store(base), upload(betas, np.float64), v, last, accepted,
        model.n_hidden, steps, lifetime(model.arithmetic), key.seed, int(key.stream), key.step, key.chain,
    )  # fmt: skip
    return last, download(accepted).sum(axis=0)


JOBS = {"temper": temper}
