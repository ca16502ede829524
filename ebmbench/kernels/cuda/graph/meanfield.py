"""The posterior of a general machine's hidden units: as `cpu.graph.meanfield`, a block a row.

Prediction for an H200, 200 hidden units: each moves in most updates, two barriers and a row from the L2
cache, some 400 cycles: 45 us an update, and as long for up to some 500 rows. What inputs gather of the
rounding stays small without their being summed anew, as means move less from update to update.
"""

import numpy as np
from numba import cuda

from ebmbench.kernels.cuda.graph.gibbs import inputs, turn
from ebmbench.kernels.cuda.launch import kernel
from ebmbench.kernels.cuda.meanfield import join
from ebmbench.kernels.cuda.memory import Array, download, empty
from ebmbench.kernels.cuda.tile import at
from ebmbench.scalar import probability

_THREADS = 128


@kernel(
    "float32[:,::1], float32[:,::1], float32[:,::1], uint64, int64, float32, int32[::1]",
    _THREADS,
)
def _settle(W, x, rows, first, sweeps, tolerance, done):
    """All threads of a block find the same mean; `turn` shares what it changes."""
    r = at(cuda.blockIdx.x)
    mean, heard = rows[r], x[r]
    for t in range(sweeps):
        moved = False
        for i in range(first, at(mean.size)):
            new = probability(heard[i])
            if not abs(np.float32(new - mean[i])) <= tolerance:  # NaN has not settled
                moved = True
            turn(W, i, new, first, mean, heard)
        if cuda.threadIdx.x == 0:
            done[r] = np.int32(t + 1)
        if not moved:
            break


def mean_field(model, v: Array, others: Array, sweeps: int, tolerance: float):
    """See `Backend.mean_field`; with a tolerance of 0 the GPU is not asked how many updates they were."""
    rows = join(v, others)
    if not others.size:
        return rows, 1
    done = empty(len(v), np.int32)
    _settle(len(v), model.W, inputs(model, rows), rows, v.shape[1], sweeps, tolerance, done)
    return rows, int(download(done).max()) if tolerance > 0 else sweeps


JOBS = {"mean_field": mean_field}
