"""Parallel tempering: one launch for all sweeps of all ladders; a block's chains take turns."""

import numba
import numpy as np
from numba import cuda

from ebmbench.kernels.cuda.block import IN_TURN, THREADS, block_sum, launch_blocks, threads_for
from ebmbench.kernels.cuda.chain import chain_arrays, chain_bytes, follow_weighted, work_bytes
from ebmbench.kernels.cuda.drawing import counter
from ebmbench.kernels.cuda.gaussian.annealing import fall
from ebmbench.kernels.cuda.gaussian.gibbs import draw_between, draw_hidden
from ebmbench.kernels.cuda.launch import device, kernel
from ebmbench.kernels.cuda.memory import download, empty, upload, zeros
from ebmbench.kernels.cuda.tempering import exchange, hidden_energy
from ebmbench.randomness import SWAPS, VISIBLE, Key

_F32 = np.float32
_U32 = np.uint32
_U64 = np.uint64


@device
def _copy(row, units, out):
    i = _U32(cuda.threadIdx.x)
    while i < units:
        out[i] = _F32(row[i])
        i = _U32(i + _U32(cuda.blockDim.x))


@device
def _walk(
    memory, slots, to_hidden, Wt, b, c, precision, base, betas, start, last, accepted, nh, steps, seed,
    stream, step, chain,
):  # fmt: skip
    """All sweeps of the ladders l = block, block + blocks, ...

    slots: of each block, for every temperature float32 pre-activations of the hidden units, which the
    energy needs after a sweep and the next sweep starts from, and float32 states of the visible ones.
    """
    visible, hidden, temperatures, nv = b.size, c.size, betas.size, last.shape[1]
    xv, _, _, hs = chain_arrays(memory, visible, hidden)
    before, widest = chain_bytes(visible, hidden), max(visible, hidden)
    work = memory[before : before + work_bytes(widest)]
    room = memory[before + work_bytes(widest) :].view(np.float64)
    size = 4 * (visible + hidden)
    own = slots[cuda.blockIdx.x]
    # Which slot stands at which temperature; and log f_1 - log f_0 of each slot's state.
    place = own[temperatures * size : temperatures * (size + 8)].view(np.int64)
    d = own[temperatures * (size + 8) : temperatures * (size + 16)].view(np.float64)
    ladder = _U32(cuda.blockIdx.x)
    while ladder < accepted.shape[0]:
        first = np.int64(ladder) * temperatures
        for t in range(temperatures):
            slot = own[t * size : (t + 1) * size].view(np.float32)
            if cuda.threadIdx.x == 0:
                place[t] = t
            _copy(start[first + t], nv, slot[hidden:])
            cuda.syncthreads()
            follow_weighted(to_hidden, c, nv, slot[hidden:], slot)
        cuda.syncthreads()
        for sweep in range(steps):
            now = step + _U64(sweep)
            for t in range(temperatures):
                number = place[t]
                slot = own[number * size : (number + 1) * size].view(np.float32)
                v = slot[hidden:]
                at = counter(chain + first + t, now, seed)
                draw_hidden(slot, xv, Wt, b, nh, _F32(betas[t]), hs, work, widest, at, stream)
                draw_between(base, xv, precision, betas[t], nv, v, at, stream + VISIBLE)
                cuda.syncthreads()
                follow_weighted(to_hidden, c, nv, v, slot)
                gain = fall(base, b, precision, v, nv) + hidden_energy(slot, nh, hs)
                gain = block_sum(gain, room)
                if cuda.threadIdx.x == 0:
                    d[number] = gain
            cuda.syncthreads()
            at = counter(chain + first, now, seed)
            exchange(betas, place, d, at, stream + SWAPS, accepted[ladder])
            cuda.syncthreads()
        for t in range(temperatures):
            _copy(
                own[place[t] * size : (place[t] + 1) * size].view(np.float32)[hidden:],
                nv,
                last[first + t],
            )
        cuda.syncthreads()
        ladder = _U32(ladder + _U32(cuda.gridDim.x))


_ARGUMENTS = (
    "uint8[:,::1], float32[::1], float32[::1], float32[::1], float32[::1], float32[::1], "
    "float64[:,::1], float64[::1], rows[:,::1], float32[:,::1], int64[:,::1], int64, int64, int64, "
    "int64, uint64, int64"
)


@kernel(_ARGUMENTS, threads=THREADS)
def _ladders(
    slots, to_hidden, Wt, b, c, precision, base, betas, start, last, accepted, nh, steps, seed, stream,
    step, chain,
):  # fmt: skip
    _walk(
        cuda.shared.array(0, numba.float64).view(np.uint8), slots, to_hidden, Wt, b, c, precision, base,
        betas, start, last, accepted, nh, steps, seed, stream, step, chain,
    )  # fmt: skip


@kernel(f"uint8[:,::1], {_ARGUMENTS}", threads=512)  # with more, there are too few registers
def _wide_ladders(
    scratch, slots, to_hidden, Wt, b, c, precision, base, betas, start, last, accepted, nh, steps, seed,
    stream, step, chain,
):  # fmt: skip
    _walk(
        scratch[cuda.blockIdx.x], slots, to_hidden, Wt, b, c, precision, base, betas, start, last,
        accepted, nh, steps, seed, stream, step, chain,
    )  # fmt: skip


def temper(model, base, betas, v, steps: int, key: Key):
    """See `Backend.temper`."""
    temperatures = len(betas)
    ladders = v.shape[0] // temperatures
    last, accepted = empty(v.shape), zeros((ladders, temperatures - 1), np.int64)
    visible, hidden = model.b.size, model.c.size
    widest, blocks = max(visible, hidden), min(ladders, IN_TURN)
    slots = empty((blocks, temperatures * (4 * (visible + hidden) + 16)), np.uint8)
    size = chain_bytes(visible, hidden) + work_bytes(widest) + 8 * threads_for(widest)
    launch_blocks(
        _ladders, _wide_ladders, blocks, widest, size, slots, *model.flat, model.b, model.c,
        model.precision, upload(base, np.float64), upload(betas, np.float64), v, last, accepted,
        model.n_hidden, steps, key.seed, int(key.stream), key.step, key.chain,
    )  # fmt: skip
    return last, download(accepted).sum(axis=0)


JOBS = {"temper": temper}
