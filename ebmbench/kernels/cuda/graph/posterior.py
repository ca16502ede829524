"""Units of an undirected model drawn given evidence: as `cpu.graph.posterior`, a block a chain."""

import numpy as np
from numba import cuda

from ebmbench.kernels.cuda.device import floats, padded
from ebmbench.kernels.cuda.graph.gibbs import inputs, log_odds, stretches, turn
from ebmbench.kernels.cuda.launch import kernel
from ebmbench.kernels.cuda.memory import Array, empty, zeros
from ebmbench.kernels.cuda.posterior import add_evidence, mean
from ebmbench.kernels.cuda.tile import at
from ebmbench.randomness import VISIBLE, Key
from ebmbench.scalar import probability

_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
_THREADS = 256


@kernel(
    "float32[:,::1], float32[:,::1], float32[:,::1], float32[:,::1], float32[:,::1], float64[:,::1], "
    "int64, int64, int64, int64, int64, uint64, int64",
    _THREADS,
)
def _walks(W, odds, made, state, x, total, first, last, burn_in, seed, stream, step, chain):
    """made: what a sweep's draws are made at, noted by one thread."""
    r, units = at(cuda.blockIdx.x), at(state.shape[1])
    for t in range(first, last):
        log_odds(odds[r], chain + np.int64(r), step + np.uint64(t), seed, stream + VISIBLE)
        cuda.syncthreads()
        for i in range(units):
            z = x[r, i]
            if cuda.threadIdx.x == 0:
                made[r, i] = z
            turn(W, i, _ONE if odds[r, i] < z else _ZERO, at(0), state[r], x[r])
        cuda.syncthreads()
        if t >= burn_in:
            for i in range(at(cuda.threadIdx.x), units, at(cuda.blockDim.x)):
                total[r, i] += np.float64(probability(made[r, i]))
        cuda.syncthreads()


def posterior(model, v, evidence, sweeps: int, burn_in: int, key: Key) -> Array:
    """See `Backend.posterior`."""
    state, total = floats(v), zeros(v.shape, np.float64)
    odds, made = (empty((len(v), padded(model.n_visible))) for _ in range(2))
    if state.size:
        for first, last in stretches(model, 0, sweeps):
            x = inputs(model, state)
            add_evidence(x, evidence)
            _walks(
                len(v), model.W, odds, made, state, x, total, first, last, burn_in, key.seed,
                int(key.stream), key.step, key.chain,
            )  # fmt: skip
    return mean(total, sweeps - burn_in)


JOBS = {"posterior": posterior}
