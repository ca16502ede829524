"""Parallel tempering: threads share the ladders, and a ladder's chains take turns."""

import numpy as np
from numba import prange

from ebmbench.compile import jit
from ebmbench.kernels.cpu.drawing import draw
from ebmbench.kernels.cpu.gaussian.gibbs import draw_between
from ebmbench.kernels.cpu.gaussian.statistics import quadratic
from ebmbench.kernels.cpu.rows import add_rows
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
        h = np.empty((1, nh), np.uint8)
        index = np.empty(max(b.size, c.size), np.int32)
        # c + vBW of every slot: what the energy needs after a sweep is what the next sweep starts from.
        xh = np.empty((temperatures, c.size), np.float32)
        xv, uv, spread = np.empty(b.size, np.float32), np.empty(b.size, np.float32), np.empty_like(b)
        u = np.empty(-(-temperatures // 4) * 4, np.float32)
        d, term = np.empty(temperatures), np.empty(v.shape[1])
        place = np.arange(temperatures)
        for t in range(temperatures):
            add_rows(c, to_hidden, v[t], index, xh[t])
        for sweep in range(steps):
            now = step + np.uint64(sweep)
            for t in range(temperatures):
                slot, row = place[t], chain + first + t
                state, x = v[slot], xh[slot]
                draw(
                    xh[slot : slot + 1],
                    0,
                    np.float32(betas[t]),
                    h,
                    0,
                    nh,
                    row,
                    now,
                    seed,
                    stream + HIDDEN,
                )
                add_rows(b, Wt, h[0], index, xv)
                draw_between(
                    base, xv, precision, betas[t], spread, uv, state, row, now, seed, stream + VISIBLE
                )
                add_rows(c, to_hidden, state, index, x)
                gain = quadratic(base[0], base[1], state, term) - quadratic(b, precision, state, term)
                for j in range(nh):
                    gain += np.float64(x[j]) * h[0, j]
                d[slot] = gain
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
