"""Parameter updates and the centring of gradients."""

import numpy as np
from numba import prange

from ebmbench.compile import jit
from ebmbench.kernels.cpu.contrast import (
    TILE,
    WIDTH,
    Contrast,
    contrast_of_unit,
    part,
    parts_of,
    pick_tile,
    prepare_tile,
)
from ebmbench.kernels.cpu.device import aligned_zeros, store
from ebmbench.kernels.cpu.simd import total
from ebmbench.kernels.cpu.threads import launch, launch_shared
from ebmbench.kernels.cpu.transpose import transpose
from ebmbench.scalar import LARGEST_PARAMETER, TINY, settled


@jit(forceinline=True)
def move(w, v, g, rate, momentum, decay):
    """V = momentum v + rate (g - decay w), or 0 where that is next to nothing, and w += v; in place.

    The velocity of a weight without a gradient shrinks by the momentum at each update, and must not stay
    for good among the numbers that `TINY` keeps away.
    """
    for j in range(w.size):
        v[j] = settled(momentum * v[j] + rate * (g[j] - decay * w[j]), TINY)
        w[j] += v[j]


@jit(parallel=True)
def _update_weights(threads, gradient, W, Wt, velocity, n_hidden, rate, momentum, decay):
    units = W.shape[0]
    parts = parts_of(threads, units)
    for n in prange(parts):
        top, bottom = part(n, parts, units)
        for i in range(top, bottom):
            move(W[i], velocity[i], gradient[i], rate, momentum, decay)
        transpose(W, top, bottom, n_hidden, Wt)


@jit(parallel=True)
def _climb(threads, plus, minus, p_plus, p_minus, zero, W, Wt, velocity, n_hidden, rate, momentum, decay):
    """`_update_weights` along a `Contrast`, of which no more than a row exists at a time.

    At 784 x 500 and a batch of 100 most of it is additions of the contrast, bound by the cache as in
    `layers`. At 4096 x 4096 it is memory: W and its velocity are read and written and the transposed
    copy is written, 64 MiB each time; a gradient that is written down would add two times more.
    """
    units, columns = W.shape
    parts = parts_of(threads, units)
    for n in prange(parts):
        low, high = part(n, parts, units)
        gradient, other = np.empty(columns, np.float32), np.empty(columns, np.float32)
        for top in range(low, high, TILE):
            bottom = min(high, top + TILE)
            picked = pick_tile(plus, minus, top, bottom)
            for first in range(0, columns, WIDTH):
                last = min(columns, first + WIDTH)
                prepare_tile(plus, minus, p_plus, p_minus, picked, top, bottom, zero, first, last)
                for i in range(top, bottom):
                    contrast_of_unit(
                        plus, minus, p_plus, p_minus, picked, i - top, zero, first, last, gradient, other
                    )
                    w, v = W[i, first:last], velocity[i, first:last]
                    move(w, v, gradient[first:last], rate, momentum, decay)
        transpose(W, low, high, n_hidden, Wt)


@jit
def _update_bias(bias, velocity, gradient, rate, momentum):
    healthy = True
    for j in range(bias.size):
        velocity[j] = momentum * velocity[j] + rate * gradient[j]
        bias[j] += velocity[j]
        healthy &= abs(bias[j]) < LARGEST_PARAMETER  # False for NaN
    return healthy


@jit(parallel=True)
def _mask(gradient, mask):
    for i in prange(gradient.shape[0]):
        row, kept = gradient[i], mask[i]
        for j in range(row.size):
            row[j] *= kept[j]


@jit(parallel=True)
def _centre(W, b, c, b_mean, c_mean, b_old, mask):
    """See `centre`; mask: [n_visible, columns], or without columns."""
    for i in prange(W.shape[0]):
        row = W[i]
        through = np.empty(row.size, np.float32)
        for j in range(row.size):
            row[j] -= b_mean[i] * c[j] + b_old[i] * c_mean[j]
        for j in range(mask.shape[1]):
            row[j] *= mask[i, j]
        for j in range(row.size):
            through[j] = row[j] * c_mean[j]
        b[i] -= np.float32(total(through, row.size))
    for i in range(W.shape[0]):
        row = W[i]
        for j in range(row.size):
            c[j] -= b_mean[i] * row[j]


def zeros(model):
    """See `Backend.zeros`."""
    return {name: aligned_zeros(*getattr(model, name).shape) for name in ("W", "b", "c")}


def centre(gradient, means, offsets, sliding, mask) -> None:
    """See `Backend.centre`."""
    for name in ("b", "c"):
        offsets[name] += sliding * (means[name] - offsets[name])
    W, b, c = (np.asarray(gradient[name]) for name in ("W", "b", "c"))
    kept = W[:, :0] if mask is None else mask["W"]
    launch(_centre, W.size, W, b, c, offsets["b"], offsets["c"], b.copy(), kept)


def update(model, velocity, gradient, rate, momentum, decay) -> bool:
    """See `Backend.update`."""
    model.integers = None  # they were of the weights before
    return ascend(model, velocity, gradient, rate, momentum, decay)


def ascend(model, velocity, gradient, rate, momentum, decay) -> bool:
    """`update` of what any kind of model keeps; what the gradient does not name stays as it is."""
    rate, momentum, decay = np.float32(rate), np.float32(momentum), np.float32(decay)
    healthy = True
    for name in gradient:
        v, g = velocity[name], gradient[name]
        if name == "W":
            moved = model.W, model.Wt, v, model.n_hidden, rate, momentum, decay
            if isinstance(g, Contrast) and g.written is None:
                launch_shared(_climb, g.work, *g.factors, *moved)
            else:
                launch_shared(_update_weights, v.size, np.asarray(g), *moved)
        else:
            healthy &= _update_bias(getattr(model, name), v, g, rate, momentum)
    return healthy


def put_mask(model, mask):
    """See `Backend.put_mask`."""
    return {"W": store(mask)}


def apply_mask(gradient, mask) -> None:
    """See `Backend.mask`; what was not written down is from now on, see `Contrast`."""
    for name, kept in mask.items():
        launch(_mask, kept.size, np.asarray(gradient[name]), kept)


JOBS = {"zeros": zeros, "centre": centre, "update": update, "put_mask": put_mask, "mask": apply_mask}
