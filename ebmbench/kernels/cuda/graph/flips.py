"""Pseudolikelihood and ratio matching without hidden units: as `cpu.graph.flips`, a row a block."""

import numba
import numpy as np
from numba import cuda

from ebmbench.kernels.cuda.block import block_sum
from ebmbench.kernels.cuda.device import as_float
from ebmbench.kernels.cuda.graph.gibbs import inputs
from ebmbench.kernels.cuda.graph.statistics import contrast
from ebmbench.kernels.cuda.later import Later
from ebmbench.kernels.cuda.launch import kernel
from ebmbench.kernels.cuda.memory import download, empty, upload
from ebmbench.kernels.cuda.tile import at
from ebmbench.scalar import probability, softplus64

_THREADS = 128
_ALL_BITS = -1
_ZERO, _ONE, _TWO = np.float32(0.0), np.float32(1.0), np.float32(2.0)


@kernel("float32[:,::1], float32[:,::1], int64[::1], boolean, float64[::1]", _THREADS)
def _flip(x, v, bits, squared, values):
    """From the units' inputs x to what the objective rises by with each of them, in place.

    bits: the one bit that stands for all of a row, or `_ALL_BITS`; values: of each row, float64.
    """
    room = cuda.shared.array(_THREADS, numba.float64)
    r, units = at(cuda.blockIdx.x), at(v.shape[1])
    only = bits[r]
    times = _ONE if only == _ALL_BITS else np.float32(units)
    part = 0.0
    for i in range(at(cuda.threadIdx.x), at(x.shape[1]), at(cuda.blockDim.x)):
        counts = i < units and (only == _ALL_BITS or np.int64(i) == only)
        error = _ZERO
        if counts:
            sign = np.float32(_TWO * v[r, i] - _ONE)
            d = np.float32(sign * x[r, i])
            wrong = probability(np.float32(-d))
            if squared:
                part -= np.float64(wrong) * np.float64(wrong)
                error = np.float32(sign * np.float32(wrong * np.float32(_TWO * wrong * probability(d))))
            else:
                part -= softplus64(-np.float64(d))
                error = np.float32(sign * wrong)
        x[r, i] = np.float32(times * error)
    total = block_sum(part, room)
    if cuda.threadIdx.x == 0:
        values[r] = np.float64(times) * total


def jobs(inputs, contrast):
    """Both objectives for a kind of model, from what its units hear and its `contrast`."""
    return {
        "pseudolikelihood": _job(inputs, contrast, False),
        "ratio_matching": _job(inputs, contrast, True),
    }


def _job(inputs, contrast, squared: bool):
    def job(model, v, bits):
        rows = len(v)
        chosen = upload(np.full(rows, _ALL_BITS, np.int64) if bits is None else bits, np.int64)
        delta, values = inputs(model, v), empty(rows, np.float64)
        _flip(rows, delta, as_float(v), chosen, squared, values)
        none = empty((0, model.n_visible), v.dtype)
        phases, mean = contrast(model, delta, v, none, 1.0)
        return phases._replace(means={"b": mean}), Later(lambda: float(download(values).mean()))

    return job


JOBS = jobs(inputs, contrast)
