"""Energies and gradients of a Bayesian network: those of as many logistic regressions as it has units."""

import numba
import numpy as np
from numba import cuda

from ebmbench.kernels.api import Phases
from ebmbench.kernels.cuda import products
from ebmbench.kernels.cuda.block import block_sum
from ebmbench.kernels.cuda.device import alike, as_float, blocks
from ebmbench.kernels.cuda.graph.gibbs import inputs
from ebmbench.kernels.cuda.launch import kernel
from ebmbench.kernels.cuda.memory import download, empty
from ebmbench.kernels.cuda.products import layer
from ebmbench.kernels.cuda.tile import at
from ebmbench.scalar import softplus64

_THREADS = 128
_ZERO = np.float32(0.0)


@kernel("float32[:,::1], float32[:,::1], float64[::1]", _THREADS)
def _energies(x, v, out):
    """-log p(v) = sum_j softplus(x_j) - v_j x_j; a row a block."""
    room = cuda.shared.array(_THREADS, numba.float64)
    r, part = at(cuda.blockIdx.x), 0.0
    for j in range(at(cuda.threadIdx.x), at(v.shape[1]), at(cuda.blockDim.x)):
        part += softplus64(np.float64(x[r, j])) - np.float64(v[r, j]) * np.float64(x[r, j])
    total = block_sum(part, room)
    if cuda.threadIdx.x == 0:
        out[r] = total


def free_energy(model, v):
    """See `Backend.free_energy`."""
    out = empty(len(v), np.float64)
    if out.size:
        _energies(out.size, inputs(model, v), as_float(v), out)
    return download(out)


@kernel("float32[:,::1], rows[:,::1], rows[:,::1]")
def _errors(p, plus, minus):
    """From p(v = 1 | parents) of both phases to v - p, in place, zero beyond the units."""
    columns, units, above = at(p.shape[1]), at(plus.shape[1]), at(plus.shape[0])
    for n in range(at(cuda.grid(1)), at(p.size), at(cuda.gridsize(1))):
        r, j = n // columns, n % columns
        if j < units:
            v = np.float32(plus[r, j]) if r < above else np.float32(minus[r - above, j])
            p[r, j] = v - p[r, j]
        else:
            p[r, j] = _ZERO


def moments(model, positive, negative, beta=1.0) -> Phases:
    """See `Backend.moments`; a phase without rows counts as zero. Three launches.

    Below the diagonal stands what nobody looks at (see `device`).
    """
    plus, minus = alike(positive, negative)
    p = empty((len(plus) + len(minus), model.b.size))
    layer(model.W, model.b, plus, minus, model.n_visible, p)
    _errors(blocks(p.size, _errors.threads), p, plus, minus)
    W, b, c, b_mean, c_mean = (empty(x.shape) for x in (model.W, *(model.b,) * 4))
    products.contrast(p, plus, minus, model.n_visible, W, b, c, b_mean, c_mean)
    return Phases({"W": W, "b": c}, {"b": b_mean})


def exact_gradient(model, v):
    """See `Backend.exact_gradient`: nothing is enumerated, as log Z is 0."""
    return moments(model, v, empty((0, model.n_visible), v.dtype)), 0.0


def log_z(model) -> float:
    """See `Backend.log_z`: 0, as the law comes normalised."""
    return 0.0


JOBS = {
    "free_energy": free_energy,
    "moments": moments,
    "exact_gradient": exact_gradient,
    "log_z": log_z,
}
