"""Block Gibbs sampling: each group of chains walks all its sweeps by itself; threads share the groups.

Half a sweep is a job of its own.

Floors of a sweep of 100 chains of a trained 784 x 500 model whose sums follow what flips, of a core with
512-bit vectors (`tiles` has those of the matrix unit, `drawing` those of draws). The dense product is
4 * 784 * 500 * 100 operations, 1.4 ms at 115 GFLOP/s. What flips is 448,000 vectors of 16 to add, each
read from the core's own cache at 64 bytes a cycle: 0.17 ms at 2.6 GHz.
"""

import numpy as np
from numba import prange

from ebmbench.compile import jit
from ebmbench.kernels.cpu import together
from ebmbench.kernels.cpu.chain import begin, follow, followed, room
from ebmbench.kernels.cpu.drawing import draw
from ebmbench.kernels.cpu.integers import NONE
from ebmbench.kernels.cpu.layers import products
from ebmbench.kernels.cpu.standing import for_states, groups, standing, transposed
from ebmbench.kernels.cpu.threads import LINE, count_pieces, launch, layer_work, piece, split
from ebmbench.randomness import HIDDEN, VISIBLE, Key


@jit(parallel=True)
def walk(W, Wt, down, up, b, c, start, size, v, h, steps, beta, seed, stream, step, chain):
    """Sweeps from start, the last one's states written to v and h; size: how many chains go together."""
    for group in prange((v.shape[0] + size - 1) // size):
        first = group * size
        here = slice(first, min(v.shape[0], first + size))
        vs, hs = v[here], h[here]
        chains = vs.shape[0]
        last_v, last_h = followed(up, chains, vs.shape[1]), followed(down, chains, hs.shape[1])
        scratch = room(up, chains, max(b.size, c.size))
        xh = np.empty((chains, c.size), np.float32)
        xv = np.empty((chains, b.size), np.float32)
        begun = begin(c, W, up, start[here], last_v, scratch, xh)
        for t in range(steps):
            now = step + np.uint64(t)
            if t > 0:
                follow(c, W, up, vs, last_v, begun + t - 1, scratch, xh)
            draw(xh, 0, beta, hs, 0, hs.shape[1], chain + first, now, seed, stream + HIDDEN)
            follow(b, Wt, down, hs, last_h, t, scratch, xv)
            draw(xv, 0, beta, vs, 0, vs.shape[1], chain + first, now, seed, stream + VISIBLE)


def gibbs(model, v, steps: int, key: Key, beta: float):
    """See `Backend.gibbs`."""
    if steps == 1:  # the threads wait for each other between its halves, but may share a wide layer
        h = sample_hidden(model, v, key, beta)
        return sample_visible(model, h, key, beta), h
    last = np.empty((len(v), model.n_visible), np.uint8)
    h = np.empty((len(v), model.n_hidden), np.uint8)
    if together.serves(v):
        up, down = standing(model, len(v), steps)
        if len(up.planes) > 0:
            together.sweeps(model, up, down, v, last, h, steps, key, beta)
            return last, h
    up, down, size = groups(model, len(v), steps)
    work = 2 * steps * layer_work(len(v), model.n_visible, model.n_hidden)
    launch(
        walk, work, model.W, transposed(model, down), down, up, model.b, model.c, v, size, last, h,
        steps, np.float32(beta), key.seed, int(key.stream), np.uint64(key.step), key.chain,
    )  # fmt: skip
    return last, h


@jit(parallel=True)
def draw_half(matrix, bias, start, across, group, state, beta, seed, stream, step, chain):
    """One layer given the other: what a sweep of `walk` sums up and draws for it."""
    rows, units = state.shape
    for task in prange(count_pieces(rows, across, group)):
        left, right, top, bottom = piece(task, rows, bias.size, across, group, LINE)
        x = np.empty((bottom - top, bias.size), np.float32)
        products(matrix, bias, start[top:bottom], left, right, x)
        end = max(left, min(right, units))
        draw(x, 0, beta, state[top:bottom], left, end, chain + top, step, seed, stream)


def _sampled(matrix, integers, bias, states, units, layer, key: Key, beta: float):
    """Units of a layer given the states of the other."""
    found = np.empty((len(states), units), np.uint8)
    if integers is not NONE:
        together.half(integers, bias, states, found, beta, key, layer)
        return found
    work, parts = layer_work(len(states), *matrix.shape), split(len(states), bias.size)
    launch(
        draw_half, work, matrix, bias, states, *parts, found,
        np.float32(beta), key.seed, int(key.stream) + layer, np.uint64(key.step), key.chain,
    )  # fmt: skip
    return found


def sample_hidden(model, v, key: Key, beta: float):
    """See `Backend.sample_hidden`."""
    up, _ = for_states(model, v)
    return _sampled(model.to_hidden, up, model.c, v, model.n_hidden, HIDDEN, key, beta)


def sample_visible(model, h, key: Key, beta: float):
    """See `Backend.sample_visible`."""
    _, down = for_states(model, h)
    return _sampled(transposed(model, down), down, model.b, h, model.n_visible, VISIBLE, key, beta)


JOBS = {"gibbs": gibbs, "sample_hidden": sample_hidden, "sample_visible": sample_visible}
