"""Jobs that sum over all states of a Boltzmann machine, in float64.

A state a thread: 2**20 states of 20 units are 2.2e8 additions, and expectations one more pass over the
states for each pair of units: some 10 us and 0.2 ms on an H200, predicted.
"""

import math
from typing import Any

import numba
import numpy as np
from numba import cuda

from ebmbench.kernels.api import Phases
from ebmbench.kernels.cuda.block import block_sum
from ebmbench.kernels.cuda.enumerate import block_log_sum, take_off
from ebmbench.kernels.cuda.graph.device import get
from ebmbench.kernels.cuda.graph.statistics import moments
from ebmbench.kernels.cuda.launch import kernel
from ebmbench.kernels.cuda.memory import Array, download, empty, upload
from ebmbench.kernels.cuda.tile import at
from ebmbench.models.boltzmann import BoltzmannMachine, PairMoments
from ebmbench.models.enumerate import check_enumerable
from ebmbench.scalar import add_log

_THREADS = 128
_BLOCKS = 1024
_ONE = at(1)


@kernel("float64[:,::1], float64[::1], float64[::1], float64[::1]", _THREADS)
def _weigh(R, b, log_p, sums):
    """log_p: each state's -E; sums: the log of each block's sum over states."""
    room = cuda.shared.array(_THREADS, numba.float64)
    most, total = -math.inf, 0.0
    for number in range(at(cuda.grid(1)), at(log_p.size), at(cuda.gridsize(1))):
        weight = 0.0
        for i in range(at(b.size)):
            if (number >> i) & _ONE:
                weight += b[i]
                for j in range(i):
                    if (number >> j) & _ONE:
                        weight += R[j, i]
        log_p[number] = weight
        most, total = add_log(most, total, weight)
    own = block_log_sum(most, total, room)
    if cuda.threadIdx.x == 0:
        sums[cuda.blockIdx.x] = own


@kernel("float64[::1], float64, float64[:,::1]", _THREADS)
def _expect(log_p, log_z, pairs):
    """A pair of units i <= j a block: pairs[i, j] = <v_i v_j>, and <v_i> on the diagonal."""
    room = cuda.shared.array(_THREADS, numba.float64)
    i, j = at(cuda.blockIdx.x), at(cuda.blockIdx.y)
    both = (_ONE << i) | (_ONE << j)
    part = 0.0
    if i <= j:
        for number in range(at(cuda.threadIdx.x), at(log_p.size), at(cuda.blockDim.x)):
            if number & both == both:
                part += math.exp(log_p[number] - log_z)
    total = block_sum(part, room)
    if cuda.threadIdx.x == 0:
        pairs[i, j] = total


def _log_weights(model: Any) -> tuple[float, Array]:
    """Log Z, and -E of all states."""
    check_enumerable(model)
    states = 2**model.n_visible
    log_p = empty(states, np.float64)
    sums = empty(min(-(-states // _THREADS), _BLOCKS), np.float64)
    _weigh(sums.size, upload(model.R, np.float64), upload(model.b, np.float64), log_p, sums)
    return float(np.logaddexp.reduce(download(sums))), log_p


def log_z(model: BoltzmannMachine) -> float:
    """See `Backend.log_z`."""
    return _log_weights(model)[0]


def exact_gradient(model, v) -> tuple[Phases, float]:
    """See `Backend.exact_gradient`."""
    log_z, log_p = _log_weights(get(model))
    pairs = empty((model.n_visible, model.n_visible), np.float64)
    _expect(pairs.shape, log_p, log_z, pairs)
    found = download(pairs)
    expected = PairMoments(np.triu(found, 1), np.diagonal(found))
    phases = moments(model, v, empty((0, model.n_visible), v.dtype))
    take_off(phases.gradient, "R", model.square(expected.vv))
    take_off(phases.gradient, "b", expected.v)
    take_off(phases.means, "b", -expected.v / 2)
    return phases, log_z


JOBS = {"exact_gradient": exact_gradient, "log_z": log_z}
