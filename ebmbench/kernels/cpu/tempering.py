"""Parallel tempering: threads share the ladders, and a ladder's chains take turns."""

import math

import numpy as np
from numba import prange

from ebmbench.compile import inner, jit
from ebmbench.kernels.cpu.annealing import linear_gain
from ebmbench.kernels.cpu.chain import follow, followed, room
from ebmbench.kernels.cpu.device import aligned_zeros
from ebmbench.kernels.cpu.drawing import draw, draw_between
from ebmbench.kernels.cpu.standing import standing, transposed
from ebmbench.kernels.cpu.threads import launch, layer_work
from ebmbench.kernels.cpu.uniforms import fill_uniforms
from ebmbench.randomness import HIDDEN, SWAPS, VISIBLE, Key


@inner
def exchange(betas, place, d, u, parity, accepted):
    """Decide about every second pair of neighbours; place[t] is the slot that stands at betas[t]."""
    for t in range(parity, betas.size - 1, 2):
        colder, warmer = place[t + 1], place[t]
        log_ratio = (betas[t + 1] - betas[t]) * (d[warmer] - d[colder])
        if u[t] < math.exp(min(log_ratio, 0.0)):
            place[t], place[t + 1] = colder, warmer
            accepted[t] += 1


@jit(parallel=True)
def _ladders(
    W, Wt, down, up, b, c, base, betas, start, nh, steps, last, counts, seed, stream, step, chain
):
    temperatures = betas.size
    for ladder in prange(counts.shape[0]):
        first = ladder * temperatures
        v = start[first : first + temperatures].copy()
        # Of every slot: its states of the sweep before, and c + vW and b + Wh, which follow what flips.
        h = np.empty((temperatures, nh), np.uint8)
        last_v, last_h = followed(up, temperatures, v.shape[1]), followed(down, temperatures, nh)
        xh = np.empty((temperatures, c.size), np.float32)
        xv = np.empty((temperatures, b.size), np.float32)
        scratch = room(up, temperatures, max(b.size, c.size))
        u = np.empty(-(-temperatures // 4) * 4, np.float32)
        term = np.empty(v.shape[1])
        d = np.empty(temperatures)
        place = np.arange(temperatures)
        follow(c, W, up, v, last_v, 0, scratch, xh)
        for sweep in range(steps):
            now = step + np.uint64(sweep)
            for t in range(temperatures):
                s, row = place[t], chain + first + t
                draw(
                    xh[s : s + 1],
                    0,
                    np.float32(betas[t]),
                    h[s : s + 1],
                    0,
                    nh,
                    row,
                    now,
                    seed,
                    stream + HIDDEN,
                )
            follow(b, Wt, down, h, last_h, sweep, scratch, xv)
            for t in range(temperatures):
                s, row = place[t], chain + first + t
                draw_between(
                    base, xv[s : s + 1], betas[t], v[s : s + 1], row, now, seed, stream + VISIBLE
                )
            follow(c, W, up, v, last_v, sweep + 1, scratch, xh)
            for s in range(temperatures):
                gain = linear_gain(base, b, v[s], term)
                for j in range(nh):
                    gain += np.float64(xh[s, j]) * h[s, j]
                d[s] = gain
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
    up, down = standing(model, len(betas), steps)
    launch(
        _ladders, work, model.W, transposed(model, down), down, up, model.b, model.c, base_row, betas, v,
        model.n_hidden, steps, last, counts, key.seed, int(key.stream), np.uint64(key.step), key.chain,
    )  # fmt: skip
    return last, counts.sum(axis=0)


JOBS = {"temper": temper}
