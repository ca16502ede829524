"""Energies of a Boltzmann machine, and the moments that its gradients are made of."""

import numpy as np
from numba import prange

from ebmbench.compile import inner, jit
from ebmbench.kernels.api import Phases
from ebmbench.kernels.cpu.contrast import Contrast
from ebmbench.kernels.cpu.device import aligned_empty, store
from ebmbench.kernels.cpu.graph.gibbs import inputs
from ebmbench.kernels.cpu.simd import total
from ebmbench.kernels.cpu.threads import launch

_SIDE = 32  # of the squares that two threads never share


@inner
def minus_energy(x, b, state, term):
    """-E(v) = sum_i v_i (x_i + b_i) / 2, as x - b counts each pair twice; term: float64 scratch."""
    for i in range(state.size):
        term[i] = 0.5 * np.float64(state[i]) * (np.float64(x[i]) + np.float64(b[i]))
    return total(term, state.size)


@jit(parallel=True)
def _energies(x, b, v, out):
    for r in prange(v.shape[0]):
        out[r] = -minus_energy(x[r], b, v[r], np.empty(v.shape[1]))


def energies(x, b, v):
    """E(v) of rows v from what their units hear, x = b + ..., float64 [rows]."""
    out = np.empty(len(v))
    launch(_energies, v.size, x, b, v.astype(np.float32), out)
    return out


def free_energy(model, v):
    """See `Backend.free_energy`."""
    return energies(inputs(model, v), model.b, v)


@jit(parallel=True)
def _fold(W, scale, upper):
    """W <- scale (W + Wᵀ) without its diagonal: the square of what strictly upper triangular ones get.

    upper: what stands below W's diagonal is what stands above.
    """
    n = W.shape[0]
    for top in prange((n + _SIDE - 1) // _SIDE):
        first, last = top * _SIDE, min(n, (top + 1) * _SIDE)
        for left in range(first, n, _SIDE):
            for i in range(first, last):
                W[i, i] = np.float32(0.0)
                for j in range(max(i + 1, left), min(n, left + _SIDE)):
                    other = W[i, j] if upper else W[j, i]
                    W[i, j] = W[j, i] = np.float32(scale * np.float32(W[i, j] + other))


def contrast(
    model, plus, minus, p_plus, p_minus, scale: float, upper: bool = False
) -> tuple[Phases, np.ndarray]:
    """Scale (G + Gᵀ), where G is the mean of vᵀp over plus less that over minus; b the contrast of p.

    And the contrast of v. plus, minus: rows v; p_plus, p_minus: float32 [rows, padded], zero beyond the
    units; upper: whether these are v too, so that G is its own transpose.
    """
    b, b_mean, c, c_mean = (np.empty_like(model.b) for _ in range(4))
    found = Contrast.with_means(plus, minus, p_plus, p_minus, b, b_mean, c, c_mean)
    R = aligned_empty(*model.W.shape)
    (found.write_upper if upper else found.write)(R)
    launch(_fold, R.size, R, np.float32(scale), upper)
    return Phases({"R": R, "b": c}, {"b": b_mean}), b


def moments(model, positive, negative, beta=1.0) -> Phases:
    """See `Backend.moments`; vᵀv is as large above the diagonal as below."""
    return contrast(model, positive, negative, store(positive), store(negative), 0.5, upper=True)[0]


JOBS = {"free_energy": free_energy, "moments": moments}
