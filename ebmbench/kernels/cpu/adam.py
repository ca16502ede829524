"""What an optimiser does to a network's arrays, one pass over each: Adam, and gradient ascent."""

import math

import numpy as np
from numba import prange

from ebmbench.compile import jit
from ebmbench.kernels.cpu.threads import launch
from ebmbench.scalar import LARGEST_PARAMETER

_CHUNK = 8192  # numbers that a thread takes at a time
_BOUND = np.float32(LARGEST_PARAMETER)


@jit(forceinline=True)
def _within(w):
    """Whether all are numbers within their bounds."""
    outside = np.int32(0)
    for j in range(w.size):
        outside += np.int32(not abs(w[j]) < _BOUND)  # also for NaN
    return outside == 0


@jit(parallel=True)
def _adam(w, m, s, g, rate, first, second, bias, epsilon):
    """See `adam`; first, second: 1 - beta1 and 1 - beta2; bias: 1 / (1 - beta2**step)."""
    chunks = (w.size + _CHUNK - 1) // _CHUNK
    healthy = np.empty(chunks, np.uint8)
    for chunk in prange(chunks):
        here = slice(chunk * _CHUNK, min(w.size, (chunk + 1) * _CHUNK))
        w_, m_, s_, g_ = w[here], m[here], s[here], g[here]
        for j in range(w_.size):
            m_[j] += first * (g_[j] - m_[j])
            s_[j] += second * (g_[j] * g_[j] - s_[j])
            root = np.float32(math.sqrt(np.float32(s_[j] * bias)))
            w_[j] += rate * m_[j] / np.float32(root + epsilon)
        healthy[chunk] = _within(w_)
    return healthy.all()


@jit(parallel=True)
def _ascend(w, v, g, rate, momentum, decay):
    chunks = (w.size + _CHUNK - 1) // _CHUNK
    healthy = np.empty(chunks, np.uint8)
    for chunk in prange(chunks):
        here = slice(chunk * _CHUNK, min(w.size, (chunk + 1) * _CHUNK))
        w_, v_, g_ = w[here], v[here], g[here]
        for j in range(w_.size):
            v_[j] = momentum * v_[j] + rate * (g_[j] - decay * w_[j])
            w_[j] += v_[j]
        healthy[chunk] = _within(w_)
    return healthy.all()


def adam(model, first, second, gradient, step, rate, beta1, beta2, epsilon) -> bool:
    """See `Backend.adam`."""
    bias1, bias2 = 1 - beta1**step, 1 - beta2**step
    scalars = [np.float32(x) for x in (rate / bias1, 1 - beta1, 1 - beta2, 1 / bias2, epsilon)]
    healthy = True
    for name, g in gradient.items():
        arrays = (x.reshape(-1) for x in (model.arrays[name], first[name], second[name], g))
        healthy &= launch(_adam, 2 * g.size, *arrays, *scalars)
    return bool(healthy)


def ascend(model, velocity, gradient, rate, momentum, decay) -> bool:
    """See `Backend.update`; what the gradient does not name stays as it is."""
    rate, momentum = np.float32(rate), np.float32(momentum)
    healthy = True
    for name, g in gradient.items():
        arrays = (x.reshape(-1) for x in (model.arrays[name], velocity[name], g))
        decays = np.float32(decay if g.ndim == 2 else 0.0)
        healthy &= launch(_ascend, g.size, *arrays, rate, momentum, decays)
    return bool(healthy)


JOBS = {"adam": adam, "update": ascend}
