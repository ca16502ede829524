"""Jobs that sum over all states of h, v integrated in closed form, in float64.

Without v the hidden units are a Boltzmann machine, log p(h) = const + bias.h + h.Jh / 2 with
bias = c + Wᵀ B b and J = Wᵀ B W, B = diag(precision); the moments of v follow from those of h.
"""

import numba
import numpy as np
from numba import cuda

from ebmbench.kernels.api import Phases
from ebmbench.kernels.cuda.availability import SIMULATED
from ebmbench.kernels.cuda.enumerate import block_log_sum, expectations
from ebmbench.kernels.cuda.gaussian.device import get
from ebmbench.kernels.cuda.gaussian.statistics import moments
from ebmbench.kernels.cuda.launch import kernel
from ebmbench.kernels.cuda.memory import Array, download, empty, upload
from ebmbench.kernels.cuda.tile import at
from ebmbench.models.enumerate import Moments, check_enumerable
from ebmbench.models.gaussian_rbm import GaussianRBM
from ebmbench.scalar import add_log

_THREADS = 4 if SIMULATED else 256
_BLOCKS = 1024  # that share the states
_CERTAIN = 800.0  # a pre-activation whose sigmoid is 1


@kernel("float64[:,::1], float64[::1], boolean, float64[::1], float64[::1]", _THREADS)
def _weigh(J, bias, kept, log_p, sums):
    """Sums: the log of each block's sum over states; log_p: each state's log weight, if kept.

    A thread a state. At most n**2 / 2 additions a state, which read J from the L1 cache: 2**20 states
    of 20 units are 2e8, some 30 us on an H200.
    """
    room = cuda.shared.array(_THREADS, numba.float64)
    n, one = at(bias.size), at(1)
    most, total = -np.inf, 0.0
    for number in range(at(cuda.grid(1)), one << n, at(cuda.gridsize(1))):
        weight = 0.0
        for j in range(n):
            if (number >> j) & one:
                weight += bias[j] + 0.5 * J[j, j]
                for k in range(j):
                    if (number >> k) & one:
                        weight += J[j, k]
        if kept:
            log_p[number] = weight
        most, total = add_log(most, total, weight)
    own = block_log_sum(most, total, room)
    if cuda.threadIdx.x == 0:
        sums[cuda.blockIdx.x] = own


def _log_weights(model: GaussianRBM, kept: bool) -> tuple[float, Array]:
    """Log of the sum over states of h, and if kept the log weight of each; v's normaliser left out."""
    scaled = model.precision[:, None] * model.W
    J = np.einsum("ij,ik->jk", scaled, model.W)
    bias = model.c + np.einsum("ij,i->j", scaled, model.b)
    states = 2**model.n_hidden
    log_p = empty(states if kept else 1, np.float64)
    sums = empty(min(-(-states // _THREADS), _BLOCKS), np.float64)
    _weigh(sums.size, upload(J), upload(bias), kept, log_p, sums)
    return float(np.logaddexp.reduce(download(sums))), log_p


def _log_z(model: GaussianRBM, log_sum: float) -> float:
    return log_sum + float(0.5 * np.log(2.0 * np.pi / model.precision).sum())


def log_z(model: GaussianRBM) -> float:
    """See `Backend.log_z`."""
    check_enumerable(model)
    return _log_z(model, _log_weights(model, False)[0])


def exact_gradient(model, v) -> tuple[Phases, float]:
    """See `Backend.exact_gradient`."""
    host = get(model)
    check_enumerable(host)
    log_sum, log_p = _log_weights(host, True)
    # Units that are on where those of the state are: their moments with it are <h hᵀ>.
    n = host.n_hidden
    copied = upload(2.0 * _CERTAIN * np.eye(n)), upload(np.full(n, -_CERTAIN))
    hh, h, _ = expectations(*copied, log_p, log_sum)
    through = np.einsum("ij,jk->ik", host.W, hh)
    squares = 0.5 * (1.0 / host.precision + (host.W * through).sum(axis=1))
    of_states = Moments(host.b[:, None] * h + through, host.b + np.einsum("ij,j->i", host.W, h), h)
    nothing = empty((0, model.n_visible), v.dtype)
    return moments(model, v, nothing, (of_states, squares)), _log_z(host, log_sum)


JOBS = {"exact_gradient": exact_gradient, "log_z": log_z}
