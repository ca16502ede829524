"""Block Gibbs sampling, v with its noise: each group of chains walks all its sweeps by itself.

v is real, so that it is multiplied by precision * W as a matrix, which is read once for the whole group;
h adds the rows of W that are on. Floors of a sweep of 100 chains of a 784 x 500 model, of two cores with
512-bit vectors: 78 million operations of the product, 0.35 ms at 115 GFLOP/s a core, 25,000 rows of W
of 49 vectors, 0.15 ms at 64 bytes a cycle, and 128,400 draws.
"""

import numpy as np
from numba import prange

from ebmbench.compile import inner, jit
from ebmbench.kernels.cpu.drawing import draw
from ebmbench.kernels.cpu.gibbs import sample_hidden
from ebmbench.kernels.cpu.layers import products
from ebmbench.kernels.cpu.rows import add_rows
from ebmbench.kernels.cpu.threads import group_size, launch, layer_work
from ebmbench.kernels.cpu.uniforms import fill_uniforms
from ebmbench.normal import normal_about, normal_between
from ebmbench.randomness import HIDDEN, VISIBLE, Key


@inner(forceinline=True)
def draw_normal(mean, spread, u, state, chain, step, seed, stream):
    """Sample units of this mean and standard deviation: one pass over the layer."""
    fill_uniforms(u, chain, step, seed, stream)
    for i in range(state.size):
        state[i] = normal_about(mean[i], spread[i], u[i])


@inner(forceinline=True)
def draw_between(base, x, precision, beta, spread, u, state, chain, step, seed, stream):
    """`draw_normal` on the path (1 - beta) E_base + beta E; x: the mean b + Wh, left as that between.

    base: float64 [2, n_visible], mean and precision; beta: float64; spread: float32 scratch.
    """
    for i in range(state.size):
        x[i], spread[i] = normal_between(base[0, i], base[1, i], x[i], precision[i], beta)
    draw_normal(x, spread, u, state, chain, step, seed, stream)


@jit(parallel=True)
def _sweeps(to_hidden, Wt, b, c, spread, start, size, v, h, steps, beta, seed, stream, step, chain):
    for group in prange((v.shape[0] + size - 1) // size):
        first = group * size
        here = slice(first, min(v.shape[0], first + size))
        vs, hs = v[here], h[here]
        chains = vs.shape[0]
        xh, xv = np.empty((chains, c.size), np.float32), np.empty((chains, b.size), np.float32)
        u = np.empty_like(b)
        for t in range(steps):
            now = step + np.uint64(t)
            if t == 0:
                products(to_hidden, c, start[here], 0, c.size, xh)
            else:
                products(to_hidden, c, vs, 0, c.size, xh)
            draw(xh, 0, beta, hs, 0, hs.shape[1], chain + first, now, seed, stream + HIDDEN)
            products(Wt, b, hs, 0, b.size, xv)
            for r in range(chains):
                row = chain + first + r
                draw_normal(xv[r], spread, u, vs[r], row, now, seed, stream + VISIBLE)


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
        _sweeps, work, model.to_hidden, model.Wt, model.b, model.c, _spread(model, beta), v,
        group_size(len(v)), last, h, steps, np.float32(beta), key.seed, int(key.stream),
        np.uint64(key.step), key.chain,
    )  # fmt: skip
    return last, h


JOBS = {"gibbs": gibbs, "sample_hidden": sample_hidden, "sample_visible": sample_visible}
