"""Block Gibbs sampling, v with its noise: each chain walks all its sweeps by itself."""

import numpy as np
from numba import prange

from ebmbench.compile import jit
from ebmbench.kernels.cpu.drawing import draw
from ebmbench.kernels.cpu.rows import add_rows
from ebmbench.kernels.cpu.threads import launch, layer_work
from ebmbench.randomness import HIDDEN, VISIBLE, Key, fill_uniforms
from ebmbench.scalar import normal_about, normal_between


@jit(forceinline=True)
def draw_normal(mean, spread, u, state, chain, step, seed, stream):
    """Sample units of this mean and standard deviation: one pass over the layer."""
    fill_uniforms(u, chain, step, seed, stream)
    for i in range(state.size):
        state[i] = normal_about(mean[i], spread[i], u[i])


@jit(forceinline=True)
def draw_between(base, x, precision, beta, spread, u, state, chain, step, seed, stream):
    """`draw_normal` on the path (1 - beta) E_base + beta E; x: the mean b + Wh, left as that between.

    base: float64 [2, n_visible], mean and precision; beta: float64; spread: float32 scratch.
    """
    for i in range(state.size):
        x[i], spread[i] = normal_between(base[0, i], base[1, i], x[i], precision[i], beta)
    draw_normal(x, spread, u, state, chain, step, seed, stream)


@jit(parallel=True)
def _sweeps(to_hidden, Wt, b, c, spread, start, v, h, steps, beta, seed, stream, step, chain):
    for r in prange(v.shape[0]):
        widest = max(b.size, c.size)
        index = np.empty(widest, np.int32)
        x = np.empty(widest, np.float32)
        u = np.empty(widest, np.float32)
        xh, uh, xv, uv = x[: c.size], u[: c.size], x[: b.size], u[: b.size]
        add_rows(c, to_hidden, start[r], index, xh)
        for t in range(steps):
            if t > 0:
                add_rows(c, to_hidden, v[r], index, xh)
            draw(xh, beta, uh, h[r], chain + r, step + np.uint64(t), seed, stream + HIDDEN)
            add_rows(b, Wt, h[r], index, xv)
            draw_normal(xv, spread, uv, v[r], chain + r, step + np.uint64(t), seed, stream + VISIBLE)


def gibbs(model, v, steps: int, key: Key, beta: float):
    """See `Backend.gibbs`."""
    last = np.empty((len(v), model.n_visible), np.float32)
    h = np.empty((len(v), model.n_hidden), np.uint8)
    spread = (1.0 / np.sqrt(np.float64(beta) * model.precision[: model.n_visible])).astype(np.float32)
    work = 2 * steps * layer_work(len(v), model.n_visible, model.n_hidden)
    launch(
        _sweeps, work, model.to_hidden, model.Wt, model.b, model.c, spread, v, last, h, steps,
        np.float32(beta), key.seed, int(key.stream), np.uint64(key.step), key.chain,
    )  # fmt: skip
    return last, h


JOBS = {"gibbs": gibbs}
