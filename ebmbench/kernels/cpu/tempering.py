"""Parallel tempering: threads share the ladders, and a ladder's chains take turns."""

import math

import numpy as np
from numba import prange

from ebmbench.compile import jit
from ebmbench.kernels.cpu.device import aligned_zeros
from ebmbench.kernels.cpu.gibbs import draw, draw_between, linear_gain
from ebmbench.kernels.cpu.rows import add_rows
from ebmbench.kernels.cpu.threads import launch, layer_work
from ebmbench.randomness import HIDDEN, SWAPS, VISIBLE, Key, fill_uniforms


@jit
def exchange(betas, place, d, u, parity, accepted):
    """Decide about every second pair of neighbours; place[t] is the slot that stands at betas[t]."""
    for t in range(parity, betas.size - 1, 2):
        colder, warmer = place[t + 1], place[t]
        log_ratio = (betas[t + 1] - betas[t]) * (d[warmer] - d[colder])
        if u[t] < math.exp(min(log_ratio, 0.0)):
            place[t], place[t + 1] = colder, warmer
            accepted[t] += 1


@jit(parallel=True)
def _ladders(W, Wt, b, c, base, betas, start, nh, steps, last, counts, seed, stream, step, chain):
    temperatures = betas.size
    for ladder in prange(counts.shape[0]):
        first = ladder * temperatures
        v = start[first : first + temperatures].copy()
        h = np.empty(nh, np.uint8)
        index = np.empty(max(b.size, c.size), np.int32)
        # c + vW of every slot: what the energy needs after a sweep is what the next sweep starts from.
        xh = np.empty((temperatures, c.size), np.float32)
        uh = np.empty(c.size, np.float32)
        xv, uv = np.empty(b.size, np.float32), np.empty(b.size, np.float32)
        u = np.empty(-(-temperatures // 4) * 4, np.float32)
        d = np.empty(temperatures)
        place = np.arange(temperatures)
        for t in range(temperatures):
            add_rows(c, W, v[t], index, xh[t])
        for sweep in range(steps):
            now = step + np.uint64(sweep)
            for t in range(temperatures):
                slot, row = place[t], chain + first + t
                state, x, beta = v[slot], xh[slot], np.float32(betas[t])
                draw(x, beta, uh, h, row, now, seed, stream + HIDDEN)
                add_rows(b, Wt, h, index, xv)
                draw_between(base, xv, betas[t], uv, state, row, now, seed, stream + VISIBLE)
                add_rows(c, W, state, index, x)
                gain = linear_gain(base, b, state)
                for j in range(nh):
                    gain += np.float64(x[j]) * h[j]
                d[slot] = gain
            fill_uniforms(u, chain + first, now, seed, stream + SWAPS)
            exchange(betas, place, d, u, int(now & np.uint64(1)), counts[ladder])
        for t in range(temperatures):
            last[first + t] = v[place[t]]


def temper(model, base, betas, v, steps: int, key: Key):
    """See `Backend.temper`."""
    last = np.empty((len(v), model.n_visible), np.uint8)
    counts = np.zeros((len(v) // len(betas), len(betas) - 1), np.int64)
    base_row = aligned_zeros(model.b.size)
    base_row[: model.n_visible] = base
    work = 2 * steps * layer_work(len(v), model.n_visible, model.n_hidden)
    launch(
        _ladders, work, model.W, model.Wt, model.b, model.c, base_row, betas, v, model.n_hidden,
        steps, last, counts, key.seed, int(key.stream), np.uint64(key.step), key.chain,
    )  # fmt: skip
    return last, counts.sum(axis=0)


JOBS = {"temper": temper}
