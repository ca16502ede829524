"""Units of an undirected model that are drawn given evidence: as in `gibbs`, with biases a row.

The inputs that a chain keeps hold its evidence too, so that a sweep is one of `gibbs` that notes what
each draw was made at, and takes as long.
"""

import numpy as np
from numba import prange

from ebmbench.compile import inner, jit
from ebmbench.kernels.cpu.graph.gibbs import inputs, log_odds, stretches, sweep_work, turn
from ebmbench.kernels.cpu.posterior import add_probabilities
from ebmbench.kernels.cpu.threads import launch
from ebmbench.randomness import Key


@inner
def _sweep(W, odds, made, state, x, chain, step, seed, stream):
    """As `gibbs.sweep`, at log odds x; made: float32 [padded], what each draw was made at."""
    log_odds(odds, chain, step, seed, stream)
    for i in range(state.size):
        made[i] = x[i]
        turn(W, i, np.float32(odds[i] < x[i]), False, state, x)


@jit(parallel=True)
def _walks(W, state, x, total, first, last, burn_in, seed, stream, step, chain):
    for r in prange(state.shape[0]):
        odds, made = np.empty(W.shape[1], np.float32), np.empty(W.shape[1], np.float32)
        for t in range(first, last):
            _sweep(W, odds, made, state[r], x[r], chain + r, step + np.uint64(t), seed, stream)
            if t >= burn_in:
                add_probabilities(made, total[r])


def posterior(model, v, evidence, sweeps: int, burn_in: int, key: Key) -> np.ndarray:
    """See `Backend.posterior`."""
    state, total = v.astype(np.float32), np.zeros(v.shape)
    work = sweep_work(model, len(v), sweeps)
    for first, last in stretches(0, sweeps):
        x = inputs(model, state)
        x[:, : model.n_visible] += evidence
        launch(
            _walks, work, model.W, state, x, total, first, last, burn_in, key.seed, int(key.stream),
            np.uint64(key.step), key.chain,
        )  # fmt: skip
    return total / (sweeps - burn_in)


JOBS = {"posterior": posterior}
