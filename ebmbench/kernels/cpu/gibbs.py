"""Block Gibbs sampling: each chain walks all its sweeps by itself, and threads share the chains."""

import numpy as np
from numba import prange

from ebmbench.compile import jit
from ebmbench.kernels.cpu.chain import REFRESH, follow
from ebmbench.kernels.cpu.drawing import draw
from ebmbench.kernels.cpu.rows import add_rows
from ebmbench.kernels.cpu.threads import launch, layer_work
from ebmbench.randomness import HIDDEN, VISIBLE, Key


@jit(parallel=True)
def _sweeps(W, Wt, b, c, start, v, h, steps, beta, seed, stream, step, chain):
    for r in prange(v.shape[0]):
        widest = max(b.size, c.size)
        up, down = np.empty(widest, np.int32), np.empty(widest, np.int32)
        u = np.empty(widest, np.float32)
        xh, uh = np.empty(c.size, np.float32), u[: c.size]
        xv, uv = np.empty(b.size, np.float32), u[: b.size]
        last_v, last_h = np.empty(v.shape[1], np.uint8), np.empty(h.shape[1], np.uint8)
        for t in range(steps):
            now, fresh = step + np.uint64(t), t % REFRESH == 0
            if t == 0:
                add_rows(c, W, start[r], up, xh)
            else:
                follow(c, W, v[r], last_v, fresh or t == 1, up, down, xh)
            draw(xh, beta, uh, h[r], chain + r, now, seed, stream + HIDDEN)
            follow(b, Wt, h[r], last_h, fresh, up, down, xv)
            draw(xv, beta, uv, v[r], chain + r, now, seed, stream + VISIBLE)


def gibbs(model, v, steps: int, key: Key, beta: float):
    """See `Backend.gibbs`."""
    last = np.empty((len(v), model.n_visible), np.uint8)
    h = np.empty((len(v), model.n_hidden), np.uint8)
    work = 2 * steps * layer_work(len(v), model.n_visible, model.n_hidden)
    launch(
        _sweeps, work, model.W, model.Wt, model.b, model.c, v, last, h, steps,
        np.float32(beta), key.seed, int(key.stream), np.uint64(key.step), key.chain,
    )  # fmt: skip
    return last, h


JOBS = {"gibbs": gibbs}
