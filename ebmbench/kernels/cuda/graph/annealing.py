"""Annealing and parallel tempering of a Boltzmann machine, whose sweeps draw unit after unit.

A block a chain, or a ladder, whose chains take turns. A temperature costs a sweep (see `gibbs`) and a sum
over the units: 50 us on an H200 at 784 units, predicted, so that 1,000 of them take 50 ms.
"""

import numba
import numpy as np
from numba import cuda

from ebmbench.kernels.api import Annealed, Rows
from ebmbench.kernels.cuda.block import THREADS, block_sum
from ebmbench.kernels.cuda.device import blocks, floats, store
from ebmbench.kernels.cuda.drawing import counter
from ebmbench.kernels.cuda.graph.gibbs import inputs, log_odds, states, stretches, sweep
from ebmbench.kernels.cuda.graph.statistics import minus_energy_part
from ebmbench.kernels.cuda.launch import device, kernel
from ebmbench.kernels.cuda.memory import Array, download, empty, upload, zeros
from ebmbench.kernels.cuda.tempering import exchange
from ebmbench.kernels.cuda.tile import at
from ebmbench.randomness import SWAPS, VISIBLE, Key

_F32, _F64, _U64 = np.float32, np.float64, np.uint64
_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
_THREADS = 256


@device
def _rise(x, b, base, state, room):
    """How log f rises along the path, -E(v) - base.v, in all threads."""
    part = minus_energy_part(x, b, state)
    for i in range(at(cuda.threadIdx.x), at(state.size), at(cuda.blockDim.x)):
        part -= _F64(base[i]) * _F64(state[i])
    return block_sum(part, room)


@kernel("float32[::1], float32[:,::1], float32[:,::1], int64, int64, uint64, int64", _THREADS)
def _draw_base(base, odds, state, seed, stream, step, chain):
    """Independent units, a chain a block."""
    r = at(cuda.blockIdx.x)
    log_odds(odds[r], chain + np.int64(r), step, seed, stream + VISIBLE)
    cuda.syncthreads()
    for i in range(at(cuda.threadIdx.x), at(state.shape[1]), at(cuda.blockDim.x)):
        state[r, i] = _ONE if odds[r, i] < base[i] else _ZERO


def draw_base(model, base: Array, chains: int, key: Key) -> Array:
    """States of so many chains of independent units, float32 [chains, n_visible]; base: padded."""
    state, odds = empty((chains, model.n_visible)), empty((chains, base.size))
    if chains:
        _draw_base(chains, base, odds, state, key.seed, int(key.stream), key.step, key.chain)
    return state


@kernel(
    "float32[:,::1], float32[::1], float32[::1], float64[::1], float32[:,::1], float32[:,::1], "
    "float32[:,::1], int64, int64, float64[::1], int64, int64, uint64, int64",
    _THREADS,
)
def _anneal(W, b, base, betas, odds, state, x, first, last, log_weights, seed, stream, step, chain):
    """From betas[first - 1] to betas[last - 1]."""
    room = cuda.shared.array(_THREADS, numba.float64)
    r = at(cuda.blockIdx.x)
    weight = 0.0
    for k in range(first, last):
        weight += (betas[k] - betas[k - 1]) * _rise(x[r], b, base, state[r], room)
        if k < np.int64(betas.size) - 1:
            sweep(
                W, base, _F32(1.0 - betas[k]), _F32(betas[k]), False, odds[r], state[r], x[r],
                chain + np.int64(r), step + _U64(k), seed, stream,
            )  # fmt: skip
    if cuda.threadIdx.x == 0:
        log_weights[r] += weight


def anneal(model, base, betas, start: int | Rows, key: Key) -> Annealed:
    """See `Backend.anneal`."""
    base_row = store(base)
    state = draw_base(model, base_row, start, key) if isinstance(start, int) else floats(start)
    rows = len(state)
    odds, log_weights = empty((rows, model.b.size)), zeros(rows, np.float64)
    at_key = key.seed, int(key.stream), key.step, key.chain
    steps = upload(betas, np.float64)
    if rows:
        for first, last in stretches(model, 1, len(betas)):
            _anneal(
                rows, model.W, model.b, base_row, steps, odds, state, inputs(model, state), first, last,
                log_weights, *at_key,
            )  # fmt: skip
    return Annealed(download(log_weights), states(state))


@kernel(
    "float32[:,::1], float32[::1], float32[::1], float64[::1], float32[:,::1], float32[:,::1], "
    "float32[:,::1], int64, int64, int64[::1], float64[::1], int64[:,::1], int64, int64, uint64, int64",
    THREADS,  # more than there are: with the 64 registers that it aims at for fewer, the assembler spills
)
def _ladders(
    W, b, base, betas, odds, state, x, first, last, order, rises, accepted, seed, stream, step, chain
):
    """Order gets, for each temperature of each ladder, the row that ends there; rises: scratch."""
    room = cuda.shared.array(_THREADS, numba.float64)
    ladder, rungs = at(cuda.blockIdx.x), at(betas.size)
    top = ladder * rungs
    place, d = order[top : top + rungs], rises[top : top + rungs]
    for rung in range(at(cuda.threadIdx.x), rungs, at(cuda.blockDim.x)):
        place[rung] = np.int64(rung)  # the slot that stands at each temperature
    for t in range(first, last):
        now = step + _U64(t)
        for rung in range(rungs):
            cuda.syncthreads()
            r = top + at(place[rung])
            own, sums, beta = state[r], x[r], betas[rung]
            row = chain + np.int64(top + rung)
            sweep(
                W, base, _F32(1.0 - beta), _F32(beta), False, odds[ladder], own, sums, row, now, seed,
                stream,
            )  # fmt: skip
            rise = _rise(sums, b, base, own, room)
            if cuda.threadIdx.x == 0:
                d[place[rung]] = rise
        cuda.syncthreads()
        at_step = counter(chain + np.int64(top), now, seed)
        exchange(betas, place, d, at_step, stream + SWAPS, accepted[ladder])
    cuda.syncthreads()
    for rung in range(at(cuda.threadIdx.x), rungs, at(cuda.blockDim.x)):
        place[rung] += np.int64(top)


@kernel("float32[:,::1], int64[::1], float32[:,::1]")
def _reorder(state, order, out):
    columns = at(out.shape[1])
    for n in range(at(cuda.grid(1)), at(out.size), at(cuda.gridsize(1))):
        out[n // columns, n % columns] = state[order[n // columns], n % columns]


def reordered(state, order):
    """The rows in this order."""
    out = empty(state.shape)
    _reorder(blocks(out.size, _reorder.threads), state, order, out)
    return out


def temper(model, base, betas, v, steps: int, key: Key):
    """See `Backend.temper`."""
    ladders, rungs = len(v) // len(betas), len(betas)
    state, odds = floats(v), empty((ladders, model.b.size))
    order, rises = empty(len(v), np.int64), empty(len(v), np.float64)
    accepted = zeros((ladders, rungs - 1), np.int64)
    base_row, path = store(base), upload(betas, np.float64)
    for first, last in stretches(model, 0, steps):
        _ladders(
            ladders, model.W, model.b, base_row, path, odds, state, inputs(model, state), first, last,
            order, rises, accepted, key.seed, int(key.stream), key.step, key.chain, threads=_THREADS,
        )  # fmt: skip
        state = reordered(state, order)
    return states(state), download(accepted).sum(axis=0)


JOBS = {"anneal": anneal, "temper": temper}
