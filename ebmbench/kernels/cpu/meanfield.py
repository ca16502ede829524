"""The posterior of a DBM's hidden layers by mean field.

What v says to the odd layers, c + vW, is summed up once; each update then multiplies the even layers'
means by their own rows of W, and the odd layers' by the same of the transposed copy.

Floor of an update of 100 rows of a 784-500-1000 model: 200 million operations, 1.2 ms on a thread of
166 GFLOP/s; W's 4 MB, from the last cache at 40 GB/s, are 0.1 ms. Measured are 1.3 ms.
"""

import numpy as np
from numba import prange

from ebmbench.compile import jit
from ebmbench.kernels.cpu.device import aligned_empty, whole
from ebmbench.kernels.cpu.emit import LANES
from ebmbench.kernels.cpu.propagation import propagate
from ebmbench.kernels.cpu.statistics import padded_inputs
from ebmbench.kernels.cpu.threads import launch, launch_shared, layer_work
from ebmbench.scalar import SIGMOID


@jit(parallel=True)
def _moved(new, old, first, last, tolerance):
    """How many means in these columns moved by more than the tolerance, NaN among them."""
    found = np.zeros(new.shape[0], np.int32)
    for r in prange(new.shape[0]):
        one, other = new[r, first:last], old[r, first:last]
        count = np.int32(0)
        for j in range(one.size):
            count += np.int32(not abs(one[j] - other[j]) <= tolerance)
        found[r] = count
    return found.sum()


def mean_field(model, v, others, sweeps: int, tolerance: float):
    """See `Backend.mean_field`; with a tolerance of 0 all updates are made."""
    n, units = v.shape[1], others.shape[1]
    found = np.empty((len(v), model.n_visible), np.float32)
    found[:, :n] = v
    if units == 0:
        return found, 1
    given = padded_inputs(model.W[:n], model.c, v)
    wide = given.shape[1]
    # Columns of the transposed copy from a whole vector's begin on; the first few of them belong to v.
    begin = n - n % LANES
    width, first, last = whole(model.n_visible - begin), n - begin, model.n_visible - begin
    odd, old, new = (aligned_empty(len(v), columns) for columns in (wide, width, width))
    new[:, first:last] = others
    upwards = model.W, n * wide, given, 0, wide, SIGMOID, wide, odd
    work = layer_work(len(v), units, model.n_hidden)
    done, moved = 0, True
    while done < sweeps and moved:
        old, new = new, old
        downwards = model.Wt, begin, model.b, begin, 0, SIGMOID, width, new
        launch_shared(propagate, work, old, first, units, *upwards)
        launch_shared(propagate, work, odd, 0, model.n_hidden, *downwards)
        done += 1
        if tolerance > 0:
            moved = launch(_moved, new.size, new, old, first, last, np.float32(tolerance))
    found[:, n:] = new[:, first:last]
    return found, done


JOBS = {"mean_field": mean_field}
