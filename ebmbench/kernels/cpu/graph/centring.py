"""The centred gradient of a Boltzmann machine: of the square R + Rᵀ, row by row."""

import numpy as np
from numba import prange

from ebmbench.compile import jit
from ebmbench.kernels.cpu.simd import total
from ebmbench.kernels.cpu.threads import launch
from ebmbench.kernels.cpu.update import slide


@jit(parallel=True)
def _centre(R, b, old, mu):
    """R <- R - mu oldᵀ - old muᵀ without its diagonal, b <- old - R mu."""
    for i in prange(R.shape[0]):
        row, through = R[i], np.empty(mu.size, np.float32)
        for j in range(row.size):
            row[j] -= mu[i] * old[j] + old[i] * mu[j]
        row[i] = np.float32(0.0)
        for j in range(row.size):
            through[j] = row[j] * mu[j]
        b[i] = old[i] - np.float32(total(through, row.size))


def centre(gradient, means, offsets, sliding, mask) -> None:
    """See `Backend.centre`; there is no mask."""
    R, b, mu = gradient["R"], gradient["b"], offsets["b"]
    slide(mu, means["b"], np.float32(sliding))
    launch(_centre, R.size, R, b, b.copy(), mu)


JOBS = {"centre": centre}
