"""Parallel tempering: threads share the ladders, and a ladder's chains are multiplied together."""

import numpy as np
from numba import prange

from ebmbench.compile import jit
from ebmbench.kernels.cpu.drawing import draw
from ebmbench.kernels.cpu.gaussian.gibbs import draw_between
from ebmbench.kernels.cpu.gaussian.statistics import quadratic
from ebmbench.kernels.cpu.layers import products
from ebmbench.kernels.cpu.tempering import exchange
from ebmbench.kernels.cpu.threads import launch, layer_work
from ebmbench.kernels.cpu.uniforms import fill_uniforms
from ebmbench.randomness import HIDDEN, SWAPS, VISIBLE, Key


@jit(parallel=True)
def _ladders(
    to_hidden, Wt, b, c, precision, base, betas, nh, steps, last, counts, seed, stream, step, chain
):
    """last: the states to start from, and those at the end in the order of the temperatures."""
    temperatures = betas.size
    for ladder in prange(counts.shape[0]):
        first = ladder * temperatures
        v = last[first : first + temperatures].copy()
        h = np.empty((temperatures, nh), np.uint8)
        # c + vBW of every slot: what the energy needs after a sweep is what the next sweep starts from.
        xh = np.empty((temperatures, c.size), np.float32)
        xv = np.empty((temperatures, b.size), np.float32)
        uv, spread = np.empty_like(b), np.empty_like(b)
        u = np.empty(-(-temperatures // 4) * 4, np.float32)
        d, term = np.empty(temperatures), np.empty(v.shape[1])
        place = np.arange(temperatures)
        products(to_hidden, c, v, 0, c.size, xh)
        for sweep in range(steps):
            now = step + np.uint64(sweep)
            for t in range(temperatures):
                beta, here = np.float32(betas[t]), slice(place[t], place[t] + 1)
                draw(xh[here], 0, beta, h[here], 0, nh, chain + first + t, now, seed, stream + HIDDEN)
            products(Wt, b, h, 0, b.size, xv)
            for t in range(temperatures):
                x, state, row = xv[place[t]], v[place[t]], chain + first + t
                draw_between(
                    base, x, precision, betas[t], spread, uv, state, row, now, seed, stream + VISIBLE
                )
            products(to_hidden, c, v, 0, c.size, xh)
            for n in range(temperatures):
                state, x = v[n], xh[n]
                gain = quadratic(base[0], base[1], state, term) - quadratic(b, precision, state, term)
                for j in range(nh):
                    gain += np.float64(x[j]) * h[n, j]
                d[n] = gain
            fill_uniforms(u, chain + first, now, seed, stream + SWAPS)
            exchange(betas, place, d, u, int(now & np.uint64(1)), counts[ladder])
        for t in range(temperatures):
            last[first + t] = v[place[t]]


def temper(model, base, betas, v, steps: int, key: Key):
    """See `Backend.temper`."""
    last = v.astype(np.float32)
    counts = np.zeros((len(v) // len(betas), len(betas) - 1), np.int64)
    work = 2 * steps * layer_work(len(v), model.n_visible, model.n_hidden)
    launch(
        _ladders, work, model.to_hidden, model.Wt, model.b, model.c, model.precision,
        np.ascontiguousarray(base, np.float64), betas, model.n_hidden,
        steps, last, counts, key.seed, int(key.stream), np.uint64(key.step), key.chain,
    )  # fmt: skip
    return last, counts.sum(axis=0)


JOBS = {"temper": temper}
