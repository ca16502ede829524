"""Noise-contrastive estimation without hidden units: weighted moments of data and of noise."""

import numba
import numpy as np
from numba import cuda

from ebmbench.kernels.api import NoiseContrast
from ebmbench.kernels.cuda.block import block_sum
from ebmbench.kernels.cuda.graph.statistics import contrast, minus_energy_part, padded_rows
from ebmbench.kernels.cuda.launch import kernel
from ebmbench.kernels.cuda.memory import download, empty, upload
from ebmbench.kernels.cuda.nce import answer
from ebmbench.kernels.cuda.products import layer
from ebmbench.kernels.cuda.tile import at
from ebmbench.scalar import LINEAR

_THREADS = 128


@kernel(
    "float32[:,::1], float32[::1], float32[:,::1], uint64, float64[::1], float64[:,::1]",
    _THREADS,
)
def _classify(x, b, v, rows, offset, terms):
    """A row a block, the first so many those of the data: v becomes v times what is wrong of it."""
    room = cuda.shared.array(_THREADS, numba.float64)
    r, units = at(cuda.blockIdx.x), at(b.size)
    sign, scale = 1.0, 1.0
    if r >= rows:
        sign, scale = -1.0, np.float64(at(v.shape[0]) - rows) / np.float64(rows)
    minus_energy = block_sum(minus_energy_part(x[r], b, v[r]), room)
    share = answer(sign * (minus_energy - offset[r]), sign, scale, rows, terms[r])
    for j in range(at(cuda.threadIdx.x), units, at(cuda.blockDim.x)):
        v[r, j] = share * v[r, j]


def job(inputs, contrast):
    """The job for a kind of model, from what its units hear of data and noise, and its `contrast`."""

    def nce(model, data, noise, data_offset, noise_offset) -> NoiseContrast:
        """See `Backend.nce`."""
        v, offset = padded_rows(model, data, noise), upload(np.concatenate([data_offset, noise_offset]))
        terms = empty((len(v), 3), np.float64)
        _classify(len(v), inputs(model, data, noise), model.b, v, len(data), offset, terms)
        phases, _ = contrast(model, v, data, noise, 0.5)
        return NoiseContrast(*phases, *(float(one) for one in download(terms).sum(axis=0)))

    return nce


def _inputs(model, data, noise):
    x = empty((len(data) + len(noise), model.b.size))
    layer(model.W, model.b, data, noise, model.n_visible, x, LINEAR)
    return x


JOBS = {"nce": job(_inputs, contrast)}
