"""Annealed importance sampling's chains: sweeps between a base-rate model and the model."""

import math

import numpy as np
from numba import prange

from ebmbench.compile import inner, jit
from ebmbench.kernels.api import Annealed, Rows
from ebmbench.kernels.cpu.chain import follow, followed, room
from ebmbench.kernels.cpu.device import aligned_zeros
from ebmbench.kernels.cpu.drawing import draw_between, draw_from
from ebmbench.kernels.cpu.simd import product, total
from ebmbench.kernels.cpu.standing import groups, transposed
from ebmbench.kernels.cpu.statistics import SOFTPLUS_BLOCK, sum_softplus
from ebmbench.kernels.cpu.threads import launch, layer_work
from ebmbench.randomness import HIDDEN, VISIBLE, Key
from ebmbench.scalar import sigmoid

# While |delta x| stays below this, the series for e**-(delta x) - 1 below is exact to 2**-28 of itself
# and a product of 1,000 factors stays within e**+-63.
_SERIES_REACH = 0.0625
_LOG_BLOCK = 1000
_HALF, _THIRD, _FOURTH, _FIFTH = (np.float32(1 / n) for n in (2, 3, 4, 5))
_ONE = np.float32(1.0)


@inner(forceinline=True)
def linear_gain(base, b, state, term):
    """(b - base).v of one state, in float64; term: float64 scratch [at least units]."""
    for i in range(state.size):
        term[i] = (np.float64(b[i]) - np.float64(base[i])) * state[i]
    return total(term, state.size)


@inner(forceinline=True)
def probabilities(x, beta, p):
    """Write sigmoid(beta x) to p."""
    for j in range(p.size):
        p[j] = sigmoid(np.float32(beta * x[j]))


@inner(allocates=True, forceinline=True)
def gain(x, p, n, after, before, factor):
    """sum_j softplus(after x_j) - softplus(before x_j) over the first n, in float64.

    With p = sigmoid(after x), which is at hand, and d = (after - before) x each difference is
    -log(1 + p (e**-d - 1)): p (e**-d - 1) in float32, whose rounding is about 2**-22 of itself and so
    of the gain, and, as the factors stay near 1, one logarithm a thousand of them in float64.
    """
    delta = after - before
    reach, near = np.float32(_SERIES_REACH / abs(delta)), np.int32(0)
    for j in range(n):  # counted, since a largest value would be sought one unit after the other
        near += np.int32(abs(x[j]) < reach)
    if near < n:  # also for NaN
        scratch = np.empty((2, SOFTPLUS_BLOCK))
        return sum_softplus(x, n, after, scratch) - sum_softplus(x, n, before, scratch)
    slope = np.float32(-delta)
    for j in range(n):
        d = np.float32(slope * x[j])
        tail = np.float32(_ONE + np.float32(d * _FIFTH))
        tail = np.float32(_ONE + np.float32(np.float32(d * _FOURTH) * tail))
        tail = np.float32(_ONE + np.float32(np.float32(d * _THIRD) * tail))
        tail = np.float32(_ONE + np.float32(np.float32(d * _HALF) * tail))
        factor[j] = 1.0 + np.float64(np.float32(np.float32(p[j] * d) * tail))
    gain = 0.0
    for first in range(0, n, _LOG_BLOCK):
        count = min(n - first, _LOG_BLOCK)
        gain -= math.log(product(factor[first:], count))
    return gain


@jit(parallel=True)
def _anneal(
    W, Wt, down, up, b, c, base, betas, nh, drawn, size, v, log_weights, seed, stream, step, chain
):
    for group in prange((v.shape[0] + size - 1) // size):
        first = group * size
        here = slice(first, min(v.shape[0], first + size))
        vs, weights = v[here], log_weights[here]
        rows = vs.shape[0]
        hs = np.empty((rows, nh), np.uint8)
        last_v, last_h = followed(up, rows, vs.shape[1]), followed(down, rows, nh)
        scratch = room(up, rows, max(b.size, c.size))
        xh, xv = np.empty((rows, c.size), np.float32), np.empty((rows, b.size), np.float32)
        p, factor, term = np.empty((rows, nh), np.float32), np.empty(nh), np.empty(vs.shape[1])
        if drawn:
            xv[:] = np.float32(0.0)
            draw_between(base, xv, 0.0, vs, chain + first, step, seed, stream + VISIBLE)
        weights[:] = 0.0
        for k in range(1, betas.size):
            after, before = betas[k], betas[k - 1]
            now, last = step + np.uint64(k), k == betas.size - 1
            follow(c, W, up, vs, last_v, k - 1, scratch, xh)
            for r in range(rows):
                probabilities(xh[r], np.float32(after), p[r])
                rise = linear_gain(base, b, vs[r], term)
                weights[r] += (after - before) * rise + gain(xh[r], p[r], nh, after, before, factor)
            if last:
                break
            draw_from(p, hs, chain + first, now, seed, stream + HIDDEN)
            follow(b, Wt, down, hs, last_h, k - 1, scratch, xv)
            draw_between(base, xv, after, vs, chain + first, now, seed, stream + VISIBLE)


def anneal(model, base, betas, start: int | Rows, key: Key) -> Annealed:
    """See `Backend.anneal`."""
    v = np.empty((start, model.n_visible), np.uint8) if isinstance(start, int) else start.copy()
    log_weights = np.empty(len(v))
    base_row = aligned_zeros(model.b.size)
    base_row[: model.n_visible] = base
    work = 2 * len(betas) * layer_work(len(v), model.n_visible, model.n_hidden)
    betas = np.asarray(betas, np.float64)
    up, down, size = groups(model, len(v), len(betas) - 1)
    launch(
        _anneal, work, model.W, transposed(model, down), down, up, model.b, model.c, base_row, betas,
        model.n_hidden, isinstance(start, int), size, v, log_weights, key.seed, int(key.stream),
        np.uint64(key.step), key.chain,
    )  # fmt: skip
    return Annealed(log_weights, v)


JOBS = {"anneal": anneal}
