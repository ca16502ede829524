"""Units left out of a layer's rows, and of the derivatives on their way back (see `models.dropout`).

A thread owns four neighbouring units of a row, for which one call of Philox gives uniforms; they are
drawn anew on the way back rather than kept. Prediction for an H200: 784 units of 100 rows are 19,600
threads of some 100 instructions, 7 % of what the chip holds at once: 2 us, a launch.
"""

import numpy as np
from numba import cuda

from ebmbench.kernels.cuda.device import blocks
from ebmbench.kernels.cuda.drawing import counter
from ebmbench.kernels.cuda.launch import device, kernel
from ebmbench.kernels.cuda.memory import Array, empty
from ebmbench.kernels.cuda.tile import at
from ebmbench.models.dropout import Dropout
from ebmbench.philox import four_uniforms

_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
_U32 = np.uint32


@device
def _one(a, r, i, u, kept, times, out):
    if i < at(a.shape[1]):
        out[r, i] = np.float32(times * np.float32(a[r, i])) if u < kept else _ZERO


@kernel("rows[:,::1], float32, int64, uint64, int64, int64, float32[:,::1]")
def _thin(a, kept, chain, step, seed, stream, out):
    """Out may be a itself."""
    rows, groups = at(a.shape[0]), (at(a.shape[1]) + at(3)) // at(4)
    times = _ONE / kept
    for n in range(at(cuda.grid(1)), rows * groups, at(cuda.gridsize(1))):
        r, group = n // groups, n % groups
        number, low, high, word = counter(np.uint64(chain) + np.uint64(r), step, seed)
        u0, u1, u2, u3 = four_uniforms(_U32(group), number, low, high, word, _U32(stream))
        i = at(4) * group
        _one(a, r, i, u0, kept, times, out)
        _one(a, r, i + at(1), u1, kept, times, out)
        _one(a, r, i + at(2), u2, kept, times, out)
        _one(a, r, i + at(3), u3, kept, times, out)


def thin(a: Array, layer: int, dropout: Dropout, out: Array | None = None) -> Array:
    """What the layer's rows, uint8 or float32 [B, units], say with units left out; float32."""
    out = empty(a.shape) if out is None else out
    key = dropout.key
    _thin(
        blocks(a.shape[0] * (-(-a.shape[1] // 4)), _thin.threads), a, dropout.kept(layer), key.chain,
        key.step, key.seed, int(key.stream) + layer, out,
    )  # fmt: skip
    return out
