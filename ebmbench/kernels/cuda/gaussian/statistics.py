"""Free energy, and the gradients that moments give; the conditionals are those of binary units."""

import numba
import numpy as np
from numba import cuda

from ebmbench.kernels.api import Phases
from ebmbench.kernels.cuda.block import block_sum
from ebmbench.kernels.cuda.device import alike
from ebmbench.kernels.cuda.enumerate import take_off
from ebmbench.kernels.cuda.launch import device, kernel
from ebmbench.kernels.cuda.memory import download, empty, upload
from ebmbench.kernels.cuda.products import layer
from ebmbench.kernels.cuda.statistics import (
    hidden_input,
    hidden_probability,
    phases,
    visible_input,
)
from ebmbench.kernels.cuda.tile import at
from ebmbench.models.enumerate import Moments
from ebmbench.normal import quadratic
from ebmbench.scalar import LINEAR, softplus64

_THREADS = 128


@kernel("float32[:,::1], float32[::1], float32[::1], rows[:,::1], uint64, float64[::1]", _THREADS)
def _free_energies(x, b, precision, v, n_hidden, out):
    """A row a block; x: c + v precision W."""
    room = cuda.shared.array(_THREADS, numba.float64)
    r, t, threads = at(cuda.blockIdx.x), at(cuda.threadIdx.x), at(cuda.blockDim.x)
    energy = 0.0
    for i in range(t, at(v.shape[1]), threads):
        energy += quadratic(np.float64(v[r, i]), np.float64(b[i]), np.float64(precision[i]))
    for j in range(t, n_hidden, threads):
        energy -= softplus64(np.float64(x[r, j]))
    energy = block_sum(energy, room)
    if t == at(0):
        out[r] = energy


def free_energy(model, v):
    """See `Backend.free_energy`."""
    x, out = empty((len(v), model.c.size)), empty(len(v), np.float64)
    layer(model.to_hidden, model.c, v, None, model.n_hidden, x, LINEAR)
    if out.size:
        _free_energies(out.size, x, model.b, model.precision, v, model.n_hidden, out)
    return download(out)


@device
def _mean_square(v, i, centre):
    """A thread's share of the mean of (v_i - centre)**2 / 2 over rows, in float64; zero without rows."""
    rows, result = at(v.shape[0]), 0.0
    for r in range(at(cuda.threadIdx.x), rows, at(cuda.blockDim.x)):
        result += quadratic(np.float64(v[r, i]), np.float64(centre), 1.0)
    return result / np.float64(max(rows, at(1)))


@kernel(
    "float32[:,::1], float32[::1], float32[::1], rows[:,::1], rows[:,::1], float64[::1], float32[:,::1], "
    "float32[::1], float32[::1]",
    _THREADS,
)
def _finish(W, b, precision, plus, minus, square, gW, gb, g_log_precision):
    """From contrasts of v h and v to the gradient, in place; a visible unit a block.

    square: what the negative phase's mean of (v - b)**2 / 2 has besides that over the rows of `minus`.
    """
    room = cuda.shared.array(_THREADS, numba.float64)
    i, t, threads = at(cuda.blockIdx.x), at(cuda.threadIdx.x), at(cuda.blockDim.x)
    if i >= at(W.shape[0]):  # padding
        if t == at(0):
            g_log_precision[i] = np.float32(0.0)
        return
    beta = precision[i]
    inner = _mean_square(minus, i, b[i]) - _mean_square(plus, i, b[i])
    for j in range(t, at(W.shape[1]), threads):
        inner += np.float64(W[i, j] * gW[i, j])
        gW[i, j] *= beta
    inner = block_sum(inner, room)
    if t == at(0):
        gb[i] *= beta
        g_log_precision[i] = np.float32(np.float64(beta) * (inner + square[i]))


def moments(model, positive, negative, expected: tuple[Moments, np.ndarray] | None = None) -> Phases:
    """See `Backend.moments`; expected: the negative phase where `negative` has no rows.

    As the moments of v and h, and of (v - b)**2 / 2, float64 on the host.
    """
    plus, minus = alike(positive, negative)
    p = empty((len(plus) + len(minus), model.c.size))
    layer(model.to_hidden, model.c, plus, minus, model.n_hidden, p)
    gradient, means = phases(p, plus, minus, model)
    square = np.zeros(model.n_visible)
    if expected is not None:
        of_states, square = expected
        for name, value in zip(("W", "b", "c"), of_states, strict=True):
            take_off(gradient, name, value)
        for name, value in (("b", of_states.v), ("c", of_states.h)):
            take_off(means, name, -value / 2)
    gradient["log_precision"] = empty(model.b.size)
    _finish(
        model.b.size, model.W, model.b, model.precision, plus, minus, upload(square), gradient["W"],
        gradient["b"], gradient["log_precision"],
    )  # fmt: skip
    return Phases(gradient, means)


JOBS = {
    "hidden_input": hidden_input,
    "visible_input": visible_input,
    "hidden_probability": hidden_probability,
    "free_energy": free_energy,
    "moments": lambda model, positive, negative, beta: moments(model, positive, negative),
}
