"""Energies of a Boltzmann machine, and the moments that its gradients are made of.

Bound by products: the moments of two batches of 100 at 784 units are the contrast of `products`, and the
fold reads and writes W once, 5 MB, 1 us from the L2 cache of an H200.
"""

import numba
import numpy as np
from numba import cuda

from ebmbench.kernels.api import Phases
from ebmbench.kernels.cuda import products
from ebmbench.kernels.cuda.block import block_sum
from ebmbench.kernels.cuda.device import alike, as_float, blocks
from ebmbench.kernels.cuda.graph.gibbs import inputs
from ebmbench.kernels.cuda.launch import device, kernel
from ebmbench.kernels.cuda.memory import Array, download, empty
from ebmbench.kernels.cuda.tile import at

_THREADS = 128
_ZERO = np.float32(0.0)


@device
def minus_energy_part(x, b, state):
    """A thread's part of -E(v) = sum_i v_i (x_i + b_i) / 2, float64, as x - b counts each pair twice."""
    part = 0.0
    for i in range(at(cuda.threadIdx.x), at(state.size), at(cuda.blockDim.x)):
        part += 0.5 * np.float64(state[i]) * (np.float64(x[i]) + np.float64(b[i]))
    return part


@kernel("float32[:,::1], float32[::1], float32[:,::1], float64[::1]", _THREADS)
def _energies(x, b, v, out):
    room = cuda.shared.array(_THREADS, numba.float64)
    r = at(cuda.blockIdx.x)
    total = block_sum(minus_energy_part(x[r], b, v[r]), room)
    if cuda.threadIdx.x == 0:
        out[r] = -total


def energies(x: Array, b: Array, v: Array) -> np.ndarray:
    """E(v) of rows v from what their units hear, x = b + ..., float64 [rows] on the host."""
    out = empty(len(v), np.float64)
    if out.size:
        _energies(out.size, x, b, as_float(v), out)
    return download(out)


def free_energy(model, v):
    """See `Backend.free_energy`."""
    return energies(inputs(model, v), model.b, v)


@kernel("float32[:,::1], float32, uint64")
def _fold(W, scale, units):
    """W <- scale (W + Wᵀ) without its diagonal; a thread a pair of units."""
    for n in range(at(cuda.grid(1)), units * units, at(cuda.gridsize(1))):
        i, j = n // units, n % units
        if i < j:
            both = np.float32(scale * np.float32(W[i, j] + W[j, i]))
            W[i, j] = both
            W[j, i] = both
        if i == j:
            W[i, i] = _ZERO


def contrast(model, p: Array, plus: Array, minus: Array, scale: float) -> tuple[Phases, Array]:
    """Scale (G + Gᵀ), where G is the mean of vᵀp over plus less that over minus; b the contrast of p.

    And the contrast of v. p: float32 [rows, padded], zero beyond the units, rows of plus, then of minus;
    those are of one dtype.
    """
    R, b, c, b_mean, c_mean = (empty(x.shape) for x in (model.W, *(model.b,) * 4))
    products.contrast(p, plus, minus, model.n_visible, R, b, c, b_mean, c_mean)
    _fold(blocks(model.n_visible**2, _fold.threads), R, scale, model.n_visible)
    return Phases({"R": R, "b": c}, {"b": b_mean}), b


@kernel("rows[:,::1], rows[:,::1], float32[:,::1]")
def _pad(plus, minus, out):
    """The rows of plus and then of minus, padded with zeros."""
    columns, units, above = at(out.shape[1]), at(plus.shape[1]), at(plus.shape[0])
    for n in range(at(cuda.grid(1)), at(out.size), at(cuda.gridsize(1))):
        r, j = n // columns, n % columns
        value = _ZERO
        if j < units:
            value = np.float32(plus[r, j]) if r < above else np.float32(minus[r - above, j])
        out[r, j] = value


def padded_rows(model, plus: Array, minus: Array) -> Array:
    """The rows of plus and then of minus, of one dtype, as float32 [rows, padded]."""
    p = empty((len(plus) + len(minus), model.b.size))
    _pad(blocks(p.size, _pad.threads), plus, minus, p)
    return p


def moments(model, positive, negative, beta=1.0) -> Phases:
    """See `Backend.moments`; vᵀv is as large above the diagonal as below. Three launches."""
    plus, minus = alike(positive, negative)
    return contrast(model, padded_rows(model, plus, minus), plus, minus, 0.5)[0]


JOBS = {"free_energy": free_energy, "moments": moments}
