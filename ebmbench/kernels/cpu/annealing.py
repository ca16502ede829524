"""Annealed importance sampling's chains: sweeps between a base-rate model and the model."""

import math

import numpy as np
from numba import prange

from ebmbench.compile import jit
from ebmbench.kernels.api import Annealed, Rows
from ebmbench.kernels.cpu.device import aligned_zeros
from ebmbench.kernels.cpu.gibbs import draw, draw_between, linear_gain
from ebmbench.kernels.cpu.rows import add_rows
from ebmbench.kernels.cpu.simd import product
from ebmbench.kernels.cpu.statistics import SOFTPLUS_BLOCK, sum_softplus
from ebmbench.kernels.cpu.threads import launch, layer_work
from ebmbench.randomness import HIDDEN, VISIBLE, Key
from ebmbench.scalar import sigmoid

# While |delta x| stays below this, the series for e**-(delta x) below is exact to 1e-12 and a
# product of 1,000 factors stays within e**+-63.
_SERIES_REACH = 0.0625
_LOG_BLOCK = 1000


@jit(forceinline=True)
def gain(x, n, after, before, factor):
    """sum_j softplus(after x_j) - softplus(before x_j) over the first n, in float64.

    With s = sigmoid(after x) and d = (after - before) x each difference is -log(1 + s (e**-d - 1)):
    one multiply-add a unit and, as the factors stay near 1, one logarithm a thousand of them.
    """
    delta = after - before
    widest = np.float32(0.0)
    for j in range(n):
        size = abs(x[j])
        widest = size if size > widest else widest
    if not widest * abs(delta) < _SERIES_REACH:
        scratch = np.empty((2, SOFTPLUS_BLOCK))
        return sum_softplus(x, n, after, scratch) - sum_softplus(x, n, before, scratch)
    scale = np.float32(after)
    for j in range(n):
        d = -delta * np.float64(x[j])
        s = np.float64(sigmoid(np.float32(scale * x[j])))
        expm1 = d * (1 + d / 2 * (1 + d / 3 * (1 + d / 4 * (1 + d / 5 * (1 + d / 6)))))
        factor[j] = 1.0 + s * expm1
    gain = 0.0
    for first in range(0, n, _LOG_BLOCK):
        count = min(n - first, _LOG_BLOCK)
        gain -= math.log(product(factor[first:], count))
    return gain


@jit(parallel=True)
def _anneal(W, Wt, b, c, base, betas, nh, drawn, v, log_weights, seed, stream, step, chain):
    for r in prange(v.shape[0]):
        state = v[r]
        h = np.empty(nh, np.uint8)
        widest = max(b.size, c.size)
        index = np.empty(widest, np.int32)
        xh, uh = np.empty(c.size, np.float32), np.empty(c.size, np.float32)
        xv, uv = np.empty(b.size, np.float32), np.empty(b.size, np.float32)
        factor = np.empty(nh)
        if drawn:
            draw(base, np.float32(1.0), uv, state, chain + r, step, seed, stream + VISIBLE)
        weight = 0.0
        for k in range(1, betas.size):
            after, before = betas[k], betas[k - 1]
            add_rows(c, W, state, index, xh)
            weight += (after - before) * linear_gain(base, b, state) + gain(xh, nh, after, before, factor)
            if k == betas.size - 1:
                break
            now = step + np.uint64(k)
            draw(xh, np.float32(after), uh, h, chain + r, now, seed, stream + HIDDEN)
            add_rows(b, Wt, h, index, xv)
            draw_between(base, xv, after, uv, state, chain + r, now, seed, stream + VISIBLE)
        log_weights[r] = weight


def anneal(model, base, betas, start: int | Rows, key: Key) -> Annealed:
    """See `Backend.anneal`."""
    v = np.empty((start, model.n_visible), np.uint8) if isinstance(start, int) else start.copy()
    log_weights = np.empty(len(v))
    base_row = aligned_zeros(model.b.size)
    base_row[: model.n_visible] = base
    work = 2 * len(betas) * layer_work(len(v), model.n_visible, model.n_hidden)
    betas = np.asarray(betas, np.float64)
    launch(
        _anneal, work, model.W, model.Wt, model.b, model.c, base_row, betas, model.n_hidden,
        isinstance(start, int), v, log_weights, key.seed, int(key.stream), np.uint64(key.step), key.chain,
    )  # fmt: skip
    return Annealed(log_weights, v)


JOBS = {"anneal": anneal}
