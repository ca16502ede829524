"""The centred gradient of a Boltzmann machine: as `cpu.graph.centring`, a block a row.

Bound by memory: at 784 units R's 2.5 MB are read and written, 1 us from the L2 cache of an H200.
"""

import numba
import numpy as np
from numba import cuda

from ebmbench.kernels.api.device import Tree
from ebmbench.kernels.cuda.block import block_sum
from ebmbench.kernels.cuda.device import blocks
from ebmbench.kernels.cuda.launch import kernel
from ebmbench.kernels.cuda.memory import zeros
from ebmbench.kernels.cuda.tile import at
from ebmbench.scalar import mul

_THREADS = 128
_ZERO = np.float32(0.0)


@kernel("float32[::1], float32[::1], float32")
def _slide(offset, mean, sliding):
    for n in range(at(cuda.grid(1)), at(offset.size), at(cuda.gridsize(1))):
        offset[n] += sliding * (mean[n] - offset[n])


@kernel("float32[:,::1], float32[::1], float32[::1], float32[::1]", _THREADS)
def _centre(R, old, mu, b):
    room = cuda.shared.array(_THREADS, numba.float64)
    i = at(cuda.blockIdx.x)
    through = 0.0
    for j in range(at(cuda.threadIdx.x), at(R.shape[1]), at(cuda.blockDim.x)):
        # Each product rounded, so that R stays its own transpose to the bits.
        r = R[i, j] - np.float32(mul(mu[i], old[j]) + mul(old[i], mu[j]))
        if j == i:
            r = _ZERO
        R[i, j] = r
        through += np.float64(r * mu[j])
    through = block_sum(through, room)
    if cuda.threadIdx.x == 0:
        b[i] = old[i] - np.float32(through)


def centre(gradient: Tree, means: Tree, offsets: Tree, sliding: float, mask: Tree | None) -> None:
    """See `Backend.centre`; two launches. There is no mask."""
    R, old, mu = gradient["R"], gradient["b"], offsets["b"]
    _slide(blocks(mu.size, _slide.threads), mu, means["b"], sliding)
    gradient["b"] = zeros(old.size)  # other blocks look at the old one
    _centre(len(R), R, old, mu, gradient["b"])


JOBS = {"centre": centre}
