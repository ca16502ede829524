"""Energies and gradients of a Bayesian network: those of as many logistic regressions as it has units.

Floors of an update of 784 units by 100 rows of binarised MNIST, of which 10,300 units are on, on two
threads of a Zen 4 at 2.6 GHz: each of these adds a row to the inputs, and the row's errors to a row of
the gradient: 16 million additions, 0.2 ms at 16 a cycle. W, gradient and velocity, 2.5 MB each, are moved
five times in all: 0.3 ms at 40 GB/s from the last cache. Measured are 0.87 ms: inputs 0.34, gradient
0.41, update 0.09.
"""

import numpy as np
from numba import prange

from ebmbench.compile import jit
from ebmbench.kernels.api import Phases
from ebmbench.kernels.cpu.contrast import Contrast
from ebmbench.kernels.cpu.device import aligned_empty
from ebmbench.kernels.cpu.graph.gibbs import inputs
from ebmbench.kernels.cpu.simd import fill
from ebmbench.kernels.cpu.statistics import SOFTPLUS_BLOCK, sum_softplus
from ebmbench.kernels.cpu.threads import launch
from ebmbench.scalar import probability


@jit(parallel=True)
def _energies(x, v, out):
    """-log p(v) = sum_j softplus(x_j) - v_j x_j."""
    for r in prange(v.shape[0]):
        energy = sum_softplus(x[r], v.shape[1], 1.0, np.empty((2, SOFTPLUS_BLOCK)))
        for j in range(v.shape[1]):
            energy -= np.float64(v[r, j]) * np.float64(x[r, j])
        out[r] = energy


def free_energy(model, v):
    """See `Backend.free_energy`."""
    out = np.empty(len(v))
    launch(_energies, v.size, inputs(model, v), v.astype(np.float32), out)
    return out


@jit(parallel=True)
def _errors(x, v):
    for r in prange(v.shape[0]):
        for i in range(v.shape[1]):
            x[r, i] = v[r, i] - probability(x[r, i])
        fill(x[r, v.shape[1] :], np.float32(0.0))


def _deltas(model, v):
    """v - p(v = 1 | parents), float32 [rows, padded], zero beyond the units."""
    x = inputs(model, v)
    launch(_errors, v.size, x, v.astype(np.float32))
    return x


def moments(model, positive, negative, beta=1.0) -> Phases:
    """See `Backend.moments`; a phase without rows counts as zero.

    Below the diagonal stands what nobody looks at (see `device`).
    """
    b, b_mean, c, c_mean = (np.empty_like(model.b) for _ in range(4))
    deltas = _deltas(model, positive), _deltas(model, negative)
    found = Contrast.with_means(positive, negative, *deltas, b, b_mean, c, c_mean)
    W = aligned_empty(*model.W.shape)
    found.write_upper(W)
    return Phases({"W": W, "b": c}, {"b": b_mean})


def exact_gradient(model, v):
    """See `Backend.exact_gradient`: nothing is enumerated, as log Z is 0."""
    return moments(model, v, v[:0]), 0.0


def log_z(model) -> float:
    """See `Backend.log_z`: 0, as the law comes normalised."""
    return 0.0


JOBS = {
    "free_energy": free_energy,
    "moments": moments,
    "exact_gradient": exact_gradient,
    "log_z": log_z,
}
