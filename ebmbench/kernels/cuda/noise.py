"""Normal noise on rows.

A thread owns four neighbouring units of a row, as in `dropout`. Prediction for an H200: 784 units of 200
rows are 39,200 threads of some 400 instructions, 14 % of what the chip holds at once: 3 us, a launch.
"""

import numpy as np
from numba import cuda

from ebmbench.kernels.cuda.device import blocks
from ebmbench.kernels.cuda.drawing import counter
from ebmbench.kernels.cuda.launch import device, kernel
from ebmbench.kernels.cuda.memory import Array, empty
from ebmbench.kernels.cuda.tile import at
from ebmbench.normal import normal_about
from ebmbench.philox import four_uniforms
from ebmbench.randomness import Key

_U32 = np.uint32


@device
def _one(rows, r, i, u, deviation, out):
    if i < at(rows.shape[1]):
        out[r, i] = normal_about(np.float32(rows[r, i]), deviation, u)


@kernel("rows[:,::1], float32, int64, uint64, int64, int64, float32[:,::1]")
def _add_noise(rows, deviation, chain, step, seed, stream, out):
    count, groups = at(rows.shape[0]), (at(rows.shape[1]) + at(3)) // at(4)
    for n in range(at(cuda.grid(1)), count * groups, at(cuda.gridsize(1))):
        r, group = n // groups, n % groups
        number, low, high, word = counter(np.uint64(chain) + np.uint64(r), step, seed)
        u0, u1, u2, u3 = four_uniforms(_U32(group), number, low, high, word, _U32(stream))
        i = at(4) * group
        _one(rows, r, i, u0, deviation, out)
        _one(rows, r, i + at(1), u1, deviation, out)
        _one(rows, r, i + at(2), u2, deviation, out)
        _one(rows, r, i + at(3), u3, deviation, out)


def add_noise(rows: Array, deviation: float, key: Key) -> Array:
    """See `Backend.add_noise`."""
    out = empty(rows.shape)
    work = rows.shape[0] * (-(-rows.shape[1] // 4))
    at_key = key.chain, key.step, key.seed, int(key.stream)
    if out.size:
        _add_noise(blocks(work, _add_noise.threads), rows, np.float32(deviation), *at_key, out)
    return out


FUNCTIONS = {"add_noise": add_noise}
