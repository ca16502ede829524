"""Units of a Bayesian network that are drawn given all others and evidence: a block a chain.

As `cpu.graph.blanket`, but threads share a unit's children, each with two softplus in float64, of which
an H200 does many: of 784 units three a thread at most, and a sum over the block.
"""

import numba
import numpy as np
from numba import cuda

from ebmbench.kernels.cuda.block import block_sum
from ebmbench.kernels.cuda.device import floats, padded
from ebmbench.kernels.cuda.graph.gibbs import inputs, log_odds, stretches, turn
from ebmbench.kernels.cuda.launch import device, kernel
from ebmbench.kernels.cuda.memory import Array, empty, zeros
from ebmbench.kernels.cuda.posterior import mean
from ebmbench.kernels.cuda.tile import at
from ebmbench.randomness import VISIBLE, Key
from ebmbench.scalar import probability, softplus64

_F64 = np.float64
_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
_THREADS = 256


@device
def _of_children(W, i, state, x, room):
    """Log p(children | unit i on) - log p(children | it off), in all threads."""
    part = 0.0
    for j in range(i + at(1) + at(cuda.threadIdx.x), at(state.size), at(cuda.blockDim.x)):
        w = _F64(W[i, j])
        off = _F64(x[j]) - _F64(state[i]) * w
        part += _F64(state[j]) * w - (softplus64(off + w) - softplus64(off))
    return block_sum(part, room)


@kernel(
    "float32[:,::1], float32[:,::1], float32[:,::1], float32[:,::1], float32[:,::1], float64[:,::1], "
    "int64, int64, int64, int64, int64, uint64, int64",
    _THREADS,
)
def _walks(W, evidence, odds, state, x, total, first, last, burn_in, seed, stream, step, chain):
    room = cuda.shared.array(_THREADS, numba.float64)
    r = at(cuda.blockIdx.x)
    for t in range(first, last):
        log_odds(odds[r], chain + np.int64(r), step + np.uint64(t), seed, stream + VISIBLE)
        cuda.syncthreads()
        for i in range(at(state.shape[1])):
            heard = _of_children(W, i, state[r], x[r], room)
            z = np.float32(_F64(x[r, i]) + _F64(evidence[r, i]) + heard)
            if t >= burn_in and cuda.threadIdx.x == 0:
                total[r, i] += _F64(probability(z))
            turn(W, i, _ONE if odds[r, i] < z else _ZERO, i, state[r], x[r])
        cuda.syncthreads()


def posterior(model, v, evidence, sweeps: int, burn_in: int, key: Key) -> Array:
    """See `Backend.posterior`."""
    state, total = floats(v), zeros(v.shape, np.float64)
    odds = empty((len(v), padded(model.n_visible)))
    if state.size:
        for first, last in stretches(model, 0, sweeps):
            _walks(
                len(v), model.W, evidence, odds, state, inputs(model, state), total, first, last, burn_in,
                key.seed, int(key.stream), key.step, key.chain,
            )  # fmt: skip
    return mean(total, sweeps - burn_in)


JOBS = {"posterior": posterior}
