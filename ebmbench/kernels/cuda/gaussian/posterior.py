"""Chains that walk given evidence about their visible units, a layer at a time: as `cuda.posterior`."""

import numpy as np
from numba import cuda

from ebmbench.kernels.cuda.drawing import counter
from ebmbench.kernels.cuda.launch import kernel
from ebmbench.kernels.cuda.memory import Array
from ebmbench.kernels.cuda.posterior import walked
from ebmbench.kernels.cuda.tile import at
from ebmbench.normal import normal_about, normal_of_both
from ebmbench.philox import four_uniforms
from ebmbench.randomness import Key

_FOUR = at(4)


@kernel(
    "float32[:,::1], float32[:,::1], float32[::1], boolean, int64, int64, uint64, int64, "
    "float32[:,::1], float64[:,::1]"
)
def _draw(x, evidence, precision, counts, seed, stream, step, chain, v, total):
    """Units given their means x and what is seen; x: [rows, padded], v and total: [rows, units]."""
    units = at(v.shape[1])
    groups = (units + at(3)) // _FOUR
    for n in range(at(cuda.grid(1)), at(v.shape[0]) * groups, at(cuda.gridsize(1))):
        r, group = n // groups, n % groups
        word = counter(chain + np.int64(r), step, seed)
        u = four_uniforms(np.uint32(group), word[0], word[1], word[2], word[3], np.uint32(stream))
        for lane in range(_FOUR):
            i = _FOUR * group + lane
            if i < units:
                seen = np.float64(evidence[r, i]), np.float64(evidence[r, units + i])
                own = np.float64(x[r, i]), np.float64(precision[i])
                centre, spread = normal_of_both(seen[0], seen[1], own[0], own[1])
                v[r, i] = normal_about(centre, spread, u[lane])
                if counts:
                    total[r, i] += np.float64(centre)


def posterior(model, v, evidence, sweeps: int, burn_in: int, key: Key) -> Array:
    """See `Backend.posterior`."""
    given = evidence, model.precision
    return walked(_draw, given, np.float32, model, v, sweeps, burn_in, key)


JOBS = {"posterior": posterior}
