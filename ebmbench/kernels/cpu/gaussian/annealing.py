"""Annealed importance sampling's chains: sweeps between independent normals and the model."""

import numpy as np
from numba import prange

from ebmbench.compile import jit
from ebmbench.kernels.api import Annealed, Rows
from ebmbench.kernels.cpu.annealing import gain, probabilities
from ebmbench.kernels.cpu.drawing import draw_from
from ebmbench.kernels.cpu.gaussian.gibbs import draw_between
from ebmbench.kernels.cpu.gaussian.statistics import quadratic
from ebmbench.kernels.cpu.rows import add_rows
from ebmbench.kernels.cpu.threads import launch, layer_work
from ebmbench.randomness import HIDDEN, VISIBLE, Key


@jit(parallel=True)
def _anneal(
    to_hidden, Wt, b, c, precision, base, betas, nh, drawn, v, log_weights, seed, stream, step, chain
):
    for r in prange(v.shape[0]):
        state, visible = v[r], stream + VISIBLE
        h = np.empty((1, nh), np.uint8)
        widest = max(b.size, c.size)
        index = np.empty(widest, np.int32)
        xh, ph = np.empty(c.size, np.float32), np.empty((1, nh), np.float32)
        xv, uv = np.empty(b.size, np.float32), np.empty(b.size, np.float32)
        spread = np.empty(b.size, np.float32)
        factor, term = np.empty(nh), np.empty(state.size)
        if drawn:
            xv[:] = np.float32(0.0)  # at beta = 0 the model's own mean has no part
            draw_between(base, xv, precision, 0.0, spread, uv, state, chain + r, step, seed, visible)
        weight = 0.0
        for k in range(1, betas.size):
            after, before = betas[k], betas[k - 1]
            add_rows(c, to_hidden, state, index, xh)
            fall = quadratic(base[0], base[1], state, term) - quadratic(b, precision, state, term)
            probabilities(xh, np.float32(after), ph[0])
            weight += (after - before) * fall + gain(xh, ph[0], nh, after, before, factor)
            if k == betas.size - 1:
                break
            now = step + np.uint64(k)
            draw_from(ph, h, chain + r, now, seed, stream + HIDDEN)
            add_rows(b, Wt, h[0], index, xv)
            draw_between(base, xv, precision, after, spread, uv, state, chain + r, now, seed, visible)
        log_weights[r] = weight


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
        drawn, v, log_weights, key.seed, int(key.stream), np.uint64(key.step), key.chain,
    )  # fmt: skip
    return Annealed(log_weights, v)


JOBS = {"anneal": anneal}
