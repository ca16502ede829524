"""What a step does to a network's arrays, one pass over each: Adam, gradient ascent, and their mean.

Of a matrix the gradient is formed a few rows at a time, see `outer`; W and what the optimiser keeps of it
come from memory and go back there once.
"""

import math

import numpy as np
from numba import prange

from ebmbench.compile import inner, jit
from ebmbench.kernels.cpu.contrast import part, parts_of
from ebmbench.kernels.cpu.moving import move
from ebmbench.kernels.cpu.outer import Outer, rows_of_gradient
from ebmbench.kernels.cpu.simd import fill
from ebmbench.kernels.cpu.threads import launch_shared, share
from ebmbench.scalar import LARGEST_PARAMETER, TINY, settled

_BOUND = np.float32(LARGEST_PARAMETER)


@inner(forceinline=True)
def _within(w):
    """Whether all are numbers within their bounds."""
    outside = np.int32(0)
    for j in range(w.size):
        outside += np.int32(not abs(w[j]) < _BOUND)  # also for NaN
    return outside == 0


@jit
def _adam_step(w, m, s, g, rate, first, second, bias, epsilon):
    """See `adam`; all float32 [n]; first, second: 1 - beta1, 1 - beta2; bias: 1 / (1 - beta2**step)."""
    for j in range(w.size):
        slope = settled(g[j], TINY)
        m[j] = settled(m[j] + first * (slope - m[j]), TINY)
        s[j] = settled(s[j] + second * (slope * slope - s[j]), TINY * TINY)
        root = np.float32(math.sqrt(np.float32(s[j] * bias)))
        w[j] += rate * m[j] / np.float32(root + epsilon)
    return _within(w)


@jit
def _ascent_step(w, v, g, rate, momentum, decay):
    """See `ascend`; all float32 [n]."""
    move(w, v, g, rate, momentum, decay)
    return _within(w)


@inner(allocates=True, forceinline=True)
def _slopes(a, x, zero, columns, top, bottom, width):
    """Of aᵀ x the rows of the units [top, bottom), one after the other as W's lie, 0 between them."""
    g = np.empty((bottom - top, width), np.float32)
    rows_of_gradient(a, x, zero, columns, top, bottom, g)
    for row in g:
        fill(row[columns:], np.float32(0.0))
    return g.reshape(-1)


@jit(parallel=True)
def _adam_along(threads, a, x, zero, columns, w, m, s, rate, first, second, bias, epsilon):
    """`_adam_step` along aᵀ x, of which no more than a few rows exist at a time."""
    inputs = w.shape[0]
    parts = parts_of(threads, inputs)
    healthy = np.empty(parts, np.uint8)
    for n in prange(parts):
        top, bottom = part(n, parts, inputs)
        g = _slopes(a, x, zero, columns, top, bottom, w.shape[1])
        w_, m_, s_ = w[top:bottom].reshape(-1), m[top:bottom].reshape(-1), s[top:bottom].reshape(-1)
        healthy[n] = _adam_step(w_, m_, s_, g, rate, first, second, bias, epsilon)
    return healthy.all()


@jit(parallel=True)
def _ascend_along(threads, a, x, zero, columns, w, v, rate, momentum, decay):
    """`_ascent_step` likewise."""
    inputs = w.shape[0]
    parts = parts_of(threads, inputs)
    healthy = np.empty(parts, np.uint8)
    for n in prange(parts):
        top, bottom = part(n, parts, inputs)
        g = _slopes(a, x, zero, columns, top, bottom, w.shape[1])
        w_, v_ = w[top:bottom].reshape(-1), v[top:bottom].reshape(-1)
        healthy[n] = _ascent_step(w_, v_, g, rate, momentum, decay)
    return healthy.all()


def _stepped(step, along, arrays, gradient, scalars) -> bool:
    """One of both for an array and what is kept of it; training writes down no gradient but of biases."""
    if isinstance(gradient, Outer):
        return bool(launch_shared(along, gradient.work, *gradient.factors, *arrays, *scalars))
    return bool(step(*(x.reshape(-1) for x in (*arrays, gradient)), *scalars))


def adam(model, first, second, gradient, step, rate, beta1, beta2, epsilon) -> bool:
    """See `Backend.adam`."""
    bias1, bias2 = 1 - beta1**step, 1 - beta2**step
    scalars = [np.float32(x) for x in (rate / bias1, 1 - beta1, 1 - beta2, 1 / bias2, epsilon)]
    healthy = True
    for name, g in gradient.items():
        arrays = model.arrays[name], first[name], second[name]
        healthy &= _stepped(_adam_step, _adam_along, arrays, g, scalars)
    return healthy


def ascend(model, velocity, gradient, rate, momentum, decay) -> bool:
    """See `Backend.update`; what the gradient does not name stays as it is."""
    scalars = np.float32(rate), np.float32(momentum)
    healthy = True
    for name, g in gradient.items():
        arrays = model.arrays[name], velocity[name]
        decays = np.float32(decay if arrays[0].ndim == 2 else 0.0)
        healthy &= _stepped(_ascent_step, _ascend_along, arrays, g, (*scalars, decays))
    return healthy


@jit(parallel=True)
def _slide(threads, mean, w, sliding):
    """Mean += sliding (w - mean), both float32 [n]."""
    for task in prange(threads):
        first, last = share(task, threads, mean.size)
        m, x = mean[first:last], w[first:last]
        for j in range(m.size):
            m[j] = settled(m[j] + sliding * (x[j] - m[j]), TINY)


def average(model, mean, sliding) -> None:
    """See `Backend.average`."""
    for name, w in model.arrays.items():
        launch_shared(_slide, w.size / 2, mean[name].reshape(-1), w.reshape(-1), np.float32(sliding))


JOBS = {"adam": adam, "update": ascend, "average": average}
