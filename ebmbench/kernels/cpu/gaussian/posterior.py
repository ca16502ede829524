"""Chains that walk given evidence about their visible units: as in `gibbs`, a group of them at a time.

v is real and dense, so that a group is multiplied by precision * W as a matrix, which reads it once for
all of them. A row's sweep of a 784 x 500 model is 0.78 million operations of that product, 7 us at 115
GFLOP/s, 250 rows of W to add, 3 us at 64 bytes a cycle and 4 GHz, and 784 normal variates.
"""

import numpy as np
from numba import prange

from ebmbench.compile import inner, jit
from ebmbench.kernels.cpu.drawing import draw
from ebmbench.kernels.cpu.gaussian.gibbs import draw_normal
from ebmbench.kernels.cpu.layers import products
from ebmbench.kernels.cpu.threads import group_size, launch, layer_work
from ebmbench.normal import normal_of_both
from ebmbench.randomness import HIDDEN, VISIBLE, Key

_ONE = np.float32(1.0)


@inner
def _given(seen, x, precision, spread):
    """From means x to those given what is seen as well, in place, and the standard deviations."""
    n = spread.size
    for i in range(n):
        x[i], spread[i] = normal_of_both(
            np.float64(seen[i]), np.float64(seen[n + i]), np.float64(x[i]), np.float64(precision[i])
        )


@jit(parallel=True)
def _walks(
    to_hidden, Wt, b, c, precision, n_hidden, evidence, size, v, total, sweeps, burn_in, seed, stream,
    step, chain,
):  # fmt: skip
    """Moves v, float32 [B, n_visible], too."""
    for group in prange((v.shape[0] + size - 1) // size):
        first = group * size
        here = slice(first, min(v.shape[0], first + size))
        vs, seen, sums = v[here], evidence[here], total[here]
        chains, n = vs.shape
        hs = np.empty((chains, n_hidden), np.uint8)
        xh, xv = np.empty((chains, c.size), np.float32), np.empty((chains, b.size), np.float32)
        spread, u = np.empty(n, np.float32), np.empty_like(b)
        for t in range(sweeps):
            now = step + np.uint64(t)
            products(to_hidden, c, vs, 0, c.size, xh)
            draw(xh, 0, _ONE, hs, 0, n_hidden, chain + first, now, seed, stream + HIDDEN)
            products(Wt, b, hs, 0, b.size, xv)
            for r in range(chains):
                _given(seen[r], xv[r], precision, spread)
                draw_normal(xv[r], spread, u, vs[r], chain + first + r, now, seed, stream + VISIBLE)
                if t >= burn_in:
                    for i in range(n):
                        sums[r, i] += np.float64(xv[r, i])


def posterior(model, v, evidence, sweeps: int, burn_in: int, key: Key) -> np.ndarray:
    """See `Backend.posterior`."""
    work = 2 * sweeps * layer_work(len(v), model.n_visible, model.n_hidden)
    total = np.zeros(v.shape)
    launch(
        _walks, work, model.to_hidden, model.Wt, model.b, model.c, model.precision, model.n_hidden,
        evidence, group_size(len(v)), v.astype(np.float32), total, sweeps, burn_in, key.seed,
        int(key.stream), np.uint64(key.step), key.chain,
    )  # fmt: skip
    return total / (sweeps - burn_in)


JOBS = {"posterior": posterior}
