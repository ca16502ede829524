"""Annealing and parallel tempering of a Markov field.

A block a chain, or a ladder, whose chains take turns. A temperature costs a sweep (see `gibbs`) and a sum
over the units that hears all neighbours once more.
"""

import numba
import numpy as np
from numba import cuda

from ebmbench.kernels.api import Annealed, Rows
from ebmbench.kernels.cuda.block import block_sum
from ebmbench.kernels.cuda.device import floats, store
from ebmbench.kernels.cuda.drawing import counter
from ebmbench.kernels.cuda.field.gibbs import listen, sweep
from ebmbench.kernels.cuda.graph.annealing import draw_base, reordered
from ebmbench.kernels.cuda.graph.gibbs import states
from ebmbench.kernels.cuda.launch import device, kernel
from ebmbench.kernels.cuda.memory import download, empty, upload, zeros
from ebmbench.kernels.cuda.tempering import exchange
from ebmbench.kernels.cuda.tile import at
from ebmbench.randomness import SWAPS, Key

_F32, _F64, _U64 = np.float32, np.float64, np.uint64
_THREADS = 256


@device
def _rise(starts, units, heard, b, base, state, room):
    """How log f rises along the path, -E(v) - base.v, in all threads; x - b counts each edge twice."""
    part = 0.0
    for i in range(at(cuda.threadIdx.x), at(state.size), at(cuda.blockDim.x)):
        x = listen(starts, units, heard, b, i, state)
        part += _F64(state[i]) * (0.5 * (_F64(x) + _F64(b[i])) - _F64(base[i]))
    return block_sum(part, room)


_FIELD = "int32[::1], int32[::1], int32[::1], int32[::1], float32[::1], float32[::1], float32[::1], "


@kernel(_FIELD + "float64[::1], float32[:,::1], float64[::1], int64, int64, uint64, int64", _THREADS)
def _anneal(
    order, classes, starts, units, heard, b, base, betas, state, log_weights, seed, stream, step, chain
):
    room = cuda.shared.array(_THREADS, numba.float64)
    r = at(cuda.blockIdx.x)
    weight = 0.0
    for k in range(1, np.int64(betas.size)):
        weight += (betas[k] - betas[k - 1]) * _rise(starts, units, heard, b, base, state[r], room)
        if k < np.int64(betas.size) - 1:
            sweep(
                order, classes, starts, units, heard, b, base, _F32(1.0 - betas[k]), _F32(betas[k]),
                state[r], chain + np.int64(r), step + _U64(k), seed, stream,
            )  # fmt: skip
    if cuda.threadIdx.x == 0:
        log_weights[r] = weight


def anneal(model, base, betas, start: int | Rows, key: Key) -> Annealed:
    """See `Backend.anneal`."""
    base_row = store(base)
    state = draw_base(model, base_row, start, key) if isinstance(start, int) else floats(start)
    log_weights = zeros(len(state), np.float64)
    if len(state):
        _anneal(
            len(state), model.order, model.classes, *model.joined, model.b, base_row,
            upload(betas, np.float64), state, log_weights, key.seed, int(key.stream), key.step, key.chain,
        )  # fmt: skip
    return Annealed(download(log_weights), states(state))


@kernel(
    _FIELD + "float64[::1], float32[:,::1], int64, int64[::1], float64[::1], int64[:,::1], int64, int64, "
    "uint64, int64",
    _THREADS,
)
def _ladders(
    order, classes, starts, units, heard, b, base, betas, state, steps, ends, rises, accepted, seed,
    stream, step, chain,
):  # fmt: skip
    """Ends gets, for each temperature of each ladder, the row that ends there; rises: scratch."""
    room = cuda.shared.array(_THREADS, numba.float64)
    ladder, rungs = at(cuda.blockIdx.x), at(betas.size)
    top = ladder * rungs
    place, d = ends[top : top + rungs], rises[top : top + rungs]
    for rung in range(at(cuda.threadIdx.x), rungs, at(cuda.blockDim.x)):
        place[rung] = np.int64(rung)  # the slot that stands at each temperature
    for t in range(steps):
        now = step + _U64(t)
        for rung in range(rungs):
            cuda.syncthreads()
            own, beta = state[top + at(place[rung])], betas[rung]
            sweep(
                order, classes, starts, units, heard, b, base, _F32(1.0 - beta), _F32(beta), own,
                chain + np.int64(top + rung), now, seed, stream,
            )  # fmt: skip
            rise = _rise(starts, units, heard, b, base, own, room)
            if cuda.threadIdx.x == 0:
                d[place[rung]] = rise
        cuda.syncthreads()
        at_step = counter(chain + np.int64(top), now, seed)
        exchange(betas, place, d, at_step, stream + SWAPS, accepted[ladder])
    cuda.syncthreads()
    for rung in range(at(cuda.threadIdx.x), rungs, at(cuda.blockDim.x)):
        place[rung] += np.int64(top)


def temper(model, base, betas, v, steps: int, key: Key):
    """See `Backend.temper`."""
    ladders, rungs = len(v) // len(betas), len(betas)
    state = floats(v)
    ends, rises = empty(len(v), np.int64), empty(len(v), np.float64)
    accepted = zeros((ladders, rungs - 1), np.int64)
    _ladders(
        ladders, model.order, model.classes, *model.joined, model.b, store(base),
        upload(betas, np.float64), state, steps, ends, rises, accepted, key.seed, int(key.stream),
        key.step, key.chain,
    )  # fmt: skip
    return states(reordered(state, ends)), download(accepted).sum(axis=0)


JOBS = {"anneal": anneal, "temper": temper}
