"""Annealed importance sampling's chains: sweeps between independent normals and the model."""

import numpy as np
from numba import prange

from ebmbench.compile import inner, jit
from ebmbench.kernels.api import Annealed, Rows
from ebmbench.kernels.cpu.annealing import gain, probabilities
from ebmbench.kernels.cpu.drawing import draw_from
from ebmbench.kernels.cpu.gaussian.gibbs import draw_between
from ebmbench.kernels.cpu.gaussian.statistics import quadratic
from ebmbench.kernels.cpu.layers import products
from ebmbench.kernels.cpu.threads import group_size, launch, layer_work
from ebmbench.randomness import HIDDEN, VISIBLE, Key


@inner
def _draw_rows(base, x, precision, beta, spread, u, states, chain, step, seed, stream):
    """`draw_between` of every row."""
    for r in range(states.shape[0]):
        draw_between(base, x[r], precision, beta, spread, u, states[r], chain + r, step, seed, stream)


@jit(parallel=True)
def _anneal(
    to_hidden, Wt, b, c, precision, base, betas, nh, drawn, size, v, log_weights, seed, stream, step,
    chain,
):  # fmt: skip
    for group in prange((v.shape[0] + size - 1) // size):
        first = group * size
        here = slice(first, min(v.shape[0], first + size))
        vs, weights, visible = v[here], log_weights[here], stream + VISIBLE
        rows = vs.shape[0]
        hs, ph = np.empty((rows, nh), np.uint8), np.empty((rows, nh), np.float32)
        xh, xv = np.empty((rows, c.size), np.float32), np.empty((rows, b.size), np.float32)
        spread, u = np.empty_like(b), np.empty_like(b)
        factor, term = np.empty(nh), np.empty(vs.shape[1])
        if drawn:
            xv[:] = np.float32(0.0)  # at beta = 0 the model's own mean has no part
            _draw_rows(base, xv, precision, 0.0, spread, u, vs, chain + first, step, seed, visible)
        weights[:] = 0.0
        for k in range(1, betas.size):
            after, before, now = betas[k], betas[k - 1], step + np.uint64(k)
            products(to_hidden, c, vs, 0, c.size, xh)
            for r in range(rows):
                state, x, p = vs[r], xh[r], ph[r]
                fall = quadratic(base[0], base[1], state, term) - quadratic(b, precision, state, term)
                probabilities(x, np.float32(after), p)
                weights[r] += (after - before) * fall + gain(x, p, nh, after, before, factor)
            if k == betas.size - 1:
                break
            draw_from(ph, hs, chain + first, now, seed, stream + HIDDEN)
            products(Wt, b, hs, 0, b.size, xv)
            _draw_rows(base, xv, precision, after, spread, u, vs, chain + first, now, seed, visible)


def anneal(model, base, betas, start: int | Rows, key: Key) -> Annealed:
    """See `Backend.anneal`."""
    if isinstance(start, int):
        v, drawn = np.empty((start, model.n_visible), np.float32), True
    else:
        v, drawn = start.astype(np.float32), False
    log_weights = np.empty(len(v))
    work = 2 * len(betas) * layer_work(len(v), model.n_visible, model.n_hidden)
    launch(
        _anneal, work, model.to_hidden, model.Wt, model.b, model.c, model.precision,
        np.ascontiguousarray(base, np.float64), np.asarray(betas, np.float64), model.n_hidden,
        drawn, group_size(len(v)), v, log_weights, key.seed, int(key.stream), np.uint64(key.step),
        key.chain,
    )  # fmt: skip
    return Annealed(log_weights, v)


JOBS = {"anneal": anneal}
