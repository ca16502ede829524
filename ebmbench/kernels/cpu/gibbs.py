"""Block Gibbs sampling: each chain walks all its sweeps by itself, and threads share the chains."""

import numpy as np
from numba import prange

from ebmbench.compile import jit
from ebmbench.kernels.cpu.rows import add_rows
from ebmbench.kernels.cpu.threads import launch, layer_work
from ebmbench.randomness import HIDDEN, VISIBLE, Key, fill_uniforms
from ebmbench.scalar import sigmoid


@jit(forceinline=True)
def draw(x, beta, u, state, chain, step, seed, stream):
    """Sample units with pre-activations x at inverse temperature beta: one pass over the layer."""
    fill_uniforms(u, chain, step, seed, stream)
    for j in range(state.size):
        state[j] = u[j] < sigmoid(np.float32(beta * x[j]))


@jit(forceinline=True)
def draw_between(base, x, beta, u, state, chain, step, seed, stream):
    """`draw` on the path from base to x: at pre-activations (1 - beta) base + beta x, left in x."""
    rest, beta = np.float32(1.0 - beta), np.float32(beta)
    for i in range(state.size):
        x[i] = np.float32(rest * base[i]) + np.float32(beta * x[i])
    draw(x, np.float32(1.0), u, state, chain, step, seed, stream)


@jit(forceinline=True)
def linear_gain(base, b, state):
    """(b - base).v of one state, in float64."""
    gain = 0.0
    for i in range(state.size):
        gain += (np.float64(b[i]) - np.float64(base[i])) * state[i]
    return gain


@jit(parallel=True)
def _sweeps(W, Wt, b, c, start, v, h, steps, beta, seed, stream, step, chain):
    for r in prange(v.shape[0]):
        widest = max(b.size, c.size)
        index = np.empty(widest, np.int32)
        x = np.empty(widest, np.float32)
        u = np.empty(widest, np.float32)
        xh, uh, xv, uv = x[: c.size], u[: c.size], x[: b.size], u[: b.size]
        add_rows(c, W, start[r], index, xh)
        for t in range(steps):
            if t > 0:
                add_rows(c, W, v[r], index, xh)
            draw(xh, beta, uh, h[r], chain + r, step + np.uint64(t), seed, stream + HIDDEN)
            add_rows(b, Wt, h[r], index, xv)
            draw(xv, beta, uv, v[r], chain + r, step + np.uint64(t), seed, stream + VISIBLE)


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
