"""Parameter updates and the centring of gradients."""

import numpy as np
from numba import prange

from ebmbench.compile import jit
from ebmbench.kernels.cpu.device import aligned_zeros
from ebmbench.kernels.cpu.simd import total
from ebmbench.kernels.cpu.threads import launch
from ebmbench.scalar import LARGEST_PARAMETER

_TILE = 16  # rows and columns of W that are transposed together: a cache line of each


@jit(parallel=True)
def _update_weights(W, Wt, velocity, gradient, n_hidden, rate, momentum, decay):
    rows = W.shape[0]
    for tile in prange((rows + _TILE - 1) // _TILE):
        first, last = tile * _TILE, min(rows, (tile + 1) * _TILE)
        for i in range(first, last):
            w, v, g = W[i], velocity[i], gradient[i]
            for j in range(w.size):
                v[j] = momentum * v[j] + rate * (g[j] - decay * w[j])
                w[j] += v[j]
        for j in range(n_hidden):
            for i in range(first, last):
                Wt[j, i] = W[i, j]


@jit
def _update_bias(bias, velocity, gradient, rate, momentum):
    healthy = True
    for j in range(bias.size):
        velocity[j] = momentum * velocity[j] + rate * gradient[j]
        bias[j] += velocity[j]
        healthy &= abs(bias[j]) < LARGEST_PARAMETER  # False for NaN
    return healthy


@jit(parallel=True)
def _centre(W, b, c, b_mean, c_mean, b_old):
    for i in prange(W.shape[0]):
        row = W[i]
        through = np.empty(row.size, np.float32)
        for j in range(row.size):
            row[j] -= b_mean[i] * c[j] + b_old[i] * c_mean[j]
            through[j] = row[j] * c_mean[j]
        b[i] -= np.float32(total(through, row.size))
    for i in range(W.shape[0]):
        row = W[i]
        for j in range(row.size):
            c[j] -= b_mean[i] * row[j]


def zeros(model):
    """See `Backend.zeros`."""
    return {name: aligned_zeros(*getattr(model, name).shape) for name in ("W", "b", "c")}


def centre(gradient, means, offsets, sliding) -> None:
    """See `Backend.centre`."""
    for name in ("b", "c"):
        offsets[name] += sliding * (means[name] - offsets[name])
    b, c = gradient["b"], gradient["c"]
    W = gradient["W"]
    launch(_centre, W.size, W, b, c, offsets["b"], offsets["c"], b.copy())


def ascend(model, velocity, gradient, rate, momentum, decay) -> bool:
    """See `Backend.update`; what the gradient does not name stays as it is."""
    rate, momentum, decay = np.float32(rate), np.float32(momentum), np.float32(decay)
    healthy = True
    for name in gradient:
        v, g = velocity[name], gradient[name]
        if name == "W":
            launch(
                _update_weights, model.W.size, model.W, model.Wt, v, g, model.n_hidden,
                rate, momentum, decay,
            )  # fmt: skip
        else:
            healthy &= _update_bias(getattr(model, name), v, g, rate, momentum)
    return healthy


JOBS = {"zeros": zeros, "centre": centre, "update": ascend}
