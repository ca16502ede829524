"""The posterior of a DBM's hidden layers by mean field.

What v says to the odd layers, c + vW, is summed up once; each update then multiplies the even layers'
means by their own rows of W, and the odd layers' by the same of the transposed copy.
"""

import numpy as np
from numba import prange

from ebmbench.compile import jit
from ebmbench.kernels.cpu.device import aligned_empty
from ebmbench.kernels.cpu.propagation import propagate
from ebmbench.kernels.cpu.simd import LANES
from ebmbench.kernels.cpu.statistics import padded_inputs
from ebmbench.kernels.cpu.threads import launch, launch_shared, layer_work
from ebmbench.scalar import SIGMOID


@jit(parallel=True)
def _largest_move(new, old, first):
    """The largest |new - old| over the columns from the first on."""
    found = np.zeros(new.shape[0], np.float32)
    for r in prange(new.shape[0]):
        one, other = new[r, first:], old[r, first:]
        most = np.float32(0.0)
        for j in range(one.size):
            most = max(most, abs(one[j] - other[j]))
        found[r] = most
    return found.max()


def mean_field(model, v, even, sweeps: int, tolerance: float):
    """See `Backend.mean_field`; with a tolerance of 0 all updates are made."""
    n, units = v.shape[1], even.shape[1]
    found = np.empty((len(v), model.n_visible), np.float32)
    found[:, :n] = v
    if units == 0:
        return found, 1
    given = padded_inputs(model.W[:n], model.c, v)
    # Columns of the transposed copy from a whole vector's begin on; `offset` of them belong to v.
    begin = n - n % LANES
    offset, width = n - begin, -(-(model.n_visible - begin) // LANES) * LANES
    odd, old, new = (aligned_empty(len(v), columns) for columns in (given.shape[1], width, width))
    new[:, offset : offset + units] = even
    work = layer_work(len(v), units, model.n_hidden)
    done, moved = 0, np.inf
    while done < sweeps and moved > tolerance:
        old, new = new, old
        start, columns = n * odd.shape[1], odd.shape[1]
        launch_shared(
            propagate, work, old, offset, units, model.W, start, given, 0, columns, SIGMOID, odd
        )
        launch_shared(
            propagate, work, odd, 0, model.n_hidden, model.Wt, begin, model.b, begin, 0, SIGMOID, new
        )
        done += 1
        if tolerance > 0:
            ends = offset + units
            moved = launch(_largest_move, new.size, new[:, :ends], old[:, :ends], offset)
    found[:, n:] = new[:, offset : offset + units]
    return found, done


JOBS = {"mean_field": mean_field}
