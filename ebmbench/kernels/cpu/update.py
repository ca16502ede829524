"""Parameter updates and the centring of gradients."""

import numpy as np
from numba import prange

from ebmbench.compile import jit
from ebmbench.kernels.cpu.contrast import Contrast, part, parts_of
from ebmbench.kernels.cpu.copies import of_all, sizes, write_copies
from ebmbench.kernels.cpu.device import aligned_zeros, store
from ebmbench.kernels.cpu.moving import move
from ebmbench.kernels.cpu.simd import total
from ebmbench.kernels.cpu.standing import rewritten, to_rewrite
from ebmbench.kernels.cpu.threads import launch, launch_shared, share
from ebmbench.scalar import LARGEST_PARAMETER


@jit(parallel=True)
def move_weights(threads, gradient, W, velocity, n_hidden, copies, rate, momentum, decay):
    """Update W along a gradient that is written down, and its copies; what `copies.of_all` says of W."""
    units, columns = W.shape
    parts = parts_of(threads, units)
    largest, totals = sizes(threads, columns)
    for task in prange(threads):
        for n in range(*share(task, threads, parts)):
            top, bottom = part(n, parts, units)
            for i in range(top, bottom):
                move(W[i], velocity[i], gradient[i], rate, momentum, decay)
            write_copies(W, top, bottom, n_hidden, copies, largest[task], totals[task])
    return of_all(largest, totals)


@jit
def update_bias(bias, velocity, gradient, rate, momentum):
    """Move biases, which do not decay; whether all stay within bounds."""
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


@jit
def slide(offset, mean, sliding):
    """Offset <- (1 - sliding) offset + sliding mean, in place."""
    for n in range(offset.size):
        offset[n] += sliding * (mean[n] - offset[n])


@jit(parallel=True)
def centre_gradient(W, b, c, b_mean, c_mean, b_old, mask):
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
        slide(offsets[name], means[name], np.float32(sliding))
    W, b, c = (np.asarray(gradient[name]) for name in ("W", "b", "c"))
    kept = W[:, :0] if mask is None else mask["W"]
    launch(centre_gradient, W.size, W, b, c, offsets["b"], offsets["c"], b.copy(), kept)


def update(model, velocity, gradient, rate, momentum, decay) -> bool:
    """See `Backend.update`; what the gradient does not name stays as it is."""
    rate, momentum, decay = np.float32(rate), np.float32(momentum), np.float32(decay)
    healthy = True
    for name in gradient:
        v, g = velocity[name], gradient[name]
        if name == "W":
            copies = to_rewrite(model)
            moved = model.W, v, model.n_hidden, copies, rate, momentum, decay
            if isinstance(g, Contrast) and g.written is None:
                found = g.climb(*moved)
            else:
                found = launch_shared(move_weights, v.size, np.asarray(g), *moved)
            rewritten(model, copies, *found)
        else:
            healthy &= update_bias(getattr(model, name), v, g, rate, momentum)
    return healthy


def put_mask(model, mask):
    """See `Backend.put_mask`."""
    return {"W": store(mask)}


def apply_mask(gradient, mask) -> None:
    """See `Backend.mask`; what was not written down is from now on, see `Contrast`."""
    for name, kept in mask.items():
        launch(_mask, kept.size, np.asarray(gradient[name]), kept)


JOBS = {"zeros": zeros, "centre": centre, "update": update, "put_mask": put_mask, "mask": apply_mask}
