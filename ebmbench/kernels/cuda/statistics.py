"""Conditionals, free energy and the moments that gradients are made of."""

import numba
import numpy as np
from numba import cuda

from ebmbench.kernels.api import Phases
from ebmbench.kernels.cuda.block import block_sum
from ebmbench.kernels.cuda.device import alike
from ebmbench.kernels.cuda.launch import device, kernel
from ebmbench.kernels.cuda.memory import download, empty
from ebmbench.kernels.cuda.products import contrast, layer
from ebmbench.kernels.cuda.tile import at
from ebmbench.scalar import LINEAR, softplus64

_THREADS = 128


@device
def minus_free_energy_part(x, r, n_hidden, b, v, own):
    """A thread's part of the sum that is -F of row `own` of v, float64; x[r]: its c + vW."""
    part = 0.0
    for j in range(at(cuda.threadIdx.x), n_hidden, at(cuda.blockDim.x)):
        part += softplus64(np.float64(x[r, j]))
    for i in range(at(cuda.threadIdx.x), at(v.shape[1]), at(cuda.blockDim.x)):
        part += np.float64(b[i]) * np.float64(v[own, i])
    return part


@kernel("float32[:,::1], float32[::1], rows[:,::1], uint64, float64[::1]", _THREADS)
def _free_energies(x, b, v, n_hidden, out):
    """A row a block. Bound by some 60 float64 operations a unit: 10,000 x 500 in 10 us on an H200."""
    room = cuda.shared.array(_THREADS, numba.float64)
    r = at(cuda.blockIdx.x)
    total = block_sum(minus_free_energy_part(x, r, n_hidden, b, v, r), room)
    if cuda.threadIdx.x == 0:
        out[r] = -total


def _inputs_of(matrix, bias, states, columns):
    out = empty((len(states), columns))
    layer(matrix, bias, states, None, columns, out, LINEAR)
    return download(out)


def hidden_input(model, v):
    """See `Backend.hidden_input`."""
    return _inputs_of(model.to_hidden, model.c, v, model.n_hidden)


def visible_input(model, h):
    """See `Backend.visible_input`."""
    return _inputs_of(model.Wt, model.b, h, model.n_visible)


def hidden_probability(model, v, beta):
    """See `Backend.hidden_probability`."""
    out = empty((len(v), model.n_hidden))
    layer(model.to_hidden, model.c, v, None, model.n_hidden, out, beta=beta)
    return out


def visible_probability(model, h, beta):
    """See `Backend.visible_probability`."""
    out = empty((len(h), model.n_visible))
    layer(model.Wt, model.b, h, None, model.n_visible, out, beta=beta)
    return out


def free_energy(model, v):
    """See `Backend.free_energy`."""
    x, out = empty((len(v), model.c.size)), empty(len(v), np.float64)
    layer(model.W, model.c, v, None, model.n_hidden, x, LINEAR)
    if out.size:
        _free_energies(out.size, x, model.b, v, model.n_hidden, out)
    return download(out)


def moments(model, positive, negative, beta=1.0) -> Phases:
    """See `Backend.moments`; two launches."""
    plus, minus = alike(positive, negative)
    p = empty((len(plus) + len(minus), model.c.size))
    layer(model.W, model.c, plus, minus, model.n_hidden, p, beta=beta)
    return phases(p, plus, minus, model)


def phases(p, plus, minus, model) -> Phases:
    """The contrast of two phases with p(h|v) of their rows below each other."""
    W, *biases = (empty(like.shape) for like in (model.W, model.b, model.c, model.b, model.c))
    contrast(p, plus, minus, model.n_hidden, W, *biases)
    b, c, b_mean, c_mean = biases
    return Phases({"W": W, "b": b, "c": c}, {"b": b_mean, "c": c_mean})


JOBS = {
    "hidden_input": hidden_input,
    "visible_input": visible_input,
    "hidden_probability": hidden_probability,
    "visible_probability": visible_probability,
    "free_energy": free_energy,
    "moments": moments,
}
