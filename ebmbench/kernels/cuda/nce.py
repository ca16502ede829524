"""Noise-contrastive estimation: a classifier's gradient, weighted moments of data and of noise.

Four launches and one copy back of three numbers. The first and the third are products (see `products`);
the others read p(h|v) once or twice, 0.8 MB for 400 rows of 500 units: 1 us each on an H200, so that a
batch of a few hundred rows is bound by its launches.
"""

import numba
import numpy as np
from numba import cuda

from ebmbench.kernels.api import NoiseContrast
from ebmbench.kernels.cuda.block import block_sum
from ebmbench.kernels.cuda.device import blocks
from ebmbench.kernels.cuda.launch import device, kernel
from ebmbench.kernels.cuda.memory import download, empty, upload
from ebmbench.kernels.cuda.products import layer
from ebmbench.kernels.cuda.statistics import minus_free_energy_part, phases
from ebmbench.kernels.cuda.tile import at
from ebmbench.scalar import LINEAR, exp64, sigmoid, softplus64

_THREADS = 128
_ZERO, _HALF = np.float32(0.0), np.float32(0.5)
_VALUE, _LOG_Z, _CURVATURE = at(0), at(1), at(2)  # of a row's terms


@device
def answer(right, sign, scale, rows, terms):
    """Note a row's terms of the objective and of log Z's derivatives; its share in a mean over data.

    right: log odds of the right answer, float64; sign: 1 for data, -1 for noise; scale: rows of its side
    over rows of data, `rows`; terms: float64 [3], of which one thread writes each.
    """
    wrong = 1.0 / (1.0 + exp64(right))
    if cuda.threadIdx.x == 0:
        terms[_VALUE] = -softplus64(-right) / rows
        terms[_LOG_Z] = -sign * wrong / rows
        terms[_CURVATURE] = wrong / (1.0 + exp64(-right)) / rows
    return np.float32(scale * wrong)


@kernel(
    "float32[:,::1], float32[::1], uint8[:,::1], uint8[:,::1], float64[::1], uint64, float32[:,::1], "
    "float64[:,::1]",
    _THREADS,
)
def _classify(p, b, data, noise, offset, n_hidden, weighted, terms):
    """A row a block, those of the data first: its terms of the objective and of log Z's derivatives.

    p: c + vW, becomes p(h|v); weighted: p(h|v) times what the classifier gets wrong of a row, of noise
    scaled for a mean over as many rows as there are of data.
    """
    room = cuda.shared.array(_THREADS, numba.float64)
    rows = at(data.shape[0])
    r = at(cuda.blockIdx.x)
    sign, scale, states, own = 1.0, 1.0, data, r
    if r >= rows:
        sign, scale, states, own = -1.0, np.float64(noise.shape[0]) / np.float64(rows), noise, r - rows
    part = minus_free_energy_part(p, r, n_hidden, b, states, own)
    right = sign * (block_sum(part, room) - offset[r])
    share = answer(right, sign, scale, rows, terms[r])
    for j in range(at(cuda.threadIdx.x), at(p.shape[1]), at(cuda.blockDim.x)):
        on = sigmoid(p[r, j]) if j < n_hidden else _ZERO
        p[r, j] = on
        weighted[r, j] = share * on


@kernel(
    "float32[:,::1], uint8[:,::1], uint8[:,::1], float64[:,::1], uint64, float32[::1], float32[::1], "
    "float64[::1]",
    _THREADS,
)
def _sum_rows(p, data, noise, terms, n_hidden, b, c_mean, sums):
    """A column a thread: b from weighted rows, the mean of p(h|v) over both sides, sums of the terms."""
    rows, others = at(data.shape[0]), at(noise.shape[0])
    units, hidden = at(b.size), at(c_mean.size)
    for n in range(at(cuda.grid(1)), units + hidden + at(sums.size), at(cuda.gridsize(1))):
        if n < units:
            total = 0.0
            if n < at(data.shape[1]):
                for r in range(rows):
                    total -= terms[r, _LOG_Z] * np.float64(data[r, n])
                for r in range(others):
                    total -= terms[rows + r, _LOG_Z] * np.float64(noise[r, n])
            b[n] = np.float32(total)
        elif n < units + hidden:
            j = n - units
            on = off = _ZERO
            for r in range(rows):
                on += p[r, j]
            for r in range(others):
                off += p[rows + r, j]
            c_mean[j] = _HALF * (on / np.float32(rows) + off / np.float32(others))
        else:
            k = n - units - hidden
            total = 0.0
            for r in range(rows + others):
                total += terms[r, k]
            sums[k] = total


def nce(model, data, noise, data_offset, noise_offset) -> NoiseContrast:
    """See `Backend.nce`."""
    rows = len(data) + len(noise)
    p, weighted = (empty((rows, model.c.size)) for _ in range(2))
    terms, sums = empty((rows, 3), np.float64), empty(3, np.float64)
    layer(model.W, model.c, data, noise, model.n_hidden, p, LINEAR)
    offset = upload(np.concatenate([data_offset, noise_offset]))
    _classify(rows, p, model.b, data, noise, offset, model.n_hidden, weighted, terms)
    found = phases(weighted, data, noise, model)
    b, c_mean = found.gradient["b"], found.means["c"]
    columns = b.size + c_mean.size + 3
    _sum_rows(blocks(columns, _THREADS), p, data, noise, terms, model.n_hidden, b, c_mean, sums)
    return NoiseContrast(*found, *(float(x) for x in download(sums)))


JOBS = {"nce": nce}
