"""Block Gibbs sampling, v with its noise: each chain walks all its sweeps by itself."""

import numpy as np
from numba import prange

from ebmbench.compile import jit
from ebmbench.kernels.cpu.drawing import draw
from ebmbench.kernels.cpu.gibbs import sample_hidden
from ebmbench.kernels.cpu.rows import add_rows
from ebmbench.kernels.cpu.threads import launch, layer_work
from ebmbench.kernels.cpu.uniforms import fill_uniforms
from ebmbench.randomness import HIDDEN, VISIBLE, Key
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
        xh, xv, uv = np.empty((1, c.size), np.float32), np.empty_like(b), np.empty_like(b)
        add_rows(c, to_hidden, start[r], index, xh[0])
        for t in range(steps):
            if t > 0:
                add_rows(c, to_hidden, v[r], index, xh[0])
            draw(
                xh,
                0,
                beta,
                h[r : r + 1],
                0,
                h.shape[1],
                chain + r,
                step + np.uint64(t),
                seed,
                stream + HIDDEN,
            )
            add_rows(b, Wt, h[r], index, xv)
            draw_normal(xv, spread, uv, v[r], chain + r, step + np.uint64(t), seed, stream + VISIBLE)


@jit(parallel=True)
def _normals(Wt, b, spread, h, v, seed, stream, step, chain):
    """V given h: the second half of a sweep."""
    for r in prange(v.shape[0]):
        index = np.empty(Wt.shape[0], np.int32)
        x, u = np.empty(b.size, np.float32), np.empty(b.size, np.float32)
        add_rows(b, Wt, h[r], index, x)
        draw_normal(x, spread, u, v[r], chain + r, step, seed, stream + VISIBLE)


def _spread(model, beta: float):
    """The standard deviations of v given h."""
    return (1.0 / np.sqrt(np.float64(beta) * model.precision[: model.n_visible])).astype(np.float32)


def sample_visible(model, h, key: Key, beta: float):
    """See `Backend.sample_visible`."""
    v = np.empty((len(h), model.n_visible), np.float32)
    launch(
        _normals, layer_work(len(h), model.n_visible, model.n_hidden), model.Wt, model.b,
        _spread(model, beta), h, v, key.seed, int(key.stream), np.uint64(key.step), key.chain,
    )  # fmt: skip
    return v


def gibbs(model, v, steps: int, key: Key, beta: float):
    """See `Backend.gibbs`."""
    last = np.empty((len(v), model.n_visible), np.float32)
    h = np.empty((len(v), model.n_hidden), np.uint8)
    work = 2 * steps * layer_work(len(v), model.n_visible, model.n_hidden)
    launch(
        _sweeps, work, model.to_hidden, model.Wt, model.b, model.c, _spread(model, beta), v, last, h,
        steps, np.float32(beta), key.seed, int(key.stream), np.uint64(key.step), key.chain,
    )  # fmt: skip
    return last, h


JOBS = {"gibbs": gibbs, "sample_hidden": sample_hidden, "sample_visible": sample_visible}
